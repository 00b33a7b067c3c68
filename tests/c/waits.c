/* What a wait promises, from outside: descriptors, events, sleeps, sets, cancel and forget. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static void a_sleep_ends_at_its_time_and_never_earlier(awsgi_reactor *reactor)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_completion done;
    uint64_t now;

    OK(awsgi_reactor_now(reactor, &spec.deadline));
    spec.deadline += 20 * MS;
    spec.user_data = 7;
    OK(awsgi_wait_start(reactor, &spec, NULL));
    done = check_next(reactor);
    OK(awsgi_reactor_now(reactor, &now));
    CHECK(now >= spec.deadline);
    CHECK(done.outcome == AWSGI_TIMED_OUT && done.user_data == 7);
    CHECK(done.members == 0 && done.ready == 0 && done.flags == 0 && done.error == 0);
}

static void a_sleep_without_end_is_refused(awsgi_reactor *reactor)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait = 1;

    ANSWERS(AWSGI_E_INVALID, awsgi_wait_start(reactor, &spec, &wait));
    CHECK(wait == 0);
}

static void a_pipe_is_readable_once_something_was_written(awsgi_reactor *reactor)
{
    int ends[2];
    awsgi_waitable in;
    awsgi_wait wait;
    awsgi_completion done;

    CHECK(pipe(ends) == 0);
    OK(awsgi_waitable_descriptor(reactor, ends[0], 0, &in));
    wait = check_wait(reactor, in, AWSGI_READABLE, 1);
    check_nothing(reactor);
    CHECK(write(ends[1], "x", 1) == 1);
    done = check_next(reactor);
    CHECK(done.outcome == AWSGI_READY && done.ready & AWSGI_READABLE);
    CHECK(done.wait == wait && done.members == 1 && done.index == 0);

    /* It still holds the byte: a wait that starts now says so. */
    (void)check_wait(reactor, in, AWSGI_READABLE, 2);
    CHECK(check_next(reactor).user_data == 2);

    /* The token of a delivered wait is of no use, and harms nothing. */
    ANSWERS(AWSGI_E_STALE, awsgi_wait_cancel(wait));
    ANSWERS(AWSGI_E_STALE, awsgi_wait_forget(wait));

    /* We lent the descriptor: closing the waitable leaves it open. */
    OK(awsgi_waitable_close(in));
    ANSWERS(AWSGI_E_STALE, awsgi_waitable_close(in));
    CHECK(fcntl(ends[0], F_GETFD) != -1);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void an_owned_descriptor_closes_with_its_waitable(awsgi_reactor *reactor)
{
    int ends[2];
    awsgi_waitable in;

    CHECK(pipe(ends) == 0);
    OK(awsgi_waitable_descriptor(reactor, ends[0], AWSGI_OWN, &in));
    OK(awsgi_waitable_close(in));
    check_nothing(reactor);
    CHECK(fcntl(ends[0], F_GETFD) == -1 && errno == EBADF);
    (void)close(ends[1]);
}

static void a_closed_number_answers_ebadf_when_it_is_waited_for(awsgi_reactor *reactor)
{
    int ends[2];
    awsgi_waitable in = 0;
    awsgi_watch set = { 0, AWSGI_READABLE, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_status status;

    CHECK(pipe(ends) == 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    status = awsgi_waitable_descriptor(reactor, ends[0], 0, &in);
    if (status == AWSGI_OK) {
        set.waitable = in;
        spec.set = &set;
        spec.count = 1;
        status = awsgi_wait_start(reactor, &spec, NULL);
        OK(awsgi_waitable_close(in));
    }
    CHECK(status == AWSGI_E_OS);
}

static void a_regular_file_is_always_ready(awsgi_reactor *reactor, const char *path)
{
    int fd = open(path, O_RDONLY);
    awsgi_waitable file;

    CHECK(fd >= 0);
    OK(awsgi_waitable_descriptor(reactor, fd, AWSGI_OWN, &file));
    (void)check_wait(reactor, file, AWSGI_READABLE, 3);
    CHECK(check_next(reactor).outcome == AWSGI_READY);
    OK(awsgi_waitable_close(file));
}

static void the_first_of_a_set_that_is_ready_is_named(awsgi_reactor *reactor)
{
    awsgi_waitable events[3];
    awsgi_watch set[3];
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_completion done;

    for (int i = 0; i < 3; i++) {
        OK(awsgi_waitable_event(reactor, 0, &events[i]));
        set[i].waitable = events[i];
        set[i].interest = AWSGI_READABLE;
        set[i].pad = 0;
    }
    spec.set = set;
    spec.count = 3;
    OK(awsgi_wait_start(reactor, &spec, NULL));
    OK(awsgi_notify(events[2], AWSGI_READABLE));
    OK(awsgi_notify(events[1], AWSGI_READABLE));
    done = check_next(reactor);
    CHECK(done.outcome == AWSGI_READY && done.index == 1 && done.ready == AWSGI_READABLE);
    for (int i = 0; i < 3; i++)
        OK(awsgi_waitable_close(events[i]));
    ANSWERS(AWSGI_E_STALE, awsgi_notify(events[0], AWSGI_READABLE));
}

static void *notify_it(void *event)
{
    OK(awsgi_notify(*(awsgi_waitable *)event, AWSGI_READABLE));
    return NULL;
}

static void another_thread_wakes_a_blocking_turn(awsgi_reactor *reactor)
{
    awsgi_waitable event;
    pthread_t thread;

    OK(awsgi_waitable_event(reactor, 0, &event));
    (void)check_wait(reactor, event, AWSGI_READABLE, 4);
    CHECK(pthread_create(&thread, NULL, notify_it, &event) == 0);
    CHECK(check_next(reactor).user_data == 4);
    CHECK(pthread_join(thread, NULL) == 0);
    OK(awsgi_waitable_close(event));
}

static void what_was_decided_first_stands_when_it_is_cancelled(awsgi_reactor *reactor)
{
    awsgi_waitable event;
    awsgi_wait wait;

    OK(awsgi_waitable_event(reactor, 0, &event));
    wait = check_wait(reactor, event, AWSGI_READABLE, 5);
    OK(awsgi_wait_cancel(wait));
    OK(awsgi_wait_cancel(wait));
    CHECK(check_next(reactor).outcome == AWSGI_CANCELLED);
    OK(awsgi_waitable_close(event));
}

static void nothing_comes_of_what_was_forgotten(awsgi_reactor *reactor)
{
    awsgi_waitable event;
    awsgi_wait wait;

    OK(awsgi_waitable_event(reactor, 0, &event));
    wait = check_wait(reactor, event, AWSGI_READABLE, 6);
    OK(awsgi_notify(event, AWSGI_READABLE));
    OK(awsgi_wait_forget(wait));
    check_nothing(reactor);
    ANSWERS(AWSGI_E_STALE, awsgi_wait_forget(wait));
    OK(awsgi_waitable_close(event));
}

static void closing_a_waitable_completes_its_waits(awsgi_reactor *reactor)
{
    awsgi_waitable event;

    OK(awsgi_waitable_event(reactor, 0, &event));
    (void)check_wait(reactor, event, AWSGI_READABLE, 8);
    OK(awsgi_waitable_close(event));
    CHECK(check_next(reactor).outcome == AWSGI_CLOSED);
}

int main(int argc, char **argv)
{
    awsgi_reactor *reactor = check_reactor();
    awsgi_waitable left;

    CHECK(argc >= 1);
    a_sleep_ends_at_its_time_and_never_earlier(reactor);
    a_sleep_without_end_is_refused(reactor);
    a_pipe_is_readable_once_something_was_written(reactor);
    an_owned_descriptor_closes_with_its_waitable(reactor);
    a_closed_number_answers_ebadf_when_it_is_waited_for(reactor);
    a_regular_file_is_always_ready(reactor, argv[0]);
    the_first_of_a_set_that_is_ready_is_named(reactor);
    another_thread_wakes_a_blocking_turn(reactor);
    what_was_decided_first_stands_when_it_is_cancelled(reactor);
    nothing_comes_of_what_was_forgotten(reactor);
    closing_a_waitable_completes_its_waits(reactor);

    /* What is still open when the reactor goes is closed with it, and its name stays harmless. */
    OK(awsgi_waitable_event(reactor, 0, &left));
    (void)check_wait(reactor, left, AWSGI_READABLE, 9);
    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_free(reactor));
    check_free(reactor);
    ANSWERS(AWSGI_E_STALE, awsgi_notify(left, AWSGI_READABLE));
    return 0;
}
