/* Events: what any thread may tell a reactor, and how often it did. And what a reactor tells of itself:
 * counts, and waitables in words. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static awsgi_waitable event_of(awsgi_reactor *reactor, uint32_t flags)
{
    awsgi_waitable event;

    OK(awsgi_waitable_event(reactor, flags, &event));
    return event;
}

/* ---- flags and counters --------------------------------------------------------------------------- */

static void a_flag_stays_set_until_it_is_taken(awsgi_reactor *reactor)
{
    awsgi_waitable event = event_of(reactor, 0);

    CHECK(check_take(event) == 0);
    for (int i = 0; i < 5; i++)
        OK(awsgi_notify(event, AWSGI_READABLE));
    for (uint64_t i = 0; i < 3; i++) {
        (void)check_wait(reactor, event, AWSGI_READABLE, i);
        CHECK(check_next(reactor).user_data == i);
    }
    CHECK(check_take(event) == 1);
    CHECK(check_take(event) == 0);
    (void)check_wait(reactor, event, AWSGI_READABLE, 7);
    check_nothing(reactor);
    OK(awsgi_notify(event, AWSGI_READABLE));
    CHECK(check_next(reactor).user_data == 7);
    OK(awsgi_waitable_close(event));
}

static void a_counter_counts_every_notify(awsgi_reactor *reactor)
{
    awsgi_waitable counter = event_of(reactor, AWSGI_COUNTER);
    uint64_t sum = 0;

    CHECK(check_take(counter) == 0);
    for (uint64_t round = 1; round <= 100; round++) {
        for (uint64_t i = 0; i < round; i++)
            OK(awsgi_notify(counter, i % 2 ? AWSGI_READABLE : AWSGI_WRITABLE));
        if (round % 3 == 0)
            check_nothing(reactor);
        if (round % 5 == 0)
            sum += check_take(counter);
    }
    CHECK(sum == 100 * 101 / 2 && check_take(counter) == 0);
    (void)check_wait(reactor, counter, AWSGI_READABLE, 0);
    check_nothing(reactor);
    OK(awsgi_notify(counter, AWSGI_READABLE));
    CHECK(check_next(reactor).ready == AWSGI_READABLE);
    CHECK(check_take(counter) == 1);
    OK(awsgi_waitable_close(counter));
}

static void an_event_completes_who_asks_for_its_bits(awsgi_reactor *reactor)
{
    static const struct {
        uint32_t interest, notified, seen;
    } rows[] = {
        { AWSGI_READABLE, AWSGI_READABLE, AWSGI_READABLE },
        { AWSGI_WRITABLE, AWSGI_WRITABLE, AWSGI_WRITABLE },
        { AWSGI_PRIORITY, AWSGI_PRIORITY, AWSGI_PRIORITY },
        { AWSGI_READ_CLOSED, AWSGI_READ_CLOSED, AWSGI_READ_CLOSED },
        { AWSGI_HANGUP, AWSGI_HANGUP, AWSGI_HANGUP },
        { AWSGI_ERROR, AWSGI_ERROR, AWSGI_ERROR },
        { AWSGI_READABLE, AWSGI_WRITABLE | AWSGI_PRIORITY, 0 },
        { AWSGI_WRITABLE, AWSGI_READABLE | AWSGI_READ_CLOSED, 0 },
        { AWSGI_READABLE, AWSGI_READ_CLOSED, AWSGI_READ_CLOSED },
        { AWSGI_READ_CLOSED, AWSGI_READABLE, 0 },
        { AWSGI_READABLE, AWSGI_HANGUP, AWSGI_HANGUP },
        { AWSGI_WRITABLE, AWSGI_ERROR | AWSGI_READABLE, AWSGI_ERROR },
        { AWSGI_PRIORITY, 63, AWSGI_PRIORITY | AWSGI_HANGUP | AWSGI_ERROR },
        { AWSGI_READABLE, 63, 63 & ~(AWSGI_WRITABLE | AWSGI_PRIORITY) },
        { 63, 63, 63 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* Before and after the wait began. */
        for (int before = 0; before < 2; before++) {
            awsgi_waitable event = event_of(reactor, 0);
            awsgi_wait wait;

            if (before)
                OK(awsgi_notify(event, rows[i].notified));
            wait = check_wait(reactor, event, rows[i].interest, i);
            if (!before)
                OK(awsgi_notify(event, rows[i].notified));
            if (rows[i].seen == 0) {
                check_nothing(reactor);
                OK(awsgi_wait_forget(wait));
            } else {
                awsgi_completion done = check_next(reactor);

                CHECK(done.wait == wait && done.outcome == AWSGI_READY);
                CHECK(done.ready == rows[i].seen);
            }
            CHECK(check_take(event) == 1);
            OK(awsgi_waitable_close(event));
        }
    }
}

static void bits_that_are_no_readiness_are_refused(awsgi_reactor *reactor)
{
    static const uint32_t wrong[] = { 0, 64, 256, 63 + 64, UINT32_C(1) << 31, UINT32_MAX };
    awsgi_waitable event = event_of(reactor, AWSGI_COUNTER);
    awsgi_notice notices[2] = { { 0, AWSGI_READABLE, 0 }, { 0, 0, 0 } };

    notices[0].waitable = notices[1].waitable = event;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t stale = 77;

        ANSWERS(AWSGI_E_INVALID, awsgi_notify(event, wrong[i]));
        notices[1].ready = wrong[i];
        /* Nothing of it is done. */
        ANSWERS(AWSGI_E_INVALID, awsgi_notify_many(notices, 2, &stale));
        CHECK(stale == 0);
    }
    CHECK(check_take(event) == 0);
    OK(awsgi_waitable_close(event));
}

static void many_are_notified_at_once(awsgi_reactor *reactor)
{
    enum { MANY = 100 };
    awsgi_notice notices[2 * MANY];
    uint64_t seen = 0;
    size_t stale = 77;

    memset(notices, 0, sizeof notices);
    for (size_t i = 0; i < 2 * MANY; i++) {
        notices[i].waitable = event_of(reactor, 0);
        notices[i].ready = AWSGI_READABLE;
        if (i % 2 == 0)
            (void)check_wait(reactor, notices[i].waitable, AWSGI_READABLE, i / 2);
        else
            OK(awsgi_waitable_close(notices[i].waitable));
    }
    OK(awsgi_notify_many(notices, 2 * MANY, &stale));
    CHECK(stale == MANY);
    for (size_t i = 0; i < MANY; i++)
        CHECK(check_next(reactor).user_data == seen++);
    check_nothing(reactor);
    OK(awsgi_notify_many(notices, 2 * MANY, NULL));
    OK(awsgi_notify_many(NULL, 0, &stale));
    CHECK(stale == 0);
    stale = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_notify_many(NULL, 1, &stale));
    CHECK(stale == 0);
    for (size_t i = 0; i < 2 * MANY; i += 2) {
        CHECK(check_take(notices[i].waitable) == 1);
        OK(awsgi_waitable_close(notices[i].waitable));
    }
}

/* ---- other threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, TIMES = 3000 };

typedef struct {
    awsgi_waitable counter, gone;
} shared;

static void *notify_often(void *given)
{
    const shared *s = given;
    awsgi_notice notices[3] = { { 0, AWSGI_READABLE, 0 }, { 0, AWSGI_READABLE, 0 },
                                { 0, AWSGI_READABLE, 0 } };

    notices[0].waitable = notices[2].waitable = s->counter;
    notices[1].waitable = s->gone;
    for (int i = 0; i < TIMES; i++) {
        size_t stale;

        OK(awsgi_notify(s->counter, AWSGI_READABLE));
        ANSWERS(AWSGI_E_STALE, awsgi_notify(s->gone, AWSGI_READABLE));
        if (i % 3 == 0) {
            OK(awsgi_notify_many(notices, 3, &stale));
            CHECK(stale == 1);
        }
    }
    return NULL;
}

static void every_notify_wakes_and_is_counted(awsgi_reactor *reactor)
{
    shared s;
    pthread_t threads[THREADS];
    uint64_t sum = 0;

    s.counter = event_of(reactor, AWSGI_COUNTER);
    s.gone = event_of(reactor, AWSGI_COUNTER);
    OK(awsgi_waitable_close(s.gone));
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, notify_often, &s) == 0);
    while (sum < THREADS * TIMES / 3 * 5) {
        uint64_t taken;

        (void)check_wait(reactor, s.counter, AWSGI_READABLE, 0);
        /* Sleeps in the turn until one comes. */
        CHECK(check_next(reactor).outcome == AWSGI_READY);
        taken = check_take(s.counter);
        CHECK(taken > 0);
        sum += taken;
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(sum == THREADS * TIMES / 3 * 5 && check_take(s.counter) == 0);
    OK(awsgi_waitable_close(s.counter));
}

struct between {
    awsgi_reactor *reactor;
    awsgi_waitable counter;
};

static void *stale_elsewhere(void *given)
{
    const awsgi_notice *notice = given;
    size_t stale = 0;

    ANSWERS(AWSGI_E_STALE, awsgi_notify(notice->waitable, AWSGI_READABLE));
    OK(awsgi_notify_many(notice, 1, &stale));
    CHECK(stale == 1);
    return NULL;
}

static void check_stale(awsgi_notice notice)
{
    pthread_t thread;

    (void)stale_elsewhere(&notice);
    CHECK(pthread_create(&thread, NULL, stale_elsewhere, &notice) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void an_event_that_is_gone_is_stale_for_ever(void)
{
    awsgi_notice notice = { 0, AWSGI_READABLE, 0 };
    awsgi_reactor *reactor = check_reactor();
    awsgi_waitable left = event_of(reactor, AWSGI_COUNTER);

    notice.waitable = event_of(reactor, 0);
    OK(awsgi_waitable_close(notice.waitable));
    check_stale(notice);
    for (int i = 0; i < 100; i++) {
        awsgi_waitable next = event_of(reactor, 0);

        CHECK(next != notice.waitable);
        check_stale(notice);
        OK(awsgi_waitable_close(next));
    }
    OK(awsgi_notify(left, AWSGI_READABLE));
    check_free(reactor);
    check_stale(notice);
    notice.waitable = left;
    check_stale(notice);
    /* Also when another reactor has its number. */
    for (int i = 0; i < 5; i++) {
        awsgi_waitable next;

        reactor = check_reactor();
        next = event_of(reactor, AWSGI_COUNTER);
        CHECK(next != left);
        check_stale(notice);
        CHECK(check_take(next) == 0);
        check_free(reactor);
    }
}

static void *adopt_and_take(void *given)
{
    const struct between *b = given;

    OK(awsgi_reactor_adopt(b->reactor));
    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_adopt(b->reactor));
    CHECK(check_next(b->reactor).user_data == 7);
    CHECK(check_take(b->counter) == 2);
    (void)check_wait(b->reactor, b->counter, AWSGI_READABLE, 8);
    OK(awsgi_reactor_release(b->reactor));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_release(b->reactor));
    OK(awsgi_notify(b->counter, AWSGI_READABLE));
    return NULL;
}

/* What happens while nobody owns a reactor is there for the next who does. */
static void a_reactor_between_two_owners_is_notified(void)
{
    struct between b;
    awsgi_turn t = AWSGI_TURN_INIT;
    uint64_t value = 77;
    pthread_t thread;

    b.reactor = check_reactor();
    b.counter = event_of(b.reactor, AWSGI_COUNTER);
    (void)check_wait(b.reactor, b.counter, AWSGI_READABLE, 7);
    OK(awsgi_notify(b.counter, AWSGI_READABLE));
    OK(awsgi_reactor_release(b.reactor));
    OK(awsgi_notify(b.counter, AWSGI_READABLE));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_turn(b.reactor, &t));
    ANSWERS(AWSGI_E_THREAD, awsgi_waitable_take(b.counter, &value));
    CHECK(value == 0);
    CHECK(pthread_create(&thread, NULL, adopt_and_take, &b) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    OK(awsgi_reactor_adopt(b.reactor));
    CHECK(check_next(b.reactor).user_data == 8);
    CHECK(check_take(b.counter) == 1);
    check_free(b.reactor);
}

/* ---- counts --------------------------------------------------------------------------------------- */

static void stats_fill_what_there_is_room_for(awsgi_reactor *reactor)
{
    enum { KNOWN = sizeof(awsgi_stats) / sizeof(uint64_t), WORDS = KNOWN + 4 };
    awsgi_stats now = check_stats(reactor);
    uint64_t full[KNOWN];

    memcpy(full, &now, sizeof now);
    CHECK(now.size == sizeof now && now.turns > 0);
    for (size_t words = 0; words <= WORDS; words++) {
        union {
            awsgi_stats stats;
            uint64_t words[WORDS];
        } given;

        memset(&given, 0x55, sizeof given);
        given.stats.size = words * sizeof(uint64_t);
        if (words == 0) {
            ANSWERS(AWSGI_E_INVALID, awsgi_reactor_stats(reactor, &given.stats));
        } else {
            OK(awsgi_reactor_stats(reactor, &given.stats));
        }
        CHECK(given.words[0] == words * sizeof(uint64_t));
        for (size_t i = 1; i < WORDS; i++) {
            if (i >= words)
                CHECK(given.words[i] == UINT64_C(0x5555555555555555));
            else
                CHECK(given.words[i] == (i < KNOWN ? full[i] : 0));
        }
    }
}

static void stats_count_what_was_done(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable event, timer, foreign, in;
    awsgi_wait wait;
    awsgi_stats s = check_stats(reactor), before;
    check_turned t;
    int pair[2];

    CHECK(s.turns == 0 && s.events == 0 && s.completions == 0 && s.stale == 0 && s.spurious == 0);
    CHECK(s.ghosts == 0 && s.rebuilds == 0 && s.changes == 0 && s.waits == 0 && s.waitables == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    event = event_of(reactor, 0);
    OK(awsgi_waitable_timer(reactor, 100, 0, &timer));
    OK(awsgi_waitable_foreign(reactor, 7, AWSGI_ONCE, &foreign));
    OK(awsgi_waitable_descriptor(reactor, pair[0], 0, &in));
    CHECK(check_stats(reactor).waitables == 4);

    /* Without a waiter each of these is in vain. */
    OK(awsgi_notify(event, AWSGI_READABLE));
    OK(awsgi_notify(foreign, AWSGI_READABLE));
    CHECK(check_stats(reactor).spurious == 2 && check_take(event) == 1);
    check_none(reactor, 1);

    wait = check_wait(reactor, event, AWSGI_READABLE, 0);
    (void)check_wait(reactor, timer, AWSGI_READABLE, 0);
    (void)check_wait(reactor, foreign, AWSGI_READABLE, 0);
    (void)check_wait(reactor, in, AWSGI_READABLE, 0);
    (void)check_start(reactor, NULL, 0, 0, 0, 100, 0);
    CHECK(check_stats(reactor).waits == 5);
    OK(awsgi_notify(event, AWSGI_READABLE));
    OK(awsgi_wait_forget(wait));
    CHECK(check_stats(reactor).waits == 4);
    check_none(reactor, 2);
    /* What wakes ourselves is an event, too; after this turn there is none of it left. */
    check_none(reactor, 2);
    before = check_stats(reactor);
    CHECK(before.stale == 1 && before.changes == 1 && before.completions == 0);
    CHECK(before.turns == 3);
    CHECK(write(pair[1], "x", 1) == 1);
    check_turn(reactor, &t, 100);
    CHECK(t.turn.done_n == 3);
    s = check_stats(reactor);
    CHECK(s.turns == 4 && s.completions == 3 && s.events == before.events + 3);
    CHECK(s.waits == 1 && s.spurious == 2);
    OK(awsgi_waitable_close(foreign));
    check_turn(reactor, &t, 100);
    CHECK(t.turn.done_n == 1 && t.turn.changes_n == 1);
    s = check_stats(reactor);
    CHECK(s.changes == 2 && s.completions == 4 && s.waits == 0 && s.waitables == 3);
    check_free(reactor);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* A file that lives on under another number, and whose number was closed before its waitable. */
static void stats_count_ghosts_and_how_they_were_laid(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable in;
    awsgi_stats s;
    int pair[2], other;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK((other = dup(pair[0])) >= 0);
    OK(awsgi_waitable_descriptor(reactor, pair[0], 0, &in));
    (void)check_wait(reactor, in, AWSGI_READABLE, 0);
    check_none(reactor, 0);
    (void)close(pair[0]);
    OK(awsgi_waitable_close(in));
    CHECK(check_one(reactor, 0).outcome == AWSGI_CLOSED);
    for (int i = 0; i < 10000; i++) {
        CHECK(write(pair[1], "x", 1) == 1);
        check_none(reactor, 0);
        s = check_stats(reactor);
        if (s.rebuilds > 0)
            break;
        CHECK(s.ghosts == (uint64_t)i + 1);
    }
    CHECK(s.rebuilds == 1 && s.ghosts > 0);
    /* It is not heard of again. */
    for (int i = 0; i < 100; i++) {
        CHECK(write(pair[1], "x", 1) == 1);
        check_none(reactor, 0);
    }
    CHECK(check_stats(reactor).ghosts == s.ghosts && check_stats(reactor).rebuilds == 1);
    check_free(reactor);
    (void)close(other);
    (void)close(pair[1]);
}

static void *notify_twice(void *event)
{
    OK(awsgi_notify(*(awsgi_waitable *)event, AWSGI_READABLE));
    OK(awsgi_notify(*(awsgi_waitable *)event, AWSGI_READABLE));
    return NULL;
}

static void stats_count_signals(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable event = event_of(reactor, 0);
    pthread_t thread;

    check_none(reactor, 0);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t before = check_stats(reactor).signals;

        CHECK(pthread_create(&thread, NULL, notify_twice, &event) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(check_stats(reactor).signals == before + 1);
        check_none(reactor, 0);
    }
    check_free(reactor);
}

/* ---- words ---------------------------------------------------------------------------------------- */

static const char *described(awsgi_waitable waitable)
{
    static char text[512];
    size_t len = 0;

    memset(text, 'x', sizeof text);
    OK(awsgi_waitable_describe(waitable, text, sizeof text, &len));
    CHECK(len > 0 && len < sizeof text && strlen(text) == len);
    return text;
}

static int says(awsgi_waitable waitable, const char *words)
{
    return strstr(described(waitable), words) != NULL;
}

static void a_waitable_is_described(awsgi_reactor *reactor)
{
    awsgi_waitable event = event_of(reactor, 0), counter = event_of(reactor, AWSGI_COUNTER);
    awsgi_waitable timer, foreign, in;
    awsgi_wait wait;

    OK(awsgi_waitable_timer(reactor, AWSGI_NOW, 0, &timer));
    OK(awsgi_waitable_foreign(reactor, 0xabc, AWSGI_LEVEL, &foreign));
    OK(awsgi_waitable_descriptor(reactor, 0, 0, &in));
    CHECK(says(event, "event") && says(counter, "counter") && says(timer, "timer"));
    CHECK(says(foreign, "foreign") && says(foreign, "0xabc") && says(in, "descriptor 0"));
    CHECK(!says(event, "READABLE"));
    wait = check_wait(reactor, event, AWSGI_READABLE, 0);
    CHECK(says(event, "READABLE") && !says(event, "WRITABLE"));
    OK(awsgi_wait_forget(wait));
    CHECK(!says(event, "READABLE"));
    OK(awsgi_waitable_close(event));
    OK(awsgi_waitable_close(counter));
    OK(awsgi_waitable_close(timer));
    OK(awsgi_waitable_close(foreign));
    OK(awsgi_waitable_close(in));
}

static void a_description_is_cut_to_fit(awsgi_reactor *reactor)
{
    awsgi_waitable event = event_of(reactor, 0);
    char whole[512], cut[512];
    size_t len = 0, told;

    OK(awsgi_waitable_label(event, "requests of the day", 19));
    OK(awsgi_waitable_describe(event, NULL, 0, &len));
    OK(awsgi_waitable_describe(event, whole, sizeof whole, NULL));
    CHECK(strlen(whole) == len && len + 2 < sizeof cut);
    for (size_t capacity = 0; capacity <= len + 2; capacity++) {
        size_t fits = capacity == 0 ? 0 : capacity - 1 < len ? capacity - 1 : len;

        memset(cut, 'x', sizeof cut);
        told = 0;
        OK(awsgi_waitable_describe(event, cut, capacity, &told));
        CHECK(told == len && memcmp(cut, whole, fits) == 0);
        if (capacity > 0)
            CHECK(cut[fits] == '\0');
        CHECK(cut[capacity] == 'x');
    }
    told = 77;
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_describe(event, NULL, 1, &told));
    CHECK(told == 0);
    OK(awsgi_waitable_close(event));
    told = 77;
    cut[0] = 'x';
    ANSWERS(AWSGI_E_STALE, awsgi_waitable_describe(event, cut, sizeof cut, &told));
    CHECK(told == 0 && cut[0] == '\0');
}

static void a_label_is_given_changed_and_taken_away(awsgi_reactor *reactor)
{
    static const char *const wrong[] = { "\xff", "caf\xe9", "\xc3", "\xed\xa0\x80", "\xc0\x80" };
    char copied[] = "first of all";
    char *large = malloc(100000);
    awsgi_waitable event = event_of(reactor, 0);
    size_t len = 0;

    CHECK(large != NULL);
    OK(awsgi_waitable_label(event, copied, 5));
    memset(copied, 'x', sizeof copied - 1);
    CHECK(says(event, "first") && !says(event, "of all"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ANSWERS(AWSGI_E_INVALID, awsgi_waitable_label(event, wrong[i], strlen(wrong[i])));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_label(event, NULL, 1));
    CHECK(says(event, "first"));
    OK(awsgi_waitable_label(event, "caf\xc3\xa9", 5));
    CHECK(says(event, "caf\xc3\xa9") && !says(event, "first"));
    OK(awsgi_waitable_label(event, "", 0));
    CHECK(!says(event, "caf"));
    OK(awsgi_waitable_label(event, "again", 5));
    OK(awsgi_waitable_label(event, NULL, 0));
    CHECK(!says(event, "again"));
    memset(large, 'a', 100000);
    OK(awsgi_waitable_label(event, large, 100000));
    OK(awsgi_waitable_describe(event, NULL, 0, &len));
    CHECK(len > 100000);
    OK(awsgi_waitable_close(event));
    ANSWERS(AWSGI_E_STALE, awsgi_waitable_label(event, "late", 4));
    free(large);
    /* The next in its place has not inherited it. */
    for (int i = 0; i < 100; i++) {
        event = event_of(reactor, 0);
        CHECK(!says(event, "aaaa"));
        OK(awsgi_waitable_close(event));
    }
}

int main(void)
{
    awsgi_reactor *reactor = check_reactor();

    a_flag_stays_set_until_it_is_taken(reactor);
    a_counter_counts_every_notify(reactor);
    an_event_completes_who_asks_for_its_bits(reactor);
    bits_that_are_no_readiness_are_refused(reactor);
    many_are_notified_at_once(reactor);
    every_notify_wakes_and_is_counted(reactor);
    an_event_that_is_gone_is_stale_for_ever();
    a_reactor_between_two_owners_is_notified();
    stats_fill_what_there_is_room_for(reactor);
    stats_count_what_was_done();
    stats_count_ghosts_and_how_they_were_laid();
    stats_count_signals();
    a_waitable_is_described(reactor);
    a_description_is_cut_to_fit(reactor);
    a_label_is_given_changed_and_taken_away(reactor);
    check_free(reactor);
    return 0;
}
