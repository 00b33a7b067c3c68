/* A host with a loop of its own around epoll, edge-triggered, as servers have it that read until
 * EAGAIN. It turns when the descriptor of the reactor becomes readable, and at the deadline, by which
 * it sleeps no longer: that saves the reactor a timerfd. */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

const struct host host = { .name = "epoll_edge", .mode = "nested", .watches = true };

static int watch(int loop, int fd)
{
    struct epoll_event interest = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

    if (fd >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &interest) != 0) {
        perror(host.name);
        exit(1);
    }
    return fd;
}

/* In milliseconds, rounded up: a turn before the deadline finds nothing, and would be followed by many
 * more. What is far away is asked for again in an hour, for an int holds no more than 24 days. */
static int timeout(awsgi_reactor *reactor, uint64_t deadline)
{
    const uint64_t millisecond = 1000000, hour = 3600000;
    uint64_t now, left;

    if (deadline == AWSGI_FOREVER)
        return -1;
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    if (deadline <= now)
        return 0;
    left = (deadline - now - 1) / millisecond + 1;
    return left > hour ? (int)hour : (int)left;
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_os_handle fd;
    awsgi_completion done[64];
    awsgi_watch_change changes[64];
    awsgi_turn turn = AWSGI_TURN_INIT;
    int loop = epoll_create1(EPOLL_CLOEXEC);

    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    turn.changes = changes;
    turn.changes_cap = sizeof changes / sizeof changes[0];
    options.mode = AWSGI_NESTED;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(reactor, &fd), "awsgi_reactor_fd");
    (void)watch(loop, fd);
    int programs = watch(loop, program_start(reactor, argc, argv));

    turn.next_deadline = AWSGI_NOW;                 /* for the first turn */
    for (bool ended = false; !ended;) {
        struct epoll_event happened[16];
        int count = epoll_wait(loop, happened, 16, timeout(reactor, turn.next_deadline));
        /* Also a loop that is kept busy by others is to be on time. */
        bool due = timeout(reactor, turn.next_deadline) == 0;

        if (count < 0 && errno != EINTR) {
            perror(host.name);
            return 1;
        }
        for (int i = 0; i < count && !ended; i++) {
            if (happened[i].data.fd == programs)
                ended = !program_readable();        /* which reads until EAGAIN */
            else
                due = true;
        }
        if (due && !ended) {
            /* One is enough, for edges too: a turn that leaves work (AWSGI_TURN_MORE) makes the descriptor
             * readable anew. So does a deadline that the program brings forward outside of a turn. */
            check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
            ended = !program_turned(&turn);
        }
    }

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        (void)program_turned(&turn);
    } while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    (void)close(loop);
    return program_ended();
}
