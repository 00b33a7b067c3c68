/* The bytes that /stream and the upstream's /big send. Every line is 64 bytes: its own offset in 15
 * decimal digits, a space, and fixed text. So what was cut, doubled or swapped on the way shows, to a
 * checksum and to the eye:
 *
 *     000000000000000 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRST
 *     000000000000064 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRST
 *
 * N bytes are the first N of that. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PATTERN_LINE = 64, PATTERN_DIGITS = 15 };

/* The `len` bytes that begin at `offset`. */
static inline void pattern_fill(uint64_t offset, void *out, size_t len)
{
    unsigned char *p = out;
    char line[] = "000000000000000 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRST\n";

    while (len > 0) {
        size_t skip = (size_t)(offset % PATTERN_LINE);
        size_t part = PATTERN_LINE - skip;
        uint64_t number = offset - skip;

        for (size_t i = PATTERN_DIGITS; i-- > 0; number /= 10)
            line[i] = (char)('0' + number % 10);
        if (part > len)
            part = len;
        memcpy(p, line + skip, part);
        p += part;
        offset += part;
        len -= part;
    }
}

#endif
