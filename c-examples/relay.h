/* What both relays need and nothing of it waits: the configuration, the request to the upstream and
 * the head of its answer. How they wait is the whole difference between relay_steps.c and
 * relay_blocking.c; put the two side by side.
 *
 * The configuration is what `load` receives: `HOST:PORT [timeout=MS]`, the host a numeric IPv4
 * address, or IPv6 in brackets. */
#ifndef RELAY_H
#define RELAY_H

#include "address.h"
#include "awsgi_application.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    RELAY_BUFFER = 16 * 1024,       /* bounds the upstream's head, and what of its body we hold */
    RELAY_HEADERS = 64,
    RELAY_TIMEOUT_MS = 5000,
    RELAY_TIMEOUT_MAX_MS = 3600000,
};

typedef struct {
    address upstream;
    char host[64];                  /* as it was given, for the Host header */
    uint64_t timeout;               /* nanoseconds, for each wait for the upstream */
} relay_config;

/* ---- configuration ------------------------------------------------------------------------------ */

/* False, and a sentence in `why`, if `text` does not say which upstream. */
static inline bool relay_configure(const char *text, relay_config *out, char *why, size_t why_cap)
{
    memset(out, 0, sizeof *out);
    out->timeout = RELAY_TIMEOUT_MS * UINT64_C(1000000);

    for (;;) {
        text += strspn(text, " \t");
        size_t len = strcspn(text, " \t");
        uint64_t ms;

        if (len == 0)
            break;
        if (out->host[0] == '\0') {                 /* the first word */
            if (len >= sizeof out->host || !address_parse(text, len, &out->upstream)
                || out->upstream.as.v4.sin_port == 0) {     /* at the same place in v6 */
                (void)snprintf(why, why_cap,
                               "`%.*s` is not an upstream: give a numeric HOST:PORT, such as "
                               "127.0.0.1:9090 or [::1]:9090", len > 80 ? 80 : (int)len, text);
                return false;
            }
            memcpy(out->host, text, len);
        } else if (strncmp(text, "timeout=", 8) == 0
                   && digits_parse(text + 8, len - 8, RELAY_TIMEOUT_MAX_MS, &ms) && ms > 0) {
            out->timeout = ms * 1000000;
        } else {
            (void)snprintf(why, why_cap,
                           "the relay does not understand `%.*s`: after HOST:PORT it takes "
                           "timeout=MS, with 1 to %d milliseconds",
                           len > 80 ? 80 : (int)len, text, (int)RELAY_TIMEOUT_MAX_MS);
            return false;
        }
        text += len;
    }
    if (out->host[0] == '\0') {
        (void)snprintf(why, why_cap, "no upstream is configured: give HOST:PORT, such as "
                                     "127.0.0.1:9090, as the argument of the application");
        return false;
    }
    return true;
}

/* ---- the request -------------------------------------------------------------------------------- */

typedef struct {
    char *at;
    size_t cap, len;
} relay_text;

static inline bool relay_put(relay_text *out, const void *bytes, size_t len)
{
    if (len > out->cap - out->len)
        return false;
    if (len > 0)                                    /* memcpy must not see the NULL of an empty slice */
        memcpy(out->at + out->len, bytes, len);
    out->len += len;
    return true;
}

static inline bool relay_put_string(relay_text *out, const char *string)
{
    return relay_put(out, string, strlen(string));
}

/* PATH_INFO arrives decoded, so it is encoded again: a decoded CR or LF, sent as it is, would let the
 * client write our request's headers. */
static inline bool relay_put_path(relay_text *out, awsgi_slice path)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = path.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
                     || (c != '\0' && strchr("-._~/!$&'()*+,;=:@", c) != NULL);
        char code[3] = { '%', hex[c >> 4], hex[c & 15] };

        if (!relay_put(out, plain ? (const void *)&path.data[i] : code, plain ? 1 : 3))
            return false;
    }
    return true;
}

/* Writes the whole request; its length, or 0 if it does not fit or the query cannot be sent. */
static inline size_t relay_request(char *out, size_t cap, bool head_only, awsgi_slice path,
                                   awsgi_slice query, const char *host)
{
    relay_text text = { out, cap, 0 };

    for (size_t i = 0; i < query.len; i++)          /* raw, as the client sent it */
        if (query.data[i] <= ' ' || query.data[i] >= 0x7f)
            return 0;
    if (!relay_put_string(&text, head_only ? "HEAD " : "GET ")
        || (path.len == 0 && !relay_put_string(&text, "/"))
        || !relay_put_path(&text, path)
        || (query.len > 0 && !relay_put_string(&text, "?"))
        || !relay_put(&text, query.data, query.len)
        || !relay_put_string(&text, " HTTP/1.0\r\nHost: ")
        || !relay_put_string(&text, host)
        || !relay_put_string(&text, "\r\nUser-Agent: awsgi-relay\r\n\r\n"))
        return 0;
    return text.len;
}

/* ---- the answer's head -------------------------------------------------------------------------- */

typedef enum { RELAY_MORE, RELAY_HEAD, RELAY_GARBAGE } relay_parsed;

typedef struct {
    size_t size;                    /* of the head in bytes: there the body begins */
    int32_t status;
    int64_t length;                 /* of the body; -1: until the upstream closes */
    awsgi_header headers[RELAY_HEADERS];            /* to pass on; they point into the bytes parsed */
    size_t count;
} relay_head;

static inline bool relay_name_is(awsgi_slice name, const char *lower)
{
    size_t i = 0;

    for (; i < name.len && lower[i] != '\0'; i++) {
        unsigned char c = name.data[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower[i])
            return false;
    }
    return i == name.len && lower[i] == '\0';
}

/* Headers that speak about one connection, not about the response. */
static inline bool relay_hop_by_hop(awsgi_slice name)
{
    static const char *const names[] = { "connection", "keep-alive", "proxy-connection", "te",
                                         "trailer", "upgrade", "proxy-authenticate" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (relay_name_is(name, names[i]))
            return true;
    return false;
}

/* "HTTP/1.x NNN" and anything after a space. */
static inline bool relay_status_line(const char *line, size_t len, relay_head *out)
{
    uint64_t status;

    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1')
        || line[8] != ' ' || !digits_parse(line + 9, 3, 599, &status) || status < 200
        || (len > 12 && line[12] != ' '))
        return false;               /* nor 1xx: nobody may send that to HTTP/1.0 */
    out->status = (int32_t)status;
    return true;
}

static inline bool relay_header_line(const char *line, size_t len, relay_head *out)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || colon == line)
        return false;
    for (const char *c = line; c < colon; c++)      /* a space here is a folded line or worse */
        if (*c <= ' ' || *c >= 0x7f)
            return false;

    const char *value = colon + 1, *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    for (const char *c = value; c < end; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return false;

    awsgi_header header = {
        { (const uint8_t *)line, (size_t)(colon - line) },
        { (const uint8_t *)value, (size_t)(end - value) },
    };
    if (relay_name_is(header.name, "transfer-encoding"))
        return false;               /* not in an answer to HTTP/1.0; guessing would corrupt the body */
    if (relay_name_is(header.name, "content-length")) {
        uint64_t length;
        if (!digits_parse(value, header.value.len, INT64_MAX, &length)
            || (out->length >= 0 && out->length != (int64_t)length))
            return false;           /* two lengths: which one is right is anybody's guess */
        if (out->length >= 0)
            return true;            /* the same again: once is enough */
        out->length = (int64_t)length;
    }
    if (relay_hop_by_hop(header.name))
        return true;
    if (out->count == RELAY_HEADERS)
        return false;
    out->headers[out->count++] = header;
    return true;
}

/* Parses from the first byte each time it is called: heads come in one piece nearly always, so to
 * remember how far one got would be code for nothing. */
static inline relay_parsed relay_parse(const char *bytes, size_t len, relay_head *out)
{
    static const char start[] = "HTTP/1.";
    size_t at = 0;

    memset(out, 0, sizeof *out);
    out->length = -1;
    /* Before the line is complete: who does not speak HTTP may never send its end. */
    if (memcmp(bytes, start, len < sizeof start - 1 ? len : sizeof start - 1) != 0)
        return RELAY_GARBAGE;
    for (bool first = true;; first = false) {
        const char *line = bytes + at, *newline = memchr(line, '\n', len - at);
        if (newline == NULL)
            return RELAY_MORE;
        size_t line_len = (size_t)(newline - line);
        at += line_len + 1;
        if (line_len > 0 && line[line_len - 1] == '\r')
            line_len--;
        if (first) {
            if (!relay_status_line(line, line_len, out))
                return RELAY_GARBAGE;
        } else if (line_len == 0) {
            out->size = at;
            return RELAY_HEAD;
        } else if (!relay_header_line(line, line_len, out)) {
            return RELAY_GARBAGE;
        }
    }
}

/* How many bytes of body follow this head; -1: until the upstream closes. */
static inline int64_t relay_body_length(const relay_head *head, bool head_only)
{
    return head_only || head->status == 204 || head->status == 304 ? 0 : head->length;
}

/* ---- the socket: none of these blocks ----------------------------------------------------------- */

/* Begins to connect; 0 or an errno. The result stands in SO_ERROR once the socket is writable. */
static inline int relay_connect(const relay_config *config, int *fd)
{
    *fd = socket(config->upstream.as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return errno;
    if (connect(*fd, &config->upstream.as.any, config->upstream.len) != 0
        && errno != EINPROGRESS && errno != EINTR) {
        int error = errno;
        (void)close(*fd);
        *fd = -1;
        return error;
    }
    return 0;
}

static inline int relay_connected(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ? errno : error;
}

/* Whether a failed send or recv only means: wait. After EINTR the wait ends at once. */
static inline bool relay_not_yet(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* The sentence for what keeps us from the upstream. */
static inline void relay_explain(char *out, size_t cap, const char *what, int error)
{
    char reason[128];

    if (strerror_r(error, reason, sizeof reason) != 0)
        (void)snprintf(reason, sizeof reason, "error %d", error);
    (void)snprintf(out, cap, "The upstream %s: %s.\n", what, reason);
}

#endif
