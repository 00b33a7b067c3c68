/* The demo's routes with bodies that do not fit into one step: /upload, /stream, /events. */
#define _POSIX_C_SOURCE 200809L

#include "demo.h"
#include "crc32.h"
#include "pattern.h"
#include "query.h"

#include <inttypes.h>
#include <stdio.h>

#define STREAM_MAX (UINT64_C(1) << 40)

/* POST /upload: "BYTES CRC32\n" of a body of any size. It holds 16 KiB of it at a time, and only while
 * it runs: what it has not read yet fills the gateway's buffer, and that stops the sender. */
int32_t demo_upload_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    char piece[16 * 1024];
    char text[48];

    (void)done, (void)n;
    for (;;) {
        size_t got = 0;
        awsgi_status status = awsgi_exchange_read(e->x, piece, sizeof piece, &got);

        if (status == AWSGI_E_AGAIN)
            return demo_wait_self(e, AWSGI_READABLE, AWSGI_FOREVER);
        if (status != AWSGI_OK)
            return demo_finish(status);
        if (got == 0)
            break;                                  /* the end of the body */
        e->as.upload.crc = crc32_more(e->as.upload.crc, piece, got);
        e->as.upload.bytes += got;
    }
    (void)snprintf(text, sizeof text, "%" PRIu64 " %08" PRIx32 "\n", e->as.upload.bytes,
                   e->as.upload.crc);
    return demo_sentence(e, 200, text);
}

/* GET /stream?bytes=N: the first N bytes of the pattern, no faster than the client takes them. */
int32_t demo_stream_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    awsgi_status status;

    (void)done;
    if (n == 0) {
        char length[24];

        e->as.stream.total = 1 << 20;
        if (!query_number(demo_environ(e, "QUERY_STRING", NULL), "bytes", STREAM_MAX,
                          &e->as.stream.total))
            return demo_sentence(e, 400, "bytes is to be a number from 0 to 1099511627776, as in "
                                         "/stream?bytes=1048576.\n");
        (void)snprintf(length, sizeof length, "%" PRIu64, e->as.stream.total);
        status = demo_start(e, 200, "text/plain; charset=utf-8", length);
        if (status != AWSGI_OK || e->head_only)
            return demo_finish(status);
    }
    while (e->as.stream.sent < e->as.stream.total) {
        char piece[16 * 1024];
        uint64_t left = e->as.stream.total - e->as.stream.sent;
        size_t len = left < sizeof piece ? (size_t)left : sizeof piece, taken = 0;

        pattern_fill(e->as.stream.sent, piece, len);
        status = awsgi_exchange_write(e->x, piece, len, &taken);
        if (status != AWSGI_OK)
            return demo_finish(status);
        e->as.stream.sent += taken;
        /* The rest is not kept: it can be made again when there is room. */
        if (taken < len)
            return demo_wait_self(e, AWSGI_WRITABLE, AWSGI_FOREVER);
    }
    return AWSGI_DONE;
}

/* GET /events: server-sent events, the first at once and then one a second, until the client leaves.
 * It waits for its next second and for the client in one wait, so it learns of either at once. */
int32_t demo_events_step(demo_exchange *e, const awsgi_completion *done, size_t n)
{
    awsgi_status status = AWSGI_OK;
    uint64_t now = 0;
    char text[64];

    if (n == 0) {
        status = demo_start(e, 200, "text/event-stream", NULL);
        if (status == AWSGI_OK)
            status = awsgi_exchange_now(e->x, &e->as.events.next);
        if (status != AWSGI_OK || e->head_only)
            return demo_finish(status);
    } else if (done->outcome == AWSGI_READY && (done->ready & AWSGI_PRIORITY) != 0) {
        return AWSGI_DONE;      /* the server drains: end cleanly; an EventSource comes back by itself */
    }
    if (n == 0 || done->outcome == AWSGI_TIMED_OUT) {
        int len = snprintf(text, sizeof text, "id: %" PRIu64 "\ndata: %" PRIu64 "\n\n",
                           e->as.events.count + 1, e->as.events.count + 1);
        e->as.events.count++;
        status = demo_write(e, text, (size_t)len);
        if (status != AWSGI_OK)
            return demo_finish(status);
        if (e->rest != NULL)    /* a client that does not read gets no further seconds meanwhile */
            return demo_wait_self(e, AWSGI_WRITABLE, AWSGI_FOREVER);
    }
    status = awsgi_exchange_now(e->x, &now);
    if (status != AWSGI_OK)
        return demo_finish(status);
    /* From one deadline to the next, not from now: what is late once is not late for ever. Seconds
     * that have passed already are left out. */
    do
        e->as.events.next += DEMO_SECOND;
    while (e->as.events.next <= now);
    return demo_wait_self(e, AWSGI_HANGUP | AWSGI_PRIORITY, e->as.events.next);
}
