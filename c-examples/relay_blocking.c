/* The relay once more, as blocking code, to be mounted at a prefix of its own such as /relay-blocking.
 * It has a pool thread for the whole exchange: each wait stands where it is needed, and the state is
 * in local variables. The same thing as steps is in relay_steps.c.
 *
 * While it waits the thread is taken, so there can be only as many exchanges at once as the pool has
 * threads. If the client leaves, the wait it is in answers AWSGI_E_CLOSED: it need not ask for that.
 *
 * The socket is given away with AWSGI_OWN and closed with its waitable, which ends with the exchange. */
#define _POSIX_C_SOURCE 200809L
#define AWSGI_APPLICATION
#include "relay.h"

static relay_config config;

/* Answers with a sentence; what it returns is what `run` returns. */
static int32_t answer(awsgi_exchange x, int32_t code, const char *text, bool head_only)
{
    char length[24];
    size_t taken;

    (void)snprintf(length, sizeof length, "%zu", strlen(text));
    awsgi_header headers[] = {
        { AWSGI_SLICE("Content-Type"), AWSGI_SLICE("text/plain; charset=utf-8") },
        { AWSGI_SLICE("Content-Length"), awsgi_string(length) },
        { AWSGI_SLICE("Allow"), AWSGI_SLICE("GET, HEAD") },
    };
    awsgi_status status = awsgi_exchange_start(x, code, headers, code == 405 ? 3 : 2);
    if (status == AWSGI_OK && !head_only)
        status = awsgi_exchange_write(x, text, strlen(text), &taken);
    return status == AWSGI_E_CLOSED ? AWSGI_DONE : status;
}

static int32_t bad_gateway(awsgi_exchange x, const char *what, int error, bool head_only)
{
    char text[256];

    relay_explain(text, sizeof text, what, error);
    return answer(x, 502, text, head_only);
}

/* Waits in place. `*late` if the time of the upstream was over. */
static awsgi_status await_upstream(awsgi_exchange x, awsgi_waitable upstream, uint32_t interest,
                                   bool *late)
{
    awsgi_watch set[] = { { .waitable = upstream, .interest = interest } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_completion done;
    uint64_t now;

    *late = false;
    awsgi_status status = awsgi_exchange_now(x, &now);
    if (status != AWSGI_OK)
        return status;
    spec.set = set;
    spec.count = 1;
    spec.deadline = now + config.timeout;
    status = awsgi_exchange_await(x, &spec, &done);
    if (status != AWSGI_OK)
        return status;
    *late = done.outcome == AWSGI_TIMED_OUT;
    return *late || done.outcome == AWSGI_READY ? AWSGI_OK : AWSGI_E_OS;
}

/* recv that waits. -1 with `*status`: the exchange is over; with AWSGI_OK: see errno. */
static ssize_t receive(awsgi_exchange x, awsgi_waitable upstream, int fd, char *out, size_t cap,
                       awsgi_status *status)
{
    for (;;) {
        bool late;
        ssize_t got = recv(fd, out, cap, 0);

        *status = AWSGI_OK;
        if (got >= 0 || !relay_not_yet())
            return got;
        *status = await_upstream(x, upstream, AWSGI_READABLE, &late);
        if (*status != AWSGI_OK)
            return -1;
        if (late) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

static int32_t failed(awsgi_status status)
{
    return status == AWSGI_E_CLOSED ? AWSGI_DONE : status;      /* the client left */
}

/* Everything from the connected socket to the end of the body. */
static int32_t relay(awsgi_exchange x, int fd, awsgi_waitable upstream, char *buffer, size_t len,
                     bool head_only)
{
    static const char late_text[] = "The upstream did not answer in time.\n";
    awsgi_status status;
    bool late;

    status = await_upstream(x, upstream, AWSGI_WRITABLE, &late);        /* connected, or refused */
    if (status != AWSGI_OK)
        return failed(status);
    if (late)
        return answer(x, 504, late_text, head_only);
    int error = relay_connected(fd);
    if (error != 0)
        return bad_gateway(x, "cannot be reached", error, head_only);

    for (size_t at = 0; at < len;) {
        ssize_t sent = send(fd, buffer + at, len - at, MSG_NOSIGNAL);
        if (sent >= 0) {
            at += (size_t)sent;
            continue;
        }
        if (!relay_not_yet())
            return bad_gateway(x, "broke off before the request was sent", errno, head_only);
        status = await_upstream(x, upstream, AWSGI_WRITABLE, &late);
        if (status != AWSGI_OK)
            return failed(status);
        if (late)
            return answer(x, 504, late_text, head_only);
    }

    relay_head head;
    relay_parsed parsed = RELAY_MORE;
    size_t end = 0;
    while (parsed == RELAY_MORE) {
        if (end == RELAY_BUFFER)
            return answer(x, 502, "The upstream's head is too long.\n", head_only);
        ssize_t got = receive(x, upstream, fd, buffer + end, RELAY_BUFFER - end, &status);
        if (status != AWSGI_OK)
            return failed(status);
        if (got < 0 && errno == ETIMEDOUT)
            return answer(x, 504, late_text, head_only);
        if (got < 0)
            return bad_gateway(x, "broke off before its answer", errno, head_only);
        if (got == 0)
            return answer(x, 502, "The upstream closed before its answer.\n", head_only);
        end += (size_t)got;
        parsed = relay_parse(buffer, end, &head);
    }
    status = AWSGI_E_INVALID;
    if (parsed == RELAY_HEAD)       /* the gateway has a say too in what is a header */
        status = awsgi_exchange_start(x, head.status, head.headers, head.count);
    if (status == AWSGI_E_INVALID)
        return answer(x, 502, "The upstream's answer is not HTTP as it should be.\n", head_only);
    if (status != AWSGI_OK)
        return failed(status);

    /* From here on a failure can only break the transfer, so that it never looks complete. */
    int64_t left = relay_body_length(&head, head_only);
    const char *piece = buffer + head.size;
    size_t piece_len = end - head.size;
    for (;;) {
        size_t taken;

        if (left >= 0 && (uint64_t)left < piece_len)
            piece_len = (size_t)left;               /* what is more than promised is not passed on */
        if (piece_len > 0) {
            status = awsgi_exchange_write(x, piece, piece_len, &taken);     /* waits for room */
            if (status != AWSGI_OK)
                return failed(status);
        }
        if (left > 0)
            left -= (int64_t)piece_len;
        if (left == 0)
            return AWSGI_DONE;
        ssize_t got = receive(x, upstream, fd, buffer, RELAY_BUFFER, &status);
        if (status != AWSGI_OK)
            return failed(status);
        if (got < 0)
            return AWSGI_E_OS;
        if (got == 0)                               /* an end, or less than was promised */
            return left < 0 ? AWSGI_DONE : AWSGI_E_OS;
        piece = buffer;
        piece_len = (size_t)got;
    }
}

static awsgi_slice variable(awsgi_exchange x, awsgi_slice key)
{
    awsgi_slice value;

    return awsgi_exchange_environ(x, key, &value) == AWSGI_OK && value.data != NULL
               ? value : awsgi_string("");
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done,
                   size_t n)
{
    char buffer[RELAY_BUFFER];      /* the request, then the answer's head, then pieces of its body */

    (void)worker, (void)state, (void)done, (void)n;
    const char *method = (const char *)variable(x, AWSGI_SLICE("REQUEST_METHOD")).data;
    bool head_only = strcmp(method, "HEAD") == 0;
    if (!head_only && strcmp(method, "GET") != 0)
        return answer(x, 405, "This address does not know that method.\n", false);
    /* The prefix it is mounted at is in SCRIPT_NAME; PATH_INFO is the rest. */
    size_t len = relay_request(buffer, sizeof buffer, head_only, variable(x, AWSGI_SLICE("PATH_INFO")),
                               variable(x, AWSGI_SLICE("QUERY_STRING")), config.host);
    if (len == 0)
        return answer(x, 400, "This address cannot be passed on to the upstream.\n", head_only);

    int fd;
    int error = relay_connect(&config, &fd);
    if (error != 0)
        return bad_gateway(x, "cannot be reached", error, head_only);
    awsgi_reactor *reactor;
    awsgi_waitable upstream;
    awsgi_status status = awsgi_exchange_reactor(x, &reactor);
    if (status == AWSGI_OK)
        status = awsgi_waitable_descriptor(reactor, fd, AWSGI_OWN, &upstream);
    if (status != AWSGI_OK) {
        (void)close(fd);                            /* it was not taken, so it is still ours */
        return failed(status);
    }
    return relay(x, fd, upstream, buffer, len, head_only);
}

static int32_t load(void *app, const char *text)
{
    char why[256];

    (void)app;
    if (relay_configure(text, &config, why, sizeof why))
        return AWSGI_OK;
    (void)fprintf(stderr, "relay_blocking: %s\n", why);
    return AWSGI_E_INVALID;
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "relay_blocking";
    out->style = AWSGI_BLOCKING;
    out->load = load;
    out->run = run;
    return AWSGI_OK;
}
