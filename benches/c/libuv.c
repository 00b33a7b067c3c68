/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The same on libuv.
 */
#include "bench.h"

#include <uv.h>

static uv_loop_t *loop;

static void run_loop(void)
{
    uv_run(loop, UV_RUN_DEFAULT);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    must(status == 0, "uv_poll");
    hop(poll->data);
    if (hops >= hops_until)
        uv_stop(loop);
}

static void chain(uint32_t count, uint64_t hop_count)
{
    chain_open(count);
    uv_poll_t *polls = zeroed(count, sizeof *polls);
    for (size_t at = 0; at < count; at++) {
        must(uv_poll_init(loop, &polls[at], pairs[at].in) == 0, "uv_poll_init");
        polls[at].data = &pairs[at];
        must(uv_poll_start(&polls[at], UV_READABLE, on_readable) == 0, "uv_poll_start");
    }
    chain_run(run_loop, hop_count);
}

static uv_timer_t *timers;

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    fired++;
}

static void timers_start(uint32_t count, uint32_t (*delay)(void))
{
    timer_count = count;
    timers = zeroed(count, sizeof *timers);
    for (size_t at = 0; at < count; at++) {
        uv_timer_init(loop, &timers[at]);
        must(uv_timer_start(&timers[at], on_timer, delay() / 1000, 0) == 0, "uv_timer_start");
    }
}

/* An idle handle is called in each iteration, and keeps it from blocking. */
static void on_iteration(uv_idle_t *idle)
{
    (void)idle;
    for (int at = 0; at < REPLACED_PER_TURN; at++) {
        uv_timer_t *timer = &timers[timer_random()];
        uv_timer_stop(timer);
        uv_timer_start(timer, on_timer, timer_delay() / 1000, 0);
    }
    replaced += REPLACED_PER_TURN;
    if (replaced >= replaced_until)
        uv_stop(loop);
}

static void timer(uint32_t count, uint64_t operations)
{
    timers_start(count, timer_delay);
    uv_idle_t idle;
    uv_idle_init(loop, &idle);
    uv_idle_start(&idle, on_iteration);
    timers_run(run_loop, operations);
}

static void one_iteration(void)
{
    uv_run(loop, UV_RUN_NOWAIT);
}

static void fire(uint32_t count, uint64_t unused)
{
    (void)unused;
    timers_start(count, fire_delay);
    fire_run(one_iteration);
}

static uv_async_t asyncs[HANDLES];

static void on_async(uv_async_t *async)
{
    (void)async;
    receive_one();
    if (received == SIGNALS)
        uv_stop(loop);
}

static void send_async(size_t at)
{
    uv_async_send(&asyncs[at]);
}

static void threads(uint32_t unused, uint64_t unused_too)
{
    (void)unused, (void)unused_too;
    for (size_t at = 0; at < HANDLES; at++)
        must(uv_async_init(loop, &asyncs[at], on_async) == 0, "uv_async_init");
    signals_run(run_loop, send_async);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = {
        { "multishot", chain }, { "timer", timer }, { "fire", fire }, { "threads", threads },
    };
    loop = uv_default_loop();
    return RUN_PART(argc, argv, parts);
}
