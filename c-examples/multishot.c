/* An echo over a socket pair, with one multishot wait for all that arrives.
 *
 * A multishot wait completes when something new has happened. So whoever is told reads until the
 * descriptor is empty, or, if it stops before that, has the wait look again: awsgi_wait_rearm. Here
 * it stops when the other side takes no more, and goes on when there is room. */
#define _GNU_SOURCE
#include "awsgi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READING = 1, WRITING = 2 };                  /* our names for the waits */
enum { SENT = 60000 };

static void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "multishot: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

struct echo {
    awsgi_reactor *reactor;
    int fd;                                         /* never blocks */
    awsgi_waitable waitable;
    awsgi_wait reading;
    char held[4096];                                /* was read, and is still to be written: */
    size_t from, to;
    int full;                                       /* a wait for room is under way */
    int ended;
};

static awsgi_wait start(struct echo *echo, uint32_t interest, uint32_t flags, uint64_t user_data)
{
    awsgi_watch set[] = { { .waitable = echo->waitable, .interest = interest } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait;

    spec.set = set;
    spec.count = 1;
    spec.flags = flags;
    spec.user_data = user_data;
    check(awsgi_wait_start(echo->reactor, &spec, &wait), "awsgi_wait_start");
    return wait;
}

/* Reads and writes until there is nothing to read, or no room to write. */
static void pump(struct echo *echo)
{
    for (;;) {
        while (echo->from < echo->to) {
            ssize_t n = send(echo->fd, echo->held + echo->from, echo->to - echo->from, MSG_NOSIGNAL);
            if (n >= 0) {
                echo->from += (size_t)n;
            } else if (errno == EAGAIN) {
                (void)start(echo, AWSGI_WRITABLE, 0, WRITING);
                echo->full = 1;
                return;                             /* there may be more to read */
            } else if (errno != EINTR) {
                fail("multishot: send");
            }
        }
        ssize_t n = recv(echo->fd, echo->held, sizeof echo->held, 0);
        if (n > 0) {
            echo->from = 0;
            echo->to = (size_t)n;
        } else if (n == 0) {
            echo->ended = 1;
            return;
        } else if (errno == EAGAIN) {
            return;                                 /* drained: what comes now completes the wait */
        } else if (errno != EINTR) {
            fail("multishot: recv");
        }
    }
}

static void completed(struct echo *echo, const awsgi_completion *done)
{
    if (done->outcome != AWSGI_READY) {
        (void)fprintf(stderr, "multishot: a wait ended with outcome %d\n", done->outcome);
        exit(1);
    }
    if (done->user_data == READING) {
        if (!echo->full && !echo->ended)
            pump(echo);
        return;
    }
    echo->full = 0;
    /* What arrived while nobody read has been told already: have the wait look again. */
    check(awsgi_wait_rearm(echo->reading), "awsgi_wait_rearm");
    printf("room again\n");
}

/* The other side takes what has arrived. Answers how much. */
static size_t collect(int fd)
{
    static char buffer[4096];
    size_t sum = 0;

    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n > 0)
            sum += (size_t)n;
        else if (n == 0 || errno == EAGAIN)
            return sum;
        else if (errno != EINTR)
            fail("multishot: recv");
    }
}

int main(void)
{
    static char data[SENT];
    struct echo echo = { .fd = -1 };
    int pair[2], small = 4096;
    size_t back = 0;

    check(awsgi_reactor_new(NULL, &echo.reactor), "awsgi_reactor_new");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0
        || setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) != 0)
        fail("multishot: socketpair");
    echo.fd = pair[0];
    check(awsgi_waitable_descriptor(echo.reactor, echo.fd, 0, &echo.waitable), "awsgi_waitable_descriptor");
    echo.reading = start(&echo, AWSGI_READABLE, AWSGI_MULTISHOT, READING);

    /* The other side: sends all, says that there is no more, and reads what comes back. */
    if (send(pair[1], data, sizeof data, MSG_NOSIGNAL) != SENT || shutdown(pair[1], SHUT_WR) != 0)
        fail("multishot: send");

    awsgi_completion done[8];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    while (!echo.ended) {
        check(awsgi_reactor_turn(echo.reactor, &turn), "awsgi_reactor_turn");
        for (size_t i = 0; i < turn.done_n; i++)
            completed(&echo, &done[i]);
        back += collect(pair[1]);
    }
    printf("%zu of %d bytes came back\n", back, SENT);

    check(awsgi_wait_forget(echo.reading), "awsgi_wait_forget");    /* nothing more of it */
    check(awsgi_waitable_close(echo.waitable), "awsgi_waitable_close");     /* before its descriptor */
    (void)close(pair[0]);
    (void)close(pair[1]);
    check(awsgi_reactor_close(echo.reactor), "awsgi_reactor_close");
    do
        check(awsgi_reactor_turn(echo.reactor, &turn), "awsgi_reactor_turn");
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(echo.reactor), "awsgi_reactor_free");
    return 0;
}
