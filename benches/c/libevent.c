/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The same on libevent. Its structures are used as they are, without an allocation for each.
 */
#include "bench.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;

static void run_loop(void)
{
    event_base_loop(base, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *pair)
{
    (void)fd, (void)what;
    hop(pair);
    if (hops >= hops_until)
        event_base_loopbreak(base);
}

static void chain(uint32_t count, uint64_t hop_count)
{
    chain_open(count);
    struct event *events = zeroed(count, sizeof *events);
    for (size_t at = 0; at < count; at++) {
        event_assign(&events[at], base, pairs[at].in, EV_READ | EV_PERSIST, on_readable, &pairs[at]);
        must(event_add(&events[at], NULL) == 0, "event_add");
    }
    chain_run(run_loop, hop_count);
}

static struct event *timers;

static void on_timer(evutil_socket_t fd, short what, void *unused)
{
    (void)fd, (void)what, (void)unused;
    fired++;
}

static void start(struct event *timer, uint32_t delay)
{
    struct timeval after = { delay / 1000000, delay % 1000000 };
    event_add(timer, &after);
}

static void timers_start(uint32_t count, uint32_t (*delay)(void))
{
    timer_count = count;
    timers = zeroed(count, sizeof *timers);
    for (size_t at = 0; at < count; at++) {
        evtimer_assign(&timers[at], base, on_timer, NULL);
        start(&timers[at], delay());
    }
}

/* In a callback of the loop, where libevent does not ask the clock for each timer. It makes itself active again, which
 * keeps the loop from blocking. */
static struct event iteration;

static void on_iteration(evutil_socket_t fd, short what, void *unused)
{
    (void)fd, (void)what, (void)unused;
    for (int at = 0; at < REPLACED_PER_TURN; at++) {
        struct event *timer = &timers[timer_random()];
        event_del(timer);
        start(timer, timer_delay());
    }
    replaced += REPLACED_PER_TURN;
    event_active(&iteration, EV_TIMEOUT, 0);
    if (replaced >= replaced_until)
        event_base_loopbreak(base);
}

static void timer(uint32_t count, uint64_t operations)
{
    timers_start(count, timer_delay);
    event_assign(&iteration, base, -1, 0, on_iteration, NULL);
    event_active(&iteration, EV_TIMEOUT, 0);
    timers_run(run_loop, operations);
}

static void one_iteration(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
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
    base = event_base_new();
    must(base != NULL, "event_base_new");
    return RUN_PART(argc, argv, parts);
}
