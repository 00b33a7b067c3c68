/* /relay as steps: a state machine that asks the upstream and passes its answer on. Every step ends at
 * the point where it would have to wait, and the next begins there. The same thing as straight code
 * is in relay_blocking.c.
 *
 * The socket is given away with AWSGI_OWN: it is closed with its waitable, and that with the exchange,
 * however the exchange ends. So there is no close() here, but for the moment before it is given. */
#define _POSIX_C_SOURCE 200809L

#include "demo.h"
#include "relay.h"

#include <stdlib.h>

enum phase { CONNECTING, SENDING, READING_HEAD, RELAYING };

struct demo_relay {
    enum phase phase;
    int fd;
    awsgi_waitable upstream;
    int64_t left;                   /* bytes of body to come; -1: until the upstream closes */
    size_t begin, end;              /* buffer[begin, end) is to be sent on */
    char buffer[RELAY_BUFFER];      /* the request, then the answer's head, then pieces of its body */
};

static relay_config config;
static char no_upstream[256];       /* the sentence, if none is configured */

bool demo_relay_load(const char *text, char *why, size_t why_cap)
{
    if (relay_configure(text, &config, why, why_cap))
        return true;
    if (text[strspn(text, " \t")] != '\0')
        return false;
    /* Nothing given at all: the rest of the demo is worth having without an upstream. */
    (void)snprintf(no_upstream, sizeof no_upstream, "%s.\n", why);
    return true;
}

/* Suspends until the upstream is ready for `interest`, its time is over, or the client left. */
static int32_t wait_upstream(demo_exchange *e, uint32_t interest)
{
    awsgi_watch set[] = {
        { .interest = AWSGI_HANGUP },               /* the client; the first, as demo.c looks there */
        { .waitable = e->as.relay->upstream, .interest = interest },
    };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    uint64_t now = 0;

    awsgi_status status = awsgi_exchange_self(e->x, &set[0].waitable);
    if (status == AWSGI_OK)
        status = awsgi_exchange_now(e->x, &now);
    if (status == AWSGI_OK) {
        spec.set = set;
        spec.count = 2;
        spec.deadline = now + config.timeout;
        status = awsgi_exchange_wait(e->x, &spec, NULL);
    }
    return status == AWSGI_OK ? AWSGI_SUSPEND : demo_finish(status);
}

/* Before the head is out there is a status for every failure; after it only a transfer that breaks. */
static int32_t bad_gateway(demo_exchange *e, const char *what, int error)
{
    char text[256];

    if (e->as.relay != NULL && e->as.relay->phase == RELAYING)
        return AWSGI_E_OS;
    relay_explain(text, sizeof text, what, error);
    return demo_sentence(e, 502, text);
}

static int32_t relay_body(demo_exchange *e, demo_relay *r)
{
    for (;;) {
        while (r->begin < r->end) {
            size_t taken = 0;
            awsgi_status status = awsgi_exchange_write(e->x, r->buffer + r->begin,
                                                       r->end - r->begin, &taken);
            if (status != AWSGI_OK)
                return demo_finish(status);
            r->begin += taken;
            /* Nothing more is read until this is out: so the upstream waits for the client too. How
             * long a client may take is for the server to say, hence no deadline. */
            if (r->begin < r->end)
                return demo_wait_self(e, AWSGI_WRITABLE, AWSGI_FOREVER);
        }
        if (r->left == 0)
            return AWSGI_DONE;

        size_t cap = r->left > 0 && r->left < RELAY_BUFFER ? (size_t)r->left : RELAY_BUFFER;
        ssize_t got = recv(r->fd, r->buffer, cap, 0);
        if (got < 0 && relay_not_yet())
            return wait_upstream(e, AWSGI_READABLE);
        if (got < 0)
            return bad_gateway(e, "broke off", errno);
        if (got == 0)                               /* an end, or less than was promised */
            return r->left < 0 ? AWSGI_DONE : AWSGI_E_OS;
        r->begin = 0;
        r->end = (size_t)got;
        if (r->left > 0)
            r->left -= got;
    }
}

static int32_t read_head(demo_exchange *e, demo_relay *r)
{
    relay_head head;
    relay_parsed parsed = RELAY_MORE;

    while (parsed == RELAY_MORE) {
        if (r->end == sizeof r->buffer)
            return demo_sentence(e, 502, "The upstream's head is too long.\n");
        ssize_t got = recv(r->fd, r->buffer + r->end, sizeof r->buffer - r->end, 0);
        if (got < 0 && relay_not_yet())
            return wait_upstream(e, AWSGI_READABLE);
        if (got < 0)
            return bad_gateway(e, "broke off before its answer", errno);
        if (got == 0)
            return demo_sentence(e, 502, "The upstream closed before its answer.\n");
        r->end += (size_t)got;
        parsed = relay_parse(r->buffer, r->end, &head);
    }
    awsgi_status status = AWSGI_E_INVALID;
    if (parsed == RELAY_HEAD)       /* the gateway has a say too in what is a header */
        status = awsgi_exchange_start(e->x, head.status, head.headers, head.count);
    if (status == AWSGI_E_INVALID)
        return demo_sentence(e, 502, "The upstream's answer is not HTTP as it should be.\n");
    if (status != AWSGI_OK)
        return demo_finish(status);

    r->phase = RELAYING;
    r->left = relay_body_length(&head, e->head_only);
    r->begin = head.size;                           /* the body's first bytes came with the head */
    if (r->left >= 0 && (uint64_t)r->left < r->end - r->begin)
        r->end = r->begin + (size_t)r->left;        /* what is more than promised is not passed on */
    if (r->left > 0)
        r->left -= (int64_t)(r->end - r->begin);
    return relay_body(e, r);
}

static int32_t send_request(demo_exchange *e, demo_relay *r)
{
    while (r->begin < r->end) {
        ssize_t sent = send(r->fd, r->buffer + r->begin, r->end - r->begin, MSG_NOSIGNAL);
        if (sent < 0 && relay_not_yet())
            return wait_upstream(e, AWSGI_WRITABLE);
        if (sent < 0)
            return bad_gateway(e, "broke off before the request was sent", errno);
        r->begin += (size_t)sent;
    }
    r->phase = READING_HEAD;
    r->begin = r->end = 0;
    return read_head(e, r);
}

static int32_t connected(demo_exchange *e, demo_relay *r)
{
    int error = relay_connected(r->fd);

    if (error != 0)
        return bad_gateway(e, "cannot be reached", error);
    r->phase = SENDING;
    return send_request(e, r);
}

static int32_t begin(demo_exchange *e)
{
    if (no_upstream[0] != '\0')
        return demo_sentence(e, 503, no_upstream);
    demo_relay *r = e->as.relay = calloc(1, sizeof *r);
    if (r == NULL)
        return AWSGI_E_LIMIT;

    awsgi_slice path, query;
    size_t mount = strlen("/relay");                /* what follows it is asked of the upstream */
    path.data = (const uint8_t *)demo_environ(e, "PATH_INFO", &path.len) + mount;
    path.len -= mount;
    query.data = (const uint8_t *)demo_environ(e, "QUERY_STRING", &query.len);
    r->end = relay_request(r->buffer, sizeof r->buffer, e->head_only, path, query, config.host);
    if (r->end == 0)
        return demo_sentence(e, 400, "This address cannot be passed on to the upstream.\n");

    int error = relay_connect(&config, &r->fd);
    if (error != 0)
        return bad_gateway(e, "cannot be reached", error);
    awsgi_reactor *reactor;
    awsgi_status status = awsgi_exchange_reactor(e->x, &reactor);
    if (status == AWSGI_OK)
        status = awsgi_waitable_descriptor(reactor, r->fd, AWSGI_OWN, &r->upstream);
    if (status != AWSGI_OK) {
        (void)close(r->fd);                         /* it was not taken, so it is still ours */
        return demo_finish(status);
    }
    r->phase = CONNECTING;
    return wait_upstream(e, AWSGI_WRITABLE);        /* connected, or refused */
}

int32_t demo_relay_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    demo_relay *r = e->as.relay;

    if (n == 0)
        return begin(e);
    if (done->outcome == AWSGI_TIMED_OUT)
        return r->phase == RELAYING ? AWSGI_E_OS
                                    : demo_sentence(e, 504, "The upstream did not answer in time.\n");
    switch (r->phase) {
    case CONNECTING:   return connected(e, r);
    case SENDING:      return send_request(e, r);
    case READING_HEAD: return read_head(e, r);
    case RELAYING:     return relay_body(e, r);
    }
    return AWSGI_E_STATE;
}

void demo_relay_end(demo_exchange *e)
{
    free(e->as.relay);
}
