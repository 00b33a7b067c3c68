/* Tests of what the examples compute without waiting: numbers and addresses, CRC, the pattern, the
 * relay's configuration, request and head, and what the upstream answers. Needs no library:
 *
 *   cc -std=c11 -g -fsanitize=address,undefined -Iinclude -Ic-examples -o examples \
 *      tests/c/examples.c && ./examples
 *
 * Texts are copied to blocks of exactly their size, so that a sanitizer sees a byte read too many. */
#define _POSIX_C_SOURCE 200809L
#define AWSGI_APPLICATION
#include "relay.h"
#include "crc32.h"
#include "pattern.h"
#include "query.h"
#include "upstream_answer.h"

static int failures;

#define CHECK(condition)                                                                            \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            failures++;                                                                             \
            (void)fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__,          \
                          #condition);                                                              \
        }                                                                                           \
    } while (0)

static char *exact(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, text, len);
    return copy;
}

/* ---- numbers, queries, addresses ---------------------------------------------------------------- */

static bool parses(const char *text, uint64_t max, uint64_t expected)
{
    size_t len = strlen(text);
    char *copy = exact(text, len);
    uint64_t value = 12345;
    bool ok = digits_parse(copy, len, max, &value);

    free(copy);
    return ok && value == expected;
}

static void numbers_are_digits_within_their_bounds(void)
{
    CHECK(parses("0", 10, 0));
    CHECK(parses("10", 10, 10));
    CHECK(parses("00010", 10, 10));
    CHECK(parses("18446744073709551615", UINT64_MAX, UINT64_MAX));
    CHECK(!parses("11", 10, 11));
    CHECK(!parses("9", 5, 9));
    CHECK(!parses("18446744073709551616", UINT64_MAX, 0));
    CHECK(!parses("99999999999999999999999999", UINT64_MAX, 0));
    CHECK(!parses("", 10, 0));
    CHECK(!parses("-1", 10, 1));
    CHECK(!parses("+1", 10, 1));
    CHECK(!parses(" 1", 10, 1));
    CHECK(!parses("1 ", 10, 1));
    CHECK(!parses("0x1", 10, 1));
    CHECK(!parses("1.5", 10, 1));
}

static bool asks(const char *query, uint64_t expected)
{
    uint64_t value = 250;

    return query_number(query, "ms", 600000, &value) && value == expected;
}

static void a_query_gives_a_number_or_is_refused(void)
{
    CHECK(asks("", 250));
    CHECK(asks("ms=1", 1));
    CHECK(asks("a=b&ms=600000", 600000));
    CHECK(asks("ms=7&ms=8", 7));
    CHECK(asks("xms=7&msx=8&ms", 250));
    CHECK(asks("&&ms=0&&", 0));
    CHECK(!asks("ms=", 0));
    CHECK(!asks("ms=600001", 600001));
    CHECK(!asks("ms=%31", 1));
    CHECK(!asks("ms=1e3", 1000));
    CHECK(!asks("ms=x&ms=1", 1));
}

static bool address_is(const char *text, sa_family_t family, uint16_t port)
{
    size_t len = strlen(text);
    char *copy = exact(text, len);
    address parsed;
    bool ok = address_parse(copy, len, &parsed);

    free(copy);
    return ok && parsed.as.any.sa_family == family && ntohs(parsed.as.v4.sin_port) == port
           && parsed.len == (family == AF_INET ? sizeof parsed.as.v4 : sizeof parsed.as.v6);
}

static void addresses_are_numeric(void)
{
    CHECK(address_is("127.0.0.1:9090", AF_INET, 9090));
    CHECK(address_is("0.0.0.0:0", AF_INET, 0));
    CHECK(address_is("[::1]:9090", AF_INET6, 9090));
    CHECK(address_is("[2001:db8::ff]:65535", AF_INET6, 65535));
    const char *const bad[] = {
        "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.1:80",
        "localhost:80", "::1:80", "[::1]", "[::1]80", "[127.0.0.1]:80", "[]:80", "[:80", "]:80",
        "256.0.0.1:80", "127.0.0.1:80:", "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!address_is(bad[i], AF_INET, 80) && !address_is(bad[i], AF_INET6, 80));
}

/* ---- CRC and pattern ---------------------------------------------------------------------------- */

static void the_crc_is_that_of_zlib(void)
{
    char bytes[256];

    CHECK(crc32_more(0, "", 0) == 0);
    CHECK(crc32_more(0, "123456789", 9) == 0xcbf43926);
    CHECK(crc32_more(0, "The quick brown fox jumps over the lazy dog", 43) == 0x414fa339);
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)(unsigned char)i;
    CHECK(crc32_more(0, bytes, 256) == 0x29058c73);
    for (size_t cut = 0; cut <= 256; cut++)
        CHECK(crc32_more(crc32_more(0, bytes, cut), bytes + cut, 256 - cut) == 0x29058c73);
}

static void the_pattern_is_the_same_however_it_is_cut(void)
{
    enum { N = 300 };
    char whole[N], again[N];

    pattern_fill(0, whole, N);
    CHECK(memcmp(whole, "000000000000000 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRST\n"
                        "000000000000064 abcdefg", 64 + 23) == 0);
    for (size_t from = 0; from < N; from += 7)
        for (size_t len = 0; from + len <= N; len += 13) {
            memset(again, 0, N);
            pattern_fill(from, again, len);
            CHECK(memcmp(again, whole + from, len) == 0);
        }
    pattern_fill((UINT64_C(1) << 40) - 64, again, 16);
    CHECK(memcmp(again, "001099511627712 ", 16) == 0);
}

/* ---- the relay ---------------------------------------------------------------------------------- */

static void a_configuration_is_understood_or_explained(void)
{
    relay_config config;
    char why[256];

    CHECK(relay_configure("127.0.0.1:9090", &config, why, sizeof why));
    CHECK(strcmp(config.host, "127.0.0.1:9090") == 0);
    CHECK(config.timeout == UINT64_C(5000000000));
    CHECK(relay_configure("  [::1]:1   timeout=250 ", &config, why, sizeof why));
    CHECK(config.upstream.as.any.sa_family == AF_INET6 && config.timeout == 250000000);

    const char *const bad[] = {
        "", "  ", "nowhere", "example.org:80", "127.0.0.1:0", "127.0.0.1:80 timeout=0",
        "127.0.0.1:80 timeout=", "127.0.0.1:80 timeout=3600001", "127.0.0.1:80 timeout=5s",
        "127.0.0.1:80 [::1]:80", "timeout=5", "127.0.0.1:80 more",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee]:80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why[0] = '\0';
        CHECK(!relay_configure(bad[i], &config, why, sizeof why));
        CHECK(strlen(why) > 20);
    }
    CHECK(!relay_configure("127.0.0.1:80 more", &config, why, 8));      /* a small buffer is not left */
    CHECK(strlen(why) == 7);
}

static bool requests(bool head_only, const char *path, size_t path_len, const char *query,
                     const char *expected)
{
    char out[256];
    char *p = exact(path, path_len);
    awsgi_slice path_slice = { (const uint8_t *)p, path_len };
    size_t len = relay_request(out, sizeof out, head_only, path_slice, awsgi_string(query), "h:1");

    free(p);
    return len == strlen(expected) && memcmp(out, expected, len) == 0;
}

static void a_request_is_written_so_that_nothing_can_be_smuggled_into_it(void)
{
#define REST " HTTP/1.0\r\nHost: h:1\r\nUser-Agent: awsgi-relay\r\n\r\n"
    CHECK(requests(false, "", 0, "", "GET /" REST));
    CHECK(requests(true, "/a/b.c", 6, "x=1&y=%20", "HEAD /a/b.c?x=1&y=%20" REST));
    CHECK(requests(false, "/a b\r\nc", 7, "", "GET /a%20b%0D%0Ac" REST));
    CHECK(requests(false, "/\0?#%\xc3\xa4", 7, "", "GET /%00%3F%23%25%C3%A4" REST));
    CHECK(requests(false, "/", 1, "a b", ""));
    CHECK(requests(false, "/", 1, "a\r\nb", ""));
    CHECK(requests(false, "/", 1, "\xff", ""));

    awsgi_slice none = { NULL, 0 };
    char out[128];
    size_t whole = relay_request(out, sizeof out, false, none, none, "h:1");
    CHECK(whole == strlen("GET /" REST));
    for (size_t cap = 0; cap < whole; cap++) {      /* all or nothing */
        char *small = malloc(cap > 0 ? cap : 1);
        if (small == NULL)
            abort();
        CHECK(relay_request(small, cap, false, none, none, "h:1") == 0);
        free(small);
    }
#undef REST
}

static relay_parsed parse(const char *text, size_t len, relay_head *head)
{
    char *copy = exact(text, len);
    relay_parsed parsed = relay_parse(copy, len, head);

    free(copy);
    return parsed;
}

static void a_head_is_parsed_once_it_is_complete(void)
{
    static const char text[] = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n"
                               "X-Empty:\r\nX-Spaced: \t a b \t\r\n\r\nhello";
    size_t size = sizeof text - 1 - 5;
    relay_head head;

    for (size_t len = 0; len < size; len++)
        CHECK(parse(text, len, &head) == RELAY_MORE);
    CHECK(relay_parse(text, sizeof text - 1, &head) == RELAY_HEAD);
    CHECK(head.size == size && head.status == 200 && head.length == 5);
    CHECK(head.count == 3);                         /* Connection is not passed on */
    CHECK(relay_name_is(head.headers[0].name, "content-length"));
    CHECK(head.headers[1].value.len == 0);
    CHECK(head.headers[2].value.len == 3 && memcmp(head.headers[2].value.data, "a b", 3) == 0);
    CHECK(relay_body_length(&head, false) == 5 && relay_body_length(&head, true) == 0);
}

static bool heads(const char *text, int32_t status, int64_t length)
{
    relay_head head;

    return parse(text, strlen(text), &head) == RELAY_HEAD && head.status == status
           && relay_body_length(&head, false) == length;
}

static void heads_that_are_well_formed_are_accepted(void)
{
    CHECK(heads("HTTP/1.1 200\r\n\r\n", 200, -1));
    CHECK(heads("HTTP/1.0 404 Not Found\n\n", 404, -1));
    CHECK(heads("HTTP/1.0 599 \r\ncontent-length: 0\r\n\r\n", 599, 0));
    CHECK(heads("HTTP/1.0 204 No Content\r\n\r\n", 204, 0));
    CHECK(heads("HTTP/1.0 304 Same\r\nContent-Length: 9\r\n\r\n", 304, 0));
    CHECK(heads("HTTP/1.0 200 OK\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n", 200, 7));
    CHECK(heads("HTTP/1.0 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", 200, INT64_MAX));
}

static void garbage_is_seen_as_early_as_possible(void)
{
    const char *const bad[] = {
        "x", "HTTQ", "http/1.0 200 OK\r\n\r\n", "\r\n", "HTTP/2.0 200 OK\r\n", "HTTP/1.2 200 OK\r\n",
        "HTTP/1.0 20\r\n", "HTTP/1.0 2000 OK\r\n", "HTTP/1.0 100 Continue\r\n", "HTTP/1.0 600 X\r\n",
        "HTTP/1.0  200 OK\r\n", "HTTP/1.0 2x0 OK\r\n", "HTTP/1.0 200OK\r\n",
        "HTTP/1.0 200 OK\r\nno colon\r\n", "HTTP/1.0 200 OK\r\n: no name\r\n",
        "HTTP/1.0 200 OK\r\nX : space\r\n", "HTTP/1.0 200 OK\r\nX: a\r\n folded: b\r\n",
        "HTTP/1.0 200 OK\r\nX: a\rb\r\n", "HTTP/1.0 200 OK\r\nX: \x7f\r\n",
        "HTTP/1.0 200 OK\r\nX\xff: a\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: -1\r\n", "HTTP/1.0 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 1, 1\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 9223372036854775808\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
    };
    relay_head head;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(parse(bad[i], strlen(bad[i]), &head) == RELAY_GARBAGE);
    CHECK(parse("HTTP/1.0 200 OK\r\nX: a\0b\r\n", 25, &head) == RELAY_GARBAGE);

    char many[17 + 5 * (RELAY_HEADERS + 1) + 2];    /* one header more than there is room for */
    memcpy(many, "HTTP/1.0 200 OK\r\n", 17);
    for (size_t i = 0; i <= RELAY_HEADERS; i++)
        memcpy(many + 17 + 5 * i, "a: b\n", 5);
    memcpy(many + sizeof many - 2, "\r\n", 2);
    CHECK(parse(many, sizeof many, &head) == RELAY_GARBAGE);
    memcpy(many + 17 + 5 * RELAY_HEADERS, "te: b", 5);
    many[17 + 5 * RELAY_HEADERS + 4] = '\n';        /* "te: \n" is not passed on, so there is room */
    CHECK(parse(many, sizeof many, &head) == RELAY_HEAD && head.count == RELAY_HEADERS);
}

/* Bytes that are nearly a head: whatever comes, nothing outside of the block is read. */
static void no_bytes_lead_out_of_the_block(void)
{
    static const char text[] = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\n";
    uint32_t random = 1;

    for (int round = 0; round < 20000; round++) {
        char bytes[sizeof text];
        relay_head head;
        size_t len;

        memcpy(bytes, text, sizeof text);
        for (int i = 0; i < 3; i++) {
            random = random * 1664525 + 1013904223;
            bytes[(random >> 8) % (sizeof text - 1)] = "\r\n\0: \t\xff""0HXa"[(random >> 20) % 11];
        }
        len = (random >> 4) % sizeof text;
        if (parse(bytes, len, &head) == RELAY_HEAD)
            CHECK(head.size <= len && head.count <= RELAY_HEADERS && head.length >= -1);
    }
}

/* ---- the upstream ------------------------------------------------------------------------------- */

/* All that is sent for this request, up to `cap`; `*stop` and `*how` say how it ends. */
static size_t answers(const char *request, char *out, size_t cap, uint64_t *stop, answer_ending *how)
{
    char copy[256];
    answer a;
    size_t n = 0;

    memset(&a, 0, sizeof a);
    (void)snprintf(copy, sizeof copy, "%s", request);
    CHECK(answer_decide(&a, copy));
    while (n < a.stop && n < cap) {
        size_t len = 0;
        const char *bytes = answer_bytes(&a, n, &len);
        CHECK(len > 0 && n + len <= a.stop);
        if (len > cap - n)
            len = cap - n;
        memcpy(out + n, bytes, len);
        n += len;
    }
    *stop = a.stop;
    *how = a.ending;
    free(a.head);
    return n;
}

static void the_upstream_behaves_as_it_is_asked(void)
{
    static char out[200000];
    relay_head head;
    uint64_t stop;
    answer_ending how;
    size_t n;

    n = answers("GET /hello HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && head.status == 200 && how == FINISH);
    CHECK(n == head.size + (size_t)head.length && stop == n);

    n = answers("HEAD /hello HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && n == head.size && head.length > 0);

    n = answers("GET /big?bytes=100000 HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && head.length == 100000);
    CHECK(n == head.size + 100000 && memcmp(out + head.size + 64, "000000000000064 a", 17) == 0);

    n = answers("GET /big?bytes=10&length=no HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && head.length == -1 && n == head.size + 10);

    n = answers("GET /die?after=10 HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && n == head.size + 10 && how == FINISH);
    CHECK(head.length > 10);

    n = answers("GET /stall-body?after=half HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_MORE && n > 0 && how == STALL);

    n = answers("GET /reset?after=head HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(n == 0 && how == RESET);

    n = answers("GET /stall HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(n == 0 && how == STALL);

    n = answers("GET /garbage HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(n > 0 && relay_parse(out, n, &head) == RELAY_GARBAGE);

    n = answers("GET /long-head?bytes=20000 HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, RELAY_BUFFER, &head) == RELAY_MORE);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && head.size > 20000);

    n = answers("GET /die?after=x HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && head.status == 400);
    n = answers("POST /hello HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && head.status == 405);
    n = answers("GET /nowhere HTTP/1.0\r\n\r\n", out, sizeof out, &stop, &how);
    CHECK(relay_parse(out, n, &head) == RELAY_HEAD && head.status == 404);
}

int main(void)
{
    numbers_are_digits_within_their_bounds();
    a_query_gives_a_number_or_is_refused();
    addresses_are_numeric();
    the_crc_is_that_of_zlib();
    the_pattern_is_the_same_however_it_is_cut();
    a_configuration_is_understood_or_explained();
    a_request_is_written_so_that_nothing_can_be_smuggled_into_it();
    a_head_is_parsed_once_it_is_complete();
    heads_that_are_well_formed_are_accepted();
    garbage_is_seen_as_early_as_possible();
    no_bytes_lead_out_of_the_block();
    the_upstream_behaves_as_it_is_asked();
    if (failures == 0)
        (void)printf("examples: all well\n");
    return failures == 0 ? 0 : 1;
}
