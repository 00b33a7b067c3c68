/* A host with a loop of its own around poll(2). It turns before each sleep and sleeps no longer than
 * the deadline, and says so: then the reactor needs no timerfd, and no signal for what the host's own
 * calls do. */
#include "program.h"

#include <errno.h>
#include <poll.h>

const struct host host = { .name = "poll", .mode = "nested", .watches = true };

/* In milliseconds, rounded up: a turn before the deadline finds nothing. */
static int timeout(awsgi_reactor *reactor, const awsgi_turn *turn)
{
    uint64_t now, left;

    if (turn->next_deadline == AWSGI_FOREVER)
        return -1;
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    if (turn->next_deadline <= now)
        return 0;
    left = (turn->next_deadline - now - 1) / 1000000 + 1;
    return left > 3600000 ? 3600000 : (int)left;
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_os_handle fd;

    options.mode = AWSGI_NESTED;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_TURNS_BEFORE_SLEEP;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(reactor, &fd), "awsgi_reactor_fd");

    struct pollfd watched[] = {
        { .fd = fd, .events = POLLIN },
        { .fd = program_start(reactor, argc, argv), .events = POLLIN },
    };
    awsgi_completion done[64];
    awsgi_watch_change changes[64];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    turn.changes = changes;
    turn.changes_cap = sizeof changes / sizeof changes[0];

    for (bool ended = false, closing = false;;) {
        /* What the program does with a turn may call for another. */
        do {
            check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");    /* never blocks */
            ended = !program_turned(&turn) || ended;
        } while (turn.done_n != 0 || turn.changes_n != 0 || turn.flags & AWSGI_TURN_MORE);
        if (turn.flags & AWSGI_TURN_CLOSED)
            break;
        if (ended && !closing) {
            check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
            closing = true;
            continue;
        }
        if (poll(watched, 2, timeout(reactor, &turn)) < 0 && errno != EINTR) {
            perror(host.name);
            return 1;
        }
        if (watched[1].revents != 0 && !ended)
            ended = !program_readable();            /* the next turn comes before the next sleep */
    }
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    return program_ended();
}
