/* The watch list is front.watched, and front.sweep its timer. While the router or the connection's own full
 * queue keeps it paused a message cannot end, so its time-out is paused too; the memory budget's pause does
 * not do that, since the time-out is what ends a budget filled by peers that never finish.
 */
#include "front/connection_timeouts.h"

#define SWEEP_MS 1000

void connection_watch(struct connection *c)
{
    struct front *f = c->front;
    if (list_linked(&c->watch))
        return;
    list_push_back(&f->watched, &c->watch);
    timer_set_earlier(&f->sweep, loop_now_ms(f->options.loop) + SWEEP_MS);
}

void connection_watch_until(struct connection *c, uint64_t deadline_ms)
{
    connection_watch(c);
    c->deadline_at_ms = deadline_ms;
    timer_set_earlier(&c->front->sweep, deadline_ms);
}

static bool is_stalled(struct connection *c, uint64_t now_ms)
{
    return stream_queued(&c->stream) > 0 &&
           now_ms - stream_progress_at_ms(&c->stream) >= c->front->options.limits.stall_ms;
}

static bool is_overdue(struct connection *c, uint64_t now_ms)
{
    if (c->message_begun_at_ms == 0)
        return false;
    if (c->paused_by_protocol || c->paused_by_queue)
        c->message_begun_at_ms = now_ms;
    return now_ms - c->message_begun_at_ms >= c->front->options.limits.frame_timeout_ms;
}

static bool is_mute(const struct connection *c, uint64_t now_ms)
{
    return c->state == CONNECTION_SNIFFING &&
           now_ms - c->opened_at_ms >= c->front->options.limits.frame_timeout_ms;
}

static enum connection_timeout check_open(struct connection *c, uint64_t now_ms)
{
    bool paused = c->paused_by_protocol || c->paused_by_memory || c->paused_by_queue;
    if (is_stalled(c, now_ms))
        return TIMEOUT_STALLED;
    if (is_mute(c, now_ms))
        return TIMEOUT_FIRST;
    if (is_overdue(c, now_ms))
        return TIMEOUT_MESSAGE;
    if (paused && stream_peer_gone(&c->stream))
        return TIMEOUT_PEER_GONE;
    uint64_t carried = c->stream.bytes_in + c->stream.bytes_out;
    bool used = carried != c->swept_bytes;
    c->swept_bytes = carried;
    if (used)
        return TIMEOUT_NOT_YET;
    bool waits = c->state == CONNECTION_SNIFFING || c->message_begun_at_ms != 0 || paused;
    return waits || stream_queued(&c->stream) > 0 ? TIMEOUT_UNUSED : TIMEOUT_NONE;
}

/* A peer that reads on may have the answers that were queued for it. */
static enum connection_timeout check_closing(struct connection *c, uint64_t now_ms)
{
    if (now_ms < c->deadline_at_ms)
        return TIMEOUT_NOT_YET;
    bool reads = now_ms - stream_progress_at_ms(&c->stream) < CONNECTION_FLUSH_MS;
    return c->state == CONNECTION_FLUSHING && now_ms < c->flush_until_ms && reads ? TIMEOUT_NOT_YET
                                                                                  : TIMEOUT_DEADLINE;
}

enum connection_timeout connection_check_timeouts(struct connection *c, uint64_t now_ms)
{
    switch (c->state) {
    case CONNECTION_SNIFFING:
    case CONNECTION_OPEN:
        return check_open(c, now_ms);
    case CONNECTION_FLUSHING:
    case CONNECTION_LINGERING:
        return check_closing(c, now_ms);
    case CONNECTION_CLOSED:
        break;
    }
    return TIMEOUT_NONE;
}
