/* Multishot waits: a completion at each readiness, edge semantics, and how they end. The time is the
 * test's. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <sys/socket.h>
#include <unistd.h>

static awsgi_wait again_and_again(awsgi_reactor *reactor, awsgi_waitable waitable,
                                  uint32_t interest, uint64_t deadline, uint64_t user_data)
{
    awsgi_watch set = check_watch(waitable, interest);

    return check_start(reactor, &set, 1, 0, AWSGI_MULTISHOT, deadline, user_data);
}

/* Any completion but the last. */
static void check_more(awsgi_completion done, awsgi_wait wait, uint32_t ready)
{
    CHECK(done.wait == wait && done.outcome == AWSGI_READY && done.flags == AWSGI_MORE);
    CHECK(done.members == 1 && done.index == 0 && done.ready == ready && done.error == 0);
}

/* The last one, after which the token is of no use. */
static void check_last(awsgi_reactor *reactor, awsgi_completion done, awsgi_wait wait,
                       uint8_t outcome, uint32_t ready)
{
    CHECK(done.wait == wait && done.outcome == outcome && done.flags == 0);
    CHECK(done.members == (ready != 0) && done.ready == ready);
    ANSWERS(AWSGI_E_STALE, awsgi_wait_cancel(wait));
    ANSWERS(AWSGI_E_STALE, awsgi_wait_rearm(wait));
    ANSWERS(AWSGI_E_STALE, awsgi_wait_forget(wait));
    CHECK(check_stats(reactor).waits == 0);
}

static void fill(int fd)
{
    CHECK(write(fd, "abc", 3) == 3);
}

static void drain(int fd)
{
    char bytes[64];

    CHECK(read(fd, bytes, sizeof bytes) > 0);
}

/* Two ends of which one is read from, the other written to. */
static void each_readiness_of_a_descriptor_completes_it(int in, int out)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable waitable;
    awsgi_wait wait;
    check_turned t;

    OK(awsgi_waitable_descriptor(reactor, in, 0, &waitable));
    wait = again_and_again(reactor, waitable, AWSGI_READABLE, AWSGI_FOREVER, 5);
    CHECK(check_stats(reactor).waits == 1);
    check_none(reactor, 0);
    for (int i = 0; i < 3; i++) {
        fill(out);
        check_turn(reactor, &t, 0);
        CHECK(t.turn.done_n == 1 && t.done[0].user_data == 5);
        check_more(t.done[0], wait, AWSGI_READABLE);
        CHECK(check_stats(reactor).waits == 1);
        drain(in);
        check_none(reactor, 0);
    }

    /* Who has not drained it hears nothing more by itself, but may ask. */
    fill(out);
    check_more(check_one(reactor, 0), wait, AWSGI_READABLE);
    check_none(reactor, 0);
    for (int i = 0; i < 2; i++) {
        OK(awsgi_wait_rearm(wait));
        check_more(check_one(reactor, 0), wait, AWSGI_READABLE);
        check_none(reactor, 0);
    }
    drain(in);
    OK(awsgi_wait_rearm(wait));
    check_none(reactor, 0);
    /* What comes after a rearm in vain is told as before. */
    fill(out);
    check_more(check_one(reactor, 0), wait, AWSGI_READABLE);
    drain(in);

    OK(awsgi_wait_cancel(wait));
    check_last(reactor, check_one(reactor, 0), wait, AWSGI_CANCELLED, 0);
    check_free(reactor);
}

static void what_is_ready_at_the_start_is_told_at_once(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable in, event;
    awsgi_wait wait;
    int ends[2];

    CHECK(pipe(ends) == 0);
    fill(ends[1]);
    OK(awsgi_waitable_descriptor(reactor, ends[0], AWSGI_OWN, &in));
    wait = again_and_again(reactor, in, AWSGI_READABLE, AWSGI_FOREVER, 0);
    check_more(check_one(reactor, 0), wait, AWSGI_READABLE);
    check_none(reactor, 0);

    OK(awsgi_waitable_event(reactor, 0, &event));
    OK(awsgi_notify(event, AWSGI_WRITABLE));
    wait = again_and_again(reactor, event, AWSGI_WRITABLE, AWSGI_FOREVER, 0);
    check_more(check_one(reactor, 0), wait, AWSGI_WRITABLE);
    check_none(reactor, 0);
    check_free(reactor);
    (void)close(ends[1]);
}

static void the_end_of_a_stream_is_told_once(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable waitable;
    awsgi_wait wait;
    awsgi_completion done;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    OK(awsgi_waitable_descriptor(reactor, pair[0], AWSGI_OWN, &waitable));
    wait = again_and_again(reactor, waitable, AWSGI_READABLE, AWSGI_FOREVER, 0);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    check_more(check_one(reactor, 0), wait, AWSGI_READABLE | AWSGI_READ_CLOSED);
    check_none(reactor, 0);
    CHECK(close(pair[1]) == 0);
    done = check_one(reactor, 0);
    check_more(done, wait, AWSGI_READABLE | AWSGI_READ_CLOSED | AWSGI_HANGUP);
    check_none(reactor, 0);
    check_free(reactor);
}

static void who_asks_for_the_end_alone_hears_of_nothing_else(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable waitable;
    awsgi_wait wait, once;
    check_turned t;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    fill(pair[1]);
    OK(awsgi_waitable_descriptor(reactor, pair[0], AWSGI_OWN, &waitable));
    wait = again_and_again(reactor, waitable, AWSGI_READ_CLOSED, AWSGI_FOREVER, 1);
    once = check_wait(reactor, waitable, AWSGI_HANGUP, 2);
    for (int i = 0; i < 10; i++) {
        fill(pair[1]);
        check_none(reactor, 0);
    }
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    check_more(check_one(reactor, 0), wait, AWSGI_READ_CLOSED);
    check_none(reactor, 0);
    CHECK(close(pair[1]) == 0);
    check_turn(reactor, &t, 0);
    CHECK(t.turn.done_n == 2);
    for (size_t i = 0; i < 2; i++) {
        if (t.done[i].wait == wait)
            check_more(t.done[i], wait, AWSGI_READ_CLOSED | AWSGI_HANGUP);
        else
            CHECK(t.done[i].wait == once && t.done[i].ready == AWSGI_HANGUP);
    }
    check_none(reactor, 0);
    check_free(reactor);
}

static void each_notify_of_an_event_completes_it(void)
{
    awsgi_reactor *reactor = check_clocked();

    for (uint32_t kind = 0; kind <= AWSGI_COUNTER; kind++) {
        awsgi_waitable event;
        awsgi_wait wait;

        OK(awsgi_waitable_event(reactor, kind, &event));
        wait = again_and_again(reactor, event, AWSGI_READABLE, AWSGI_FOREVER, 0);
        check_none(reactor, 0);
        /* Also while nobody takes it. */
        for (int i = 0; i < 3; i++) {
            OK(awsgi_notify(event, AWSGI_READABLE));
            check_more(check_one(reactor, 0), wait, AWSGI_READABLE);
            check_none(reactor, 0);
        }
        OK(awsgi_notify(event, AWSGI_PRIORITY));
        check_none(reactor, 0);
        OK(awsgi_wait_rearm(wait));
        check_more(check_one(reactor, 0), wait, AWSGI_READABLE);
        CHECK(check_take(event) == (kind == AWSGI_COUNTER ? 4 : 1));
        OK(awsgi_wait_rearm(wait));
        check_none(reactor, 0);
        OK(awsgi_wait_forget(wait));
        OK(awsgi_waitable_close(event));
    }
    check_free(reactor);
}

static void each_expiration_of_a_timer_completes_it(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable timer;
    awsgi_wait wait;
    check_turned t;

    OK(awsgi_waitable_timer(reactor, 100, 10, &timer));
    wait = again_and_again(reactor, timer, AWSGI_READABLE, AWSGI_FOREVER, 0);
    check_turn(reactor, &t, 99);
    CHECK(t.turn.done_n == 0 && t.turn.next_deadline == 100);
    for (uint64_t now = 100; now < 150; now += 10) {
        check_turn(reactor, &t, now);
        CHECK(t.turn.done_n == 1 && t.turn.next_deadline == now + 10);
        check_more(t.done[0], wait, AWSGI_READABLE);
        check_none(reactor, now + 9);
    }
    OK(awsgi_wait_rearm(wait));
    check_more(check_one(reactor, 149), wait, AWSGI_READABLE);
    CHECK(check_take(timer) == 5);
    OK(awsgi_wait_rearm(wait));
    check_turn(reactor, &t, 149);
    CHECK(t.turn.done_n == 0 && t.turn.next_deadline == 150);
    check_more(check_one(reactor, 150), wait, AWSGI_READABLE);

    /* One that expires once completes it once. */
    OK(awsgi_waitable_close(timer));
    check_last(reactor, check_one(reactor, 150), wait, AWSGI_CLOSED, 0);
    OK(awsgi_waitable_timer(reactor, 200, 0, &timer));
    wait = again_and_again(reactor, timer, AWSGI_READABLE, AWSGI_FOREVER, 0);
    check_more(check_one(reactor, 200), wait, AWSGI_READABLE);
    check_turn(reactor, &t, 100000);
    CHECK(t.turn.done_n == 0 && t.turn.next_deadline == AWSGI_FOREVER);
    check_free(reactor);
}

static void what_is_not_delivered_is_merged(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable event, socket;
    awsgi_wait of_event, of_socket;
    check_turned t;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    OK(awsgi_waitable_event(reactor, 0, &event));
    OK(awsgi_waitable_descriptor(reactor, pair[0], AWSGI_OWN, &socket));
    of_event = again_and_again(reactor, event, AWSGI_READABLE | AWSGI_WRITABLE | AWSGI_PRIORITY,
                               AWSGI_FOREVER, 1);
    OK(awsgi_notify(event, AWSGI_READABLE));
    check_turn_with(reactor, &t, 0, 0, 0);
    CHECK(t.turn.done_n == 0 && t.turn.flags & AWSGI_TURN_MORE);
    of_socket = again_and_again(reactor, socket, AWSGI_READABLE | AWSGI_WRITABLE, AWSGI_FOREVER, 2);
    check_turn_with(reactor, &t, 0, 0, 0);
    CHECK(t.turn.done_n == 0 && t.turn.flags & AWSGI_TURN_MORE);
    fill(pair[1]);
    check_turn_with(reactor, &t, 0, 0, 0);
    OK(awsgi_notify(event, AWSGI_PRIORITY));
    check_turn_with(reactor, &t, 0, 0, 0);
    CHECK(check_stats(reactor).waits == 2);

    /* Each is told once, in the order of the first readiness. */
    check_turn_with(reactor, &t, 0, 1, 0);
    CHECK(t.turn.done_n == 1);
    check_more(t.done[0], of_event, AWSGI_READABLE | AWSGI_PRIORITY);
    check_turn_with(reactor, &t, 0, 1, 0);
    CHECK(t.turn.done_n == 1);
    check_more(t.done[0], of_socket, AWSGI_READABLE | AWSGI_WRITABLE);
    check_none(reactor, 0);
    /* What was told is not told again with what comes next. */
    OK(awsgi_notify(event, AWSGI_WRITABLE));
    check_more(check_one(reactor, 0), of_event, AWSGI_WRITABLE);
    check_free(reactor);
    (void)close(pair[1]);
}

/* The ways in which one ends, with a readiness that was not delivered or without. */
static void it_ends_once(void)
{
    enum { DEADLINE, CANCEL, CLOSE, CLOSE_ALL };

    for (int how = DEADLINE; how <= CLOSE_ALL; how++) {
        for (int pending = 0; pending < 2; pending++) {
            awsgi_reactor *reactor = check_clocked();
            uint64_t now = 99;
            awsgi_waitable event;
            awsgi_wait wait;
            check_turned t;

            OK(awsgi_waitable_event(reactor, 0, &event));
            wait = again_and_again(reactor, event, AWSGI_READABLE | AWSGI_WRITABLE, 100, 0);
            OK(awsgi_notify(event, AWSGI_READABLE));
            check_more(check_one(reactor, now), wait, AWSGI_READABLE);
            if (pending) {
                OK(awsgi_notify(event, AWSGI_WRITABLE));
                check_turn_with(reactor, &t, now, 0, 0);
            }
            if (how == DEADLINE) {
                now = 100;
                check_turn_with(reactor, &t, now, 0, 0);
                CHECK(t.turn.next_deadline == AWSGI_FOREVER);
            } else if (how == CANCEL) {
                OK(awsgi_wait_cancel(wait));
                /* It is delivered yet, so these have nothing to say against it. */
                OK(awsgi_wait_cancel(wait));
                OK(awsgi_wait_rearm(wait));
            } else if (how == CLOSE) {
                OK(awsgi_waitable_close(event));
            } else {
                OK(awsgi_reactor_close(reactor));
            }
            if (how != CLOSE)
                OK(awsgi_notify(event, AWSGI_WRITABLE));
            check_turn(reactor, &t, now);
            CHECK(t.turn.done_n == 1);
            /* What was ready first stands; what came later adds nothing to another outcome. */
            if (pending)
                check_last(reactor, t.done[0], wait, AWSGI_READY, AWSGI_WRITABLE);
            else
                check_last(reactor, t.done[0], wait,
                           how == DEADLINE ? AWSGI_TIMED_OUT
                           : how == CANCEL ? AWSGI_CANCELLED
                                           : AWSGI_CLOSED,
                           0);
            check_none(reactor, 1000);
            check_free(reactor);
        }
    }
}

static void nothing_comes_of_one_that_was_forgotten(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable event;
    check_turned t;

    OK(awsgi_waitable_event(reactor, 0, &event));
    for (int pending = 0; pending < 2; pending++) {
        awsgi_wait wait = again_and_again(reactor, event, AWSGI_READABLE, 100, 0);

        if (pending) {
            OK(awsgi_notify(event, AWSGI_READABLE));
            check_turn_with(reactor, &t, 0, 0, 0);
        }
        OK(awsgi_wait_forget(wait));
        ANSWERS(AWSGI_E_STALE, awsgi_wait_rearm(wait));
        CHECK(check_stats(reactor).waits == 0);
        check_turn(reactor, &t, 0);
        CHECK(t.turn.done_n == 0 && t.turn.next_deadline == AWSGI_FOREVER);
        check_none(reactor, 200);
        CHECK(check_stats(reactor).stale == (uint64_t)pending);
    }
    check_free(reactor);
}

static void only_a_multishot_wait_is_armed_again(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable event;
    awsgi_wait wait;

    OK(awsgi_waitable_event(reactor, 0, &event));
    wait = check_wait(reactor, event, AWSGI_READABLE, 0);
    ANSWERS(AWSGI_E_STATE, awsgi_wait_rearm(wait));
    OK(awsgi_notify(event, AWSGI_READABLE));
    ANSWERS(AWSGI_E_STATE, awsgi_wait_rearm(wait));
    CHECK(check_one(reactor, 0).outcome == AWSGI_READY);
    ANSWERS(AWSGI_E_STALE, awsgi_wait_rearm(wait));
    check_free(reactor);
}

static void its_member_can_be_asked_for(void)
{
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable event;
    awsgi_completion done;
    awsgi_member member;
    size_t count;

    OK(awsgi_waitable_event(reactor, 0, &event));
    (void)again_and_again(reactor, event, AWSGI_READABLE, AWSGI_FOREVER, 0);
    OK(awsgi_notify(event, AWSGI_READABLE));
    done = check_one(reactor, 0);
    /* The next completion has begun, and is not mixed up with this one. */
    OK(awsgi_notify(event, AWSGI_HANGUP));
    OK(awsgi_completion_members(&done, &member, 1, &count));
    CHECK(count == 1 && member.waitable == event && member.index == 0);
    CHECK(member.ready == AWSGI_READABLE);
    OK(awsgi_waitable_close(event));
    OK(awsgi_completion_members(&done, &member, 1, &count));
    CHECK(count == 1 && member.waitable == 0);
    done = check_one(reactor, 0);
    CHECK(done.outcome == AWSGI_READY && done.flags == 0 && done.ready == AWSGI_HANGUP);
    OK(awsgi_completion_members(&done, &member, 1, &count));
    CHECK(count == 1 && member.waitable == 0 && member.ready == AWSGI_HANGUP);
    check_none(reactor, 0);
    ANSWERS(AWSGI_E_STALE, awsgi_completion_members(&done, &member, 1, &count));
    check_free(reactor);
}

/* For reading, for writing and once for either, as one waitable or as three. */
static void several_on_one_descriptor_do_not_disturb_each_other(int waitables)
{
    enum { READER, WRITER, ONCE };
    awsgi_reactor *reactor = check_clocked();
    awsgi_waitable of[3];
    awsgi_wait reader, writer;
    int told[3] = { 0, 0, 0 };
    check_turned t;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    for (int i = 0; i < 3; i++) {
        if (i < waitables)
            OK(awsgi_waitable_descriptor(reactor, pair[0], 0, &of[i]));
        else
            of[i] = of[0];
    }
    reader = again_and_again(reactor, of[READER], AWSGI_READABLE, AWSGI_FOREVER, READER);
    check_none(reactor, 0);
    writer = again_and_again(reactor, of[WRITER], AWSGI_WRITABLE, AWSGI_FOREVER, WRITER);
    check_more(check_one(reactor, 0), writer, AWSGI_WRITABLE);
    check_none(reactor, 0);

    /* It is writable: the new wait says so, and may remind the writer. */
    (void)check_wait(reactor, of[ONCE], AWSGI_READABLE | AWSGI_WRITABLE, ONCE);
    check_turn(reactor, &t, 0);
    for (size_t i = 0; i < t.turn.done_n; i++) {
        told[t.done[i].user_data]++;
        CHECK(t.done[i].ready == AWSGI_WRITABLE);
        CHECK(t.done[i].flags == (t.done[i].user_data == ONCE ? 0 : AWSGI_MORE));
    }
    CHECK(told[READER] == 0 && told[WRITER] <= 1 && told[ONCE] == 1);
    check_none(reactor, 0);

    /* Now the reader alone has something to hear; to say it twice to the writer is allowed. */
    for (int round = 0; round < 3; round++) {
        told[READER] = told[WRITER] = 0;
        fill(pair[1]);
        check_turn(reactor, &t, 0);
        for (size_t i = 0; i < t.turn.done_n; i++) {
            told[t.done[i].user_data]++;
            CHECK(t.done[i].flags == AWSGI_MORE);
        }
        CHECK(told[READER] == 1 && told[WRITER] <= 1 && told[ONCE] == 1);
        drain(pair[0]);
        check_none(reactor, 0);
    }

    /* One of them ends, the others stay. */
    OK(awsgi_wait_cancel(writer));
    check_turn(reactor, &t, 0);
    CHECK(t.turn.done_n == 1 && t.done[0].wait == writer && t.done[0].outcome == AWSGI_CANCELLED);
    fill(pair[1]);
    check_more(check_one(reactor, 0), reader, AWSGI_READABLE);
    (void)check_wait(reactor, of[ONCE], AWSGI_READABLE, ONCE);
    told[READER] = told[ONCE] = 0;
    check_turn(reactor, &t, 0);
    for (size_t i = 0; i < t.turn.done_n; i++)
        told[t.done[i].user_data]++;
    CHECK(told[READER] <= 1 && told[ONCE] == 1);
    drain(pair[0]);
    fill(pair[1]);
    check_more(check_one(reactor, 0), reader, AWSGI_READABLE);
    check_free(reactor);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

int main(void)
{
    int ends[2];

    CHECK(pipe(ends) == 0);
    each_readiness_of_a_descriptor_completes_it(ends[0], ends[1]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    each_readiness_of_a_descriptor_completes_it(ends[0], ends[1]);
    each_readiness_of_a_descriptor_completes_it(ends[1], ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    what_is_ready_at_the_start_is_told_at_once();
    the_end_of_a_stream_is_told_once();
    who_asks_for_the_end_alone_hears_of_nothing_else();
    each_notify_of_an_event_completes_it();
    each_expiration_of_a_timer_completes_it();
    what_is_not_delivered_is_merged();
    it_ends_once();
    nothing_comes_of_one_that_was_forgotten();
    only_a_multishot_wait_is_armed_again();
    its_member_can_be_asked_for();
    several_on_one_descriptor_do_not_disturb_each_other(1);
    several_on_one_descriptor_do_not_disturb_each_other(3);
    return 0;
}
