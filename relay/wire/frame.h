/* Framing: splits a byte stream into frames and scans each one. A reader has two entries, for streams that
 * are cut into lines and for those whose protocol says where a message ends:
 *
 *   frame_next         one frame per line: TCP, a child's stdout
 *   frame_feed_chunk   one frame per message, whose end the caller states: an HTTP body, a WebSocket message
 *
 * Both scan the chunks as they come, so that a long frame never blocks the event loop; both return a frame
 * that lies whole in one chunk as a pointer into the chunk (no copy) and gather a frame that spans chunks. A
 * frame may be max_bytes long. A longer one is skipped to its end and then reported once, with its id,
 * wherever in the frame the id is. The result does not depend on where the chunks are cut.
 *
 * Lines: a byte order mark (of UTF-8) at the very start of the stream is skipped. A line's content is the bytes before its newline, less one trailing CR (which is held back at the
 * end of a chunk until the next byte is known). A line of white space alone is skipped silently.
 *
 * Messages: line ends (LF and CR) between values are white space, and become spaces in the returned frame, so
 * that it can be forwarded as one line; a message with line ends is gathered even when it came in one chunk.
 * Every message has its result; one of white space alone is RPC_TRUNCATED.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "wire/rpc.h"

/* Storage that is kept from one gathered frame to the next, so that a busy peer, whose lines are cut by the
 * ends of reads, costs no allocation; above the longest frame of the default configuration, because fresh
 * pages cost page faults. frame_reader_trim releases it. */
#define FRAME_KEEP_BYTES ((size_t)16 << 20)

struct frame {
    const char *bytes; /* without the newline that ended it; borrowed until the next call on the reader */
    size_t len;
    bool oversize; /* frame_next returned FRAME_TOO_LARGE: `bytes` does not hold the line */
    struct rpc_envelope env;
};

enum frame_result {
    FRAME_MORE,      /* the chunk is used up */
    FRAME_READY,     /* ret_frame is filled */
    FRAME_TOO_LARGE, /* ret_frame->len is the frame's length. bytes holds its id alone: env.id (off 0), absent
                        where the frame has none, one longer than max_id_bytes, or is broken before it. Of env
                        only kind, fault, fault_at, has_method, is_notice and what concerns the id are set */
    FRAME_NO_MEMORY, /* the frame could not be gathered: it is skipped to its end; reported once, at once.
                        ret_frame->bytes and len are not touched */
};

#define FRAME_BOM_OVER 3

struct frame_reader {
    struct buf partial;   /* the gathered start of a frame; empty between frames that came whole */
    struct buf id;        /* of an over-long frame, as far as it came */
    struct rpc_scan scan; /* of the frame under way */
    size_t frame_bytes;   /* its content so far, without a CR held back */
    size_t max_bytes;
    uint8_t mode; /* frame.c's: gathering, or skipping */
    uint8_t bom;  /* bytes met of a byte order mark at the start of the stream; FRAME_BOM_OVER: behind it */
    bool cr;      /* held back: trailing if the newline comes next, else the line's */
    bool handed_out; /* the frame is over and borrowed: it is dropped at the next call */
};

void frame_reader_init(struct frame_reader *r, size_t max_bytes, size_t max_id_bytes);
void frame_reader_done(struct frame_reader *r);
/* The next line's frame: pass a chunk, call until it returns FRAME_MORE. Advances *bytes and *len over the
 * consumed bytes. */
enum frame_result frame_next(struct frame_reader *r, const char **bytes, size_t *len,
                             struct frame *ret_frame);
/* Takes the next chunk of the message under way, all of it; `last`: the message ends with it. `len` may be
 * 0 (`bytes` may then be NULL). A message has its result at its last chunk; FRAME_NO_MEMORY may be
 * returned at an earlier one, and the last one then returns FRAME_MORE. Not to be called while a line is
 * under way, nor frame_next while a message is. */
enum frame_result frame_feed_chunk(struct frame_reader *r, const char *bytes, size_t len, bool last,
                                   struct frame *ret_frame);
/* Bytes held of an incomplete frame: they count against the memory limits. */
size_t frame_reader_partial(const struct frame_reader *r);
/* A frame is incomplete; it may hold no bytes while it is skipped. */
bool frame_reader_in_line(const struct frame_reader *r);
/* The line under way is a whole object or array already: nothing but its newline can follow. */
bool frame_reader_has_value(const struct frame_reader *r);
/* Ends such a line as its newline would. */
enum frame_result frame_end_line(struct frame_reader *r, struct frame *ret_frame);
/* Releases storage that no frame needs; for a peer that has been idle for a while. Invalidates a borrowed
 * frame. */
void frame_reader_trim(struct frame_reader *r);

/* Where the frame's id begins; env.id.len bytes, 0 when it has none. */
static inline const char *frame_id(const struct frame *frame)
{
    return frame->bytes + frame->env.id.off;
}
/* The frame (of FRAME_READY or FRAME_TOO_LARGE) has an id that may be repeated in an answer: it is JSON
 * itself, and the frame's fault is neither in the id nor directly behind it (in {"id":01 the id is not 0).
 */
bool frame_id_is_sound(const struct frame *frame);
/* A sound request whose id is null and whose method is that of a notification: a serializer of one class for all
 * messages wrote it. */
bool frame_is_null_notification(const struct frame *frame);
/* The notification that is meant by such a frame: a copy of it in `text` without the id. -ENOMEM, ERR_TOO_LARGE. */
MUSTCHECK int frame_drop_null_id(const struct frame *frame, struct buf *text, struct frame *ret_frame);

#endif
