/* What a session that may be resumed has sent: every frame from its sending to its acknowledgement, once.
 * Pure.
 *
 *   |<------------ bytes ------------>|
 *   | taken, unacknowledged | waiting |
 *   ^ first                 ^ taken   ^ end
 *
 * Frames are appended behind the end, and taken one by one for the transport that is attached. An
 * acknowledgement drops them from the front. A new transport begins again at the first one that is not
 * acknowledged (out_queue_rewind). So the queue is the only copy of a frame, but for what a transport has
 * under way.
 *
 * Frames are kept bare, without the framing of a transport, so that a session may move from one kind to
 * another. In steady state nothing is allocated: the storage is kept, and doubles up to `max_bytes`.
 */
#ifndef SESSION_OUT_QUEUE_H
#define SESSION_OUT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "route/message.h"

struct out_queue {
    struct buf bytes; /* per frame: a header (out_queue.c), what it is about, and its bytes */
    size_t
        taken_bytes; /* of `bytes`, what was handed to the transport: the offset of the next frame to take */
    uint64_t acknowledged; /* frames dropped from the front, ever */
    uint64_t taken;    /* frames handed out, ever; a rewind sets it back. acknowledged <= taken <= appended */
    uint64_t appended; /* frames, ever: the number of the newest */
};

/* A kept message, in one part. `message` points to `part`: the struct is not copied. */
struct out_frame {
    struct part part;
    struct message message;
};

/* `max_bytes` bounds what is kept, headers included. */
void out_queue_init(struct out_queue *q, size_t max_bytes);
void out_queue_done(struct out_queue *q);

/* Copies one frame. ERR_TOO_LARGE when the bound would be passed, -ENOMEM; nothing is kept then. */
MUSTCHECK int out_queue_append(struct out_queue *q, const struct message *message);
/* The oldest frame that was not handed out, or false. It stays in the queue; `ret_frame` borrows from it
 * until the next append. */
bool out_queue_next(const struct out_queue *q, struct out_frame *ret_frame);
/* That frame has been handed to the transport. */
void out_queue_take(struct out_queue *q);
/* The peer has `count` frames in all. Not more than were taken and not fewer than before, else ERR_RANGE and
 * nothing is dropped. */
MUSTCHECK int out_queue_acknowledge(struct out_queue *q, uint64_t count);
/* A new transport: what is not acknowledged is handed out again. */
void out_queue_rewind(struct out_queue *q);

/* Bytes kept: what counts as queued for the router. */
static inline size_t out_queue_bytes(const struct out_queue *q)
{
    return buf_len(&q->bytes);
}
/* Bytes of storage, for accounting. */
static inline size_t out_queue_held_bytes(const struct out_queue *q)
{
    return q->bytes.cap;
}
/* Drops every frame, acknowledged or not, and gives back the storage: for a session that ends. */
void out_queue_drop(struct out_queue *q);
/* Gives back the storage of an empty queue. */
void out_queue_trim(struct out_queue *q);

#endif
