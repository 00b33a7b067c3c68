/* Hosts that break the rules, beside one that keeps them: each gets a status or a counter, and the other
 * loses nothing. What they see is told in docs/embedding.md, "When a host breaks the rules". */
#define _GNU_SOURCE
#include "check.h"
#include "good_host.h"

#include <sys/resource.h>
#include <sys/wait.h>

typedef struct bad_host bad_host;

struct bad_host {
    awsgi_reactor *reactor;
    good_host *good;
    void (*_Atomic in_hook)(bad_host *b);           /* the watcher's thread may look while it is set */
    atomic_int wakes;
    sem_t inside, may_leave;
    awsgi_waitable event, pipe, object, timer;
    int ends[2];
    int other;                                      /* the descriptor of another file */
    check_turned t;
};

static void wake(void *data)
{
    bad_host *b = data;

    void (*in_hook)(bad_host *) = b->in_hook;

    (void)atomic_fetch_add(&b->wakes, 1);
    if (in_hook != NULL)
        in_hook(b);
}

/* A reactor with one waitable of each kind, and no wait. */
static void open_bad(bad_host *b, good_host *good, uint32_t mode, uint32_t flags)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;

    memset(b, 0, sizeof *b);
    b->good = good;
    atomic_init(&b->wakes, 0);
    CHECK(sem_init(&b->inside, 0, 0) == 0 && sem_init(&b->may_leave, 0, 0) == 0);
    options.mode = mode;
    options.flags = flags;
    if (mode == AWSGI_DELEGATED)
        options.wake = wake;
    options.data = b;
    OK(awsgi_reactor_new(&options, &b->reactor));
    CHECK(pipe2(b->ends, O_NONBLOCK | O_CLOEXEC) == 0);
    OK(awsgi_waitable_event(b->reactor, 0, &b->event));
    OK(awsgi_waitable_descriptor(b->reactor, b->ends[0], 0, &b->pipe));
    OK(awsgi_waitable_foreign(b->reactor, 1, AWSGI_LEVEL, &b->object));
    OK(awsgi_waitable_timer(b->reactor, AWSGI_NOW, 0, &b->timer));
}

static void close_bad(bad_host *b)
{
    b->in_hook = NULL;
    check_free(b->reactor);
    (void)close(b->ends[0]);
    (void)close(b->ends[1]);
    CHECK(sem_destroy(&b->inside) == 0 && sem_destroy(&b->may_leave) == 0);
}

static size_t turn_with(bad_host *b, size_t done_cap, size_t changes_cap)
{
    check_turn_with(b->reactor, &b->t, 0, done_cap, changes_cap);
    return b->t.turn.done_n;
}

static size_t turn(bad_host *b)
{
    return turn_with(b, 16, 16);
}

/* Turns until something completes, which it must. */
static awsgi_completion next(bad_host *b)
{
    struct timespec breath = { 0, 1000000 };

    for (int tries = 0; turn(b) == 0; tries++) {
        CHECK(tries < 60000);
        (void)nanosleep(&breath, NULL);
    }
    CHECK(b->t.turn.done_n == 1);
    return b->t.done[0];
}

/* ---- threads ---------------------------------------------------------------------------------------- */

/* What anyone but the owner gets. */
static void check_not_the_owner(awsgi_reactor *reactor, awsgi_waitable event)
{
    awsgi_turn t = AWSGI_TURN_INIT;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_stats stats = AWSGI_STATS_INIT;
    awsgi_waitable made = 77;
    uint64_t value = 77;

    spec.deadline = AWSGI_NOW;
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_turn(reactor, &t));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_close(reactor));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_free(reactor));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_release(reactor));
    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_adopt(reactor));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_stats(reactor, &stats));
    ANSWERS(AWSGI_E_THREAD, awsgi_wait_start(reactor, &spec, NULL));
    ANSWERS(AWSGI_E_THREAD, awsgi_waitable_event(reactor, 0, &made));
    ANSWERS(AWSGI_E_THREAD, awsgi_waitable_take(event, &value));
    ANSWERS(AWSGI_E_THREAD, awsgi_waitable_close(event));
    CHECK(made == 0 && value == 0);
}

static void *drive_it(void *data)
{
    bad_host *b = data;

    check_not_the_owner(b->reactor, b->event);
    check_not_the_owner(b->good->reactor, b->good->waitable[GOOD_EVENT]);
    return NULL;
}

static void run(void *(*body)(void *), bad_host *b)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, body, b) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void turns_on_the_wrong_thread(good_host *good)
{
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    (void)check_wait(b.reactor, b.event, AWSGI_READABLE, 1);
    run(drive_it, &b);
    good_works(good);
    OK(awsgi_notify(b.event, AWSGI_READABLE));
    CHECK(next(&b).outcome == AWSGI_READY);
    close_bad(&b);
}

static bad_host dead;

static void *live_and_die(void *data)
{
    good_host *good = data;
    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;

    sleep.deadline = AWSGI_NOW;
    open_bad(&dead, good, AWSGI_DELEGATED, 0);
    (void)check_wait(dead.reactor, dead.event, AWSGI_READABLE, 1);
    (void)check_wait(dead.reactor, dead.pipe, AWSGI_READABLE, 2);
    (void)check_wait(dead.reactor, dead.object, AWSGI_READABLE, 3);
    OK(awsgi_wait_start(dead.reactor, &sleep, NULL));
    (void)turn_with(&dead, 0, 0);
    return NULL;
}

/* Its reactor is nobody's, for ever: also those threads are not its owner that look like it. */
static void dies_without_releasing(uint32_t mode)
{
    pthread_t thread;
    good_host good;
    int wakes;

    good_begin(&good, mode);
    CHECK(pthread_create(&thread, NULL, live_and_die, &good) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < 8; i++)
        run(drive_it, &dead);
    check_not_the_owner(dead.reactor, dead.event);
    wakes = atomic_load(&dead.wakes);
    OK(awsgi_notify(dead.event, AWSGI_READABLE));
    OK(awsgi_notify(dead.object, AWSGI_READABLE));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(dead.pipe, AWSGI_READABLE));
    OK(awsgi_reactor_stop(dead.reactor));
    CHECK(write(dead.ends[1], "x", 1) == 1);
    good_works(&good);
    CHECK(atomic_load(&dead.wakes) <= wakes + 1);
    good_end(&good);
}

/* ---- the wake hook ---------------------------------------------------------------------------------- */

static awsgi_reactor *neighbour;                    /* of the same owner */
static awsgi_status of_neighbour;

static void calls_everything(bad_host *b)
{
    awsgi_turn t = AWSGI_TURN_INIT;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.deadline = AWSGI_NOW;
    ANSWERS(AWSGI_E_REENTRANT, awsgi_reactor_turn(b->reactor, &t));
    ANSWERS(AWSGI_E_REENTRANT, awsgi_reactor_close(b->reactor));
    ANSWERS(AWSGI_E_REENTRANT, awsgi_reactor_free(b->reactor));
    ANSWERS(AWSGI_E_REENTRANT, awsgi_reactor_release(b->reactor));
    ANSWERS(AWSGI_E_REENTRANT, awsgi_wait_start(b->reactor, &spec, NULL));
    ANSWERS(AWSGI_E_REENTRANT, awsgi_waitable_close(b->event));
    OK(awsgi_notify(b->event, AWSGI_READABLE));
    OK(awsgi_reactor_stop(b->reactor));
    /* Another thread's is another thread's, also here. */
    check_not_the_owner(b->good->reactor, b->good->waitable[GOOD_EVENT]);
    /* One that is not in the middle of anything can be turned. */
    of_neighbour = awsgi_reactor_turn(neighbour, &t);
}

static void turns_in_its_hook(good_host *good)
{
    bad_host b;
    awsgi_completion done;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    neighbour = check_clocked();
    (void)check_start(neighbour, NULL, 0, 0, 0, 5, 5);
    b.in_hook = calls_everything;
    of_neighbour = 77;
    /* By a call that makes work, ... */
    (void)check_wait(b.reactor, b.timer, AWSGI_READABLE, 1);
    CHECK(atomic_load(&b.wakes) == 1 && of_neighbour == AWSGI_OK);
    good_works(good);
    /* ... and by a turn that leaves some. */
    (void)check_wait(b.reactor, b.event, AWSGI_READABLE, 2);
    of_neighbour = 77;
    CHECK(turn_with(&b, 1, 0) == 1 && b.t.done[0].user_data == 1);
    CHECK(atomic_load(&b.wakes) == 2 && of_neighbour == AWSGI_OK);
    b.in_hook = NULL;
    done = next(&b);
    CHECK(done.user_data == 2 && done.outcome == AWSGI_READY);
    good_works(good);
    CHECK(check_one(neighbour, 5).user_data == 5);
    check_free(neighbour);
    close_bad(&b);
}

static void stays(bad_host *b)
{
    CHECK(sem_post(&b->inside) == 0);
    good_await(&b->may_leave);
}

static void *notify_both(void *data)
{
    bad_host *b = data;

    OK(awsgi_notify(b->event, AWSGI_READABLE));
    good_completes(b->good, GOOD_EVENT);
    return NULL;
}

/* Who notifies it is held up, and nobody else. */
static void returns_from_its_hook_late(good_host *good)
{
    pthread_t thread;
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    (void)check_wait(b.reactor, b.event, AWSGI_READABLE, 1);
    (void)turn(&b);
    b.in_hook = stays;
    CHECK(pthread_create(&thread, NULL, notify_both, &b) == 0);
    good_await(&b.inside);
    good_works(good);
    OK(awsgi_notify(b.event, AWSGI_READABLE));
    CHECK(next(&b).user_data == 1);                 /* the owner does not wait for the hook */
    CHECK(sem_post(&b.may_leave) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    good_works(good);
    CHECK(check_stats(b.reactor).signals <= 2);
    close_bad(&b);
}

static void *begin_and_end_another(void *data)
{
    good_host other;

    (void)data;
    good_begin(&other, AWSGI_DELEGATED);
    good_completes(&other, GOOD_EVENT);
    good_end(&other);
    return NULL;
}

/* The library's thread is held up, and with it the descriptors of delegated hosts, but nothing else. */
static void keeps_the_watcher(good_host *good)
{
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    (void)check_wait(b.reactor, b.pipe, AWSGI_READABLE, 1);
    (void)turn(&b);
    b.in_hook = stays;
    CHECK(write(b.ends[1], "x", 1) == 1);
    good_await(&b.inside);
    CHECK(write(good->ends[1], "x", 1) == 1);
    for (int i = 0; i < 10; i++) {
        good_completes(good, GOOD_EVENT);
        good_completes(good, GOOD_OBJECT);
        good_completes(good, GOOD_SLEEP);
    }
    run(begin_and_end_another, &b);
    CHECK(sem_post(&b.may_leave) == 0);
    good_await(&good->done[GOOD_PIPE]);
    b.in_hook = NULL;
    CHECK(next(&b).user_data == 1);
    good_works(good);
    close_bad(&b);
}

/* ---- reports ---------------------------------------------------------------------------------------- */

static uint64_t noise(void)
{
    static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void reports_garbage(good_host *good)
{
    awsgi_notice notices[3];
    size_t stale = 77;
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    (void)check_wait(b.reactor, b.object, AWSGI_READABLE, 1);
    CHECK(turn(&b) == 0 && b.t.turn.changes_n == 1);
    /* Invented names, and handles in the place of tokens. */
    for (int i = 0; i < 100000; i++)
        CHECK(awsgi_notify(noise(), (uint32_t)noise() & 63) < 0);
    CHECK(awsgi_notify(b.t.changes[0].handle, AWSGI_READABLE) < 0);
    CHECK(awsgi_notify((uintptr_t)&b, AWSGI_READABLE) < 0);
    /* Bits that are none. */
    for (int bit = 6; bit < 32; bit++)
        ANSWERS(AWSGI_E_INVALID, awsgi_notify(b.object, UINT32_C(1) << bit | AWSGI_READABLE));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(good->waitable[GOOD_EVENT], UINT32_MAX));
    /* What tells by itself, its own and another host's. */
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(b.pipe, AWSGI_READABLE));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(b.timer, AWSGI_READABLE));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify(good->waitable[GOOD_PIPE], AWSGI_HANGUP));
    CHECK(turn(&b) == 0);
    /* What is good among them arrives. */
    memset(notices, 0, sizeof notices);
    notices[0].waitable = noise();
    notices[1].waitable = b.object;
    notices[2].waitable = UINT64_MAX;
    notices[0].ready = notices[1].ready = notices[2].ready = AWSGI_READABLE;
    OK(awsgi_notify_many(notices, 3, &stale));
    CHECK(stale == 2 && turn(&b) == 1 && b.t.done[0].user_data == 1);
    good_works(good);
    close_bad(&b);
}

/* Reports what nobody asked for, twice, late, after the stop, after the close, and what is not so. */
static void reports_what_is_not_watched(good_host *good)
{
    awsgi_watch set;
    uint64_t before;
    char byte;
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, AWSGI_HOST_WATCHES_DESCRIPTORS);
    before = check_stats(b.reactor).spurious;
    for (int i = 0; i < 10; i++) {
        OK(awsgi_notify(b.object, AWSGI_READABLE | AWSGI_HANGUP));
        OK(awsgi_notify(b.pipe, AWSGI_WRITABLE | AWSGI_ERROR));
        CHECK(turn(&b) == 0);
    }
    CHECK(check_stats(b.reactor).spurious >= before + 20);
    /* A lie is believed, as the kernel's word would be: who reads finds nothing there. */
    (void)check_wait(b.reactor, b.pipe, AWSGI_READABLE, 1);
    CHECK(turn(&b) == 0 && b.t.turn.changes_n == 1 && b.t.changes[0].handle == (uint64_t)b.ends[0]);
    OK(awsgi_notify(b.pipe, AWSGI_READABLE));
    CHECK(turn(&b) == 1 && read(b.ends[0], &byte, 1) == -1 && errno == EAGAIN);
    /* The wrong one of its own. */
    set = check_watch(b.pipe, AWSGI_READABLE);
    (void)check_start(b.reactor, &set, 1, 0, 0, AWSGI_FOREVER, 2);
    CHECK(write(b.ends[1], "x", 1) == 1);
    OK(awsgi_notify(b.object, AWSGI_READABLE));
    CHECK(turn(&b) == 0);
    OK(awsgi_waitable_close(b.object));
    ANSWERS(AWSGI_E_STALE, awsgi_notify(b.object, AWSGI_READABLE));
    OK(awsgi_notify(b.pipe, AWSGI_READABLE));
    CHECK(next(&b).user_data == 2);
    good_works(good);
    close_bad(&b);
}

static atomic_int goes_on;

static void *report_for_ever(void *data)
{
    bad_host *b = data;

    while (atomic_load(&goes_on)) {
        awsgi_status status = awsgi_notify(b->event, AWSGI_READABLE);
        CHECK(status == AWSGI_OK || status == AWSGI_E_STALE);
        status = awsgi_notify(b->object, AWSGI_READABLE);
        CHECK(status == AWSGI_OK || status == AWSGI_E_STALE);
    }
    ANSWERS(AWSGI_E_STALE, awsgi_notify(b->event, AWSGI_READABLE));
    return NULL;
}

/* Other reactors get its number meanwhile, and nothing of this. */
static void reports_after_its_end(good_host *good)
{
    pthread_t threads[2];
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    atomic_store(&goes_on, 1);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, report_for_ever, &b) == 0);
    (void)check_wait(b.reactor, b.event, AWSGI_READABLE, 1);
    CHECK(next(&b).user_data == 1);
    close_bad(&b);
    for (int i = 0; i < 20; i++) {
        good_host other;

        good_begin(&other, i % 2 ? AWSGI_NESTED : AWSGI_DELEGATED);
        good_works(&other);
        good_end(&other);
    }
    good_works(good);
    atomic_store(&goes_on, 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* ---- turns ------------------------------------------------------------------------------------------ */

static void sleeps_past_deadlines(good_host *good)
{
    bad_host b;
    uint64_t now;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    OK(awsgi_reactor_now(b.reactor, &now));
    for (uint64_t i = 0; i < 8; i++)
        (void)check_start(b.reactor, NULL, 0, 0, 0, now + (8 - i) * MS / 100, 8 - i);
    for (int i = 0; i < 20; i++)
        good_works(good);
    while (awsgi_reactor_now(b.reactor, &now), turn(&b) == 0)
        continue;
    for (size_t i = 0; i < b.t.turn.done_n; i++)
        CHECK(b.t.done[i].outcome == AWSGI_TIMED_OUT && b.t.done[i].user_data == i + 1);
    close_bad(&b);
}

/* Neither is taken amiss: it comes when there is room, and the reactor does not end before. */
static void gives_no_room(good_host *good, size_t done_cap, size_t changes_cap)
{
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, 0);
    (void)check_wait(b.reactor, b.object, AWSGI_READABLE, 1);
    (void)check_wait(b.reactor, b.event, AWSGI_READABLE, 2);
    (void)turn(&b);                                 /* it watches */
    OK(awsgi_notify(b.event, AWSGI_READABLE));
    OK(awsgi_waitable_close(b.object));
    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_free(b.reactor));
    OK(awsgi_reactor_close(b.reactor));
    OK(awsgi_reactor_close(b.reactor));
    if (done_cap != 0)
        CHECK(turn_with(&b, 16, 0) == 2);
    else if (changes_cap != 0)
        CHECK(turn_with(&b, 0, 16) == 0 && b.t.turn.changes_n == 1);
    for (int i = 0; i < 100; i++) {
        (void)turn_with(&b, done_cap, changes_cap);
        CHECK(b.t.turn.done_n == 0 && b.t.turn.changes_n == 0);
        CHECK(b.t.turn.flags == AWSGI_TURN_MORE);
        ANSWERS(AWSGI_E_BUSY, awsgi_reactor_free(b.reactor));
    }
    good_works(good);
    CHECK(turn(&b) == (done_cap == 0 ? 2 : 0));
    CHECK(b.t.turn.changes_n == (changes_cap == 0 ? 1 : 0));
    if (changes_cap == 0)
        CHECK(b.t.changes[0].interest == 0 && b.t.changes[0].waitable == b.object && b.t.changes[0].handle == 1);
    OK(awsgi_reactor_close(b.reactor));
    close_bad(&b);
    ANSWERS(AWSGI_E_STALE, awsgi_reactor_free(b.reactor));
}

/* It was told to watch, and reports nothing: a deadline still comes, and the end. */
static void never_applies_changes(good_host *good)
{
    awsgi_watch set;
    uint64_t now;
    bad_host b;

    open_bad(&b, good, AWSGI_DELEGATED, AWSGI_HOST_WATCHES_DESCRIPTORS);
    OK(awsgi_reactor_now(b.reactor, &now));
    set = check_watch(b.pipe, AWSGI_READABLE);
    (void)check_start(b.reactor, &set, 1, 0, 0, now + MS, 1);
    (void)check_wait(b.reactor, b.object, AWSGI_READABLE, 2);
    CHECK(write(b.ends[1], "x", 1) == 1);
    CHECK(next(&b).outcome == AWSGI_TIMED_OUT && b.t.done[0].user_data == 1);
    good_works(good);
    CHECK(check_stats(b.reactor).changes >= 1 && check_stats(b.reactor).waits == 1);
    close_bad(&b);
}

/* The time of the next turn is before that of the last, and then at the end of all time. */
static void has_a_clock_that_jumps(good_host *good)
{
    awsgi_reactor *reactor = check_clocked();
    check_turned t;

    check_none(reactor, 1000);
    (void)check_start(reactor, NULL, 0, 0, 0, 2000, 1);
    check_none(reactor, 0);
    (void)check_start(reactor, NULL, 0, 0, 0, 1500, 2);
    check_none(reactor, 1499);
    CHECK(check_one(reactor, 1500).user_data == 2);
    (void)check_start(reactor, NULL, 0, 0, 0, AWSGI_FOREVER - 1, 3);
    check_turn(reactor, &t, AWSGI_FOREVER);
    CHECK(t.turn.done_n == 2 && t.done[0].user_data == 1 && t.done[1].user_data == 3);
    good_works(good);
    check_free(reactor);
}

/* ---- descriptors ------------------------------------------------------------------------------------ */

/* It goes deaf, but a turn still finds everything, and the next file of the number is left alone. */
static void closes_the_reactors_descriptor(good_host *good)
{
    awsgi_os_handle fd;
    struct pollfd entry;
    bad_host b;

    open_bad(&b, good, AWSGI_NESTED, 0);
    OK(awsgi_reactor_fd(b.reactor, &fd));
    (void)check_wait(b.reactor, b.event, AWSGI_READABLE, 1);
    (void)check_wait(b.reactor, b.pipe, AWSGI_READABLE, 2);
    CHECK(turn(&b) == 0);
    CHECK(dup2(good->ends[1], fd) == fd);           /* as if it were closed, and opened by the other */
    good_works(good);
    OK(awsgi_notify(b.event, AWSGI_READABLE));
    CHECK(next(&b).user_data == 1);
    CHECK(write(b.ends[1], "x", 1) == 1);
    CHECK(next(&b).user_data == 2);
    close_bad(&b);
    CHECK(fcntl(fd, F_GETFD) != -1);
    entry.fd = fd;
    entry.events = POLLOUT;
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT);
    CHECK(close(fd) == 0);
    good_works(good);
}

/* Each call says so or does what it can, and the reactor comes to its end. It is not freed: that would
 * close numbers that may belong to others. */
static void closes_everything(uint32_t mode)
{
    struct rlimit limit;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_watch set;
    bad_host b;

    open_bad(&b, NULL, mode, 0);
    (void)check_wait(b.reactor, b.pipe, AWSGI_READABLE, 1);
    (void)check_wait(b.reactor, b.event, AWSGI_READABLE, 2);
    (void)turn(&b);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int fd = 3; fd < (limit.rlim_cur < 4096 ? (int)limit.rlim_cur : 4096); fd++)
        (void)close(fd);
    set = check_watch(b.pipe, AWSGI_READABLE);
    spec.set = &set;
    spec.count = 1;
    ANSWERS(AWSGI_E_OS, awsgi_wait_start(b.reactor, &spec, NULL));
    OK(awsgi_notify(b.event, AWSGI_READABLE));
    b.t.turn = (awsgi_turn)AWSGI_TURN_INIT;
    b.t.turn.deadline = AWSGI_NOW;
    ANSWERS(AWSGI_E_OS, awsgi_reactor_turn(b.reactor, &b.t.turn));
    OK(awsgi_reactor_close(b.reactor));
    for (int turns = 0; turns == 0 || !(b.t.turn.flags & AWSGI_TURN_CLOSED); turns++) {
        CHECK(turns < 100);
        (void)turn(&b);
    }
}

/* What leaves something behind that nobody can take back leaves it in a process of its own, which exec
 * ends without anything of ours running. */
static void elsewhere(void (*misdeed)(uint32_t mode), uint32_t mode)
{
    int status;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        misdeed(mode);
        (void)execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(void)
{
    static const uint32_t modes[] = { AWSGI_NESTED, AWSGI_DELEGATED };

    for (size_t i = 0; i < 2; i++) {
        good_host good;

        good_begin(&good, modes[i]);
        good_works(&good);
        turns_on_the_wrong_thread(&good);
        turns_in_its_hook(&good);
        returns_from_its_hook_late(&good);
        keeps_the_watcher(&good);
        reports_garbage(&good);
        reports_what_is_not_watched(&good);
        reports_after_its_end(&good);
        sleeps_past_deadlines(&good);
        gives_no_room(&good, 0, 0);
        gives_no_room(&good, 0, 16);
        gives_no_room(&good, 16, 0);
        never_applies_changes(&good);
        has_a_clock_that_jumps(&good);
        closes_the_reactors_descriptor(&good);
        good_end(&good);
        elsewhere(dies_without_releasing, modes[i]);
        elsewhere(closes_everything, modes[i]);
    }
    elsewhere(closes_everything, AWSGI_OWNED);
    return 0;
}
