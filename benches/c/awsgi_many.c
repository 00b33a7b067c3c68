/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Many waits at once: what they take while nothing happens.
 */
#include "bench.h"

#include <awsgi.h>
#include <malloc.h>

static awsgi_reactor *reactor;

static inline void ok(awsgi_status status, const char *what)
{
    if (status != AWSGI_OK)
        fail(what, awsgi_status_name(status));
}

static void start(awsgi_waitable waitable)
{
    awsgi_watch watch = { waitable, AWSGI_READABLE, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    spec.set = &watch;
    spec.count = 1;
    ok(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
}

/* ---- The memory of a wait -------------------------------------------------------------------------- */

static uint64_t resident(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    must(file != NULL, "/proc/self/smaps_rollup");
    char line[256];
    unsigned long long kilobytes = 0;
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "Rss: %llu kB", &kilobytes) != 1)
        ;
    fclose(file);
    must(kilobytes != 0, "Rss in /proc/self/smaps_rollup");
    return kilobytes * 1024;
}

static uint64_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void memory(uint32_t count, uint64_t unused)
{
    (void)unused;
    awsgi_waitable event;
    ok(awsgi_waitable_event(reactor, 0, &event), "awsgi_waitable_event");
    /* What is made once is there before it begins. */
    start(event);
    (void)resident();
    uint64_t resident_before = resident(), allocated_before = allocated();
    for (uint32_t at = 0; at < count; at++)
        start(event);
    double allocated_more = (double)(allocated() - allocated_before);
    double resident_more = (double)(resident() - resident_before);
    printf("%.3f %.3f\n", resident_more / count, allocated_more / count);
}

/* ---- Rest ------------------------------------------------------------------------------------------ */

enum { DESCRIPTORS = 8000 };

static long switches(void)
{
    struct rusage usage;
    must(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    return usage.ru_nvcsw;
}

/* As many foreign waitables and sleeps as are asked for, and descriptors: a wait on each, and then a turn that blocks
 * for so many seconds. */
static void idle(uint32_t count, uint64_t seconds)
{
    static awsgi_watch_change changes[1024];
    uint64_t now;
    ok(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    for (uint32_t at = 0; at < count; at++) {
        awsgi_waitable foreign;
        ok(awsgi_waitable_foreign(reactor, at, AWSGI_LEVEL, &foreign), "awsgi_waitable_foreign");
        start(foreign);
        awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
        sleep.deadline = now + UINT64_C(3600000000000) + random_below(1000000000) * UINT64_C(1000);
        ok(awsgi_wait_start(reactor, &sleep, NULL), "awsgi_wait_start");
    }
    chain_open(DESCRIPTORS / 2);
    for (size_t at = 0; at < DESCRIPTORS; at++) {
        awsgi_waitable descriptor;
        int fd = at % 2 == 0 ? pairs[at / 2].in : pairs[at / 2].out;
        ok(awsgi_waitable_descriptor(reactor, fd, 0, &descriptor), "awsgi_waitable_descriptor");
        start(descriptor);
    }
    /* The host takes what it is to watch, until there is nothing left. */
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_completion done[16];
    turn.done = done;
    turn.done_cap = 16;
    turn.changes = changes;
    turn.changes_cap = 1024;
    turn.deadline = AWSGI_NOW;
    uint32_t watched = 0;
    do {
        ok(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        watched += (uint32_t)turn.changes_n;
    } while (turn.changes_n != 0 || (turn.flags & AWSGI_TURN_MORE) != 0);
    must(watched == count, "the watch changes");

    ok(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    turn.deadline = now + seconds * UINT64_C(1000000000);
    long switches_before = switches();
    uint64_t cpu_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    ok(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_before;
    long switched = switches() - switches_before;
    ok(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    must(now >= turn.deadline, "the turn came back early");
    must(turn.done_n == 0, "a wait completed");
    /* It gave up the processor once to begin with. */
    printf("%ld %.3f\n", switched - 1, (double)cpu / 1000);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = { { "memory", memory }, { "idle", idle } };
    ok(awsgi_reactor_new(NULL, &reactor), "awsgi_reactor_new");
    return RUN_PART(argc, argv, parts);
}
