/* Fails, at the path that says how. /fine does not, and /counters says how many exchanges have begun
 * and how often `close` ran. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static atomic_uint_fast64_t opened, closed;

static bool is(const char *path, const char *name)
{
    return strcmp(path, name) == 0;
}

static awsgi_status start(awsgi_exchange x, const char *length)
{
    awsgi_header header = { AWSGI_SLICE("Content-Length"), awsgi_string(length) };

    return awsgi_exchange_start(x, 200, &header, 1);
}

static awsgi_status write_text(awsgi_exchange x, const char *text)
{
    size_t taken = 0;

    return awsgi_exchange_write(x, text, strlen(text), &taken);
}

/* Long enough for what was written to be on its way. */
static int32_t sleep_a_little(awsgi_exchange x)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_status status = awsgi_exchange_now(x, &spec.deadline);

    spec.deadline += 50000000;
    if (status == AWSGI_OK)
        status = awsgi_exchange_wait(x, &spec, NULL);
    return status == AWSGI_OK ? AWSGI_SUSPEND : status;
}

static int32_t answer(awsgi_exchange x, const char *text)
{
    awsgi_status status = awsgi_exchange_start(x, 200, NULL, 0);

    if (status == AWSGI_OK)
        status = write_text(x, text);
    return status == AWSGI_OK ? AWSGI_DONE : status;
}

static int32_t counters(awsgi_exchange x)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%" PRIuFAST64 " %" PRIuFAST64 "\n", atomic_load(&opened),
                   atomic_load(&closed));
    return answer(x, text);
}

/* A wait for a waitable that does not exist. */
static int32_t wait_for_nothing_real(awsgi_exchange x)
{
    awsgi_watch set[] = { { .waitable = UINT64_C(0x123456789abcdef), .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.set = set;
    spec.count = 1;
    awsgi_status status = awsgi_exchange_wait(x, &spec, NULL);
    return status == AWSGI_OK ? AWSGI_SUSPEND : status;
}

static int32_t first(awsgi_exchange x, const char *path)
{
    awsgi_status status = AWSGI_OK;

    if (is(path, "/fine"))
        return answer(x, "fine\n");
    if (is(path, "/counters"))
        return counters(x);
    if (is(path, "/negative"))
        return AWSGI_E_OS;
    if (is(path, "/unknown"))                       /* negative, but no status */
        return -12345;
    if (is(path, "/nonsense"))
        return 42;
    if (is(path, "/nothing"))                       /* suspends, and waits for nothing */
        return AWSGI_SUSPEND;
    if (is(path, "/unstarted"))
        return AWSGI_DONE;
    if (is(path, "/stale"))
        return wait_for_nothing_real(x);
    if (is(path, "/unstarted-write"))
        return write_text(x, "too early\n");
    if (is(path, "/short")) {                       /* before the host has seen the head */
        status = start(x, "10");
        return status == AWSGI_OK ? write_text(x, "half\n") : status;
    }
    if (is(path, "/long")) {
        status = start(x, "4");
        return status == AWSGI_OK ? write_text(x, "more than four\n") : status;
    }
    if (is(path, "/twice")) {
        status = awsgi_exchange_start(x, 200, NULL, 0);
        if (status == AWSGI_OK)
            status = write_text(x, awsgi_status_name(awsgi_exchange_start(x, 500, NULL, 0)));
        return status;
    }
    if (is(path, "/short-later"))
        status = start(x, "10");
    else if (is(path, "/broken-later"))             /* without a length: in chunks */
        status = awsgi_exchange_start(x, 200, NULL, 0);
    if (status == AWSGI_OK && (is(path, "/short-later") || is(path, "/broken-later")))
        status = write_text(x, "half\n");
    return status == AWSGI_OK ? sleep_a_little(x) : status;
}

static int32_t second(const char *path)
{
    if (is(path, "/short-later"))
        return AWSGI_DONE;
    if (is(path, "/nothing-later"))
        return AWSGI_SUSPEND;
    return AWSGI_E_OS;                              /* /broken-later, /negative-later */
}

/* Gives up its turn 300 times, and answers then. */
static int32_t yield(awsgi_exchange x, void **state)
{
    uintptr_t count = (uintptr_t)*state + 1;

    *state = (void *)count;
    return count <= 300 ? AWSGI_YIELD : answer(x, "yielded\n");
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    awsgi_slice path = { NULL, 0 };
    awsgi_status status = awsgi_exchange_environ(x, AWSGI_SLICE("PATH_INFO"), &path);
    const char *text = (const char *)path.data;

    (void)worker, (void)done;
    if (status != AWSGI_OK)
        return status;
    if (*state == NULL)
        atomic_fetch_add(&opened, 1);
    if (is(text, "/yield"))
        return yield(x, state);
    if (*state == NULL)
        *state = &opened;                           /* anything but NULL: it has begun */
    return n == 0 ? first(x, text) : second(text);
}

static void end(void *worker, awsgi_exchange x, void *state)
{
    (void)worker, (void)x, (void)state;
    atomic_fetch_add(&closed, 1);
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "failing";
    out->style = AWSGI_STEPS;
    out->run = run;
    out->close = end;
    return AWSGI_OK;
}
