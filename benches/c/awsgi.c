/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The same on libawsgi: a reactor of the program's own, which it turns.
 */
#include "bench.h"

#include <awsgi.h>

static awsgi_reactor *reactor;
static awsgi_completion done[1024];
static awsgi_turn turn = AWSGI_TURN_INIT;

static inline void ok(awsgi_status status, const char *what)
{
    if (status != AWSGI_OK)
        fail(what, awsgi_status_name(status));
}

static inline void turn_once(void)
{
    ok(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
}

static inline void start(const awsgi_watch *watch, uint32_t flags, uint64_t user_data)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    spec.set = watch;
    spec.count = 1;
    spec.flags = flags;
    spec.user_data = user_data;
    ok(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
}

/* ---- The chain ------------------------------------------------------------------------------------ */

static inline void start_pair(struct pair *pair, uint32_t flags)
{
    awsgi_watch watch = { pair->handle, AWSGI_READABLE, 0 };
    start(&watch, flags, (uintptr_t)pair);
}

static void chain_watch(uint32_t count, uint32_t flags)
{
    chain_open(count);
    turn.done_cap = 256;
    for (size_t at = 0; at < count; at++) {
        ok(awsgi_waitable_descriptor(reactor, pairs[at].in, 0, &pairs[at].handle), "awsgi_waitable_descriptor");
        start_pair(&pairs[at], flags);
    }
}

static void multishot_loop(void)
{
    while (hops < hops_until) {
        turn_once();
        for (size_t at = 0; at < turn.done_n; at++)
            hop((struct pair *)(uintptr_t)done[at].user_data);
    }
}

static void multishot(uint32_t count, uint64_t hop_count)
{
    chain_watch(count, AWSGI_MULTISHOT);
    chain_run(multishot_loop, hop_count);
}

static void oneshot_loop(void)
{
    while (hops < hops_until) {
        turn_once();
        for (size_t at = 0; at < turn.done_n; at++) {
            struct pair *pair = (struct pair *)(uintptr_t)done[at].user_data;
            hop(pair);
            start_pair(pair, 0);
        }
    }
}

static void oneshot(uint32_t count, uint64_t hop_count)
{
    chain_watch(count, 0);
    chain_run(oneshot_loop, hop_count);
}

/* ---- Timers: sleeps, which are waits for nothing but their deadline -------------------------------- */

static awsgi_wait *sleeps;
static awsgi_wait_spec sleep_spec = AWSGI_WAIT_SPEC_INIT;
static uint64_t sleep_from;

static inline void start_sleep(uint32_t at, uint32_t delay)
{
    sleep_spec.deadline = sleep_from + delay * UINT64_C(1000);
    ok(awsgi_wait_start(reactor, &sleep_spec, &sleeps[at]), "awsgi_wait_start");
}

static void sleeps_start(uint32_t count, uint32_t (*delay)(void))
{
    timer_count = count;
    sleeps = zeroed(count, sizeof *sleeps);
    ok(awsgi_reactor_now(reactor, &sleep_from), "awsgi_reactor_now");
    for (uint32_t at = 0; at < count; at++)
        start_sleep(at, delay());
}

static void timer_loop(void)
{
    while (replaced < replaced_until) {
        for (int count = 0; count < REPLACED_PER_TURN; count++) {
            uint32_t at = timer_random();
            ok(awsgi_wait_forget(sleeps[at]), "awsgi_wait_forget");
            start_sleep(at, timer_delay());
        }
        replaced += REPLACED_PER_TURN;
        turn_once();
        /* The others take the time with each turn, too. */
        ok(awsgi_reactor_now(reactor, &sleep_from), "awsgi_reactor_now");
    }
}

static void timer(uint32_t count, uint64_t operations)
{
    sleeps_start(count, timer_delay);
    turn.deadline = AWSGI_NOW;
    timers_run(timer_loop, operations);
}

static void fire_once(void)
{
    turn_once();
    for (size_t at = 0; at < turn.done_n; at++)
        fired += done[at].outcome == AWSGI_TIMED_OUT;
}

static void fire(uint32_t count, uint64_t unused)
{
    (void)unused;
    sleeps_start(count, fire_delay);
    fire_run(fire_once);
}

/* ---- Events --------------------------------------------------------------------------------------- */

static awsgi_waitable handles[HANDLES];

/* A multishot wait on an event completes once for each time it is notified: it need not be taken. */
static void open_events(size_t count)
{
    for (size_t at = 0; at < count; at++) {
        ok(awsgi_waitable_event(reactor, 0, &handles[at]), "awsgi_waitable_event");
        awsgi_watch watch = { handles[at], AWSGI_READABLE, 0 };
        start(&watch, AWSGI_MULTISHOT, at);
    }
}

static uint64_t batches;

static void owner_loop(void)
{
    for (uint64_t batch = 0; batch < batches; batch++) {
        for (size_t at = 0; at < 64; at++)
            ok(awsgi_notify(handles[at], AWSGI_READABLE), "awsgi_notify");
        turn_once();
        must(turn.done_n == 64, "a batch");
    }
}

static void owner(uint32_t unused, uint64_t events)
{
    (void)unused;
    open_events(64);
    batches = events / 640;
    owner_loop();
    batches = events / 64;
    print_each(measured(owner_loop), batches * 64, 0);
}

static void notify_one(size_t at)
{
    ok(awsgi_notify(handles[at], AWSGI_READABLE), "awsgi_notify");
}

static void threads_loop(void)
{
    while (received < SIGNALS) {
        turn_once();
        for (size_t at = 0; at < turn.done_n; at++)
            receive_one();
    }
}

static void threads(uint32_t unused, uint64_t unused_too)
{
    (void)unused, (void)unused_too;
    open_events(HANDLES);
    signals_run(threads_loop, notify_one);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = {
        { "multishot", multishot }, { "oneshot", oneshot }, { "timer", timer },
        { "fire", fire },           { "owner", owner },     { "threads", threads },
    };
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    ok(awsgi_reactor_new(NULL, &reactor), "awsgi_reactor_new");
    return RUN_PART(argc, argv, parts);
}
