/* A wait for all of three: a pipe, an event and a timer. Its completion says how many are ready and
 * which is the first; awsgi_completion_members says all of them. */
#define _GNU_SOURCE
#include "awsgi.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE, EVENT, TIMER, ALL };                   /* positions in the set */

static void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "sets: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

/* Starts a wait for so many of the three, and turns until it completes. */
static void wait_for(awsgi_reactor *reactor, const awsgi_watch *set, uint32_t at_least, uint64_t deadline)
{
    static const char *const names[ALL] = { "pipe", "event", "timer" };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_completion done;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_member members[ALL];
    size_t count;

    spec.set = set;
    spec.count = ALL;
    spec.at_least = at_least;
    spec.deadline = deadline;
    check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
    turn.done = &done;
    turn.done_cap = 1;
    do
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while (turn.done_n == 0);

    /* The members can be asked for until the next turn. */
    check(awsgi_completion_members(&done, members, ALL, &count), "awsgi_completion_members");
    printf("%s, %d of %d ready:", done.outcome == AWSGI_READY ? "ready" : "timed out", done.members, ALL);
    for (size_t i = 0; i < count; i++)
        printf(" %s", names[members[i].index]);
    printf("\n");
}

int main(void)
{
    awsgi_reactor *reactor;
    awsgi_watch set[ALL];
    uint64_t now;
    int ends[2];

    check(awsgi_reactor_new(NULL, &reactor), "awsgi_reactor_new");
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        perror("sets: pipe2");
        return 1;
    }
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    for (int i = 0; i < ALL; i++)
        set[i] = (awsgi_watch){ .interest = AWSGI_READABLE };
    check(awsgi_waitable_descriptor(reactor, ends[0], 0, &set[PIPE].waitable), "awsgi_waitable_descriptor");
    check(awsgi_waitable_event(reactor, 0, &set[EVENT].waitable), "awsgi_waitable_event");
    check(awsgi_waitable_timer(reactor, now + 200000000, 0, &set[TIMER].waitable), "awsgi_waitable_timer");

    /* All of them, but only if they are so now. A wait that timed out says what was ready. */
    check(awsgi_notify(set[EVENT].waitable, AWSGI_READABLE), "awsgi_notify");
    wait_for(reactor, set, ALL, AWSGI_NOW);

    if (write(ends[1], "x", 1) != 1) {
        perror("sets: write");
        return 1;
    }
    wait_for(reactor, set, 1, AWSGI_FOREVER);       /* any */
    wait_for(reactor, set, ALL, AWSGI_FOREVER);     /* all: when the timer has expired, too */

    for (int i = 0; i < ALL; i++)
        check(awsgi_waitable_close(set[i].waitable), "awsgi_waitable_close");
    (void)close(ends[0]);
    (void)close(ends[1]);
    awsgi_turn turn = AWSGI_TURN_INIT;
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do                                              /* no wait is left, so no array is needed */
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    return 0;
}
