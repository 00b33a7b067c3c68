/* A host with libev's loop. An ev_prepare is called right before the loop sleeps: it turns, and sets a
 * timer for the deadline. So the host keeps both promises that a host can make, and the reactor makes
 * no system call to be noticed. The ev_io has nothing to do but to end the sleep. */
#include "program.h"

#include <ev.h>

const struct host host = { .name = "libev", .mode = "nested", .watches = true };

struct embedded {
    struct ev_loop *loop;
    ev_prepare prepare;
    ev_timer timer;
    ev_io reactors, programs;
    awsgi_reactor *reactor;
    awsgi_turn turn;
};

/* In seconds from now; libev takes any number, and rounds its sleep up. */
static ev_tstamp left(struct embedded *its)
{
    uint64_t now;

    check(awsgi_reactor_now(its->reactor, &now), "awsgi_reactor_now");
    return its->turn.next_deadline > now ? (ev_tstamp)(its->turn.next_deadline - now) * 1e-9 : 0.;
}

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    struct embedded *its = prepare->data;

    (void)events;
    check(awsgi_reactor_turn(its->reactor, &its->turn), "awsgi_reactor_turn");
    if (!program_turned(&its->turn))
        ev_break(loop, EVBREAK_ALL);
    /* With what the turn returned the program went on, and that may call for another turn: let the loop
     * look at its descriptors without sleeping, and come back here. */
    bool again = its->turn.done_n != 0 || its->turn.changes_n != 0 || (its->turn.flags & AWSGI_TURN_MORE) != 0;
    ev_timer_stop(loop, &its->timer);
    if (again || its->turn.next_deadline != AWSGI_FOREVER) {
        ev_now_update(loop);                        /* it counts from when the last callbacks began */
        ev_timer_set(&its->timer, again ? 0. : left(its), 0.);
        ev_timer_start(loop, &its->timer);
    }
}

/* What has to be done is done before the next sleep. */
static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void on_reactor(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)io;
    (void)events;
}

static void on_program(struct ev_loop *loop, ev_io *io, int events)
{
    (void)io;
    (void)events;
    if (!program_readable())
        ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
    struct embedded its = { .turn = AWSGI_TURN_INIT, .loop = ev_loop_new(EVFLAG_AUTO) };
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_completion done[64];
    awsgi_watch_change changes[64];
    awsgi_os_handle fd;

    if (its.loop == NULL) {
        (void)fprintf(stderr, "%s: no loop\n", host.name);
        return 1;
    }
    its.turn.done = done;
    its.turn.done_cap = sizeof done / sizeof done[0];
    its.turn.changes = changes;
    its.turn.changes_cap = sizeof changes / sizeof changes[0];
    options.mode = AWSGI_NESTED;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_TURNS_BEFORE_SLEEP;
    check(awsgi_reactor_new(&options, &its.reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(its.reactor, &fd), "awsgi_reactor_fd");

    ev_prepare_init(&its.prepare, on_prepare);
    ev_timer_init(&its.timer, on_timer, 0., 0.);
    ev_io_init(&its.reactors, on_reactor, fd, EV_READ);
    its.prepare.data = &its;
    /* The last of all prepare watchers: what the others do is taken into account. */
    ev_set_priority(&its.prepare, EV_MINPRI);
    ev_prepare_start(its.loop, &its.prepare);
    ev_io_start(its.loop, &its.reactors);
    int programs = program_start(its.reactor, argc, argv);
    if (programs >= 0) {
        ev_io_init(&its.programs, on_program, programs, EV_READ);
        ev_io_start(its.loop, &its.programs);
    }
    (void)ev_run(its.loop, 0);

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(its.reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(its.reactor, &its.turn), "awsgi_reactor_turn");
        (void)program_turned(&its.turn);
    } while ((its.turn.flags & AWSGI_TURN_CLOSED) == 0);
    ev_loop_destroy(its.loop);                      /* before the descriptor that it watches is closed */
    check(awsgi_reactor_free(its.reactor), "awsgi_reactor_free");
    return program_ended();
}
