/* Untrusted text for people, character by character.
 *
 * Happy path: a character is decoded; one that is no control character is copied. Failure modes: bytes that
 * begin no valid UTF-8 are taken one at a time as U+FFFD; a buffer that refuses ends the text.
 */
#include "wire/sanitize.h"

#include <stdio.h>
#include <string.h>

#include "wire/text.h"

#define REPLACEMENT    "\xef\xbf\xbd" /* U+FFFD */
#define REPLACEMENT_CP UINT32_C(0xfffd)

uint32_t sanitize_decode(const char *p, size_t left, size_t *ret_used)
{
    char four[4] = {0}; /* text_sequence reads four; a NUL is no continuation */
    memcpy(four, p, left < sizeof(four) ? left : sizeof(four));
    unsigned char first = (unsigned char)four[0];
    *ret_used = 1;
    if (first < 0x80)
        return first;
    size_t len = text_sequence(four);
    if (len == 0)
        return REPLACEMENT_CP;
    *ret_used = len;
    uint32_t c = first & (0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)four[i] & 0x3f);
    return c;
}

bool sanitize_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ||                                       /* C0, DEL, C1 */
           c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || /* direction */
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029 ||                /* and lines */
           c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f); /* byte order mark, tags */
}

static void put(struct sanitized *s, const char *bytes, size_t len)
{
    memcpy(s->bytes, bytes, len);
    s->len = len;
}

static void put_escape(struct sanitized *s, uint32_t c)
{
    int len;
    if (c == '\n' || c == '\t' || c == '\r')
        len = snprintf(s->bytes, sizeof(s->bytes), "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (c < 0x80)
        len = snprintf(s->bytes, sizeof(s->bytes), "\\x%02x", (unsigned)c);
    else
        len = snprintf(s->bytes, sizeof(s->bytes), "\\u{%x}", (unsigned)c);
    s->len = (size_t)len;
}

struct sanitized sanitize_next(const char *p, size_t left, enum sanitize_mode mode)
{
    struct sanitized s = {.len = 0};
    uint32_t c = sanitize_decode(p, left, &s.used);
    bool is_kept = mode == SANITIZE_ESCAPE_LINES && (c == '\n' || c == '\t');
    if (c == REPLACEMENT_CP)
        put(&s, REPLACEMENT, sizeof(REPLACEMENT) - 1);
    else if (is_kept || !sanitize_is_control(c))
        put(&s, p, s.used);
    else if (mode == SANITIZE_BLANK)
        put(&s, " ", 1);
    else
        put_escape(&s, c);
    return s;
}

/* How many bytes from here on are copied unchanged in every mode: printable ASCII. */
static size_t plain_run(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= 0x20 && text[n] < 0x7f)
        n++;
    return n;
}

int sanitize_append(struct buf *b, const char *text, size_t len, enum sanitize_mode mode)
{
    while (len > 0) {
        size_t plain = plain_run(text, len);
        int rc = buf_append(b, text, plain);
        text += plain;
        len -= plain;
        if (rc != 0 || len == 0)
            return rc;
        struct sanitized s = sanitize_next(text, len, mode);
        rc = buf_append(b, s.bytes, s.len);
        if (rc != 0)
            return rc;
        text += s.used;
        len -= s.used;
    }
    return 0;
}

void sanitize_copy(char *out, size_t size, const char *text, size_t len, enum sanitize_mode mode)
{
    size_t at = 0;
    while (len > 0) {
        struct sanitized s = sanitize_next(text, len, mode);
        if (s.len >= size - at)
            break;
        memcpy(out + at, s.bytes, s.len);
        at += s.len;
        text += s.used;
        len -= s.used;
    }
    out[at] = '\0';
}

bool sanitize_is_plain(const char *text, size_t len)
{
    for (size_t at = 0, used; at < len; at += used)
        if (sanitize_is_control(sanitize_decode(text + at, len - at, &used)))
            return false;
    return len > 0;
}
