/* Four pauses stop reading, each for its own reason, and so do messages that were read and not taken yet; it goes on
 * when none is left. The budget is given the sums at most once per loop iteration, at its end, and at once for a message
 * that spans reads.
 *
 * A client has stalled, for the budget, when its queue has lost no byte for a quarter of a second, or when its message
 * under way got fewer than 4 KiB within a second although they would have been read.
 */
#include "front/connection_reading.h"

#include <errno.h>

#include "front/connection_timeouts.h"

#define STALL_MS       UINT64_C(250)
#define PACE_MS        UINT64_C(1000)
#define PACE_MIN_BYTES ((uint64_t)4 << 10)

void connection_mark(struct connection *c)
{
    loop_mark(c->front->options.loop, &c->iteration_end);
}

void connection_update_reading(struct connection *c)
{
    bool paused = c->paused_by_protocol || c->paused_by_memory || c->paused_by_queue || c->read_deferred ||
                  buf_len(&c->rest) > 0;
    if (c->state == CONNECTION_LINGERING)
        return; /* it reads to the end */
    if (paused || c->state >= CONNECTION_FLUSHING)
        stream_read_stop(&c->stream);
    else
        (void)!stream_read_start(&c->stream); /* fails where on_end has come, or comes in this iteration */
}

/* ---- memory ---- */

void connection_on_memory_pause(struct memory_user *u)
{
    struct connection *c = CONTAINER_OF(u, struct connection, memory);
    c->paused_by_memory = true;
    connection_update_reading(c);
    connection_watch(c);
}

void connection_on_memory_resume(struct memory_user *u)
{
    struct connection *c = CONTAINER_OF(u, struct connection, memory);
    c->paused_by_memory = false;
    connection_update_reading(c);
    connection_mark(c);
}

static bool sends_too_slowly(struct connection *c, uint64_t now_ms)
{
    if (c->message_begun_at_ms == 0 || now_ms - c->pace_at_ms < PACE_MS)
        return false;
    bool slow = c->stream.bytes_in - c->pace_bytes < PACE_MIN_BYTES && stream_unread(&c->stream) == 0;
    c->pace_at_ms = now_ms;
    c->pace_bytes = c->stream.bytes_in;
    return slow;
}

bool connection_is_stalled(struct memory_user *u)
{
    struct connection *c = CONTAINER_OF(u, struct connection, memory);
    uint64_t now_ms = loop_now_ms(c->front->options.loop);
    if (stream_queued(&c->stream) > 0)
        return now_ms - stream_progress_at_ms(&c->stream) >= STALL_MS;
    return sends_too_slowly(c, now_ms);
}

void connection_account(struct connection *c)
{
    struct protocol_usage usage = {0};
    if (c->state == CONNECTION_CLOSED)
        return;
    if (c->protocol && !c->protocol_left)
        c->protocol->ops->get_usage(c->protocol, &usage);
    /* One that is stopped for other reasons does not grow, and must not pass for the one that reads on. What it has
     * begun waits as long as its queue does. */
    bool grows = c->state < CONNECTION_FLUSHING && !c->paused_by_protocol && !c->paused_by_queue;
    size_t queued = stream_queued(&c->stream) > 0 ? stream_held_bytes(&c->stream) : 0;
    const struct memory_usage sum = {
        .partial_bytes = grows ? usage.partial_bytes : 0,
        .queued_bytes = queued + buf_len(&c->rest) + (grows ? 0 : usage.partial_bytes),
        .held_bytes = usage.held_bytes + stream_held_bytes(&c->stream) + c->rest.cap,
    };
    memory_set(c->front->options.memory, &c->memory, &sum);
}

size_t connection_take(struct connection *c, const char *bytes, size_t len, uint64_t now_ms)
{
    c->worked_until_ns = uv_hrtime();
    size_t taken = c->protocol->ops->on_bytes(c->protocol, bytes, len, now_ms);
    c->worked_until_ns = 0;
    return taken;
}

void connection_note_work(struct connection *c)
{
    if (c->worked_until_ns == 0)
        return;
    uint64_t now_ns = uv_hrtime();
    work_note(c->work, c->front->options.loop->iterations, now_ns - c->worked_until_ns);
    c->worked_until_ns = now_ns;
}

void connection_feed_rest(struct connection *c, uint64_t now_ms)
{
    bool paused = c->paused_by_protocol || c->paused_by_memory || c->paused_by_queue;
    if (buf_len(&c->rest) == 0 || paused || !connection_serves(c))
        return;
    size_t len = buf_len(&c->rest);
    size_t taken = connection_take(c, buf_data(&c->rest), len, now_ms);
    buf_consume(&c->rest, taken);
    loop_note_read(c->stream.loop, taken); /* bytes that had arrived, for timers that wait for such */
    if (taken < len)
        connection_mark(c);
    else
        connection_update_reading(c);
}

void connection_trim(struct connection *c)
{
    if (c->protocol)
        c->protocol->ops->trim(c->protocol);
    stream_trim(&c->stream, 0);
    buf_trim(&c->rest, 0);
}

void connection_release_memory(struct connection *c)
{
    connection_trim(c);
    c->read_deferred = true;
    connection_update_reading(c);
    connection_mark(c);
}
