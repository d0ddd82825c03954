/* One frame at a time, in pieces: a piece is what a chunk has of a frame.
 *
 * Happy path: the frame lies whole in the chunk -> scanned (by the fast scan, if it has the usual form) and
 * returned in place. Else each piece is scanned, counted and gathered, and the frame is returned from
 * `partial`. Failure modes: over the limit -> what was gathered is dropped, the scan goes on for the id, one
 * FRAME_TOO_LARGE at the end. No memory to gather -> one FRAME_NO_MEMORY, the rest of the frame is dropped
 * unread.
 */
#include "wire/frame.h"

#include <string.h>

#include "wire/json_member.h"
#include "wire/rpc_error.h"
#include "wire/rpc_fast.h"

enum mode {
    M_GATHER,
    M_TOO_LARGE, /* the frame is over its limit */
    M_NO_MEMORY, /* to be reported */
    M_DROP,      /* out of memory, and reported */
};

static void begin_frame(struct frame_reader *r)
{
    rpc_scan_init(&r->scan);
    buf_clear(&r->partial);
    buf_trim(&r->partial, FRAME_KEEP_BYTES);
    buf_clear(&r->id);
    buf_trim(&r->id, 0);
    r->frame_bytes = 0;
    r->mode = M_GATHER;
    r->cr = false;
    r->handed_out = false;
}

void frame_reader_init(struct frame_reader *r, size_t max_bytes, size_t max_id_bytes)
{
    buf_init(&r->partial, max_bytes);
    buf_init(&r->id, max_id_bytes);
    r->max_bytes = max_bytes;
    r->bom = 0;
    begin_frame(r);
}

void frame_reader_done(struct frame_reader *r)
{
    buf_done(&r->partial);
    buf_done(&r->id);
}

/* ---- a piece ---- */

/* Stores the part of the frame's id that lies in this piece: `len` bytes at offset `at` of an over-long
 * frame. If part of the id is missing (too long, no memory), too_large detects it by the stored length. */
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
    size_t at = r->frame_bytes;
    rpc_scan_feed(&r->scan, bytes, len);
    r->frame_bytes += len;
    if (r->mode == M_GATHER && r->frame_bytes > r->max_bytes) {
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

/* ---- the end of a frame ---- */

static enum frame_result too_large(struct frame_reader *r, struct frame *ret_frame)
{
    struct rpc_envelope env;
    rpc_scan_end(&r->scan, &env);
    *ret_frame = (struct frame){.bytes = "", .len = r->frame_bytes, .oversize = true};
    ret_frame->env.kind = env.kind;
    ret_frame->env.fault = env.fault;
    ret_frame->env.fault_at = env.fault_at;
    ret_frame->env.has_method = env.has_method;
    ret_frame->env.is_notice = env.is_notice;
    if (span_found(env.id) && env.id.len == buf_len(&r->id)) {
        ret_frame->bytes = buf_data(&r->id);
        ret_frame->env.id.len = env.id.len;
        ret_frame->env.id_null = env.id_null;
        ret_frame->env.id_is_int = env.id_is_int;
    }
    return FRAME_TOO_LARGE;
}

static enum frame_result hand_out(const char *bytes, size_t len, struct frame *ret_frame)
{
    ret_frame->bytes = bytes;
    ret_frame->len = len;
    ret_frame->oversize = false;
    return FRAME_READY;
}

/* A frame that lies whole in the chunk and passes the fast scan. The reader's state does not change: the
 * next call has nothing to drop. */
static bool is_ordinary(const struct frame_reader *r, const char *bytes, size_t len, struct frame *ret_frame)
{
    return r->mode == M_GATHER && len <= r->max_bytes && rpc_fast_line(bytes, len, &ret_frame->env);
}

/* All pieces are scanned. in_place: the frame is [bytes, bytes + len) and was not gathered. */
static enum frame_result end_frame(struct frame_reader *r, bool in_place, const char *bytes, size_t len,
                                   struct frame *ret_frame)
{
    r->handed_out = true;
    if (r->mode == M_TOO_LARGE)
        return too_large(r, ret_frame);
    if (r->mode == M_NO_MEMORY)
        return FRAME_NO_MEMORY;
    if (r->mode == M_DROP) {
        begin_frame(r);
        return FRAME_MORE;
    }
    rpc_scan_end(&r->scan, &ret_frame->env);
    return in_place ? hand_out(bytes, len, ret_frame)
                    : hand_out(buf_data(&r->partial), buf_len(&r->partial), ret_frame);
}

/* A piece that is not the last: FRAME_MORE, or FRAME_NO_MEMORY once. */
static enum frame_result go_on(struct frame_reader *r)
{
    if (r->mode != M_NO_MEMORY)
        return FRAME_MORE;
    r->mode = M_DROP;
    return FRAME_NO_MEMORY;
}

/* ---- lines ---- */

/* The line's last piece. */
static enum frame_result end_line(struct frame_reader *r, const char *bytes, size_t len,
                                  struct frame *ret_frame)
{
    bool whole = r->frame_bytes == 0 && !r->cr;
    if (whole) {
        len -= len > 0 && bytes[len - 1] == '\r';
        if (is_ordinary(r, bytes, len, ret_frame))
            return hand_out(bytes, len, ret_frame);
        scan_piece(r, bytes, len);
    } else {
        take_piece(r, bytes, len);
    }
    if (r->mode == M_GATHER && rpc_scan_is_blank(&r->scan)) {
        begin_frame(r);
        return FRAME_MORE;
    }
    return end_frame(r, whole, bytes, len, ret_frame);
}

/* At the start of the stream. What turns out to be no mark belongs to the first line. */
static void skip_bom(struct frame_reader *r, const char **bytes, size_t *len)
{
    static const char mark[FRAME_BOM_OVER] = {'\xEF', '\xBB', '\xBF'};
    while ((r->bom < FRAME_BOM_OVER) && (*len > 0)) {
        if (**bytes != mark[r->bom]) {
            size_t met = r->bom;
            r->bom = FRAME_BOM_OVER;
            take_piece(r, mark, met);
            return;
        }
        r->bom++;
        ++*bytes;
        --*len;
    }
}

enum frame_result frame_next(struct frame_reader *r, const char **bytes, size_t *len, struct frame *ret_frame)
{
    if (r->handed_out)
        begin_frame(r);
    if (r->bom < FRAME_BOM_OVER)
        skip_bom(r, bytes, len);
    while (*len > 0) {
        const char *piece = *bytes;
        const char *newline = memchr(piece, '\n', *len);
        size_t piece_len = newline ? (size_t)(newline - piece) : *len;
        size_t taken = piece_len + (newline ? 1 : 0);
        *bytes += taken;
        *len -= taken;
        enum frame_result result;
        if (newline) {
            result = end_line(r, piece, piece_len, ret_frame);
        } else {
            take_piece(r, piece, piece_len);
            result = go_on(r);
        }
        if (result != FRAME_MORE)
            return result;
    }
    return FRAME_MORE;
}

bool frame_reader_has_value(const struct frame_reader *r)
{
    return !r->handed_out && r->mode == M_GATHER && rpc_scan_has_value(&r->scan);
}

enum frame_result frame_end_line(struct frame_reader *r, struct frame *ret_frame)
{
    return end_line(r, "", 0, ret_frame);
}

/* ---- messages ---- */

static bool has_line_end(const char *bytes, size_t len)
{
    return memchr(bytes, '\n', len) || memchr(bytes, '\r', len);
}

/* Of a strict text: line ends occur only between values, since the scan faults them in a string. */
static void blank_line_ends(char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n' || bytes[i] == '\r')
            bytes[i] = ' ';
}

enum frame_result frame_feed_chunk(struct frame_reader *r, const char *bytes, size_t len, bool last,
                                   struct frame *ret_frame)
{
    if (r->handed_out)
        begin_frame(r);
    if (len == 0)
        bytes = "";
    bool first = r->frame_bytes == 0;
    bool whole = first && last;
    if (whole && is_ordinary(r, bytes, len, ret_frame)) /* so there is no line end in it */
        return hand_out(bytes, len, ret_frame);
    if (first)
        rpc_scan_init_message(&r->scan);
    bool in_place = whole && !has_line_end(bytes, len);
    if (in_place)
        scan_piece(r, bytes, len);
    else
        add(r, bytes, len);
    if (!last)
        return go_on(r);
    enum frame_result result = end_frame(r, in_place, bytes, len, ret_frame);
    if (result == FRAME_READY && !in_place && ret_frame->env.fault == RPC_OK)
        blank_line_ends(buf_data(&r->partial), ret_frame->len);
    return result;
}

/* ---- a frame's id ---- */

bool frame_id_is_sound(const struct frame *frame)
{
    const struct rpc_envelope *env = &frame->env;
    bool text_fault = env->fault != RPC_OK && rpc_fault_code(env->fault) == RPC_E_PARSE_ERROR;
    if (text_fault && env->fault_at >= env->id.off && env->fault_at <= env->id.off + env->id.len)
        return false;
    return rpc_check_json(frame_id(frame), env->id.len, NULL) == RPC_OK;
}

bool frame_is_null_notification(const struct frame *frame)
{
    const struct span method = frame->env.method;
    return frame->env.kind == RPC_REQUEST && frame->env.id_null &&
           rpc_string_begins(frame->bytes + method.off, method.len, "notifications/");
}

int frame_drop_null_id(const struct frame *frame, struct buf *text, struct frame *ret_frame)
{
    buf_clear(text);
    int rc = buf_append(text, frame->bytes, frame->len);
    if (rc)
        return rc;
    char *bytes = buf_data(text);
    size_t len = frame->len;
    const char *begin = memchr(bytes, '{', len);
    const struct span root = {(size_t)(begin - bytes), len - (size_t)(begin - bytes)};
    len -= json_member_remove(bytes, len, root, "id");
    *ret_frame = (struct frame){.bytes = bytes, .len = len};
    rpc_scan_line(bytes, len, &ret_frame->env);
    return 0;
}

/* ---- the reader's state ---- */

size_t frame_reader_partial(const struct frame_reader *r)
{
    return r->handed_out ? 0 : buf_len(&r->partial);
}

bool frame_reader_in_line(const struct frame_reader *r)
{
    return !r->handed_out && (r->frame_bytes > 0 || r->cr);
}

void frame_reader_trim(struct frame_reader *r)
{
    if (r->handed_out)
        begin_frame(r);
    buf_shrink(&r->partial); /* of the frame before, which may have been much longer */
}
