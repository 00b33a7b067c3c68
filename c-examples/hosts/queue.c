/* A host whose objects have no descriptor: queues of bytes between threads. Two threads of each
 * connection carry its bytes between the socket and two queues; the loop, which sleeps on a condition
 * variable, sees only the queues. The threads wake it; all that the library is told comes from the loop,
 * since it alone knows what is watched, and LEVEL is to be told again as long as it is so. */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const struct host host = { .name = "queue", .mode = "delegated", .accepts = true, .kind = AWSGI_LEVEL };

enum { ROOM = 16384, LINGER = 3 };                  /* bytes of a queue; seconds for a peer that takes nothing */

struct queue {
    unsigned char bytes[ROOM];
    size_t count;
    bool ended;                                     /* nothing follows */
};

struct connection {
    struct stream stream;                           /* first: it is what the program knows */
    uint32_t interest;                              /* what is watched */
    int fd;
    struct queue in, out;
    int error;                                      /* errno, once the socket has failed */
    bool closed;                                    /* by the program */
    pthread_cond_t changed;                         /* a queue, for the threads */
    pthread_t threads[2];
    int started, running;
    struct connection *next;
};

/* One lock for all of it, never held while the library is called: the hook takes it. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted;                       /* the loop is */
static bool woken;
static struct connection *connections;

static awsgi_reactor *reactor;
static int listener;

static void lock(void)
{
    (void)pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
    (void)pthread_mutex_unlock(&mutex);
}

/* Has the loop look around. Under the lock, as the two below. */
static void look(void)
{
    woken = true;
    (void)pthread_cond_signal(&wanted);
}

/* The wake hook: any thread, and our own inside of a call. */
static void wake(void *data)
{
    (void)data;
    lock();
    look();
    unlock();
}

static size_t put(struct connection *c, struct queue *to, const void *bytes, size_t count)
{
    size_t some = count < ROOM - to->count ? count : ROOM - to->count;

    memcpy(to->bytes + to->count, bytes, some);
    to->count += some;
    (void)pthread_cond_broadcast(&c->changed);
    return some;
}

static size_t take(struct connection *c, struct queue *from, void *bytes, size_t room)
{
    size_t some = from->count < room ? from->count : room;

    memcpy(bytes, from->bytes, some);
    memmove(from->bytes, from->bytes + some, from->count -= some);
    (void)pthread_cond_broadcast(&c->changed);
    return some;
}

/* ---- The threads of a connection ---- */

static void *carry_in(void *data)
{
    struct connection *c = data;
    unsigned char bytes[ROOM];

    lock();
    while (!c->in.ended && !c->closed) {
        size_t room = ROOM - c->in.count;           /* nobody else makes it less */
        if (room == 0) {
            (void)pthread_cond_wait(&c->changed, &mutex);
            continue;
        }
        unlock();
        ssize_t n = recv(c->fd, bytes, room, 0);
        int error = n < 0 ? errno : 0;
        lock();
        if (error == EINTR)
            continue;
        if (n > 0)
            (void)put(c, &c->in, bytes, (size_t)n);
        c->in.ended = n <= 0;
        c->error = error != 0 ? error : c->error;
        look();
    }
    c->running--;
    look();
    unlock();                                       /* from here on it may be gone */
    return NULL;
}

/* What was written is sent also after the close, as after close(2), but not to a peer that takes nothing. */
static void *carry_out(void *data)
{
    struct connection *c = data;
    unsigned char bytes[ROOM];

    lock();
    while (c->error == 0 && (c->out.count > 0 || !c->out.ended)) {
        size_t count = take(c, &c->out, bytes, sizeof bytes), sent = 0;
        if (count == 0) {
            (void)pthread_cond_wait(&c->changed, &mutex);
            continue;
        }
        look();
        while (sent < count && c->error == 0) {
            unlock();
            ssize_t n = send(c->fd, bytes + sent, count - sent, MSG_NOSIGNAL);
            int error = n < 0 ? errno : 0;
            lock();
            if (n > 0)
                sent += (size_t)n;
            else if (error != EINTR && (error != EAGAIN || c->closed))
                c->error = error;
        }
    }
    (void)shutdown(c->fd, c->error == 0 ? SHUT_WR : SHUT_RDWR);
    c->running--;
    look();
    unlock();
    return NULL;
}

/* ---- What the program does with a stream ---- */

static ssize_t answer(const struct connection *c, size_t some, bool ended)
{
    if (some > 0 || (ended && c->error == 0))
        return (ssize_t)some;
    errno = c->error != 0 ? c->error : EAGAIN;
    return -1;
}

static ssize_t read_stream(struct stream *stream, void *bytes, size_t room)
{
    struct connection *c = (struct connection *)stream;

    lock();
    ssize_t n = answer(c, take(c, &c->in, bytes, room), c->in.ended);
    unlock();
    return n;
}

static ssize_t write_stream(struct stream *stream, const void *bytes, size_t count)
{
    struct connection *c = (struct connection *)stream;

    lock();
    ssize_t n = answer(c, c->error == 0 ? put(c, &c->out, bytes, count) : 0, false);
    unlock();
    return n;
}

static void close_stream(struct stream *stream)
{
    struct connection *c = (struct connection *)stream;

    if (stream->waitable != 0)
        check(awsgi_waitable_close(stream->waitable), "awsgi_waitable_close");
    lock();
    c->closed = c->out.ended = true;
    (void)shutdown(c->fd, SHUT_RD);                 /* recv returns */
    (void)pthread_cond_broadcast(&c->changed);
    look();
    unlock();
}

/* ---- The loop ---- */

static void announce(struct connection *c)
{
    static const struct stream_calls calls = { read_stream, write_stream, close_stream };
    void *(*const bodies[])(void *) = { carry_in, carry_out };
    /* Refused when the reactor is full, or being closed. */
    bool fine = awsgi_waitable_foreign(reactor, (uintptr_t)c, host.kind, &c->stream.waitable) == AWSGI_OK;

    c->stream.calls = &calls;
    lock();
    for (int i = 0; i < 2 && fine; i++) {
        fine = pthread_create(&c->threads[i], NULL, bodies[i], c) == 0;
        c->running = c->started += fine;            /* none ends while we have the lock */
    }
    unlock();
    if (fine)
        program_accepted(&c->stream);
    else
        close_stream(&c->stream);
}

/* What of that which is watched is so. */
static uint32_t ready(const struct connection *c)
{
    uint32_t asked = c->interest | (c->interest & AWSGI_READABLE ? AWSGI_READ_CLOSED : 0u);

    if (asked == 0 || c->closed)
        return 0;
    return ((c->in.count > 0 || c->in.ended ? AWSGI_READABLE : 0u) & asked)
           | ((c->in.ended ? AWSGI_READ_CLOSED : 0u) & asked)
           | ((c->out.count < ROOM ? AWSGI_WRITABLE : 0u) & asked)
           | (c->error != 0 ? AWSGI_HANGUP | AWSGI_ERROR : 0u);
}

/* Its threads take the lock no more. */
static void end(struct connection *c)
{
    while (c->started > 0)
        (void)pthread_join(c->threads[--c->started], NULL);
    (void)pthread_cond_destroy(&c->changed);
    (void)close(c->fd);
    free(c);
}

/* As poll(2) does, at all connections. LEVEL: after a report it looks again, before it sleeps; where
 * nobody waits, the reactor takes the watch back. */
static void look_around(void)
{
    lock();
    woken = false;                                  /* before the turn: a wake from here on is not lost */
    for (struct connection *c, **at = &connections; (c = *at) != NULL;) {
        if (c->closed && c->running == 0 && c->interest == 0) {     /* and its stop has come */
            *at = c->next;
            end(c);
            continue;
        }
        uint32_t report = ready(c);
        woken = woken || report != 0;
        unlock();
        if (c->stream.calls == NULL)
            announce(c);
        else if (report != 0)
            check(awsgi_notify(c->stream.waitable, report), "awsgi_notify");
        lock();
        at = &c->next;                              /* others put new ones in front, and take none out */
    }
    unlock();
}

static void sleep_until(uint64_t deadline)
{
    struct timespec at = { .tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000) };
    int status = 0;

    lock();
    while (!woken && status == 0)
        status = deadline == AWSGI_FOREVER ? pthread_cond_wait(&wanted, &mutex)
                                           : pthread_cond_timedwait(&wanted, &mutex, &at);
    unlock();
}

static void *accept_all(void *data)
{
    const struct timespec breath = { .tv_nsec = 10000000 };
    const struct timeval linger = { .tv_sec = LINGER };

    (void)data;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno != EINVAL;) {
        struct connection *c = fd < 0 ? NULL : calloc(1, sizeof *c);
        if (c == NULL) {                            /* no descriptor or memory: nothing tells when there is */
            if (fd >= 0)
                (void)close(fd);
            (void)nanosleep(&breath, NULL);
            continue;
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &linger, sizeof linger);
        (void)pthread_cond_init(&c->changed, NULL);
        c->fd = fd;
        lock();
        c->next = connections;
        connections = c;
        look();
        unlock();
    }
    return NULL;
}

static void listen_on_any_port(pthread_t *acceptor)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, size) != 0 || listen(listener, 128) != 0
        || getsockname(listener, (struct sockaddr *)&at, &size) != 0
        || pthread_create(acceptor, NULL, accept_all, NULL) != 0) {
        perror(host.name);
        exit(1);
    }
    program_listening(ntohs(at.sin_port));
}

/* Turns once, applies what is asked to be watched, and goes on with the program. */
static bool turn_once(awsgi_turn *turn)
{
    check(awsgi_reactor_turn(reactor, turn), "awsgi_reactor_turn");             /* never blocks */
    for (size_t i = 0; i < turn->changes_n; i++)
        ((struct connection *)(uintptr_t)turn->changes[i].handle)->interest = turn->changes[i].interest;
    if (turn->changes_n != 0)
        wake(NULL);                                 /* what is watched now may be ready */
    return program_turned(turn);
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    pthread_condattr_t clock;
    pthread_t acceptor;

    /* Deadlines are times of CLOCK_MONOTONIC, so the condition variable is to use it, too. */
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&wanted, &clock);
    options.mode = AWSGI_DELEGATED;
    options.wake = wake;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    (void)program_start(reactor, argc, argv);
    listen_on_any_port(&acceptor);

    awsgi_completion done[64];
    awsgi_watch_change changes[64];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    turn.changes = changes;
    turn.changes_cap = sizeof changes / sizeof changes[0];

    for (look_around(); turn_once(&turn); look_around())
        sleep_until(turn.next_deadline);            /* where work is left, the hook was called already */

    (void)shutdown(listener, SHUT_RDWR);            /* accept returns EINVAL, on Linux */
    (void)pthread_join(acceptor, NULL);
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do
        (void)turn_once(&turn);
    while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    for (look_around(); connections != NULL; look_around())        /* closed, but some still send */
        sleep_until(AWSGI_FOREVER);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");      /* the hook is not called after this */
    (void)close(listener);
    (void)pthread_cond_destroy(&wanted);
    (void)pthread_condattr_destroy(&clock);
    return program_ended();
}
