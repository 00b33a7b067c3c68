/* The application with which awsgi-contract looks at a server: it does what the target of a request says.
 *
 *     /play?NAME=OPERATION,OPERATION,...      /go?NAME      (any other: 200, "ok")
 *
 * and says on standard error, in lines that begin with "contract ", what happens to it. The operations:
 *
 *     r, rN     reads to the end of the body; N bytes in all
 *     lN        the head will declare this Content-Length
 *     h         the head will have the fields X-Twice: 1, X-Twice: 2, X-Odd: a "b", c
 *     sN        gives the head, with this status
 *     wN        writes N bytes: the bytes of a response are a..z, again and again
 *     eKEY      writes the value of a variable of the environ, and a line feed
 *     d         writes how many bytes were read, a space, a sum of them, and a line feed
 *     g         waits until /go?NAME is asked
 *     c         waits until the client leaves, or the server drains
 *     tN        sleeps N milliseconds
 *     y         yields
 *     f, x, n   fails; answers what means nothing; suspends with nothing to wait for
 *
 * After the last one it is done. A call that is refused is said, and is a failure. */
#define _POSIX_C_SOURCE 200809L
#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PLAYS = 512, NAME = 32 };

/* Those that wait for /go, of all workers. */
static struct { char name[NAME]; awsgi_waitable event; } gates[PLAYS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    awsgi_exchange x;
    char name[NAME];
    const char *script;                             /* what is left of it; the environ's, which ends with NUL */
    unsigned steps;
    uint64_t read, sum, written, length;
    uint64_t goal;                                  /* of the write under way: `written` at its end */
    bool waiting, fields, declared, writing;
    int gate;                                       /* -1: none */
} play;

/* One line in one call: several threads may speak. */
static void say(const play *p, const char *format, ...)
{
    char line[256];
    va_list arguments;
    int len = snprintf(line, sizeof line, "contract %s ", p->name);

    va_start(arguments, format);
    len += vsnprintf(line + len, sizeof line - (size_t)len - 1, format, arguments);
    va_end(arguments);
    line[len++] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)len);
}

static const char *variable(awsgi_exchange x, const char *key)
{
    awsgi_slice value;

    return awsgi_exchange_environ(x, awsgi_string(key), &value) == AWSGI_OK && value.data != NULL
           ? (const char *)value.data : "";
}

static int32_t refused(const play *p, const char *call, awsgi_status status)
{
    say(p, "%s %s", call, awsgi_status_name(status));
    return status == AWSGI_E_CLOSED ? AWSGI_DONE : status;
}

static int32_t wait_for(play *p, awsgi_waitable waitable, uint32_t interest, uint64_t deadline)
{
    awsgi_watch set = { .waitable = waitable, .interest = interest };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_status status = AWSGI_OK;

    if (interest != 0 && waitable == 0)
        status = awsgi_exchange_self(p->x, &set.waitable);
    if (interest != 0) {
        spec.set = &set;
        spec.count = 1;
    }
    spec.deadline = deadline;
    if (status == AWSGI_OK)
        status = awsgi_exchange_wait(p->x, &spec, NULL);
    p->waiting = true;
    return status == AWSGI_OK ? AWSGI_SUSPEND : refused(p, "wait", status);
}

static bool open_gate(const char *name)
{
    bool found = false;

    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < PLAYS && !found; i++) {
        found = gates[i].event != 0 && strcmp(gates[i].name, name) == 0;
        if (found)
            (void)awsgi_notify(gates[i].event, AWSGI_READABLE);
    }
    (void)pthread_mutex_unlock(&lock);
    return found;
}

static int32_t wait_at_gate(play *p)
{
    awsgi_waitable event = 0;
    awsgi_reactor *reactor;
    awsgi_status status = awsgi_exchange_reactor(p->x, &reactor);

    if (status == AWSGI_OK)
        status = awsgi_waitable_event(reactor, 0, &event);
    if (status != AWSGI_OK)
        return refused(p, "event", status);
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < PLAYS && p->gate < 0; i++)
        if (gates[i].event == 0)
            p->gate = i;
    if (p->gate >= 0) {
        gates[p->gate].event = event;
        memcpy(gates[p->gate].name, p->name, NAME);
    }
    (void)pthread_mutex_unlock(&lock);
    if (p->gate < 0)
        return AWSGI_E_LIMIT;
    int32_t step = wait_for(p, event, AWSGI_READABLE, AWSGI_FOREVER);
    say(p, "waits");
    return step;
}

static void leave_gate(play *p)
{
    if (p->gate < 0)
        return;
    (void)pthread_mutex_lock(&lock);
    gates[p->gate].event = 0;                       /* its event ends with the exchange */
    (void)pthread_mutex_unlock(&lock);
    p->gate = -1;
}

/* The operations that may have to be tried again answer AWSGI_SUSPEND then; all others AWSGI_DONE, or the end. */

static int32_t read_on(play *p, uint64_t goal)
{
    unsigned char bytes[4096];
    size_t count = 0;

    while (goal == 0 || p->read < goal) {
        size_t room = goal == 0 || goal - p->read > sizeof bytes ? sizeof bytes : (size_t)(goal - p->read);
        awsgi_status status = awsgi_exchange_read(p->x, bytes, room, &count);
        if (status == AWSGI_E_AGAIN) {
            int32_t step = wait_for(p, 0, AWSGI_READABLE, AWSGI_FOREVER);
            say(p, "read %" PRIu64, p->read);
            return step;
        }
        if (status != AWSGI_OK)
            return refused(p, "read", status) == AWSGI_DONE ? AWSGI_E_CLOSED : status;
        if (count == 0) {
            say(p, "read all %" PRIu64, p->read);
            return AWSGI_DONE;
        }
        p->read += count;
        for (size_t i = 0; i < count; i++)
            p->sum = (p->sum ^ bytes[i]) * UINT64_C(1099511628211);
    }
    say(p, "read %" PRIu64, p->read);
    return AWSGI_DONE;
}

static int32_t write_on(play *p, uint64_t count)
{
    char bytes[26 * 512];

    if (!p->writing)
        p->goal = p->written + count;
    p->writing = true;
    while (p->written < p->goal) {
        uint64_t left = p->goal - p->written;
        size_t len = left < sizeof bytes ? (size_t)left : sizeof bytes, taken = 0;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)('a' + (p->written + i) % 26);
        awsgi_status status = awsgi_exchange_write(p->x, bytes, len, &taken);
        if (status != AWSGI_OK)
            return refused(p, "write", status) == AWSGI_DONE ? AWSGI_E_CLOSED : status;
        p->written += taken;
        if (taken < len) {
            int32_t step = wait_for(p, 0, AWSGI_WRITABLE, AWSGI_FOREVER);
            say(p, "wrote %" PRIu64, p->written);
            return step;
        }
    }
    p->writing = false;
    say(p, "wrote all %" PRIu64, p->written);
    return AWSGI_DONE;
}

static int32_t start(play *p, int32_t code)
{
    awsgi_header fields[4] = { { AWSGI_SLICE("X-Twice"), AWSGI_SLICE("1") },
                               { AWSGI_SLICE("X-Twice"), AWSGI_SLICE("2") },
                               { AWSGI_SLICE("X-Odd"), AWSGI_SLICE("a \"b\", c") } };
    size_t count = p->fields ? 3 : 0;
    char length[24];

    (void)snprintf(length, sizeof length, "%" PRIu64, p->length);
    if (p->declared)
        fields[count++] = (awsgi_header){ AWSGI_SLICE("Content-Length"), awsgi_string(length) };
    awsgi_status status = awsgi_exchange_start(p->x, code, fields, count);
    return status == AWSGI_OK ? AWSGI_DONE : refused(p, "start", status);
}

static int32_t text(play *p, const char *bytes, size_t len)
{
    awsgi_status status = awsgi_exchange_write(p->x, bytes, len, NULL);

    return status == AWSGI_OK ? AWSGI_DONE : refused(p, "write", status);
}

static int32_t operate(play *p, char operation, const char *argument, size_t argument_len)
{
    uint64_t number = strtoull(argument, NULL, 10), now;
    char line[512];
    int len;

    switch (operation) {
    case 'r': return read_on(p, number);
    case 'w': return write_on(p, number);
    case 'l': p->length = number, p->declared = true; return AWSGI_DONE;
    case 'h': p->fields = true; return AWSGI_DONE;
    case 's': return start(p, (int32_t)number);
    case 'e':
        (void)snprintf(line, sizeof line, "%.*s", (int)argument_len, argument);
        len = snprintf(line, sizeof line, "%s\n", variable(p->x, line));
        return text(p, line, (size_t)len);
    case 'd':
        len = snprintf(line, sizeof line, "%" PRIu64 " %016" PRIx64 "\n", p->read, p->sum);
        return text(p, line, (size_t)len);
    case 'g': return p->waiting ? AWSGI_DONE : wait_at_gate(p);
    case 'c': return p->waiting ? AWSGI_DONE : wait_for(p, 0, AWSGI_HANGUP | AWSGI_PRIORITY, AWSGI_FOREVER);
    case 't':
        (void)awsgi_exchange_now(p->x, &now);
        return p->waiting ? AWSGI_DONE : wait_for(p, 0, 0, now + number * 1000000);
    case 'y': p->waiting = !p->waiting; return p->waiting ? AWSGI_YIELD : AWSGI_DONE;
    case 'x': return 77;
    case 'n': return AWSGI_SUSPEND;
    default: return AWSGI_E_INVALID;
    }
}

static int32_t begin(awsgi_exchange x, void **state)
{
    const char *query = variable(x, "QUERY_STRING"), *script = strchr(query, '=');

    if (strcmp(variable(x, "PATH_INFO"), "/play") != 0 || script == NULL) {
        bool is_go = strcmp(variable(x, "PATH_INFO"), "/go") == 0;
        (void)awsgi_exchange_start(x, is_go && !open_gate(query) ? 404 : 200, NULL, 0);
        return awsgi_exchange_write(x, "ok\n", 3, NULL);
    }
    play *p = calloc(1, sizeof *p);
    if (p == NULL)
        return AWSGI_E_LIMIT;
    p->x = x;
    p->gate = -1;
    p->sum = UINT64_C(14695981039346656037);
    p->script = script + 1;
    (void)snprintf(p->name, NAME, "%.*s", (int)(script - query), query);
    say(p, "opened");
    *state = p;
    return AWSGI_DONE;
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    play *p = *state;
    int32_t step;

    (void)worker;
    if (p == NULL) {
        step = begin(x, state);
        p = *state;
        if (p == NULL)
            return step;
    }
    p->steps++;
    if (n > 0 && done->outcome == AWSGI_READY && (done->ready & AWSGI_HANGUP) != 0) {
        say(p, "hangup");
        return AWSGI_DONE;
    }
    if (n > 0 && done->outcome == AWSGI_READY && (done->ready & AWSGI_PRIORITY) != 0)
        say(p, "drains");
    while (*p->script != '\0') {
        size_t len = strcspn(p->script, ",");
        step = len == 0 ? AWSGI_DONE : operate(p, p->script[0], p->script + 1, len - 1);
        if (step != AWSGI_DONE)
            return step == AWSGI_E_CLOSED ? AWSGI_DONE : step;
        p->waiting = false;
        p->script += len + (p->script[len] == ',');
    }
    return AWSGI_DONE;
}

static void end(void *worker, awsgi_exchange x, void *state)
{
    play *p = state;

    (void)worker, (void)x;
    if (p == NULL)
        return;
    leave_gate(p);
    say(p, "closed after %u steps", p->steps);
    free(p);
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "contract";
    out->run = run;
    out->close = end;
    return AWSGI_OK;
}
