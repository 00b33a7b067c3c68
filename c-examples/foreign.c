/* A host with a poll(2) loop and a table of its own objects. The library does not know what they are:
 * they are foreign waitables, LEVEL. Watch changes tell the host what to look at, and the host tells
 * what it saw with awsgi_notify. Five messages go through a pipe, with one watch change to begin and
 * one to stop. */
#define _GNU_SOURCE
#include "awsgi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "foreign: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

/* An object of the host's. Its place in the table is the handle. */
struct object {
    int fd;
    uint32_t interest;                              /* what to look for; 0: nothing */
    awsgi_waitable waitable;                        /* what to notify */
};

enum { OBJECTS = 1 };

/* What the reactor asks holds until it asks for something else. */
static void apply(struct object *objects, const awsgi_watch_change *change)
{
    struct object *object = &objects[change->handle];

    object->interest = change->interest;
    object->waitable = change->waitable;
    printf("%s\n", change->interest == 0 ? "stop" : "watch");
}

static short to_poll(uint32_t interest)
{
    return (short)((interest & AWSGI_READABLE ? POLLIN | POLLRDHUP : 0)
                   | (interest & AWSGI_WRITABLE ? POLLOUT : 0) | (interest & AWSGI_PRIORITY ? POLLPRI : 0)
                   | (interest & AWSGI_READ_CLOSED ? POLLRDHUP : 0));
}

static uint32_t from_poll(short seen)
{
    return (seen & POLLIN ? AWSGI_READABLE : 0u) | (seen & POLLOUT ? AWSGI_WRITABLE : 0u)
           | (seen & POLLPRI ? AWSGI_PRIORITY : 0u) | (seen & POLLRDHUP ? AWSGI_READ_CLOSED : 0u)
           | (seen & POLLHUP ? AWSGI_HANGUP : 0u) | (seen & (POLLERR | POLLNVAL) ? AWSGI_ERROR : 0u);
}

/* Sleeps until the reactor's descriptor or an object is ready, and reports the objects. */
static void sleep_and_report(int reactor_fd, const struct object *objects)
{
    struct pollfd entries[1 + OBJECTS] = { { .fd = reactor_fd, .events = POLLIN } };

    for (int i = 0; i < OBJECTS; i++) {
        entries[1 + i].fd = objects[i].interest == 0 ? -1 : objects[i].fd;      /* -1 is skipped */
        entries[1 + i].events = to_poll(objects[i].interest);
    }
    if (poll(entries, 1 + OBJECTS, -1) < 0) {
        if (errno == EINTR)
            return;
        perror("foreign: poll");
        exit(1);
    }
    for (int i = 0; i < OBJECTS; i++) {
        if (entries[1 + i].revents == 0)
            continue;
        awsgi_status status = awsgi_notify(objects[i].waitable, from_poll(entries[1 + i].revents));
        if (status != AWSGI_E_STALE)                /* stale: its stop comes with the next turn */
            check(status, "awsgi_notify");
    }
}

static void start(awsgi_reactor *reactor, awsgi_waitable waitable)
{
    awsgi_watch set[] = { { .waitable = waitable, .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.set = set;
    spec.count = 1;
    check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
}

int main(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_os_handle reactor_fd;
    struct object objects[OBJECTS] = { { .fd = -1 } };
    awsgi_waitable waitable;
    int ends[2];

    options.mode = AWSGI_NESTED;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(reactor, &reactor_fd), "awsgi_reactor_fd");
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        perror("foreign: pipe2");
        return 1;
    }
    objects[0].fd = ends[0];
    check(awsgi_waitable_foreign(reactor, 0, AWSGI_LEVEL, &waitable), "awsgi_waitable_foreign");
    start(reactor, waitable);

    awsgi_completion done[4];
    awsgi_watch_change changes[4];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    turn.changes = changes;
    turn.changes_cap = sizeof changes / sizeof changes[0];
    for (int message = 0, sent = 0; message < 5;) {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        for (size_t i = 0; i < turn.changes_n; i++)
            apply(objects, &changes[i]);
        for (size_t i = 0; i < turn.done_n; i++) {
            char byte;
            if (read(ends[0], &byte, 1) == 1)
                printf("message %d\n", ++message);
            else if (errno != EAGAIN && errno != EINTR) {
                perror("foreign: read");
                return 1;
            }
            start(reactor, waitable);               /* still watched: this needs no change */
        }
        if (sent == message) {
            if (write(ends[1], "x", 1) != 1) {
                perror("foreign: write");
                return 1;
            }
            sent++;
        }
        sleep_and_report(reactor_fd, objects);
    }

    /* A waitable that was watched asks for the stop. Turn, with room for changes, until all is told. */
    check(awsgi_waitable_close(waitable), "awsgi_waitable_close");
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        for (size_t i = 0; i < turn.changes_n; i++)
            apply(objects, &changes[i]);
    } while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}
