/* A host with a loop of its own around poll(2). It turns before each sleep, and sleeps no longer than
 * the deadline, and says so: then the reactor needs no timerfd, and no signal for what the host's own
 * calls do. */
#include "program.h"

#include <errno.h>
#include <poll.h>

const struct host host = { .name = "poll", .mode = "nested", .watches = true };

/* In milliseconds, rounded up: a turn before the deadline finds nothing, and would be followed by many
 * more. What is far away is asked for again in an hour, for an int holds no more than 24 days. */
static int timeout(awsgi_reactor *reactor, const awsgi_turn *turn)
{
    const uint64_t millisecond = 1000000, hour = 3600000;
    uint64_t now, left;

    if (turn->next_deadline == AWSGI_FOREVER)
        return -1;
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    if (turn->next_deadline <= now)
        return 0;
    left = (turn->next_deadline - now - 1) / millisecond + 1;
    return left > hour ? (int)hour : (int)left;
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

    for (bool ended = false; !ended;) {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");    /* never blocks */
        ended = !program_turned(&turn);
        /* With what the turn returned the program went on, and that may call for another turn. It comes
         * after a look at the descriptors, or a busy reactor would starve them. */
        bool again = ended || turn.done_n != 0 || turn.changes_n != 0 || (turn.flags & AWSGI_TURN_MORE) != 0;
        if (poll(watched, 2, again ? 0 : timeout(reactor, &turn)) < 0) {
            if (errno == EINTR)
                continue;                           /* what poll would have said is not there */
            perror(host.name);
            return 1;
        }
        if (watched[1].revents != 0 && !ended)
            ended = !program_readable();            /* the next turn comes before the next sleep */
    }

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        (void)program_turned(&turn);
    } while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    return program_ended();
}
