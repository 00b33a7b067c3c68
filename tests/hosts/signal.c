/* A program for hosts that have a signal: a thread raises it, and nothing that it raises is lost. */
#define _POSIX_C_SOURCE 200809L
#include "program.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { ROUNDS = 500 };

static awsgi_reactor *reactor;
static awsgi_waitable waitable;
static pthread_t thread;
static sem_t seen;                                  /* posted for each completion */
static atomic_bool over;
static bool ended;

static void fail(const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", host.name, why);
    exit(1);
}

static void wait_for_it(void)
{
    awsgi_watch set[] = { { .waitable = waitable, .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.set = set;
    spec.count = 1;
    check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
}

static void *raise_and_wait(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        host.signal->raise();
        while (sem_wait(&seen) != 0)
            continue;
    }
    atomic_store(&over, true);
    host.signal->raise();
    return unused;
}

int program_start(awsgi_reactor *made, int argc, char **argv)
{
    awsgi_waitable again;

    (void)argc;
    (void)argv;
    reactor = made;
    if (host.signal == NULL)
        fail("it has no signal");
    if (sem_init(&seen, 0, 0) != 0)
        fail("no semaphore");
    check(host.signal->waitable(&waitable), "signal->waitable");
    check(host.signal->waitable(&again), "signal->waitable");
    if (waitable != again)
        fail("another waitable");
    host.signal->raise();                           /* before anybody waits */
    wait_for_it();
    return -1;
}

void program_listening(uint16_t port)
{
    (void)port;
}

void program_accepted(struct stream *stream)
{
    stream->calls->close(stream);
}

bool program_readable(void)
{
    return true;
}

bool program_turned(awsgi_turn *turn)
{
    static int completions;

    for (size_t i = 0; i < turn->done_n && !ended; i++) {
        if (turn->done[i].outcome != AWSGI_READY || turn->done[i].ready != AWSGI_READABLE)
            fail("not ready");
        ended = atomic_load(&over);                 /* before the post, or its last raise may be to come */
        if (completions++ > 0)
            (void)sem_post(&seen);
        else if (pthread_create(&thread, NULL, raise_and_wait, NULL) != 0)
            fail("no thread");
        if (!ended)
            wait_for_it();
    }
    return !ended;
}

int program_ended(void)
{
    (void)pthread_join(thread, NULL);
    (void)sem_destroy(&seen);
    return 0;
}
