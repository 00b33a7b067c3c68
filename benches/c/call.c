/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a call of the C ABI costs above a call of a function that does nothing. The getter looks up the pointer, asks
 * who owns the reactor and whether the process was forked, and writes its result: what each call on a reactor does.
 */
#include "bench.h"

#include <awsgi.h>

static awsgi_reactor *reactor;
static awsgi_os_handle fd;
static uint64_t calls;

/* The call is made, and its arguments are, although nothing comes of it. */
__attribute__((noinline)) awsgi_status empty(awsgi_reactor *nobody, awsgi_os_handle *place)
{
    __asm__ volatile("" : : "r"(nobody), "r"(place) : "memory");
    return AWSGI_OK;
}

static inline void ok(awsgi_status status)
{
    if (status != AWSGI_OK)
        fail("call", awsgi_status_name(status));
}

static void call_empty(void)
{
    for (uint64_t at = 0; at < calls; at++)
        ok(empty(reactor, &fd));
}

static void call_getter(void)
{
    for (uint64_t at = 0; at < calls; at++)
        ok(awsgi_reactor_fd(reactor, &fd));
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    struct took none = { 0, 0 }, getter = { 0, 0 };
    uint64_t rounds = 100;

    must(argc == 4, "call fd 0 CALLS");
    options.mode = AWSGI_NESTED;
    ok(awsgi_reactor_new(&options, &reactor));
    calls = strtoull(argv[3], NULL, 10) / rounds;
    call_empty();
    call_getter();
    /* In turns, so that what else the machine does is shared by both. */
    for (uint64_t round = 0; round < rounds; round++) {
        struct took took = measured(call_empty);
        none.ns += took.ns;
        none.ran += took.ran;
        took = measured(call_getter);
        getter.ns += took.ns;
        getter.ran += took.ran;
    }
    getter.ns -= none.ns;
    getter.ran -= none.ran;
    print_each(getter, calls * rounds, none.ns / (double)(calls * rounds));
    ok(awsgi_reactor_close(reactor));
    for (awsgi_turn turn = AWSGI_TURN_INIT; !(turn.flags & AWSGI_TURN_CLOSED);)
        ok(awsgi_reactor_turn(reactor, &turn));
    ok(awsgi_reactor_free(reactor));
    return 0;
}
