/* The elements of JSON strings: plain runs, escapes, UTF-8 sequences. Shared by the scan and the decoders of
 * strings.
 *
 * A plain byte means itself and needs no further check: ASCII, no control byte, no quote, no backslash. Most
 * bytes of most messages are plain, so runs of them are skipped 16 at a time where the machine can (SSE2,
 * which every x86-64 has) and 8 at a time anywhere else.
 */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline bool text_is_plain(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

/* Some byte of the eight is not plain. A byte's top bit gets set when it was set already, or the byte is
 * below 0x20, the quote or the backslash. A borrow may set it in a byte above one that is not plain, never
 * without one. */
static inline bool text_word_hit(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t hit = word | (word - ones * 0x20) | (quote - ones) | (backslash - ones);
    return (hit & (ones * 0x80)) != 0;
}

static inline const char *text_plain_end_portable(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        if (text_word_hit(word))
            break;
        p += 8;
    }
    while (p < end && text_is_plain(*p))
        p++;
    return p;
}

/* The first byte in [p, end) that is not plain, or end. */
static inline const char *text_plain_end(const char *p, const char *end)
{
#if defined(__SSE2__)
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Bytes from 0x80 on are negative: the signed comparison finds them together with the control bytes.
         */
        __m128i hit = _mm_or_si128(_mm_cmplt_epi8(v, space),
                                   _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    return text_plain_end_portable(p, end);
}

/* The byte that an escape's character means; 0: not an escape (u is handled elsewhere). */
static inline char text_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

/* 0 to 15, or -1. */
static inline int text_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* RFC 3629 4: how many bytes follow a sequence's first one, and the range of the next (the others are
 * 80..BF). No overlong form, no surrogate, nothing above U+10FFFF passes. follow == 0: not the first byte
 * of a sequence. */
struct text_lead {
    uint8_t follow;
    uint8_t low;
    uint8_t high;
};

static inline struct text_lead text_lead(char first)
{
    unsigned char c = (unsigned char)first;
    struct text_lead lead = {
        .follow = c < 0xc2 || c > 0xf4 ? 0
                  : c < 0xe0           ? 1
                  : c < 0xf0           ? 2
                                       : 3,
        .low = c == 0xe0   ? 0xa0
               : c == 0xf0 ? 0x90
                           : 0x80,
        .high = c == 0xed   ? 0x9f
                : c == 0xf4 ? 0x8f
                            : 0xbf,
    };
    return lead;
}

static inline bool text_is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Length of the valid sequence of several bytes at p, of which four can be read; 0: not valid.
 */
static inline size_t text_sequence(const char *p)
{
    struct text_lead lead = text_lead(p[0]);
    unsigned char second = (unsigned char)p[1];
    bool valid = lead.follow != 0 && second >= lead.low && second <= lead.high &&
                 (lead.follow < 2 || text_is_continuation(p[2])) &&
                 (lead.follow < 3 || text_is_continuation(p[3]));
    return valid ? lead.follow + 1U : 0;
}

#endif
