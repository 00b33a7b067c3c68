/* Foreign waitables: a host that watches objects of its own with poll(2), in every mode. The library
 * knows them by made-up handles; what it asks of the host is counted to the change. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the host ------------------------------------------------------------------------------------- */

enum { OBJECTS = 8 };

/* A socket of which the library knows no number. */
typedef struct {
    int fd, peer;
    awsgi_waitable waitable;    /* as it was made */
    awsgi_waitable known_as;    /* as the last watch change called it */
    uint32_t kind, watched;
    int changes;                /* how many watch changes there were */
} object;

typedef struct {
    awsgi_reactor *reactor;
    uint32_t mode;
    size_t changes_cap;
    sem_t woken;                /* delegated mode */
    object objects[OBJECTS];
    check_turned t;
} host;

static uint64_t handle_of(size_t which)
{
    return UINT64_C(0xfeed000000000000) + which * 1000;
}

static void wake(void *data)
{
    CHECK(sem_post(data) == 0);
}

static void open_host(host *h, uint32_t mode)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;

    memset(h, 0, sizeof *h);
    CHECK(sem_init(&h->woken, 0, 0) == 0);
    options.mode = mode;
    options.data = &h->woken;
    if (mode == AWSGI_DELEGATED)
        options.wake = wake;
    OK(awsgi_reactor_new(&options, &h->reactor));
    h->mode = mode;
    h->changes_cap = 16;
}

static void open_object(host *h, size_t which, uint32_t kind)
{
    object *o = &h->objects[which];
    int pair[2];

    memset(o, 0, sizeof *o);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    o->fd = pair[0];
    o->peer = pair[1];
    o->kind = kind;
    OK(awsgi_waitable_foreign(h->reactor, handle_of(which), kind, &o->waitable));
}

static void close_host(host *h)
{
    check_free(h->reactor);
    for (size_t i = 0; i < OBJECTS; i++) {
        if (h->objects[i].waitable != 0) {
            (void)close(h->objects[i].fd);
            (void)close(h->objects[i].peer);
        }
    }
}

/* Does as it is told. */
static void apply(host *h)
{
    for (size_t i = 0; i < h->t.turn.changes_n; i++) {
        const awsgi_watch_change *change = &h->t.changes[i];
        size_t which = (size_t)(change->handle - handle_of(0)) / 1000;
        object *o = &h->objects[which];

        CHECK(which < OBJECTS && change->handle == handle_of(which));
        CHECK(change->kind == o->kind && change->waitable == o->waitable);
        CHECK((change->interest & ~(uint32_t)63) == 0);
        o->known_as = change->waitable;
        o->watched = change->interest;
        o->changes++;
    }
}

/* Turns without blocking; answers how many completions came. */
static size_t turn(host *h)
{
    check_turn_with(h->reactor, &h->t, 0, 16, h->changes_cap);
    apply(h);
    return h->t.turn.done_n;
}

/* Turns, and checks that it asks for as many changes. */
static size_t turn_changes(host *h, size_t changes)
{
    size_t done = turn(h);

    CHECK(h->t.turn.changes_n == changes);
    return done;
}

/* Looks at its objects, as its loop would, and reports each that is ready. Answers how many. */
static int look(host *h)
{
    struct pollfd watched[OBJECTS];
    int reports = 0;

    for (size_t i = 0; i < OBJECTS; i++) {
        const object *o = &h->objects[i];

        watched[i].fd = o->watched != 0 ? o->fd : -1;
        watched[i].revents = 0;
        watched[i].events = (short)((o->watched & AWSGI_READABLE ? POLLIN : 0)
                                    | (o->watched & AWSGI_WRITABLE ? POLLOUT : 0));
    }
    CHECK(poll(watched, OBJECTS, 0) >= 0);
    for (size_t i = 0; i < OBJECTS; i++) {
        object *o = &h->objects[i];
        uint32_t ready = 0;

        if (watched[i].fd < 0 || watched[i].revents == 0)
            continue;
        if (watched[i].revents & POLLIN)
            ready |= AWSGI_READABLE;
        if (watched[i].revents & POLLOUT)
            ready |= AWSGI_WRITABLE;
        if (watched[i].revents & POLLHUP)
            ready |= AWSGI_HANGUP;
        OK(awsgi_notify(o->known_as, ready));
        if (o->kind == AWSGI_ONCE)
            o->watched = 0;
        reports++;
    }
    return reports;
}

static void fill(const object *o)
{
    CHECK(write(o->peer, "x", 1) == 1);
}

static void drain(const object *o)
{
    char bytes[16];

    CHECK(read(o->fd, bytes, sizeof bytes) > 0);
}

static awsgi_wait wait_for(host *h, size_t which, uint32_t interest)
{
    return check_wait(h->reactor, h->objects[which].waitable, interest, which);
}

/* What the next report without a look at the object would be. */
static void report(host *h, size_t which, uint32_t ready)
{
    OK(awsgi_notify(h->objects[which].waitable, ready));
}

/* ---- level ---------------------------------------------------------------------------------------- */

static void a_rhythm_needs_one_change(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    CHECK(turn_changes(&h, 0) == 0);
    for (int round = 0; round < 50; round++) {
        (void)wait_for(&h, 0, AWSGI_READABLE);
        CHECK(turn_changes(&h, round == 0) == 0);
        CHECK(o->watched == AWSGI_READABLE);
        CHECK(look(&h) == 0);
        fill(o);
        CHECK(look(&h) == 1);
        CHECK(turn_changes(&h, 0) == 1);
        CHECK(h.t.done[0].outcome == AWSGI_READY && h.t.done[0].ready == AWSGI_READABLE);
        /* Every second time the host reports once more before it is drained: still no change. */
        if (round % 2) {
            CHECK(look(&h) == 1);
            CHECK(turn_changes(&h, 0) == 0);
        }
        drain(o);
    }
    CHECK(o->changes == 1 && check_stats(h.reactor).changes == 1);
    close_host(&h);
}

static void two_unwanted_reports_have_it_stop(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    for (int round = 0; round < 3; round++) {
        (void)wait_for(&h, 0, AWSGI_READABLE);
        CHECK(turn_changes(&h, 1) == 0 && o->watched == AWSGI_READABLE);
        fill(o);
        CHECK(look(&h) == 1 && turn_changes(&h, 0) == 1);
        /* Nobody waits, nobody drains. */
        CHECK(look(&h) == 1 && turn_changes(&h, 0) == 0);
        CHECK(look(&h) == 1 && turn_changes(&h, 1) == 0);
        CHECK(o->watched == 0 && h.t.changes[0].interest == 0);
        CHECK(look(&h) == 0 && turn_changes(&h, 0) == 0);
        drain(o);
    }
    CHECK(check_stats(h.reactor).spurious == 6);
    close_host(&h);
}

static void interest_widens_at_once_and_narrows_late(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];
    awsgi_wait reader;

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    reader = wait_for(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == AWSGI_READABLE);
    (void)wait_for(&h, 0, AWSGI_WRITABLE);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == (AWSGI_READABLE | AWSGI_WRITABLE));
    CHECK(look(&h) == 1 && turn_changes(&h, 0) == 1);
    CHECK(h.t.done[0].ready == AWSGI_WRITABLE);
    /* That it is writable is told twice in vain; that it is readable is waited for still. */
    CHECK(look(&h) == 1 && turn_changes(&h, 0) == 0);
    CHECK(look(&h) == 1 && turn_changes(&h, 1) == 0 && o->watched == AWSGI_READABLE);
    OK(awsgi_wait_forget(reader));
    CHECK(turn_changes(&h, 0) == 0);
    report(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 0) == 0);
    report(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == 0);
    close_host(&h);
}

static void a_report_that_somebody_saw_begins_the_row_anew(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    for (int round = 0; round < 3; round++) {
        (void)wait_for(&h, 0, AWSGI_READABLE);
        CHECK(turn_changes(&h, round == 0) == 0);
        report(&h, 0, AWSGI_READABLE);
        CHECK(turn_changes(&h, 0) == 1);
        report(&h, 0, AWSGI_READABLE);
        CHECK(turn_changes(&h, 0) == 0 && o->watched == AWSGI_READABLE);
    }
    close_host(&h);
}

static void who_asks_for_the_hangup_alone_has_it_watched(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    (void)wait_for(&h, 0, AWSGI_HANGUP);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == AWSGI_HANGUP);
    fill(o);
    CHECK(look(&h) == 0 && turn_changes(&h, 0) == 0);
    report(&h, 0, AWSGI_HANGUP);
    CHECK(turn_changes(&h, 0) == 1 && h.t.done[0].ready == AWSGI_HANGUP);
    /* What cannot be left out of a watch ends all of it. */
    report(&h, 0, AWSGI_HANGUP);
    CHECK(turn_changes(&h, 0) == 0);
    report(&h, 0, AWSGI_HANGUP);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == 0);
    close_host(&h);
}

static void off_loop_stops_as_soon_as_it_has_ended(uint32_t mode)
{
    enum { REPORT, CANCEL, TIMEOUT, FORGET };
    host h;
    object *o = &h.objects[0];

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    for (int how = REPORT; how <= FORGET; how++) {
        for (int other = 0; other < 2; other++) {
            awsgi_watch set = check_watch(o->waitable, AWSGI_READABLE);
            uint64_t deadline = AWSGI_FOREVER;
            awsgi_wait wait, stays = 0;

            if (other) {
                stays = wait_for(&h, 0, how == REPORT ? AWSGI_WRITABLE : AWSGI_READABLE);
                CHECK(turn_changes(&h, 1) == 0);
            }
            if (how == TIMEOUT)
                deadline = AWSGI_NOW;
            wait = check_start(h.reactor, &set, 1, 0, AWSGI_OFF_LOOP, deadline, 7);
            if (how != TIMEOUT)
                CHECK(turn_changes(&h, !other || how == REPORT) == 0);
            switch (how) {
            case REPORT:
                report(&h, 0, AWSGI_READABLE);
                break;
            case CANCEL:
                OK(awsgi_wait_cancel(wait));
                break;
            case FORGET:
                OK(awsgi_wait_forget(wait));
                break;
            default:
                break;
            }
            /* With the same turn, unless somebody else asks for the same. */
            CHECK(turn(&h) == (how != FORGET));
            CHECK(o->watched == (!other ? 0 : how == REPORT ? AWSGI_WRITABLE : AWSGI_READABLE));
            CHECK(h.t.turn.changes_n == (how == TIMEOUT || (other && how != REPORT) ? 0 : 1));
            CHECK(turn_changes(&h, 0) == 0);
            if (other) {
                /* The next two in vain end what is left. */
                OK(awsgi_wait_forget(stays));
                report(&h, 0, o->watched);
                CHECK(turn_changes(&h, 0) == 0);
                report(&h, 0, o->watched);
                CHECK(turn_changes(&h, 1) == 0 && o->watched == 0);
            }
        }
    }
    close_host(&h);
}

static void a_multishot_wait_needs_one_change(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];
    awsgi_watch set;
    awsgi_wait wait;

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    set = check_watch(o->waitable, AWSGI_READABLE);
    wait = check_start(h.reactor, &set, 1, 0, AWSGI_MULTISHOT, AWSGI_FOREVER, 0);
    CHECK(turn_changes(&h, 1) == 0);
    for (int round = 0; round < 10; round++) {
        fill(o);
        CHECK(look(&h) == 1 && turn_changes(&h, 0) == 1);
        CHECK(h.t.done[0].wait == wait && h.t.done[0].flags == AWSGI_MORE);
        OK(awsgi_wait_rearm(wait));
        CHECK(turn_changes(&h, 0) == 0);
        /* The host repeats itself while it is ready: so does the wait. */
        CHECK(look(&h) == 1 && turn_changes(&h, 0) == 1);
        drain(o);
        CHECK(look(&h) == 0 && turn_changes(&h, 0) == 0);
    }
    close_host(&h);
}

/* ---- once ----------------------------------------------------------------------------------------- */

static void once_is_asked_for_at_each_arm(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_ONCE);
    for (int round = 0; round < 5; round++) {
        (void)wait_for(&h, 0, AWSGI_READABLE);
        CHECK(turn_changes(&h, 1) == 0 && o->watched == AWSGI_READABLE);
        CHECK(turn_changes(&h, 0) == 0 && look(&h) == 0);
        fill(o);
        CHECK(look(&h) == 1 && look(&h) == 0);
        CHECK(turn_changes(&h, 0) == 1 && h.t.done[0].ready == AWSGI_READABLE);
        CHECK(turn_changes(&h, 0) == 0);
        drain(o);
    }
    CHECK(o->changes == 5);
    close_host(&h);
}

static void once_is_asked_again_for_who_is_left(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];
    awsgi_wait again;

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_ONCE);
    (void)wait_for(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 1) == 0);
    /* The host reports at once what is ready, so a new arm has it look again. */
    again = wait_for(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == AWSGI_READABLE);
    OK(awsgi_wait_forget(again));
    CHECK(turn_changes(&h, 0) == 0);
    (void)wait_for(&h, 0, AWSGI_WRITABLE);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == (AWSGI_READABLE | AWSGI_WRITABLE));
    CHECK(look(&h) == 1);
    CHECK(turn_changes(&h, 1) == 1 && h.t.done[0].ready == AWSGI_WRITABLE);
    CHECK(o->watched == AWSGI_READABLE);
    fill(o);
    CHECK(look(&h) == 1 && turn_changes(&h, 0) == 1);
    CHECK(o->watched == 0 && look(&h) == 0);
    close_host(&h);
}

static void a_multishot_wait_asks_once_more_each_time(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];
    awsgi_watch set;
    awsgi_wait wait;

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_ONCE);
    set = check_watch(o->waitable, AWSGI_READABLE);
    wait = check_start(h.reactor, &set, 1, 0, AWSGI_MULTISHOT, AWSGI_FOREVER, 0);
    CHECK(turn_changes(&h, 1) == 0);
    for (int round = 0; round < 5; round++) {
        fill(o);
        CHECK(look(&h) == 1);
        /* Until it is delivered there is nothing to ask for. */
        check_turn_with(h.reactor, &h.t, 0, 0, 16);
        CHECK(h.t.turn.changes_n == 0 && h.t.turn.flags & AWSGI_TURN_MORE);
        CHECK(turn_changes(&h, 1) == 1 && h.t.done[0].flags == AWSGI_MORE);
        CHECK(o->watched == AWSGI_READABLE);
        drain(o);
        OK(awsgi_wait_rearm(wait));
        CHECK(turn_changes(&h, 1) == 0 && o->watched == AWSGI_READABLE);
    }
    OK(awsgi_wait_cancel(wait));
    CHECK(turn_changes(&h, 1) == 1 && o->watched == 0);
    CHECK(h.t.done[0].outcome == AWSGI_CANCELLED);
    close_host(&h);
}

static void once_is_stopped_when_nobody_waits(uint32_t mode)
{
    host h;
    object *o = &h.objects[0];
    awsgi_wait wait;

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_ONCE);
    wait = wait_for(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 1) == 0 && o->watched == AWSGI_READABLE);
    OK(awsgi_wait_forget(wait));
    CHECK(turn_changes(&h, 1) == 0 && o->watched == 0);
    CHECK(turn_changes(&h, 0) == 0);
    close_host(&h);
}

/* ---- both ----------------------------------------------------------------------------------------- */

static void closing_has_the_host_stop(uint32_t mode, uint32_t kind)
{
    host h;
    object *o = &h.objects[0];
    awsgi_waitable old;

    open_host(&h, mode);
    /* What is not watched needs no stop. */
    open_object(&h, 0, kind);
    OK(awsgi_waitable_close(o->waitable));
    CHECK(turn_changes(&h, 0) == 0);
    (void)close(o->fd);
    (void)close(o->peer);
    /* Nor what the host was not told to watch. */
    open_object(&h, 0, kind);
    (void)wait_for(&h, 0, AWSGI_READABLE);
    OK(awsgi_waitable_close(o->waitable));
    CHECK(turn_changes(&h, 0) == 1 && h.t.done[0].outcome == AWSGI_CLOSED);
    (void)close(o->fd);
    (void)close(o->peer);

    open_object(&h, 0, kind);
    (void)wait_for(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 1) == 0);
    old = o->waitable;
    OK(awsgi_waitable_close(old));
    ANSWERS(AWSGI_E_STALE, awsgi_notify(old, AWSGI_READABLE));
    /* The next of the same handle is watched after the old one is not. */
    OK(awsgi_waitable_foreign(h.reactor, handle_of(0), kind, &o->waitable));
    CHECK(o->waitable != old);
    (void)wait_for(&h, 0, AWSGI_WRITABLE);
    check_turn(h.reactor, &h.t, 0);
    CHECK(h.t.turn.done_n == 1 && h.t.done[0].outcome == AWSGI_CLOSED);
    CHECK(h.t.turn.changes_n == 2);
    CHECK(h.t.changes[0].waitable == old && h.t.changes[0].handle == handle_of(0));
    CHECK(h.t.changes[0].interest == 0 && h.t.changes[0].kind == kind);
    CHECK(h.t.changes[1].waitable == o->waitable && h.t.changes[1].handle == handle_of(0));
    CHECK(h.t.changes[1].interest == AWSGI_WRITABLE && h.t.changes[1].kind == kind);
    close_host(&h);
}

static void closing_the_reactor_has_the_host_stop_everything(uint32_t mode, uint32_t kind)
{
    host h;
    size_t stops = 0, closed = 0;

    open_host(&h, mode);
    for (size_t i = 0; i < OBJECTS; i++) {
        open_object(&h, i, kind);
        (void)wait_for(&h, i, AWSGI_READABLE);
    }
    CHECK(turn_changes(&h, OBJECTS) == 0);
    OK(awsgi_reactor_close(h.reactor));
    h.changes_cap = 3;
    do {
        closed += turn(&h);
        stops += h.t.turn.changes_n;
        for (size_t i = 0; i < h.t.turn.changes_n; i++)
            CHECK(h.t.changes[i].interest == 0);
        /* It is not over before the host knows all. */
        CHECK(!(h.t.turn.flags & AWSGI_TURN_CLOSED) == (stops < OBJECTS));
    } while (!(h.t.turn.flags & AWSGI_TURN_CLOSED));
    CHECK(stops == OBJECTS && closed == OBJECTS);
    for (size_t i = 0; i < OBJECTS; i++) {
        CHECK(h.objects[i].watched == 0);
        (void)close(h.objects[i].fd);
        (void)close(h.objects[i].peer);
    }
    OK(awsgi_reactor_free(h.reactor));
}

static void changes_without_room_are_kept(uint32_t mode, uint32_t kind)
{
    host h;
    awsgi_wait waits[4];

    open_host(&h, mode);
    for (size_t i = 0; i < 4; i++) {
        open_object(&h, i, kind);
        waits[i] = wait_for(&h, i, AWSGI_READABLE);
    }
    h.changes_cap = 0;
    for (int i = 0; i < 3; i++) {
        CHECK(turn_changes(&h, 0) == 0);
        CHECK(h.t.turn.flags & AWSGI_TURN_MORE);
    }
    /* One is not needed any more, another asks for more: they are brought up to date. */
    OK(awsgi_wait_forget(waits[1]));
    (void)wait_for(&h, 2, AWSGI_WRITABLE);
    h.changes_cap = 1;
    CHECK(turn_changes(&h, 1) == 0 && h.objects[0].watched == AWSGI_READABLE);
    CHECK(h.t.turn.flags & AWSGI_TURN_MORE);
    CHECK(turn_changes(&h, 1) == 0);
    CHECK(h.objects[2].watched == (AWSGI_READABLE | AWSGI_WRITABLE));
    CHECK(h.t.turn.flags & AWSGI_TURN_MORE);
    CHECK(turn_changes(&h, 1) == 0 && h.objects[3].watched == AWSGI_READABLE);
    CHECK(!(h.t.turn.flags & AWSGI_TURN_MORE));
    CHECK(turn_changes(&h, 0) == 0);
    CHECK(h.objects[1].changes == 0 && check_stats(h.reactor).changes == 3);
    /* Without an array at all the waits still work. */
    h.changes_cap = 0;
    report(&h, 0, AWSGI_READABLE);
    CHECK(turn_changes(&h, 0) == 1 && h.t.done[0].user_data == 0);
    close_host(&h);
}

static void a_set_may_mix_them_with_others(uint32_t mode)
{
    host h;
    awsgi_watch set[4];
    awsgi_completion done;
    awsgi_member members[4];
    size_t count;
    int ends[2];

    open_host(&h, mode);
    open_object(&h, 0, AWSGI_LEVEL);
    open_object(&h, 1, AWSGI_ONCE);
    set[0] = check_watch(h.objects[0].waitable, AWSGI_READABLE);
    set[1] = check_watch(h.objects[1].waitable, AWSGI_READABLE);
    set[2] = check_watch(0, AWSGI_READABLE);
    set[3] = check_watch(0, AWSGI_READABLE);
    OK(awsgi_waitable_event(h.reactor, 0, &set[2].waitable));
    CHECK(pipe(ends) == 0);
    OK(awsgi_waitable_descriptor(h.reactor, ends[0], AWSGI_OWN, &set[3].waitable));
    (void)check_start(h.reactor, set, 4, 4, 0, AWSGI_FOREVER, 0);
    CHECK(turn_changes(&h, 2) == 0);
    fill(&h.objects[1]);
    CHECK(look(&h) == 1 && turn(&h) == 0 && look(&h) == 0);
    fill(&h.objects[0]);
    CHECK(look(&h) == 1 && turn(&h) == 0);
    OK(awsgi_notify(set[2].waitable, AWSGI_READABLE));
    CHECK(turn(&h) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    /* In delegated mode a thread of the library's sees it, when it gets to it. */
    while (turn(&h) == 0)
        CHECK(mode == AWSGI_DELEGATED && sem_wait(&h.woken) == 0);
    done = h.t.done[0];
    CHECK(done.outcome == AWSGI_READY && done.members == 4 && done.index == 0);
    OK(awsgi_completion_members(&done, members, 4, &count));
    CHECK(count == 4);
    for (size_t i = 0; i < 4; i++)
        CHECK(members[i].waitable == set[i].waitable && members[i].ready == AWSGI_READABLE);
    close_host(&h);
    (void)close(ends[1]);
}

/* A server's day: eight connections, each asked and answered in its own order, with every interest
 * and both kinds. */
static void requests_and_responses(uint32_t mode)
{
    host h;
    uint32_t random = 1;
    int rounds[OBJECTS] = { 0 };
    size_t waiting = 0;

    open_host(&h, mode);
    for (size_t i = 0; i < OBJECTS; i++) {
        open_object(&h, i, i % 2 ? AWSGI_ONCE : AWSGI_LEVEL);
        (void)wait_for(&h, i, AWSGI_READABLE);
    }
    for (int done = 0; done < 400;) {
        size_t which;

        random = random * 1103515245 + 12345;
        which = random >> 16 & (OBJECTS - 1);
        if (rounds[which] % 2 == 0 && waiting < OBJECTS) {
            fill(&h.objects[which]);
            rounds[which]++;
            waiting++;
        }
        (void)look(&h);
        (void)turn(&h);
        for (size_t i = 0; i < h.t.turn.done_n; i++) {
            size_t of = (size_t)h.t.done[i].user_data;

            CHECK(h.t.done[i].outcome == AWSGI_READY && rounds[of] % 2 == 1);
            CHECK(h.t.done[i].ready == AWSGI_READABLE);
            drain(&h.objects[of]);
            rounds[of]++;
            waiting--;
            done++;
            (void)wait_for(&h, of, AWSGI_READABLE);
        }
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        if (h.objects[i].kind == AWSGI_LEVEL)
            CHECK(h.objects[i].changes == 1);
        else
            CHECK(h.objects[i].changes >= rounds[i] / 2);
    }
    close_host(&h);
}

int main(void)
{
    for (uint32_t mode = AWSGI_OWNED; mode <= AWSGI_DELEGATED; mode++) {
        a_rhythm_needs_one_change(mode);
        two_unwanted_reports_have_it_stop(mode);
        interest_widens_at_once_and_narrows_late(mode);
        a_report_that_somebody_saw_begins_the_row_anew(mode);
        who_asks_for_the_hangup_alone_has_it_watched(mode);
        off_loop_stops_as_soon_as_it_has_ended(mode);
        a_multishot_wait_needs_one_change(mode);
        once_is_asked_for_at_each_arm(mode);
        once_is_asked_again_for_who_is_left(mode);
        a_multishot_wait_asks_once_more_each_time(mode);
        once_is_stopped_when_nobody_waits(mode);
        for (uint32_t kind = AWSGI_LEVEL; kind <= AWSGI_ONCE; kind++) {
            closing_has_the_host_stop(mode, kind);
            closing_the_reactor_has_the_host_stop_everything(mode, kind);
            changes_without_room_are_kept(mode, kind);
        }
        a_set_may_mix_them_with_others(mode);
        requests_and_responses(mode);
    }
    return 0;
}
