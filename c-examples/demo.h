/* The demo application: what its files share.
 *
 * Each route is one step function. The first call has n == 0; each later one comes with the
 * completion of the wait that the step before it started. A route has at most one wait outstanding,
 * and where the exchange itself is in the set, it is the first member: so demo.c can see for all of
 * them that the client left. */
#ifndef DEMO_H
#define DEMO_H

#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <stdbool.h>

/* Ours are no business of the process that loads us, which may know other functions by these names. */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

typedef struct demo_exchange demo_exchange;
typedef struct demo_relay demo_relay;

typedef struct {
    const char *name;               /* in /counters */
    const char *path;
    bool below;                     /* also path/anything */
    const char *allow;              /* methods, as the Allow header writes them */
    int32_t (*step)(demo_exchange *, const awsgi_completion *done, size_t n);
    void (*end)(demo_exchange *);   /* frees what the route holds; NULL: nothing */
} demo_route;

/* One exchange. Small, because thousands of them may be suspended at once. */
struct demo_exchange {
    awsgi_exchange x;
    const demo_route *route;
    char *rest;                     /* what the output had no room for; NULL nearly always */
    size_t rest_len, rest_sent;
    bool head_only;                 /* HEAD: everything but the body */
    bool answered;                  /* once `rest` is out, it is done */
    union {
        struct { uint64_t ms; } sleep;
        struct { uint64_t bytes; uint32_t crc; } upload;
        struct { uint64_t total, sent; } stream;
        struct { uint64_t count, next; } events;
        demo_relay *relay;
    } as;
};

#define DEMO_SECOND UINT64_C(1000000000)            /* in the nanoseconds of deadlines */

/* demo.c */

/* A variable of the environ; never NULL, "" if it is not there. */
const char *demo_environ(demo_exchange *, const char *key, size_t *len);

/* Starts the response; `type` and `length` (text) may be NULL. */
awsgi_status demo_start(demo_exchange *, int32_t status, const char *type, const char *length);

/* Writes the body's next bytes. What there is no room for is kept in `rest` and goes out before the
 * route's next step: so suspend with AWSGI_WRITABLE if `rest` is not NULL. */
awsgi_status demo_write(demo_exchange *, const char *text, size_t len);

/* Answers, whole. What they return is what the step returns. */
int32_t demo_answer(demo_exchange *, int32_t status, const char *type, const char *text, size_t len);
int32_t demo_sentence(demo_exchange *, int32_t status, const char *text);

/* Suspends until the exchange itself is ready for `interest`, or `deadline` passes. */
int32_t demo_wait_self(demo_exchange *, uint32_t interest, uint64_t deadline);

/* What a step returns that ends with this status: done if all went well, or the client left. */
int32_t demo_finish(awsgi_status);

/* demo_body.c */
int32_t demo_upload_step(demo_exchange *, const awsgi_completion *, size_t);
int32_t demo_stream_step(demo_exchange *, const awsgi_completion *, size_t);
int32_t demo_events_step(demo_exchange *, const awsgi_completion *, size_t);

/* relay_steps.c */
bool demo_relay_load(const char *config, char *why, size_t why_cap);
int32_t demo_relay_step(demo_exchange *, const awsgi_completion *, size_t);
void demo_relay_end(demo_exchange *);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
