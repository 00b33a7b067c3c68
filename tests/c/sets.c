/* Waits for several waitables: any, some or all of them, and which were ready. The time is the
 * test's. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <sys/socket.h>
#include <unistd.h>

/* An event, a pipe, a socket and a timer, in this order. */
enum { EVENT, PIPE, SOCKET, TIMER, MIXED };

typedef struct {
    awsgi_reactor *reactor;
    awsgi_watch set[MIXED];
    int pipe[2], socket[2];
    uint64_t now, expires;
} mixed;

static mixed open_mixed(void)
{
    mixed m;
    awsgi_waitable waitables[MIXED];

    m.reactor = check_clocked();
    m.now = 1000;
    m.expires = 2000;
    CHECK(pipe(m.pipe) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, m.socket) == 0);
    OK(awsgi_waitable_event(m.reactor, 0, &waitables[EVENT]));
    OK(awsgi_waitable_descriptor(m.reactor, m.pipe[0], AWSGI_OWN, &waitables[PIPE]));
    OK(awsgi_waitable_descriptor(m.reactor, m.socket[0], AWSGI_OWN, &waitables[SOCKET]));
    OK(awsgi_waitable_timer(m.reactor, m.expires, 0, &waitables[TIMER]));
    for (int i = 0; i < MIXED; i++)
        m.set[i] = check_watch(waitables[i], AWSGI_READABLE);
    check_none(m.reactor, m.now);
    return m;
}

static void close_mixed(mixed *m)
{
    check_free(m->reactor);
    (void)close(m->pipe[1]);
    (void)close(m->socket[1]);
}

static void make_ready(mixed *m, int which)
{
    switch (which) {
    case EVENT:
        OK(awsgi_notify(m->set[EVENT].waitable, AWSGI_READABLE));
        break;
    case PIPE:
        CHECK(write(m->pipe[1], "x", 1) == 1);
        break;
    case SOCKET:
        CHECK(write(m->socket[1], "x", 1) == 1);
        break;
    default:
        m->now = m->expires;
    }
}

static void drain(mixed *m, int which)
{
    char byte;

    switch (which) {
    case EVENT:
        CHECK(check_take(m->set[EVENT].waitable) == 1);
        break;
    case PIPE:
        CHECK(read(m->pipe[0], &byte, 1) == 1);
        break;
    case SOCKET:
        CHECK(read(m->socket[0], &byte, 1) == 1);
        break;
    default:
        CHECK(check_take(m->set[TIMER].waitable) == 1);
    }
}

static void check_member(const awsgi_member *member, const mixed *m, int which)
{
    CHECK(member->waitable == m->set[which].waitable);
    CHECK(member->index == (uint32_t)which && member->ready == AWSGI_READABLE);
}

static void any_one_of_a_set_completes_it(void)
{
    for (uint32_t at_least = 0; at_least <= 1; at_least++) {
        for (int which = 0; which < MIXED; which++) {
            mixed m = open_mixed();
            awsgi_wait wait = check_start(m.reactor, m.set, MIXED, at_least, 0, AWSGI_FOREVER, 7);
            awsgi_completion done;
            awsgi_member member;
            size_t count;

            check_none(m.reactor, m.now);
            make_ready(&m, which);
            done = check_one(m.reactor, m.now);
            CHECK(done.outcome == AWSGI_READY && done.flags == 0 && done.error == 0);
            CHECK(done.user_data == 7 && done.wait == wait);
            CHECK(done.members == 1 && done.index == (uint32_t)which);
            CHECK(done.ready == AWSGI_READABLE);
            OK(awsgi_completion_members(&done, &member, 1, &count));
            CHECK(count == 1);
            check_member(&member, &m, which);
            check_none(m.reactor, m.now);
            close_mixed(&m);
        }
    }
}

static void some_of_a_set_complete_it_in_any_order(void)
{
    for (int first = 0; first < MIXED; first++) {
        for (int second = 0; second < MIXED; second++) {
            mixed m;
            awsgi_completion done;
            awsgi_member members[MIXED];
            size_t count;

            if (first == second)
                continue;
            m = open_mixed();
            (void)check_start(m.reactor, m.set, MIXED, 2, 0, AWSGI_FOREVER, 0);
            make_ready(&m, first);
            check_none(m.reactor, m.now);
            /* One counts from the first time it was ready, also when it is no more. */
            drain(&m, first);
            check_none(m.reactor, m.now);
            make_ready(&m, second);
            done = check_one(m.reactor, m.now);
            CHECK(done.outcome == AWSGI_READY && done.members == 2);
            CHECK(done.index == (uint32_t)(first < second ? first : second));
            OK(awsgi_completion_members(&done, members, MIXED, &count));
            CHECK(count == 2);
            check_member(&members[0], &m, first < second ? first : second);
            check_member(&members[1], &m, first < second ? second : first);
            close_mixed(&m);
        }
    }
}

static void all_of_a_set_means_each_of_them(void)
{
    for (int last = 0; last < MIXED; last++) {
        mixed m = open_mixed();
        awsgi_completion done;
        awsgi_member members[MIXED];
        size_t count;

        (void)check_start(m.reactor, m.set, MIXED, MIXED, 0, AWSGI_FOREVER, 0);
        for (int i = 0; i < MIXED; i++) {
            if (i != last) {
                make_ready(&m, i);
                check_none(m.reactor, m.now);
                /* Ready twice is still one of them. */
                if (i != TIMER)
                    make_ready(&m, i);
                check_none(m.reactor, m.now);
            }
        }
        make_ready(&m, last);
        done = check_one(m.reactor, m.now);
        CHECK(done.outcome == AWSGI_READY && done.members == MIXED && done.index == 0);
        OK(awsgi_completion_members(&done, members, MIXED, &count));
        CHECK(count == MIXED);
        for (int i = 0; i < MIXED; i++)
            check_member(&members[i], &m, i);
        close_mixed(&m);
    }
}

static void what_is_ready_at_the_start_counts(void)
{
    mixed m = open_mixed();
    awsgi_completion done;

    for (int i = 0; i < MIXED; i++)
        make_ready(&m, i);
    /* The host's clock moves in a turn. */
    check_none(m.reactor, m.now);
    (void)check_start(m.reactor, m.set, MIXED, MIXED, 0, AWSGI_NOW, 0);
    done = check_one(m.reactor, m.now);
    CHECK(done.outcome == AWSGI_READY && done.members == MIXED);
    close_mixed(&m);
}

static void a_deadline_of_now_asks_once(void)
{
    mixed m = open_mixed();
    awsgi_completion done;

    (void)check_start(m.reactor, m.set, MIXED, 1, 0, AWSGI_NOW, 0);
    done = check_one(m.reactor, m.now);
    CHECK(done.outcome == AWSGI_TIMED_OUT && done.members == 0 && done.ready == 0);
    for (int which = EVENT; which <= SOCKET; which++) {
        make_ready(&m, which);
        (void)check_start(m.reactor, m.set, MIXED, 1, 0, AWSGI_NOW, 0);
        done = check_one(m.reactor, m.now);
        CHECK(done.outcome == AWSGI_READY && done.index == (uint32_t)which);
        drain(&m, which);
    }
    close_mixed(&m);
}

static void each_member_is_asked_for_its_own_interest(void)
{
    mixed m = open_mixed();
    awsgi_completion done;
    awsgi_member members[2];
    size_t count;

    m.set[EVENT].interest = AWSGI_PRIORITY;
    m.set[SOCKET].interest = AWSGI_WRITABLE;
    (void)check_start(m.reactor, m.set, SOCKET + 1, 2, 0, AWSGI_FOREVER, 0);
    OK(awsgi_notify(m.set[EVENT].waitable, AWSGI_READABLE));
    check_none(m.reactor, m.now);       /* of the two only the socket is */
    OK(awsgi_notify(m.set[EVENT].waitable, AWSGI_PRIORITY | AWSGI_WRITABLE));
    done = check_one(m.reactor, m.now);
    CHECK(done.members == 2 && done.index == EVENT && done.ready == AWSGI_PRIORITY);
    OK(awsgi_completion_members(&done, members, 2, &count));
    CHECK(count == 2 && members[1].index == SOCKET && members[1].ready == AWSGI_WRITABLE);
    close_mixed(&m);
}

static void several_sets_share_their_members(void)
{
    mixed m = open_mixed();
    check_turned t;

    (void)check_start(m.reactor, m.set, MIXED, 1, 0, AWSGI_FOREVER, 1);
    (void)check_start(m.reactor, m.set, MIXED, 2, 0, AWSGI_FOREVER, 2);
    (void)check_start(m.reactor, m.set, PIPE + 1, 2, 0, AWSGI_FOREVER, 3);
    make_ready(&m, PIPE);
    check_turn(m.reactor, &t, m.now);
    CHECK(t.turn.done_n == 1 && t.done[0].user_data == 1);
    make_ready(&m, SOCKET);
    check_turn(m.reactor, &t, m.now);
    CHECK(t.turn.done_n == 1 && t.done[0].user_data == 2);
    make_ready(&m, EVENT);
    check_turn(m.reactor, &t, m.now);
    CHECK(t.turn.done_n == 1 && t.done[0].user_data == 3);
    close_mixed(&m);
}

static void members_are_written_as_far_as_there_is_room(void)
{
    mixed m = open_mixed();
    awsgi_completion done;
    awsgi_member members[MIXED + 1];
    size_t count = 77;

    (void)check_start(m.reactor, m.set, MIXED, 3, 0, AWSGI_FOREVER, 0);
    make_ready(&m, EVENT);
    make_ready(&m, SOCKET);
    make_ready(&m, TIMER);
    done = check_one(m.reactor, m.now);
    CHECK(done.members == 3);

    OK(awsgi_completion_members(&done, NULL, 0, &count));
    CHECK(count == 3);
    for (size_t capacity = 0; capacity <= MIXED + 1; capacity++) {
        memset(members, 0x55, sizeof members);
        count = 77;
        OK(awsgi_completion_members(&done, members, capacity, &count));
        CHECK(count == 3);
        if (capacity >= 1)
            check_member(&members[0], &m, EVENT);
        if (capacity >= 2)
            check_member(&members[1], &m, SOCKET);
        if (capacity >= 3)
            check_member(&members[2], &m, TIMER);
        for (size_t i = capacity < 3 ? capacity : 3; i <= MIXED; i++)
            CHECK(members[i].waitable == UINT64_C(0x5555555555555555));
    }
    ANSWERS(AWSGI_E_NULL, awsgi_completion_members(&done, NULL, 1, &count));
    CHECK(count == 0);
    close_mixed(&m);
}

static void members_can_be_asked_for_until_the_next_turn(void)
{
    mixed m = open_mixed();
    awsgi_completion done;
    awsgi_member member;
    size_t count;

    (void)check_start(m.reactor, m.set, MIXED, 1, 0, AWSGI_FOREVER, 0);
    make_ready(&m, EVENT);
    done = check_one(m.reactor, m.now);
    /* Other work changes nothing about it, as long as nobody turns. */
    OK(awsgi_wait_forget(check_start(m.reactor, &m.set[PIPE], 1, 1, 0, AWSGI_FOREVER, 0)));
    (void)check_start(m.reactor, m.set, MIXED, 1, 0, AWSGI_FOREVER, 0);
    for (int i = 0; i < 2; i++) {
        OK(awsgi_completion_members(&done, &member, 1, &count));
        CHECK(count == 1);
        check_member(&member, &m, EVENT);
    }
    (void)check_one(m.reactor, m.now);
    count = 77;
    ANSWERS(AWSGI_E_STALE, awsgi_completion_members(&done, &member, 1, &count));
    CHECK(count == 0);
    check_none(m.reactor, m.now);
    ANSWERS(AWSGI_E_STALE, awsgi_completion_members(&done, &member, 1, &count));
    close_mixed(&m);
}

static void members_of_a_wait_that_was_not_ready_are_those_that_were(void)
{
    enum { TIMEOUT, CANCEL, CLOSE };

    for (int how = TIMEOUT; how <= CLOSE; how++) {
        mixed m = open_mixed();
        awsgi_wait wait = check_start(m.reactor, m.set, MIXED, 3, 0, 1500, 0);
        awsgi_completion done;
        awsgi_member members[MIXED];
        size_t count;

        make_ready(&m, PIPE);
        make_ready(&m, SOCKET);
        check_none(m.reactor, 1499);
        if (how == CANCEL)
            OK(awsgi_wait_cancel(wait));
        else if (how == CLOSE)
            OK(awsgi_waitable_close(m.set[EVENT].waitable));
        done = check_one(m.reactor, how == TIMEOUT ? 1500 : 1499);
        CHECK(done.outcome == AWSGI_TIMED_OUT + how);
        CHECK(done.members == 2 && done.index == PIPE && done.ready == AWSGI_READABLE);
        OK(awsgi_completion_members(&done, members, MIXED, &count));
        CHECK(count == 2);
        check_member(&members[0], &m, PIPE);
        check_member(&members[1], &m, SOCKET);
        close_mixed(&m);
    }
}

static void a_sleep_has_no_members(void)
{
    mixed m = open_mixed();
    awsgi_completion done;
    size_t count = 77;

    (void)check_start(m.reactor, NULL, 0, 0, 0, m.now, 0);
    done = check_one(m.reactor, m.now);
    CHECK(done.outcome == AWSGI_TIMED_OUT && done.members == 0);
    OK(awsgi_completion_members(&done, NULL, 0, &count));
    CHECK(count == 0);
    close_mixed(&m);
}

static void a_member_that_was_closed_since_has_no_name(void)
{
    mixed m = open_mixed();
    awsgi_completion done;
    awsgi_waitable more[8];
    awsgi_member members[MIXED];
    size_t count;

    (void)check_start(m.reactor, m.set, MIXED, 2, 0, AWSGI_FOREVER, 0);
    make_ready(&m, EVENT);
    make_ready(&m, PIPE);
    done = check_one(m.reactor, m.now);
    CHECK(done.members == 2);
    OK(awsgi_waitable_close(m.set[EVENT].waitable));
    /* Nor has it that of one that came after it. */
    for (int i = 0; i < 8; i++)
        OK(awsgi_waitable_event(m.reactor, 0, &more[i]));
    OK(awsgi_completion_members(&done, members, MIXED, &count));
    CHECK(count == 2);
    CHECK(members[0].waitable == 0 && members[0].index == EVENT);
    CHECK(members[0].ready == AWSGI_READABLE);
    check_member(&members[1], &m, PIPE);
    close_mixed(&m);
}

static void what_does_not_fit_comes_with_the_next_turn(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable event;
    awsgi_watch set;
    check_turned t;

    OK(awsgi_waitable_event(reactor, 0, &event));
    set = check_watch(event, AWSGI_READABLE);
    for (uint64_t i = 1; i <= 5; i++)
        (void)check_start(reactor, NULL, 0, 0, 0, i, i);
    (void)check_start(reactor, &set, 1, 0, 0, AWSGI_FOREVER, 6);
    check_turn_with(reactor, &t, 5, 0, 0);
    CHECK(t.turn.done_n == 0 && t.turn.flags & AWSGI_TURN_MORE);
    CHECK(check_stats(reactor).waits == 6);
    OK(awsgi_notify(event, AWSGI_READABLE));
    /* In the order in which they were decided. */
    for (uint64_t i = 1; i <= 6; i++) {
        check_turn_with(reactor, &t, 5, 1, 0);
        CHECK(t.turn.done_n == 1 && t.done[0].user_data == i);
        CHECK(!(t.turn.flags & AWSGI_TURN_MORE) == (i == 6));
        CHECK(check_stats(reactor).waits == 6 - i);
    }
    check_free(reactor);
}

static void several_waitables_of_one_number_are_members_each(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_watch set[3];
    awsgi_completion done;
    awsgi_member members[3];
    size_t count;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    for (int i = 0; i < 3; i++) {
        set[i] = check_watch(0, i == 1 ? AWSGI_WRITABLE : AWSGI_READABLE);
        OK(awsgi_waitable_descriptor(reactor, pair[0], 0, &set[i].waitable));
    }
    (void)check_start(reactor, set, 3, 3, 0, AWSGI_FOREVER, 0);
    check_none(reactor, 0);
    CHECK(write(pair[1], "x", 1) == 1);
    done = check_one(reactor, 0);
    CHECK(done.outcome == AWSGI_READY && done.members == 3);
    OK(awsgi_completion_members(&done, members, 3, &count));
    CHECK(count == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(members[i].waitable == set[i].waitable);
        CHECK(members[i].ready == set[i].interest);
    }
    check_free(reactor);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* What a turn leaves is not lost, and a flood of one kind does not keep the other out. */
static void a_small_budget_is_enough(uint32_t budget)
{
    enum { PIPES = 12 };
    awsgi_reactor *reactor = check_clocked();
    awsgi_watch set[PIPES];
    awsgi_completion done[64];
    awsgi_turn turn = AWSGI_TURN_INIT;
    int ends[PIPES][2], turns = 0, sleeps = 0, ready = 0;

    for (uint64_t i = 0; i < PIPES; i++) {
        CHECK(pipe(ends[i]) == 0);
        set[i] = check_watch(0, AWSGI_READABLE);
        OK(awsgi_waitable_descriptor(reactor, ends[i][0], AWSGI_OWN, &set[i].waitable));
        (void)check_start(reactor, &set[i], 1, 0, 0, AWSGI_FOREVER, 1);
        (void)check_start(reactor, NULL, 0, 0, 0, 1 + i, 2);
        CHECK(write(ends[i][1], "x", 1) == 1);
    }
    (void)check_start(reactor, set, PIPES, PIPES, 0, AWSGI_FOREVER, 3);
    turn.done = done;
    turn.done_cap = 64;
    turn.budget = budget;
    turn.now = PIPES;
    do {
        CHECK(turns++ < 4 * PIPES);
        OK(awsgi_reactor_turn(reactor, &turn));
        for (size_t i = 0; i < turn.done_n; i++) {
            sleeps += done[i].user_data == 2;
            ready += done[i].user_data != 2;
        }
        CHECK(sleeps >= turns || sleeps == PIPES);
        CHECK(check_stats(reactor).waits == (uint64_t)(2 * PIPES + 1 - sleeps - ready));
    } while (turn.flags & AWSGI_TURN_MORE);
    CHECK(sleeps == PIPES && ready == PIPES + 1);
    check_free(reactor);
    for (int i = 0; i < PIPES; i++)
        (void)close(ends[i][1]);
}

/* Whatever two things happen to a wait before it is delivered, the first is what it tells. */
static void the_first_decision_stands(void)
{
    enum { READY, TIMEOUT, CANCEL, CLOSE, CLOSE_ALL, WAYS };
    static const uint8_t outcomes[WAYS] = { AWSGI_READY, AWSGI_TIMED_OUT, AWSGI_CANCELLED,
                                            AWSGI_CLOSED, AWSGI_CLOSED };

    for (int first = 0; first < WAYS; first++) {
        for (int second = 0; second < WAYS; second++) {
            for (int with = 0; with < 2; with++) {
                mixed m = open_mixed();
                awsgi_wait wait = check_start(m.reactor, m.set, with ? MIXED : 1, 1, 0, 1500, 0);
                awsgi_completion done;
                check_turned t;

                for (int i = 0; i < 2; i++) {
                    switch (i == 0 ? first : second) {
                    case READY:
                        /* It may be gone already. */
                        if (first != CLOSE)
                            make_ready(&m, EVENT);
                        break;
                    case TIMEOUT:
                        m.now = 1500;
                        break;
                    case CANCEL:
                        OK(awsgi_wait_cancel(wait));
                        break;
                    case CLOSE:
                        if (i == 0 || first != CLOSE)
                            OK(awsgi_waitable_close(m.set[EVENT].waitable));
                        break;
                    default:
                        OK(awsgi_reactor_close(m.reactor));
                    }
                    check_turn_with(m.reactor, &t, m.now, 0, 0);
                }
                done = check_one(m.reactor, m.now);
                CHECK(done.wait == wait && done.outcome == outcomes[first]);
                CHECK(done.members == (first == READY));
                CHECK(done.ready == (first == READY ? AWSGI_READABLE : 0));
                ANSWERS(AWSGI_E_STALE, awsgi_wait_cancel(wait));
                check_none(m.reactor, m.now);
                close_mixed(&m);
            }
        }
    }
}

static void the_largest_set_holds_65535_and_no_more(void)
{
    enum { LARGEST = 65535 };
    awsgi_reactor *reactor = check_clocked();
    awsgi_watch *set = calloc(LARGEST + 1, sizeof *set);
    awsgi_member *members = calloc(LARGEST, sizeof *members);
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 77;
    awsgi_completion done;
    size_t count;

    CHECK(set != NULL && members != NULL);
    for (size_t i = 0; i <= LARGEST; i++) {
        OK(awsgi_waitable_event(reactor, 0, &set[i].waitable));
        set[i].interest = AWSGI_READABLE;
    }
    spec.set = set;
    spec.count = LARGEST + 1;
    ANSWERS(AWSGI_E_INVALID, awsgi_wait_start(reactor, &spec, &wait));
    CHECK(wait == 0 && check_stats(reactor).waits == 0);

    (void)check_start(reactor, set, LARGEST, LARGEST, 0, AWSGI_FOREVER, 1);
    (void)check_start(reactor, set, LARGEST, 1, 0, AWSGI_FOREVER, 2);
    OK(awsgi_notify(set[LARGEST - 1].waitable, AWSGI_READABLE));
    done = check_one(reactor, 0);
    CHECK(done.user_data == 2 && done.members == 1 && done.index == LARGEST - 1);
    for (size_t i = 1; i < LARGEST; i++)
        OK(awsgi_notify(set[i].waitable, AWSGI_READABLE));
    check_none(reactor, 0);
    OK(awsgi_notify(set[0].waitable, AWSGI_READABLE | AWSGI_WRITABLE));
    done = check_one(reactor, 0);
    CHECK(done.user_data == 1 && done.outcome == AWSGI_READY);
    CHECK(done.members == LARGEST && done.index == 0 && done.ready == AWSGI_READABLE);
    OK(awsgi_completion_members(&done, members, LARGEST, &count));
    CHECK(count == LARGEST);
    for (size_t i = 0; i < LARGEST; i++) {
        CHECK(members[i].waitable == set[i].waitable && members[i].index == i);
        CHECK(members[i].ready == AWSGI_READABLE);
    }
    /* One of them ends a wait for all. */
    for (size_t i = 0; i < 3; i++)
        (void)check_take(set[i * 30000].waitable);
    (void)check_start(reactor, set, LARGEST, LARGEST, 0, AWSGI_FOREVER, 3);
    OK(awsgi_waitable_close(set[30000].waitable));
    done = check_one(reactor, 0);
    CHECK(done.user_data == 3 && done.outcome == AWSGI_CLOSED && done.members == LARGEST - 3);
    free(members);
    free(set);
    check_free(reactor);
}

int main(void)
{
    any_one_of_a_set_completes_it();
    some_of_a_set_complete_it_in_any_order();
    all_of_a_set_means_each_of_them();
    what_is_ready_at_the_start_counts();
    a_deadline_of_now_asks_once();
    each_member_is_asked_for_its_own_interest();
    several_sets_share_their_members();
    members_are_written_as_far_as_there_is_room();
    members_can_be_asked_for_until_the_next_turn();
    members_of_a_wait_that_was_not_ready_are_those_that_were();
    a_sleep_has_no_members();
    a_member_that_was_closed_since_has_no_name();
    what_does_not_fit_comes_with_the_next_turn();
    the_first_decision_stands();
    several_waitables_of_one_number_are_members_each();
    for (uint32_t budget = 1; budget <= 16; budget++)
        a_small_budget_is_enough(budget);
    the_largest_set_holds_65535_and_no_more();
    return 0;
}
