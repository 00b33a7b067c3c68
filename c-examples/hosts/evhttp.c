/* A server that hosts applications: libevent's evhttp speaks HTTP, libawsgi runs the application, and one
 * thread does both. docs/hosting.md goes through it; its command line is in server.h. evhttp 2.1 has the
 * whole body of a request before it calls us: so a body is bounded, and a larger one gets 413. */
#include "server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

enum { FIELDS = 100, HEAD_BYTES = 32768, BODY_BYTES = 16 << 20, IDLE_SECONDS = 60 };
enum { DRAIN = 1 };                                 /* what the host's own wait is for; no exchange is 1 */

/* One request. It lives until evhttp has sent the response, or has lost the connection. */
typedef struct request {
    LIST_ENTRY(request) list;
    struct evhttp_request *http;
    struct evhttp_connection *connection;           /* NULL: evhttp has lost it */
    struct bufferevent *stream;                     /* its socket with its buffers */
    awsgi_exchange x;                               /* 0: it has ended */
    awsgi_waitable socket;                          /* 0: nobody looks whether the client leaves */
    size_t writing;                                 /* bytes that the kernel has not taken from evhttp */
    bool seen, begun, framed, complete, broken;     /* a turn has; its head is out; the end will show; END; ABORT */
} request;

static struct server server;
static struct event_base *loop;
static struct evhttp *http_server;
static struct evhttp_bound_socket *listening;       /* NULL once it drains */
static struct event *turn_event, *readable;
static struct evbuffer *piece;                      /* empty between two uses */
static LIST_HEAD(, request) requests;               /* the latest first */

/* A turn comes before the loop sleeps: after each call that may have made work. */
static void turn_soon(void)
{
    event_active(turn_event, EV_TIMEOUT, 0);
}

static awsgi_status open_exchange(request *r)
{
    static const char *const methods[] = { "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "", "PATCH" };
    awsgi_request head = AWSGI_REQUEST_INIT;
    awsgi_header fields[FIELDS];
    struct evkeyval *field;
    char *address;

    TAILQ_FOREACH(field, evhttp_request_get_input_headers(r->http), next) {
        if (head.header_count == FIELDS)
            return AWSGI_E_INVALID;
        fields[head.header_count++] = (awsgi_header){ awsgi_string(field->key), awsgi_string(field->value) };
    }
    evhttp_connection_get_peer(r->connection, &address, &head.remote_port);
    head.method = awsgi_string(methods[ffs((int)evhttp_request_get_command(r->http)) - 1]);
    head.target = awsgi_string(evhttp_request_get_uri(r->http));
    head.protocol = r->http->minor == 0 ? AWSGI_SLICE("HTTP/1.0") : AWSGI_SLICE("HTTP/1.1");
    head.remote_addr = awsgi_string(address);
    head.server_name = awsgi_string(server.name);
    head.server_port = server.port;
    head.headers = fields;
    head.body = evbuffer_get_length(evhttp_request_get_input_buffer(r->http)) > 0;
    head.content_length = r->http->chunked ? -1 : (int64_t)evbuffer_get_length(evhttp_request_get_input_buffer(r->http));
    head.user_data = (uint64_t)(uintptr_t)r;
    return awsgi_gateway_open(server.gateway, &head, &r->x);
}

/* Feeds what there is room for; AWSGI_ROOM says when to go on. */
static void feed(request *r)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(r->http);
    struct evbuffer_iovec first = { NULL, 0 };
    size_t taken = 0;

    while (taken == first.iov_len && evbuffer_peek(body, -1, NULL, &first, 1) > 0) {
        taken = server_feed(r->x, first.iov_base, first.iov_len, first.iov_len == evbuffer_get_length(body));
        (void)evbuffer_drain(body, taken);
    }
}

static void end_request(request *r)
{
    LIST_REMOVE(r, list);
    free(r);
    turn_soon();
}

static void end_exchange(request *r)
{
    server_unwatch(&r->socket);
    CHECK(awsgi_exchange_end(r->x));
    r->x = 0;
}

/* evhttp has sent everything. */
static void on_sent_all(struct evhttp_request *http, void *data)
{
    request *r = data;

    (void)http;
    bufferevent_setwatermark(r->stream, EV_READ, 0, 0);
    evhttp_connection_set_closecb(r->connection, NULL, NULL);
    end_request(r);
}

/* Closes the connection, so that the response cannot look complete. To a client that knows neither
 * length nor chunks only a reset says so. */
static void break_off(request *r)
{
    end_exchange(r);
    if (r->connection != NULL) {
        if (r->begun && !r->framed)
            server_reset(bufferevent_getfd(r->stream));
        evhttp_connection_set_closecb(r->connection, NULL, NULL);
        evhttp_connection_free(r->connection);      /* and the request */
    }
    end_request(r);
}

/* evhttp has lost the connection. If the response was not complete, it leaves the request to us. */
static void on_lost(struct evhttp_connection *connection, void *data)
{
    request *r = data;

    (void)connection;
    r->connection = NULL;
    server_unwatch(&r->socket);
    if (r->x == 0) {
        end_request(r);
        return;
    }
    evhttp_request_free(r->http);
    if (r->complete || r->broken)
        break_off(r);
    else
        CHECK(awsgi_exchange_gone(r->x));           /* END or ABORT still comes */
    turn_soon();
}

/* evhttp frames the body: by its length, in chunks, or for HTTP/1.0 by the end of the connection. */
static void begin(request *r)
{
    struct evkeyvalq *fields = evhttp_request_get_output_headers(r->http);
    awsgi_head head = AWSGI_HEAD_INIT;
    char length[24];

    CHECK(awsgi_exchange_head(r->x, &head));
    for (const awsgi_header *h = head.headers; h < head.headers + head.header_count; h++) {
        char *name = server_text(h->name), *value = server_text(h->value);
        CHECK(evhttp_add_header(fields, name, value));
        free(name), free(value);
    }
    (void)snprintf(length, sizeof length, "%lld", (long long)head.length);
    if (head.length >= 0)
        CHECK(evhttp_add_header(fields, "Content-Length", length));
    r->framed = head.bodiless || head.length >= 0 || r->http->minor > 0;
    if (!r->framed)                                 /* or evhttp would keep the connection */
        (void)evhttp_remove_header(evhttp_request_get_input_headers(r->http), "Connection");
    if (listening == NULL)
        CHECK(evhttp_add_header(fields, "Connection", "close"));
    evhttp_send_reply_start(r->http, head.status, NULL);
    r->begun = true;
}

/* Takes what there is, and gives it to evhttp, which calls again when the kernel has it. So a client that
 * is slow stops the application. */
static void pump(struct evhttp_connection *connection, void *data)
{
    request *r = data;
    awsgi_slice slices[8];
    size_t count;
    int end;

    (void)connection;
    CHECK(awsgi_exchange_sent(r->x, r->writing));
    r->writing = 0;
    turn_soon();
    if (r->broken) {
        break_off(r);
        return;
    }
    CHECK(awsgi_exchange_take(r->x, slices, 8, &count, &end));
    for (size_t i = 0; i < count; r->writing += slices[i++].len)
        CHECK(evbuffer_add(piece, slices[i].data, slices[i].len));
    evhttp_send_reply_chunk_with_cb(r->http, piece, pump, r);
    if (!end || !r->complete) {                     /* evhttp would give up a client that sends nothing */
        (void)bufferevent_disable(r->stream, EV_READ);
        return;
    }
    end_exchange(r);
    evhttp_send_reply_end(r->http);                 /* on_sent_all follows, or on_lost */
}

static void on_request(struct evhttp_request *http, void *data)
{
    request *r = calloc(1, sizeof *r);
    awsgi_status status;

    (void)data;
    check(r != NULL, "calloc");
    r->http = http;
    r->connection = evhttp_request_get_connection(http);
    r->stream = evhttp_connection_get_bufferevent(r->connection);
    if ((status = open_exchange(r)) != AWSGI_OK) {
        free(r);
        evhttp_send_error(http, status == AWSGI_E_INVALID ? 400 : 503, NULL);
        return;
    }
    LIST_INSERT_HEAD(&requests, r, list);
    evhttp_request_set_on_complete_cb(http, on_sent_all, r);
    evhttp_connection_set_closecb(r->connection, on_lost, r);
    bufferevent_setwatermark(r->stream, EV_READ, 0, HEAD_BYTES);    /* for what the client sends ahead */
    feed(r);
    turn_soon();
}

static void happened(request *r, uint32_t what)
{
    r->complete = (what & AWSGI_END) != 0;
    r->broken = (what & AWSGI_ABORT) != 0;
    if (r->connection == NULL) {
        if (r->complete || r->broken)
            break_off(r);
        return;
    }
    if (what & AWSGI_HEAD)
        begin(r);
    if (what & AWSGI_ROOM)
        feed(r);
    if ((r->begun || r->broken) && r->writing == 0)
        pump(r->connection, r);
}

/* A second signal ends the process. */
static void drain(void)
{
    (void)server_second_signal(&server);
    evhttp_del_accept_socket(http_server, listening);
    listening = NULL;
    CHECK(awsgi_gateway_close(server.gateway, server.drain));
    turn_soon();
}

static void on_turn(evutil_socket_t fd, short what, void *data)
{
    const awsgi_turn *turn = &server.turn;

    (void)fd, (void)what, (void)data;
    CHECK(awsgi_reactor_turn(server.reactor, &server.turn));
    for (const awsgi_completion *done = turn->done; done < turn->done + turn->done_n; done++) {
        if (done->ready >= AWSGI_HEAD)
            happened((request *)(uintptr_t)done->user_data, done->ready);
        else if (done->user_data == DRAIN)
            drain();
        else
            (void)awsgi_exchange_gone(done->user_data);     /* its client left; stale if it has ended */
    }
    /* Nobody reads the socket of one that goes on: so the reactor looks whether its client leaves. */
    for (request *r = LIST_FIRST(&requests); r != NULL && !r->seen; r->seen = true, r = LIST_NEXT(r, list))
        if (r->x != 0 && r->connection != NULL)
            r->socket = server_watch(&server, bufferevent_getfd(r->stream), r->x);
    /* After a look at the sockets, or a busy reactor would starve them. */
    if (turn->done_n != 0 || (turn->flags & AWSGI_TURN_MORE) != 0)
        CHECK(event_add(turn_event, &(struct timeval){ .tv_sec = 0 }));
    if (listening == NULL && LIST_EMPTY(&requests))
        (void)event_base_loopbreak(loop);
}

int main(int argc, char **argv)
{
    awsgi_os_handle fd;

    server_start(&server, argc, argv, AWSGI_NESTED, AWSGI_HOST_TURNS_BEFORE_SLEEP);
    CHECK(awsgi_reactor_fd(server.reactor, &fd));
    loop = event_base_new();
    turn_event = event_new(loop, -1, 0, on_turn, NULL);
    readable = event_new(loop, fd, EV_READ | EV_PERSIST, on_turn, NULL);
    CHECK(event_add(readable, NULL));
    server_first_signal(&server, DRAIN);
    piece = evbuffer_new();
    http_server = evhttp_new(loop);
    evhttp_set_gencb(http_server, on_request, NULL);
    evhttp_set_allowed_methods(http_server, 0xffff & ~EVHTTP_REQ_CONNECT);
    evhttp_set_default_content_type(http_server, NULL);
    evhttp_set_max_headers_size(http_server, HEAD_BYTES);
    evhttp_set_max_body_size(http_server, BODY_BYTES);
    evhttp_set_timeout(http_server, IDLE_SECONDS);
    check((listening = evhttp_accept_socket_with_handle(http_server, server.socket)) != NULL, "evhttp");
    (void)event_base_dispatch(loop);

    CHECK(awsgi_gateway_free(server.gateway));      /* its last exchange has ended */
    evhttp_free(http_server);
    event_free(readable);                           /* before the descriptor is closed */
    event_base_free(loop);
    server_end(&server);
    return 0;
}
