/* A host on libuv whose streams are the waitables: there is no uv_fileno and no uv_poll_t, which do not
 * go together with uv_read_start, nor with a stream that is TLS or a Windows pipe. The host reads into
 * its own buffer when it is asked to watch for READABLE, and only then, and reports: ONCE. A prepare
 * handle turns, since it runs right before libuv sleeps; a timer ends the sleep at the deadline; the
 * wake hook, which any thread may call, is a uv_async_t. Another one is itself a waitable. */
#define _POSIX_C_SOURCE 200809L
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

enum { ROOM = 16384, MARK = 65536, LINGER = 3000 };     /* bytes read, bytes unsent, milliseconds for the latter */

struct connection {
    struct stream stream;                           /* first: it is what the program knows */
    uint32_t interest;                              /* what one report is asked for; 0: none is */
    uv_tcp_t tcp;
    uv_timer_t linger;
    uv_shutdown_t shutdown;
    unsigned handles;                               /* of the two, those that libuv still has */
    bool closed;                                    /* by the program */
    bool ended;                                     /* the peer sends no more */
    int error;                                      /* errno, once the stream has failed */
    size_t first, last;                             /* what lies in `bytes` */
    char bytes[ROOM];
};

struct write {
    uv_write_t request;
    char bytes[];
};

static awsgi_status signal_waitable(awsgi_waitable *waitable);
static void signal_raise(void);

static const struct signal raised_by_any_thread = { signal_waitable, signal_raise };
const struct host host = { .name = "libuv streams", .mode = "delegated", .accepts = true, .kind = AWSGI_ONCE,
                           .signal = &raised_by_any_thread };

enum { SIGNAL };                                    /* the handle of the signal; a stream's is its address */

static awsgi_reactor *reactor;
static uv_loop_t loop;
static uv_prepare_t before_sleep;
static uv_timer_t deadline;
static uv_async_t wake, raised;
static uv_tcp_t listener;
static awsgi_turn turn = AWSGI_TURN_INIT;

static struct {
    awsgi_waitable waitable;
    uint32_t interest;
    bool raised;
} the_signal;

static void must(int status, const char *what)
{
    if (status == 0)
        return;
    (void)fprintf(stderr, "%s: %s: %s\n", host.name, what, uv_strerror(status));
    exit(1);
}

/* Stale is one that the program has closed: its stop comes with the next turn. */
static void notify(awsgi_waitable waitable, uint32_t ready)
{
    awsgi_status status = awsgi_notify(waitable, ready);

    if (status != AWSGI_E_STALE)
        check(status, "awsgi_notify");
}

/* ---- Streams: what libuv tells ---- */

static void update(struct connection *c);

/* It is freed when libuv is done with it and the reactor does not watch it any more. */
static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;

    c->handles--;
    update(c);
}

static void end(struct connection *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    uv_close((uv_handle_t *)&c->tcp, on_closed);    /* unsent bytes are dropped */
    uv_close((uv_handle_t *)&c->linger, on_closed);
}

static void on_lingered(uv_timer_t *timer)
{
    end(timer->data);
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)status;
    end(request->handle->data);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *c = handle->data;

    (void)suggested;
    if (c->first == c->last)
        c->first = c->last = 0;
    *buffer = uv_buf_init(c->bytes + c->last, (unsigned)(ROOM - c->last));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;

    (void)buffer;
    if (count > 0)
        c->last += (size_t)count;
    else if (count == UV_EOF)
        c->ended = true;
    else if (count < 0)
        c->error = (int)-count;                     /* those of libuv are errno, on Unix */
    update(c);                                      /* 0 is EAGAIN */
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *c = request->handle->data;

    free(request);                                  /* it is the first member */
    if (status < 0)
        c->error = -status;
    else if (c->closed)
        (void)uv_timer_again(&c->linger);           /* it does take something */
    update(c);
}

/* Reports, if what is asked for is so; the report ends the watch. Else reads, if that may show it: no
 * more than there is room for, so that a peer is held back whom nobody reads. */
static void update(struct connection *c)
{
    uint32_t asked = c->interest | (c->interest & AWSGI_READABLE ? AWSGI_READ_CLOSED : 0u) | AWSGI_HANGUP | AWSGI_ERROR;
    uint32_t ready = (c->first < c->last || c->ended ? AWSGI_READABLE : 0u) | (c->ended ? AWSGI_READ_CLOSED : 0u)
                     | (uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) < MARK ? AWSGI_WRITABLE : 0u)
                     | (c->error != 0 ? AWSGI_HANGUP | AWSGI_ERROR : 0u);
    bool report = c->interest != 0 && !c->closed && (asked & ready) != 0;
    bool read = c->interest != 0 && !c->closed && !report && !c->ended && c->interest != AWSGI_WRITABLE
                && (c->first == c->last || c->last < ROOM);

    if (c->handles == 0 && c->interest == 0) {
        free(c);
        return;
    }
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    if (!read)
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
    else
        (void)uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read);      /* again: nothing is changed */
    if (report) {
        c->interest = 0;
        notify(c->stream.waitable, asked & ready);
    }
}

/* ---- Streams: what the program does ---- */

static ssize_t fail(int error)
{
    errno = error;
    return -1;
}

static ssize_t read_stream(struct stream *stream, void *bytes, size_t room)
{
    struct connection *c = (struct connection *)stream;
    size_t count = c->last - c->first < room ? c->last - c->first : room;

    if (count == 0)
        return c->error != 0 ? fail(c->error) : c->ended ? 0 : fail(EAGAIN);
    memcpy(bytes, c->bytes + c->first, count);
    c->first += count;
    return (ssize_t)count;
}

static ssize_t write_stream(struct stream *stream, const void *bytes, size_t count)
{
    struct connection *c = (struct connection *)stream;
    uv_stream_t *uv = (uv_stream_t *)&c->tcp;
    size_t queued = uv_stream_get_write_queue_size(uv);
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)(count < MARK ? count : MARK));
    int sent = c->error != 0 ? -c->error : queued >= MARK ? UV_EAGAIN : uv_try_write(uv, &buffer, 1);
    struct write *write;

    if (sent >= 0)
        return sent;
    if (sent != UV_EAGAIN || queued >= MARK)
        return fail(-sent);
    /* The kernel takes none: libuv gets a copy, since the program's bytes do not stay. */
    count = count < MARK - queued ? count : MARK - queued;
    if ((write = malloc(sizeof *write + count)) == NULL)
        return fail(ENOMEM);
    memcpy(write->bytes, bytes, count);
    buffer = uv_buf_init(write->bytes, (unsigned)count);
    if ((sent = uv_write(&write->request, uv, &buffer, 1, on_written)) != 0) {
        free(write);
        return fail(-sent);
    }
    return (ssize_t)count;
}

/* What is queued is sent before the end, as close(2) does; uv_close would drop it. But a peer that
 * takes nothing does not keep the connection for ever. */
static void close_stream(struct stream *stream)
{
    struct connection *c = (struct connection *)stream;

    check(awsgi_waitable_close(stream->waitable), "awsgi_waitable_close");
    c->closed = true;
    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut_down) != 0
        || uv_timer_start(&c->linger, on_lingered, LINGER, LINGER) != 0)
        end(c);
}

static void on_connection(uv_stream_t *server, int status)
{
    static const struct stream_calls calls = { read_stream, write_stream, close_stream };
    struct connection *c = calloc(1, sizeof *c);

    must(c == NULL ? UV_ENOMEM : 0, "calloc");
    if (status != 0) {                              /* libuv tries again by itself */
        free(c);
        return;
    }
    must(uv_tcp_init(&loop, &c->tcp), "uv_tcp_init");
    must(uv_timer_init(&loop, &c->linger), "uv_timer_init");
    c->tcp.data = c->linger.data = c;
    c->handles = 2;
    c->stream.calls = &calls;
    if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0
        || awsgi_waitable_foreign(reactor, (uintptr_t)c, host.kind, &c->stream.waitable) != AWSGI_OK)
        end(c);
    else
        program_accepted(&c->stream);
}

/* ---- The signal ---- */

/* Made when it is first asked for. */
static awsgi_status signal_waitable(awsgi_waitable *waitable)
{
    awsgi_status status = AWSGI_OK;

    if (the_signal.waitable == 0)
        status = awsgi_waitable_foreign(reactor, SIGNAL, AWSGI_ONCE, &the_signal.waitable);
    *waitable = the_signal.waitable;
    return status;
}

/* Any thread. */
static void signal_raise(void)
{
    (void)uv_async_send(&raised);
}

static void update_signal(void)
{
    if (!the_signal.raised || the_signal.interest == 0)
        return;
    the_signal.raised = false;
    the_signal.interest = 0;
    notify(the_signal.waitable, AWSGI_READABLE);
}

static void on_raised(uv_async_t *async)
{
    (void)async;
    the_signal.raised = true;
    update_signal();
}

/* ---- The loop ---- */

/* The wake hook: any thread. It does no more than end libuv's sleep. */
static void wake_up(void *data)
{
    (void)data;
    (void)uv_async_send(&wake);
}

static void on_wake(uv_async_t *async)
{
    (void)async;
}

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
}

/* Turns once, watches what is asked for, and goes on with the program. */
static bool turn_once(void)
{
    check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");            /* never blocks */
    for (size_t i = 0; i < turn.changes_n; i++) {
        struct connection *c = (struct connection *)(uintptr_t)turn.changes[i].handle;
        if (turn.changes[i].handle == SIGNAL) {
            the_signal.interest = turn.changes[i].interest;
            update_signal();
        } else {
            c->interest = turn.changes[i].interest;
            update(c);                              /* a stop may free it */
        }
    }
    return program_turned(&turn);
}

/* Has libuv sleep until the next deadline, or not at all. Its timers count from uv_now, which is the
 * time of the last sleep, and in milliseconds. One that rings early is set again. */
static void set_timer(bool again)
{
    uint64_t now, left = 0;

    if (!again && turn.next_deadline == AWSGI_FOREVER) {
        (void)uv_timer_stop(&deadline);
        return;
    }
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    if (!again && turn.next_deadline > now)
        left = (turn.next_deadline - now - 1) / 1000000 + 1;
    uv_update_time(&loop);
    (void)uv_timer_start(&deadline, on_deadline, left, 0);
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    if (turn_once()) {
        /* With what the turn returned the program went on, and that may call for another. */
        set_timer(turn.done_n != 0 || turn.changes_n != 0 || (turn.flags & AWSGI_TURN_MORE) != 0);
        return;
    }
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        (void)turn_once();
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");      /* the hook is not called after this */
    uv_close((uv_handle_t *)prepare, NULL);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_close((uv_handle_t *)&wake, NULL);
    uv_close((uv_handle_t *)&raised, NULL);
    uv_close((uv_handle_t *)&listener, NULL);
}

static void listen_on_any_port(void)
{
    struct sockaddr_in at;
    int size = sizeof at;

    must(uv_ip4_addr("127.0.0.1", 0, &at), "uv_ip4_addr");
    must(uv_tcp_init(&loop, &listener), "uv_tcp_init");
    must(uv_tcp_bind(&listener, (struct sockaddr *)&at, 0), "uv_tcp_bind");
    must(uv_listen((uv_stream_t *)&listener, 128, on_connection), "uv_listen");
    must(uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &size), "uv_tcp_getsockname");
    program_listening(ntohs(at.sin_port));
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_completion done[64];
    awsgi_watch_change changes[64];

    (void)signal(SIGPIPE, SIG_IGN);                 /* libuv does not: a peer that is gone would end us */
    must(uv_loop_init(&loop), "uv_loop_init");
    must(uv_async_init(&loop, &wake, on_wake), "uv_async_init");
    must(uv_async_init(&loop, &raised, on_raised), "uv_async_init");
    must(uv_timer_init(&loop, &deadline), "uv_timer_init");
    must(uv_prepare_init(&loop, &before_sleep), "uv_prepare_init");
    must(uv_prepare_start(&before_sleep, on_before_sleep), "uv_prepare_start");
    options.mode = AWSGI_DELEGATED;
    options.flags = AWSGI_HOST_TURNS_BEFORE_SLEEP;
    options.wake = wake_up;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    turn.changes = changes;
    turn.changes_cap = sizeof changes / sizeof changes[0];
    (void)program_start(reactor, argc, argv);
    listen_on_any_port();

    must(uv_run(&loop, UV_RUN_DEFAULT), "uv_run");  /* until every handle is closed */
    must(uv_loop_close(&loop), "uv_loop_close");
    return program_ended();
}
