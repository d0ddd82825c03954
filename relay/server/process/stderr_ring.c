/* A ring of the last 64 KiB of a child's standard error.
 *
 * While the ring grows it starts at 0, so growing is a realloc; at its full size it wraps. Lines are gathered
 * in a small buffer of their own. Failure modes: no memory -> the ring wraps at the size it has, or keeps
 * nothing; lines that cannot be gathered are not logged.
 */
#include "server/process/stderr_ring.h"

#include <string.h>

#include "base/alloc.h"

void stderr_ring_init(struct stderr_ring *r, stderr_line_cb *on_line, void *data)
{
    *r = (struct stderr_ring){.on_line = on_line, .data = data};
}

void stderr_ring_done(struct stderr_ring *r)
{
    mem_free(r->bytes);
    mem_free(r->line);
    stderr_ring_init(r, NULL, NULL);
}

/* ---- the ring ---- */

/* A ring that has wrapped is at its full size, or could not grow once: it stays as it is. */
static void grow(struct stderr_ring *r, size_t wanted)
{
    if (r->cap >= STDERR_RING_BYTES || r->end < r->len)
        return;
    size_t cap = r->cap != 0 ? r->cap : 1024;
    while (cap < wanted && cap < STDERR_RING_BYTES)
        cap *= 2;
    if (cap == r->cap)
        return;
    char *bytes = mem_realloc(r->bytes, cap);
    if (!bytes)
        return;
    r->bytes = bytes;
    r->cap = cap;
}

static void keep(struct stderr_ring *r, const char *bytes, size_t len)
{
    if (len > STDERR_RING_BYTES) {
        bytes += len - STDERR_RING_BYTES;
        len = STDERR_RING_BYTES;
    }
    grow(r, r->len + len);
    if (len > r->cap) {
        bytes += len - r->cap;
        len = r->cap;
    }
    size_t first = len < r->cap - r->end ? len : r->cap - r->end;
    if (first > 0)
        memcpy(r->bytes + r->end, bytes, first);
    if (len > first)
        memcpy(r->bytes, bytes + first, len - first);
    r->end = first < len ? len - first : r->end + first;
    r->len = r->len + len < r->cap ? r->len + len : r->cap;
}

/* ---- lines ---- */

void stderr_ring_flush(struct stderr_ring *r)
{
    size_t len = r->line_len;
    r->line_len = 0;
    if (len > 0 && r->line[len - 1] == '\r')
        len--;
    if (len > 0 && r->on_line)
        r->on_line(r->data, r->line, len);
}

static void gather(struct stderr_ring *r, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t room = STDERR_LINE_BYTES - r->line_len;
        size_t part = len < room ? len : room;
        memcpy(r->line + r->line_len, bytes, part);
        r->line_len += part;
        bytes += part;
        len -= part;
        if (r->line_len == STDERR_LINE_BYTES)
            stderr_ring_flush(r);
    }
}

static void cut_lines(struct stderr_ring *r, const char *bytes, size_t len)
{
    if (!r->line && !(r->line = mem_alloc(STDERR_LINE_BYTES)))
        return;
    const char *newline;
    while (len > 0 && (newline = memchr(bytes, '\n', len))) {
        size_t part = (size_t)(newline - bytes);
        gather(r, bytes, part);
        stderr_ring_flush(r);
        bytes += part + 1;
        len -= part + 1;
    }
    gather(r, bytes, len);
}

void stderr_ring_add(struct stderr_ring *r, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    r->total_bytes += len;
    keep(r, bytes, len);
    cut_lines(r, bytes, len);
}

/* ---- the tail ---- */

static char byte_at(const struct stderr_ring *r, size_t i)
{
    size_t start = r->end >= r->len ? r->end - r->len : r->end + r->cap - r->len;
    return r->bytes[(start + i) % r->cap];
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Length of the well-formed UTF-8 sequence at bytes[0], 0 when it is none. */
static size_t sequence_len(const char *bytes, size_t len)
{
    unsigned char lead = (unsigned char)bytes[0];
    if (lead < 0x80)
        return 1;
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || len < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if (!is_continuation(bytes[i]))
            return 0;
    }
    unsigned char next = (unsigned char)bytes[1];
    bool over_long = (lead == 0xE0 && next < 0xA0) || (lead == 0xF0 && next < 0x90);
    bool no_scalar = (lead == 0xED && next > 0x9F) || (lead == 0xF4 && next > 0x8F);
    return over_long || no_scalar ? 0 : need;
}

static void make_valid(char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = sequence_len(text + i, len - i);
        if (step == 0)
            text[i] = '?';
        i += step != 0 ? step : 1;
    }
}

size_t stderr_ring_tail(const struct stderr_ring *r, char *ret_text, size_t max)
{
    size_t len = r->len < max - 1 ? r->len : max - 1;
    size_t from = r->len - len;
    for (unsigned skipped = 0; from > 0 && skipped < 3 && len > 0 && is_continuation(byte_at(r, from));
         skipped++) {
        from++;
        len--;
    }
    for (size_t i = 0; i < len; i++)
        ret_text[i] = byte_at(r, from + i);
    make_valid(ret_text, len);
    ret_text[len] = '\0';
    return len;
}
