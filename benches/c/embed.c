/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a host's loop adds: a program for the hosts of c-examples/hosts, each of which is linked to it. It is
 * measured from the program's side, in the loop as users copy it.
 */
#include "bench.h"

#include <program.h>

static awsgi_reactor *reactor;

static void start(awsgi_waitable waitable, uint64_t deadline, uint32_t flags, uint64_t user_data)
{
    awsgi_watch watch = { waitable, AWSGI_READABLE, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    spec.set = &watch;
    spec.count = waitable != 0;
    spec.flags = flags;
    spec.deadline = deadline;
    spec.user_data = user_data;
    check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
}

/* What is measured. `completed` answers whether it goes on. */
static struct measured_part {
    const char *name;
    void (*start)(uint32_t count, uint64_t events);
    bool (*completed)(const awsgi_completion *done);
} *part;

/* ---- The chain, as on an own loop ------------------------------------------------------------------ */

static uint64_t warm_until, before, began, ran;

static void chain(uint32_t count, uint64_t events)
{
    chain_open(count);
    for (size_t at = 0; at < count; at++) {
        check(awsgi_waitable_descriptor(reactor, pairs[at].in, 0, &pairs[at].handle), "awsgi_waitable_descriptor");
        start(pairs[at].handle, AWSGI_FOREVER, AWSGI_MULTISHOT, (uintptr_t)&pairs[at]);
    }
    for (size_t at = 0; at < IN_FLIGHT; at++)
        must(write(pairs[at * pair_count / IN_FLIGHT].out, "", 1) == 1, "write");
    warm_until = events / 10;
    hops_until = UINT64_MAX;
    before = events;
}

static bool chain_completed(const awsgi_completion *done)
{
    if (done->outcome != AWSGI_READY)
        return false;
    hop((struct pair *)(uintptr_t)done->user_data);
    if (began == 0 && hops >= warm_until) {
        hops_until = hops + before;
        before = hops;
        ran = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        began = now_ns();
    }
    if (hops < hops_until)
        return true;
    struct took took = { (double)(now_ns() - began), (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - ran) };
    print_each(took, hops - before, (double)(hops - before));
    return false;
}

/* ---- Latencies ------------------------------------------------------------------------------------- */

enum { MOST = 10000 };

static double latencies[MOST];
static size_t taken, wanted;

static int in_order(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

/* Answers whether more are wanted; prints the median and the 99th percentile when not, in microseconds. */
static bool another(uint64_t latency)
{
    latencies[taken++] = (double)latency / 1000;
    if (taken < wanted)
        return true;
    qsort(latencies, taken, sizeof latencies[0], in_order);
    printf("%.3f %.3f\n", latencies[taken / 2], latencies[taken * 99 / 100]);
    return false;
}

/* ---- From a deadline to its completion, one at a time, in a loop that sleeps ------------------------- */

static uint64_t due;

static void next_deadline(void)
{
    check(awsgi_reactor_now(reactor, &due), "awsgi_reactor_now");
    due += 500000 + random_below(2000000);
    start(0, due, 0, 0);
}

static void deadline(uint32_t unused, uint64_t events)
{
    (void)unused;
    wanted = events;
    next_deadline();
}

static bool deadline_completed(const awsgi_completion *done)
{
    uint64_t now;
    (void)done;
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    must(now >= due, "a completion before its deadline");
    if (!another(now - due))
        return false;
    next_deadline();
    return true;
}

/* ---- From a notify on another thread to its completion, in a loop that sleeps ----------------------- */

static awsgi_waitable event;
static pthread_t notifier;
static sem_t seen;
static uint64_t notified;

static void *notify(void *unused)
{
    for (size_t count = wanted; count > 0; count--) {
        sleep_ms(1);    /* the loop sleeps by then */
        notified = now_ns();
        check(awsgi_notify(event, AWSGI_READABLE), "awsgi_notify");
        sem_wait(&seen);
    }
    return unused;
}

static void notify_start(uint32_t unused, uint64_t events)
{
    (void)unused;
    wanted = events;
    check(awsgi_waitable_event(reactor, 0, &event), "awsgi_waitable_event");
    start(event, AWSGI_FOREVER, AWSGI_MULTISHOT, 0);
    sem_init(&seen, 0, 0);
    must(pthread_create(&notifier, NULL, notify, NULL) == 0, "pthread_create");
}

static bool notify_completed(const awsgi_completion *done)
{
    uint64_t now = now_ns();
    (void)done;
    bool more = another(now - notified);
    sem_post(&seen);
    if (!more)
        pthread_join(notifier, NULL);
    return more;
}

/* ---- Rest: what a loop does in which nothing happens ------------------------------------------------ */

static uint64_t rest_seconds, cpu_before;
static long switches_before;
static pthread_t judge;

static long switches(void)
{
    struct rusage usage;
    must(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    return usage.ru_nvcsw;
}

/* Its own sleeps count, too: it knows how many they are. */
static void *watch_rest(void *unused)
{
    sleep_ms(200);
    switches_before = switches();
    cpu_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    sleep_ms((long)rest_seconds * 1000);
    long switched = switches() - switches_before - 1;
    double cpu = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_before) / 1000;
    printf("%ld %.3f\n", switched, cpu);
    check(awsgi_notify(event, AWSGI_READABLE), "awsgi_notify");
    return unused;
}

/* A descriptor, a sleep of an hour and an event are waited for. */
static void idle(uint32_t unused, uint64_t seconds)
{
    uint64_t now;
    awsgi_waitable descriptor;

    (void)unused;
    rest_seconds = seconds;
    chain_open(1);
    check(awsgi_waitable_descriptor(reactor, pairs[0].in, 0, &descriptor), "awsgi_waitable_descriptor");
    start(descriptor, AWSGI_FOREVER, 0, 1);
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    start(0, now + UINT64_C(3600000000000), 0, 1);
    check(awsgi_waitable_event(reactor, 0, &event), "awsgi_waitable_event");
    start(event, AWSGI_FOREVER, 0, 0);
    must(pthread_create(&judge, NULL, watch_rest, NULL) == 0, "pthread_create");
}

static bool idle_completed(const awsgi_completion *done)
{
    must(done->user_data == 0, "a wait completed");
    pthread_join(judge, NULL);
    return false;
}

/* ---- The program of a host: PART COUNT EVENTS -------------------------------------------------------- */

int program_start(awsgi_reactor *of_host, int argc, char **argv)
{
    static struct measured_part parts[] = {
        { "chain", chain, chain_completed },
        { "deadline", deadline, deadline_completed },
        { "notify", notify_start, notify_completed },
        { "idle", idle, idle_completed },
    };
    reactor = of_host;
    alarm(300);
    for (size_t at = 0; argc == 4 && at < sizeof parts / sizeof parts[0]; at++)
        if (strcmp(argv[1], parts[at].name) == 0) {
            part = &parts[at];
            part->start((uint32_t)strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
            must(wanted <= MOST, "fewer events");
            return -1;
        }
    fprintf(stderr, "usage: %s PART COUNT EVENTS\n", argv[0]);
    exit(2);
}

bool program_readable(void)
{
    return true;
}

bool program_turned(awsgi_turn *turn)
{
    static bool ended;
    for (size_t at = 0; at < turn->done_n && !ended; at++)
        ended = !part->completed(&turn->done[at]);
    return !ended;
}

int program_ended(void)
{
    return 0;
}

/* Streams are the business of other programs. */
void program_listening(uint16_t port)
{
    (void)port;
}

void program_accepted(struct stream *stream)
{
    stream->calls->close(stream);
}
