/* The link's life: attempts, the back-off between them, the heartbeat. The peer's deadlines: engine_deadlines.c.
 *
 * Happy path: an attempt -> engine_link_up -> initialize (engine_initialize.c) -> bytes, and a ping after each
 * silence. Every way in which a link ends goes through engine_end_link, which schedules the next attempt,
 * steps down, and settles the calls.
 *
 * Failure modes: no memory for a ping: the link is dropped. What a link that is gone held is given back with
 * the next tick.
 */
#include <assert.h>

#include "engine_internal.h"

/* What a burst took above this is given back. */
#define KEEP_BYTES ((size_t)64 << 10)

/* ---- the state ---- */

#define BIT(state) (1u << (state))

static const unsigned moves[] = {
    [ENGINE_IDLE] = BIT(ENGINE_CONNECTING) | BIT(ENGINE_CLOSED),
    [ENGINE_CONNECTING] = BIT(ENGINE_INITIALIZING) | BIT(ENGINE_IDLE) | BIT(ENGINE_CLOSED),
    [ENGINE_INITIALIZING] = BIT(ENGINE_READY) | BIT(ENGINE_IDLE) | BIT(ENGINE_CLOSED),
    [ENGINE_READY] = BIT(ENGINE_IDLE) | BIT(ENGINE_CLOSED),
    [ENGINE_CLOSED] = 0,
};

void engine_move(struct engine *e, enum engine_link to, uint64_t now_ms)
{
    assert((moves[e->link] & BIT(to)) != 0);
    (void)moves;
    enum engine_link from = e->link;
    e->link = to;
    e->attempt_at_ms = UINT64_MAX;
    if (to != ENGINE_IDLE)
        return;
    /* From the beginning of an attempt that failed: what it lasted is not waited for once more. */
    uint64_t from_ms = from == ENGINE_CONNECTING ? e->attempt_began_at_ms : now_ms;
    e->attempt_at_ms = later(from_ms + reconnect_next_ms(&e->reconnect), now_ms);
}

/* ---- the end of a link ---- */

void engine_link_reset(struct engine *e)
{
    buf_clear(&e->out);
    buf_trim(&e->out, KEEP_BYTES);
    e->requests = (struct engine_requests){0};
    e->line_at_ms = UINT64_MAX;
    e->stall_at_ms = UINT64_MAX;
    e->ack_check_at_ms = UINT64_MAX;
    e->next_init_at_ms = UINT64_MAX;
    e->next_poll_at_ms = UINT64_MAX;
    e->poll_again = false;
    e->heard = false;
    e->got_good_line = false;
    e->bad_lines = 0;
    e->abandoned = 0;
    e->stands_still = false;
    e->second_at_ms = UINT64_MAX;
}

void engine_end_link(struct engine *e, const struct fault *why, enum engine_end how, uint64_t now_ms)
{
    if (how != ENGINE_END_LOST)
        e->ops->drop(e);
    if (e->stands_still)
        e->ops->second(e, false);
    bool refused = how == ENGINE_END_REFUSED;
    e->counters.losses += !refused;
    e->counters.relay = refused ? AR_REACH_UNKNOWN : AR_REACH_DOWN;
    e->counters.server = refused ? AR_REACH_DOWN : AR_REACH_UNKNOWN;
    engine_link_reset(e); /* sent_total stays: it says which calls the server may have seen */
    reconnect_note_down(&e->reconnect, now_ms);
    engine_move(e, ENGINE_IDLE, now_ms);
    /* The fault first, since the state's callback reports it and failing calls quote it; the calls last, since
     * where they go depends on the client being live no more. */
    engine_note_fault(e, why, now_ms);
    engine_go_down(e, now_ms);
    engine_calls_link_lost(e, now_ms);
}

void engine_end_no_memory(struct engine *e, uint64_t now_ms)
{
    struct fault why;
    fault_no_memory(&why);
    engine_end_link(e, &why, ENGINE_END_BAD, now_ms);
}

void engine_server_down(struct engine *e, const struct fault *why, uint64_t now_ms)
{
    e->counters.losses += engine_is_live(e);
    e->counters.server = AR_REACH_DOWN;
    engine_note_fault(e, why, now_ms);
    engine_go_down(e, now_ms);
    engine_calls_not_live(e, now_ms);
}

/* ---- events of the I/O driver ---- */

void engine_link_failed(struct engine *e, const struct fault *why, const char *peer, uint64_t now_ms)
{
    if (e->link != ENGINE_CONNECTING)
        return;
    copy_text(e->counters.peer, sizeof(e->counters.peer), peer);
    e->counters.relay = AR_REACH_DOWN;
    e->counters.server = AR_REACH_UNKNOWN;
    engine_move(e, ENGINE_IDLE, now_ms);
    engine_note_fault(e, why, now_ms);
    engine_go_down(e, now_ms);
}

void engine_link_lost(struct engine *e, const struct fault *why, uint64_t now_ms)
{
    if (engine_has_link(e))
        engine_end_link(e, why, ENGINE_END_LOST, now_ms);
}

void engine_link_sent(struct engine *e, size_t len, uint64_t now_ms)
{
    if (!engine_has_link(e) || len == 0)
        return;
    buf_consume(&e->out, len);
    e->sent_total += len;
    if (e->stall_at_ms < now_ms) /* the kernel had no room, and has some again: the peer took something */
        e->last_ack_at_ms = now_ms;
    e->stall_at_ms = buf_len(&e->out) > 0 ? now_ms : UINT64_MAX;
    engine_dispatch(e, now_ms);
}

/* ---- the heartbeat ---- */

void engine_ping(struct engine *e, uint64_t now_ms)
{
    uint64_t id = engine_send_request(e, "relay/ping", "{}", 2);
    if (id == 0) {
        engine_end_no_memory(e, now_ms);
        return;
    }
    engine_request_sent(e, &e->requests.ping, id, now_ms);
}

void engine_ping_answered(struct engine *e, uint64_t now_ms)
{
    e->counters.round_trip_ms = engine_request_elapsed_ms(e, &e->requests.ping, now_ms);
    e->requests.ping.id = 0;
}

uint64_t engine_ping_due_ms(const struct engine *e)
{
    return e->requests.ping.id == 0 ? e->received_at_ms + later(e->options.heartbeat_ms, 1) : UINT64_MAX;
}

/* ---- time ---- */

/* Now and then, and never while a line is borrowed. */
void engine_link_trim(struct engine *e)
{
    buf_clear(&e->text);
    buf_trim(&e->text, KEEP_BYTES);
    buf_trim(&e->out, KEEP_BYTES);
    if (e->reader.partial.cap > KEEP_BYTES)
        frame_reader_trim(&e->reader);
}

/* Half a line, or a long answer of the mock, is not held through an outage. */
void engine_link_release(struct engine *e)
{
    if (e->reader.partial.cap > 0) {
        frame_reader_done(&e->reader);
        frame_reader_init(&e->reader, e->options.frame_max_bytes, ENGINE_ID_MAX);
    }
    buf_clear(&e->text);
    buf_trim(&e->text, KEEP_BYTES);
}

void engine_attempt(struct engine *e, uint64_t now_ms)
{
    if (e->link != ENGINE_IDLE || e->attempt_at_ms > now_ms)
        return;
    engine_move(e, ENGINE_CONNECTING, now_ms);
    e->attempt_began_at_ms = now_ms;
    e->counters.attempts++;
    e->ops->connect(e);
}
