/* Numeric addresses: "127.0.0.1:9090", "[::1]:9090". Names would need a look-up, which can take
 * seconds and has no place in code that must not block. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } as;
    socklen_t len;
} address;

/* Digits only, up to `max`: no sign, no space, no overflow, unlike strtoul. */
static inline bool digits_parse(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static inline bool address_parse(const char *text, size_t len, address *out)
{
    char host[INET6_ADDRSTRLEN];
    size_t colon = len, from = 0;
    uint64_t port;

    memset(out, 0, sizeof *out);
    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    if (colon == 0 || !digits_parse(text + colon, len - colon, 65535, &port))
        return false;
    size_t to = colon - 1;                          /* the host is text[from, to) */
    bool v6 = to >= 2 && text[0] == '[' && text[to - 1] == ']';
    if (v6) {
        from++;
        to--;
    }
    if (to - from >= sizeof host)
        return false;
    memcpy(host, text + from, to - from);
    host[to - from] = '\0';

    if (v6) {
        out->len = sizeof out->as.v6;
        out->as.v6.sin6_family = AF_INET6;
        out->as.v6.sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host, &out->as.v6.sin6_addr) == 1;
    }
    out->len = sizeof out->as.v4;
    out->as.v4.sin_family = AF_INET;
    out->as.v4.sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &out->as.v4.sin_addr) == 1;
}

#endif
