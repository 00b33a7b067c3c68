/* What a caller does wrong is answered: NULL, sizes, flags, threads, order, names of what is gone. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void null_is_answered_and_outputs_are_cleared(awsgi_reactor *reactor)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_waitable waitable = 1;
    awsgi_os_handle fd;
    awsgi_wait wait = 1;
    uint64_t number = 1;
    awsgi_slice value = {(const uint8_t *)"x", 1};
    size_t cursor = 0;
    int end = 1;

    ANSWERS(AWSGI_E_NULL, awsgi_reactor_new(NULL, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_turn(NULL, &turn));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_turn(reactor, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_fd(NULL, &fd));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_fd(reactor, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_now(NULL, &number));
    CHECK(number == 0);
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_now(reactor, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_close(NULL));
    OK(awsgi_reactor_free(NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_event(NULL, 0, &waitable));
    CHECK(waitable == 0);
    ANSWERS(AWSGI_E_NULL, awsgi_waitable_event(reactor, 0, NULL));
    ANSWERS(AWSGI_E_NULL, awsgi_wait_start(NULL, &spec, &wait));
    CHECK(wait == 0);
    ANSWERS(AWSGI_E_NULL, awsgi_wait_start(reactor, NULL, &wait));
    spec.count = 1;
    ANSWERS(AWSGI_E_NULL, awsgi_wait_start(reactor, &spec, &wait));
    turn.done_cap = 1;
    ANSWERS(AWSGI_E_NULL, awsgi_reactor_turn(reactor, &turn));
    ANSWERS(AWSGI_E_NULL, awsgi_exchange_environ_each(0, &cursor, NULL, &value));
    CHECK(value.data == NULL && value.len == 0);
    ANSWERS(AWSGI_E_NULL, awsgi_exchange_take(0, &value, 1, NULL, &end));
    CHECK(end == 0);
}

static void a_size_that_was_not_set_is_refused(awsgi_reactor *reactor)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *none = reactor;

    spec.size = 0;
    ANSWERS(AWSGI_E_INVALID, awsgi_wait_start(reactor, &spec, NULL));
    turn.size = 7;
    ANSWERS(AWSGI_E_INVALID, awsgi_reactor_turn(reactor, &turn));
    options.size = 1;
    ANSWERS(AWSGI_E_INVALID, awsgi_reactor_new(&options, &none));
    CHECK(none == NULL);
}

static void unknown_flags_and_modes_are_refused(awsgi_reactor *reactor)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *none;
    awsgi_waitable waitable;

    options.mode = 77;
    ANSWERS(AWSGI_E_INVALID, awsgi_reactor_new(&options, &none));
    options.mode = AWSGI_OWNED;
    options.flags = 1u << 31;
    ANSWERS(AWSGI_E_INVALID, awsgi_reactor_new(&options, &none));
    ANSWERS(AWSGI_E_INVALID, awsgi_waitable_event(reactor, 1u << 30, &waitable));
    CHECK(waitable == 0);
}

static void invented_names_harm_nothing(awsgi_reactor *reactor)
{
    static const uint64_t names[] = { 0, 1, 77, UINT64_MAX, UINT64_C(1) << 60, UINT64_C(3) << 60,
                                      UINT64_C(0x1234567890abcdef) };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_watch set = { 0, AWSGI_READABLE, 0 };
    uint64_t value;

    spec.set = &set;
    spec.count = 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        set.waitable = names[i];
        CHECK(awsgi_wait_start(reactor, &spec, NULL) < 0);
        CHECK(awsgi_notify(names[i], AWSGI_READABLE) < 0);
        CHECK(awsgi_waitable_close(names[i]) < 0);
        CHECK(awsgi_waitable_take(names[i], &value) < 0);
        CHECK(awsgi_wait_cancel(names[i]) < 0);
        CHECK(awsgi_wait_forget(names[i]) < 0);
        CHECK(awsgi_exchange_end(names[i]) < 0);
        CHECK(awsgi_exchange_gone(names[i]) < 0);
    }
}

static void a_name_of_another_kind_is_refused(awsgi_reactor *reactor)
{
    awsgi_waitable event;
    awsgi_wait wait;

    OK(awsgi_waitable_event(reactor, 0, &event));
    wait = check_wait(reactor, event, AWSGI_READABLE, 0);
    CHECK(awsgi_wait_cancel(event) < 0);
    CHECK(awsgi_notify(wait, AWSGI_READABLE) < 0);
    CHECK(awsgi_waitable_close(wait) < 0);
    OK(awsgi_wait_forget(wait));
    OK(awsgi_waitable_close(event));
}

typedef struct {
    awsgi_reactor *reactor;
    awsgi_waitable event;
} elsewhere_arguments;

static void *elsewhere(void *argument)
{
    elsewhere_arguments *given = argument;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_waitable waitable;

    spec.deadline = AWSGI_NOW;
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_turn(given->reactor, &turn));
    ANSWERS(AWSGI_E_THREAD, awsgi_wait_start(given->reactor, &spec, NULL));
    ANSWERS(AWSGI_E_THREAD, awsgi_waitable_event(given->reactor, 0, &waitable));
    ANSWERS(AWSGI_E_THREAD, awsgi_waitable_close(given->event));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_close(given->reactor));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_free(given->reactor));
    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_adopt(given->reactor));
    OK(awsgi_notify(given->event, AWSGI_READABLE));
    OK(awsgi_reactor_stop(given->reactor));
    return NULL;
}

static void another_thread_may_only_notify_and_stop(awsgi_reactor *reactor)
{
    elsewhere_arguments given = { reactor, 0 };
    awsgi_turn turn = AWSGI_TURN_INIT;
    pthread_t thread;

    OK(awsgi_waitable_event(reactor, 0, &given.event));
    CHECK(pthread_create(&thread, NULL, elsewhere, &given) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    OK(awsgi_reactor_turn(reactor, &turn));
    CHECK(turn.flags & AWSGI_TURN_STOPPED);
    OK(awsgi_waitable_close(given.event));
}

static void *adopt_and_free(void *reactor)
{
    OK(awsgi_reactor_adopt(reactor));
    check_free(reactor);
    return NULL;
}

static void a_released_reactor_goes_to_the_thread_that_adopts_it(void)
{
    awsgi_reactor *reactor = check_reactor();
    awsgi_turn turn = AWSGI_TURN_INIT;
    pthread_t thread;

    OK(awsgi_reactor_release(reactor));
    ANSWERS(AWSGI_E_THREAD, awsgi_reactor_turn(reactor, &turn));
    CHECK(pthread_create(&thread, NULL, adopt_and_free, reactor) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void a_reactor_that_is_not_closed_cannot_be_freed(void)
{
    awsgi_reactor *reactor = check_reactor();

    ANSWERS(AWSGI_E_BUSY, awsgi_reactor_free(reactor));
    check_free(reactor);
    /* The pointer is void, and yet harmless. */
    ANSWERS(AWSGI_E_STALE, awsgi_reactor_adopt(reactor));
    ANSWERS(AWSGI_E_STALE, awsgi_reactor_stop(reactor));
    ANSWERS(AWSGI_E_STALE, awsgi_reactor_free(reactor));
}

static void a_failure_is_told_in_words(awsgi_reactor *reactor)
{
    awsgi_waitable waitable;
    char text[256], cut[5];
    size_t length;
    int32_t error;

    ANSWERS(AWSGI_E_OS, awsgi_waitable_descriptor(reactor, -1, 0, &waitable));
    OK(awsgi_last_error(text, sizeof text, &length, &error));
    CHECK(length > 10 && strlen(text) == length && error != 0);
    OK(awsgi_last_error(cut, sizeof cut, &length, NULL));
    CHECK(strlen(cut) == 4 && strncmp(cut, text, 4) == 0 && length == strlen(text));
    OK(awsgi_last_error(NULL, 0, &length, NULL));
    CHECK(length == strlen(text));
    ANSWERS(AWSGI_E_NULL, awsgi_last_error(NULL, 1, NULL, NULL));
}

static void a_notice_that_is_refused_holds_up_no_other(awsgi_reactor *reactor)
{
    awsgi_notice notices[3] = {{0, AWSGI_READABLE, 0}, {0, AWSGI_READABLE, 0}, {0, AWSGI_READABLE, 0}};
    uint64_t value;
    size_t stale = 7;

    OK(awsgi_waitable_descriptor(reactor, 0, 0, &notices[0].waitable));
    OK(awsgi_waitable_event(reactor, 0, &notices[2].waitable));
    ANSWERS(AWSGI_E_INVALID, awsgi_notify_many(notices, 3, &stale));
    CHECK(stale == 0);
    OK(awsgi_waitable_take(notices[2].waitable, &value));
    CHECK(value == 1);
    OK(awsgi_waitable_close(notices[0].waitable));
    OK(awsgi_waitable_close(notices[2].waitable));
}

static void a_forked_child_is_told_so_by_every_call(void)
{
    awsgi_reactor *reactor = check_reactor();
    int status;
    pid_t child;

    OK(awsgi_reactor_release(reactor));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        ANSWERS(AWSGI_E_FORKED, awsgi_reactor_adopt(reactor));
        ANSWERS(AWSGI_E_FORKED, awsgi_reactor_stop(reactor));
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    OK(awsgi_reactor_adopt(reactor));
    check_free(reactor);
}

int main(void)
{
    awsgi_reactor *reactor = check_reactor();

    null_is_answered_and_outputs_are_cleared(reactor);
    a_size_that_was_not_set_is_refused(reactor);
    unknown_flags_and_modes_are_refused(reactor);
    invented_names_harm_nothing(reactor);
    a_name_of_another_kind_is_refused(reactor);
    another_thread_may_only_notify_and_stop(reactor);
    a_failure_is_told_in_words(reactor);
    a_notice_that_is_refused_holds_up_no_other(reactor);
    check_free(reactor);
    a_released_reactor_goes_to_the_thread_that_adopts_it();
    a_reactor_that_is_not_closed_cannot_be_freed();
    a_forked_child_is_told_so_by_every_call();
    return 0;
}
