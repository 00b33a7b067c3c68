/* The reactor: making it, turning it, ending it. */
#define _POSIX_C_SOURCE 200809L
#include "reference.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

/* awsgi_reactor_new, awsgi_reactor_now, awsgi_reactor_turn: a program without a loop of its own sleeps for 20
 * milliseconds. The turn blocks until there is something to return. */
static void owned(void)
{
    awsgi_reactor *reactor;
    check(awsgi_reactor_new(NULL, &reactor));           /* NULL: owned, and every other default */

    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
    check(awsgi_reactor_now(reactor, &sleep.deadline));
    sleep.deadline += 20 * MS;
    sleep.user_data = 7;
    check(awsgi_wait_start(reactor, &sleep, NULL));

    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;                  /* its deadline is AWSGI_FOREVER */
    turn.done = done;
    turn.done_cap = 16;
    do
        check(awsgi_reactor_turn(reactor, &turn));
    while (turn.done_n == 0);
    expect(done[0].user_data == 7 && done[0].outcome == AWSGI_TIMED_OUT);
    end(reactor);
}

/* awsgi_reactor_fd: a program with a loop of its own, here poll's, watches one descriptor and turns before it
 * sleeps. The turn never blocks. */
static void nested(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_os_handle fd;
    options.mode = AWSGI_NESTED;
    check(awsgi_reactor_new(&options, &reactor));
    check(awsgi_reactor_fd(reactor, &fd));

    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
    check(awsgi_reactor_now(reactor, &sleep.deadline));
    sleep.deadline += 20 * MS;
    check(awsgi_wait_start(reactor, &sleep, NULL));

    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = 16;
    for (;;) {
        check(awsgi_reactor_turn(reactor, &turn));
        if (turn.done_n != 0)
            break;
        struct pollfd watched[] = { { .fd = fd, .events = POLLIN } };     /* and your own */
        expect(poll(watched, 1, -1) >= 0 || errno == EINTR);
    }
    expect(done[0].outcome == AWSGI_TIMED_OUT);
    end(reactor);
}

static void *stop(void *reactor)
{
    check(awsgi_reactor_stop(reactor));
    return NULL;
}

/* awsgi_reactor_stop: any thread ends the loop of the owner. */
static void run_until_stopped(awsgi_reactor *reactor)
{
    pthread_t thread;
    expect(pthread_create(&thread, NULL, stop, reactor) == 0);  /* it calls awsgi_reactor_stop(reactor) */

    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = 16;
    do
        check(awsgi_reactor_turn(reactor, &turn));
    while ((turn.flags & AWSGI_TURN_STOPPED) == 0);
    (void)pthread_join(thread, NULL);
}

/* awsgi_reactor_adopt: another thread becomes the owner, and lets go in its turn. */
static void *worker(void *reactor)
{
    uint64_t now;
    check(awsgi_reactor_adopt(reactor));
    check(awsgi_reactor_now(reactor, &now));            /* what belongs to the owner is allowed here now */
    check(awsgi_reactor_release(reactor));
    return NULL;
}

/* awsgi_reactor_release: hands a reactor over to another thread, and takes it back. */
static void hand_over(awsgi_reactor *reactor)
{
    pthread_t thread;
    check(awsgi_reactor_release(reactor));
    expect(pthread_create(&thread, NULL, worker, reactor) == 0);
    (void)pthread_join(thread, NULL);
    check(awsgi_reactor_adopt(reactor));
}

/* awsgi_reactor_stats: how many waits are open, and how many have completed. */
static void print_stats(awsgi_reactor *reactor)
{
    awsgi_stats stats = AWSGI_STATS_INIT;
    check(awsgi_reactor_stats(reactor, &stats));
    (void)printf("%" PRIu64 " turns, %" PRIu64 " waits completed, %" PRIu64 " open\n", stats.turns, stats.completions,
                 stats.waits);
}

/* awsgi_reactor_close, awsgi_reactor_free: the end takes two steps. What is still open completes as AWSGI_CLOSED. */
static void end_it(awsgi_reactor *reactor)
{
    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = 16;

    check(awsgi_reactor_close(reactor));
    do {
        check(awsgi_reactor_turn(reactor, &turn));
        for (size_t i = 0; i < turn.done_n; i++)
            expect(done[i].outcome == AWSGI_CLOSED);
    } while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor));                 /* the pointer is void from here on */
}

int main(void)
{
    awsgi_reactor *reactor;
    awsgi_waitable event;

    owned();
    nested();
    check(awsgi_reactor_new(NULL, &reactor));
    hand_over(reactor);
    run_until_stopped(reactor);
    check(awsgi_waitable_event(reactor, 0, &event));
    (void)wait_for(reactor, event, AWSGI_READABLE, 0);
    print_stats(reactor);
    end_it(reactor);
    return 0;
}
