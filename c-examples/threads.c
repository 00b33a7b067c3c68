/* Other threads reach a reactor by awsgi_notify: here they count on a counter, and the last of them
 * sets an event. Notifies that come faster than the owner turns are merged, and none is lost. */
#define _POSIX_C_SOURCE 200809L
#include "awsgi.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNTER = 1, EVENT = 2 };                    /* our names for the waits */
enum { THREADS = 4, NOTIFIES = 10000 };

static void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "threads: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

struct shared {
    awsgi_waitable counter, event;                  /* numbers: nothing to lock, nothing to free */
    atomic_int left;
};

static void *work(void *data)
{
    struct shared *shared = data;

    for (int i = 0; i < NOTIFIES; i++) {
        awsgi_status status;
        /* A counter that is notified 33 million times between two turns is full: let it be taken. */
        while ((status = awsgi_notify(shared->counter, AWSGI_READABLE)) == AWSGI_E_LIMIT)
            (void)sched_yield();
        if (status == AWSGI_E_STALE)
            return NULL;                            /* the counter was closed: nobody wants to know */
        check(status, "awsgi_notify");
    }
    if (atomic_fetch_sub(&shared->left, 1) == 1)
        check(awsgi_notify(shared->event, AWSGI_READABLE), "awsgi_notify");
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
    awsgi_reactor *reactor;
    struct shared shared;
    pthread_t threads[THREADS];
    uint64_t sum = 0, value;

    check(awsgi_reactor_new(NULL, &reactor), "awsgi_reactor_new");
    check(awsgi_waitable_event(reactor, AWSGI_COUNTER, &shared.counter), "awsgi_waitable_event");
    check(awsgi_waitable_event(reactor, 0, &shared.event), "awsgi_waitable_event");
    atomic_init(&shared.left, THREADS);
    start(reactor, shared.counter, COUNTER);
    start(reactor, shared.event, EVENT);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, &shared) != 0) {
            (void)fprintf(stderr, "threads: no thread\n");
            return 1;
        }

    awsgi_completion done[4];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    for (int finished = 0; !finished;) {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        for (size_t i = 0; i < turn.done_n; i++) {
            if (done[i].user_data == EVENT) {
                finished = 1;
                continue;
            }
            /* Take first, then wait again: what is notified in between completes the new wait. */
            check(awsgi_waitable_take(shared.counter, &value), "awsgi_waitable_take");
            sum += value;
            start(reactor, shared.counter, COUNTER);
        }
    }
    check(awsgi_waitable_take(shared.counter, &value), "awsgi_waitable_take");
    sum += value;                                   /* what came after the last completion */
    check(awsgi_waitable_take(shared.event, &value), "awsgi_waitable_take");
    printf("counted: %" PRIu64 ", event: %" PRIu64 "\n", sum, value);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);

    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    /* Tokens may be used after it, on any thread: that is told, and nothing else happens. */
    printf("afterwards: %s\n", awsgi_status_name(awsgi_notify(shared.event, AWSGI_READABLE)));
    return 0;
}
