/* Both halves of an exchange in one program: an application, and a host that has no HTTP, only requests in memory. */
#include "reference.h"

/* ---- the application's half: a step returns its status if a call fails ------------------------------ */

/* awsgi_exchange_environ, awsgi_exchange_start, awsgi_exchange_write: answers with the path of the request. */
static int32_t run_path(awsgi_exchange x)
{
    awsgi_header type = { AWSGI_SLICE("Content-Type"), AWSGI_SLICE("text/plain") };
    awsgi_slice path;
    awsgi_status status = awsgi_exchange_environ(x, AWSGI_SLICE("PATH_INFO"), &path);
    if (status == AWSGI_OK)
        status = awsgi_exchange_start(x, 200, &type, 1);
    if (status == AWSGI_OK)                             /* as little as this is always taken */
        status = awsgi_exchange_write(x, path.data, path.len, NULL);
    return status;                                      /* AWSGI_OK is AWSGI_DONE */
}

/* awsgi_exchange_environ_each: answers with the names of all variables. */
static int32_t run_names(awsgi_exchange x)
{
    size_t cursor = 0;
    awsgi_slice key, value;
    awsgi_status status = awsgi_exchange_start(x, 200, NULL, 0);
    while (status == AWSGI_OK && awsgi_exchange_environ_each(x, &cursor, &key, &value) == AWSGI_OK)
        status = awsgi_exchange_write(x, key.data, key.len, NULL);
    return status;
}

/* awsgi_exchange_now, awsgi_exchange_wait: sleeps for 20 milliseconds, without holding a thread. */
static int32_t run_sleep(awsgi_exchange x, const awsgi_completion *done, size_t n)
{
    if (n == 0) {                                       /* the first step */
        awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
        awsgi_status status = awsgi_exchange_now(x, &sleep.deadline);
        sleep.deadline += 20 * MS;
        if (status == AWSGI_OK)
            status = awsgi_exchange_wait(x, &sleep, NULL);
        return status == AWSGI_OK ? AWSGI_SUSPEND : status;
    }
    expect(n == 1 && done[0].outcome == AWSGI_TIMED_OUT);
    return run_path(x);
}

/* awsgi_exchange_read, awsgi_exchange_self: reads the body of the request, waits where nothing is there, and answers
 * with its length. */
static int32_t run_count(awsgi_exchange x, size_t *length)
{
    char bytes[4096], text[32];
    size_t count;
    awsgi_status status;
    while ((status = awsgi_exchange_read(x, bytes, sizeof bytes, &count)) == AWSGI_OK && count > 0)
        *length += count;
    if (status == AWSGI_E_AGAIN) {
        awsgi_watch set[] = { { .interest = AWSGI_READABLE } };
        awsgi_wait_spec more = AWSGI_WAIT_SPEC_INIT;
        status = awsgi_exchange_self(x, &set[0].waitable);
        more.set = set;
        more.count = 1;
        if (status == AWSGI_OK)
            status = awsgi_exchange_wait(x, &more, NULL);
        return status == AWSGI_OK ? AWSGI_SUSPEND : status;
    }
    if (status == AWSGI_OK)
        status = awsgi_exchange_start(x, 200, NULL, 0);
    (void)snprintf(text, sizeof text, "%zu", *length);
    return status == AWSGI_OK ? awsgi_exchange_write(x, text, strlen(text), NULL) : status;
}

/* awsgi_exchange_reactor: makes an event of its own, which another thread would notify, and waits for it. */
static int32_t run_event(awsgi_exchange x, size_t n)
{
    awsgi_reactor *reactor;
    awsgi_watch set[] = { { .interest = AWSGI_READABLE } };
    awsgi_wait_spec notified = AWSGI_WAIT_SPEC_INIT;
    awsgi_status status;
    if (n != 0)
        return run_path(x);
    notified.set = set;
    notified.count = 1;
    if ((status = awsgi_exchange_reactor(x, &reactor)) != AWSGI_OK
        || (status = awsgi_waitable_event(reactor, 0, &set[0].waitable)) != AWSGI_OK
        || (status = awsgi_exchange_wait(x, &notified, NULL)) != AWSGI_OK
        || (status = awsgi_notify(set[0].waitable, AWSGI_READABLE)) != AWSGI_OK)
        return status;
    return AWSGI_SUSPEND;                               /* the event ends with the exchange */
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    awsgi_slice path;

    (void)worker;
    check(awsgi_exchange_environ(x, AWSGI_SLICE("PATH_INFO"), &path));
    if (strcmp((const char *)path.data, "/names") == 0)
        return run_names(x);
    if (strcmp((const char *)path.data, "/sleep") == 0)
        return run_sleep(x, done, n);
    if (strcmp((const char *)path.data, "/event") == 0)
        return run_event(x, n);
    if (strcmp((const char *)path.data, "/count") == 0) {
        if (*state == NULL)
            *state = calloc(1, sizeof(size_t));
        return *state == NULL ? AWSGI_E_LIMIT : run_count(x, *state);
    }
    return run_path(x);
}

static void close_exchange(void *worker, awsgi_exchange x, void *state)
{
    (void)worker, (void)x;
    free(state);
}

/* awsgi_exchange_await: a blocking application sleeps for 20 milliseconds in place. */
static int32_t run_blocking(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
    awsgi_completion slept;
    awsgi_status status = awsgi_exchange_now(x, &sleep.deadline);
    (void)worker, (void)state, (void)done, (void)n;
    sleep.deadline += 20 * MS;
    if (status == AWSGI_OK)
        status = awsgi_exchange_await(x, &sleep, &slept);
    return status == AWSGI_OK ? run_path(x) : status;
}

static int32_t steps_main(const awsgi_api *api, awsgi_application *out)
{
    (void)api;                                          /* for applications that link nothing */
    out->name = "steps";
    out->run = run;
    out->close = close_exchange;
    return AWSGI_OK;
}

static int32_t blocking_main(const awsgi_api *api, awsgi_application *out)
{
    (void)api;
    out->name = "blocking";
    out->style = AWSGI_BLOCKING;
    out->run = run_blocking;
    return AWSGI_OK;
}

/* ---- the host's half --------------------------------------------------------------------------------- */

/* A request that is under way. */
typedef struct {
    awsgi_exchange x;
    const char *unfed;                                  /* of its body */
    int32_t status;
    char body[4096];                                    /* of the response */
    size_t len;
    bool ended, broken;
} request;

/* awsgi_exchange_feed: gives what there is room for. AWSGI_ROOM says when to go on. */
static void feed(request *r)
{
    size_t taken;
    awsgi_status status = awsgi_exchange_feed(r->x, r->unfed, strlen(r->unfed), 1, &taken);
    if (status != AWSGI_E_CLOSED)                       /* the application reads no more: drop the rest */
        check(status);
    r->unfed += taken;
}

/* awsgi_exchange_head: a server would write it to its client, and frame the body by head.length. */
static void take_head(request *r)
{
    awsgi_head head = AWSGI_HEAD_INIT;
    check(awsgi_exchange_head(r->x, &head));
    r->status = head.status;
    for (size_t i = 0; i < head.header_count; i++)
        (void)printf("%.*s: %.*s\n", (int)head.headers[i].name.len, (const char *)head.headers[i].name.data,
                     (int)head.headers[i].value.len, (const char *)head.headers[i].value.data);
}

/* awsgi_exchange_take, awsgi_exchange_sent: takes until nothing is there. What is sent makes room for more. */
static void take_body(request *r)
{
    awsgi_slice slices[8];
    size_t count;
    int end;
    do {
        size_t sent = 0;
        check(awsgi_exchange_take(r->x, slices, 8, &count, &end));
        for (size_t i = 0; i < count; i++) {
            expect(r->len + slices[i].len <= sizeof r->body);
            memcpy(r->body + r->len, slices[i].data, slices[i].len);
            r->len += slices[i].len;
            sent += slices[i].len;
        }
        check(awsgi_exchange_sent(r->x, sent));
    } while (count > 0 && !end);
}

/* awsgi_gateway_open, awsgi_exchange_end: a request from its head to its end. */
static void serve(awsgi_reactor *reactor, awsgi_gateway *gateway, const char *target, const char *body, request *r)
{
    awsgi_request head = AWSGI_REQUEST_INIT;
    head.method = body == NULL ? AWSGI_SLICE("GET") : AWSGI_SLICE("POST");
    head.target = awsgi_string(target);
    head.server_name = AWSGI_SLICE("localhost");
    head.server_port = 80;
    head.body = body != NULL;
    head.content_length = body == NULL ? 0 : (int64_t)strlen(body);
    head.user_data = (uint64_t)(uintptr_t)r;            /* comes back in the completions */
    r->unfed = body;
    check(awsgi_gateway_open(gateway, &head, &r->x));
    if (head.body)
        feed(r);
    while (!r->ended && !r->broken) {
        awsgi_completion done = next(reactor);          /* turns until something completes */
        request *its = (request *)(uintptr_t)done.user_data;
        if ((done.ready & AWSGI_HEAD) != 0)
            take_head(its);
        if ((done.ready & AWSGI_ROOM) != 0)
            feed(its);
        if ((done.ready & AWSGI_ABORT) != 0)
            its->broken = true;                         /* a server closes the connection */
        else
            take_body(its);
        its->ended = (done.ready & AWSGI_END) != 0;
    }
    check(awsgi_exchange_end(r->x));
}

/* awsgi_exchange_gone: the client left while the application waits. */
static void client_leaves(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    awsgi_request head = AWSGI_REQUEST_INIT;
    awsgi_exchange x;
    head.method = AWSGI_SLICE("GET");
    head.target = AWSGI_SLICE("/sleep");
    head.server_name = AWSGI_SLICE("localhost");
    check(awsgi_gateway_open(gateway, &head, &x));
    check(awsgi_exchange_gone(x));
    expect((next(reactor).ready & AWSGI_ABORT) != 0);
    check(awsgi_exchange_end(x));
}

/* awsgi_exchange_fail: the host gives up on a request whose body does not come, and has a response for its client. */
static void too_slow(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    awsgi_request head = AWSGI_REQUEST_INIT;
    awsgi_head response = AWSGI_HEAD_INIT;
    awsgi_exchange x;
    head.method = AWSGI_SLICE("POST");
    head.target = AWSGI_SLICE("/count");
    head.server_name = AWSGI_SLICE("localhost");
    head.body = 1;
    head.content_length = -1;
    check(awsgi_gateway_open(gateway, &head, &x));
    check(awsgi_exchange_fail(x, 408));
    expect((next(reactor).ready & AWSGI_HEAD) != 0);
    check(awsgi_exchange_head(x, &response));
    expect(response.status == 408);
    check(awsgi_exchange_end(x));
}

/* awsgi_application_link, awsgi_gateway_new: an application that is linked into the host, on this reactor. */
static awsgi_gateway *bind(awsgi_reactor *reactor, awsgi_application_entry entry, awsgi_application *application)
{
    awsgi_gateway_options options = AWSGI_GATEWAY_OPTIONS_INIT;
    awsgi_gateway *gateway;
    options.max_exchanges = 1000;                       /* the others stay at their defaults */
    check(awsgi_application_link(entry, NULL, application));
    check(awsgi_gateway_new(reactor, application, &options, &gateway));
    return gateway;
}

/* awsgi_gateway_close, awsgi_gateway_free, awsgi_application_unload: lets exchanges finish for a second at most, and
 * ends all. */
static void drain(awsgi_reactor *reactor, awsgi_gateway *gateway, const awsgi_application *application)
{
    awsgi_completion done[16];
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_status status;
    turn.done = done;
    turn.done_cap = 16;
    turn.deadline = AWSGI_NOW;
    check(awsgi_gateway_close(gateway, 1000 * MS));
    do                                                  /* a server goes on to serve what completes here */
        check(awsgi_reactor_turn(reactor, &turn));
    while ((status = awsgi_gateway_free(gateway)) == AWSGI_E_BUSY);
    check(status);
    check(awsgi_application_unload(application));
}

static void answers(awsgi_reactor *reactor, awsgi_gateway *gateway, const char *target, const char *body,
                    const char *wanted)
{
    request r = { .status = 0 };

    serve(reactor, gateway, target, body, &r);
    expect(r.status == 200 && r.len >= strlen(wanted) && memcmp(r.body, wanted, strlen(wanted)) == 0);
}

int main(void)
{
    awsgi_application steps, blocking;
    awsgi_reactor *reactor;

    check(awsgi_reactor_new(NULL, &reactor));
    awsgi_gateway *one = bind(reactor, steps_main, &steps);
    awsgi_gateway *other = bind(reactor, blocking_main, &blocking);
    answers(reactor, one, "/path", NULL, "/path");
    answers(reactor, one, "/names", NULL, "");
    answers(reactor, one, "/sleep", NULL, "/sleep");
    answers(reactor, one, "/event", NULL, "/event");
    answers(reactor, one, "/count", "twelve bytes", "12");
    answers(reactor, other, "/blocking", NULL, "/blocking");
    client_leaves(reactor, one);
    too_slow(reactor, one);
    drain(reactor, one, &steps);
    drain(reactor, other, &blocking);
    end(reactor);
    return 0;
}
