/* Delegated mode: a host that can watch no descriptor for the library, or watches them itself. It is
 * woken by a hook, just often enough, and makes the library's thread. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- the host ------------------------------------------------------------------------------------- */

typedef struct host host;

struct host {
    awsgi_reactor *reactor;
    uint32_t flags;
    atomic_int wakes;
    sem_t woken;
    void (*in_hook)(host *h);   /* what the hook does besides */
    int spawns, refuse;
    pthread_t thread;           /* the last one made */
    char name[64];
    check_turned t;
};

static void wake(void *data)
{
    host *h = data;

    (void)atomic_fetch_add(&h->wakes, 1);
    if (h->in_hook != NULL)
        h->in_hook(h);
    CHECK(sem_post(&h->woken) == 0);
}

typedef struct {
    void (*run)(void *arg);
    void *arg;
} job;

static void *run_job(void *given)
{
    job j = *(job *)given;

    free(given);
    j.run(j.arg);
    return NULL;
}

static int spawn(void (*run)(void *arg), void *arg, const char *name, void *data)
{
    host *h = data;
    job *j;

    h->spawns++;
    if (h->refuse)
        return EAGAIN;
    j = malloc(sizeof *j);
    CHECK(j != NULL);
    j->run = run;
    j->arg = arg;
    (void)snprintf(h->name, sizeof h->name, "%s", name);
    return pthread_create(&h->thread, NULL, run_job, j);
}

static void open_host(host *h, uint32_t flags, int spawns)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;

    memset(h, 0, sizeof *h);
    atomic_init(&h->wakes, 0);
    h->flags = flags;
    CHECK(sem_init(&h->woken, 0, 0) == 0);
    options.mode = AWSGI_DELEGATED;
    options.flags = flags;
    options.wake = wake;
    options.spawn = spawns ? spawn : NULL;
    options.data = h;
    OK(awsgi_reactor_new(&options, &h->reactor));
}

static void close_host(host *h)
{
    check_free(h->reactor);
    CHECK(sem_destroy(&h->woken) == 0);
}

static int woken(host *h)
{
    return atomic_load(&h->wakes);
}

static size_t turn(host *h)
{
    check_turn(h->reactor, &h->t, 0);
    return h->t.turn.done_n;
}

/* Turns whenever it is woken, and at no other time, until something completes. A host that said so
 * turns before it sleeps, too, for as long as there is more. */
static awsgi_completion next(host *h)
{
    struct timespec until;

    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_sec += 60;
    for (;;) {
        if (h->flags & AWSGI_HOST_TURNS_BEFORE_SLEEP) {
            do
                (void)turn(h);
            while (h->t.turn.done_n == 0 && h->t.turn.flags & AWSGI_TURN_MORE);
        }
        if (!(h->flags & AWSGI_HOST_TURNS_BEFORE_SLEEP) || h->t.turn.done_n == 0) {
            while (sem_timedwait(&h->woken, &until) != 0)
                CHECK(errno == EINTR);
            (void)turn(h);
        }
        if (h->t.turn.done_n > 0) {
            CHECK(h->t.turn.done_n == 1);
            return h->t.done[0];
        }
    }
}

static awsgi_waitable event_of(host *h)
{
    awsgi_waitable event;

    OK(awsgi_waitable_event(h->reactor, 0, &event));
    return event;
}

static awsgi_waitable descriptor_of(host *h, int fd, uint32_t flags)
{
    awsgi_waitable waitable;

    OK(awsgi_waitable_descriptor(h->reactor, fd, flags, &waitable));
    return waitable;
}

/* ---- the wake hook -------------------------------------------------------------------------------- */

enum { THREADS = 4, TIMES = 500 };

static void *notify_often(void *event)
{
    for (int i = 0; i < TIMES; i++)
        OK(awsgi_notify(*(awsgi_waitable *)event, AWSGI_READABLE));
    return NULL;
}

static void notify_from_threads(pthread_t *threads, awsgi_waitable *event)
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, notify_often, event) == 0);
}

static void join(pthread_t *threads)
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void a_host_that_does_not_turn_is_woken_once(uint32_t flags)
{
    host h;
    pthread_t threads[THREADS];
    awsgi_waitable counter;

    open_host(&h, flags, 0);
    OK(awsgi_waitable_event(h.reactor, AWSGI_COUNTER, &counter));
    (void)check_wait(h.reactor, counter, AWSGI_READABLE, 0);
    CHECK(woken(&h) == 0 && turn(&h) == 0);
    for (int round = 1; round <= 3; round++) {
        notify_from_threads(threads, &counter);
        join(threads);
        CHECK(woken(&h) == round);
        CHECK(turn(&h) == 1 && check_take(counter) == THREADS * TIMES);
        (void)check_wait(h.reactor, counter, AWSGI_READABLE, 0);
        CHECK(turn(&h) == 0 && woken(&h) == round);
    }
    CHECK(check_stats(h.reactor).signals == 3);
    close_host(&h);
}

static void a_host_that_turns_is_woken_at_most_once_a_turn(void)
{
    host h;
    pthread_t threads[THREADS];
    awsgi_waitable counter;
    uint64_t sum = 0;
    int turns = 0;

    open_host(&h, AWSGI_HOST_TURNS_BEFORE_SLEEP, 0);
    OK(awsgi_waitable_event(h.reactor, AWSGI_COUNTER, &counter));
    (void)check_wait(h.reactor, counter, AWSGI_READABLE, 0);
    notify_from_threads(threads, &counter);
    while (sum < THREADS * TIMES) {
        turns++;
        if (turn(&h) == 0) {
            if (!(h.t.turn.flags & AWSGI_TURN_MORE)) {
                while (sem_wait(&h.woken) != 0)
                    CHECK(errno == EINTR);
            }
            continue;
        }
        sum += check_take(counter);
        (void)check_wait(h.reactor, counter, AWSGI_READABLE, 0);
    }
    join(threads);
    CHECK(sum == THREADS * TIMES && check_take(counter) == 0);
    CHECK(woken(&h) <= turns + 1);
    close_host(&h);
}

/* What an owner may do outside of a turn, and whether a host that sleeps has to know. */
typedef struct {
    host *h;
    awsgi_waitable event, set, once, timer, expired;
    awsgi_wait wait, of_once, sleep;
} outside;

static void cancels(outside *o)
{
    OK(awsgi_wait_cancel(o->wait));
}

static void closes_a_waitable(outside *o)
{
    OK(awsgi_waitable_close(o->event));
}

static void notifies(outside *o)
{
    OK(awsgi_notify(o->event, AWSGI_READABLE));
}

static void waits_for_what_is_set(outside *o)
{
    (void)check_wait(o->h->reactor, o->set, AWSGI_READABLE, 0);
}

static void waits_for_what_has_expired(outside *o)
{
    (void)check_wait(o->h->reactor, o->expired, AWSGI_READABLE, 0);
}

static void waits_for_an_object(outside *o)
{
    awsgi_waitable foreign;

    OK(awsgi_waitable_foreign(o->h->reactor, 1, AWSGI_LEVEL, &foreign));
    (void)check_wait(o->h->reactor, foreign, AWSGI_READABLE, 0);
}

static void forgets_an_object(outside *o)
{
    OK(awsgi_wait_forget(o->of_once));
}

static void sleeps_for_less(outside *o)
{
    (void)check_start(o->h->reactor, NULL, 0, 0, 0, 499, 0);
}

static void waits_for_an_earlier_timer(outside *o)
{
    (void)check_wait(o->h->reactor, o->timer, AWSGI_READABLE, 0);
}

static void looks_once(outside *o)
{
    awsgi_watch set = check_watch(o->event, AWSGI_READABLE);

    (void)check_start(o->h->reactor, &set, 1, 0, 0, AWSGI_NOW, 0);
}

static void closes_the_reactor(outside *o)
{
    OK(awsgi_reactor_close(o->h->reactor));
}

static void stops(outside *o)
{
    OK(awsgi_reactor_stop(o->h->reactor));
}

static void sleeps_for_more(outside *o)
{
    (void)check_start(o->h->reactor, NULL, 0, 0, 0, 501, 0);
}

static void waits_for_what_is_not_ready(outside *o)
{
    (void)check_wait(o->h->reactor, o->event, AWSGI_READABLE, 0);
}

static void forgets(outside *o)
{
    OK(awsgi_wait_forget(o->wait));
    OK(awsgi_wait_forget(o->sleep));
}

static void makes_and_closes(outside *o)
{
    awsgi_waitable event;

    OK(awsgi_waitable_event(o->h->reactor, 0, &event));
    OK(awsgi_waitable_close(event));
    OK(awsgi_waitable_foreign(o->h->reactor, 1, AWSGI_LEVEL, &event));
    OK(awsgi_waitable_close(event));
}

static void asks(outside *o)
{
    uint64_t now;
    size_t len;

    (void)check_stats(o->h->reactor);
    OK(awsgi_reactor_now(o->h->reactor, &now));
    OK(awsgi_waitable_describe(o->event, NULL, 0, &len));
    CHECK(check_take(o->set) == 1);
}

static const struct {
    void (*act)(outside *o);
    int wakes;                  /* the host, once */
    int always;                 /* also one that turns before it sleeps */
} acts[] = {
    { cancels, 1, 0 },
    { closes_a_waitable, 1, 0 },
    { notifies, 1, 0 },
    { waits_for_what_is_set, 1, 0 },
    { waits_for_what_has_expired, 1, 0 },
    { waits_for_an_object, 1, 0 },
    { forgets_an_object, 1, 0 },
    { sleeps_for_less, 1, 0 },
    { waits_for_an_earlier_timer, 1, 0 },
    { looks_once, 1, 0 },
    { closes_the_reactor, 1, 0 },
    { stops, 1, 1 },
    { sleeps_for_more, 0, 0 },
    { waits_for_what_is_not_ready, 0, 0 },
    { forgets, 0, 0 },
    { makes_and_closes, 0, 0 },
    { asks, 0, 0 },
};
enum { ACTS = sizeof acts / sizeof acts[0] };

static void open_outside(outside *o, host *h, uint32_t flags)
{
    open_host(h, flags | AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_GIVES_CLOCK, 0);
    o->h = h;
    o->event = event_of(h);
    o->set = event_of(h);
    OK(awsgi_waitable_foreign(h->reactor, 0, AWSGI_ONCE, &o->once));
    OK(awsgi_waitable_timer(h->reactor, 400, 0, &o->timer));
    OK(awsgi_waitable_timer(h->reactor, 50, 0, &o->expired));
    OK(awsgi_notify(o->set, AWSGI_READABLE));
    o->wait = check_wait(h->reactor, o->event, AWSGI_READABLE, 0);
    o->of_once = check_wait(h->reactor, o->once, AWSGI_READABLE, 0);
    o->sleep = check_start(h->reactor, NULL, 0, 0, 0, 500, 0);
    check_turn(h->reactor, &h->t, 100);
    CHECK(h->t.turn.done_n == 0 && h->t.turn.changes_n == 1 && h->t.turn.flags == 0);
    CHECK(h->t.turn.next_deadline == 500);
    atomic_store(&h->wakes, 0);
}

static void work_outside_of_a_turn_wakes_the_host_once(void)
{
    for (size_t i = 0; i < ACTS; i++) {
        host h;
        outside o;

        open_outside(&o, &h, 0);
        acts[i].act(&o);
        CHECK(woken(&h) == acts[i].wakes);
        /* It knows, until it has turned. */
        if (acts[i].wakes) {
            OK(awsgi_wait_cancel(o.sleep));
            CHECK(woken(&h) == 1);
        }
        check_turn(h.reactor, &h.t, 100);
        CHECK(woken(&h) == acts[i].wakes);
        OK(awsgi_notify(o.set, AWSGI_READABLE));
        close_host(&h);
    }
}

static void a_host_that_turns_before_it_sleeps_is_spared(void)
{
    for (size_t i = 0; i < ACTS; i++) {
        host h;
        outside o;
        pthread_t thread;

        open_outside(&o, &h, AWSGI_HOST_TURNS_BEFORE_SLEEP);
        acts[i].act(&o);
        CHECK(woken(&h) == acts[i].always);
        check_turn(h.reactor, &h.t, 100);
        CHECK(woken(&h) == acts[i].always);
        /* From another thread it has to be woken all the same. */
        CHECK(pthread_create(&thread, NULL, notify_often, &o.set) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(woken(&h) == acts[i].always + 1);
        close_host(&h);
    }
}

static void *stop_it(void *reactor)
{
    OK(awsgi_reactor_stop(reactor));
    OK(awsgi_reactor_stop(reactor));
    return NULL;
}

static void stop_wakes_and_is_told_once(void)
{
    host h;
    pthread_t thread;

    open_host(&h, 0, 0);
    CHECK(pthread_create(&thread, NULL, stop_it, h.reactor) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(woken(&h) == 1);
    CHECK(turn(&h) == 0 && h.t.turn.flags & AWSGI_TURN_STOPPED);
    CHECK(turn(&h) == 0 && !(h.t.turn.flags & AWSGI_TURN_STOPPED));
    close_host(&h);
}

/* ---- calls from inside the hook ------------------------------------------------------------------- */

static awsgi_waitable hooked;
static awsgi_status owners_status, adopt_status;

/* A hook may call nothing; one that does is told so. */
static void call_from_hook(host *h)
{
    awsgi_turn t = AWSGI_TURN_INIT;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 77;
    awsgi_waitable waitable = 77;
    uint64_t value = 77;

    spec.deadline = AWSGI_NOW;
    ANSWERS(owners_status, awsgi_reactor_turn(h->reactor, &t));
    ANSWERS(owners_status, awsgi_reactor_close(h->reactor));
    ANSWERS(owners_status, awsgi_reactor_free(h->reactor));
    ANSWERS(owners_status, awsgi_reactor_release(h->reactor));
    ANSWERS(adopt_status, awsgi_reactor_adopt(h->reactor));
    ANSWERS(owners_status, awsgi_wait_start(h->reactor, &spec, &wait));
    ANSWERS(owners_status, awsgi_waitable_event(h->reactor, 0, &waitable));
    ANSWERS(owners_status, awsgi_waitable_take(hooked, &value));
    ANSWERS(owners_status, awsgi_waitable_close(hooked));
    CHECK(wait == 0 && waitable == 0 && value == 0);
    OK(awsgi_notify(hooked, AWSGI_WRITABLE));
    OK(awsgi_reactor_stop(h->reactor));
}

static void a_hook_that_calls_us_does_no_harm(void)
{
    host h;
    pthread_t thread;
    awsgi_wait wait;

    open_host(&h, 0, 0);
    hooked = event_of(&h);
    h.in_hook = call_from_hook;
    CHECK(turn(&h) == 0);

    /* On the owner's thread, by a call that made work ... */
    owners_status = AWSGI_E_REENTRANT;
    adopt_status = AWSGI_E_REENTRANT;
    wait = check_wait(h.reactor, hooked, AWSGI_READABLE, 0);
    OK(awsgi_wait_cancel(wait));
    CHECK(woken(&h) == 1);
    CHECK(turn(&h) == 1 && h.t.done[0].outcome == AWSGI_CANCELLED);
    CHECK(h.t.turn.flags & AWSGI_TURN_STOPPED);
    CHECK(check_take(hooked) == 1);
    /* ... by a stop ... */
    OK(awsgi_reactor_stop(h.reactor));
    CHECK(woken(&h) == 2);
    CHECK(turn(&h) == 0 && h.t.turn.flags & AWSGI_TURN_STOPPED);
    CHECK(check_take(hooked) == 1);
    /* ... and by a turn that ends with work left. */
    for (uint64_t i = 0; i < 2; i++)
        (void)check_start(h.reactor, NULL, 0, 0, 0, AWSGI_NOW, i);
    CHECK(woken(&h) == 3);
    check_turn_with(h.reactor, &h.t, 0, 1, 0);
    CHECK(h.t.turn.done_n == 1 && h.t.turn.flags & AWSGI_TURN_MORE && woken(&h) == 4);
    CHECK(turn(&h) == 1 && h.t.done[0].user_data == 1);
    while (turn(&h), h.t.turn.flags & AWSGI_TURN_MORE)
        CHECK(h.t.turn.done_n == 0);
    CHECK(check_take(hooked) == 1);

    /* On another thread. */
    (void)turn(&h);
    atomic_store(&h.wakes, 0);
    owners_status = AWSGI_E_THREAD;
    adopt_status = AWSGI_E_BUSY;
    (void)check_wait(h.reactor, hooked, AWSGI_READABLE, 7);
    CHECK(pthread_create(&thread, NULL, notify_often, &hooked) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(woken(&h) == 1);
    CHECK(turn(&h) == 1 && h.t.done[0].user_data == 7 && h.t.done[0].ready & AWSGI_READABLE);
    h.in_hook = NULL;
    close_host(&h);
}

/* ---- descriptors through the watcher -------------------------------------------------------------- */

static void the_watcher_starts_with_the_first_descriptor(void)
{
    host first, second;
    awsgi_waitable in;
    int ends[2];

    CHECK(pipe(ends) == 0);
    open_host(&first, 0, 1);
    open_host(&second, 0, 1);
    /* Nothing else needs it. */
    OK(awsgi_waitable_foreign(first.reactor, 1, AWSGI_LEVEL, &in));
    (void)check_wait(first.reactor, in, AWSGI_READABLE, 0);
    (void)check_wait(first.reactor, event_of(&first), AWSGI_READABLE, 0);
    OK(awsgi_waitable_timer(first.reactor, AWSGI_NOW, 0, &in));
    (void)check_wait(first.reactor, in, AWSGI_READABLE, 1);
    CHECK(turn(&first) == 1 && first.spawns == 0);

    /* A host that cannot make it now can later. */
    in = descriptor_of(&first, ends[0], 0);
    first.refuse = 1;
    for (int i = 0; i < 2; i++) {
        awsgi_watch set = check_watch(in, AWSGI_READABLE);
        awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
        awsgi_wait wait = 77;
        uint64_t waits = check_stats(first.reactor).waits;

        spec.set = &set;
        spec.count = 1;
        ANSWERS(AWSGI_E_LIMIT, awsgi_wait_start(first.reactor, &spec, &wait));
        CHECK(wait == 0 && first.spawns == i + 1 && check_stats(first.reactor).waits == waits);
    }
    first.refuse = 0;
    first.spawns = 0;
    (void)check_wait(first.reactor, in, AWSGI_READABLE, 2);
    CHECK(first.spawns == 1 && strcmp(first.name, "awsgi-watcher") == 0);

    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(next(&first).user_data == 2);

    /* One is enough for this reactor and the others: a second, if it had not begun yet, ends at once. */
    (void)check_wait(second.reactor, descriptor_of(&second, ends[0], 0), AWSGI_READABLE, 3);
    (void)check_wait(first.reactor, descriptor_of(&first, ends[1], 0), AWSGI_WRITABLE, 4);
    CHECK(first.spawns == 1 && second.spawns <= 1);
    CHECK(next(&first).user_data == 4);
    CHECK(next(&second).user_data == 3);

    /* It goes with the last of them. */
    close_host(&first);
    (void)check_wait(second.reactor, descriptor_of(&second, ends[0], 0), AWSGI_READABLE, 5);
    CHECK(next(&second).user_data == 5);
    close_host(&second);
    CHECK(pthread_join(first.thread, NULL) == 0);
    CHECK(second.spawns == 0 || pthread_join(second.thread, NULL) == 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void descriptors_work_through_the_watcher(uint32_t flags, int spawns)
{
    host h;
    awsgi_waitable in, out;
    awsgi_wait wait;
    awsgi_watch set;
    awsgi_completion done;
    char byte;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    open_host(&h, flags, spawns);
    in = descriptor_of(&h, pair[0], AWSGI_OWN);
    out = descriptor_of(&h, pair[1], 0);
    for (int round = 0; round < 20; round++) {
        (void)check_wait(h.reactor, in, AWSGI_READABLE, 1);
        CHECK(turn(&h) == 0);
        (void)check_wait(h.reactor, out, AWSGI_WRITABLE, 2);
        done = next(&h);
        CHECK(done.user_data == 2);
        CHECK(write(pair[1], "x", 1) == 1);
        done = next(&h);
        CHECK(done.user_data == 1 && done.ready == AWSGI_READABLE);
        CHECK(read(pair[0], &byte, 1) == 1);
    }
    set = check_watch(in, AWSGI_READABLE);
    wait = check_start(h.reactor, &set, 1, 0, AWSGI_MULTISHOT, AWSGI_FOREVER, 3);
    CHECK(turn(&h) == 0);
    for (int round = 0; round < 20; round++) {
        CHECK(write(pair[1], "x", 1) == 1);
        done = next(&h);
        CHECK(done.wait == wait && done.flags == AWSGI_MORE);
        CHECK(read(pair[0], &byte, 1) == 1);
    }
    OK(awsgi_wait_forget(wait));
    OK(awsgi_waitable_close(in));
    CHECK(fcntl(pair[0], F_GETFD) == -1 && errno == EBADF);
    close_host(&h);
    if (spawns) {
        CHECK(h.spawns == 1);
        CHECK(pthread_join(h.thread, NULL) == 0);
    }
    (void)close(pair[1]);
}

/* ---- descriptors that the host watches ------------------------------------------------------------ */

static void check_change(const host *h, size_t at, awsgi_waitable waitable, int fd,
                         uint32_t interest)
{
    const awsgi_watch_change *change = &h->t.changes[at];

    CHECK(at < h->t.turn.changes_n);
    CHECK(change->waitable == waitable && change->handle == (uint64_t)fd);
    CHECK(change->interest == interest && change->kind == AWSGI_WATCH_DESCRIPTOR);
}

static void a_watch_ends_with_its_last_waiter(void)
{
    enum { REPORT, CANCEL, FORGET, TIMEOUT };
    host h;
    awsgi_waitable in;
    int ends[2];

    CHECK(pipe(ends) == 0);
    open_host(&h, AWSGI_HOST_WATCHES_DESCRIPTORS, 1);
    in = descriptor_of(&h, ends[0], 0);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 0);
    for (int how = REPORT; how <= TIMEOUT; how++) {
        awsgi_watch set = check_watch(in, AWSGI_READABLE);
        uint64_t deadline = AWSGI_FOREVER;
        awsgi_wait wait;

        if (how == TIMEOUT) {
            OK(awsgi_reactor_now(h.reactor, &deadline));
            deadline += MS;
        }
        wait = check_start(h.reactor, &set, 1, 0, 0, deadline, 0);
        if (turn(&h) == 0)
            check_change(&h, 0, in, ends[0], AWSGI_READABLE);
        if (how == REPORT)
            OK(awsgi_notify(in, AWSGI_READABLE));
        else if (how == CANCEL)
            OK(awsgi_wait_cancel(wait));
        else if (how == FORGET)
            OK(awsgi_wait_forget(wait));
        else
            while (h.t.turn.done_n == 0)
                (void)turn(&h);
        if (how != TIMEOUT)
            CHECK(turn(&h) == (how != FORGET));
        /* Unless it timed out before the host was told of it at all. */
        if (how != TIMEOUT || h.t.turn.changes_n > 0)
            check_change(&h, 0, in, ends[0], 0);
        CHECK(turn(&h) == 0 && h.t.turn.changes_n == 0);
    }
    /* No thread of the library's looks at it. */
    CHECK(h.spawns == 0);
    close_host(&h);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void waitables_of_one_number_share_a_watch(void)
{
    host h;
    awsgi_waitable first, second, third;
    awsgi_wait reader;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    open_host(&h, AWSGI_HOST_WATCHES_DESCRIPTORS, 0);
    first = descriptor_of(&h, pair[0], 0);
    second = descriptor_of(&h, pair[0], 0);
    third = descriptor_of(&h, pair[0], 0);
    (void)check_wait(h.reactor, first, AWSGI_READABLE, 1);
    (void)check_wait(h.reactor, second, AWSGI_WRITABLE, 2);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 1);
    check_change(&h, 0, first, pair[0], AWSGI_READABLE | AWSGI_WRITABLE);
    (void)check_wait(h.reactor, third, AWSGI_READABLE, 3);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 0);
    /* A report for one of them is for all. */
    OK(awsgi_notify(first, AWSGI_WRITABLE));
    CHECK(turn(&h) == 1 && h.t.done[0].user_data == 2 && h.t.turn.changes_n == 1);
    check_change(&h, 0, first, pair[0], AWSGI_READABLE);
    OK(awsgi_notify(first, AWSGI_READABLE));
    CHECK(turn(&h) == 2 && h.t.turn.changes_n == 1);
    check_change(&h, 0, first, pair[0], 0);

    /* The one by which the host knows it goes: it stops, and begins anew with the next. */
    reader = check_wait(h.reactor, second, AWSGI_READABLE, 4);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 1);
    check_change(&h, 0, first, pair[0], AWSGI_READABLE);
    OK(awsgi_waitable_close(first));
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 2);
    check_change(&h, 0, first, pair[0], 0);
    check_change(&h, 1, second, pair[0], AWSGI_READABLE);
    ANSWERS(AWSGI_E_STALE, awsgi_notify(first, AWSGI_READABLE));
    /* Any other just goes. */
    OK(awsgi_waitable_close(third));
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 0);
    OK(awsgi_notify(second, AWSGI_READABLE));
    CHECK(turn(&h) == 1 && h.t.done[0].wait == reader);
    close_host(&h);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

/* It is open perhaps, but neither to be waited for nor to be given again. */
static void refuse_number(host *h, int fd, awsgi_waitable waitable)
{
    awsgi_watch set = check_watch(waitable, AWSGI_READABLE);
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_waitable other = 77;
    awsgi_wait wait = 77;
    int32_t error = 77;

    spec.set = &set;
    spec.count = 1;
    ANSWERS(AWSGI_E_OS, awsgi_wait_start(h->reactor, &spec, &wait));
    OK(awsgi_last_error(NULL, 0, NULL, &error));
    CHECK(wait == 0 && error == EBADF);
    for (uint32_t flags = 0; flags <= AWSGI_OWN; flags++) {
        other = 77;
        ANSWERS(AWSGI_E_OS, awsgi_waitable_descriptor(h->reactor, fd, flags, &other));
        OK(awsgi_last_error(NULL, 0, NULL, &error));
        CHECK(other == 0 && error == EBADF);
    }
}

static void an_owned_number_is_closed_after_the_stop(void)
{
    host h;
    awsgi_waitable owned, lent, other = 77;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    open_host(&h, AWSGI_HOST_WATCHES_DESCRIPTORS, 0);
    owned = descriptor_of(&h, pair[0], AWSGI_OWN);
    lent = descriptor_of(&h, pair[0], 0);
    ANSWERS(AWSGI_E_STATE, awsgi_waitable_descriptor(h.reactor, pair[0], AWSGI_OWN, &other));
    CHECK(other == 0);
    (void)check_wait(h.reactor, owned, AWSGI_READABLE, 1);
    (void)check_wait(h.reactor, lent, AWSGI_READABLE, 2);
    CHECK(turn(&h) == 0);
    check_change(&h, 0, owned, pair[0], AWSGI_READABLE);
    OK(awsgi_waitable_close(owned));
    CHECK(is_open(pair[0]));
    refuse_number(&h, pair[0], lent);
    /* A host without room is not told yet, and still watches. */
    check_turn_with(h.reactor, &h.t, 0, 16, 0);
    CHECK(h.t.turn.done_n == 2);
    CHECK(h.t.done[0].outcome == AWSGI_CLOSED && h.t.done[1].outcome == AWSGI_CLOSED);
    check_turn_with(h.reactor, &h.t, 0, 16, 0);
    CHECK(is_open(pair[0]));
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 1);
    check_change(&h, 0, owned, pair[0], 0);
    /* Only when it comes again has it done what it was told. */
    CHECK(is_open(pair[0]));
    refuse_number(&h, pair[0], lent);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 0);
    CHECK(!is_open(pair[0]));
    refuse_number(&h, pair[0], lent);
    /* The next file of this number is another. */
    CHECK(dup2(pair[1], pair[0]) == pair[0]);
    (void)check_wait(h.reactor, lent, AWSGI_READABLE, 3);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 1);
    check_change(&h, 0, lent, pair[0], AWSGI_READABLE);
    OK(awsgi_waitable_close(lent));
    CHECK(turn(&h) == 1 && h.t.turn.changes_n == 1);
    (void)close(pair[0]);

    /* One that is not watched is closed at once. */
    CHECK((pair[0] = dup(pair[1])) >= 0);
    owned = descriptor_of(&h, pair[0], AWSGI_OWN);
    OK(awsgi_waitable_close(owned));
    CHECK(!is_open(pair[0]));
    /* One that is still watched when all ends is closed with the rest. */
    CHECK((pair[0] = dup(pair[1])) >= 0);
    owned = descriptor_of(&h, pair[0], AWSGI_OWN);
    (void)check_wait(h.reactor, owned, AWSGI_READABLE, 3);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 1);
    close_host(&h);
    CHECK(!is_open(pair[0]));
    (void)close(pair[1]);
}

static void a_number_that_was_closed_is_refused(void)
{
    host h;
    awsgi_watch set = { 0, AWSGI_READABLE, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 77;
    int ends[2], error = 0;

    CHECK(pipe(ends) == 0);
    open_host(&h, AWSGI_HOST_WATCHES_DESCRIPTORS, 0);
    set.waitable = descriptor_of(&h, ends[0], 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    spec.set = &set;
    spec.count = 1;
    ANSWERS(AWSGI_E_OS, awsgi_wait_start(h.reactor, &spec, &wait));
    OK(awsgi_last_error(NULL, 0, NULL, &error));
    CHECK(wait == 0 && error == EBADF);
    CHECK(turn(&h) == 0 && h.t.turn.changes_n == 0);
    close_host(&h);
}

static void a_regular_file_is_always_ready(uint32_t flags)
{
    host h;
    awsgi_waitable file;
    awsgi_completion done;
    awsgi_watch set;
    int fd = open(__FILE__, O_RDONLY);

    if (fd < 0)
        fd = open("/proc/self/exe", O_RDONLY);
    CHECK(fd >= 0);
    open_host(&h, flags, 0);
    file = descriptor_of(&h, fd, AWSGI_OWN);
    for (uint32_t interest = AWSGI_READABLE; interest <= 3; interest++) {
        (void)check_wait(h.reactor, file, interest, 0);
        CHECK(turn(&h) == 1 && h.t.turn.changes_n == 0);
        CHECK(h.t.done[0].outcome == AWSGI_READY && h.t.done[0].ready == interest);
    }
    set = check_watch(file, AWSGI_READABLE);
    (void)check_start(h.reactor, &set, 1, 0, 0, AWSGI_NOW, 0);
    CHECK(turn(&h) == 1);
    done = h.t.done[0];
    CHECK(done.outcome == AWSGI_READY && done.ready == AWSGI_READABLE);
    close_host(&h);
    CHECK(!is_open(fd));
}

/* ---- signals -------------------------------------------------------------------------------------- */

static atomic_int handled;

static void handle(int signal)
{
    (void)signal;
    (void)atomic_fetch_add(&handled, 1);
}

/* A host that takes its signals itself does not lose one to the library's thread. */
static void signals_are_the_hosts(void)
{
    struct timespec patience = { 60, 0 };
    struct sigaction action;
    sigset_t all, before, user;
    host h;
    awsgi_waitable in;
    int ends[2];

    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(pipe(ends) == 0);
    open_host(&h, 0, 0);
    in = descriptor_of(&h, ends[0], 0);
    (void)check_wait(h.reactor, in, AWSGI_READABLE, 1);
    CHECK(turn(&h) == 0);

    (void)sigfillset(&all);
    (void)sigemptyset(&user);
    (void)sigaddset(&user, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(sigtimedwait(&user, NULL, &patience) == SIGUSR1);
    CHECK(atomic_load(&handled) == 0);

    /* And with all of them blocked everything goes on as before. */
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(next(&h).user_data == 1);
    close_host(&h);
    descriptors_work_through_the_watcher(0, 0);
    descriptors_work_through_the_watcher(0, 1);
    a_host_that_does_not_turn_is_woken_once(0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    a_host_that_does_not_turn_is_woken_once(0);
    a_host_that_does_not_turn_is_woken_once(AWSGI_HOST_TURNS_BEFORE_SLEEP);
    a_host_that_turns_is_woken_at_most_once_a_turn();
    work_outside_of_a_turn_wakes_the_host_once();
    a_host_that_turns_before_it_sleeps_is_spared();
    stop_wakes_and_is_told_once();
    a_hook_that_calls_us_does_no_harm();
    the_watcher_starts_with_the_first_descriptor();
    descriptors_work_through_the_watcher(0, 0);
    descriptors_work_through_the_watcher(0, 1);
    descriptors_work_through_the_watcher(AWSGI_HOST_TURNS_BEFORE_SLEEP, 0);
    a_watch_ends_with_its_last_waiter();
    waitables_of_one_number_share_a_watch();
    an_owned_number_is_closed_after_the_stop();
    a_number_that_was_closed_is_refused();
    a_regular_file_is_always_ready(0);
    a_regular_file_is_always_ready(AWSGI_HOST_WATCHES_DESCRIPTORS);
    signals_are_the_hosts();
    return 0;
}
