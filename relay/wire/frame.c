/* One line at a time, in pieces: a piece is what a chunk has of a line.
 *
 * Happy path: the line lies whole in the chunk -> scanned (the short way, if it is an ordinary one) and
 * handed out where it is. Else each piece is scanned, counted and gathered, and the line is handed out of
 * `partial`. Failure modes: over the limit -> what was gathered is dropped, the pieces are scanned on for the
 * id's sake, one FRAME_TOO_LARGE at the end. No memory to gather -> one FRAME_NO_MEMORY, the rest of the line
 * is dropped unread.
 */
#include "wire/frame.h"

#include <string.h>

#include "wire/rpc_fast.h"

enum mode {
    M_GATHER,
    M_TOO_LARGE, /* the line is over its limit */
    M_NO_MEMORY, /* to be reported */
    M_DROP,      /* out of memory, and reported */
};

static void begin_line(struct frame_reader *r)
{
    rpc_scan_init(&r->scan);
    buf_clear(&r->partial);
    buf_trim(&r->partial, FRAME_KEEP_BYTES);
    buf_clear(&r->id);
    buf_trim(&r->id, 0);
    r->line_bytes = 0;
    r->mode = M_GATHER;
    r->cr = false;
    r->handed_out = false;
}

void frame_reader_init(struct frame_reader *r, size_t max_bytes, size_t max_id_bytes)
{
    buf_init(&r->partial, max_bytes);
    buf_init(&r->id, max_id_bytes);
    r->max_bytes = max_bytes;
    begin_line(r);
}

void frame_reader_done(struct frame_reader *r)
{
    buf_done(&r->partial);
    buf_done(&r->id);
}

/* ---- a piece ---- */

/* Takes what this piece, `len` bytes that stand at `at` of an over-long line, has of the line's id. What is
 * missing in the end (too long, no memory) is noticed there by the length. */
static void keep_id(struct frame_reader *r, size_t at, const char *bytes, size_t len)
{
    struct span id = rpc_scan_id(&r->scan);
    size_t from = id.off + buf_len(&r->id);
    size_t to = id.off + id.len;
    if (to > at + len)
        to = at + len;
    if (from < at || from >= to)
        return;
    if (buf_append(&r->id, bytes + (from - at), to - from) != 0)
        buf_clear(&r->id);
}

static void scan_piece(struct frame_reader *r, const char *bytes, size_t len)
{
    size_t at = r->line_bytes;
    rpc_scan_feed(&r->scan, bytes, len);
    r->line_bytes += len;
    if (r->mode == M_GATHER && r->line_bytes > r->max_bytes) {
        r->mode = M_TOO_LARGE;
        keep_id(r, 0, buf_data(&r->partial), buf_len(&r->partial));
        buf_clear(&r->partial);
        buf_trim(&r->partial, 0);
    }
    if (r->mode == M_TOO_LARGE)
        keep_id(r, at, bytes, len);
}

static void gather(struct frame_reader *r, const char *bytes, size_t len)
{
    if (buf_append(&r->partial, bytes, len) == 0)
        return;
    r->mode = M_NO_MEMORY;
    buf_clear(&r->partial);
    buf_trim(&r->partial, 0);
}

static void add(struct frame_reader *r, const char *bytes, size_t len)
{
    if (len == 0 || r->mode >= M_NO_MEMORY)
        return;
    scan_piece(r, bytes, len);
    if (r->mode == M_GATHER)
        gather(r, bytes, len);
}

/* A CR at its end is held back: the newline may be next. */
static void take_piece(struct frame_reader *r, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (r->cr)
        add(r, "\r", 1);
    r->cr = bytes[len - 1] == '\r';
    add(r, bytes, len - r->cr);
}

/* ---- its end ---- */

static enum frame_result too_large(struct frame_reader *r, struct frame *ret_frame)
{
    struct rpc_envelope env;
    rpc_scan_end(&r->scan, &env);
    *ret_frame = (struct frame){.bytes = "", .len = r->line_bytes};
    ret_frame->env.kind = env.kind;
    ret_frame->env.fault = env.fault;
    ret_frame->env.fault_at = env.fault_at;
    ret_frame->env.has_method = env.has_method;
    if (span_found(env.id) && env.id.len == buf_len(&r->id)) {
        ret_frame->bytes = buf_data(&r->id);
        ret_frame->env.id.len = env.id.len;
        ret_frame->env.id_null = env.id_null;
        ret_frame->env.id_is_int = env.id_is_int;
    }
    return FRAME_TOO_LARGE;
}

static enum frame_result ready(struct frame_reader *r, const char *bytes, size_t len, struct frame *ret_frame)
{
    ret_frame->bytes = bytes;
    ret_frame->len = len;
    rpc_scan_end(&r->scan, &ret_frame->env);
    return FRAME_READY;
}

/* The line's last piece. */
static enum frame_result end_line(struct frame_reader *r, const char *bytes, size_t len,
                                  struct frame *ret_frame)
{
    bool whole = r->line_bytes == 0 && !r->cr;
    if (whole) {
        len -= len > 0 && bytes[len - 1] == '\r';
        if (r->mode == M_GATHER && len <= r->max_bytes && rpc_fast_line(bytes, len, &ret_frame->env)) {
            ret_frame->bytes = bytes;
            ret_frame->len = len;
            return FRAME_READY; /* the reader is as it was: nothing has to go at the next call */
        }
        scan_piece(r, bytes, len);
    } else {
        take_piece(r, bytes, len);
    }
    r->handed_out = true;
    if (r->mode == M_TOO_LARGE)
        return too_large(r, ret_frame);
    if (r->mode == M_NO_MEMORY)
        return FRAME_NO_MEMORY;
    if (r->mode == M_DROP || rpc_scan_is_blank(&r->scan)) {
        begin_line(r);
        return FRAME_MORE;
    }
    return whole ? ready(r, bytes, len, ret_frame)
                 : ready(r, buf_data(&r->partial), buf_len(&r->partial), ret_frame);
}

static enum frame_result go_on(struct frame_reader *r, const char *bytes, size_t len)
{
    take_piece(r, bytes, len);
    if (r->mode != M_NO_MEMORY)
        return FRAME_MORE;
    r->mode = M_DROP;
    return FRAME_NO_MEMORY;
}

enum frame_result frame_next(struct frame_reader *r, const char **bytes, size_t *len, struct frame *ret_frame)
{
    if (r->handed_out)
        begin_line(r);
    while (*len > 0) {
        const char *piece = *bytes;
        const char *newline = memchr(piece, '\n', *len);
        size_t piece_len = newline ? (size_t)(newline - piece) : *len;
        size_t taken = piece_len + (newline ? 1 : 0);
        *bytes += taken;
        *len -= taken;
        enum frame_result result =
            newline ? end_line(r, piece, piece_len, ret_frame) : go_on(r, piece, piece_len);
        if (result != FRAME_MORE)
            return result;
    }
    return FRAME_MORE;
}

/* ---- looking in ---- */

size_t frame_reader_partial(const struct frame_reader *r)
{
    return r->handed_out ? 0 : buf_len(&r->partial);
}

bool frame_reader_in_line(const struct frame_reader *r)
{
    return !r->handed_out && (r->line_bytes > 0 || r->cr);
}

void frame_reader_trim(struct frame_reader *r)
{
    if (r->handed_out)
        begin_line(r);
    buf_trim(&r->partial, 0);
}
