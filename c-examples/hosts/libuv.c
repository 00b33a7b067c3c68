/* A host with libuv's loop. A uv_poll_t watches the descriptor of the reactor, a uv_timer_t keeps its
 * deadlines; the callback of either turns. Nothing is to be done before the loop sleeps: what the
 * program does outside of a turn makes the descriptor readable, at once. */
#define _GNU_SOURCE                                 /* for uv.h */
#include "program.h"

#include <uv.h>

const struct host host = { .name = "libuv", .mode = "nested", .watches = true };

struct embedded {
    uv_loop_t loop;
    uv_poll_t reactors, programs;
    uv_timer_t timer;
    awsgi_reactor *reactor;
    awsgi_turn turn;
};

static void ok(int status, const char *what)
{
    if (status >= 0)
        return;
    (void)fprintf(stderr, "%s: %s: %s\n", host.name, what, uv_strerror(status));
    exit(1);
}

/* The program has ended: without handles uv_run returns. */
static void end(struct embedded *its)
{
    if (uv_is_closing((uv_handle_t *)&its->timer))
        return;
    uv_close((uv_handle_t *)&its->timer, NULL);
    uv_close((uv_handle_t *)&its->reactors, NULL);
    if (its->programs.data != NULL)
        uv_close((uv_handle_t *)&its->programs, NULL);
}

static void on_timer(uv_timer_t *timer);

static void turn(struct embedded *its)
{
    uint64_t now, left;

    check(awsgi_reactor_turn(its->reactor, &its->turn), "awsgi_reactor_turn");
    if (!program_turned(&its->turn)) {
        end(its);
    } else if (its->turn.next_deadline == AWSGI_FOREVER) {
        ok(uv_timer_stop(&its->timer), "uv_timer_stop");
    } else {
        /* In milliseconds, rounded up. libuv counts from the time at which it last looked at the clock,
         * which may be long ago, and cuts it off: at worst we turn once too early, and come back here. */
        check(awsgi_reactor_now(its->reactor, &now), "awsgi_reactor_now");
        left = its->turn.next_deadline > now ? (its->turn.next_deadline - now - 1) / 1000000 + 1 : 0;
        uv_update_time(&its->loop);
        ok(uv_timer_start(&its->timer, on_timer, left, 0), "uv_timer_start");
    }
}

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

/* An error of the descriptor is no reason not to turn: the turn would tell it. */
static void on_reactor(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    turn(poll->data);
}

static void on_program(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    if (!program_readable())
        end(poll->data);
}

int main(int argc, char **argv)
{
    struct embedded its = { .turn = AWSGI_TURN_INIT };
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
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

    ok(uv_loop_init(&its.loop), "uv_loop_init");
    ok(uv_timer_init(&its.loop, &its.timer), "uv_timer_init");
    ok(uv_poll_init(&its.loop, &its.reactors, fd), "uv_poll_init");
    its.timer.data = its.reactors.data = &its;
    ok(uv_poll_start(&its.reactors, UV_READABLE, on_reactor), "uv_poll_start");
    int programs = program_start(its.reactor, argc, argv);
    if (programs >= 0) {
        ok(uv_poll_init(&its.loop, &its.programs, programs), "uv_poll_init");
        its.programs.data = &its;
        ok(uv_poll_start(&its.programs, UV_READABLE, on_program), "uv_poll_start");
    }
    turn(&its);                                     /* what the program has begun may have a deadline */
    (void)uv_run(&its.loop, UV_RUN_DEFAULT);
    ok(uv_loop_close(&its.loop), "uv_loop_close");

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(its.reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(its.reactor, &its.turn), "awsgi_reactor_turn");
        (void)program_turned(&its.turn);
    } while ((its.turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(its.reactor), "awsgi_reactor_free");
    return program_ended();
}
