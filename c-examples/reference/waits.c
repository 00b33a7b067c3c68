/* Waits: wake me when any of these is ready, or at this deadline. */
#define _POSIX_C_SOURCE 200809L
#include "reference.h"

#include <unistd.h>

/* awsgi_wait_start: whichever is first, one of two waitables or the deadline. */
static void first_of_two(awsgi_reactor *reactor, awsgi_waitable one, awsgi_waitable other)
{
    awsgi_watch set[] = {
        { .waitable = one, .interest = AWSGI_READABLE },
        { .waitable = other, .interest = AWSGI_READABLE },
    };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    spec.set = set;
    spec.count = 2;                                     /* at_least = 2 would wait for both */
    check(awsgi_reactor_now(reactor, &spec.deadline));
    spec.deadline += 60000 * MS;
    spec.user_data = 7;
    check(awsgi_wait_start(reactor, &spec, NULL));

    check(awsgi_notify(other, AWSGI_READABLE));
    awsgi_completion done = next(reactor);              /* turns until it completes */
    expect(done.user_data == 7 && done.outcome == AWSGI_READY && done.index == 1);
}

/* awsgi_completion_members: all that were ready, before the next turn. */
static void all_of_two(awsgi_reactor *reactor, awsgi_waitable one, awsgi_waitable other)
{
    awsgi_watch set[] = {
        { .waitable = one, .interest = AWSGI_READABLE },
        { .waitable = other, .interest = AWSGI_READABLE },
    };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    spec.set = set;
    spec.count = spec.at_least = 2;
    check(awsgi_wait_start(reactor, &spec, NULL));
    check(awsgi_notify(one, AWSGI_READABLE));
    check(awsgi_notify(other, AWSGI_READABLE));

    awsgi_completion done = next(reactor);
    awsgi_member members[2];
    size_t count;
    check(awsgi_completion_members(&done, members, 2, &count));
    expect(count == 2 && members[0].waitable == one && members[1].waitable == other);
}

/* awsgi_wait_cancel: the wait still completes, once. */
static void cancel(awsgi_reactor *reactor, awsgi_waitable never)
{
    awsgi_wait wait = wait_for(reactor, never, AWSGI_READABLE, 0);      /* awsgi_wait_start */
    check(awsgi_wait_cancel(wait));
    expect(next(reactor).outcome == AWSGI_CANCELLED);
    expect(awsgi_wait_cancel(wait) == AWSGI_E_STALE);   /* it was delivered: the token is void */
}

/* awsgi_wait_forget: nothing more comes of the wait. */
static void forget(awsgi_reactor *reactor, awsgi_waitable never)
{
    awsgi_wait wait = wait_for(reactor, never, AWSGI_READABLE, 0);      /* awsgi_wait_start */
    check(awsgi_wait_forget(wait));
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.deadline = AWSGI_NOW;
    check(awsgi_reactor_turn(reactor, &turn));
    expect(turn.done_n == 0);
}

/* awsgi_wait_rearm: one wait for all that a pipe brings, of which a part is read each time. */
static void multishot(awsgi_reactor *reactor, int from, int to)
{
    awsgi_waitable waitable;
    char byte;
    check(awsgi_waitable_descriptor(reactor, from, 0, &waitable));
    awsgi_wait wait = wait_for(reactor, waitable, AWSGI_READABLE, AWSGI_MULTISHOT);
    expect(write(to, "abc", 3) == 3);
    for (int i = 0; i < 3; i++) {
        awsgi_completion done = next(reactor);
        expect(done.outcome == AWSGI_READY && (done.flags & AWSGI_MORE) != 0);
        expect(read(from, &byte, 1) == 1);
        check(awsgi_wait_rearm(wait));                  /* the pipe was not drained: look again */
    }
    check(awsgi_waitable_close(waitable));
    expect(next(reactor).outcome == AWSGI_CLOSED);      /* its last completion, without AWSGI_MORE */
}

static void clear(awsgi_waitable event)
{
    uint64_t value;

    check(awsgi_waitable_take(event, &value));
}

int main(void)
{
    awsgi_reactor *reactor;
    awsgi_waitable one, other;
    int ends[2];

    check(awsgi_reactor_new(NULL, &reactor));
    check(awsgi_waitable_event(reactor, 0, &one));
    check(awsgi_waitable_event(reactor, 0, &other));
    first_of_two(reactor, one, other);
    clear(other);
    all_of_two(reactor, one, other);
    clear(one);
    cancel(reactor, one);
    forget(reactor, one);
    expect(pipe(ends) == 0);
    multishot(reactor, ends[0], ends[1]);
    end(reactor);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}
