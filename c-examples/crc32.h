/* The CRC-32 of zlib, gzip and PNG: reflected polynomial 0xEDB88320. */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what gave `crc` followed by these bytes; that of nothing is 0.
 *
 * Four bits at a time: a table of 256 entries would be faster, and would have to be filled by someone
 * before the first thread comes. */
static inline uint32_t crc32_more(uint32_t crc, const void *bytes, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const unsigned char *p = bytes;

    crc = ~crc;
    while (len-- > 0) {
        crc ^= *p++;
        crc = table[crc & 15] ^ (crc >> 4);
        crc = table[crc & 15] ^ (crc >> 4);
    }
    return ~crc;
}

#endif
