/* Each brace that may begin an object (a quote or a brace follows) is scanned to the end of the line: the scan says
 * where the object ends, or where it breaks.
 *
 * Failure modes: the budget of bytes is used up -> nothing more is found in this line.
 */
#include "wire/line_split.h"

#include <string.h>

#include "wire/rpc_error.h"

#define ESC         0x1b
#define PIECE_BYTES ((size_t)1 << 10)

/* ---- escape sequences ---- */

/* Length of the sequence that begins at `bytes`, an ESC (ECMA-48: CSI to its final byte, OSC to BEL or ST, else two
 * bytes). */
static size_t escape_len(const char *bytes, size_t len)
{
    size_t at = 2;
    if (len < 2)
        return len;
    if (bytes[1] == '[') {
        while (at < len && (bytes[at] < 0x40 || bytes[at] > 0x7e) && (unsigned char)bytes[at] >= 0x20)
            at++;
        return at < len ? at + 1 : len;
    }
    if (bytes[1] != ']')
        return at;
    while (at < len && bytes[at] != 0x07 && bytes[at] != ESC)
        at++;
    if (at < len && bytes[at] == ESC && at + 1 < len)
        at++;
    return at < len ? at + 1 : len;
}

static size_t invisible_len(const char *bytes, size_t len)
{
    unsigned char c = (unsigned char)bytes[0];
    if (c == ESC)
        return escape_len(bytes, len);
    if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
        return 3;
    return c <= ' ' || c == 0x7f ? 1 : 0;
}

size_t line_skip_escapes(const char *bytes, size_t len)
{
    size_t at = 0;
    size_t n;
    while (at < len && (n = invisible_len(bytes + at, len - at)) > 0)
        at += n;
    return at;
}

/* ---- objects ---- */

void line_split_init(struct line_split *s, const char *bytes, size_t len)
{
    *s = (struct line_split){.bytes = bytes, .len = len, .budget = 4 * len + ((size_t)64 << 10)};
}

/* Where the next object may begin, or the line's end. */
static size_t next_brace(const struct line_split *s)
{
    size_t at = s->at;
    while (at < s->len) {
        const char *brace = memchr(s->bytes + at, '{', s->len - at);
        if (!brace)
            break;
        at = (size_t)(brace - s->bytes);
        size_t behind = at + 1;
        while (behind < s->len && (s->bytes[behind] == ' ' || s->bytes[behind] == '\t'))
            behind++;
        if (behind < s->len && (s->bytes[behind] == '"' || s->bytes[behind] == '}'))
            return at;
        at++;
    }
    return s->len;
}

static bool is_text_fault(const struct rpc_envelope *env)
{
    return env->fault != RPC_OK && rpc_fault_code(env->fault) == RPC_E_PARSE_ERROR;
}

/* In pieces, so that a scan that broke off costs no more than it has seen. */
static bool scan(struct line_split *s, struct frame *frame)
{
    struct rpc_scan scan;
    rpc_scan_init(&scan);
    for (size_t at = 0; at < frame->len && !scan_is_broken(&scan.json);) {
        size_t n = frame->len - at < PIECE_BYTES ? frame->len - at : PIECE_BYTES;
        if (n > s->budget)
            return false;
        s->budget -= n;
        rpc_scan_feed(&scan, frame->bytes + at, n);
        at += n;
    }
    rpc_scan_end(&scan, &frame->env);
    return true;
}

/* The rest of the line is not JSON: is the object itself, with something behind it? */
static bool ends_before_fault(struct line_split *s, const struct frame *rest, struct frame *ret_object)
{
    struct frame object = {.bytes = rest->bytes, .len = rest->env.fault_at};
    while (object.len > 0 && (object.bytes[object.len - 1] == ' ' || object.bytes[object.len - 1] == '\t'))
        object.len--;
    if (rest->env.fault != RPC_BAD_JSON || object.len == 0 || !scan(s, &object) || is_text_fault(&object.env))
        return false;
    *ret_object = object;
    return true;
}

static void note_text(struct line_split *s, size_t from, size_t to)
{
    if (!s->broken && line_skip_escapes(s->bytes + from, to - from) < to - from)
        s->has_text = true;
}

bool line_split_next(struct line_split *s, struct frame *ret_frame, bool *ret_whole)
{
    size_t begin = next_brace(s);
    struct frame rest = {.bytes = s->bytes + begin, .len = s->len - begin};
    note_text(s, s->at, begin);
    s->at = s->len;
    if (rest.len == 0 || !scan(s, &rest))
        return false;
    *ret_whole = !is_text_fault(&rest.env) || ends_before_fault(s, &rest, &rest);
    s->at = *ret_whole ? begin + rest.len : begin + 1;
    s->broken = s->broken || !*ret_whole;
    *ret_frame = rest;
    return true;
}
