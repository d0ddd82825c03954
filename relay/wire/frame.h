/* Framing: cuts a byte stream into newline-delimited frames and scans each one on the way.
 *
 * Pull style: hand in a chunk, call frame_next until it says FRAME_MORE. A frame that lies whole inside the
 * chunk is given as a pointer into it (no copy); one that spans chunks is gathered. The scan runs over the
 * chunks as they come, so a long line never stalls a turn.
 *
 * A line's content is what stands before its newline, less one trailing CR; it may be max_bytes long. A line
 * of white space alone is skipped without a word. A longer line is skipped to its end and then reported once,
 * with the id it carries wherever that stands. Nothing of this depends on how the line was chunked: a CR that
 * ends a chunk is held back until it is known what follows it.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "wire/rpc.h"

/* Storage that is kept from one gathered line to the next, so that a busy peer, whose lines are cut by the
 * ends of reads, costs no allocation; above the longest line of the default configuration, for the page
 * faults' sake. frame_reader_trim gives it back. */
#define FRAME_KEEP_BYTES ((size_t)16 << 20)

struct frame {
    const char *bytes; /* without the newline; borrowed, valid until the next call on the reader */
    size_t len;
    struct rpc_envelope env;
};

enum frame_result {
    FRAME_MORE,      /* the chunk is used up */
    FRAME_READY,     /* ret_frame is filled */
    FRAME_TOO_LARGE, /* ret_frame->len is the line's length. bytes holds its id alone: env.id (off 0), absent
                        where the line has none, one longer than max_id_bytes, or is broken before it. Of env
                        only kind, fault, fault_at, has_method and what concerns the id are set */
    FRAME_NO_MEMORY, /* the line could not be gathered: it is skipped to its end; reported once, at once.
                        ret_frame is not touched */
};

struct frame_reader {
    struct buf partial;   /* the gathered start of a line; empty between lines that came whole */
    struct buf id;        /* of an over-long line, as far as it came */
    struct rpc_scan scan; /* of the line under way */
    size_t line_bytes;    /* its content so far, without a CR held back */
    size_t max_bytes;
    uint8_t mode;    /* frame.c's: gathering, or skipping */
    bool cr;         /* held back: trailing if the newline comes next, else the line's */
    bool handed_out; /* the line is over and its frame borrowed: it goes at the next call */
};

void frame_reader_init(struct frame_reader *r, size_t max_bytes, size_t max_id_bytes);
void frame_reader_done(struct frame_reader *r);
/* Advances *bytes and *len over what it took. */
enum frame_result frame_next(struct frame_reader *r, const char **bytes, size_t *len,
                             struct frame *ret_frame);
/* Bytes held of a line begun and not ended: what counts against the memory limits. */
size_t frame_reader_partial(const struct frame_reader *r);
/* A line has begun and not ended; it may hold nothing, when it is being skipped. */
bool frame_reader_in_line(const struct frame_reader *r);
/* Gives back storage that no line needs; for a peer that has been quiet for a while. Ends the borrowing of a
 * frame. */
void frame_reader_trim(struct frame_reader *r);

#endif
