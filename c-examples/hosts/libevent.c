/* A host with libevent's loop. One event watches the descriptor of the reactor, another is its timer;
 * the callback of either turns. Nothing is to be done before the loop sleeps: what the program does
 * outside of a turn makes the descriptor readable, at once. */
#define _GNU_SOURCE                                 /* for event.h */
#include "program.h"

#include <event2/event.h>

const struct host host = { .name = "libevent", .mode = "nested", .watches = true };

struct embedded {
    struct event_base *loop;
    struct event *reactors, *timer, *programs;
    awsgi_reactor *reactor;
    awsgi_turn turn;
};

static void need(bool success, const char *what)
{
    if (success)
        return;
    (void)fprintf(stderr, "%s: %s failed\n", host.name, what);
    exit(1);
}

/* In microseconds, rounded up: a turn before the deadline finds nothing. */
static void set_timer(struct embedded *its)
{
    const uint64_t second = 1000000, day = 86400 * second;
    uint64_t now, left = 0;

    if (its->turn.next_deadline == AWSGI_FOREVER) {
        (void)evtimer_del(its->timer);
        return;
    }
    check(awsgi_reactor_now(its->reactor, &now), "awsgi_reactor_now");
    if (its->turn.next_deadline > now)
        left = (its->turn.next_deadline - now - 1) / 1000 + 1;
    if (left > day)
        left = day;                                 /* then we ask again; so nothing overflows */
    struct timeval time = { .tv_sec = (time_t)(left / second), .tv_usec = (suseconds_t)(left % second) };
    /* libevent counts from the time at which its callbacks began, which may be long ago. */
    (void)event_base_update_cache_time(its->loop);
    need(evtimer_add(its->timer, &time) == 0, "evtimer_add");
}

static void on_reactor(evutil_socket_t fd, short what, void *data)
{
    struct embedded *its = data;

    (void)fd;
    (void)what;
    check(awsgi_reactor_turn(its->reactor, &its->turn), "awsgi_reactor_turn");
    if (!program_turned(&its->turn))
        (void)event_base_loopbreak(its->loop);
    set_timer(its);
}

static void on_program(evutil_socket_t fd, short what, void *data)
{
    struct embedded *its = data;

    (void)fd;
    (void)what;
    if (!program_readable())
        (void)event_base_loopbreak(its->loop);
}

int main(int argc, char **argv)
{
    struct embedded its = { .turn = AWSGI_TURN_INIT };
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    struct event_config *config = event_config_new();
    awsgi_completion done[64];
    awsgi_watch_change changes[64];
    awsgi_os_handle fd;

    its.turn.done = done;
    its.turn.done_cap = sizeof done / sizeof done[0];
    its.turn.changes = changes;
    its.turn.changes_cap = sizeof changes / sizeof changes[0];
    options.mode = AWSGI_NESTED;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE;
    check(awsgi_reactor_new(&options, &its.reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(its.reactor, &fd), "awsgi_reactor_fd");

    /* Without this flag libevent's clock lags behind the reactor's by some milliseconds, and timers come
     * early: then a turn finds nothing, and another follows. */
    need(config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0
         && (its.loop = event_base_new_with_config(config)) != NULL, "event_base_new_with_config");
    its.reactors = event_new(its.loop, fd, EV_READ | EV_PERSIST, on_reactor, &its);
    its.timer = evtimer_new(its.loop, on_reactor, &its);
    need(its.reactors != NULL && its.timer != NULL && event_add(its.reactors, NULL) == 0, "event_add");
    int programs = program_start(its.reactor, argc, argv);
    if (programs >= 0) {
        its.programs = event_new(its.loop, programs, EV_READ | EV_PERSIST, on_program, &its);
        need(its.programs != NULL && event_add(its.programs, NULL) == 0, "event_add");
    }
    event_active(its.timer, EV_TIMEOUT, 0);         /* what the program has begun may have a deadline */
    (void)event_base_dispatch(its.loop);

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(its.reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(its.reactor, &its.turn), "awsgi_reactor_turn");
        (void)program_turned(&its.turn);
    } while ((its.turn.flags & AWSGI_TURN_CLOSED) == 0);
    event_free(its.reactors);                       /* before the descriptor is closed */
    event_free(its.timer);
    if (its.programs != NULL)
        event_free(its.programs);
    event_base_free(its.loop);
    event_config_free(config);
    check(awsgi_reactor_free(its.reactor), "awsgi_reactor_free");
    return program_ended();
}
