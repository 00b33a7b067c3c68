/* The objects that commands make, and the driver's part as the host of those that are its own. */
#define _GNU_SOURCE
#include "driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct object *objects;                      /* the newest first; none is removed before the end */
static struct object *awaited;                      /* connects, and was not accepted yet */

static struct object *find(const char *name, bool closed)
{
    struct object *object = objects;

    while (object != NULL && (object->closed != closed || strcmp(object->name, name) != 0))
        object = object->next;
    return object;
}

struct object *object_open(const char *name)
{
    return find(name, false);
}

struct object *object_closed(const char *name)
{
    return find(name, true);
}

static struct object *make(const char *name, enum kind kind)
{
    struct object *object = must(malloc(sizeof *object));

    *object = (struct object){ .next = objects, .kind = kind, .near = -1, .far = -1 };
    object->name = must(strdup(name));
    objects = object;
    return object;
}

static void shut(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
    *descriptor = -1;
}

/* What was refused is as if it had never been. */
static awsgi_status made(struct object *object, awsgi_status status)
{
    if (status == AWSGI_OK)
        return status;
    shut(&object->near);
    shut(&object->far);
    objects = object->next;
    free(object->name);
    free(object);
    return status;
}

awsgi_status object_event(const char *name, uint32_t flags)
{
    struct object *object = make(name, flags == AWSGI_COUNTER ? COUNTER : EVENT);

    return made(object, awsgi_waitable_event(reactor, flags, &object->waitable));
}

awsgi_status object_timer(const char *name, uint64_t first, uint64_t period)
{
    struct object *object = make(name, TIMER);
    uint64_t now;

    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    return made(object, awsgi_waitable_timer(reactor, now + first, period, &object->waitable));
}

awsgi_status object_pipe(const char *name)
{
    struct object *object = make(name, PIPE);
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return made(object, REFUSED);
    object->near = ends[0];
    object->far = ends[1];
    return made(object, awsgi_waitable_descriptor(reactor, object->near, 0, &object->waitable));
}

static int connected(uint16_t port, int flags)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        shut(&fd);
    return fd;
}

awsgi_status object_socket(const char *name, uint16_t port)
{
    struct object *object = make(name, SOCKET);

    object->near = connected(port, SOCK_NONBLOCK);
    if (object->near < 0)
        return made(object, REFUSED);
    return made(object, awsgi_waitable_descriptor(reactor, object->near, 0, &object->waitable));
}

awsgi_status object_own(const char *name, bool once)
{
    struct object *object = make(name, OWN);

    object->once = once;
    return made(object, awsgi_waitable_foreign(reactor, (uintptr_t)object, once ? AWSGI_ONCE : AWSGI_LEVEL,
                                               &object->waitable));
}

awsgi_status object_stream(const char *name, uint16_t port)
{
    struct object *object = make(name, STREAM);

    object->far = connected(port, 0);
    if (object->far < 0)
        return made(object, REFUSED);
    awaited = object;
    return AWSGI_OK;
}

bool object_awaited(void)
{
    return awaited != NULL;
}

/* Nobody says it, but then the host has closed its end. */
bool object_refused(void)
{
    char byte;

    return awaited != NULL && recv(awaited->far, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void object_accepted(struct stream *stream)
{
    if (awaited == NULL) {
        broken("the host has accepted what nobody connected", "?");
        stream->calls->close(stream);
        return;
    }
    awaited->stream = stream;
    awaited->waitable = stream->waitable;
    awaited = NULL;
    answer(AWSGI_OK);
}

/* What the host of an own object would see, and tell. */
static void report(struct object *object)
{
    uint32_t seen = object->messages != 0 ? AWSGI_READABLE : 0;
    uint32_t asked = object->interest;

    if (object->kind != OWN || object->closed || asked == 0)
        return;
    if (object->hung_up)
        seen |= AWSGI_READ_CLOSED | AWSGI_HANGUP;
    asked |= AWSGI_HANGUP | (asked & AWSGI_READABLE ? AWSGI_READ_CLOSED : 0);
    if ((seen & asked) == 0)
        return;
    if (object->once)
        object->interest = 0;                       /* until the next change */
    check(awsgi_notify(object->waitable, seen & asked), "awsgi_notify");
}

void objects_report(void)
{
    for (struct object *object = objects; object != NULL; object = object->next)
        report(object);
}

void object_change(const awsgi_watch_change *change)
{
    struct object *object = objects;

    while (object != NULL && (object->waitable != change->waitable || (object->kind != OWN && object->kind != STREAM)))
        object = object->next;
    if (object == NULL) {
        broken("a watch change for an unknown object", "?");
        return;
    }
    if (object->kind == OWN
        && (change->handle != (uintptr_t)object || change->kind != (object->once ? AWSGI_ONCE : AWSGI_LEVEL)))
        broken("a watch change with another's handle or kind", object->name);
    if (change->interest == 0) {
        printf("stop %s\n", object->name);
    } else {
        if (object->closed)
            broken("a watch change for a closed object", object->name);
        printf("watch %s ", object->name);
        bits_print(change->interest);
        putchar('\n');
    }
    object->interest = change->interest;
}

awsgi_status object_put(struct object *object)
{
    int fd = object->kind == SOCKET ? object->near : object->far;

    if (object->kind == OWN) {
        if (object->hung_up)
            return AWSGI_E_CLOSED;
        object->messages++;                         /* reported after the command */
        return AWSGI_OK;
    }
    if (object->kind == PIPE)
        return write(fd, "x", 1) == 1 ? AWSGI_OK : REFUSED;
    return send(fd, "x", 1, MSG_NOSIGNAL) == 1 ? AWSGI_OK : REFUSED;
}

static ssize_t read_some(struct object *object, char *bytes, size_t room)
{
    if (object->kind == STREAM)
        return object->stream->calls->read(object->stream, bytes, room);
    return read(object->near, bytes, room);
}

awsgi_status object_take(struct object *object, uint64_t *value)
{
    char bytes[4096];
    ssize_t count;

    *value = 0;
    switch (object->kind) {
    case EVENT:
    case COUNTER:
    case TIMER:
        return awsgi_waitable_take(object->waitable, value);
    case OWN:
        *value = object->messages;
        object->messages = 0;
        return AWSGI_OK;
    default:
        while ((count = read_some(object, bytes, sizeof bytes)) > 0)
            *value += (uint64_t)count;
        return count == 0 || errno == EAGAIN ? AWSGI_OK : REFUSED;
    }
}

awsgi_status object_hang_up(struct object *object)
{
    object->hung_up = true;
    shut(&object->far);
    return AWSGI_OK;
}

awsgi_status object_close(struct object *object)
{
    awsgi_status status = AWSGI_OK;

    object->closed = true;
    if (object->kind == STREAM)
        object->stream->calls->close(object->stream);
    else
        status = awsgi_waitable_close(object->waitable);    /* before what is behind it */
    shut(&object->near);
    shut(&object->far);
    return status;
}

void streams_close(void)
{
    for (struct object *object = objects; object != NULL; object = object->next) {
        if (object->kind == STREAM && object->stream != NULL && !object->closed)
            (void)object_close(object);
    }
}

void objects_end(void)
{
    for (struct object *next; objects != NULL; objects = next) {
        next = objects->next;
        shut(&objects->near);
        shut(&objects->far);
        free(objects->name);
        free(objects);
    }
}
