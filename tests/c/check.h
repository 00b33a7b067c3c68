/* What the C tests share: a check that says where it failed. */
#ifndef CHECK_H
#define CHECK_H

#include "awsgi.h"

#include <stdio.h>
#include <stdlib.h>

/* Ends the program unless it holds. */
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

/* Ends the program unless the call answers this status. */
#define ANSWERS(wanted, call) check_status((wanted), (call), __FILE__, __LINE__, #call)
#define OK(call) ANSWERS(AWSGI_OK, call)

static inline void check_status(awsgi_status wanted, awsgi_status got, const char *file, int line,
                                const char *call)
{
    char text[512] = "";

    if (got == wanted)
        return;
    (void)awsgi_last_error(text, sizeof text, NULL, NULL);
    (void)fprintf(stderr, "%s:%d: %s answers %s, not %s (%s)\n", file, line, call,
                  awsgi_status_name(got), awsgi_status_name(wanted), text);
    exit(1);
}

#define MS UINT64_C(1000000)

/* A reactor with its own loop. */
static inline awsgi_reactor *check_reactor(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;

    options.mode = AWSGI_OWNED;
    OK(awsgi_reactor_new(&options, &reactor));
    return reactor;
}

/* Closes it, turns until it says so, frees it. */
static inline void check_free(awsgi_reactor *reactor)
{
    awsgi_completion done[16];
    awsgi_watch_change changes[16];
    awsgi_turn turn = AWSGI_TURN_INIT;

    turn.done = done;
    turn.done_cap = 16;
    turn.changes = changes;
    turn.changes_cap = 16;
    turn.deadline = AWSGI_NOW;
    OK(awsgi_reactor_close(reactor));
    do
        OK(awsgi_reactor_turn(reactor, &turn));
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    OK(awsgi_reactor_free(reactor));
}

/* Turns until one completion comes, at most ten seconds. */
static inline awsgi_completion check_next(awsgi_reactor *reactor)
{
    awsgi_completion done;
    awsgi_turn turn = AWSGI_TURN_INIT;
    uint64_t now;

    OK(awsgi_reactor_now(reactor, &now));
    turn.done = &done;
    turn.done_cap = 1;
    turn.deadline = now + 10000 * MS;
    do {
        OK(awsgi_reactor_turn(reactor, &turn));
        OK(awsgi_reactor_now(reactor, &now));
        CHECK(turn.done_n == 1 || now < turn.deadline);
    } while (turn.done_n == 0);
    return done;
}

/* Turns without blocking, and checks that nothing completes. */
static inline void check_nothing(awsgi_reactor *reactor)
{
    awsgi_completion done;
    awsgi_turn turn = AWSGI_TURN_INIT;

    turn.done = &done;
    turn.done_cap = 1;
    turn.deadline = AWSGI_NOW;
    OK(awsgi_reactor_turn(reactor, &turn));
    CHECK(turn.done_n == 0);
}

/* Starts a wait for one waitable. */
static inline awsgi_wait check_wait(awsgi_reactor *reactor, awsgi_waitable waitable,
                                    uint32_t interest, uint64_t user_data)
{
    awsgi_watch set = { 0, 0, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait;

    set.waitable = waitable;
    set.interest = interest;
    spec.set = &set;
    spec.count = 1;
    spec.user_data = user_data;
    OK(awsgi_wait_start(reactor, &spec, &wait));
    CHECK(wait != 0);
    return wait;
}

/* Starts a wait of any kind. */
static inline awsgi_wait check_start(awsgi_reactor *reactor, const awsgi_watch *set, size_t count,
                                     uint32_t at_least, uint32_t flags, uint64_t deadline,
                                     uint64_t user_data)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait;

    spec.set = set;
    spec.count = count;
    spec.at_least = at_least;
    spec.flags = flags;
    spec.deadline = deadline;
    spec.user_data = user_data;
    OK(awsgi_wait_start(reactor, &spec, &wait));
    CHECK(wait != 0);
    return wait;
}

static inline awsgi_watch check_watch(awsgi_waitable waitable, uint32_t interest)
{
    awsgi_watch watch = { 0, 0, 0 };

    watch.waitable = waitable;
    watch.interest = interest;
    return watch;
}

/* A nested reactor whose time is what the test says it is. */
static inline awsgi_reactor *check_clocked(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;

    options.mode = AWSGI_NESTED;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_GIVES_CLOCK;
    OK(awsgi_reactor_new(&options, &reactor));
    return reactor;
}

/* A turn, and what it brought. */
typedef struct {
    awsgi_turn turn;
    awsgi_completion done[16];
    awsgi_watch_change changes[16];
} check_turned;

/* One turn that does not block, with room for this many completions and watch changes; `now` is the
 * time where the host gives the clock. */
static inline void check_turn_with(awsgi_reactor *reactor, check_turned *t, uint64_t now,
                                   size_t done_cap, size_t changes_cap)
{
    awsgi_turn turn = AWSGI_TURN_INIT;

    CHECK(done_cap <= 16 && changes_cap <= 16);
    turn.deadline = AWSGI_NOW;
    turn.now = now;
    turn.done = t->done;
    turn.done_cap = done_cap;
    turn.changes = t->changes;
    turn.changes_cap = changes_cap;
    OK(awsgi_reactor_turn(reactor, &turn));
    CHECK(turn.done_n <= done_cap && turn.changes_n <= changes_cap);
    t->turn = turn;
}

static inline void check_turn(awsgi_reactor *reactor, check_turned *t, uint64_t now)
{
    check_turn_with(reactor, t, now, 16, 16);
}

/* One turn at this time, which must bring just one completion. */
static inline awsgi_completion check_one(awsgi_reactor *reactor, uint64_t now)
{
    check_turned t;

    check_turn(reactor, &t, now);
    CHECK(t.turn.done_n == 1);
    return t.done[0];
}

/* One turn at this time, which must bring none. */
static inline void check_none(awsgi_reactor *reactor, uint64_t now)
{
    check_turned t;

    check_turn(reactor, &t, now);
    CHECK(t.turn.done_n == 0);
}

static inline uint64_t check_take(awsgi_waitable waitable)
{
    uint64_t value = 77;

    OK(awsgi_waitable_take(waitable, &value));
    return value;
}

static inline awsgi_stats check_stats(awsgi_reactor *reactor)
{
    awsgi_stats stats = AWSGI_STATS_INIT;

    OK(awsgi_reactor_stats(reactor, &stats));
    return stats;
}

#endif
