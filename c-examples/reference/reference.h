/* What the examples of the reference share.
 *
 * The comment above a function names what it is the example of: the reference shows the function there. Every
 * program is compiled and run by tests/reference.rs, and ends with 0 if what it expects came true. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "awsgi.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program unless the call answered AWSGI_OK. */
#define check(call) check_status((call), #call)

/* Ends the program unless this is so. */
#define expect(condition) \
    do { \
        if (!(condition)) { \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

static inline void check_status(awsgi_status status, const char *call)
{
    char why[512];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "%s: %s: %s\n", call, awsgi_status_name(status), why);
    exit(1);
}

/* Milliseconds, in the unit of all times. */
#define MS UINT64_C(1000000)

/* Turns a reactor in owned mode until a wait of the host's completes. */
static inline awsgi_completion next(awsgi_reactor *reactor)
{
    awsgi_completion done;
    awsgi_turn turn = AWSGI_TURN_INIT;

    turn.done = &done;
    turn.done_cap = 1;
    do
        check(awsgi_reactor_turn(reactor, &turn));
    while (turn.done_n == 0);
    return done;
}

/* Waits for one waitable. */
static inline awsgi_wait wait_for(awsgi_reactor *reactor, awsgi_waitable waitable, uint32_t interest, uint32_t flags)
{
    awsgi_watch set[] = { { .waitable = waitable, .interest = interest } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait;

    spec.set = set;
    spec.count = 1;
    spec.flags = flags;
    check(awsgi_wait_start(reactor, &spec, &wait));
    return wait;
}

/* Ends a reactor, whatever is left in it. */
static inline void end(awsgi_reactor *reactor)
{
    awsgi_completion done[16];
    awsgi_watch_change changes[16];
    awsgi_turn turn = AWSGI_TURN_INIT;

    turn.done = done;
    turn.done_cap = 16;
    turn.changes = changes;
    turn.changes_cap = 16;
    check(awsgi_reactor_close(reactor));
    do
        check(awsgi_reactor_turn(reactor, &turn));
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor));
}

#endif
