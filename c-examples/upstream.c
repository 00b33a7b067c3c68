/* The server that /relay asks, and an example of a program whose loop is the reactor itself (owned
 * mode): HTTP/1.0, one thread, any number of connections. By path it behaves well or badly;
 * upstream_answer.h says which.
 *
 *   upstream [--until-eof] [HOST:PORT]     default 127.0.0.1:0, which takes a free port
 *
 * Each connection has one wait outstanding, whose user_data is the connection: so exactly one
 * completion comes for it, also when the reactor closes, and with it the connection may be freed. */
#define _GNU_SOURCE
#include "awsgi.h"
#include "upstream_answer.h"

#include <errno.h>
#include <unistd.h>

enum {
    REQUEST_MAX = 8 * 1024,
    PIECES_A_TURN = 8,              /* so that one fast reader does not keep the others waiting */
};
#define MS UINT64_C(1000000)
#define REQUEST_WITHIN (30000 * MS)

enum { LISTENER = 0, STDIN = 1 };   /* user_data that is not a connection */

typedef struct connection {
    awsgi_waitable waitable;        /* owns fd */
    int fd;
    enum { READING, DELAYING, WRITING, STALLING } phase;
    answer answer;
    uint64_t sent;                  /* bytes of its head and body */
    size_t request_len;
    char request[REQUEST_MAX + 1];
} connection;

static awsgi_reactor *reactor;
static awsgi_waitable listener;
static int listen_fd;

static void check(awsgi_status status, const char *what)
{
    if (status == AWSGI_OK)
        return;
    (void)fprintf(stderr, "upstream: %s: %s\n", what, awsgi_status_name(status));
    exit(1);
}

/* ---- waits -------------------------------------------------------------------------------------- */

/* `waitable` 0 with a deadline is a sleep. `within` in nanoseconds, or AWSGI_FOREVER. */
static awsgi_status start_wait(awsgi_waitable waitable, uint32_t interest, uint64_t within,
                               uint64_t user_data)
{
    awsgi_watch set[] = { { .waitable = waitable, .interest = interest } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_status status = AWSGI_OK;

    if (waitable != 0) {
        spec.set = set;
        spec.count = 1;
    }
    if (within != AWSGI_FOREVER) {
        status = awsgi_reactor_now(reactor, &spec.deadline);
        spec.deadline += within;
    }
    spec.user_data = user_data;
    return status == AWSGI_OK ? awsgi_wait_start(reactor, &spec, NULL) : status;
}

/* Only when none of its waits is outstanding. */
static void connection_free(connection *c)
{
    (void)awsgi_waitable_close(c->waitable);        /* and its descriptor; stale if the reactor closed */
    free(c->answer.head);
    free(c);
}

static void connection_wait(connection *c, uint32_t interest, uint64_t within)
{
    if (start_wait(c->waitable, interest, within, (uint64_t)(uintptr_t)c) != AWSGI_OK)
        connection_free(c);
}

/* ---- one connection ----------------------------------------------------------------------------- */

static void finish(connection *c)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    if (c->answer.ending == STALL) {
        /* Nothing but the peer's leaving can end this. Data it sends does not complete such a wait;
         * a close of its side alone shows as READ_CLOSED, HANGUP would need ours to be closed too. */
        c->phase = STALLING;
        connection_wait(c, AWSGI_READ_CLOSED, AWSGI_FOREVER);
        return;
    }
    if (c->answer.ending == RESET)                  /* close() then sends RST, and drops the unsent */
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    connection_free(c);
}

static void continue_writing(connection *c)
{
    c->phase = WRITING;
    for (int pieces = 0; c->sent < c->answer.stop && pieces < PIECES_A_TURN; pieces++) {
        size_t len = 0;
        const char *bytes = answer_bytes(&c->answer, c->sent, &len);
        ssize_t sent = send(c->fd, bytes, len, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            connection_free(c);                     /* the peer left */
            return;
        }
        if (sent < 0)
            break;
        c->sent += (uint64_t)sent;
    }
    if (c->sent < c->answer.stop)
        connection_wait(c, AWSGI_WRITABLE, AWSGI_FOREVER);
    else
        finish(c);
}

static void continue_reading(connection *c)
{
    ssize_t got = recv(c->fd, c->request + c->request_len, REQUEST_MAX - c->request_len, 0);

    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        connection_wait(c, AWSGI_READABLE, REQUEST_WITHIN);
        return;
    }
    if (got <= 0) {
        connection_free(c);
        return;
    }
    c->request_len += (size_t)got;
    c->request[c->request_len] = '\0';
    if (strstr(c->request, "\r\n\r\n") == NULL && strstr(c->request, "\n\n") == NULL) {
        if (c->request_len == REQUEST_MAX)
            connection_free(c);
        else
            connection_wait(c, AWSGI_READABLE, REQUEST_WITHIN);
    } else if (!answer_decide(&c->answer, c->request)) {
        connection_free(c);
    } else if (c->answer.delay > 0) {
        c->phase = DELAYING;                        /* until its time has come, or the peer leaves */
        connection_wait(c, AWSGI_READ_CLOSED, c->answer.delay * MS);
    } else {
        continue_writing(c);
    }
}

static void connection_completed(connection *c, const awsgi_completion *done)
{
    bool timed_out = done->outcome == AWSGI_TIMED_OUT;

    if (!timed_out && done->outcome != AWSGI_READY) {
        connection_free(c);                         /* the reactor closes */
        return;
    }
    switch (c->phase) {
    case READING:
        if (timed_out)
            connection_free(c);
        else
            continue_reading(c);
        break;
    case DELAYING:
        if (timed_out)
            continue_writing(c);
        else
            connection_free(c);
        break;
    case WRITING:
        continue_writing(c);
        break;
    case STALLING:
        connection_free(c);
        break;
    }
}

/* ---- new connections ---------------------------------------------------------------------------- */

static void accept_some(void)
{
    uint64_t rest = 0;

    for (int i = 0; i < 64; i++) {                  /* the others have their turn too */
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* Without a free descriptor the listener stays readable: waiting for it would spin. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                rest = 100 * MS;
            else if (errno != EAGAIN && errno != EWOULDBLOCK)
                continue;                           /* of one connection, which is gone already */
            break;
        }
        connection *c = calloc(1, sizeof *c);
        if (c == NULL || awsgi_waitable_descriptor(reactor, fd, AWSGI_OWN, &c->waitable) != AWSGI_OK) {
            free(c);
            (void)close(fd);
            continue;
        }
        c->fd = fd;
        continue_reading(c);                        /* the request is here already, as a rule */
    }
    if (rest > 0)
        check(start_wait(0, 0, rest, LISTENER), "waiting before the next connection");
    else
        check(start_wait(listener, AWSGI_READABLE, AWSGI_FOREVER, LISTENER), "waiting to accept");
}

static void open_listener(const char *at)
{
    address bound;
    socklen_t len = sizeof bound.as;
    char host[INET6_ADDRSTRLEN];
    int on = 1;

    if (!address_parse(at, strlen(at), &bound)) {
        (void)fprintf(stderr, "upstream: `%s` is not a numeric HOST:PORT\n", at);
        exit(1);
    }
    listen_fd = socket(bound.as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listen_fd < 0 || setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0
        || bind(listen_fd, &bound.as.any, bound.len) != 0 || listen(listen_fd, 1024) != 0
        || getsockname(listen_fd, &bound.as.any, &len) != 0) {
        (void)fprintf(stderr, "upstream: cannot listen on %s: %s\n", at, strerror(errno));
        exit(1);
    }
    bool v6 = bound.as.any.sa_family == AF_INET6;
    (void)inet_ntop(bound.as.any.sa_family,
                    v6 ? (void *)&bound.as.v6.sin6_addr : (void *)&bound.as.v4.sin_addr,
                    host, sizeof host);
    (void)printf(v6 ? "listening on [%s]:%u\n" : "listening on %s:%u\n", host,
                 (unsigned)ntohs(bound.as.v4.sin_port));
    (void)fflush(stdout);
}

/* True at the end of what can be read there. */
static bool stdin_ended(void)
{
    char ignored[4096];
    ssize_t got = read(STDIN_FILENO, ignored, sizeof ignored);

    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_completion done[256];
    awsgi_waitable input = 0;
    const char *at = "127.0.0.1:0";
    bool until_eof = false, running = true;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--until-eof") == 0)
            until_eof = true;
        else
            at = argv[i];
    }
    options.mode = AWSGI_OWNED;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    open_listener(at);
    check(awsgi_waitable_descriptor(reactor, listen_fd, AWSGI_OWN, &listener), "the listener");
    check(start_wait(listener, AWSGI_READABLE, AWSGI_FOREVER, LISTENER), "waiting to accept");
    if (until_eof) {
        check(awsgi_waitable_descriptor(reactor, STDIN_FILENO, 0, &input), "standard input");
        check(start_wait(input, AWSGI_READABLE, AWSGI_FOREVER, STDIN), "standard input");
    }

    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0) {
        turn.deadline = AWSGI_FOREVER;
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        for (size_t i = 0; i < turn.done_n; i++) {
            if (done[i].outcome == AWSGI_FAILED && done[i].user_data <= STDIN) {
                (void)fprintf(stderr, "upstream: cannot wait: %s\n", strerror(done[i].error));
                return 1;
            }
            if (done[i].user_data > STDIN) {
                connection_completed((connection *)(uintptr_t)done[i].user_data, &done[i]);
            } else if (running && done[i].user_data == LISTENER) {
                accept_some();
            } else if (running && stdin_ended()) {
                running = false;
                /* Every wait now completes as closed, and with it every connection is freed. */
                check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
            } else if (running) {
                check(start_wait(input, AWSGI_READABLE, AWSGI_FOREVER, STDIN), "standard input");
            }
        }
    }
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    return 0;
}
