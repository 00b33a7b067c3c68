/* Timers and sleeps: their counts, their order, and that they are never early. What asks for no real
 * time lives in that of the test; the rest waits for a few milliseconds. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <poll.h>
#include <pthread.h>

static void wake(void *data)
{
    (void)data;
}

/* A reactor of either mode in which a host may give the clock. */
static awsgi_reactor *clocked(uint32_t mode)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    uint64_t now = 77;

    options.mode = mode;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_GIVES_CLOCK;
    if (mode == AWSGI_DELEGATED)
        options.wake = wake;
    OK(awsgi_reactor_new(&options, &reactor));
    OK(awsgi_reactor_now(reactor, &now));
    CHECK(now == 0);
    return reactor;
}

static awsgi_waitable timer_of(awsgi_reactor *reactor, uint64_t first, uint64_t period)
{
    awsgi_waitable timer;

    OK(awsgi_waitable_timer(reactor, first, period, &timer));
    return timer;
}

/* Turns at this time, checks how many completions come, and answers the next deadline. */
static uint64_t next_after(awsgi_reactor *reactor, uint64_t now, size_t completions)
{
    check_turned t;
    uint64_t told;

    check_turn(reactor, &t, now);
    CHECK(t.turn.done_n == completions && !(t.turn.flags & AWSGI_TURN_MORE));
    for (size_t i = 0; i < t.turn.done_n; i++)
        CHECK(t.done[i].outcome == AWSGI_READY && t.done[i].ready == AWSGI_READABLE);
    OK(awsgi_reactor_now(reactor, &told));
    CHECK(told == now);
    return t.turn.next_deadline;
}

static void one_shot_expires_once(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    awsgi_waitable timer = timer_of(reactor, 100, 0);

    CHECK(next_after(reactor, 50, 0) == AWSGI_FOREVER);
    CHECK(check_take(timer) == 0);
    (void)check_wait(reactor, timer, AWSGI_READABLE, 0);
    CHECK(next_after(reactor, 99, 0) == 100);
    CHECK(next_after(reactor, 100, 1) == AWSGI_FOREVER);
    /* Until it is taken it is ready. */
    for (uint64_t now = 100; now < 1000; now += 300) {
        (void)check_wait(reactor, timer, AWSGI_READABLE, 0);
        CHECK(next_after(reactor, now, 1) == AWSGI_FOREVER);
    }
    CHECK(check_take(timer) == 1);
    CHECK(check_take(timer) == 0);
    (void)check_wait(reactor, timer, AWSGI_READABLE, 0);
    CHECK(next_after(reactor, UINT64_C(1) << 62, 0) == AWSGI_FOREVER);
    check_free(reactor);
}

static void a_timer_of_now_has_expired(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    awsgi_waitable once = timer_of(reactor, AWSGI_NOW, 0);
    awsgi_waitable often = timer_of(reactor, AWSGI_NOW, 10);

    (void)check_wait(reactor, once, AWSGI_READABLE, 0);
    (void)check_wait(reactor, often, AWSGI_READABLE, 0);
    CHECK(next_after(reactor, 0, 2) == AWSGI_FOREVER);
    CHECK(check_take(once) == 1 && check_take(often) == 1);
    (void)check_wait(reactor, often, AWSGI_READABLE, 0);
    CHECK(next_after(reactor, 0, 0) == 10);
    CHECK(next_after(reactor, 10, 1) == AWSGI_FOREVER);
    check_free(reactor);
}

static void a_period_does_not_drift(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    awsgi_waitable timer = timer_of(reactor, 100, 10);
    uint64_t expected = 100;

    /* The host is late by another amount each time. */
    for (uint64_t round = 0; round < 100; round++) {
        uint64_t late = round * 7 % 10;

        (void)check_wait(reactor, timer, AWSGI_READABLE, round);
        CHECK(next_after(reactor, expected - 1, 0) == expected);
        CHECK(next_after(reactor, expected + late, 1) == AWSGI_FOREVER);
        CHECK(check_take(timer) == 1);
        expected += 10;
    }
    check_free(reactor);
}

static void a_stall_brings_one_expiration_and_the_count(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    awsgi_waitable timer = timer_of(reactor, 100, 10);
    awsgi_watch set = check_watch(timer, AWSGI_READABLE);
    awsgi_wait wait = check_start(reactor, &set, 1, 0, AWSGI_MULTISHOT, AWSGI_FOREVER, 0);

    CHECK(next_after(reactor, 100000 + 5, 1) == 100000 + 10);
    CHECK(next_after(reactor, 100000 + 5, 0) == 100000 + 10);
    CHECK(check_take(timer) == (100000 - 100) / 10 + 1);
    CHECK(check_take(timer) == 0);
    CHECK(next_after(reactor, 100000 + 9, 0) == 100000 + 10);
    CHECK(next_after(reactor, 100000 + 10, 1) == 100000 + 20);
    /* What nobody took is kept, and counted together. */
    CHECK(next_after(reactor, 100000 + 20, 1) == 100000 + 30);
    CHECK(check_take(timer) == 2);
    OK(awsgi_wait_forget(wait));
    check_free(reactor);
}

static void nobody_waits_so_nothing_is_due(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    awsgi_waitable timer = timer_of(reactor, 100, 10);
    awsgi_watch set = check_watch(timer, AWSGI_READABLE);
    awsgi_wait waits[2];
    uint64_t events;

    CHECK(next_after(reactor, 0, 0) == AWSGI_FOREVER);
    waits[0] = check_wait(reactor, timer, AWSGI_READABLE, 0);
    CHECK(next_after(reactor, 0, 0) == 100);
    waits[1] = check_start(reactor, &set, 1, 0, AWSGI_MULTISHOT, AWSGI_FOREVER, 0);
    OK(awsgi_wait_forget(waits[0]));
    CHECK(next_after(reactor, 0, 0) == 100);
    OK(awsgi_wait_forget(waits[1]));
    CHECK(next_after(reactor, 0, 0) == AWSGI_FOREVER);
    /* Its expirations wake nobody, and are counted all the same. */
    events = check_stats(reactor).events;
    CHECK(next_after(reactor, 155, 0) == AWSGI_FOREVER);
    CHECK(check_stats(reactor).events == events);
    CHECK(check_take(timer) == 6);
    /* Who does not ask for READABLE does not wait for it to expire. */
    (void)check_wait(reactor, timer, AWSGI_WRITABLE, 0);
    CHECK(next_after(reactor, 155, 0) == AWSGI_FOREVER);
    CHECK(next_after(reactor, 1000, 0) == AWSGI_FOREVER);
    check_free(reactor);
}

static void the_earliest_is_what_is_due(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    awsgi_waitable timers[3] = { timer_of(reactor, 300, 0), timer_of(reactor, 200, 0),
                                 timer_of(reactor, 400, 0) };
    awsgi_wait sleep;
    awsgi_completion done;
    check_turned t;

    for (uint64_t i = 0; i < 3; i++)
        (void)check_wait(reactor, timers[i], AWSGI_READABLE, i);
    sleep = check_start(reactor, NULL, 0, 0, 0, 100, 3);
    CHECK(next_after(reactor, 0, 0) == 100);
    OK(awsgi_wait_forget(sleep));
    CHECK(next_after(reactor, 0, 0) == 200);
    (void)check_start(reactor, NULL, 0, 0, 0, 250, 4);
    OK(awsgi_waitable_close(timers[1]));
    done = check_one(reactor, 0);
    CHECK(done.outcome == AWSGI_CLOSED && done.user_data == 1);
    CHECK(next_after(reactor, 249, 0) == 250);
    /* All that have come by now, in the order in which they were due. */
    check_turn(reactor, &t, 1000);
    CHECK(t.turn.done_n == 3 && t.turn.next_deadline == AWSGI_FOREVER);
    CHECK(t.done[0].user_data == 4 && t.done[0].outcome == AWSGI_TIMED_OUT);
    CHECK(t.done[1].user_data == 0 && t.done[1].outcome == AWSGI_READY);
    CHECK(t.done[2].user_data == 2 && t.done[2].outcome == AWSGI_READY);
    check_free(reactor);
}

static void the_time_of_the_host_does_not_go_back(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    check_turned t;
    uint64_t now;

    (void)check_start(reactor, NULL, 0, 0, 0, 1000, 0);
    CHECK(next_after(reactor, 999, 0) == 1000);
    check_turn(reactor, &t, 10);
    CHECK(t.turn.done_n == 0 && t.turn.next_deadline == 1000);
    OK(awsgi_reactor_now(reactor, &now));
    CHECK(now == 999);
    CHECK(check_one(reactor, 1000).outcome == AWSGI_TIMED_OUT);
    check_free(reactor);
}

static void a_timer_that_never_expires_is_refused(uint32_t mode)
{
    awsgi_reactor *reactor = clocked(mode);
    awsgi_waitable timer = 77;

    ANSWERS(AWSGI_E_INVALID, awsgi_waitable_timer(reactor, AWSGI_FOREVER, 10, &timer));
    CHECK(timer == 0);
    /* The last nanosecond of all is one, and so is a period that leads beyond it. */
    timer = timer_of(reactor, AWSGI_FOREVER - 1, AWSGI_FOREVER);
    (void)check_wait(reactor, timer, AWSGI_READABLE, 0);
    CHECK(next_after(reactor, AWSGI_FOREVER - 2, 0) == AWSGI_FOREVER - 1);
    CHECK(next_after(reactor, AWSGI_FOREVER - 1, 1) == AWSGI_FOREVER);
    CHECK(check_take(timer) == 1);
    (void)check_wait(reactor, timer, AWSGI_READABLE, 0);
    CHECK(next_after(reactor, AWSGI_FOREVER - 1, 0) == AWSGI_FOREVER);
    check_free(reactor);
}

static void sleeps_end_in_order(uint32_t mode)
{
    enum { SLEEPS = 100000, SPAN = 1000000, STEPS = 16 };
    awsgi_reactor *reactor = clocked(mode);
    uint64_t random = 12345, last = 0;
    size_t ended = 0;

    for (size_t i = 0; i < SLEEPS; i++) {
        uint64_t deadline;

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        deadline = 1 + (random >> 33) % SPAN;
        (void)check_start(reactor, NULL, 0, 0, 0, deadline, deadline);
    }
    CHECK(check_stats(reactor).waits == SLEEPS);
    for (uint64_t step = 1; step <= STEPS; step++) {
        uint64_t now = SPAN / STEPS * step;
        awsgi_completion done[256];
        awsgi_turn turn = AWSGI_TURN_INIT;

        turn.now = now;
        turn.done = done;
        turn.done_cap = 256;
        do {
            OK(awsgi_reactor_turn(reactor, &turn));
            for (size_t i = 0; i < turn.done_n; i++) {
                CHECK(done[i].outcome == AWSGI_TIMED_OUT);
                CHECK(done[i].user_data >= last && done[i].user_data <= now);
                last = done[i].user_data;
            }
            ended += turn.done_n;
        } while (turn.flags & AWSGI_TURN_MORE);
        CHECK(turn.next_deadline > now);
        CHECK(check_stats(reactor).waits == SLEEPS - ended);
    }
    CHECK(ended == SLEEPS);
    check_free(reactor);
}

/* ---- in real time --------------------------------------------------------------------------------- */

static const uint64_t delays[] = { 0, 1, 1000, 200000, 999999, 1000000, 1000001, 1700000, 3500000 };
enum { DELAYS = sizeof delays / sizeof delays[0] };

/* Only one that hangs is later than this. */
#define PATIENCE (30000 * MS)

static void owned_mode_is_never_early(void)
{
    awsgi_reactor *reactor = check_reactor();

    for (size_t i = 0; i < 2 * DELAYS; i++) {
        awsgi_completion done;
        uint64_t due, now;
        awsgi_waitable timer = 0;

        OK(awsgi_reactor_now(reactor, &due));
        due += delays[i / 2];
        if (i % 2) {
            timer = timer_of(reactor, due, 0);
            (void)check_wait(reactor, timer, AWSGI_READABLE, i);
        } else {
            (void)check_start(reactor, NULL, 0, 0, 0, due, i);
        }
        done = check_next(reactor);
        OK(awsgi_reactor_now(reactor, &now));
        CHECK(done.user_data == i && now >= due && now < due + PATIENCE);
        CHECK(done.outcome == (i % 2 ? AWSGI_READY : AWSGI_TIMED_OUT));
        if (timer != 0) {
            CHECK(check_take(timer) == 1);
            OK(awsgi_waitable_close(timer));
        }
    }
    check_free(reactor);
}

/* The turn's own deadline is kept as well. */
static void an_owned_turn_blocks_until_its_deadline(void)
{
    awsgi_reactor *reactor = check_reactor();

    for (size_t i = 0; i < DELAYS; i++) {
        awsgi_turn turn = AWSGI_TURN_INIT;
        uint64_t now;

        OK(awsgi_reactor_now(reactor, &turn.deadline));
        turn.deadline += delays[i];
        do {
            /* It may return early, with nothing. */
            OK(awsgi_reactor_turn(reactor, &turn));
            CHECK(turn.done_n == 0 && turn.next_deadline == AWSGI_FOREVER);
            OK(awsgi_reactor_now(reactor, &now));
            CHECK(now < turn.deadline + PATIENCE);
        } while (now < turn.deadline);
    }
    check_free(reactor);
}

/* A host that only watches the descriptor is woken for every deadline. */
static void the_nested_descriptor_tells_of_deadlines(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    struct pollfd watched = { -1, POLLIN, 0 };
    check_turned t;

    options.mode = AWSGI_NESTED;
    OK(awsgi_reactor_new(&options, &reactor));
    OK(awsgi_reactor_fd(reactor, &watched.fd));
    for (size_t i = 0; i < 2 * DELAYS; i++) {
        uint64_t due, now;
        awsgi_waitable timer = 0;

        OK(awsgi_reactor_now(reactor, &due));
        due += delays[i / 2];
        if (i % 2) {
            timer = timer_of(reactor, due, 0);
            (void)check_wait(reactor, timer, AWSGI_READABLE, i);
        } else {
            (void)check_start(reactor, NULL, 0, 0, 0, due, i);
        }
        /* Nobody turns before it sleeps: that the wait began has to wake it, too. */
        do {
            CHECK(poll(&watched, 1, (int)(PATIENCE / MS)) == 1);
            check_turn(reactor, &t, 0);
            OK(awsgi_reactor_now(reactor, &now));
        } while (t.turn.done_n == 0);
        CHECK(t.turn.done_n == 1 && t.done[0].user_data == i && now >= due);
        CHECK(t.turn.next_deadline == AWSGI_FOREVER);
        if (timer != 0)
            OK(awsgi_waitable_close(timer));
    }
    /* And sleeps when there is none. */
    for (int i = 0; i < 3 && poll(&watched, 1, 0) == 1; i++)
        check_none(reactor, 0);
    CHECK(poll(&watched, 1, 0) == 0);
    check_free(reactor);
}

static void *notify_it(void *event)
{
    OK(awsgi_notify(*(awsgi_waitable *)event, AWSGI_READABLE));
    return NULL;
}

/* A deadline of centuries is neither now nor refused, and what comes before it wakes. */
static void a_distant_deadline_is_waited_for(uint32_t mode)
{
    static const uint64_t far[] = { UINT64_C(1) << 53, UINT64_C(1) << 62, UINT64_C(1) << 63,
                                    AWSGI_FOREVER - 1 };

    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
        awsgi_reactor *reactor;
        awsgi_waitable event;
        pthread_t thread;
        check_turned t;

        options.mode = mode;
        OK(awsgi_reactor_new(&options, &reactor));
        OK(awsgi_waitable_event(reactor, 0, &event));
        (void)check_start(reactor, NULL, 0, 0, 0, far[i], 1);
        (void)check_wait(reactor, timer_of(reactor, far[i], far[i]), AWSGI_READABLE, 2);
        check_turn(reactor, &t, 0);
        CHECK(t.turn.done_n == 0 && t.turn.next_deadline == far[i]);
        (void)check_wait(reactor, event, AWSGI_READABLE, 3);
        CHECK(pthread_create(&thread, NULL, notify_it, &event) == 0);
        if (mode == AWSGI_OWNED) {
            awsgi_turn turn = AWSGI_TURN_INIT;

            turn.done = t.done;
            turn.done_cap = 1;
            do
                OK(awsgi_reactor_turn(reactor, &turn));
            while (turn.done_n == 0);
            CHECK(turn.next_deadline == far[i]);
        } else {
            struct pollfd watched = { -1, POLLIN, 0 };

            OK(awsgi_reactor_fd(reactor, &watched.fd));
            do {
                CHECK(poll(&watched, 1, (int)(PATIENCE / MS)) == 1);
                check_turn(reactor, &t, 0);
            } while (t.turn.done_n == 0);
            for (int j = 0; j < 3 && poll(&watched, 1, 0) == 1; j++)
                check_none(reactor, 0);
            CHECK(poll(&watched, 1, 0) == 0);
        }
        CHECK(t.done[0].user_data == 3);
        CHECK(pthread_join(thread, NULL) == 0);
        check_free(reactor);
    }
}

int main(void)
{
    for (uint32_t mode = AWSGI_NESTED; mode <= AWSGI_DELEGATED; mode++) {
        one_shot_expires_once(mode);
        a_timer_of_now_has_expired(mode);
        a_period_does_not_drift(mode);
        a_stall_brings_one_expiration_and_the_count(mode);
        nobody_waits_so_nothing_is_due(mode);
        the_earliest_is_what_is_due(mode);
        the_time_of_the_host_does_not_go_back(mode);
        a_timer_that_never_expires_is_refused(mode);
    }
    sleeps_end_in_order(AWSGI_NESTED);
    owned_mode_is_never_early();
    an_owned_turn_blocks_until_its_deadline();
    the_nested_descriptor_tells_of_deadlines();
    a_distant_deadline_is_waited_for(AWSGI_OWNED);
    a_distant_deadline_is_waited_for(AWSGI_NESTED);
    return 0;
}
