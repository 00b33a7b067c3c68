/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A host with 64 objects of its own, all of which are ready in each iteration of its loop: with a reactor, to which it
 * reports them and which says who goes on, or (`stub`) going on by itself. The difference is what the reactor costs.
 */
#include "bench.h"

#include <awsgi.h>

enum { OBJECTS = 64 };

static struct object {
    awsgi_waitable waitable;
    uint32_t interest;      /* what it is watched for */
    uint32_t ready;
    uint64_t messages;
} objects[OBJECTS];

static awsgi_reactor *reactor;
static awsgi_completion done[OBJECTS];
static awsgi_watch_change changes[OBJECTS];
static awsgi_turn turn = AWSGI_TURN_INIT;
static awsgi_notice notices[OBJECTS];
static uint64_t iterations, handled;

static inline void ok(awsgi_status status, const char *what)
{
    if (status != AWSGI_OK)
        fail(what, awsgi_status_name(status));
}

/* What the loop finds, as a selector would: a message for each. */
static inline void arrive(void)
{
    for (size_t at = 0; at < OBJECTS; at++) {
        objects[at].ready = AWSGI_READABLE;
        objects[at].messages++;
    }
}

/* What whoever waited does. */
static inline void handle(struct object *object)
{
    object->ready = 0;
    handled += object->messages != 0;
}

static void reporting(void)
{
    for (uint64_t round = 0; round < iterations; round++) {
        size_t count = 0;
        arrive();
        for (size_t at = 0; at < OBJECTS; at++)
            if (objects[at].ready & objects[at].interest)
                notices[count++] = (awsgi_notice){ objects[at].waitable, objects[at].ready, 0 };
        ok(awsgi_notify_many(notices, count, NULL), "awsgi_notify_many");
        ok(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        for (size_t at = 0; at < turn.changes_n; at++)
            objects[turn.changes[at].handle].interest = turn.changes[at].interest;
        for (size_t at = 0; at < turn.done_n; at++)
            handle((struct object *)(uintptr_t)turn.done[at].user_data);
    }
}

static void going_on(void)
{
    for (uint64_t round = 0; round < iterations; round++) {
        struct object *ready[OBJECTS];
        size_t count = 0;
        arrive();
        for (size_t at = 0; at < OBJECTS; at++)
            if (objects[at].ready & objects[at].interest)
                ready[count++] = &objects[at];
        /* The compiler must not see through the list. */
        __asm__ volatile("" : : "r"(ready) : "memory");
        for (size_t at = 0; at < count; at++)
            handle(ready[at]);
    }
}

static void measure(void (*loop)(void), uint64_t events)
{
    iterations = events / OBJECTS / 10;
    loop();
    iterations = events / OBJECTS;
    handled = 0;
    struct took took = measured(loop);
    must(handled == iterations * OBJECTS, "an event for each report");
    print_each(took, handled, 0);
}

static void wake(void *unused)
{
    (void)unused;
}

static void reactor_part(uint32_t unused, uint64_t events)
{
    (void)unused;
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    options.mode = AWSGI_DELEGATED;
    options.flags = AWSGI_HOST_TURNS_BEFORE_SLEEP;
    options.wake = wake;
    ok(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    turn.done = done;
    turn.done_cap = OBJECTS;
    turn.changes = changes;
    turn.changes_cap = OBJECTS;
    for (size_t at = 0; at < OBJECTS; at++) {
        ok(awsgi_waitable_foreign(reactor, at, AWSGI_LEVEL, &objects[at].waitable), "awsgi_waitable_foreign");
        awsgi_watch watch = { objects[at].waitable, AWSGI_READABLE, 0 };
        awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
        spec.set = &watch;
        spec.count = 1;
        spec.flags = AWSGI_MULTISHOT;
        spec.user_data = (uintptr_t)&objects[at];
        ok(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
    }
    ok(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    for (size_t at = 0; at < turn.changes_n; at++)
        objects[turn.changes[at].handle].interest = turn.changes[at].interest;
    measure(reporting, events);
}

static void stub_part(uint32_t unused, uint64_t events)
{
    (void)unused;
    for (size_t at = 0; at < OBJECTS; at++)
        objects[at].interest = AWSGI_READABLE;
    measure(going_on, events);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = { { "reactor", reactor_part }, { "stub", stub_part } };
    return RUN_PART(argc, argv, parts);
}
