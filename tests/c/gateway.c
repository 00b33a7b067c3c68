/* Both halves of an exchange in one program: an application in steps and one that blocks, and a host
 * that has no HTTP, only requests in memory. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

/* ---- the applications ----------------------------------------------------------------------------- */

/* Closes that were called; the blocking application is closed on another thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int closes;
static int hangups;

static void count(int *what, int by)
{
    (void)pthread_mutex_lock(&lock);
    *what += by;
    (void)pthread_mutex_unlock(&lock);
}

static int counted(const int *what)
{
    (void)pthread_mutex_lock(&lock);
    int value = *what;
    (void)pthread_mutex_unlock(&lock);
    return value;
}

static int is(awsgi_exchange x, const char *path)
{
    awsgi_slice value;

    OK(awsgi_exchange_environ(x, AWSGI_SLICE("PATH_INFO"), &value));
    /* A NUL stands after the last byte. */
    return value.data != NULL && strcmp((const char *)value.data, path) == 0;
}

static void start(awsgi_exchange x)
{
    awsgi_header type = { AWSGI_SLICE("Content-Type"), AWSGI_SLICE("text/plain") };

    OK(awsgi_exchange_start(x, 200, &type, 1));
}

static int32_t suspend_on_self(awsgi_exchange x, uint32_t interest)
{
    awsgi_watch set = { 0, interest, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    OK(awsgi_exchange_self(x, &set.waitable));
    spec.set = &set;
    spec.count = 1;
    OK(awsgi_exchange_wait(x, &spec, NULL));
    return AWSGI_SUSPEND;
}

/* What /echo has read and not yet written. */
typedef struct {
    char bytes[300];
    size_t len, sent;
} echo;

static int32_t run_echo(awsgi_exchange x, echo *e)
{
    for (;;) {
        size_t n;

        if (e->sent == e->len) {
            awsgi_status status = awsgi_exchange_read(x, e->bytes, sizeof e->bytes, &e->len);

            e->sent = 0;
            if (status == AWSGI_E_AGAIN)
                return suspend_on_self(x, AWSGI_READABLE);
            OK(status);
            if (e->len == 0)
                return AWSGI_DONE;
        }
        OK(awsgi_exchange_write(x, e->bytes + e->sent, e->len - e->sent, &n));
        e->sent += n;
        if (e->sent < e->len)
            return suspend_on_self(x, AWSGI_WRITABLE);
    }
}

static int32_t run_steps(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done,
                         size_t n)
{
    size_t taken;

    CHECK(worker == NULL);
    if (is(x, "/echo")) {
        if (*state == NULL) {
            CHECK(n == 0);
            *state = calloc(1, sizeof(echo));
            CHECK(*state != NULL);
            start(x);
        }
        return run_echo(x, *state);
    }
    if (is(x, "/gone")) {
        if (n == 0)
            return suspend_on_self(x, AWSGI_READABLE);
        CHECK(n == 1 && done[0].outcome == AWSGI_READY && done[0].ready & AWSGI_HANGUP);
        CHECK(awsgi_exchange_write(x, "x", 1, &taken) < 0);
        count(&hangups, 1);
        return AWSGI_DONE;
    }
    if (is(x, "/sleep")) {
        awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

        CHECK(n == 0);
        OK(awsgi_exchange_now(x, &spec.deadline));
        spec.deadline += 3600 * 1000 * MS;
        OK(awsgi_exchange_wait(x, &spec, NULL));
        return AWSGI_SUSPEND;
    }
    if (is(x, "/reentrant")) {
        awsgi_reactor *reactor;
        awsgi_turn turn = AWSGI_TURN_INIT;

        OK(awsgi_exchange_reactor(x, &reactor));
        ANSWERS(AWSGI_E_REENTRANT, awsgi_reactor_turn(reactor, &turn));
        ANSWERS(AWSGI_E_REENTRANT, awsgi_reactor_free(reactor));
        ANSWERS(AWSGI_E_REENTRANT, awsgi_reactor_release(reactor));
        start(x);
        return AWSGI_DONE;
    }
    if (is(x, "/split")) {
        awsgi_header bad = { AWSGI_SLICE("X-A"), AWSGI_SLICE("b\r\nX-C: d") };
        awsgi_header worse = { AWSGI_SLICE("X-A: b\r\nX-C"), AWSGI_SLICE("d") };

        ANSWERS(AWSGI_E_INVALID, awsgi_exchange_start(x, 200, &bad, 1));
        ANSWERS(AWSGI_E_INVALID, awsgi_exchange_start(x, 200, &worse, 1));
        start(x);
        return AWSGI_DONE;
    }
    if (is(x, "/yield")) {
        CHECK(n == 0);
        if (*state == NULL) {
            *state = calloc(1, 1);
            start(x);
        }
        return ++*(char *)*state < 3 ? AWSGI_YIELD : AWSGI_DONE;
    }
    if (is(x, "/nothing"))
        return AWSGI_SUSPEND;
    if (is(x, "/nonsense"))
        return 77;
    CHECK(is(x, "/fail"));
    return -1;
}

static void close_steps(void *worker, awsgi_exchange x, void *state)
{
    (void)worker, (void)x;
    free(state);
    count(&closes, 1);
}

static int32_t run_blocking(void *worker, awsgi_exchange x, void **state,
                            const awsgi_completion *done, size_t n)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_completion ended;
    char bytes[100];
    size_t len, taken, i;

    (void)worker, (void)state, (void)done;
    CHECK(n == 0);
    OK(awsgi_exchange_now(x, &spec.deadline));
    spec.deadline += 5 * MS;
    OK(awsgi_exchange_await(x, &spec, &ended));
    CHECK(ended.outcome == AWSGI_TIMED_OUT);
    start(x);
    do {
        memset(bytes, '~', sizeof bytes);
        OK(awsgi_exchange_read(x, bytes, sizeof bytes, &len));
        for (i = len; i < sizeof bytes; i++)
            CHECK(bytes[i] == '~');     /* no time was spent on what it has nothing for */
        OK(awsgi_exchange_write(x, bytes, len, &taken));
        CHECK(taken == len);
    } while (len > 0);
    return AWSGI_DONE;
}

/* ---- the host -------------------------------------------------------------------------------------- */

typedef struct {
    awsgi_exchange x;
    int status;                 /* of the head */
    int ended, aborted;
    size_t body_len;
    uint32_t body_sum;
    const char *input;          /* to be fed */
    size_t input_len;
    int feeding;
} client;

/* Takes what there is of the response, a few bytes at a time. */
static void take(client *c)
{
    awsgi_slice slice;
    size_t n;
    int end = 0;

    while (!end) {
        OK(awsgi_exchange_take(c->x, &slice, 1, &n, &end));
        if (n == 0)
            break;
        for (size_t i = 0; i < slice.len; i++)
            c->body_sum = c->body_sum * 31 + slice.data[i];
        c->body_len += slice.len;
        OK(awsgi_exchange_sent(c->x, slice.len));
    }
}

static void feed(client *c)
{
    size_t taken;
    awsgi_status status = awsgi_exchange_feed(c->x, c->input, c->input_len, 1, &taken);

    if (status != AWSGI_E_CLOSED)
        OK(status);
    c->input += taken;
    c->input_len -= taken;
    c->feeding = status == AWSGI_OK && c->input_len > 0;
}

/* Turns once, without blocking for longer than 10 ms, and answers what came. */
static void turn(awsgi_reactor *reactor)
{
    awsgi_completion done[8];
    awsgi_turn t = AWSGI_TURN_INIT;

    t.done = done;
    t.done_cap = 8;
    OK(awsgi_reactor_now(reactor, &t.deadline));
    t.deadline += 10 * MS;
    OK(awsgi_reactor_turn(reactor, &t));
    for (size_t i = 0; i < t.done_n; i++) {
        client *c = (client *)(uintptr_t)done[i].user_data;

        CHECK(done[i].wait == c->x && done[i].outcome == AWSGI_READY);
        CHECK(!c->ended && !c->aborted);
        if (done[i].ready & AWSGI_HEAD) {
            awsgi_head head = AWSGI_HEAD_INIT;

            OK(awsgi_exchange_head(c->x, &head));
            CHECK(c->status == 0);
            c->status = head.status;
            ANSWERS(AWSGI_E_STATE, awsgi_exchange_head(c->x, &head));
        }
        if (done[i].ready & AWSGI_ROOM && c->feeding)
            feed(c);
        if (done[i].ready & AWSGI_ABORT)
            c->aborted = 1;
        else
            take(c);
        if (done[i].ready & AWSGI_END)
            c->ended = 1;
        CHECK((c->ended || c->aborted) == !(done[i].flags & AWSGI_MORE));
    }
}

static client open_path(awsgi_gateway *gateway, const char *path, client *at, size_t body)
{
    awsgi_request request = AWSGI_REQUEST_INIT;
    client c = { 0, 0, 0, 0, 0, 0, NULL, 0, 0 };

    request.method = body > 0 ? AWSGI_SLICE("POST") : AWSGI_SLICE("GET");
    request.target = awsgi_string(path);
    request.server_name = AWSGI_SLICE("localhost");
    request.server_port = 80;
    request.remote_addr = AWSGI_SLICE("127.0.0.1");
    request.body = body > 0;
    request.content_length = (int64_t)body;
    request.user_data = (uint64_t)(uintptr_t)at;
    OK(awsgi_gateway_open(gateway, &request, &c.x));
    return c;
}

/* Serves one request to its end. */
static client serve(awsgi_reactor *reactor, awsgi_gateway *gateway, const char *path,
                    const char *input, size_t input_len)
{
    client c = { 0, 0, 0, 0, 0, 0, NULL, 0, 0 };

    c = open_path(gateway, path, &c, input_len);
    c.input = input;
    c.input_len = input_len;
    if (input_len > 0)
        feed(&c);
    for (int turns = 0; !c.ended && !c.aborted; turns++) {
        CHECK(turns < 10000);
        turn(reactor);
    }
    OK(awsgi_exchange_end(c.x));
    ANSWERS(AWSGI_E_STALE, awsgi_exchange_end(c.x));
    return c;
}

static void wait_until(awsgi_reactor *reactor, const int *what, int value)
{
    for (int turns = 0; counted(what) != value; turns++) {
        CHECK(turns < 1000);
        turn(reactor);
    }
}

static awsgi_gateway *bind_application(awsgi_reactor *reactor, uint32_t style)
{
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    awsgi_gateway_options options = AWSGI_GATEWAY_OPTIONS_INIT;
    awsgi_gateway *gateway;

    application.name = "test";
    application.style = style;
    application.run = style == AWSGI_STEPS ? run_steps : run_blocking;
    application.close = close_steps;
    options.input_buffer = 1000;
    options.output_buffer = 1000;
    options.pool_threads = 2;
    OK(awsgi_gateway_new(reactor, &application, &options, &gateway));
    return gateway;
}

static void a_body_comes_back_whole(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    enum { LEN = 100000 };
    char *input = malloc(LEN);
    uint32_t sum = 0;
    int before = counted(&closes);
    client c;

    CHECK(input != NULL);
    for (size_t i = 0; i < LEN; i++) {
        input[i] = (char)(i * 7 + i / 251);
        sum = sum * 31 + (uint8_t)input[i];
    }
    c = serve(reactor, gateway, "/echo", input, LEN);
    CHECK(c.ended && c.status == 200 && c.body_len == LEN && c.body_sum == sum);
    wait_until(reactor, &closes, before + 1);
    free(input);
}

static void a_step_that_goes_wrong_is_a_500(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    static const char *const paths[] = { "/fail", "/nonsense", "/nothing" };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int before = counted(&closes);
        client c = serve(reactor, gateway, paths[i], NULL, 0);

        CHECK(c.ended && c.status == 500);
        wait_until(reactor, &closes, before + 1);
    }
    CHECK(serve(reactor, gateway, "/reentrant", NULL, 0).status == 200);
    CHECK(serve(reactor, gateway, "/split", NULL, 0).status == 200);
    CHECK(serve(reactor, gateway, "/yield", NULL, 0).status == 200);
}

static void who_waits_for_its_client_sees_it_leave(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    int before = counted(&closes);
    client c = { 0, 0, 0, 0, 0, 0, NULL, 0, 0 };

    c = open_path(gateway, "/gone", &c, 10);
    turn(reactor);
    OK(awsgi_exchange_gone(c.x));
    for (int turns = 0; !c.ended && !c.aborted; turns++) {
        CHECK(turns < 1000);
        turn(reactor);
    }
    OK(awsgi_exchange_end(c.x));
    wait_until(reactor, &closes, before + 1);
    CHECK(counted(&hangups) == 1);
}

static void who_waits_for_anything_else_is_closed(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    int before = counted(&closes);
    client c = { 0, 0, 0, 0, 0, 0, NULL, 0, 0 };

    c = open_path(gateway, "/sleep", &c, 0);
    turn(reactor);
    CHECK(counted(&closes) == before);
    OK(awsgi_exchange_gone(c.x));
    wait_until(reactor, &closes, before + 1);
    OK(awsgi_exchange_end(c.x));
    /* The token names nothing any more. */
    ANSWERS(AWSGI_E_STALE, awsgi_exchange_gone(c.x));
    ANSWERS(AWSGI_E_STALE, awsgi_exchange_sent(c.x, 0));
}

static void a_host_may_end_an_application_early(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    int before = counted(&closes);
    client c = { 0, 0, 0, 0, 0, 0, NULL, 0, 0 };

    c = open_path(gateway, "/sleep", &c, 0);
    turn(reactor);
    ANSWERS(AWSGI_E_INVALID, awsgi_exchange_fail(c.x, 200));
    ANSWERS(AWSGI_E_INVALID, awsgi_exchange_fail(c.x, -1));
    OK(awsgi_exchange_fail(c.x, 413));
    for (int turns = 0; !c.ended; turns++) {
        CHECK(turns < 1000 && !c.aborted);
        turn(reactor);
    }
    CHECK(c.status == 413);
    OK(awsgi_exchange_end(c.x));
    wait_until(reactor, &closes, before + 1);
    ANSWERS(AWSGI_E_STALE, awsgi_exchange_fail(c.x, 413));
}

static void a_host_that_lets_go_ends_the_application(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    int before = counted(&closes);
    client c = { 0, 0, 0, 0, 0, 0, NULL, 0, 0 };

    c = open_path(gateway, "/sleep", &c, 0);
    turn(reactor);
    OK(awsgi_exchange_end(c.x));
    wait_until(reactor, &closes, before + 1);
}

static void a_gateway_that_drains_takes_nothing_new(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    awsgi_request request = AWSGI_REQUEST_INIT;
    awsgi_exchange x = 1;
    client c = { 0, 0, 0, 0, 0, 0, NULL, 0, 0 };

    c = open_path(gateway, "/sleep", &c, 0);
    turn(reactor);
    OK(awsgi_gateway_close(gateway, 20 * MS));
    request.method = AWSGI_SLICE("GET");
    request.target = AWSGI_SLICE("/echo");
    request.server_name = AWSGI_SLICE("localhost");
    ANSWERS(AWSGI_E_CLOSED, awsgi_gateway_open(gateway, &request, &x));
    CHECK(x == 0);
    ANSWERS(AWSGI_E_BUSY, awsgi_gateway_free(gateway));
    for (int turns = 0; !c.ended && !c.aborted; turns++) {
        CHECK(turns < 1000);
        turn(reactor);
    }
    /* Nothing was sent yet, so the client can still be told. */
    CHECK(c.ended && c.status == 503);
    OK(awsgi_exchange_end(c.x));
}

static void end_gateway(awsgi_reactor *reactor, awsgi_gateway *gateway)
{
    awsgi_status status;

    OK(awsgi_gateway_close(gateway, 0));
    for (int turns = 0; (status = awsgi_gateway_free(gateway)) == AWSGI_E_BUSY; turns++) {
        CHECK(turns < 1000);
        turn(reactor);
    }
    OK(status);
    ANSWERS(AWSGI_E_STALE, awsgi_gateway_free(gateway));
}

int main(void)
{
    awsgi_reactor *reactor = check_reactor();
    awsgi_gateway *steps = bind_application(reactor, AWSGI_STEPS);
    awsgi_gateway *blocking = bind_application(reactor, AWSGI_BLOCKING);

    a_body_comes_back_whole(reactor, steps);
    a_body_comes_back_whole(reactor, blocking);
    a_step_that_goes_wrong_is_a_500(reactor, steps);
    who_waits_for_its_client_sees_it_leave(reactor, steps);
    who_waits_for_anything_else_is_closed(reactor, steps);
    a_host_may_end_an_application_early(reactor, steps);
    a_host_that_lets_go_ends_the_application(reactor, steps);
    a_gateway_that_drains_takes_nothing_new(reactor, steps);
    end_gateway(reactor, steps);
    end_gateway(reactor, blocking);
    check_free(reactor);
    return 0;
}
