/* A byte stream over a libuv handle (TCP, Unix socket, one end of a pipe): shared read buffer in, bounded
 * queue out, one write per iteration.
 *
 * Happy path: stream_init -> stream_accept_* or stream_open_fd -> stream_read_start -> on_bytes ... ;
 * stream_write appends to the queue and marks the stream; at the end of the iteration the queue goes to the kernel
 * (uv_try_write, and uv_write for the rest). on_sent tells that the queue got shorter, on_drain that it fell
 * to `low_bytes` after it had been above `high_bytes`. End: the peer's end or an error arrives once through
 * on_end; the owner then calls stream_close, and on_closed is the last callback, where the owner may free.
 * After stream_close no other callback runs.
 *
 * Callbacks run from the loop (poll, write completion, end of the iteration), never inside a stream_* call, and may
 * call any of these functions, stream_close included. SIGPIPE must be ignored by the process.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/part.h"
#include "io/loop.h"

/* What is given to uv_write at once, when the kernel is full: small enough to see a slow reader's progress.
 */
#define STREAM_PENDING_BYTES ((size_t)256 << 10)
/* Emptied queues larger than this are given back at once, others when unused for a second or two. Above the
 * longest frame of the default configuration: giving back and taking again for each 8 MB message costs more
 * in page faults than the message itself. */
#define STREAM_KEEP_BYTES ((size_t)16 << 20)

struct stream;

struct stream_ops {
    /* Bytes are borrowed for the call. The callback may close the stream. */
    void (*on_bytes)(struct stream *s, const char *bytes, size_t len);
    /* The queue fell to the low mark after it had been above the high one. Also when it was dropped because a
     * write failed after on_end(0). May be NULL. */
    void (*on_drain)(struct stream *s);
    /* status 0: the peer ended its side (writing still works until the owner closes); negative: reading or
     * writing failed, nothing more comes or goes. Once. */
    void (*on_end)(struct stream *s, int status);
    /* The handle is closed. May free the stream. */
    void (*on_closed)(struct stream *s);
    /* Bytes left the queue since the last time; comes before on_drain. May be NULL. */
    void (*on_sent)(struct stream *s);
};

struct stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct loop *loop;            /* borrowed */
    const struct stream_ops *ops; /* static */
    const size_t *read_limit;     /* borrowed; NULL: LOOP_READ_BYTES */
    struct buf out;               /* accepted; appended to while `writing` is under uv_write */
    struct buf writing;           /* older than `out`; its first pending_bytes are under uv_write */
    uv_write_t write_req;
    struct loop_task flush;
    struct loop_warm warm; /* the queue's storage */
    size_t max_bytes;      /* of both queues together */
    size_t high_bytes;
    size_t low_bytes;
    size_t queued_bytes;     /* accepted and not yet known to have left; 0 after a failure and when closing */
    size_t pending_bytes;    /* given to the running uv_write; 0: none is running */
    size_t pending_left;     /* of those, not yet known to have left, and still counted in queued_bytes */
    uint64_t bytes_in;       /* read */
    uint64_t read_in;        /* the loop's iteration of the last read */
    uint64_t bytes_out;      /* taken by the kernel */
    uint64_t progress_at_ms; /* when a byte last left, or the queue last became non-empty; see
                                stream_progress_at_ms */
    int failure; /* a write's error: nothing is accepted any more; told by on_end at the end of the iteration */
    bool open;   /* the handle exists */
    bool reading;
    bool above_high;
    bool sent;  /* on_sent is due */
    bool ended; /* on_end has run */
    bool closing;
    bool closed;
};

/* `max_bytes`: the out queue's limit; stream_write beyond it gives ERR_TOO_LARGE. low_bytes <= high_bytes. */
void stream_init(struct stream *s, struct loop *loop, const struct stream_ops *ops, size_t high_bytes,
                 size_t low_bytes, size_t max_bytes);
/* Accepts from a listening handle (TCP: with TCP_NODELAY, since the queue already gathers). On failure the
 * handle is being closed: wait for on_closed. */
MUSTCHECK int stream_accept_tcp(struct stream *s, uv_stream_t *listener);
/* Takes a descriptor (pipe end, Unix or TCP socket; anything else: UV_EINVAL) and makes it non-blocking:
 * closed with the stream; on failure left to the caller, nothing is open and no callback will run. */
MUSTCHECK int stream_open_fd(struct stream *s, int fd);

/* Idempotent. ERR_CLOSING after on_end or stream_close. While reading is stopped the peer's end is not seen:
 * ask stream_peer_gone. */
MUSTCHECK int stream_read_start(struct stream *s);
void stream_read_stop(struct stream *s);
/* Reads bring at most `*read_limit` bytes each, as it stands at the time; borrowed until the stream is closed. */
void stream_limit_reads(struct stream *s, const size_t *read_limit);
/* Bytes that wait in the kernel to be read, as far as it says. One system call. */
size_t stream_unread(const struct stream *s);
/* True when the peer has ended its side or the connection is broken, even while unread bytes stand before
 * that end. One system call; for streams whose reading is stopped. */
bool stream_peer_gone(const struct stream *s);

/* Copies. ERR_CLOSING (closed, or a write has failed), ERR_TOO_LARGE, -ENOMEM; nothing is taken then. */
MUSTCHECK int stream_write(struct stream *s, const void *bytes, size_t len);
/* stream_write for a message in parts, one after the other, with a newline behind them if `newline`. All or
 * nothing. */
MUSTCHECK int stream_write_parts(struct stream *s, const struct part *parts, size_t count, bool newline);
/* stream_queued's: while a uv_write runs that has more to write. */
size_t stream_queued_while_pending(const struct stream *s);
/* Bytes accepted and not yet taken by the kernel. */
static inline size_t stream_queued(const struct stream *s)
{
    return s->pending_left == 0 ? s->queued_bytes : stream_queued_while_pending(s);
}
/* When a byte last left, or the queue last became non-empty, to the byte: also while a long uv_write is
 * running. For "no byte has left for so long" compare it only when stream_queued is not 0. */
uint64_t stream_progress_at_ms(struct stream *s);
/* Changes the marks; what is queued now is judged by the new ones. (0, 0) while something is queued: on_drain
 * comes when all of it is out. */
void stream_set_marks(struct stream *s, size_t high_bytes, size_t low_bytes);
/* Writes what it can now, without waiting for the end of the iteration. Its callbacks still come at the end of the iteration. */
void stream_flush(struct stream *s);
/* The same when so much is queued: the peer can begin, on another processor, while the owner still has more to send in
 * this iteration. */
void stream_flush_early(struct stream *s, size_t queued_bytes);
/* Gives back the storage of an empty queue beyond `keep_bytes`. Happens by itself after a second or two
 * without writes. */
void stream_trim(struct stream *s, size_t keep_bytes);
/* Bytes of storage held by the queue, for accounting. */
size_t stream_held_bytes(const struct stream *s);

/* Drops what is queued, sends `last` as far as the kernel takes it at once, and closes. It stands right behind what the
 * kernel has taken before, which may end in the middle of a message. For a peer that does not read, so that nothing may
 * wait for it. true: all of `last` is on its way. */
bool stream_close_with(struct stream *s, const char *last, size_t len);
/* Idempotent, legal in every state after stream_init. Queued bytes are dropped; to let them out, wait until
 * stream_queued is 0 first (stream_set_marks(s, 0, 0) and on_drain). */
void stream_close(struct stream *s);

#endif
