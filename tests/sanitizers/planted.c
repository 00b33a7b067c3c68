/* What a sanitizer has to find: `planted overflow`, `undefined`, `leak`, `race`. Where one ends well, the sanitizer was not
 * on, and all that passed beside it proves nothing. */
#include "awsgi.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int one = 1;
static int shared;

/* The notify orders them, but each writes before it as well. */
static void *race(void *event)
{
    for (int count = 0; count < 1000; count++)
        shared++;
    (void)awsgi_notify(*(awsgi_waitable *)event, AWSGI_READABLE);
    return NULL;
}

static int run_race(void)
{
    awsgi_reactor *reactor;
    awsgi_waitable event;
    pthread_t threads[2];

    if (awsgi_reactor_new(NULL, &reactor) != AWSGI_OK
        || awsgi_waitable_event(reactor, AWSGI_COUNTER, &event) != AWSGI_OK)
        return 2;
    for (int at = 0; at < 2; at++)
        if (pthread_create(&threads[at], NULL, race, &event) != 0)
            return 2;
    for (int at = 0; at < 2; at++)
        (void)pthread_join(threads[at], NULL);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";

    if (strcmp(what, "overflow") == 0) {
        volatile char *bytes = malloc(8);
        if (bytes != NULL)
            bytes[7 + one] = 1;
        free((void *)bytes);
    } else if (strcmp(what, "undefined") == 0) {
        volatile int most = INT_MAX;
        most += one;
    } else if (strcmp(what, "leak") == 0) {
        volatile char *lost = malloc(100);
        if (lost != NULL)
            lost[0] = 1;
        lost = NULL;
    } else if (strcmp(what, "race") == 0) {
        return run_race();
    } else {
        (void)fprintf(stderr, "usage: planted overflow|undefined|leak|race\n");
        return 2;
    }
    return 0;
}
