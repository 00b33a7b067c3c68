/* A host with GLib's main loop: the reactor as a GSource. `prepare` is called before each sleep, and
 * turns; so the host keeps both promises that a host can make. A turn calls nothing of the program,
 * which is why it can be made there; `dispatch` is where the program goes on with what it returned. */
#include "program.h"

#include <glib-unix.h>

const struct host host = { .name = "glib", .mode = "nested", .watches = true };

/* A GSource is allocated by GLib, which knows only its first member. */
struct source {
    GSource source;
    GMainLoop *loop;
    gpointer watched;
    gboolean waiting;                               /* what a turn has returned, to be dispatched */
    awsgi_reactor *reactor;
    awsgi_turn turn;
    awsgi_completion done[64];
    awsgi_watch_change changes[64];
};

/* True if there is something to dispatch. Then neither prepare nor check is called before that, and
 * what the turn has returned is not overwritten. */
static gboolean turn(struct source *its)
{
    check(awsgi_reactor_turn(its->reactor, &its->turn), "awsgi_reactor_turn");
    its->waiting = its->turn.done_n != 0 || its->turn.changes_n != 0 || (its->turn.flags & AWSGI_TURN_MORE) != 0;
    return its->waiting;
}

/* The timeout is in milliseconds, rounded up: a turn before the deadline finds nothing, and would be
 * followed by many more. What is far away is asked for again in an hour: it is an int. */
static gboolean prepare(GSource *source, gint *timeout)
{
    const uint64_t millisecond = 1000000, hour = 3600000;
    struct source *its = (struct source *)source;
    uint64_t now, left = 0;

    *timeout = -1;
    if (turn(its))
        return TRUE;
    if (its->turn.next_deadline == AWSGI_FOREVER)
        return FALSE;
    check(awsgi_reactor_now(its->reactor, &now), "awsgi_reactor_now");
    if (its->turn.next_deadline > now)
        left = (its->turn.next_deadline - now - 1) / millisecond + 1;
    *timeout = (gint)(left > hour ? hour : left);
    return FALSE;
}

/* After the sleep. If it found nothing to do the next prepare turns anyway, and sets the next timeout. */
static gboolean look(GSource *source)
{
    struct source *its = (struct source *)source;

    return g_source_query_unix_fd(source, its->watched) != 0 && turn(its);
}

static gboolean dispatch(GSource *source, GSourceFunc unused, gpointer unused_too)
{
    struct source *its = (struct source *)source;

    (void)unused;
    (void)unused_too;
    its->waiting = FALSE;
    if (!program_turned(&its->turn))
        g_main_loop_quit(its->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_program(gint fd, GIOCondition condition, gpointer loop)
{
    (void)fd;
    (void)condition;
    if (program_readable())
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

int main(int argc, char **argv)
{
    static GSourceFuncs calls = { .prepare = prepare, .check = look, .dispatch = dispatch };
    GMainContext *context = g_main_context_new();
    struct source *its = (struct source *)g_source_new(&calls, sizeof *its);
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_os_handle fd;

    options.mode = AWSGI_NESTED;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_TURNS_BEFORE_SLEEP;
    check(awsgi_reactor_new(&options, &its->reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(its->reactor, &fd), "awsgi_reactor_fd");
    its->turn = (awsgi_turn)AWSGI_TURN_INIT;
    its->turn.done = its->done;
    its->turn.done_cap = sizeof its->done / sizeof its->done[0];
    its->turn.changes = its->changes;
    its->turn.changes_cap = sizeof its->changes / sizeof its->changes[0];
    its->loop = g_main_loop_new(context, FALSE);
    its->watched = g_source_add_unix_fd(&its->source, fd, G_IO_IN);
    g_source_set_name(&its->source, "awsgi");
    (void)g_source_attach(&its->source, context);

    int programs = program_start(its->reactor, argc, argv);
    if (programs >= 0) {
        GSource *source = g_unix_fd_source_new(programs, G_IO_IN | G_IO_HUP);
        g_source_set_callback(source, G_SOURCE_FUNC(on_program), its->loop, NULL);
        (void)g_source_attach(source, context);
        g_source_unref(source);
    }
    g_main_loop_run(its->loop);

    if (its->waiting)
        (void)program_turned(&its->turn);           /* the loop was quit before it was dispatched */

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    g_source_destroy(&its->source);                 /* stops watching the descriptor before it is closed */
    check(awsgi_reactor_close(its->reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(its->reactor, &its->turn), "awsgi_reactor_turn");
        (void)program_turned(&its->turn);
    } while ((its->turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(its->reactor), "awsgi_reactor_free");
    g_main_loop_unref(its->loop);
    g_source_unref(&its->source);
    g_main_context_unref(context);
    return program_ended();
}
