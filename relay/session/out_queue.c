/* One byte buffer: frames behind each other, each behind its header. The counts are those of a resume: they
 * start at 0 and never wrap (below 2^53 by any traffic a process sees).
 */
#include "session/out_queue.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

void out_queue_init(struct out_queue *q, size_t max_bytes)
{
    *q = (struct out_queue){0};
    buf_init(&q->bytes, max_bytes);
}

void out_queue_done(struct out_queue *q)
{
    buf_done(&q->bytes);
}

/* Stands before each frame, unaligned: about_len bytes, then len bytes follow. */
struct header {
    size_t len;
    size_t about_len;
    enum message_kind kind;
    bool has_about;
};

static struct header header_at(const struct out_queue *q, size_t offset)
{
    struct header h;
    memcpy(&h, buf_data(&q->bytes) + offset, sizeof(h));
    return h;
}

/* Of the frame at `offset`, header included. It was appended, so the sum is sound. */
static size_t size_at(const struct out_queue *q, size_t offset)
{
    struct header h = header_at(q, offset);
    return sizeof(h) + h.about_len + h.len;
}

static char *put(char *room, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(room, bytes, len);
    return room + len;
}

int out_queue_append(struct out_queue *q, const struct message *message)
{
    struct header h = {
        .kind = message->kind, .has_about = message->about != NULL, .about_len = message->about_len};
    size_t total;
    bool fits = true;
    for (size_t i = 0; i < message->part_count; i++)
        fits = fits && size_add(h.len, message->parts[i].len, &h.len);
    fits = fits && size_add(h.len, sizeof(h), &total) && size_add(total, h.about_len, &total);
    if (!fits)
        return ERR_TOO_LARGE;
    char *room;
    int rc = buf_reserve(&q->bytes, total, &room);
    if (rc != 0)
        return rc;
    room = put(room, &h, sizeof(h));
    room = put(room, message->about, h.about_len);
    for (size_t i = 0; i < message->part_count; i++)
        room = put(room, message->parts[i].bytes, message->parts[i].len);
    buf_commit(&q->bytes, total);
    q->appended++;
    return 0;
}

bool out_queue_next(const struct out_queue *q, struct out_frame *ret_frame)
{
    if (q->taken == q->appended)
        return false;
    struct header h = header_at(q, q->taken_bytes);
    const char *about = buf_data(&q->bytes) + q->taken_bytes + sizeof(h);
    ret_frame->part = (struct part){about + h.about_len, h.len};
    ret_frame->message = (struct message){.parts = &ret_frame->part,
                                          .part_count = 1,
                                          .kind = h.kind,
                                          .about = h.has_about ? about : NULL,
                                          .about_len = h.about_len};
    return true;
}

void out_queue_take(struct out_queue *q)
{
    assert(q->taken < q->appended);
    q->taken_bytes += size_at(q, q->taken_bytes);
    q->taken++;
}

int out_queue_acknowledge(struct out_queue *q, uint64_t count)
{
    if (count < q->acknowledged || count > q->taken)
        return ERR_RANGE;
    size_t dropped = 0;
    for (; q->acknowledged < count; q->acknowledged++)
        dropped += size_at(q, dropped);
    buf_consume(&q->bytes, dropped);
    q->taken_bytes -= dropped;
    return 0;
}

void out_queue_rewind(struct out_queue *q)
{
    q->taken = q->acknowledged;
    q->taken_bytes = 0;
}

void out_queue_drop(struct out_queue *q)
{
    buf_done(&q->bytes);
    q->acknowledged = q->appended;
    q->taken = q->appended;
    q->taken_bytes = 0;
}

void out_queue_trim(struct out_queue *q)
{
    buf_trim(&q->bytes, 0);
}
