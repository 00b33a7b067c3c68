/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The same on libev.
 */
#include "bench.h"

/* The macros that initialise a watcher break the rules of aliasing that the compiler checks here. */
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#include <ev.h>

static struct ev_loop *loop;

static void run_loop(void)
{
    ev_run(loop, 0);
}

static void on_readable(struct ev_loop *unused, ev_io *io, int events)
{
    (void)unused, (void)events;
    hop(io->data);
    if (hops >= hops_until)
        ev_break(loop, EVBREAK_ALL);
}

static void chain(uint32_t count, uint64_t hop_count)
{
    chain_open(count);
    ev_io *ios = zeroed(count, sizeof *ios);
    for (size_t at = 0; at < count; at++) {
        ev_io_init(&ios[at], on_readable, pairs[at].in, EV_READ);
        ios[at].data = &pairs[at];
        ev_io_start(loop, &ios[at]);
    }
    chain_run(run_loop, hop_count);
}

static ev_timer *timers;

static void on_timer(struct ev_loop *unused, ev_timer *timer, int events)
{
    (void)unused, (void)timer, (void)events;
    fired++;
}

static void start(ev_timer *timer, uint32_t delay)
{
    ev_timer_set(timer, delay * 1e-6, 0.);
    ev_timer_start(loop, timer);
}

static void timers_start(uint32_t count, uint32_t (*delay)(void))
{
    timer_count = count;
    timers = zeroed(count, sizeof *timers);
    for (size_t at = 0; at < count; at++) {
        ev_init(&timers[at], on_timer);
        start(&timers[at], delay());
    }
}

/* A watcher that is called in each iteration, and keeps it from blocking. */
static void on_iteration(struct ev_loop *unused, ev_idle *idle, int events)
{
    (void)unused, (void)idle, (void)events;
    for (int at = 0; at < REPLACED_PER_TURN; at++) {
        ev_timer *timer = &timers[timer_random()];
        ev_timer_stop(loop, timer);
        start(timer, timer_delay());
    }
    replaced += REPLACED_PER_TURN;
    if (replaced >= replaced_until)
        ev_break(loop, EVBREAK_ALL);
}

static void timer(uint32_t count, uint64_t operations)
{
    timers_start(count, timer_delay);
    ev_idle idle;
    ev_idle_init(&idle, on_iteration);
    ev_idle_start(loop, &idle);
    timers_run(run_loop, operations);
}

static void one_iteration(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

static void fire(uint32_t count, uint64_t unused)
{
    (void)unused;
    timers_start(count, fire_delay);
    fire_run(one_iteration);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = { { "multishot", chain }, { "timer", timer }, { "fire", fire } };
    loop = ev_loop_new(EVBACKEND_EPOLL);
    must(loop != NULL, "ev_loop_new");
    return RUN_PART(argc, argv, parts);
}
