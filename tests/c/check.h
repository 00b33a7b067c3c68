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
    awsgi_turn turn = AWSGI_TURN_INIT;

    turn.done = done;
    turn.done_cap = 16;
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

#endif
