/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the measured programs have in common: the work itself, so that it is the same for every library, and
 * the clock. A program prints its figure, and after it what else was learned, as numbers on one line.
 */
#ifndef BENCH_H
#define BENCH_H

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn static inline void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static inline void must(int good, const char *what)
{
    if (!good)
        fail(what, errno == 0 ? "refused" : strerror(errno));
}

static inline void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    must(memory != NULL, "calloc");
    return memory;
}

static inline uint64_t clock_ns(clockid_t which)
{
    struct timespec time;
    clock_gettime(which, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static inline void sleep_ms(long ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

/* How long a loop took; and how long this thread ran meanwhile, which is less where others took its processor. */
struct took {
    double ns;
    double ran;
};

/* All that is measured runs below this function: callgrind is told its name. */
__attribute__((noinline)) struct took measured(void (*loop)(void))
{
    uint64_t ran = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t begin = now_ns();
    loop();
    uint64_t end = now_ns();
    return (struct took){ (double)(end - begin), (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - ran) };
}

/* The figure of most parts, and what else was learned: times for each of so many. */
static inline void print_each(struct took took, uint64_t count, double more)
{
    printf("%.3f %.3f %.3f\n", took.ns / (double)count, took.ran / (double)count, more);
}

/* xorshift64* (Vigna, 2016): cheap, and the same numbers for every library. */
static inline uint32_t random_below(uint32_t limit)
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((((state * 0x2545f4914f6cdd1d) >> 32) * limit) >> 32);
}

/* ---- The chain: bytes that hop from socket pair to socket pair ------------------------------------ */

enum { IN_FLIGHT = 100 };

struct pair {
    int in;
    int out;
    struct pair *next;
    uint64_t handle;    /* of the library */
};

static struct pair *pairs;
static size_t pair_count;
static uint64_t hops, hops_until;

/* A ring of pairs, with nothing to read yet. */
static inline void chain_open(size_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    pairs = zeroed(count, sizeof *pairs);
    pair_count = count;
    for (size_t at = 0; at < count; at++) {
        int ends[2];
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
        pairs[at] = (struct pair){ ends[0], ends[1], &pairs[(at + 1) % count], 0 };
    }
}

/* What a handler does: one read, one write. A pair gets at most one byte between two reads of its own, so an edge for
 * each byte is enough. A handler that is called for nothing is a bug of the program. */
static inline void hop(struct pair *pair)
{
    char byte;
    must(read(pair->in, &byte, 1) == 1, "read");
    must(write(pair->next->out, &byte, 1) == 1, "write");
    hops++;
}

/* Begins the chain, and has the loop handle whole batches until `hops` reaches `hops_until`. */
static inline void chain_run(void (*loop)(void), uint64_t count)
{
    for (size_t at = 0; at < IN_FLIGHT; at++)
        must(write(pairs[at * pair_count / IN_FLIGHT].out, "", 1) == 1, "write");
    hops_until = count / 10;
    loop();
    uint64_t before = hops;
    hops_until = hops + count;
    struct took took = measured(loop);
    print_each(took, hops - before, (double)(hops - before));
}

/* ---- Timers: many outstanding, of which a random one is forgotten and started again ---------------- */

/* After so many the loop is turned once, as it would be in a program; and a library that puts work off pays for it. */
enum { REPLACED_PER_TURN = 1024 };

static uint32_t timer_count;
static uint64_t replaced, replaced_until;

static inline uint32_t timer_random(void)
{
    return random_below(timer_count);
}

/* Microseconds from ten seconds to seventy: what timeouts are like, and none passes meanwhile. */
static inline uint32_t timer_delay(void)
{
    return 10000000 + random_below(60000000);
}

static inline void timers_run(void (*loop)(void), uint64_t count)
{
    replaced_until = count / 10;
    loop();
    uint64_t before = replaced;
    replaced_until = replaced + count;
    struct took took = measured(loop);
    print_each(took, replaced - before, 0);
}

/* ---- Timers that fire ----------------------------------------------------------------------------- */

static uint32_t fired;
static void (*fire_turn)(void);
static uint64_t longest_turn;

/* Microseconds: spread over a tenth of a second. */
static inline uint32_t fire_delay(void)
{
    return 1 + random_below(100000);
}

/* The longest turn is by what the thread ran: it is the library that is to be bounded, not who else runs meanwhile. */
static inline void fire_loop(void)
{
    uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (fired < timer_count) {
        fire_turn();
        uint64_t after = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        if (after - before > longest_turn)
            longest_turn = after - before;
        before = after;
    }
}

/* All were started: waits until all are due, and turns until all have fired. */
static inline void fire_run(void (*turn)(void))
{
    sleep_ms(120);
    must(fired == 0, "a timer fired before the loop was turned");
    fire_turn = turn;
    struct took took = measured(fire_loop);
    must(fired == timer_count, "the timers");
    print_each(took, timer_count, (double)longest_turn / 1000);
}

/* ---- Signals from another thread ------------------------------------------------------------------ */

enum { HANDLES = 1000, SIGNAL_ROUNDS = 500, SIGNALS = HANDLES * SIGNAL_ROUNDS };

static uint32_t received;
static sem_t round_begins;
static void (*signal_one)(size_t at);

/* On the loop's thread, for each that was received. The next round begins once all of one were. */
static inline void receive_one(void)
{
    if (++received % HANDLES == 0)
        sem_post(&round_begins);
}

static void *signaller(void *unused)
{
    for (int round = 0; round < SIGNAL_ROUNDS; round++) {
        sem_wait(&round_begins);
        for (size_t at = 0; at < HANDLES; at++)
            signal_one(at);
    }
    return unused;
}

/* The loop ends when SIGNALS are received. */
static inline void signals_run(void (*loop)(void), void (*signal)(size_t at))
{
    pthread_t thread;
    signal_one = signal;
    sem_init(&round_begins, 0, 0);
    must(pthread_create(&thread, NULL, signaller, NULL) == 0, "pthread_create");
    sem_post(&round_begins);
    struct took took = measured(loop);
    must(received == SIGNALS, "the signals");
    pthread_join(thread, NULL);
    printf("%.1f\n", SIGNALS * 1e9 / took.ns);
}

/* ---- The command line: WHAT COUNT [EVENTS] --------------------------------------------------------- */

struct part {
    const char *name;
    void (*run)(uint32_t count, uint64_t events);
};

static inline int run_part(int argc, char **argv, const struct part *parts, size_t part_count)
{
    /* A chain that loses a byte would wait for ever. */
    alarm(300);
    for (size_t at = 0; argc == 4 && at < part_count; at++)
        if (strcmp(argv[1], parts[at].name) == 0) {
            parts[at].run((uint32_t)strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
            return 0;
        }
    fprintf(stderr, "usage: %s PART COUNT EVENTS\n", argv[0]);
    return 2;
}

#define RUN_PART(argc, argv, parts) run_part(argc, argv, parts, sizeof(parts) / sizeof(parts)[0])

#endif /* BENCH_H */
