/* What is looked at once a second, for those clients only that have something to look at: a queue, a frame
 * under way, reading that is stopped, a close that is not through. An idle client costs nothing here.
 *
 * Reactions: no byte left for stall_ms while some are queued -> dropped. A frame begun and not ended within
 * frame_timeout_ms -> told and closed; while the router or its own full queue keeps the client paused the
 * frame cannot end, and its clock stands still. Reading is stopped and the peer has gone (which nothing else
 * would show) -> dropped. Nothing came or went since the last look -> buffers are given back, and the memory
 * budget is told.
 */
#include "log/log.h"
#include "front/client.h"
#include "wire/rpc_error.h"

void client_account(struct client *c)
{
    /* One that is stopped for other reasons does not grow, and must not pass for the one that reads on. */
    bool grows = !c->paused_by_router && !c->paused_by_queue;
    size_t partial = grows ? frame_reader_partial(&c->reader) : 0;
    size_t held = c->reader.partial.cap + stream_held_bytes(&c->stream);
    if (c->state == CLIENT_CLOSED)
        return;
    memory_set(c->front->options.memory, &c->memory, partial, held);
}

static bool is_paused(const struct client *c)
{
    return c->paused_by_router || c->paused_by_memory || c->paused_by_queue;
}

void client_update_reading(struct client *c)
{
    bool wanted =
        c->state == CLIENT_LINGERING || (c->state < CLIENT_FLUSHING && !is_paused(c) && !c->yielding);
    if (!wanted)
        stream_read_stop(&c->stream);
    else if (stream_read_start(&c->stream) != 0 && c->state == CLIENT_LINGERING)
        client_finish(c); /* the peer has ended already */
}

static bool is_stalled(struct client *c, uint64_t now_ms)
{
    return stream_queued(&c->stream) > 0 &&
           now_ms - stream_progress_at_ms(&c->stream) >= c->front->options.limits.stall_ms;
}

static bool is_overdue(struct client *c, uint64_t now_ms)
{
    if (c->frame_begun_at_ms == 0)
        return false;
    if (c->paused_by_router || c->paused_by_queue)
        c->frame_begun_at_ms = now_ms;
    return now_ms - c->frame_begun_at_ms >= c->front->options.limits.frame_timeout_ms;
}

static bool sweep_open(struct client *c, uint64_t now_ms)
{
    if (is_stalled(c, now_ms)) {
        client_drop(c, RPC_E_OVERLOADED, "it took no byte for %llu ms",
                    (unsigned long long)(now_ms - stream_progress_at_ms(&c->stream)));
        return false;
    }
    if (is_overdue(c, now_ms)) {
        client_close(c, CLIENT_FLUSH_MS, RPC_E_TIMEOUT, "a frame did not end within %llu ms",
                     (unsigned long long)c->front->options.limits.frame_timeout_ms);
        return true;
    }
    if (is_paused(c) && stream_peer_gone(&c->stream)) {
        client_drop(c, 0, "the client closed the connection");
        return false;
    }
    uint64_t carried = c->stream.bytes_in + c->stream.bytes_out;
    bool used = carried != c->swept_bytes;
    c->swept_bytes = carried;
    if (!used) {
        frame_reader_trim(&c->reader);
        stream_trim(&c->stream, 0);
        client_account(c);
    }
    return used || stream_queued(&c->stream) > 0 || c->frame_begun_at_ms != 0 || is_paused(c);
}

bool client_sweep(struct client *c, uint64_t now_ms)
{
    switch (c->state) {
    case CLIENT_SNIFFING:
    case CLIENT_OPEN:
        return sweep_open(c, now_ms);
    case CLIENT_FLUSHING:
    case CLIENT_LINGERING:
        if (now_ms < c->deadline_at_ms)
            return true;
        if (c->state == CLIENT_FLUSHING)
            LOG(LOG_INFO, "client did not take its last answers", F_STR("peer", c->origin.peer),
                F_UINT("queued_bytes", stream_queued(&c->stream)));
        client_finish(c);
        return false;
    case CLIENT_CLOSED:
        break;
    }
    return false;
}
