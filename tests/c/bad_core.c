/* Everything that a caller can do wrong with statuses, tokens, completions, reactors, waitables and
 * waits: each has one answer, clears what it would have written, and changes nothing. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a reactor in the middle of its work ----------------------------------------------------------- */

/* It is now, and these come later. */
enum { NOW = 100, EXPIRES = 200, WAKES = 300 };

/* What is waited for, as user_data says. */
enum { EVENT = 1, COUNTER, TIMER, FOREIGN, IN, SLEEP, SET, PENDING = SET };

typedef struct world world;

struct world {
    awsgi_reactor *reactor;
    awsgi_waitable event, counter, timer, foreign, in, two[2];
    awsgi_waitable spare;       /* an event for which nobody waits */
    awsgi_wait multishot, oneshot;
    int pair[2];
    awsgi_waitable gone;        /* these have ended */
    awsgi_wait ended;
    awsgi_completion fresh;     /* the last turn's */
    awsgi_reactor *freed;       /* and a reactor that is gone, with all it had */
    awsgi_waitable freed_waitable;
    awsgi_wait freed_wait;
    awsgi_completion freed_completion;
    uint64_t waits, waitables, next_deadline;
    void (*in_hook)(world *w);
};

static void wake(void *data)
{
    world *w = data;
    void (*in_hook)(world *w) = w->in_hook;

    w->in_hook = NULL;
    if (in_hook != NULL)
        in_hook(w);
}

static void make_freed(world *w)
{
    check_turned t;
    awsgi_waitable event;

    w->freed = check_clocked();
    OK(awsgi_waitable_event(w->freed, 0, &event));
    (void)check_start(w->freed, NULL, 0, 0, 0, 1, 0);
    w->freed_waitable = event;
    w->freed_wait = check_wait(w->freed, event, AWSGI_READABLE, 0);
    check_turn(w->freed, &t, 1);
    CHECK(t.turn.done_n == 1);
    w->freed_completion = t.done[0];
    check_free(w->freed);
}

static void open_world(world *w, uint32_t mode)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_watch set[2];
    check_turned t;
    awsgi_wait wait;

    memset(w, 0, sizeof *w);
    make_freed(w);
    options.mode = mode;
    options.flags = AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_GIVES_CLOCK;
    if (mode == AWSGI_DELEGATED) {
        /* Else the library's thread would decide when its descriptor is ready. */
        options.flags |= AWSGI_HOST_WATCHES_DESCRIPTORS;
        options.wake = wake;
        options.data = w;
    }
    OK(awsgi_reactor_new(&options, &w->reactor));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, w->pair) == 0);
    OK(awsgi_waitable_event(w->reactor, 0, &w->event));
    OK(awsgi_waitable_event(w->reactor, AWSGI_COUNTER, &w->counter));
    OK(awsgi_waitable_timer(w->reactor, EXPIRES, 0, &w->timer));
    OK(awsgi_waitable_foreign(w->reactor, 7, AWSGI_LEVEL, &w->foreign));
    OK(awsgi_waitable_descriptor(w->reactor, w->pair[0], 0, &w->in));
    OK(awsgi_waitable_event(w->reactor, 0, &w->two[0]));
    OK(awsgi_waitable_event(w->reactor, 0, &w->two[1]));
    OK(awsgi_waitable_event(w->reactor, 0, &w->spare));
    OK(awsgi_waitable_event(w->reactor, 0, &w->gone));
    w->oneshot = check_wait(w->reactor, w->event, AWSGI_READABLE, EVENT);
    set[0] = check_watch(w->counter, AWSGI_READABLE);
    w->multishot = check_start(w->reactor, set, 1, 0, AWSGI_MULTISHOT, AWSGI_FOREVER, COUNTER);
    (void)check_wait(w->reactor, w->timer, AWSGI_READABLE, TIMER);
    (void)check_wait(w->reactor, w->foreign, AWSGI_READABLE, FOREIGN);
    (void)check_wait(w->reactor, w->in, AWSGI_READABLE, IN);
    (void)check_start(w->reactor, NULL, 0, 0, 0, WAKES, SLEEP);
    set[0] = check_watch(w->two[0], AWSGI_READABLE);
    set[1] = check_watch(w->two[1], AWSGI_READABLE);
    (void)check_start(w->reactor, set, 2, 2, 0, AWSGI_FOREVER, SET);

    wait = check_wait(w->reactor, w->gone, AWSGI_READABLE, 0);
    w->ended = wait;
    OK(awsgi_waitable_close(w->gone));
    check_turn(w->reactor, &t, NOW);
    CHECK(t.turn.done_n == 1);
    OK(awsgi_notify(w->spare, AWSGI_READABLE));
    (void)check_wait(w->reactor, w->spare, AWSGI_READABLE, 0);
    CHECK(check_take(w->spare) == 1);
    check_turn(w->reactor, &t, NOW);
    CHECK(t.turn.done_n == 1 && t.turn.changes_n == 0 && t.turn.flags == 0);
    w->fresh = t.done[0];
    w->next_deadline = t.turn.next_deadline;
    CHECK(w->next_deadline == EXPIRES);
    w->waits = check_stats(w->reactor).waits;
    w->waitables = check_stats(w->reactor).waitables;
    CHECK(w->waits == PENDING && w->waitables == 8);
}

static awsgi_completion only(world *w, uint64_t now, uint64_t user_data)
{
    check_turned t;

    check_turn(w->reactor, &t, now);
    CHECK(t.turn.done_n == 1 && t.done[0].user_data == user_data);
    return t.done[0];
}

/* Nothing has changed: what is counted is what it was, nothing is due, and each wait completes as if
 * nothing had happened. */
static void close_world(world *w, uint32_t mode)
{
    check_turned t;
    awsgi_completion done;
    size_t count = 77;

    w->in_hook = NULL;
    CHECK(check_stats(w->reactor).waits == w->waits);
    CHECK(check_stats(w->reactor).waitables == w->waitables);
    check_turn(w->reactor, &t, NOW);
    CHECK(t.turn.done_n == 0 && t.turn.changes_n == 0 && t.turn.next_deadline == w->next_deadline);
    CHECK((t.turn.flags & ~(uint32_t)AWSGI_TURN_STOPPED) == 0);
    CHECK(check_take(w->event) == 0 && check_take(w->counter) == 0 && check_take(w->timer) == 0);

    OK(awsgi_notify(w->event, AWSGI_READABLE));
    CHECK(only(w, NOW, EVENT).outcome == AWSGI_READY);
    OK(awsgi_notify(w->counter, AWSGI_READABLE));
    done = only(w, NOW, COUNTER);
    CHECK(done.outcome == AWSGI_READY && done.flags == AWSGI_MORE);
    CHECK(check_take(w->counter) == 1);
    OK(awsgi_notify(w->foreign, AWSGI_READABLE));
    CHECK(only(w, NOW, FOREIGN).outcome == AWSGI_READY);
    CHECK(write(w->pair[1], "x", 1) == 1);
    if (mode == AWSGI_DELEGATED)
        OK(awsgi_notify(w->in, AWSGI_READABLE));
    CHECK(only(w, NOW, IN).outcome == AWSGI_READY);
    OK(awsgi_notify(w->two[0], AWSGI_READABLE));
    check_none(w->reactor, EXPIRES - 1);
    OK(awsgi_notify(w->two[1], AWSGI_READABLE));
    done = only(w, EXPIRES - 1, SET);
    CHECK(done.outcome == AWSGI_READY && done.members == 2);
    OK(awsgi_completion_members(&done, NULL, 0, &count));
    CHECK(count == 2);
    CHECK(only(w, EXPIRES, TIMER).outcome == AWSGI_READY);
    check_none(w->reactor, WAKES - 1);
    CHECK(only(w, WAKES, SLEEP).outcome == AWSGI_TIMED_OUT);
    OK(awsgi_wait_cancel(w->multishot));
    CHECK(only(w, WAKES, COUNTER).outcome == AWSGI_CANCELLED);
    check_none(w->reactor, WAKES);
    CHECK(check_stats(w->reactor).waits == 0);
    check_free(w->reactor);
    (void)close(w->pair[0]);
    (void)close(w->pair[1]);
}

/* ---- every function, asked by the wrong caller ------------------------------------------------------ */

/* What the functions are called with. */
typedef struct {
    awsgi_reactor *reactor;
    awsgi_waitable waitable;
    awsgi_wait wait;
    const awsgi_completion *completion;
} subject;

static awsgi_status call_members(const subject *s)
{
    size_t count = 77;
    awsgi_member member;
    awsgi_status status = awsgi_completion_members(s->completion, &member, 1, &count);

    CHECK(status == AWSGI_OK || count == 0);
    return status;
}

static awsgi_status call_release(const subject *s)
{
    return awsgi_reactor_release(s->reactor);
}

static awsgi_status call_adopt(const subject *s)
{
    return awsgi_reactor_adopt(s->reactor);
}

static awsgi_status call_fd(const subject *s)
{
    awsgi_os_handle fd = 77;
    awsgi_status status = awsgi_reactor_fd(s->reactor, &fd);

    CHECK(status == AWSGI_OK || fd == -1);
    return status;
}

static awsgi_status call_now(const subject *s)
{
    uint64_t now = 77;
    awsgi_status status = awsgi_reactor_now(s->reactor, &now);

    CHECK(status == AWSGI_OK || now == 0);
    return status;
}

static awsgi_status call_turn(const subject *s)
{
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_completion done[2];
    awsgi_watch_change changes[2];
    awsgi_status status;

    turn.now = NOW;
    turn.deadline = AWSGI_NOW;
    turn.done = done;
    turn.done_cap = 2;
    turn.changes = changes;
    turn.changes_cap = 2;
    turn.done_n = turn.changes_n = 77;
    turn.next_deadline = turn.flags = 77;
    status = awsgi_reactor_turn(s->reactor, &turn);
    CHECK(status == AWSGI_OK || (turn.done_n == 0 && turn.changes_n == 0));
    CHECK(status == AWSGI_OK || (turn.next_deadline == 0 && turn.flags == 0));
    return status;
}

static awsgi_status call_stop(const subject *s)
{
    return awsgi_reactor_stop(s->reactor);
}

static awsgi_status call_stats(const subject *s)
{
    static const awsgi_stats none = AWSGI_STATS_INIT;
    awsgi_stats stats;
    awsgi_status status;

    memset(&stats, 0x55, sizeof stats);
    stats.size = sizeof stats;
    status = awsgi_reactor_stats(s->reactor, &stats);
    CHECK(status == AWSGI_OK || memcmp(&stats, &none, sizeof stats) == 0);
    return status;
}

static awsgi_status call_close(const subject *s)
{
    return awsgi_reactor_close(s->reactor);
}

static awsgi_status call_free(const subject *s)
{
    return awsgi_reactor_free(s->reactor);
}

static awsgi_status made(awsgi_status status, uint64_t token)
{
    CHECK(!(status == AWSGI_OK) == !(token != 0));
    return status;
}

static awsgi_status call_descriptor(const subject *s)
{
    awsgi_waitable waitable = 77;
    awsgi_status status = awsgi_waitable_descriptor(s->reactor, 0, 0, &waitable);

    return made(status, waitable);
}

static awsgi_status call_foreign(const subject *s)
{
    awsgi_waitable waitable = 77;
    awsgi_status status = awsgi_waitable_foreign(s->reactor, 1, AWSGI_ONCE, &waitable);

    return made(status, waitable);
}

static awsgi_status call_event(const subject *s)
{
    awsgi_waitable waitable = 77;
    awsgi_status status = awsgi_waitable_event(s->reactor, 0, &waitable);

    return made(status, waitable);
}

static awsgi_status call_timer(const subject *s)
{
    awsgi_waitable waitable = 77;
    awsgi_status status = awsgi_waitable_timer(s->reactor, 1, 1, &waitable);

    return made(status, waitable);
}

static awsgi_status call_take(const subject *s)
{
    uint64_t value = 77;
    awsgi_status status = awsgi_waitable_take(s->waitable, &value);

    CHECK(status == AWSGI_OK || value == 0);
    return status;
}

static awsgi_status call_label(const subject *s)
{
    return awsgi_waitable_label(s->waitable, "x", 1);
}

static awsgi_status call_describe(const subject *s)
{
    char text[8] = "before";
    size_t len = 77;
    awsgi_status status = awsgi_waitable_describe(s->waitable, text, sizeof text, &len);

    CHECK(status == AWSGI_OK || (text[0] == '\0' && len == 0));
    return status;
}

static awsgi_status call_close_waitable(const subject *s)
{
    return awsgi_waitable_close(s->waitable);
}

static awsgi_status call_notify(const subject *s)
{
    return awsgi_notify(s->waitable, AWSGI_READABLE);
}

/* One that is gone is counted here, which is no failure. */
static awsgi_status call_notify_many(const subject *s)
{
    awsgi_notice notice = { 0, AWSGI_READABLE, 0 };
    size_t stale = 77;
    awsgi_status status;

    notice.waitable = s->waitable;
    status = awsgi_notify_many(&notice, 1, &stale);
    CHECK(stale <= 1);
    if (status != AWSGI_OK)
        CHECK(stale == 0);
    return stale == 1 ? AWSGI_E_STALE : status;
}

static awsgi_status call_start(const subject *s)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 77;
    awsgi_status status;

    spec.deadline = 1;
    status = awsgi_wait_start(s->reactor, &spec, &wait);
    return made(status, wait);
}

static awsgi_status call_cancel(const subject *s)
{
    return awsgi_wait_cancel(s->wait);
}

static awsgi_status call_forget(const subject *s)
{
    return awsgi_wait_forget(s->wait);
}

static awsgi_status call_rearm(const subject *s)
{
    return awsgi_wait_rearm(s->wait);
}

/* What is not asked. */
#define SKIP 1

#define E(name) AWSGI_E_##name

/* The answers: to a NULL reactor, to a reactor that was freed, on another thread, in a forked child,
 * in the wake hook on the owner's thread, in a step, and while the reactor closes. */
static const struct {
    const char *name;
    awsgi_status (*call)(const subject *s);
    awsgi_status null, freed, elsewhere, forked, hook, step, closing;
} calls[] = {
    { "awsgi_completion_members", call_members,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, SKIP },
    { "awsgi_reactor_release", call_release,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), E(REENTRANT), SKIP },
    { "awsgi_reactor_adopt", call_adopt,
      E(NULL), E(STALE), E(BUSY), E(FORKED), E(REENTRANT), E(REENTRANT), E(BUSY) },
    { "awsgi_reactor_fd", call_fd,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), AWSGI_OK, AWSGI_OK },
    { "awsgi_reactor_now", call_now,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), AWSGI_OK, AWSGI_OK },
    { "awsgi_reactor_turn", call_turn,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), E(REENTRANT), SKIP },
    { "awsgi_reactor_stop", call_stop,
      E(NULL), E(STALE), AWSGI_OK, E(FORKED), AWSGI_OK, AWSGI_OK, AWSGI_OK },
    { "awsgi_reactor_stats", call_stats,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), AWSGI_OK, AWSGI_OK },
    { "awsgi_reactor_close", call_close,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, AWSGI_OK },
    { "awsgi_reactor_free", call_free,
      AWSGI_OK, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), E(REENTRANT), E(BUSY) },
    { "awsgi_waitable_descriptor", call_descriptor,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, E(CLOSED) },
    { "awsgi_waitable_foreign", call_foreign,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, E(CLOSED) },
    { "awsgi_waitable_event", call_event,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, E(CLOSED) },
    { "awsgi_waitable_timer", call_timer,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, E(CLOSED) },
    { "awsgi_waitable_take", call_take,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), AWSGI_OK, AWSGI_OK },
    { "awsgi_waitable_label", call_label,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), AWSGI_OK, AWSGI_OK },
    { "awsgi_waitable_describe", call_describe,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), AWSGI_OK, AWSGI_OK },
    { "awsgi_waitable_close", call_close_waitable,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, SKIP },
    { "awsgi_notify", call_notify,
      SKIP, E(STALE), AWSGI_OK, E(FORKED), AWSGI_OK, AWSGI_OK, AWSGI_OK },
    { "awsgi_notify_many", call_notify_many,
      SKIP, E(STALE), AWSGI_OK, E(FORKED), AWSGI_OK, AWSGI_OK, AWSGI_OK },
    { "awsgi_wait_start", call_start,
      E(NULL), E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, E(CLOSED) },
    { "awsgi_wait_cancel", call_cancel,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, SKIP },
    { "awsgi_wait_forget", call_forget,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, SKIP },
    { "awsgi_wait_rearm", call_rearm,
      SKIP, E(STALE), E(THREAD), E(FORKED), E(REENTRANT), SKIP, SKIP },
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static void expect(const char *situation, const char *what, awsgi_status wanted, awsgi_status got)
{
    char text[512] = "";

    if (wanted == got)
        return;
    (void)awsgi_last_error(text, sizeof text, NULL, NULL);
    (void)fprintf(stderr, "%s, %s: %s, not %s (%s)\n", situation, what, awsgi_status_name(got),
                  awsgi_status_name(wanted), text);
    exit(1);
}

static subject subject_of(const world *w)
{
    subject s;

    s.reactor = w->reactor;
    s.waitable = w->spare;
    s.wait = w->multishot;
    s.completion = &w->fresh;
    return s;
}

static size_t which;            /* of the calls */

static void of_null(void)
{
    world w;
    subject s;

    open_world(&w, AWSGI_NESTED);
    s = subject_of(&w);
    s.reactor = NULL;
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].null != SKIP)
            expect("a NULL reactor", calls[i].name, calls[i].null, calls[i].call(&s));
    close_world(&w, AWSGI_NESTED);
}

static void of_what_was_freed(void)
{
    world w;
    subject s;

    open_world(&w, AWSGI_NESTED);
    s.reactor = w.freed;
    s.waitable = w.freed_waitable;
    s.wait = w.freed_wait;
    s.completion = &w.freed_completion;
    CHECK(w.freed != w.reactor);
    for (size_t i = 0; i < CALLS; i++)
        expect("a freed reactor", calls[i].name, calls[i].freed, calls[i].call(&s));
    /* What never was one is no better. */
    s.reactor = (awsgi_reactor *)&w;
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].null != SKIP)
            expect("no reactor at all", calls[i].name, E(STALE), calls[i].call(&s));
    close_world(&w, AWSGI_NESTED);
}

static void *call_elsewhere(void *given)
{
    subject s = subject_of(given);

    expect("another thread", calls[which].name, calls[which].elsewhere, calls[which].call(&s));
    return NULL;
}

static void on_another_thread(void)
{
    for (which = 0; which < CALLS; which++) {
        world w;
        pthread_t thread;

        open_world(&w, AWSGI_NESTED);
        CHECK(pthread_create(&thread, NULL, call_elsewhere, &w) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        close_world(&w, AWSGI_NESTED);
    }
}

static void in_a_forked_child(void)
{
    world w;
    int status;
    pid_t child;

    open_world(&w, AWSGI_NESTED);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        subject s = subject_of(&w);

        for (size_t i = 0; i < CALLS; i++) {
            awsgi_status got = calls[i].call(&s);

            if (got != calls[i].forked) {
                (void)fprintf(stderr, "a forked child, %s: %s\n", calls[i].name,
                              awsgi_status_name(got));
                _exit(1);
            }
        }
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close_world(&w, AWSGI_NESTED);
}

static int called;

static void call_in_hook(world *w)
{
    subject s = subject_of(w);

    called++;
    expect("the wake hook", calls[which].name, calls[which].hook, calls[which].call(&s));
}

static void call_in_hook_elsewhere(world *w)
{
    subject s = subject_of(w);

    called++;
    expect("the wake hook on another thread", calls[which].name, calls[which].elsewhere,
           calls[which].call(&s));
}

static void *notify_spare(void *given)
{
    const world *w = given;

    OK(awsgi_notify(w->spare, AWSGI_READABLE));
    return NULL;
}

static void in_the_wake_hook(void)
{
    for (which = 0; which < CALLS; which++) {
        world w;
        pthread_t thread;

        called = 0;
        open_world(&w, AWSGI_DELEGATED);
        w.in_hook = call_in_hook;
        /* An earlier deadline is news to the host. */
        OK(awsgi_wait_forget(check_start(w.reactor, NULL, 0, 0, 0, EXPIRES - 1, 0)));
        CHECK(called == 1);
        close_world(&w, AWSGI_DELEGATED);

        open_world(&w, AWSGI_DELEGATED);
        w.in_hook = call_in_hook;
        OK(awsgi_reactor_stop(w.reactor));
        CHECK(called == 2);
        close_world(&w, AWSGI_DELEGATED);

        open_world(&w, AWSGI_DELEGATED);
        w.in_hook = call_in_hook_elsewhere;
        CHECK(pthread_create(&thread, NULL, notify_spare, &w) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(called == 3);
        close_world(&w, AWSGI_DELEGATED);
    }
}

static void while_it_closes(void)
{
    for (which = 0; which < CALLS; which++) {
        world w;
        subject s;

        if (calls[which].closing == SKIP)
            continue;
        open_world(&w, AWSGI_NESTED);
        s = subject_of(&w);
        OK(awsgi_reactor_close(w.reactor));
        expect("while it closes", calls[which].name, calls[which].closing, calls[which].call(&s));
        CHECK(check_stats(w.reactor).waits == PENDING);
        check_free(w.reactor);
        (void)close(w.pair[0]);
        (void)close(w.pair[1]);
    }
}

/* ---- in a step -------------------------------------------------------------------------------------- */

static world *of_step;

static int32_t step(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done,
                    size_t n)
{
    subject s = subject_of(of_step);
    awsgi_waitable self;
    uint64_t value = 77;

    (void)worker, (void)state, (void)done;
    CHECK(n == 0);
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].step != SKIP)
            expect("a step", calls[i].name, calls[i].step, calls[i].call(&s));
    CHECK(check_take(of_step->spare) == 1);
    called++;
    /* An exchange is no waitable and no wait, and its own waitable is not the caller's to end. */
    ANSWERS(AWSGI_E_INVALID, awsgi_waitable_close(x));
    ANSWERS(AWSGI_E_INVALID, awsgi_wait_cancel(x));
    ANSWERS(AWSGI_E_INVALID, awsgi_wait_forget(x));
    ANSWERS(AWSGI_E_INVALID, awsgi_wait_rearm(x));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(x, AWSGI_READABLE));
    OK(awsgi_exchange_self(x, &self));
    ANSWERS(AWSGI_E_STATE, awsgi_waitable_close(self));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(self, AWSGI_READABLE));
    ANSWERS(AWSGI_E_UNSUPPORTED, awsgi_waitable_take(self, &value));
    CHECK(value == 0);
    OK(awsgi_exchange_start(x, 204, NULL, 0));
    return AWSGI_DONE;
}

static int32_t entry(const awsgi_api *api, awsgi_application *application)
{
    (void)api;
    application->name = "steps";
    application->style = AWSGI_STEPS;
    application->run = step;
    return AWSGI_OK;
}

static void in_a_step(void)
{
    enum { OF_EXCHANGE = 77 };
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    awsgi_request request = AWSGI_REQUEST_INIT;
    awsgi_gateway *gateway;
    awsgi_exchange x;
    awsgi_status status;
    check_turned t;
    world w;
    int turns = 0;

    called = 0;
    open_world(&w, AWSGI_NESTED);
    of_step = &w;
    OK(awsgi_application_link(entry, NULL, &application));
    OK(awsgi_gateway_new(w.reactor, &application, NULL, &gateway));
    request.method = AWSGI_SLICE("GET");
    request.target = AWSGI_SLICE("/");
    request.server_name = AWSGI_SLICE("localhost");
    request.user_data = OF_EXCHANGE;
    OK(awsgi_gateway_open(gateway, &request, &x));
    while (called == 0) {
        CHECK(turns++ < 100);
        check_turn(w.reactor, &t, NOW);
        for (size_t i = 0; i < t.turn.done_n; i++)
            CHECK(t.done[i].user_data == OF_EXCHANGE);
    }
    OK(awsgi_exchange_end(x));
    OK(awsgi_gateway_close(gateway, 0));
    while ((status = awsgi_gateway_free(gateway)) == AWSGI_E_BUSY) {
        CHECK(turns++ < 100);
        check_turn(w.reactor, &t, NOW);
        for (size_t i = 0; i < t.turn.done_n; i++)
            CHECK(t.done[i].user_data == OF_EXCHANGE);
    }
    OK(status);
    CHECK(called == 1);
    OK(awsgi_application_unload(&application));
    close_world(&w, AWSGI_NESTED);
}

/* ---- tokens ----------------------------------------------------------------------------------------- */

enum { NONE, ONES, NO_KIND, NO_SLOT, NO_GENERATION, GONE, ENDED, FREED_WAITABLE, FREED_WAIT, A_WAITABLE,
       A_WAIT, TOKENS };

static const char *const token_names[TOKENS] = {
    "0", "all ones", "of no kind", "of a slot that never was", "of another generation",
    "of a waitable that is gone", "of a wait that has ended", "of a freed reactor's waitable",
    "of a freed reactor's wait", "of a waitable", "of a wait",
};

static uint64_t token_of(const world *w, int kind)
{
    switch (kind) {
    case NONE:
        return 0;
    case ONES:
        return UINT64_MAX;
    case NO_KIND:
        return w->event | UINT64_C(0xf) << 60;
    case NO_SLOT:
        return w->event | 0xfffffe;
    case NO_GENERATION:
        return w->event ^ UINT64_C(0x3000000) << 24;
    case GONE:
        return w->gone;
    case ENDED:
        return w->ended;
    case FREED_WAITABLE:
        return w->freed_waitable;
    case FREED_WAIT:
        return w->freed_wait;
    case A_WAITABLE:
        return w->event;
    default:
        return w->oneshot;
    }
}

/* In a set, among others. */
static awsgi_status call_start_with(const subject *s)
{
    awsgi_watch set[2];
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 77;
    awsgi_status status;

    set[0] = check_watch(s->waitable, AWSGI_READABLE);
    spec.set = set;
    spec.count = 1;
    status = awsgi_wait_start(s->reactor, &spec, &wait);
    CHECK(wait == 0);
    OK(awsgi_waitable_event(s->reactor, 0, &set[1].waitable));
    set[1].interest = AWSGI_READABLE;
    spec.count = 2;
    wait = 77;
    ANSWERS(status, awsgi_wait_start(s->reactor, &spec, &wait));
    CHECK(wait == 0);
    OK(awsgi_waitable_close(set[1].waitable));
    return status;
}

/* The answers to a token of the other kind; to all that name nothing they are STALE. */
static const struct {
    const char *name;
    awsgi_status (*call)(const subject *s);
    int other;
    awsgi_status answer;
} token_calls[] = {
    { "awsgi_waitable_take", call_take, A_WAIT, E(INVALID) },
    { "awsgi_waitable_label", call_label, A_WAIT, E(INVALID) },
    { "awsgi_waitable_describe", call_describe, A_WAIT, E(INVALID) },
    { "awsgi_waitable_close", call_close_waitable, A_WAIT, E(INVALID) },
    { "awsgi_notify", call_notify, A_WAIT, E(INVALID) },
    { "awsgi_notify_many", call_notify_many, A_WAIT, E(INVALID) },
    { "awsgi_wait_start", call_start_with, A_WAIT, E(INVALID) },
    { "awsgi_wait_cancel", call_cancel, A_WAITABLE, E(INVALID) },
    { "awsgi_wait_forget", call_forget, A_WAITABLE, E(INVALID) },
    { "awsgi_wait_rearm", call_rearm, A_WAITABLE, E(INVALID) },
    { "awsgi_completion_members", call_members, A_WAITABLE, E(STALE) },
};

static void of_tokens_that_name_nothing(void)
{
    for (int kind = 0; kind < TOKENS; kind++) {
        for (size_t i = 0; i < sizeof token_calls / sizeof token_calls[0]; i++) {
            world w;
            subject s;
            awsgi_completion completion;

            if (kind >= A_WAITABLE && kind != token_calls[i].other)
                continue;
            open_world(&w, AWSGI_NESTED);
            s = subject_of(&w);
            completion = w.fresh;
            s.waitable = s.wait = completion.wait = token_of(&w, kind);
            s.completion = &completion;
            expect(token_names[kind], token_calls[i].name,
                   kind < A_WAITABLE ? E(STALE) : token_calls[i].answer, token_calls[i].call(&s));
            close_world(&w, AWSGI_NESTED);
        }
    }
}

/* What is there, but not of the kind that the function is for. */
static void of_waitables_of_another_sort(void)
{
    world w;
    awsgi_notice notices[3] = { { 0, AWSGI_READABLE, 0 }, { 0, AWSGI_READABLE, 0 },
                                { 0, AWSGI_READABLE, 0 } };
    uint64_t value = 77;
    size_t stale = 77;

    open_world(&w, AWSGI_NESTED);
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(w.in, AWSGI_READABLE));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(w.timer, AWSGI_READABLE));
    ANSWERS(AWSGI_E_UNSUPPORTED, awsgi_waitable_take(w.in, &value));
    CHECK(value == 0);
    value = 77;
    ANSWERS(AWSGI_E_UNSUPPORTED, awsgi_waitable_take(w.foreign, &value));
    CHECK(value == 0);
    ANSWERS(AWSGI_E_STATE, awsgi_wait_rearm(w.oneshot));
    notices[0].waitable = w.timer;
    notices[1].waitable = w.gone;
    notices[2].waitable = w.spare;
    ANSWERS(AWSGI_E_INVALID, awsgi_notify_many(notices, 3, &stale));
    CHECK(stale == 0 && check_take(w.spare) == 1);
    close_world(&w, AWSGI_NESTED);
}

/* ---- pointers, sizes and options -------------------------------------------------------------------- */

static void of_pointers_that_must_not_be_null(void)
{
    awsgi_completion done;
    awsgi_watch_change change;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_reactor *made_one = NULL;
    awsgi_member member;
    awsgi_wait wait = 77;
    size_t count = 77;
    world w;

    open_world(&w, AWSGI_NESTED);
    ANSWERS(AWSGI_E_NULL, awsgi_last_error(NULL, 1, &count, NULL));
    OK(awsgi_last_error(NULL, 0, NULL, NULL));
    OK(awsgi_version(NULL, NULL));
    CHECK(strcmp(awsgi_status_name(12345), "AWSGI_E_?") == 0);
    count = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_completion_members(NULL, &member, 1, &count));
    CHECK(count == 0);
    count = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_completion_members(&w.fresh, NULL, 1, &count));
    CHECK(count == 0);
    ANSWERS(AWSGI_E_NULL, awsgi_completion_members(&w.fresh, &member, 1, NULL));
    OK(awsgi_completion_members(&w.fresh, NULL, 0, &count));
    CHECK(count == 1);
    OK(awsgi_reactor_new(NULL, &made_one));
    CHECK(made_one != NULL);
    check_free(made_one);
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_new(NULL, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_fd(w.reactor, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_now(w.reactor, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_stats(w.reactor, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_turn(w.reactor, NULL));
    turn.now = WAKES;
    turn.done_cap = 1;
    turn.done_n = turn.changes_n = 77;
    turn.next_deadline = turn.flags = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_turn(w.reactor, &turn));
    CHECK(turn.done_n == 0 && turn.changes_n == 0 && turn.next_deadline == 0 && turn.flags == 0);
    turn.done = &done;
    turn.changes_cap = 1;
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_turn(w.reactor, &turn));
    turn.changes = &change;
    turn.changes_cap = SIZE_MAX;
    ANSWERS(AWSGI_E_INVALID, awsgi_reactor_turn(w.reactor, &turn));
    turn.changes_cap = 1;
    turn.done_cap = SIZE_MAX / 8;
    ANSWERS(AWSGI_E_INVALID, awsgi_reactor_turn(w.reactor, &turn));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_descriptor(w.reactor, 0, 0, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_foreign(w.reactor, 0, 0, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_event(w.reactor, 0, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_timer(w.reactor, 0, 0, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_take(w.event, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_label(w.event, NULL, 1));
    count = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_describe(w.event, NULL, 1, &count));
    CHECK(count == 0);
    OK(awsgi_waitable_describe(w.event, NULL, 0, NULL));
    count = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_notify_many(NULL, 1, &count));
    CHECK(count == 0);
    ANSWERS(AWSGI_E_NULL, awsgi_wait_start(w.reactor, NULL, &wait));
    CHECK(wait == 0);
    spec.count = 1;
    spec.deadline = 1;
    wait = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_wait_start(w.reactor, &spec, &wait));
    CHECK(wait == 0);
    close_world(&w, AWSGI_NESTED);
}

static void of_sizes_that_were_not_set(void)
{
    static const size_t wrong[] = { 0, 1, 7, 65537, SIZE_MAX };
    world w;

    open_world(&w, AWSGI_NESTED);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0] + 1; i++) {
        awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
        awsgi_turn turn = AWSGI_TURN_INIT;
        awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
        awsgi_stats stats = AWSGI_STATS_INIT;
        awsgi_reactor *none = w.reactor;
        awsgi_wait wait = 77;

        options.size = turn.size = spec.size = stats.size = wrong[i % 5];
        if (i == 5) {
            /* One byte of what has been there from the first is missing. */
            options.size = sizeof options - 1;
            turn.size = sizeof turn - 1;
            spec.size = sizeof spec - 1;
        }
        turn.now = WAKES;
        spec.deadline = 1;
        ANSWERS(AWSGI_E_INVALID, awsgi_reactor_new(&options, &none));
        CHECK(none == NULL);
        ANSWERS(AWSGI_E_INVALID, awsgi_reactor_turn(w.reactor, &turn));
        ANSWERS(AWSGI_E_INVALID, awsgi_wait_start(w.reactor, &spec, &wait));
        CHECK(wait == 0);
        ANSWERS(AWSGI_E_INVALID, awsgi_reactor_stats(w.reactor, &stats));
    }
    close_world(&w, AWSGI_NESTED);
}

static void of_options_that_exclude_each_other(void)
{
    static const struct {
        uint32_t mode, flags;
        int wake;
    } rows[] = {
        { 4, 0, 0 },
        { UINT32_MAX, 0, 0 },
        { AWSGI_OWNED, 16, 0 },
        { AWSGI_NESTED, UINT32_C(1) << 31, 0 },
        { AWSGI_DELEGATED, 0, 0 },
        { 0, 0, 1 },
        { AWSGI_OWNED, 0, 1 },
        { AWSGI_NESTED, 0, 1 },
        { AWSGI_OWNED, AWSGI_HOST_WATCHES_DESCRIPTORS, 0 },
        { AWSGI_NESTED, AWSGI_HOST_WATCHES_DESCRIPTORS, 0 },
        { AWSGI_OWNED, AWSGI_HOST_GIVES_CLOCK | AWSGI_HOST_HONOURS_DEADLINE, 0 },
        { AWSGI_NESTED, AWSGI_HOST_GIVES_CLOCK, 0 },
        { AWSGI_DELEGATED, AWSGI_HOST_GIVES_CLOCK, 1 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
        awsgi_reactor *reactor = (awsgi_reactor *)&options;

        options.mode = rows[i].mode;
        options.flags = rows[i].flags;
        if (rows[i].wake)
            options.wake = wake;
        ANSWERS(AWSGI_E_INVALID, awsgi_reactor_new(&options, &reactor));
        CHECK(reactor == NULL);
    }
}

static void of_the_descriptor_of_another_mode(void)
{
    awsgi_reactor *owned = check_reactor();
    awsgi_os_handle fd = 77;
    world w;

    ANSWERS(AWSGI_E_STATE, awsgi_reactor_fd(owned, &fd));
    CHECK(fd == -1);
    check_free(owned);
    open_world(&w, AWSGI_DELEGATED);
    fd = 77;
    ANSWERS(AWSGI_E_STATE, awsgi_reactor_fd(w.reactor, &fd));
    CHECK(fd == -1);
    close_world(&w, AWSGI_DELEGATED);
}

static void of_too_early_an_end(void)
{
    world w;

    open_world(&w, AWSGI_NESTED);
    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_free(w.reactor));
    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_adopt(w.reactor));
    close_world(&w, AWSGI_NESTED);
}

static void of_too_many(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_waitable waitable;
    awsgi_wait wait = 77;
    subject s;

    options.max_waitables = 1;
    options.max_waits = 1;
    OK(awsgi_reactor_new(&options, &reactor));
    OK(awsgi_waitable_event(reactor, 0, &waitable));
    (void)check_wait(reactor, waitable, AWSGI_READABLE, 7);
    s.reactor = reactor;
    ANSWERS(AWSGI_E_LIMIT, call_event(&s));
    ANSWERS(AWSGI_E_LIMIT, call_timer(&s));
    ANSWERS(AWSGI_E_LIMIT, call_foreign(&s));
    ANSWERS(AWSGI_E_LIMIT, call_descriptor(&s));
    spec.deadline = AWSGI_NOW;
    ANSWERS(AWSGI_E_LIMIT, awsgi_wait_start(reactor, &spec, &wait));
    CHECK(wait == 0);
    OK(awsgi_notify(waitable, AWSGI_READABLE));
    CHECK(check_next(reactor).user_data == 7);
    OK(awsgi_wait_start(reactor, &spec, &wait));
    CHECK(check_next(reactor).wait == wait);
    OK(awsgi_waitable_close(waitable));
    OK(awsgi_waitable_event(reactor, 0, &waitable));
    check_free(reactor);
}

typedef struct {
    void (*run)(void *arg);
    void *arg;
} job;

static pthread_t spawned;

static void *run_job(void *given)
{
    job j = *(job *)given;

    free(given);
    j.run(j.arg);
    return NULL;
}

static int spawn(void (*run)(void *arg), void *arg, const char *name, void *data)
{
    job *j = malloc(sizeof *j);

    (void)name, (void)data;
    CHECK(j != NULL);
    j->run = run;
    j->arg = arg;
    return pthread_create(&spawned, NULL, run_job, j);
}

/* These need no descriptors. */
static awsgi_reactor *delegated(awsgi_status status)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor = (awsgi_reactor *)&options;
    static world nobody;        /* for the hook */

    options.mode = AWSGI_DELEGATED;
    options.wake = wake;
    options.spawn = spawn;
    options.data = &nobody;
    ANSWERS(status, awsgi_reactor_new(&options, &reactor));
    CHECK(!(status == AWSGI_OK) == !(reactor != NULL));
    return reactor;
}

static void of_too_many_reactors(void)
{
    enum { MOST = 1024 };
    static awsgi_reactor *reactors[MOST];

    for (size_t i = 0; i < MOST; i++)
        reactors[i] = delegated(AWSGI_OK);
    (void)delegated(AWSGI_E_LIMIT);
    check_free(reactors[MOST / 2]);
    reactors[MOST / 2] = delegated(AWSGI_OK);
    (void)delegated(AWSGI_E_LIMIT);
    for (size_t i = 0; i < MOST; i++)
        check_free(reactors[i]);
}

static int numbers_in_use(void)
{
    int used = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct stat status;

        used += fstat(fd, &status) == 0;
    }
    return used;
}

/* The process may open this many more, if its numbers have no gaps. */
static void allow(struct rlimit *limit, int more)
{
    int next = dup(0);

    CHECK(next >= 0);
    (void)close(next);
    limit->rlim_cur = (rlim_t)(next + more);
    CHECK(setrlimit(RLIMIT_NOFILE, limit) == 0);
}

static void of_too_few_descriptors(void)
{
    static const struct {
        uint32_t mode;
        int enough;             /* so many are */
    } rows[] = { { AWSGI_OWNED, 16 }, { AWSGI_NESTED, 16 }, { AWSGI_DELEGATED, 16 } };
    struct rlimit before, limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    limit = before;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int refused = 0;

        for (int more = 0; more <= rows[i].enough; more++) {
            awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
            awsgi_reactor *reactor = (awsgi_reactor *)&options;
            awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
            awsgi_watch set = { 0, AWSGI_WRITABLE, 0 };
            awsgi_wait wait = 77;
            awsgi_status status = AWSGI_OK;
            int32_t error = 0;
            int pair[2], used;

            CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
            used = numbers_in_use();
            if (rows[i].mode == AWSGI_DELEGATED) {
                reactor = delegated(AWSGI_OK);
                OK(awsgi_waitable_descriptor(reactor, pair[0], 0, &set.waitable));
                spec.set = &set;
                spec.count = 1;
                allow(&limit, more);
                /* The first descriptor needs a selector, and the library's thread. */
                status = awsgi_wait_start(reactor, &spec, &wait);
                CHECK(!(status == AWSGI_OK) == !(wait != 0));
            } else {
                options.mode = rows[i].mode;
                allow(&limit, more);
                status = awsgi_reactor_new(&options, &reactor);
                CHECK(!(status == AWSGI_OK) == !(reactor != NULL));
            }
            OK(awsgi_last_error(NULL, 0, NULL, &error));
            limit.rlim_cur = before.rlim_cur;
            CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
            if (status != AWSGI_OK) {
                CHECK(status == AWSGI_E_OS && error == EMFILE && refused == more);
                CHECK(numbers_in_use() == used);
                refused++;
            }
            if (rows[i].mode == AWSGI_DELEGATED && status != AWSGI_OK) {
                CHECK(check_stats(reactor).waits == 0);
                OK(awsgi_wait_start(reactor, &spec, &wait));
            }
            if (reactor != NULL)
                check_free(reactor);
            if (rows[i].mode == AWSGI_DELEGATED) {
                /* It closes what it had. */
                CHECK(pthread_join(spawned, NULL) == 0);
            }
            (void)close(pair[0]);
            (void)close(pair[1]);
            CHECK(numbers_in_use() == used - 2);
        }
        CHECK(refused >= 2 && refused < rows[i].enough);
    }
}

/* ---- waitables -------------------------------------------------------------------------------------- */

static void of_flags_that_do_not_exist(void)
{
    static const uint32_t wrong[] = { 2, 3, 4, UINT32_C(1) << 31, UINT32_MAX };
    world w;

    open_world(&w, AWSGI_NESTED);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        awsgi_waitable waitable = 77;

        ANSWERS(AWSGI_E_INVALID, awsgi_waitable_descriptor(w.reactor, 0, wrong[i], &waitable));
        CHECK(waitable == 0);
        waitable = 77;
        ANSWERS(AWSGI_E_INVALID, awsgi_waitable_foreign(w.reactor, 0, wrong[i], &waitable));
        CHECK(waitable == 0);
        waitable = 77;
        ANSWERS(AWSGI_E_INVALID, awsgi_waitable_event(w.reactor, wrong[i], &waitable));
        CHECK(waitable == 0);
    }
    close_world(&w, AWSGI_NESTED);
}

static void refuse_descriptor(awsgi_reactor *reactor, int fd, uint32_t flags, awsgi_status status,
                              int wanted_error)
{
    awsgi_waitable waitable = 77;
    int32_t error = 77;

    ANSWERS(status, awsgi_waitable_descriptor(reactor, fd, flags, &waitable));
    CHECK(waitable == 0);
    OK(awsgi_last_error(NULL, 0, NULL, &error));
    CHECK(error == wanted_error);
}

static void of_descriptors_that_are_none(uint32_t mode)
{
    int closed[2];
    world w;

    open_world(&w, mode);
    CHECK(pipe(closed) == 0);
    (void)close(closed[0]);
    (void)close(closed[1]);
    for (uint32_t flags = 0; flags <= AWSGI_OWN; flags++) {
        refuse_descriptor(w.reactor, -1, flags, AWSGI_E_OS, EBADF);
        refuse_descriptor(w.reactor, INT_MIN, flags, AWSGI_E_OS, EBADF);
        refuse_descriptor(w.reactor, INT_MAX, flags, AWSGI_E_OS, EBADF);
        refuse_descriptor(w.reactor, closed[0], flags, AWSGI_E_OS, EBADF);
    }
    close_world(&w, mode);
}

/* Waits for it, alone and after one that can be watched. */
static void refuse_wait(world *w, awsgi_waitable waitable, awsgi_status status, int wanted_error)
{
    awsgi_watch set[2];
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    set[0] = check_watch(w->in, AWSGI_READABLE);
    set[1] = check_watch(waitable, AWSGI_READABLE);
    for (size_t count = 1; count <= 2; count++) {
        awsgi_wait wait = 77;
        int32_t error = 77;

        spec.set = &set[2 - count];
        spec.count = count;
        ANSWERS(status, awsgi_wait_start(w->reactor, &spec, &wait));
        CHECK(wait == 0);
        OK(awsgi_last_error(NULL, 0, NULL, &error));
        CHECK(error == wanted_error);
    }
}

static void of_a_number_that_was_closed_since(uint32_t mode)
{
    awsgi_waitable in;
    int ends[2];
    world w;

    open_world(&w, mode);
    CHECK(pipe(ends) == 0);
    OK(awsgi_waitable_descriptor(w.reactor, ends[0], 0, &in));
    (void)close(ends[0]);
    (void)close(ends[1]);
    refuse_wait(&w, in, AWSGI_E_OS, EBADF);
    OK(awsgi_waitable_close(in));
    close_world(&w, mode);
}

static void of_a_number_that_is_owned(uint32_t mode)
{
    awsgi_waitable owned, lent;
    int ends[2];
    world w;

    open_world(&w, mode);
    CHECK(pipe(ends) == 0);
    OK(awsgi_waitable_descriptor(w.reactor, ends[0], 0, &lent));
    OK(awsgi_waitable_descriptor(w.reactor, ends[0], AWSGI_OWN, &owned));
    refuse_descriptor(w.reactor, ends[0], AWSGI_OWN, AWSGI_E_STATE, 0);
    OK(awsgi_waitable_close(lent));
    refuse_descriptor(w.reactor, ends[0], AWSGI_OWN, AWSGI_E_STATE, 0);
    OK(awsgi_waitable_close(owned));
    (void)close(ends[1]);
    close_world(&w, mode);
}

enum { NUMBERS = 256 };

static void look_at_numbers(char *open)
{
    for (int fd = 0; fd < NUMBERS; fd++) {
        int copy = dup(fd);

        open[fd] = copy >= 0;
        if (copy >= 0)
            (void)close(copy);
    }
}

static void of_the_reactors_own(void)
{
    static const struct {
        uint32_t mode, flags;
        int least;              /* how many it has */
    } rows[] = {
        { AWSGI_OWNED, 0, 2 },
        { AWSGI_NESTED, 0, 4 },
        { AWSGI_NESTED, AWSGI_HOST_HONOURS_DEADLINE, 3 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
        awsgi_reactor *reactor;
        char before[NUMBERS], after[NUMBERS];
        awsgi_os_handle own = -1;
        int found = 0;

        options.mode = rows[i].mode;
        options.flags = rows[i].flags;
        look_at_numbers(before);
        OK(awsgi_reactor_new(&options, &reactor));
        look_at_numbers(after);
        if (rows[i].mode == AWSGI_NESTED)
            OK(awsgi_reactor_fd(reactor, &own));
        for (int fd = 0; fd < NUMBERS; fd++) {
            if (after[fd] && !before[fd]) {
                refuse_descriptor(reactor, fd, 0, AWSGI_E_NESTING, 0);
                refuse_descriptor(reactor, fd, AWSGI_OWN, AWSGI_E_NESTING, 0);
                found++;
            }
        }
        CHECK(found >= rows[i].least && (own == -1 || (after[own] && !before[own])));
        check_free(reactor);
    }
}

static int epoll_of(int fd)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    CHECK(epoll >= 0);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        (void)close(epoll);
        return -1;
    }
    return epoll;
}

static void of_loops_in_a_circle(void)
{
    awsgi_waitable waitable;
    awsgi_os_handle own;
    int inner, outer;
    world w;

    open_world(&w, AWSGI_NESTED);
    OK(awsgi_reactor_fd(w.reactor, &own));
    inner = epoll_of(own);
    CHECK(inner >= 0);
    outer = epoll_of(inner);
    CHECK(outer >= 0);
    OK(awsgi_waitable_descriptor(w.reactor, inner, 0, &waitable));
    refuse_wait(&w, waitable, AWSGI_E_NESTING, 0);
    OK(awsgi_waitable_close(waitable));
    OK(awsgi_waitable_descriptor(w.reactor, outer, 0, &waitable));
    refuse_wait(&w, waitable, AWSGI_E_NESTING, 0);
    OK(awsgi_waitable_close(waitable));
    (void)close(outer);
    (void)close(inner);
    close_world(&w, AWSGI_NESTED);
}

static void of_loops_too_deep(void)
{
    awsgi_waitable waitable;
    int chain[16], depth = 1;
    world w;

    open_world(&w, AWSGI_NESTED);
    chain[0] = epoll_of(w.pair[1]);
    while (depth < 16 && (chain[depth] = epoll_of(chain[depth - 1])) >= 0)
        depth++;
    CHECK(depth < 16);          /* the kernel has a limit, which we add to */
    OK(awsgi_waitable_descriptor(w.reactor, chain[depth - 1], 0, &waitable));
    refuse_wait(&w, waitable, AWSGI_E_NESTING, 0);
    OK(awsgi_waitable_close(waitable));
    while (depth-- > 0)
        (void)close(chain[depth]);
    close_world(&w, AWSGI_NESTED);
}

/* ---- waits ------------------------------------------------------------------------------------------ */

static void of_questions_that_make_no_sense(void)
{
    enum { F = 1, N = 2 };      /* a deadline: FOREVER, NOW, else the time itself */
    static const struct {
        const char *what;
        size_t count;           /* of event, counter, timer, ... */
        uint32_t interest[3], at_least, flags;
        int deadline;
        int twice;              /* the second is the first */
        awsgi_status answer;
    } rows[] = {
        { "nothing, for ever", 0, { 0 }, 0, 0, F, 0, E(INVALID) },
        { "one of nothing, for ever", 0, { 0 }, 1, 0, F, 0, E(INVALID) },
        { "two of nothing", 0, { 0 }, 2, 0, N, 0, E(INVALID) },
        { "two of one", 1, { 1 }, 2, 0, F, 0, E(INVALID) },
        { "four of three", 3, { 1, 1, 1 }, 4, 0, F, 0, E(INVALID) },
        { "all the numbers there are of three", 3, { 1, 1, 1 }, UINT32_MAX, 0, F, 0, E(INVALID) },
        { "65,536 of three", 3, { 1, 1, 1 }, 65536, 0, F, 0, E(INVALID) },
        { "65,537 of three", 3, { 1, 1, 1 }, 65537, 0, F, 0, E(INVALID) },
        { "no interest", 1, { 0 }, 0, 0, F, 0, E(INVALID) },
        { "an interest that is none", 1, { 64 }, 0, 0, F, 0, E(INVALID) },
        { "an exchange's interest", 1, { 256 }, 0, 0, F, 0, E(INVALID) },
        { "every bit", 1, { UINT32_MAX }, 0, 0, F, 0, E(INVALID) },
        { "a bit too many", 1, { 1 + 64 }, 0, 0, F, 0, E(INVALID) },
        { "the highest bit", 1, { UINT32_C(1) << 31 }, 0, 0, N, 0, E(INVALID) },
        { "no interest in the last", 3, { 1, 1, 0 }, 0, 0, F, 0, E(INVALID) },
        { "no interest in the first", 2, { 0, 1 }, 2, 0, F, 0, E(INVALID) },
        { "one twice", 2, { 1, 1 }, 0, 0, F, 1, E(INVALID) },
        { "one twice, for different things", 3, { 1, 2, 1 }, 3, 0, N, 1, E(INVALID) },
        { "multishot of nothing", 0, { 0 }, 0, AWSGI_MULTISHOT, N, 0, E(INVALID) },
        { "multishot of two", 2, { 1, 1 }, 0, AWSGI_MULTISHOT, F, 0, E(INVALID) },
        { "multishot of three", 3, { 1, 1, 1 }, 3, AWSGI_MULTISHOT, F, 0, E(INVALID) },
        { "a flag that is none", 1, { 1 }, 0, 4, F, 0, E(INVALID) },
        { "a flag that is none, and others", 1, { 1 }, 0, 7, F, 0, E(INVALID) },
        { "the highest flag", 1, { 1 }, 0, UINT32_C(1) << 31, N, 0, E(INVALID) },
        /* These are none, and end at once. */
        { "a sleep until now", 0, { 0 }, 0, 0, N, 0, AWSGI_OK },
        { "a sleep until before now", 0, { 0 }, 1, 0, 7, 0, AWSGI_OK },
        { "a sleep off the loop", 0, { 0 }, 0, AWSGI_OFF_LOOP, 7, 0, AWSGI_OK },
        { "what is not ready, now", 1, { 1 }, 1, 0, N, 0, AWSGI_OK },
        { "what is not ready, before now", 3, { 1, 63, 32 }, 3, 0, 7, 0, AWSGI_OK },
        { "again and again, until before now", 1, { 1 }, 0, AWSGI_MULTISHOT, 7, 0, AWSGI_OK },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        awsgi_watch set[3];
        awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
        awsgi_wait wait = 77;
        awsgi_status status;
        world w;

        open_world(&w, AWSGI_NESTED);
        set[0] = check_watch(w.event, rows[i].interest[0]);
        set[1] = check_watch(rows[i].twice ? w.event : w.foreign, rows[i].interest[1]);
        set[2] = check_watch(w.in, rows[i].interest[2]);
        spec.set = set;
        spec.count = rows[i].count;
        spec.at_least = rows[i].at_least;
        spec.flags = rows[i].flags;
        spec.deadline = rows[i].deadline == F ? AWSGI_FOREVER
                        : rows[i].deadline == N ? AWSGI_NOW
                                                : (uint64_t)rows[i].deadline;
        status = awsgi_wait_start(w.reactor, &spec, &wait);
        expect("a wait", rows[i].what, rows[i].answer, made(status, wait));
        if (rows[i].answer == AWSGI_OK) {
            awsgi_completion done = check_one(w.reactor, NOW);

            CHECK(done.wait == wait && done.outcome == AWSGI_TIMED_OUT && done.flags == 0);
        }
        close_world(&w, AWSGI_NESTED);
    }
}

static void of_a_set_that_ends_nowhere(void)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_watch set = { 0, AWSGI_READABLE, 0 };
    awsgi_wait wait = 77;
    world w;

    open_world(&w, AWSGI_NESTED);
    set.waitable = w.event;
    spec.count = 1;
    ANSWERS(AWSGI_E_NULL, awsgi_wait_start(w.reactor, &spec, &wait));
    CHECK(wait == 0);
    wait = 77;
    spec.count = SIZE_MAX;
    ANSWERS(AWSGI_E_NULL, awsgi_wait_start(w.reactor, &spec, &wait));
    CHECK(wait == 0);
    wait = 77;
    spec.set = &set;
    ANSWERS(AWSGI_E_INVALID, awsgi_wait_start(w.reactor, &spec, &wait));
    CHECK(wait == 0);
    /* Too long a set is not even looked at. */
    wait = 77;
    spec.count = 65536;
    ANSWERS(AWSGI_E_INVALID, awsgi_wait_start(w.reactor, &spec, &wait));
    CHECK(wait == 0);
    close_world(&w, AWSGI_NESTED);
}

static void of_waitables_of_another_reactor(void)
{
    world w;
    awsgi_reactor *other = check_clocked();
    awsgi_watch set[2];
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 77;

    open_world(&w, AWSGI_NESTED);
    set[0] = check_watch(w.event, AWSGI_READABLE);
    set[1] = check_watch(0, AWSGI_READABLE);
    OK(awsgi_waitable_event(other, 0, &set[1].waitable));
    spec.set = set;
    spec.count = 2;
    ANSWERS(AWSGI_E_STALE, awsgi_wait_start(w.reactor, &spec, &wait));
    CHECK(wait == 0);
    wait = 77;
    ANSWERS(AWSGI_E_STALE, awsgi_wait_start(other, &spec, &wait));
    CHECK(wait == 0);
    close_world(&w, AWSGI_NESTED);
    check_none(other, NOW);
    check_free(other);
}

int main(void)
{
    /* Numbers are reused oldest first: with two that are free, the reactors of a test that frees one
     * and makes another have different ones. */
    awsgi_reactor *spares[2] = { check_reactor(), check_reactor() };

    check_free(spares[0]);
    check_free(spares[1]);
    of_null();
    of_what_was_freed();
    on_another_thread();
    in_a_forked_child();
    in_the_wake_hook();
    while_it_closes();
    in_a_step();
    of_tokens_that_name_nothing();
    of_waitables_of_another_sort();
    of_pointers_that_must_not_be_null();
    of_sizes_that_were_not_set();
    of_options_that_exclude_each_other();
    of_the_descriptor_of_another_mode();
    of_too_early_an_end();
    of_too_many();
    of_too_many_reactors();
    of_too_few_descriptors();
    of_flags_that_do_not_exist();
    for (uint32_t mode = AWSGI_NESTED; mode <= AWSGI_DELEGATED; mode++) {
        of_descriptors_that_are_none(mode);
        of_a_number_that_was_closed_since(mode);
        of_a_number_that_is_owned(mode);
    }
    of_the_reactors_own();
    of_loops_in_a_circle();
    of_loops_too_deep();
    of_questions_that_make_no_sense();
    of_a_set_that_ends_nowhere();
    of_waitables_of_another_reactor();
    return 0;
}
