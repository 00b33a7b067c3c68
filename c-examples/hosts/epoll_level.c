/* A host with a loop of its own around epoll, level-triggered, that promises nothing: it watches the
 * descriptor of the reactor as any other, and turns when it is readable. Deadlines, and what the
 * program does outside of a turn, make it readable too. This is the least that one can do. */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

const struct host host = { .name = "epoll_level", .mode = "nested", .watches = true };

static int watch(int loop, int fd)
{
    struct epoll_event interest = { .events = EPOLLIN, .data.fd = fd };

    if (fd >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &interest) != 0) {
        perror(host.name);
        exit(1);
    }
    return fd;
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
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(reactor, &fd), "awsgi_reactor_fd");
    (void)watch(loop, fd);
    int programs = watch(loop, program_start(reactor, argc, argv));

    for (bool ended = false; !ended;) {
        struct epoll_event happened[16];
        int count = epoll_wait(loop, happened, 16, -1);

        if (count < 0 && errno != EINTR) {
            perror(host.name);
            return 1;
        }
        for (int i = 0; i < count && !ended; i++) {
            if (happened[i].data.fd == programs) {
                ended = !program_readable();
            } else {
                /* One is enough: where work is left the descriptor is still readable. */
                check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
                ended = !program_turned(&turn);
            }
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
