/* Nested mode: a host that knows nothing but one descriptor, watched for its level or its edges. It turns
 * once for each event of it, however little fits into a turn, and misses nothing. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE = 60000 };      /* milliseconds; only one that hangs waits so long */

enum { PIPES = 8, EVENTS = 8, SLEEPS = 8, OBJECTS = 4, TIMES = 50 };

typedef struct {
    awsgi_reactor *reactor;
    int loop;                   /* the host's */
    uint32_t flags, edges;
    uint32_t budget;
    size_t done_cap, changes_cap;
    check_turned t;
} host;

static void open_host(host *h, uint32_t flags, uint32_t edges, uint32_t budget, size_t cap)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    struct epoll_event event;
    awsgi_os_handle fd;

    memset(h, 0, sizeof *h);
    options.mode = AWSGI_NESTED;
    options.flags = flags;
    OK(awsgi_reactor_new(&options, &h->reactor));
    OK(awsgi_reactor_fd(h->reactor, &fd));
    CHECK((h->loop = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN | edges;
    CHECK(epoll_ctl(h->loop, EPOLL_CTL_ADD, fd, &event) == 0);
    h->flags = flags;
    h->edges = edges;
    h->budget = budget;
    h->done_cap = h->changes_cap = cap;
    h->t.turn.next_deadline = AWSGI_FOREVER;
}

static void close_host(host *h)
{
    check_free(h->reactor);
    (void)close(h->loop);
}

static void turn(host *h)
{
    awsgi_turn turn = AWSGI_TURN_INIT;

    turn.budget = h->budget;
    turn.done = h->t.done;
    turn.done_cap = h->done_cap;
    turn.changes = h->t.changes;
    turn.changes_cap = h->changes_cap;
    OK(awsgi_reactor_turn(h->reactor, &turn));
    h->t.turn = turn;
}

/* Sleeps until the descriptor says something, or until the deadline if it promised to, and turns. */
static void sleep_and_turn(host *h)
{
    struct epoll_event event;
    int timeout = PATIENCE, found;

    if (h->flags & AWSGI_HOST_HONOURS_DEADLINE && h->t.turn.next_deadline != AWSGI_FOREVER) {
        uint64_t now;

        OK(awsgi_reactor_now(h->reactor, &now));
        timeout = h->t.turn.next_deadline <= now
                      ? 0
                      : (int)((h->t.turn.next_deadline - now + MS - 1) / MS);
    }
    found = epoll_wait(h->loop, &event, 1, timeout);
    CHECK(found == 1 || (found == 0 && timeout < PATIENCE));
    turn(h);
}

typedef struct {
    awsgi_waitable *events;
    int *pipes;
} others;

static void *work(void *given)
{
    const others *o = given;

    for (int round = 0; round < TIMES; round++) {
        for (int i = 0; i < EVENTS; i++)
            OK(awsgi_notify(o->events[i], AWSGI_READABLE));
        for (int i = 0; i < PIPES; i++)
            CHECK(write(o->pipes[i], "x", 1) == 1);
    }
    return NULL;
}

static void nothing_is_missed(uint32_t flags, uint32_t edges, uint32_t budget, size_t cap)
{
    enum { OF_EVENT = 100, OF_PIPE = 200, OF_SLEEP = 300, OF_OBJECT = 400 };
    awsgi_waitable events[EVENTS], pipes[PIPES], objects[OBJECTS];
    int in[PIPES], out[PIPES], reported = 0, slept = 0, objects_done = 0;
    uint64_t counted = 0, now;
    long bytes = 0;
    others o = { events, out };
    pthread_t threads[2];
    host h;

    open_host(&h, flags, edges, budget, cap);
    for (uint64_t i = 0; i < EVENTS; i++) {
        OK(awsgi_waitable_event(h.reactor, AWSGI_COUNTER, &events[i]));
        (void)check_wait(h.reactor, events[i], AWSGI_READABLE, OF_EVENT + i);
    }
    for (uint64_t i = 0; i < PIPES; i++) {
        int ends[2];

        CHECK(pipe(ends) == 0);
        in[i] = ends[0];
        out[i] = ends[1];
        OK(awsgi_waitable_descriptor(h.reactor, in[i], 0, &pipes[i]));
        (void)check_wait(h.reactor, pipes[i], AWSGI_READABLE, OF_PIPE + i);
    }
    OK(awsgi_reactor_now(h.reactor, &now));
    for (uint64_t i = 0; i < SLEEPS; i++)
        (void)check_start(h.reactor, NULL, 0, 0, 0, now + i * MS / 2, OF_SLEEP + i);
    for (uint64_t i = 0; i < OBJECTS; i++) {
        OK(awsgi_waitable_foreign(h.reactor, i, AWSGI_ONCE, &objects[i]));
        (void)check_wait(h.reactor, objects[i], AWSGI_READABLE, OF_OBJECT + i);
    }
    /* What happens below is all that the host does: from here on it is told of everything. */
    turn(&h);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, work, &o) == 0);
    for (;;) {
        for (size_t i = 0; i < h.t.turn.changes_n; i++) {
            CHECK(h.t.changes[i].interest == AWSGI_READABLE);
            OK(awsgi_notify(h.t.changes[i].waitable, AWSGI_READABLE));
            reported++;
        }
        for (size_t i = 0; i < h.t.turn.done_n; i++) {
            uint64_t name = h.t.done[i].user_data, at = name % 100;
            char byte;

            if (name < OF_PIPE) {
                counted += check_take(events[at]);
                (void)check_wait(h.reactor, events[at], AWSGI_READABLE, name);
            } else if (name < OF_SLEEP) {
                CHECK(read(in[at], &byte, 1) == 1);
                bytes++;
                (void)check_wait(h.reactor, pipes[at], AWSGI_READABLE, name);
            } else if (name < OF_OBJECT) {
                CHECK(h.t.done[i].outcome == AWSGI_TIMED_OUT);
                slept++;
            } else {
                CHECK(h.t.done[i].outcome == AWSGI_READY);
                objects_done++;
            }
        }
        if (counted == 2 * TIMES * EVENTS && bytes == 2 * TIMES * PIPES && slept == SLEEPS
            && objects_done == OBJECTS)
            break;
        sleep_and_turn(&h);
    }
    CHECK(reported == OBJECTS);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);

    /* And then it lets the host sleep: a few looks, of which none brings anything. */
    for (int looks = 0;; looks++) {
        struct epoll_event event;

        if (epoll_wait(h.loop, &event, 1, 0) == 0)
            break;
        CHECK(looks < 2 * (EVENTS + PIPES));
        turn(&h);
        CHECK(h.t.turn.done_n == 0 && h.t.turn.changes_n == 0);
    }
    CHECK(check_stats(h.reactor).waits == EVENTS + PIPES);
    close_host(&h);
    for (int i = 0; i < PIPES; i++) {
        (void)close(in[i]);
        (void)close(out[i]);
    }
}

/* A host that turns while there is more, and only then looks at the descriptor, sleeps in the end. */
static void a_host_that_turns_before_it_sleeps_comes_to_sleep(uint32_t edges, uint32_t budget)
{
    host h;
    awsgi_waitable event, in;
    struct epoll_event found;
    int ends[2];

    open_host(&h, AWSGI_HOST_TURNS_BEFORE_SLEEP, edges, budget, 1);
    CHECK(pipe(ends) == 0);
    OK(awsgi_waitable_event(h.reactor, 0, &event));
    OK(awsgi_waitable_descriptor(h.reactor, ends[0], 0, &in));
    for (int round = 0; round < 20; round++) {
        int done = 0, turns = 0;

        (void)check_wait(h.reactor, event, AWSGI_READABLE, 1);
        (void)check_wait(h.reactor, in, AWSGI_READABLE, 2);
        (void)check_start(h.reactor, NULL, 0, 0, 0, AWSGI_NOW, 3);
        OK(awsgi_notify(event, AWSGI_READABLE));
        CHECK(check_take(event) == 1 && write(ends[1], "x", 1) == 1);
        do {
            CHECK(turns++ < 20);
            turn(&h);
            done += (int)h.t.turn.done_n;
        } while (h.t.turn.flags & AWSGI_TURN_MORE);
        CHECK(done == 3);
        for (int looks = 0; epoll_wait(h.loop, &found, 1, 0) == 1; looks++) {
            CHECK(looks < 4);
            turn(&h);
            CHECK(h.t.turn.done_n == 0);
        }
        CHECK(read(ends[0], &(char){ 0 }, 1) == 1);
    }
    close_host(&h);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A reactor's descriptor is one like any other, also for a reactor; but not for each other. */
static void one_reactor_hosts_another(void)
{
    awsgi_reactor *outer = check_reactor();
    host h;
    awsgi_os_handle fd;
    awsgi_waitable events[2], inner, circle;
    awsgi_watch set;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 77;
    int ends[2] = { -1, -1 };
    others o = { events, ends };

    open_host(&h, 0, 0, 0, 16);
    OK(awsgi_reactor_fd(h.reactor, &fd));
    OK(awsgi_waitable_descriptor(outer, fd, 0, &inner));
    OK(awsgi_waitable_event(h.reactor, 0, &events[0]));
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t now;

        (void)check_wait(outer, inner, AWSGI_READABLE, i);
        if (i % 2) {
            (void)check_wait(h.reactor, o.events[0], AWSGI_READABLE, i);
            OK(awsgi_notify(o.events[0], AWSGI_READABLE));
        } else {
            OK(awsgi_reactor_now(h.reactor, &now));
            (void)check_start(h.reactor, NULL, 0, 0, 0, now + MS, i);
        }
        for (;;) {
            CHECK(check_next(outer).user_data == i);
            turn(&h);
            if (h.t.turn.done_n == 1)
                break;
            (void)check_wait(outer, inner, AWSGI_READABLE, i);
        }
        CHECK(h.t.done[0].user_data == i);
        (void)awsgi_waitable_take(events[0], &now);
    }

    /* The other way round it would watch itself. */
    (void)check_wait(outer, inner, AWSGI_READABLE, 7);
    {
        host second;

        open_host(&second, 0, 0, 0, 16);
        OK(awsgi_waitable_descriptor(second.reactor, fd, 0, &inner));
        (void)check_wait(second.reactor, inner, AWSGI_READABLE, 8);
        OK(awsgi_reactor_fd(second.reactor, &fd));
        OK(awsgi_waitable_descriptor(h.reactor, fd, 0, &circle));
        set = check_watch(circle, AWSGI_READABLE);
        spec.set = &set;
        spec.count = 1;
        ANSWERS(AWSGI_E_NESTING, awsgi_wait_start(h.reactor, &spec, &wait));
        CHECK(wait == 0);
        OK(awsgi_waitable_close(circle));
        close_host(&second);
    }
    check_free(outer);
    close_host(&h);
}

/* Each nested reactor is two epolls, and the kernel follows five: the next is refused, and disturbs none. */
static void reactors_can_be_nested_too_deeply(void)
{
    awsgi_reactor *outer = check_reactor();
    host inner[3];
    awsgi_waitable waitable[3];
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_watch set;
    awsgi_wait wait;
    char why[256];
    int fd;

    for (int i = 0; i < 3; i++) {
        awsgi_reactor *holder = i == 0 ? outer : inner[i - 1].reactor;

        open_host(&inner[i], 0, 0, 0, 16);
        OK(awsgi_reactor_fd(inner[i].reactor, &fd));
        OK(awsgi_waitable_descriptor(holder, fd, 0, &waitable[i]));
        set = check_watch(waitable[i], AWSGI_READABLE);
        spec.set = &set;
        spec.count = 1;
        ANSWERS(i < 2 ? AWSGI_OK : AWSGI_E_NESTING, awsgi_wait_start(holder, &spec, &wait));
    }
    OK(awsgi_last_error(why, sizeof why, NULL, NULL));
    CHECK(strstr(why, "deeper") != NULL);
    (void)check_start(inner[1].reactor, NULL, 0, 0, 0, AWSGI_NOW, 1);
    CHECK(check_next(outer).outcome == AWSGI_READY);
    check_turned t;
    check_turn(inner[0].reactor, &t, 0);
    CHECK(t.turn.done_n == 1 && t.done[0].outcome == AWSGI_READY);
    check_free(outer);
    for (int i = 0; i < 3; i++)
        close_host(&inner[i]);
}

int main(void)
{
    static const uint32_t budgets[] = { 1, 2, 3, 0 };

    one_reactor_hosts_another();
    reactors_can_be_nested_too_deeply();
    for (uint32_t edges = 0; edges < 2; edges++) {
        for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
            uint32_t how = edges ? EPOLLET : 0;

            nothing_is_missed(0, how, budgets[i], 1);
            nothing_is_missed(0, how, budgets[i], 16);
            nothing_is_missed(AWSGI_HOST_HONOURS_DEADLINE, how, budgets[i], 1);
            nothing_is_missed(AWSGI_HOST_HONOURS_DEADLINE, how, budgets[i], 16);
            a_host_that_turns_before_it_sleeps_comes_to_sleep(how, budgets[i]);
        }
    }
    return 0;
}
