/* A stream's out queue.
 *
 * Two buffers, oldest first: `writing`, then `out`. stream_write appends to `out` and marks the stream. At
 * the end of the iteration both go to the kernel with one writev (uv_try_write). When the kernel does not take all, the
 * rest of `out` becomes `writing` by a swap, no copy, and its first 256 KiB go to uv_write, which waits for
 * the peer; `writing` stays untouched until that completes, then everything is tried again. In steady state
 * both buffers keep their storage: no allocation.
 *
 * A large message that meets an empty queue is written at once from where it stands; what the kernel does not take of
 * it is copied into the queue.
 *
 * Failure modes: a write fails -> the queue is dropped, nothing more is accepted, on_end(status) at the
 * end of the iteration (so that no callback runs inside a caller's stream_flush). The peer stops reading -> the queue
 * grows up to max_bytes, then stream_write says ERR_TOO_LARGE; how long that may last is the owner's policy
 * (stream_progress_at_ms).
 */
#include "io/stream_internal.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

static bool is_writable(const struct stream *s)
{
    return s->open && !s->closing && s->failure == 0;
}

/* Of the bytes under uv_write, those that libuv still holds; there are some (pending_left). */
static size_t pending_now(const struct stream *s)
{
    return uv_stream_get_write_queue_size(&s->uv.stream);
}

size_t stream_queued_while_pending(const struct stream *s)
{
    return s->queued_bytes - (s->pending_left - pending_now(s));
}

static void note_sent(struct stream *s, size_t count)
{
    if (count == 0)
        return;
    s->bytes_out += count;
    s->queued_bytes -= count;
    s->progress_at_ms = loop_now_ms(s->loop);
    s->sent = true;
}

/* Takes notice of what a running uv_write has got rid of. */
static void note_pending(struct stream *s)
{
    if (s->pending_left == 0)
        return;
    size_t left = pending_now(s);
    note_sent(s, s->pending_left - left);
    s->pending_left = left;
}

uint64_t stream_progress_at_ms(struct stream *s)
{
    note_pending(s);
    return s->progress_at_ms;
}

void stream_drop_queue(struct stream *s)
{
    note_pending(s);
    s->pending_left = 0;
    s->queued_bytes = 0;
    buf_clear(&s->out);
    if (s->pending_bytes == 0)
        buf_clear(&s->writing);
}

static void fail(struct stream *s, int status)
{
    if (s->failure == 0)
        s->failure = status;
    stream_drop_queue(s);
    loop_mark(s->loop, &s->flush);
}

/* No uv_write is running. */
static void consume_sent(struct stream *s, size_t count)
{
    if (count == s->queued_bytes) {
        buf_clear(&s->writing);
        buf_clear(&s->out);
    } else {
        size_t first = buf_len(&s->writing);
        if (first > count)
            first = count;
        buf_consume(&s->writing, first);
        buf_consume(&s->out, count - first);
    }
    note_sent(s, count);
}

/* uv_try_write says how much it wrote in an int. */
#define TRY_BYTES_MAX ((size_t)1 << 30)

static unsigned gather(const struct stream *s, uv_buf_t bufs[2])
{
    const struct buf *const queues[] = {&s->writing, &s->out};
    size_t left = TRY_BYTES_MAX;
    unsigned n = 0;
    for (unsigned i = 0; i < 2 && left > 0; i++) {
        size_t len = buf_len(queues[i]);
        if (len == 0)
            continue;
        len = len < left ? len : left;
        bufs[n++] = (uv_buf_t){.base = buf_data(queues[i]), .len = len};
        left -= len;
    }
    assert(left == 0 || TRY_BYTES_MAX - left == s->queued_bytes);
    return n;
}

/* One writev of everything; what the kernel took is consumed. */
static int try_write_all(struct stream *s)
{
    uv_buf_t bufs[2];
    unsigned n = gather(s, bufs);
    int rc = uv_try_write(&s->uv.stream, bufs, n);
    if (rc == UV_EAGAIN)
        return 0;
    if (rc < 0)
        return rc;
    consume_sent(s, (size_t)rc);
    return 0;
}

/* Gives back the storage of an emptied queue that is too large to be kept. */
static void trim_large(struct stream *s)
{
    if (s->out.cap > STREAM_KEEP_BYTES || s->writing.cap > STREAM_KEEP_BYTES)
        stream_trim(s, STREAM_KEEP_BYTES);
}

static void write_some(struct stream *s);

static void on_uv_written(uv_write_t *req, int status)
{
    struct stream *s = CONTAINER_OF(req, struct stream, write_req);
    if (s->closing) {
        s->pending_bytes = 0;
        return; /* cancelled by the close; on_closed follows */
    }
    size_t count = s->pending_bytes;
    if (status == 0)
        note_sent(s, s->pending_left);
    s->pending_bytes = 0;
    s->pending_left = 0;
    buf_consume(&s->writing, count);
    if (status != 0 || s->failure != 0) {
        fail(s, status != 0 ? status : s->failure);
        return;
    }
    write_some(s);
    trim_large(s);
    loop_mark(s->loop, &s->flush); /* on_sent and on_drain, in this iteration */
}

/* Lets libuv wait until the kernel takes more. */
static int wait_for_room(struct stream *s)
{
    if (buf_len(&s->writing) == 0) {
        struct buf empty = s->writing;
        s->writing = s->out;
        s->out = empty;
    }
    size_t len = buf_len(&s->writing);
    if (len > STREAM_PENDING_BYTES)
        len = STREAM_PENDING_BYTES;
    uv_buf_t buf = uv_buf_init(buf_data(&s->writing), (unsigned)len);
    s->pending_bytes = len;
    s->pending_left = len;
    int rc = uv_write(&s->write_req, &s->uv.stream, &buf, 1, on_uv_written);
    if (rc != 0) {
        s->pending_bytes = 0;
        s->pending_left = 0;
        return rc;
    }
    note_pending(s); /* it tries at once, too */
    return 0;
}

static void write_some(struct stream *s)
{
    if (s->queued_bytes == 0 || s->pending_bytes > 0 || !is_writable(s))
        return;
    int rc = try_write_all(s);
    if (rc == 0 && s->queued_bytes > 0)
        rc = wait_for_room(s);
    if (rc != 0)
        fail(s, rc);
    trim_large(s);
}

/* ---- the end of the iteration ---- */

static void tell_drain(struct stream *s)
{
    if (!s->above_high || stream_queued(s) > s->low_bytes)
        return;
    s->above_high = false;
    if (s->ops->on_drain)
        s->ops->on_drain(s);
}

/* What the kernel took during a write that still waits counts, too: on_drain never comes without on_sent. */
static void tell_progress(struct stream *s)
{
    note_pending(s);
    if (s->sent) {
        s->sent = false;
        if (s->ops->on_sent)
            s->ops->on_sent(s);
        if (s->closing)
            return;
    }
    tell_drain(s);
}

/* When the peer's end was told before, nobody else tells the owner that its queue is gone: it may be waiting
 * for that. */
static void tell_failure(struct stream *s)
{
    if (s->ended)
        tell_drain(s);
    else
        stream_tell_end(s, s->failure);
}

void stream_run_task(struct loop_task *task)
{
    struct stream *s = CONTAINER_OF(task, struct stream, flush);
    if (s->closing) {
        stream_finish_close(s); /* only a stream that never had a handle comes here */
        return;
    }
    write_some(s);
    if (s->failure != 0)
        tell_failure(s);
    else
        tell_progress(s);
}

/* ---- the owner's side ---- */

/* Room at the queue's end, to be filled and then committed. */
static int take_room(struct stream *s, size_t len, char **ret_room)
{
    if (!is_writable(s))
        return ERR_CLOSING;
    note_pending(s);
    if (s->queued_bytes > s->max_bytes || len > s->max_bytes - s->queued_bytes)
        return ERR_TOO_LARGE;
    return buf_reserve(&s->out, len, ret_room);
}

static void use(struct stream *s)
{
    loop_touch(s->loop, &s->warm);
    loop_mark(s->loop, &s->flush);
}

/* Behind take_room, which has noted what a running uv_write has got rid of. */
static void commit(struct stream *s, size_t len)
{
    if (len == 0)
        return;
    if (s->queued_bytes == 0)
        s->progress_at_ms = loop_now_ms(s->loop);
    buf_commit(&s->out, len);
    s->queued_bytes += len;
    if (s->queued_bytes > s->high_bytes)
        s->above_high = true;
    use(s);
}

int stream_write(struct stream *s, const void *bytes, size_t len)
{
    char *room;
    int rc = take_room(s, len, &room);
    if (rc != 0 || len == 0)
        return rc;
    memcpy(room, bytes, len);
    commit(s, len);
    return 0;
}

/* ---- messages in parts ---- */

/* A message from this size on is written from where it stands, and only the rest is copied. A smaller one is worth
 * less than the write of its own that this costs. */
#define DIRECT_BYTES     ((size_t)32 << 10)
#define DIRECT_PARTS_MAX 16

static bool is_idle(const struct stream *s)
{
    return s->queued_bytes == 0 && s->pending_bytes == 0;
}

/* Gives how many bytes the kernel took. An error waits for the end of the iteration, when the queue meets it. */
static size_t write_direct(struct stream *s, const struct part *parts, size_t count, bool newline)
{
    char end = '\n';
    uv_buf_t bufs[DIRECT_PARTS_MAX + 1];
    for (size_t i = 0; i < count; i++)
        bufs[i] = (uv_buf_t){.base = (char *)(uintptr_t)parts[i].bytes, .len = parts[i].len};
    if (newline)
        bufs[count] = uv_buf_init(&end, 1);
    int rc = uv_try_write(&s->uv.stream, bufs, (unsigned)count + newline);
    if (rc <= 0)
        return 0;
    s->queued_bytes += (size_t)rc;
    note_sent(s, (size_t)rc);
    use(s);
    return (size_t)rc;
}

static void copy_from(char *room, const struct part *parts, size_t count, size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        size_t skipped = skip < parts[i].len ? skip : parts[i].len;
        skip -= skipped;
        if (skipped < parts[i].len)
            memcpy(room, parts[i].bytes + skipped, parts[i].len - skipped);
        room += parts[i].len - skipped;
    }
}

/* The room for all of it is taken first: once a part has been written, nothing may fail. */
int stream_write_parts(struct stream *s, const struct part *parts, size_t count, bool newline)
{
    size_t total = newline;
    for (size_t i = 0; i < count; i++) {
        if (!size_add(total, parts[i].len, &total))
            return ERR_TOO_LARGE;
    }
    char *room;
    int rc = take_room(s, total, &room);
    if (rc != 0 || total == 0)
        return rc;
    size_t written = 0;
    if (total >= DIRECT_BYTES && total <= TRY_BYTES_MAX && count <= DIRECT_PARTS_MAX && is_idle(s))
        written = write_direct(s, parts, count, newline);
    if (written == total) {
        trim_large(s);
        return 0;
    }
    copy_from(room, parts, count, written);
    if (newline)
        room[total - written - 1] = '\n';
    commit(s, total - written);
    return 0;
}

void stream_flush(struct stream *s)
{
    write_some(s);
    if (s->sent)
        loop_mark(s->loop, &s->flush);
}

void stream_flush_early(struct stream *s, size_t queued_bytes)
{
    if (stream_queued(s) >= queued_bytes)
        stream_flush(s);
}

void stream_set_marks(struct stream *s, size_t high_bytes, size_t low_bytes)
{
    assert(low_bytes <= high_bytes);
    s->high_bytes = high_bytes;
    s->low_bytes = low_bytes;
    if (stream_queued(s) > high_bytes)
        s->above_high = true;
    if (s->above_high && !s->closing)
        loop_mark(s->loop, &s->flush);
}

/* ---- storage ---- */

void stream_trim(struct stream *s, size_t keep_bytes)
{
    buf_trim(&s->out, keep_bytes);
    buf_trim(&s->writing, keep_bytes);
}

size_t stream_held_bytes(const struct stream *s)
{
    return s->out.cap + s->writing.cap;
}

void stream_cool(struct loop_warm *warm)
{
    struct stream *s = CONTAINER_OF(warm, struct stream, warm);
    size_t before = stream_held_bytes(s);
    stream_trim(s, 0);
    if (stream_held_bytes(s) != before) {
        s->sent = true; /* the owner accounts for what is held */
        loop_mark(s->loop, &s->flush);
    }
    if (stream_queued(s) > 0)
        loop_touch(s->loop, &s->warm); /* a slow reader: later */
}
