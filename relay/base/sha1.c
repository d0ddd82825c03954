/* SHA-1, block by block. Nothing can fail. */
#include "base/sha1.h"

#include <string.h>

#define BLOCK_BYTES 64

static uint32_t rotate(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

/* FIPS 180-4 4.1.1 and 4.2.1: the function and the constant of step i. */
static uint32_t mix(unsigned i, const uint32_t h[5])
{
    uint32_t b = h[1], c = h[2], d = h[3];
    if (i < 20)
        return ((b & c) | (~b & d)) + 0x5a827999U;
    if (i < 40)
        return (b ^ c ^ d) + 0x6ed9eba1U;
    if (i < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcU;
    return (b ^ c ^ d) + 0xca62c1d6U;
}

static void take_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t w[80];
    uint32_t h[5];
    memcpy(h, state, sizeof(h));
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t next = rotate(h[0], 5) + mix(i, h) + h[4] + w[i];
        h[4] = h[3];
        h[3] = h[2];
        h[2] = rotate(h[1], 30);
        h[1] = h[0];
        h[0] = next;
    }
    for (unsigned i = 0; i < 5; i++)
        state[i] += h[i];
}

/* The rest, a one bit, zeros, and the length in bits: one block or two. */
static void take_end(uint32_t state[5], const uint8_t *rest, size_t rest_len, uint64_t total_len)
{
    uint8_t block[2 * BLOCK_BYTES] = {0};
    size_t len = rest_len + 1 + 8 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    memcpy(block, rest, rest_len);
    block[rest_len] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        block[len - 1 - i] = (uint8_t)(total_len * 8 >> (8 * i));
    for (size_t at = 0; at < len; at += BLOCK_BYTES)
        take_block(state, block + at);
}

void sha1(const void *bytes, size_t len, uint8_t ret_digest[SHA1_BYTES])
{
    uint32_t state[5] = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
    const uint8_t *p = bytes;
    size_t left = len;
    for (; left >= BLOCK_BYTES; p += BLOCK_BYTES, left -= BLOCK_BYTES)
        take_block(state, p);
    take_end(state, p, left, len);
    for (unsigned i = 0; i < SHA1_BYTES; i++)
        ret_digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
