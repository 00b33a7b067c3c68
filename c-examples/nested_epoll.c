/* A host with a loop of its own, here bare epoll: it watches one descriptor of the reactor and turns
 * it before each sleep. Two waits are started: a sleep, and an event that another thread notifies. */
#define _GNU_SOURCE
#include "awsgi.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { SLEEP = 1, EVENT = 2 };                      /* our names for the waits */

static void check(awsgi_status status, const char *what)
{
    if (status == AWSGI_OK)
        return;
    (void)fprintf(stderr, "nested_epoll: %s: %s\n", what, awsgi_status_name(status));
    exit(1);
}

/* Another thread may do nothing with a reactor but notify, which is enough. */
static void *work(void *event)
{
    struct timespec time = { .tv_nsec = 50000000 };

    (void)nanosleep(&time, NULL);
    check(awsgi_notify(*(awsgi_waitable *)event, AWSGI_READABLE), "awsgi_notify");
    return NULL;
}

int main(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_os_handle fd;

    options.mode = AWSGI_NESTED;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(reactor, &fd), "awsgi_reactor_fd");

    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = { .events = EPOLLIN };
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &interest) != 0) {
        perror("nested_epoll");
        return 1;
    }

    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;   /* no waitable, only a deadline */
    check(awsgi_reactor_now(reactor, &sleep.deadline), "awsgi_reactor_now");
    sleep.deadline += 100000000;
    sleep.user_data = SLEEP;
    check(awsgi_wait_start(reactor, &sleep, NULL), "awsgi_wait_start");

    awsgi_waitable event;
    check(awsgi_waitable_event(reactor, 0, &event), "awsgi_waitable_event");
    awsgi_watch set[] = { { .waitable = event, .interest = AWSGI_READABLE } };
    awsgi_wait_spec signalled = AWSGI_WAIT_SPEC_INIT;
    signalled.set = set;
    signalled.count = 1;
    signalled.user_data = EVENT;
    check(awsgi_wait_start(reactor, &signalled, NULL), "awsgi_wait_start");

    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &event) != 0) {
        (void)fprintf(stderr, "nested_epoll: no thread\n");
        return 1;
    }

    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    for (int left = 2;;) {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");    /* never blocks */
        for (size_t i = 0; i < turn.done_n; i++, left--)
            printf("%s: %s\n", done[i].user_data == SLEEP ? "sleep" : "event",
                   done[i].outcome == AWSGI_TIMED_OUT ? "its time has come"
                   : done[i].outcome == AWSGI_READY ? "notified" : "failed");
        if (left == 0)
            break;
        /* No timeout: the descriptor becomes readable for deadlines too. */
        struct epoll_event happened;
        if (epoll_wait(loop, &happened, 1, -1) < 0 && errno != EINTR) {
            perror("nested_epoll");
            return 1;
        }
    }
    (void)pthread_join(thread, NULL);

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    (void)close(loop);
    return 0;
}
