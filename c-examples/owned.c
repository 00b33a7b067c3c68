/* A program without a loop of its own: the turn is its loop, and blocks until something happened. Two
 * waits are started, a sleep and one for standard input; another thread ends the loop. */
#define _POSIX_C_SOURCE 200809L
#include "awsgi.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SLEEP = 1, INPUT = 2 };                      /* our names for the waits */

static void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "owned: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

/* Stopping is for any thread, as notifying is. */
static void *stop(void *reactor)
{
    struct timespec time = { .tv_nsec = 100000000 };

    (void)nanosleep(&time, NULL);
    check(awsgi_reactor_stop(reactor), "awsgi_reactor_stop");
    return NULL;
}

int main(void)
{
    awsgi_reactor *reactor;
    awsgi_waitable input;
    pthread_t thread;

    check(awsgi_reactor_new(NULL, &reactor), "awsgi_reactor_new");      /* NULL: owned, and defaults */

    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
    check(awsgi_reactor_now(reactor, &sleep.deadline), "awsgi_reactor_now");
    sleep.deadline += 50000000;
    sleep.user_data = SLEEP;
    check(awsgi_wait_start(reactor, &sleep, NULL), "awsgi_wait_start");

    check(awsgi_waitable_descriptor(reactor, STDIN_FILENO, 0, &input), "awsgi_waitable_descriptor");
    awsgi_watch set[] = { { .waitable = input, .interest = AWSGI_READABLE } };
    awsgi_wait_spec readable = AWSGI_WAIT_SPEC_INIT;
    readable.set = set;
    readable.count = 1;
    readable.user_data = INPUT;
    check(awsgi_wait_start(reactor, &readable, NULL), "awsgi_wait_start");

    if (pthread_create(&thread, NULL, stop, reactor) != 0) {
        (void)fprintf(stderr, "owned: no thread\n");
        return 1;
    }

    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;                  /* its deadline is AWSGI_FOREVER */
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    do {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        for (size_t i = 0; i < turn.done_n; i++)
            printf("%s: %s\n", done[i].user_data == SLEEP ? "sleep" : "input",
                   done[i].outcome == AWSGI_TIMED_OUT ? "its time has come"
                   : done[i].outcome == AWSGI_READY ? "ready" : "failed");
    } while ((turn.flags & AWSGI_TURN_STOPPED) == 0);
    (void)pthread_join(thread, NULL);

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    return 0;
}
