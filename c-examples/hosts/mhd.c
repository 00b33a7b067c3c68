/* A server that hosts applications: libmicrohttpd speaks HTTP, libawsgi runs the application, and one thread
 * does both: the reactor waits for libmicrohttpd's descriptor, too. Its command line is in server.h. A
 * connection is suspended while its application has nothing to take or to give; then libmicrohttpd does not
 * notice that its client leaves, and the reactor does. It answers before it has read a body, or after that. */
#include "server.h"

#include <microhttpd.h>

enum { FIELDS = 100, CONNECTIONS = 16384, BLOCK = 32768, IDLE_SECONDS = 60 };
enum { SERVE = 1, DRAIN = 2 };                      /* what the host's own waits are for */

/* One request, from its first line until libmicrohttpd says that it is completed. */
typedef struct {
    char *target;
    struct MHD_Connection *connection;              /* NULL: libmicrohttpd has no more to do with it */
    int64_t length;                                 /* of its body; -1: in chunks */
    awsgi_exchange x;                               /* 0: none yet */
    awsgi_waitable socket;                          /* 0: nobody looks whether the client leaves */
    awsgi_slice rest;                               /* what was taken and is not with libmicrohttpd */
    bool called, reading, fed, suspended;           /* ...; its body comes; all of that was fed; ... */
    bool headed, wanted, complete, broken, framed;  /* HEAD; ROOM; END; ABORT; the end of the response shows */
} request;

static struct server server;
static struct MHD_Daemon *http;
static awsgi_waitable readable;                     /* libmicrohttpd's descriptor */
static bool waiting, draining;                      /* for it; ... */

static int descriptor(const request *r)
{
    return MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Until the exchange can go on. Answers 0: no bytes of the response now. */
static ssize_t suspend(request *r)
{
    if (r->socket == 0)
        r->socket = server_watch(&server, descriptor(r), r->x);
    MHD_suspend_connection(r->connection);
    r->suspended = true;
    return 0;
}

static void end_request(request *r)
{
    if (r->x != 0)
        CHECK(awsgi_exchange_end(r->x));
    free(r->target);
    free(r);
}

static void happened(request *r, uint32_t what)
{
    r->complete = (what & AWSGI_END) != 0;
    r->broken = (what & AWSGI_ABORT) != 0;
    r->headed |= (what & AWSGI_HEAD) != 0;
    r->wanted |= (what & AWSGI_ROOM) != 0;
    if (r->suspended)
        MHD_resume_connection(r->connection);       /* the next MHD_run calls on_request, or on_more */
    r->suspended = false;
    if (r->connection == NULL && (r->complete || r->broken))
        end_request(r);
}

/* A second signal ends the process. */
static void drain(void)
{
    draining = server_second_signal(&server);
    (void)close(MHD_quiesce_daemon(http));
    CHECK(awsgi_gateway_close(server.gateway, server.drain));
}

/* Blocks until the deadline at most. */
static void turn(uint64_t deadline)
{
    server.turn.deadline = deadline;
    CHECK(awsgi_reactor_turn(server.reactor, &server.turn));
    for (const awsgi_completion *done = server.done; done < server.done + server.turn.done_n; done++) {
        if (done->ready >= AWSGI_HEAD)
            happened((request *)(uintptr_t)done->user_data, done->ready);
        else if (done->user_data == SERVE)
            waiting = false;
        else if (done->user_data == DRAIN)
            drain();
        else
            (void)awsgi_exchange_gone(done->user_data);     /* its client left; stale if it has ended */
    }
}

static enum MHD_Result add_field(void *data, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                 const char *value, size_t value_len)
{
    awsgi_request *head = data;

    (void)kind;
    if (head->header_count == FIELDS)
        return MHD_NO;
    ((awsgi_header *)(uintptr_t)head->headers)[head->header_count++] =
        (awsgi_header){ awsgi_bytes(name, name_len), awsgi_bytes(value, value_len) };
    return MHD_YES;
}

static awsgi_status open_exchange(request *r, const char *method, const char *version)
{
    const struct sockaddr *client =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    char address[INET6_ADDRSTRLEN];
    awsgi_header fields[FIELDS];
    awsgi_request head = AWSGI_REQUEST_INIT;

    head.headers = fields;
    if (MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, add_field, &head) > FIELDS)
        return AWSGI_E_INVALID;
    head.method = awsgi_string(method);
    head.target = awsgi_string(r->target);
    head.protocol = awsgi_string(version);
    head.remote_addr = awsgi_string(server_address(client, address, &head.remote_port));
    head.server_name = awsgi_string(server.name);
    head.server_port = server.port;
    head.content_length = r->length;
    head.body = !r->fed;
    head.user_data = (uint64_t)(uintptr_t)r;
    return awsgi_gateway_open(server.gateway, &head, &r->x);
}

/* The next bytes of the response, for libmicrohttpd's block. They count as sent: it asks again only when it
 * has sent them. So a client that is slow stops the application. */
static ssize_t on_more(void *data, uint64_t at, char *block, size_t size)
{
    request *r = data;
    size_t count = 1, given = 0;
    int end = 0;

    (void)at;
    while (given < size && !end && count > 0) {
        if (r->rest.len == 0)
            CHECK(awsgi_exchange_take(r->x, &r->rest, 1, &count, &end));
        size_t piece = r->rest.len < size - given ? r->rest.len : size - given;
        if (piece == 0)
            continue;
        memcpy(block + given, r->rest.data, piece);
        r->rest = awsgi_bytes(r->rest.data + piece, r->rest.len - piece);
        CHECK(awsgi_exchange_sent(r->x, piece));
        given += piece;
    }
    if (given > 0)
        return (ssize_t)given;
    if (end)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!r->broken)
        return suspend(r);
    if (!r->framed)                                 /* only a reset tells the client */
        server_reset(descriptor(r));
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static enum MHD_Result queue(request *r, unsigned status, struct MHD_Response *response)
{
    enum MHD_Result queued = MHD_queue_response(r->connection, status, response);

    MHD_destroy_response(response);                 /* the connection holds it */
    return queued;
}

/* libmicrohttpd frames the body: by its length, in chunks, or for HTTP/1.0 by the end of the connection. */
static enum MHD_Result answer(request *r, const char *version)
{
    awsgi_head head = AWSGI_HEAD_INIT;
    struct MHD_Response *response;
    size_t count;
    int end;

    CHECK(awsgi_exchange_head(r->x, &head));
    r->framed = head.bodiless || head.length >= 0 || strcmp(version, "HTTP/1.0") != 0;
    if (!head.bodiless && r->complete)
        CHECK(awsgi_exchange_take(r->x, &r->rest, 1, &count, &end));
    if (head.length == (int64_t)r->rest.len)        /* all of it: one packet; it is the exchange's until its end */
        response = MHD_create_response_from_buffer(r->rest.len, (void *)(uintptr_t)r->rest.data,
                                                   MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_callback(head.length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)head.length,
                                                     BLOCK, on_more, r, NULL);
    check(response != NULL, "MHD_create_response");
    if (head.bodiless && head.length < 0 && head.status != 204)     /* or 0.9.75 would send a last chunk */
        (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    for (const awsgi_header *h = head.headers; h < head.headers + head.header_count; h++) {
        char *name = server_text(h->name), *value = server_text(h->value);
        (void)MHD_add_response_header(response, name, value);
        free(name), free(value);
    }
    if (draining)
        (void)MHD_add_response_header(response, "Connection", "close");
    return queue(r, (unsigned)head.status, response);
}

/* Called when the head has come, for each piece of the body, when all has come, and when the connection was
 * resumed. An answer to the first call closes the connection: so only a body is answered there. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *body, size_t *size,
                                  void **state)
{
    request *r = *state;
    awsgi_status status;

    (void)data, (void)url;
    if (!r->called) {
        const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
        bool chunked = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding") != NULL;
        r->length = chunked ? -1 : length == NULL ? 0 : strtoll(length, NULL, 10);
        r->called = true;
        if ((r->fed = r->length == 0))
            return MHD_YES;
    }
    if (r->x == 0) {
        if ((status = open_exchange(r, method, version)) != AWSGI_OK)
            return queue(r, status == AWSGI_E_INVALID ? 400 : 503,
                         MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
        if (!r->fed)                                /* ROOM tells that it wants the body */
            (void)server_feed(r->x, NULL, 0, false);
        turn(AWSGI_NOW);                            /* most have answered then */
    } else if (*size > 0) {
        *size -= server_feed(r->x, body, *size, false);
        if (*size > 0)
            (void)suspend(r);                       /* until there is room */
        return MHD_YES;
    } else if (r->reading && !r->fed) {             /* the end of the body */
        (void)server_feed(r->x, NULL, 0, true);
        r->fed = true;
        turn(AWSGI_NOW);
    }
    if (r->broken)
        return MHD_NO;                              /* closes the connection */
    if (r->headed)
        return answer(r, version);
    r->reading = r->wanted;
    if (r->fed || !r->reading)
        (void)suspend(r);
    return MHD_YES;                                 /* the body comes; before it 100, if it is expected */
}

static void *on_target(void *data, const char *target, struct MHD_Connection *connection)
{
    request *r = calloc(1, sizeof *r);

    (void)data;
    check(r != NULL && (r->target = strdup(target)) != NULL, "malloc");
    r->connection = connection;
    return r;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    request *r = *state;

    (void)data, (void)connection;
    server_unwatch(&r->socket);
    r->connection = NULL;
    if (r->x == 0 || r->complete || r->broken)
        end_request(r);
    else if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        CHECK(awsgi_exchange_gone(r->x));           /* END or ABORT still comes */
}

/* When libmicrohttpd has something to do without being told. */
static uint64_t deadline(void)
{
    MHD_UNSIGNED_LONG_LONG milliseconds;
    uint64_t now;

    if (MHD_get_timeout(http, &milliseconds) == MHD_NO)
        return AWSGI_FOREVER;
    CHECK(awsgi_reactor_now(server.reactor, &now));
    return milliseconds == 0 ? AWSGI_NOW : now + milliseconds * 1000000;
}

int main(int argc, char **argv)
{
    server_start(&server, argc, argv, AWSGI_OWNED, 0);
    server_first_signal(&server, DRAIN);
    http = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL,
                            MHD_OPTION_LISTEN_SOCKET, server.socket, MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    check(http != NULL, "MHD_start_daemon");
    int fd = MHD_get_daemon_info(http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    CHECK(awsgi_waitable_descriptor(server.reactor, fd, 0, &readable));
    while ((void)MHD_run(http), !draining || awsgi_gateway_free(server.gateway) == AWSGI_E_BUSY) {
        if (!waiting)
            server_wait(&server, readable, AWSGI_READABLE, SERVE);
        waiting = true;
        turn(deadline());
    }
    CHECK(awsgi_waitable_close(readable));          /* before its descriptor */
    MHD_stop_daemon(http);
    server_end(&server);
    return 0;
}
