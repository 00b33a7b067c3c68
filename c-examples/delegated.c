/* A host whose loop sleeps on a condition variable, as a game's or a desktop's may: it can watch no
 * descriptor. The wake hook tells it to turn, and it sleeps no longer than the next deadline. Three
 * waits are started: a sleep, an event that another thread notifies, and a pipe, which a thread of
 * the library watches. */
#define _GNU_SOURCE
#include "awsgi.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SLEEP = 1, EVENT, PIPE };                    /* our names for the waits */

static void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "delegated: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

/* The host's loop: its own work would wake it in the same way. */
struct loop {
    pthread_mutex_t mutex;                          /* never held while the library is called */
    pthread_cond_t changed;
    bool woken;
};

/* The wake hook. It may run on any thread, also inside our own calls, and calls nothing of the library. */
static void wake(void *data)
{
    struct loop *loop = data;

    (void)pthread_mutex_lock(&loop->mutex);
    loop->woken = true;
    (void)pthread_cond_signal(&loop->changed);
    (void)pthread_mutex_unlock(&loop->mutex);
}

/* Sleeps until somebody wakes the loop, or until the deadline. */
static void sleep_until(struct loop *loop, uint64_t deadline)
{
    struct timespec at = { .tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000) };
    int status = 0;

    (void)pthread_mutex_lock(&loop->mutex);
    while (!loop->woken && status == 0)
        status = deadline == AWSGI_FOREVER ? pthread_cond_wait(&loop->changed, &loop->mutex)
                                           : pthread_cond_timedwait(&loop->changed, &loop->mutex, &at);
    loop->woken = false;                            /* before the turn: a wake from here on is not lost */
    (void)pthread_mutex_unlock(&loop->mutex);
}

struct work {
    awsgi_waitable event;
    int fd;
};

static void *work(void *data)
{
    struct work *work = data;
    struct timespec time = { .tv_nsec = 50000000 };

    (void)nanosleep(&time, NULL);
    check(awsgi_notify(work->event, AWSGI_READABLE), "awsgi_notify");
    if (write(work->fd, "x", 1) != 1)
        perror("delegated: write");
    return NULL;
}

static void start(awsgi_reactor *reactor, awsgi_waitable waitable, uint64_t user_data)
{
    awsgi_watch set[] = { { .waitable = waitable, .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.set = set;
    spec.count = 1;
    spec.user_data = user_data;
    check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
}

int main(void)
{
    static const char *const names[] = { [SLEEP] = "sleep", [EVENT] = "event", [PIPE] = "pipe" };
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_waitable pipe_end;
    struct work its;
    struct loop loop = { .woken = false };
    pthread_condattr_t clock;
    pthread_t thread;
    int ends[2];

    /* next_deadline is a time of CLOCK_MONOTONIC, so the condition variable is to use it, too. */
    if (pthread_condattr_init(&clock) != 0 || pthread_condattr_setclock(&clock, CLOCK_MONOTONIC) != 0
        || pthread_cond_init(&loop.changed, &clock) != 0 || pthread_mutex_init(&loop.mutex, NULL) != 0
        || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        perror("delegated");
        return 1;
    }
    options.mode = AWSGI_DELEGATED;
    options.wake = wake;
    options.data = &loop;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");

    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
    check(awsgi_reactor_now(reactor, &sleep.deadline), "awsgi_reactor_now");
    sleep.deadline += 100000000;
    sleep.user_data = SLEEP;
    check(awsgi_wait_start(reactor, &sleep, NULL), "awsgi_wait_start");
    check(awsgi_waitable_event(reactor, 0, &its.event), "awsgi_waitable_event");
    start(reactor, its.event, EVENT);
    check(awsgi_waitable_descriptor(reactor, ends[0], 0, &pipe_end), "awsgi_waitable_descriptor");
    start(reactor, pipe_end, PIPE);
    its.fd = ends[1];
    if (pthread_create(&thread, NULL, work, &its) != 0) {
        (void)fprintf(stderr, "delegated: no thread\n");
        return 1;
    }

    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    for (int left = 3;;) {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");    /* never blocks */
        for (size_t i = 0; i < turn.done_n; i++, left--)
            printf("%s: %s\n", names[done[i].user_data],
                   done[i].outcome == AWSGI_TIMED_OUT ? "its time has come"
                   : done[i].outcome == AWSGI_READY ? "ready" : "failed");
        if (left == 0)
            break;
        sleep_until(&loop, turn.next_deadline);     /* where work is left, the hook was called already */
    }
    (void)pthread_join(thread, NULL);

    check(awsgi_waitable_close(pipe_end), "awsgi_waitable_close");
    (void)close(ends[0]);
    (void)close(ends[1]);
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");      /* the hook is not called after this */
    (void)pthread_cond_destroy(&loop.changed);
    (void)pthread_mutex_destroy(&loop.mutex);
    (void)pthread_condattr_destroy(&clock);
    return 0;
}
