/* Waitables: anything that can become ready. */
#define _POSIX_C_SOURCE 200809L
#include "reference.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

/* awsgi_waitable_descriptor, awsgi_waitable_close: waits until a descriptor can be read. */
static void descriptor(awsgi_reactor *reactor, int fd)
{
    awsgi_waitable waitable;
    check(awsgi_waitable_descriptor(reactor, fd, 0, &waitable));    /* 0: it is only lent */

    awsgi_watch set[] = { { .waitable = waitable, .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    spec.set = set;
    spec.count = 1;
    check(awsgi_wait_start(reactor, &spec, NULL));

    awsgi_completion done = next(reactor);              /* turns until it completes */
    expect(done.outcome == AWSGI_READY && (done.ready & AWSGI_READABLE) != 0);
    check(awsgi_waitable_close(waitable));              /* before its descriptor */
}

/* awsgi_notify: what other threads may do. The token is a number: nothing has to be kept alive for it. */
static void *work(void *event)
{
    check(awsgi_notify(*(const awsgi_waitable *)event, AWSGI_READABLE));
    return NULL;
}

/* awsgi_waitable_event, awsgi_waitable_take: waits for another thread, which calls awsgi_notify. */
static void event(awsgi_reactor *reactor)
{
    awsgi_waitable event;
    uint64_t notified;
    pthread_t thread;
    check(awsgi_waitable_event(reactor, 0, &event));
    (void)wait_for(reactor, event, AWSGI_READABLE, 0);  /* awsgi_wait_start, for one waitable */
    expect(pthread_create(&thread, NULL, work, &event) == 0);

    expect(next(reactor).outcome == AWSGI_READY);
    check(awsgi_waitable_take(event, &notified));       /* otherwise it stays ready */
    expect(notified == 1);
    (void)pthread_join(thread, NULL);
    check(awsgi_waitable_close(event));
}

/* awsgi_notify_many: reports about several at once. Those that are gone are counted, the others notified. */
static void many(awsgi_reactor *reactor)
{
    awsgi_waitable counter, gone;
    check(awsgi_waitable_event(reactor, AWSGI_COUNTER, &counter));
    check(awsgi_waitable_event(reactor, 0, &gone));
    check(awsgi_waitable_close(gone));

    awsgi_notice notices[] = {
        { .waitable = counter, .ready = AWSGI_READABLE },
        { .waitable = gone, .ready = AWSGI_READABLE },
        { .waitable = counter, .ready = AWSGI_READABLE },
    };
    size_t stale;
    uint64_t notified;
    check(awsgi_notify_many(notices, 3, &stale));
    check(awsgi_waitable_take(counter, &notified));
    expect(stale == 1 && notified == 2);
    check(awsgi_waitable_close(counter));
}

/* awsgi_waitable_timer: every 5 milliseconds from now on. */
static void timer(awsgi_reactor *reactor)
{
    awsgi_waitable timer;
    uint64_t now, expired = 0;
    check(awsgi_reactor_now(reactor, &now));
    check(awsgi_waitable_timer(reactor, now + 5 * MS, 5 * MS, &timer));
    while (expired < 3) {
        uint64_t more;
        (void)wait_for(reactor, timer, AWSGI_READABLE, 0);
        expect(next(reactor).outcome == AWSGI_READY);
        check(awsgi_waitable_take(timer, &more));       /* more than 1 after a delay */
        expired += more;
    }
    check(awsgi_waitable_close(timer));
}

/* awsgi_waitable_foreign: a host watches an object of its own, which it calls 42; here poll can watch it. */
static void foreign(int fd)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_os_handle reactor_fd;
    awsgi_waitable waitable;
    options.mode = AWSGI_NESTED;
    check(awsgi_reactor_new(&options, &reactor));
    check(awsgi_reactor_fd(reactor, &reactor_fd));
    check(awsgi_waitable_foreign(reactor, 42, AWSGI_LEVEL, &waitable));
    (void)wait_for(reactor, waitable, AWSGI_READABLE, 0);

    awsgi_completion done[4];
    awsgi_watch_change changes[4];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = 4;
    turn.changes = changes;
    turn.changes_cap = 4;
    struct pollfd watched[] = { { .fd = reactor_fd, .events = POLLIN }, { .fd = -1 } };
    for (;;) {
        check(awsgi_reactor_turn(reactor, &turn));
        for (size_t i = 0; i < turn.changes_n; i++) {
            expect(changes[i].handle == 42);
            watched[1].fd = changes[i].interest == 0 ? -1 : fd;     /* 0: stop */
            watched[1].events = POLLIN;
        }
        if (turn.done_n != 0)
            break;
        expect(poll(watched, 2, -1) > 0 || errno == EINTR);
        if ((watched[1].revents & POLLIN) != 0)
            check(awsgi_notify(waitable, AWSGI_READABLE));
    }
    expect(done[0].outcome == AWSGI_READY && done[0].ready == AWSGI_READABLE);
    end(reactor);
}

/* awsgi_waitable_label, awsgi_waitable_describe: names a waitable, and prints what it is. */
static void describe(awsgi_reactor *reactor)
{
    awsgi_waitable event;
    char text[128];
    check(awsgi_waitable_event(reactor, 0, &event));
    check(awsgi_waitable_label(event, "configuration changed", 21));
    check(awsgi_waitable_describe(event, text, sizeof text, NULL));
    (void)printf("%s\n", text);
    expect(strstr(text, "configuration changed") != NULL);
    check(awsgi_waitable_close(event));
}

int main(void)
{
    awsgi_reactor *reactor;
    int ends[2];

    check(awsgi_reactor_new(NULL, &reactor));
    expect(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    descriptor(reactor, ends[0]);
    foreign(ends[0]);
    event(reactor);
    many(reactor);
    timer(reactor);
    describe(reactor);
    end(reactor);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}
