/* A periodic timer, and its count: after a delay nothing is lost, and nothing is made up for. */
#define _POSIX_C_SOURCE 200809L
#include "awsgi.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const uint64_t PERIOD = 20000000;            /* nanoseconds */

static void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "timers: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

int main(void)
{
    awsgi_reactor *reactor;
    awsgi_waitable timer;
    awsgi_wait wait;
    uint64_t now;

    check(awsgi_reactor_new(NULL, &reactor), "awsgi_reactor_new");

    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    check(awsgi_waitable_timer(reactor, now + PERIOD, PERIOD, &timer), "awsgi_waitable_timer");
    awsgi_watch set[] = { { .waitable = timer, .interest = AWSGI_READABLE } };
    awsgi_wait_spec ticks = AWSGI_WAIT_SPEC_INIT;
    ticks.set = set;
    ticks.count = 1;
    ticks.flags = AWSGI_MULTISHOT;                  /* one wait for all ticks */
    check(awsgi_wait_start(reactor, &ticks, &wait), "awsgi_wait_start");

    awsgi_completion done[4];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    for (int tick = 1; tick <= 5;) {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");    /* sleeps until a tick */
        uint64_t expired;
        if (turn.done_n == 0)                       /* it may return early */
            continue;
        check(awsgi_waitable_take(timer, &expired), "awsgi_waitable_take");
        if (expired == 0)                           /* the last take has counted this one already */
            continue;
        printf("tick %d: expired %" PRIu64 "\n", tick, expired);
        if (tick == 2) {
            struct timespec busy = { .tv_nsec = 3 * (long)PERIOD + 1000000 };
            (void)nanosleep(&busy, NULL);           /* three periods pass: one tick, which counts them */
        }
        tick++;
    }

    /* A wait that is cancelled still completes, once: here it is the last completion of this one. */
    check(awsgi_wait_cancel(wait), "awsgi_wait_cancel");
    int more = 1;
    while (more) {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        if (turn.done_n > 0)
            more = done[turn.done_n - 1].flags & AWSGI_MORE;
    }
    printf("no more ticks\n");

    check(awsgi_waitable_close(timer), "awsgi_waitable_close");
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    return 0;
}
