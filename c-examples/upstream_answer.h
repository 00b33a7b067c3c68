/* What the upstream answers to which path: bytes, how far they come, and how it ends. Nothing here
 * waits or touches a socket.
 *
 *   /  /hello              a greeting
 *   /echo                  the request as it arrived
 *   /status?code=N         an empty answer with this status
 *   /slow?ms=N             the greeting after N ms
 *   /big?bytes=N           N bytes of the pattern; with &length=no without a Content-Length
 *   /long-head?bytes=N     the greeting, with a header of N bytes
 *   /garbage               bytes that are not HTTP
 *   /stall                 never answers
 *   /stall-body?after=N    N bytes of the body (default 1000), then nothing more
 *   /die?after=N           ... then closes, though more was promised
 *   /reset?after=N         ... then resets the connection
 *
 * The last three promise `bytes=` (default 1048576), and for `after` they also take `head`: before
 * anything is sent, and `half`: in the middle of the head. */
#ifndef UPSTREAM_ANSWER_H
#define UPSTREAM_ANSWER_H

#include "pattern.h"
#include "query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_PIECE = 64 * 1024, ANSWER_NUMBER_MAX = 1 << 30 };

typedef enum { FINISH, STALL, RESET } answer_ending;

typedef struct {
    uint64_t delay;                 /* ms, before anything is sent */
    char *head;
    size_t head_len;
    const char *text;               /* the body; NULL: the pattern */
    bool has_body;                  /* not for HEAD */
    uint64_t stop;                  /* after so many bytes of head and body ... */
    answer_ending ending;           /* ... it ends so */
} answer;

static inline bool answer_head(answer *a, int status, int64_t length, size_t padding)
{
    char line[64] = "";

    if (length >= 0)
        (void)snprintf(line, sizeof line, "Content-Length: %" PRId64 "\r\n", length);
    a->head = malloc(256 + padding);
    if (a->head == NULL)
        return false;
    int len = snprintf(a->head, 256, "HTTP/1.0 %d As asked\r\nServer: awsgi-upstream\r\n"
                       "Content-Type: text/plain\r\n%s%s", status, line,
                       padding > 0 ? "X-Padding: " : "\r\n");
    a->head_len = (size_t)len;
    if (padding > 0) {
        memset(a->head + a->head_len, 'x', padding);
        memcpy(a->head + a->head_len + padding, "\r\n\r\n", 4);
        a->head_len += padding + 4;
    }
    return true;
}

/* A whole answer whose body is this text. */
static inline bool answer_text(answer *a, int status, const char *text, size_t padding)
{
    size_t len = strlen(text);

    if (!answer_head(a, status, (int64_t)len, padding))
        return false;
    a->text = text;
    a->ending = FINISH;
    a->stop = a->head_len + (a->has_body ? len : 0);
    return true;
}

/* How far a misbehaving answer comes: `after=` head, half or a number of bytes of the body. */
static inline bool answer_badly(answer *a, const char *query, answer_ending how)
{
    uint64_t bytes = 1 << 20, after = 1000;
    size_t len = 0;
    const char *value = query_find(query, "after", &len);

    if (!query_number(query, "bytes", ANSWER_NUMBER_MAX, &bytes))
        return answer_text(a, 400, "bytes is to be a number\n", 0);
    if (!answer_head(a, 200, (int64_t)bytes, 0))
        return false;
    a->ending = how;
    if (value != NULL && len == 4 && memcmp(value, "head", 4) == 0)
        a->stop = 0;
    else if (value != NULL && len == 4 && memcmp(value, "half", 4) == 0)
        a->stop = a->head_len / 2;
    else if (!query_number(query, "after", ANSWER_NUMBER_MAX, &after)) {
        free(a->head);
        a->head = NULL;
        return answer_text(a, 400, "after is to be head, half or a number\n", 0);
    } else
        a->stop = a->head_len + (!a->has_body ? 0 : after < bytes ? after : bytes);
    return true;
}

/* Decides what to answer to this request, which it cuts into pieces and which is to stay. False if
 * there is no memory. Free `head` afterwards, in any case. */
static inline bool answer_decide(answer *a, char *request)
{
    static const char hello[] = "hello from the upstream\n";
    uint64_t number = 0;
    bool get = strncmp(request, "GET /", 5) == 0;

    a->has_body = get;
    if (!get && strncmp(request, "HEAD /", 6) != 0)
        return answer_text(a, 405, "GET and HEAD are all it knows\n", 0);
    char *path = strchr(request, '/');
    if (strncmp(path, "/echo", 5) == 0)             /* before the request is cut into pieces */
        return answer_text(a, 200, request, 0);
    path[strcspn(path, " \r\n")] = '\0';
    char *query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    else
        query = path + strlen(path);

    if (strcmp(path, "/") == 0 || strcmp(path, "/hello") == 0)
        return answer_text(a, 200, hello, 0);
    if (strcmp(path, "/status") == 0) {
        number = 200;
        if (!query_number(query, "code", 999, &number) || number < 100)
            return answer_text(a, 400, "code is to be a number from 100 to 999\n", 0);
        return answer_text(a, (int)number, "", 0);
    }
    if (strcmp(path, "/slow") == 0) {
        a->delay = 1000;
        if (!query_number(query, "ms", ANSWER_NUMBER_MAX, &a->delay))
            return answer_text(a, 400, "ms is to be a number\n", 0);
        return answer_text(a, 200, hello, 0);
    }
    if (strcmp(path, "/big") == 0) {
        size_t len = 0;
        const char *length = query_find(query, "length", &len);
        bool promise = length == NULL || len != 2 || memcmp(length, "no", 2) != 0;
        number = 1 << 20;
        if (!query_number(query, "bytes", UINT64_C(1) << 40, &number))
            return answer_text(a, 400, "bytes is to be a number\n", 0);
        if (!answer_head(a, 200, promise ? (int64_t)number : -1, 0))
            return false;
        a->stop = a->head_len + (a->has_body ? number : 0);
        return true;
    }
    if (strcmp(path, "/long-head") == 0) {
        number = 20000;
        if (!query_number(query, "bytes", ANSWER_NUMBER_MAX, &number) || number == 0)
            return answer_text(a, 400, "bytes is to be a number, more than 0\n", 0);
        return answer_text(a, 200, hello, (size_t)number);
    }
    if (strcmp(path, "/garbage") == 0) {
        a->text = "This is not HTTP.\r\nNot at all.\r\n\r\n";
        a->stop = strlen(a->text);
        return true;
    }
    if (strcmp(path, "/stall") == 0) {
        a->ending = STALL;                          /* with `stop` 0: before anything is sent */
        return true;
    }
    if (strcmp(path, "/stall-body") == 0)
        return answer_badly(a, query, STALL);
    if (strcmp(path, "/die") == 0)
        return answer_badly(a, query, FINISH);
    if (strcmp(path, "/reset") == 0)
        return answer_badly(a, query, RESET);
    return answer_text(a, 404, "There is nothing at this address\n", 0);
}

/* The next bytes to send: of the head, of the text, or of the pattern, made where it is needed. */
static inline const char *answer_bytes(const answer *a, uint64_t sent, size_t *len)
{
    static char piece[ANSWER_PIECE];
    uint64_t left = a->stop - sent, at = sent - a->head_len;

    if (sent < a->head_len) {
        uint64_t head_left = a->head_len - sent;
        *len = (size_t)(left < head_left ? left : head_left);
        return a->head + sent;
    }
    if (a->text != NULL) {
        *len = (size_t)left;
        return a->text + at;
    }
    *len = left < ANSWER_PIECE ? (size_t)left : ANSWER_PIECE;
    pattern_fill(at, piece, *len);
    return piece;
}

#endif
