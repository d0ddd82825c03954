/* The peer's deadlines: an answer to initialize, to a poll, to a ping; the end of a line once begun; the reading
 * of what was sent.
 *
 * Happy path: engine_request_sent starts a request's clock when it is written; the answer stops it. Where one runs
 * out, engine_check_deadlines says which, and engine.c ends the link or calls the server behind it down.
 *
 * A request may stand behind megabytes of a call on its way over a slow link. So its clock does not run
 * before the peer's system has acknowledged it: a second after it was written, and each second from then on
 * while it is in transit, the engine checks (ops.unacked). A link is dead when nothing has come and nothing
 * was acknowledged for dead_after_ms. Likewise a poll's answer may stand behind a long line that is still
 * coming in.
 *
 * Failure modes: none of its own. No deadline counts when the tick comes late by itself: the host was suspended,
 * and the answer may lie in the socket, unread.
 */
#include "engine_internal.h"

#define ACK_CHECK_MS UINT64_C(1000)

/* As far as the kernel knows; never less than before. */
static uint64_t acked_now(struct engine *e)
{
    uint64_t left = e->ops->unacked(e);
    return later(e->acked_total, e->sent_total > left ? e->sent_total - left : 0);
}

static uint64_t ack_check_due_ms(const struct engine *e)
{
    bool any = e->requests.init.id != 0 || e->requests.poll.id != 0 || e->requests.ping.id != 0;
    return any ? e->ack_check_at_ms : UINT64_MAX;
}

/* What has arrived by now has not moved since. */
void engine_request_sent(struct engine *e, struct pending_request *a, uint64_t id, uint64_t now_ms)
{
    e->ack_check_at_ms = earlier(ack_check_due_ms(e), now_ms + ACK_CHECK_MS);
    e->acked_total = acked_now(e);
    *a = (struct pending_request){
        .id = id, .at_ms = now_ms, .fraction_ms = e->fraction_ms, .end = e->queued_total};
}

double engine_request_elapsed_ms(const struct engine *e, const struct pending_request *a, uint64_t now_ms)
{
    double ms = (double)(now_ms - a->at_ms) + e->fraction_ms - a->fraction_ms;
    return ms > 0 ? ms : 0;
}

void engine_watch_writes(struct engine *e, uint64_t now_ms)
{
    if (e->stall_at_ms == UINT64_MAX && buf_len(&e->out) > 0)
        e->stall_at_ms = now_ms;
}

static uint64_t after(uint64_t at_ms, uint64_t wait_ms)
{
    return at_ms > UINT64_MAX - wait_ms ? UINT64_MAX : at_ms + wait_ms;
}

/* ---- in transit ---- */

static void update_transit(const struct engine *e, struct pending_request *a, uint64_t now_ms)
{
    if (e->acked_total < a->end) {
        a->in_transit = true;
    } else if (a->in_transit) {
        a->in_transit = false;
        a->at_ms = now_ms;
        a->fraction_ms = e->fraction_ms;
    }
}

/* How much of what was sent has arrived, and which requests with it. */
static void check_acks(struct engine *e, uint64_t now_ms)
{
    uint64_t acked = acked_now(e);
    if (acked > e->acked_total)
        e->last_ack_at_ms = now_ms;
    e->acked_total = acked;
    bool any = false;
    struct pending_request *const all[] = {&e->requests.init, &e->requests.poll, &e->requests.ping};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i]->id == 0)
            continue;
        update_transit(e, all[i], now_ms);
        any = any || all[i]->in_transit;
    }
    e->ack_check_at_ms = any ? now_ms + ACK_CHECK_MS : UINT64_MAX;
}

void engine_line_ended(struct engine *e, uint64_t began_at_ms, uint64_t now_ms)
{
    if (now_ms - began_at_ms >= ACK_CHECK_MS && e->requests.poll.id != 0)
        e->requests.poll.at_ms = now_ms;
}

/* ---- by when ---- */

/* How long a ping may be out at least before the link is called dead. */
static uint64_t ping_grace_ms(const struct engine *e)
{
    uint64_t dead_ms = e->options.dead_after_ms;
    uint64_t heartbeat_ms = e->options.heartbeat_ms;
    return later(dead_ms > heartbeat_ms ? dead_ms - heartbeat_ms : dead_ms, 1);
}

static uint64_t silence_deadline_ms(const struct engine *e)
{
    const struct pending_request *ping = &e->requests.ping;
    if (ping->id == 0 || e->stands_still)
        return UINT64_MAX;
    if (ping->in_transit)
        return later(e->received_at_ms, e->last_ack_at_ms) + e->options.dead_after_ms;
    uint64_t silent_ms = later(e->received_at_ms + e->options.dead_after_ms, ping->at_ms + ping_grace_ms(e));
    return earlier(silent_ms, ping->at_ms + later(ping_grace_ms(e), ENGINE_FRAME_MS));
}

static uint64_t line_deadline_ms(const struct engine *e)
{
    return after(e->line_at_ms, ENGINE_FRAME_MS);
}

static uint64_t stall_deadline_ms(const struct engine *e)
{
    return after(e->stall_at_ms, ENGINE_FRAME_MS);
}

/* In transit, the time runs only while nothing moves. */
static uint64_t answer_deadline_ms(const struct engine *e, const struct pending_request *a,
                                   uint32_t timeout_ms)
{
    if (a->id == 0)
        return UINT64_MAX;
    uint64_t from_ms = a->in_transit ? later(a->at_ms, e->last_ack_at_ms) : a->at_ms;
    return from_ms + later(timeout_ms, 1);
}

static uint64_t initialize_deadline_ms(const struct engine *e)
{
    return e->stands_still ? UINT64_MAX
                           : answer_deadline_ms(e, &e->requests.init, e->options.init_timeout_ms);
}

static uint64_t poll_deadline_ms(const struct engine *e)
{
    uint64_t end_ms = answer_deadline_ms(e, &e->requests.poll, e->options.agents_timeout_ms);
    if (end_ms == UINT64_MAX || e->line_at_ms == UINT64_MAX)
        return end_ms;
    return later(end_ms,
                 e->received_at_ms + later(e->options.agents_timeout_ms, 1)); /* it stands behind a line */
}

static uint64_t earliest_deadline_ms(const struct engine *e)
{
    uint64_t link_ms = earlier(silence_deadline_ms(e), earlier(line_deadline_ms(e), stall_deadline_ms(e)));
    return earlier(link_ms, earlier(initialize_deadline_ms(e), poll_deadline_ms(e)));
}

uint64_t engine_deadlines_due_ms(const struct engine *e)
{
    return earlier(later(earliest_deadline_ms(e), e->grace_until_ms), ack_check_due_ms(e));
}

/* ---- overdue ---- */

enum engine_overdue engine_check_deadlines(struct engine *e, uint64_t now_ms)
{
    uint64_t deadline_ms = earliest_deadline_ms(e);
    /* A tick that comes late by itself (the host was suspended) puts the check off, once for each deadline. */
    if (now_ms > after(deadline_ms, ENGINE_SUSPEND_GRACE_MS) && e->grace_until_ms <= deadline_ms)
        e->grace_until_ms = now_ms + ENGINE_SUSPEND_GRACE_MS;
    if (earlier(ack_check_due_ms(e), deadline_ms) <= now_ms)
        check_acks(e, now_ms);
    if (now_ms < e->grace_until_ms)
        return ENGINE_OVERDUE_NOTHING;
    if (silence_deadline_ms(e) <= now_ms)
        return ENGINE_OVERDUE_SILENCE;
    if (line_deadline_ms(e) <= now_ms)
        return ENGINE_OVERDUE_LINE;
    if (stall_deadline_ms(e) <= now_ms)
        return ENGINE_OVERDUE_WRITE;
    if (initialize_deadline_ms(e) <= now_ms)
        return ENGINE_OVERDUE_INITIALIZE;
    return poll_deadline_ms(e) <= now_ms ? ENGINE_OVERDUE_POLL : ENGINE_OVERDUE_NOTHING;
}
