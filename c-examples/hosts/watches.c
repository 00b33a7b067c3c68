/* A host that is given descriptors: its loop is poll(2) with a table, and what applications wait for
 * comes as watch changes, which it applies to the table. The library has no descriptor then, and no
 * thread. The wake hook writes to an eventfd of the host's, for what other threads notify; for what
 * happens on its own the loop turns before it sleeps, and says so. */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

const struct host host = { .name = "watches", .mode = "delegated", .watches = true };

/* Entries of poll(2), and beside each the waitable to notify. The first two are the host's. */
enum { WAKE, PROGRAM, OWN };

static struct pollfd *entries;
static awsgi_waitable *waitables;
static size_t count, room;

/* Any thread, and our own inside of a call. The counter cannot be full: each wake is read. */
static void wake(void *data)
{
    const uint64_t one = 1;

    while (write(*(int *)data, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void add(int fd, short events, awsgi_waitable waitable)
{
    if (count == room) {
        room = room == 0 ? 64 : 2 * room;
        entries = realloc(entries, room * sizeof *entries);
        waitables = realloc(waitables, room * sizeof *waitables);
        if (entries == NULL || waitables == NULL) {
            perror(host.name);
            exit(1);
        }
    }
    entries[count] = (struct pollfd){ .fd = fd, .events = events };
    waitables[count++] = waitable;
}

static short to_poll(uint32_t interest)
{
    return (short)((interest & AWSGI_READABLE ? POLLIN | POLLRDHUP : 0)
                   | (interest & AWSGI_WRITABLE ? POLLOUT : 0) | (interest & AWSGI_PRIORITY ? POLLPRI : 0)
                   | (interest & AWSGI_READ_CLOSED ? POLLRDHUP : 0));
}

/* POLLNVAL is a number that was closed before its waitable: whoever waits for it is to know. Of a pipe
 * without writers poll says POLLHUP alone: nothing more will come there, either. */
static uint32_t from_poll(short seen)
{
    return (seen & POLLIN ? AWSGI_READABLE : 0u) | (seen & POLLOUT ? AWSGI_WRITABLE : 0u)
           | (seen & POLLPRI ? AWSGI_PRIORITY : 0u) | (seen & (POLLRDHUP | POLLHUP) ? AWSGI_READ_CLOSED : 0u)
           | (seen & POLLHUP ? AWSGI_HANGUP : 0u) | (seen & (POLLERR | POLLNVAL) ? AWSGI_ERROR : 0u);
}

/* What is asked for a number holds until something else is. The handle is the number, by which it is
 * found: the token of a stop may be that of a waitable which is gone. The search takes no longer than
 * poll does. An epoll host answers EPERM, for what is always ready, by reporting it; poll says so itself. */
static void apply(const awsgi_watch_change *change)
{
    size_t i = OWN;

    while (i < count && entries[i].fd != (int)change->handle)
        i++;
    if (change->interest == 0) {
        if (i < count) {                            /* unknown: nothing to stop */
            entries[i] = entries[--count];
            waitables[i] = waitables[count];
        }
        return;
    }
    if (i == count)
        add((int)change->handle, 0, 0);
    entries[i].events = to_poll(change->interest);
    waitables[i] = change->waitable;
}

/* LEVEL: poll tells it again, as long as it is so. */
static void report(void)
{
    for (size_t i = OWN; i < count; i++) {
        if (entries[i].revents == 0)
            continue;
        awsgi_status status = awsgi_notify(waitables[i], from_poll(entries[i].revents));
        if (status != AWSGI_E_STALE)                /* stale: its stop comes with the next turn */
            check(status, "awsgi_notify");
    }
}

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

/* Turns once, applies what is asked for descriptors, and goes on with the program, which gets the rest. */
static bool turn_once(awsgi_reactor *reactor, awsgi_turn *turn)
{
    check(awsgi_reactor_turn(reactor, turn), "awsgi_reactor_turn");             /* never blocks */
    for (size_t i = 0; i < turn->changes_n; i++)
        if (turn->changes[i].kind == AWSGI_WATCH_DESCRIPTOR)
            apply(&turn->changes[i]);
    return program_turned(turn);
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (wake_fd < 0) {
        perror(host.name);
        return 1;
    }
    options.mode = AWSGI_DELEGATED;
    options.flags = AWSGI_HOST_WATCHES_DESCRIPTORS | AWSGI_HOST_TURNS_BEFORE_SLEEP;
    options.wake = wake;
    options.data = &wake_fd;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    add(wake_fd, POLLIN, 0);
    add(program_start(reactor, argc, argv), POLLIN, 0);

    awsgi_completion done[64];
    awsgi_watch_change changes[64];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    turn.changes = changes;
    turn.changes_cap = sizeof changes / sizeof changes[0];

    for (bool ended = false; !ended;) {
        ended = !turn_once(reactor, &turn);
        /* With what the turn returned the program went on, and that may call for another turn. */
        bool again = ended || turn.done_n != 0 || turn.changes_n != 0 || (turn.flags & AWSGI_TURN_MORE) != 0;
        if (poll(entries, count, again ? 0 : timeout(reactor, &turn)) < 0) {
            if (errno == EINTR)
                continue;                           /* what poll would have said is not there */
            perror(host.name);
            return 1;
        }
        if (entries[WAKE].revents != 0)
            (void)!read(wake_fd, &(uint64_t){ 0 }, sizeof(uint64_t));   /* before the turn: no wake is lost */
        report();
        if (entries[PROGRAM].revents != 0 && !ended)
            ended = !program_readable();
    }

    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        (void)turn_once(reactor, &turn);
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");      /* the hook is not called after this */
    (void)close(wake_fd);
    free(entries);
    free(waitables);
    return program_ended();
}
