/* A host that keeps the rules, on a thread of its own, beside one that does not: whatever the other
 * does, what waits here completes, once, and with what was so. */
#ifndef GOOD_HOST_H
#define GOOD_HOST_H

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum good_wait { GOOD_EVENT = 1, GOOD_PIPE, GOOD_OBJECT, GOOD_SLEEP, GOOD_END, GOOD_WAITS };

typedef struct {
    uint32_t mode;                                  /* AWSGI_NESTED or AWSGI_DELEGATED */
    awsgi_reactor *reactor;
    pthread_t thread;
    sem_t begun, woken;
    awsgi_waitable waitable[GOOD_WAITS];
    int ends[2];
    sem_t done[GOOD_WAITS];                         /* posted for each completion */
    atomic_int object;                              /* reports that are due */
    uint64_t until;                                 /* its sleep's deadline */
    uint64_t completions;
} good_host;

/* Waits for what must come; only one that is lost takes so long. */
static inline void good_await(sem_t *semaphore)
{
    struct timespec until;

    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_sec += 60;
    while (sem_timedwait(semaphore, &until) != 0)
        CHECK(errno == EINTR);
}

static inline void good_wake(void *data)
{
    good_host *g = data;

    CHECK(sem_post(&g->woken) == 0);
}

/* Sleeps until the library tells it to turn, or the deadline. */
static inline void good_sleep(good_host *g, uint64_t deadline)
{
    struct timespec until;
    struct pollfd entry = { -1, POLLIN, 0 };
    uint64_t now;

    if (g->mode == AWSGI_NESTED) {
        OK(awsgi_reactor_fd(g->reactor, &entry.fd));
        while (poll(&entry, 1, 60000) < 0)
            CHECK(errno == EINTR);
        return;
    }
    OK(awsgi_reactor_now(g->reactor, &now));
    deadline = deadline < now ? 0 : deadline - now < 60000 * MS ? deadline - now : 60000 * MS;
    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    deadline += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(deadline / 1000000000);
    until.tv_nsec = (long)(deadline % 1000000000);
    if (sem_timedwait(&g->woken, &until) != 0)
        CHECK(errno == EINTR || errno == ETIMEDOUT);
}

static inline void good_start(good_host *g, uint64_t which)
{
    uint64_t now;

    if (which != GOOD_SLEEP) {
        (void)check_wait(g->reactor, g->waitable[which], AWSGI_READABLE, which);
        return;
    }
    OK(awsgi_reactor_now(g->reactor, &now));
    g->until = now + 2 * MS;
    (void)check_start(g->reactor, NULL, 0, 0, 0, g->until, GOOD_SLEEP);
}

static inline void good_completed(good_host *g, const awsgi_completion *done)
{
    uint64_t now;
    char byte;

    CHECK(done->user_data > 0 && done->user_data < GOOD_WAITS);
    g->completions++;
    if (done->user_data == GOOD_SLEEP) {
        OK(awsgi_reactor_now(g->reactor, &now));
        CHECK(done->outcome == AWSGI_TIMED_OUT && now >= g->until);
    } else {
        CHECK(done->outcome == AWSGI_READY && done->ready == AWSGI_READABLE);
        if (done->user_data == GOOD_PIPE)
            CHECK(read(g->ends[0], &byte, 1) == 1);
        else if (done->user_data != GOOD_OBJECT)
            CHECK(check_take(g->waitable[done->user_data]) == 1);
    }
    if (done->user_data != GOOD_END)
        good_start(g, done->user_data);
    CHECK(sem_post(&g->done[done->user_data]) == 0);
}

static inline void *good_run(void *data)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    good_host *g = data;
    int watched = 0, ended = 0;
    awsgi_stats stats;

    options.mode = g->mode;
    if (g->mode == AWSGI_DELEGATED)
        options.wake = good_wake;
    options.data = g;
    OK(awsgi_reactor_new(&options, &g->reactor));
    CHECK(pipe(g->ends) == 0 && fcntl(g->ends[0], F_SETFL, O_NONBLOCK) == 0);
    OK(awsgi_waitable_event(g->reactor, 0, &g->waitable[GOOD_EVENT]));
    OK(awsgi_waitable_event(g->reactor, 0, &g->waitable[GOOD_END]));
    OK(awsgi_waitable_descriptor(g->reactor, g->ends[0], 0, &g->waitable[GOOD_PIPE]));
    OK(awsgi_waitable_foreign(g->reactor, 7, AWSGI_ONCE, &g->waitable[GOOD_OBJECT]));
    for (uint64_t which = 1; which < GOOD_WAITS; which++)
        good_start(g, which);
    CHECK(sem_post(&g->begun) == 0);
    while (!ended) {
        check_turned t;

        check_turn(g->reactor, &t, 0);
        for (size_t i = 0; i < t.turn.changes_n; i++) {
            CHECK(t.changes[i].handle == 7 && t.changes[i].waitable == g->waitable[GOOD_OBJECT]);
            watched = t.changes[i].interest != 0;
        }
        for (size_t i = 0; i < t.turn.done_n; i++) {
            good_completed(g, &t.done[i]);
            ended = ended || t.done[i].user_data == GOOD_END;
        }
        if (watched && atomic_load(&g->object) > 0) {
            (void)atomic_fetch_sub(&g->object, 1);
            watched = 0;
            OK(awsgi_notify(g->waitable[GOOD_OBJECT], AWSGI_READABLE));
        }
        if (!ended)
            good_sleep(g, t.turn.next_deadline);
    }
    stats = check_stats(g->reactor);
    CHECK(stats.completions == g->completions && stats.waits == GOOD_WAITS - 2);
    CHECK(stats.spurious == 0 && stats.stale == 0 && stats.ghosts == 0);
    check_free(g->reactor);
    (void)close(g->ends[0]);
    (void)close(g->ends[1]);
    return NULL;
}

static inline void good_begin(good_host *g, uint32_t mode)
{
    memset(g, 0, sizeof *g);
    g->mode = mode;
    atomic_init(&g->object, 0);
    CHECK(sem_init(&g->begun, 0, 0) == 0 && sem_init(&g->woken, 0, 0) == 0);
    for (int i = 0; i < GOOD_WAITS; i++)
        CHECK(sem_init(&g->done[i], 0, 0) == 0);
    CHECK(pthread_create(&g->thread, NULL, good_run, g) == 0);
    good_await(&g->begun);
}

/* Makes one thing ready, and waits until it was seen. */
static inline void good_completes(good_host *g, enum good_wait which)
{
    if (which == GOOD_PIPE) {
        CHECK(write(g->ends[1], "x", 1) == 1);
    } else if (which == GOOD_OBJECT) {
        /* Its loop has to look: the event, which it takes for nothing else, tells it so. */
        (void)atomic_fetch_add(&g->object, 1);
        good_completes(g, GOOD_EVENT);
    } else if (which == GOOD_SLEEP) {
        while (sem_trywait(&g->done[GOOD_SLEEP]) == 0)
            continue;
    } else {
        OK(awsgi_notify(g->waitable[which], AWSGI_READABLE));
    }
    good_await(&g->done[which]);
}

/* Everything that it waits for comes, now. */
static inline void good_works(good_host *g)
{
    good_completes(g, GOOD_EVENT);
    good_completes(g, GOOD_PIPE);
    good_completes(g, GOOD_OBJECT);
    good_completes(g, GOOD_SLEEP);
}

/* Nothing came that was not so, and nothing twice. */
static inline void good_end(good_host *g)
{
    good_completes(g, GOOD_END);
    CHECK(pthread_join(g->thread, NULL) == 0);
    for (int i = 0; i < GOOD_WAITS; i++) {
        CHECK(i == GOOD_SLEEP || sem_trywait(&g->done[i]) != 0);
        CHECK(sem_destroy(&g->done[i]) == 0);
    }
    CHECK(sem_destroy(&g->begun) == 0 && sem_destroy(&g->woken) == 0);
}

#endif
