/* The demo application, written as steps: the entry points, the table of routes, and the routes that
 * need no more than a few lines. Uploads and streams are in demo_body.c, /relay in relay_steps.c.
 *
 * Its argument is the upstream of /relay: `HOST:PORT [timeout=MS]`. */
#define _POSIX_C_SOURCE 200809L

#include "demo.h"
#include "demo_page.h"
#include "query.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLEEP_MAX_MS = 600000 };

static int32_t index_step(demo_exchange *, const awsgi_completion *, size_t);
static int32_t hello_step(demo_exchange *, const awsgi_completion *, size_t);
static int32_t sleep_step(demo_exchange *, const awsgi_completion *, size_t);
static int32_t counters_step(demo_exchange *, const awsgi_completion *, size_t);
static int32_t other_step(demo_exchange *, const awsgi_completion *, size_t);

static const demo_route routes[] = {
    { "index",    "/",         false, "GET, HEAD", index_step,       NULL },
    { "hello",    "/hello",    false, "GET, HEAD", hello_step,       NULL },
    { "sleep",    "/sleep",    false, "GET, HEAD", sleep_step,       NULL },
    { "relay",    "/relay",    true,  "GET, HEAD", demo_relay_step,  demo_relay_end },
    { "upload",   "/upload",   false, "POST",      demo_upload_step, NULL },
    { "stream",   "/stream",   false, "GET, HEAD", demo_stream_step, NULL },
    { "events",   "/events",   false, "GET, HEAD", demo_events_step, NULL },
    { "counters", "/counters", false, "GET, HEAD", counters_step,    NULL },
    { "other",    NULL,        false, NULL,        other_step,       NULL },  /* last: what is left */
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

/* Of the whole process, since its start. Atomic, because each worker is a thread. */
static struct {
    atomic_uint_fast64_t opened, closed;
} counters[ROUTES];

/* ---- what the routes use ------------------------------------------------------------------------ */

const char *demo_environ(demo_exchange *e, const char *key, size_t *len)
{
    awsgi_slice value;

    if (awsgi_exchange_environ(e->x, awsgi_string(key), &value) != AWSGI_OK || value.data == NULL)
        value = awsgi_string("");
    if (len != NULL)
        *len = value.len;
    return (const char *)value.data;                /* a NUL follows the last byte */
}

int32_t demo_finish(awsgi_status status)
{
    /* That the client left is nobody's failure. Any other failure becomes a 500, or a broken transfer
     * if the head is out: never an end that looks like success. */
    return status == AWSGI_E_CLOSED ? AWSGI_DONE : status;
}

int32_t demo_wait_self(demo_exchange *e, uint32_t interest, uint64_t deadline)
{
    awsgi_watch set[] = { { .interest = interest } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    awsgi_status status = awsgi_exchange_self(e->x, &set[0].waitable);
    if (status == AWSGI_OK) {
        spec.set = set;
        spec.count = 1;
        spec.deadline = deadline;
        status = awsgi_exchange_wait(e->x, &spec, NULL);
    }
    return status == AWSGI_OK ? AWSGI_SUSPEND : demo_finish(status);
}

awsgi_status demo_start(demo_exchange *e, int32_t code, const char *type, const char *length)
{
    awsgi_header headers[4] = { { AWSGI_SLICE("Cache-Control"), AWSGI_SLICE("no-store") } };
    size_t n = 1;

    if (type != NULL)
        headers[n++] = (awsgi_header){ AWSGI_SLICE("Content-Type"), awsgi_string(type) };
    if (length != NULL)
        headers[n++] = (awsgi_header){ AWSGI_SLICE("Content-Length"), awsgi_string(length) };
    if (code == 405)
        headers[n++] = (awsgi_header){ AWSGI_SLICE("Allow"), awsgi_string(e->route->allow) };
    return awsgi_exchange_start(e->x, code, headers, n);
}

awsgi_status demo_write(demo_exchange *e, const char *text, size_t len)
{
    size_t taken = 0;
    awsgi_status status = awsgi_exchange_write(e->x, text, len, &taken);

    if (status != AWSGI_OK || taken == len)
        return status;
    e->rest = malloc(len - taken);
    if (e->rest == NULL)
        return AWSGI_E_LIMIT;
    memcpy(e->rest, text + taken, len - taken);
    e->rest_len = len - taken;
    e->rest_sent = 0;
    return AWSGI_OK;
}

int32_t demo_answer(demo_exchange *e, int32_t code, const char *type, const char *text, size_t len)
{
    /* No Content-Length: the response is complete when this step returns, so the server knows it. Nor a
     * test for HEAD: the gateway drops the bytes, and keeps their number. */
    awsgi_status status = demo_start(e, code, type, NULL);
    if (status == AWSGI_OK)
        status = demo_write(e, text, len);
    if (status != AWSGI_OK)
        return demo_finish(status);
    e->answered = true;
    return e->rest == NULL ? AWSGI_DONE : demo_wait_self(e, AWSGI_WRITABLE, AWSGI_FOREVER);
}

int32_t demo_sentence(demo_exchange *e, int32_t code, const char *text)
{
    return demo_answer(e, code, "text/plain; charset=utf-8", text, strlen(text));
}

/* ---- the short routes --------------------------------------------------------------------------- */

static int32_t index_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    (void)done, (void)n;
    return demo_answer(e, 200, "text/html; charset=utf-8", demo_page, sizeof demo_page - 1);
}

static int32_t hello_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    (void)done, (void)n;
    return demo_sentence(e, 200, "hello\n");
}

/* Waits for nothing but time. If the client leaves meanwhile, no further step runs, only `close`. */
static int32_t sleep_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    if (n == 0) {
        awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;    /* the empty set with a deadline: a sleep */
        uint64_t now;

        e->as.sleep.ms = 250;
        if (!query_number(demo_environ(e, "QUERY_STRING", NULL), "ms", SLEEP_MAX_MS,
                          &e->as.sleep.ms))
            return demo_sentence(e, 400, "ms is to be a number of milliseconds from 0 to 600000, "
                                         "as in /sleep?ms=250.\n");
        awsgi_status status = awsgi_exchange_now(e->x, &now);
        if (status == AWSGI_OK) {
            spec.deadline = now + e->as.sleep.ms * 1000000;
            status = awsgi_exchange_wait(e->x, &spec, NULL);
        }
        return status == AWSGI_OK ? AWSGI_SUSPEND : demo_finish(status);
    }
    (void)done;

    char text[48];
    (void)snprintf(text, sizeof text, "slept %" PRIu64 " ms\n", e->as.sleep.ms);
    return demo_sentence(e, 200, text);
}

static int32_t counters_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    char text[96 + ROUTES * 96];
    uint64_t opened[ROUTES], closed[ROUTES], all_opened = 0, all_closed = 0;
    int len;

    (void)done, (void)n;
    /* `closed` first: what ends between the two loads then counts as active, never as less than none. */
    for (size_t i = 0; i < ROUTES; i++) {
        closed[i] = atomic_load(&counters[i].closed);
        opened[i] = atomic_load(&counters[i].opened);
        all_closed += closed[i];
        all_opened += opened[i];
    }
    len = snprintf(text, sizeof text,
                   "opened %" PRIu64 "\nclosed %" PRIu64 "\nactive %" PRIu64 "\n",
                   all_opened, all_closed, all_opened - all_closed);
    for (size_t i = 0; i < ROUTES && len > 0 && (size_t)len < sizeof text; i++)
        len += snprintf(text + len, sizeof text - (size_t)len,
                        "%s.opened %" PRIu64 "\n%s.closed %" PRIu64 "\n",
                        routes[i].name, opened[i], routes[i].name, closed[i]);
    return demo_sentence(e, 200, text);
}

static int32_t other_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    static const char page[] =
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Not here</title>\n"
        "<p>There is nothing at this address. <a href='/'>What there is</a></p></html>\n";

    (void)done, (void)n;
    return demo_answer(e, 404, "text/html; charset=utf-8", page, sizeof page - 1);
}

/* ---- one exchange ------------------------------------------------------------------------------- */

/* By length, not by the NUL: "/hello%00.html" is not /hello. */
static const demo_route *find_route(const char *path, size_t path_len)
{
    const demo_route *route = routes;

    for (; route->path != NULL; route++) {
        size_t len = strlen(route->path);
        if (path_len >= len && memcmp(path, route->path, len) == 0
            && (path_len == len || (route->below && path[len] == '/')))
            break;
    }
    return route;
}

/* Whether the Allow list names this method. */
static bool allowed(const char *allow, const char *method)
{
    size_t len = strlen(method);
    const char *at = strstr(allow, method);         /* no method of ours is part of another */

    return len > 0 && at != NULL && (at == allow || at[-1] == ' ')
           && (at[len] == ',' || at[len] == '\0');
}

static int32_t begin(awsgi_exchange x, void **state)
{
    demo_exchange *e = calloc(1, sizeof *e);
    size_t path_len;

    if (e == NULL)
        return AWSGI_E_LIMIT;
    e->x = x;
    const char *path = demo_environ(e, "PATH_INFO", &path_len);
    const char *method = demo_environ(e, "REQUEST_METHOD", NULL);
    e->route = path_len == 0 ? &routes[0] : find_route(path, path_len);
    e->head_only = strcmp(method, "HEAD") == 0;
    atomic_fetch_add(&counters[e->route - routes].opened, 1);
    *state = e;                                     /* from here on `close` has something to end */

    if (e->route->allow != NULL && !allowed(e->route->allow, method))
        return demo_sentence(e, 405, "This address does not know that method.\n");
    return e->route->step(e, NULL, 0);
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done,
                   size_t n)
{
    demo_exchange *e = *state;

    (void)worker;
    if (e == NULL)
        return begin(x, state);
    if (n > 0 && done->outcome != AWSGI_READY && done->outcome != AWSGI_TIMED_OUT)
        return AWSGI_E_OS;                          /* the wait failed, or its waitable was closed */
    if (n > 0 && done->outcome == AWSGI_READY && done->index == 0
        && (done->ready & AWSGI_HANGUP) != 0)
        return AWSGI_DONE;                          /* the client left */

    if (e->rest != NULL) {
        size_t taken = 0;
        awsgi_status status = awsgi_exchange_write(x, e->rest + e->rest_sent,
                                                   e->rest_len - e->rest_sent, &taken);
        if (status != AWSGI_OK)
            return demo_finish(status);
        e->rest_sent += taken;
        if (e->rest_sent < e->rest_len)
            return demo_wait_self(e, AWSGI_WRITABLE, AWSGI_FOREVER);
        free(e->rest);
        e->rest = NULL;
    }
    return e->answered ? AWSGI_DONE : e->route->step(e, done, n);
}

/* Runs once for each exchange, however it ended; without a state if `run` never was. */
static void end(void *worker, awsgi_exchange x, void *state)
{
    demo_exchange *e = state;

    (void)worker, (void)x;
    if (e == NULL)
        return;
    if (e->route->end != NULL)
        e->route->end(e);
    atomic_fetch_add(&counters[e->route - routes].closed, 1);
    free(e->rest);
    free(e);
}

/* ---- the application ---------------------------------------------------------------------------- */

static int32_t load(void *app, const char *config)
{
    char why[256];

    (void)app;
    if (demo_relay_load(config, why, sizeof why))
        return AWSGI_OK;
    (void)fprintf(stderr, "demo: %s\n", why);
    return AWSGI_E_INVALID;
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "demo";
    out->style = AWSGI_STEPS;
    out->load = load;
    out->run = run;
    out->close = end;
    return AWSGI_OK;
}
