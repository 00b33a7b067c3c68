/* A program for the hosts of this folder: a TCP server that sends back what it receives. It says
 * "listening on PORT", a port of 127.0.0.1 that the kernel has chosen. A connection that sends nothing
 * for a while is told so and closed; one that does not take what is sent to it is closed.
 *
 * Each connection is a state machine that waits for one thing at a time: a wait is started, and the
 * connection goes on when it completes. Nothing here knows which loop that happens in.
 *
 *     echo [CONNECTIONS [IDLE_MS]]      ends after so many connections; 0, the default: never */
#define _GNU_SOURCE
#include "program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The user_data of the wait for the listening socket; that of the others is their connection. */
enum { LISTENER = 0 };

struct connection {
    struct stream *stream;
    char bytes[16384];
    size_t begin, end;                              /* what is still to be sent */
};

/* A stream of a host that does not accept by itself: a socket. */
struct socket_stream {
    struct stream stream;
    int fd;
};

static awsgi_reactor *reactor;
static uint64_t idle = 60000000000;
static unsigned long limit, accepted, served;       /* connections */
static int listener = -1;
static int spare = -1;                              /* a descriptor to give up when there are no more */
static awsgi_waitable listening;                    /* if the host does not watch the listener */

/* ---- Connections ---- */

static void finish(struct connection *connection)
{
    connection->stream->calls->close(connection->stream);
    free(connection);
    served++;
}

/* Goes on in `completed`, with the connection as user_data. */
static void wait_for(struct connection *connection, uint32_t interest)
{
    awsgi_watch set[] = { { .waitable = connection->stream->waitable, .interest = interest } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    check(awsgi_reactor_now(reactor, &spec.deadline), "awsgi_reactor_now");
    spec.deadline = idle < AWSGI_FOREVER - spec.deadline ? spec.deadline + idle : AWSGI_FOREVER;
    spec.set = set;
    spec.count = 1;
    spec.user_data = (uintptr_t)connection;
    if (awsgi_wait_start(reactor, &spec, NULL) != AWSGI_OK)
        finish(connection);                         /* the kernel has no memory for it: not our end */
}

static bool again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void send_rest(struct connection *connection)
{
    struct stream *stream = connection->stream;
    ssize_t count = stream->calls->write(stream, connection->bytes + connection->begin,
                                         connection->end - connection->begin);

    if (count < 0 && !again()) {
        finish(connection);
        return;
    }
    connection->begin += count > 0 ? (size_t)count : 0;
    /* One read and one write at a time, so that the others have their turn. */
    wait_for(connection, connection->begin < connection->end ? AWSGI_WRITABLE : AWSGI_READABLE);
}

static void receive(struct connection *connection)
{
    struct stream *stream = connection->stream;
    ssize_t count = stream->calls->read(stream, connection->bytes, sizeof connection->bytes);

    if (count > 0) {
        connection->begin = 0;
        connection->end = (size_t)count;
        send_rest(connection);
    } else if (count < 0 && again()) {
        wait_for(connection, AWSGI_READABLE);       /* ready once does not mean ready now */
    } else {
        finish(connection);                         /* the end, or a peer that vanished */
    }
}

static void completed(struct connection *connection, const awsgi_completion *completion)
{
    static const char farewell[] = "idle, closing\n";
    bool sending = connection->begin < connection->end;

    if (completion->outcome == AWSGI_READY) {
        if (sending)
            send_rest(connection);
        else
            receive(connection);
        return;
    }
    if (completion->outcome == AWSGI_TIMED_OUT && !sending)
        (void)connection->stream->calls->write(connection->stream, farewell, sizeof farewell - 1);
    finish(connection);
}

void program_accepted(struct stream *stream)
{
    struct connection *connection = malloc(sizeof *connection);

    if (connection == NULL || (limit != 0 && accepted == limit)) {
        free(connection);
        stream->calls->close(stream);
        return;
    }
    accepted++;
    connection->stream = stream;
    connection->begin = connection->end = 0;
    wait_for(connection, AWSGI_READABLE);
}

/* ---- Sockets, where the host does not accept by itself ---- */

static ssize_t socket_read(struct stream *stream, void *bytes, size_t room)
{
    return read(((struct socket_stream *)stream)->fd, bytes, room);
}

/* A peer that vanished is an answer here, and no signal. */
static ssize_t socket_write(struct stream *stream, const void *bytes, size_t count)
{
    return send(((struct socket_stream *)stream)->fd, bytes, count, MSG_NOSIGNAL);
}

static void socket_close(struct stream *stream)
{
    (void)awsgi_waitable_close(stream->waitable);   /* first, then the descriptor */
    (void)close(((struct socket_stream *)stream)->fd);
    free(stream);
}

static const struct stream_calls socket_calls = { socket_read, socket_write, socket_close };

static void serve(int fd)
{
    struct socket_stream *socket = malloc(sizeof *socket);

    if (socket == NULL || awsgi_waitable_descriptor(reactor, fd, 0, &socket->stream.waitable) != AWSGI_OK) {
        free(socket);
        (void)close(fd);
        return;
    }
    socket->stream.calls = &socket_calls;
    socket->fd = fd;
    program_accepted(&socket->stream);
}

/* accept tells what was wrong with a connection before it was accepted; the next one may be fine. */
static bool of_that_connection(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPERM || error == EPROTO || error == ENETDOWN
           || error == ENETUNREACH || error == EHOSTDOWN || error == EHOSTUNREACH || error == ENONET
           || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

/* Accepts all that there are: who watches for edges is not told of them again. */
static void accept_all(void)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            serve(fd);
        } else if ((errno == EMFILE || errno == ENFILE) && spare >= 0) {
            /* What is not accepted stays readable, and we would run in circles. Refuse it: one
             * descriptor was kept for this. */
            (void)close(spare);
            fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0)
                (void)close(fd);
            spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
            if (fd < 0)
                return;
        } else if (!of_that_connection(errno)) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                perror("accept");
            return;
        }
    }
}

static void wait_for_connections(void)
{
    awsgi_watch set[] = { { .waitable = listening, .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.set = set;
    spec.count = 1;
    spec.user_data = LISTENER;
    check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
}

/* ---- The program ---- */

static bool goes_on(void)
{
    return limit == 0 || served < limit;
}

void program_listening(uint16_t port)
{
    printf("listening on %u\n", (unsigned)port);
    (void)fflush(stdout);
}

int program_start(awsgi_reactor *made, int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;

    reactor = made;
    if (argc > 1)
        limit = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        idle = strtoull(argv[2], NULL, 10) * 1000000;
    if (host.accepts)
        return -1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0
        || listen(listener, SOMAXCONN) != 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        perror("listen");
        exit(1);
    }
    program_listening(ntohs(address.sin_port));
    if (host.watches)
        return listener;
    check(awsgi_waitable_descriptor(reactor, listener, 0, &listening), "awsgi_waitable_descriptor");
    wait_for_connections();
    return -1;
}

bool program_readable(void)
{
    accept_all();
    return goes_on();
}

bool program_turned(awsgi_turn *turn)
{
    for (size_t i = 0; i < turn->done_n; i++) {
        const awsgi_completion *done = &turn->done[i];

        if (done->user_data != LISTENER) {
            completed((struct connection *)(uintptr_t)done->user_data, done);
        } else if (done->outcome == AWSGI_READY) {
            accept_all();
            wait_for_connections();
        }
    }
    return goes_on();
}

int program_ended(void)
{
    if (listener >= 0)
        (void)close(listener);
    if (spare >= 0)
        (void)close(spare);
    return 0;
}
