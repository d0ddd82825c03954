/* The link's life: attempts, the back-off between them, the heartbeat, and what the peer owes by when.
 *
 * Happy path: an attempt -> engine_link_up -> initialize (engine_open.c) -> bytes, and a ping after each
 * silence. Every way in which a link ends goes through engine_end_link, which schedules the next attempt,
 * steps down, and settles the calls.
 *
 * Failure modes: silence (a ping has had its time), a line or a ping that never ends, a peer that reads
 * nothing, initialize or a poll unanswered: each has a deadline. None of them is judged when the tick comes
 * late by itself: the host stood still, and the answer may be there, unread.
 */
#include <string.h>

#include "engine_internal.h"

/* What a burst took above this is given back. */
#define KEEP_BYTES ((size_t)64 << 10)

/* ---- the end of a link ---- */

void engine_link_forget(struct engine *e)
{
    buf_clear(&e->out);
    buf_trim(&e->out, KEEP_BYTES);
    e->own = (struct engine_own){0};
    e->line_at_ms = UINT64_MAX;
    e->stall_at_ms = UINT64_MAX;
    e->next_init_at_ms = UINT64_MAX;
    e->next_poll_at_ms = UINT64_MAX;
    e->attempt_at_ms = UINT64_MAX;
    e->poll_again = false;
    e->spoke = false;
    e->garbage = 0;
    e->abandoned = 0;
}

static void wait_for_attempt(struct engine *e, uint64_t now_ms)
{
    e->link = ENGINE_IDLE;
    e->attempt_at_ms = now_ms + reconnect_next_ms(&e->reconnect);
}

void engine_end_link(struct engine *e, const struct fault *why, enum engine_end how, uint64_t now_ms)
{
    if (how != ENGINE_END_LOST)
        e->ops->drop(e);
    bool refused = how == ENGINE_END_REFUSED;
    e->counters.losses += !refused;
    e->counters.relay = refused ? AR_REACH_UNKNOWN : AR_REACH_DOWN;
    e->counters.server = refused ? AR_REACH_DOWN : AR_REACH_UNKNOWN;
    engine_link_forget(e);
    reconnect_note_down(&e->reconnect, now_ms);
    wait_for_attempt(e, now_ms);
    engine_note_fault(e, why, now_ms);
    engine_go_down(e, now_ms);
    engine_calls_settle(e, now_ms);
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
    engine_calls_sweep(e, now_ms);
}

/* ---- what the shell tells ---- */

static void note_peer(struct engine *e, const char *peer)
{
    size_t len = strnlen(peer, sizeof e->counters.peer - 1);
    memcpy(e->counters.peer, peer, len);
    e->counters.peer[len] = '\0';
}

void engine_link_up(struct engine *e, const char *peer, uint64_t now_ms)
{
    if (e->link != ENGINE_CONNECTING)
        return;
    note_peer(e, peer);
    engine_link_forget(e);
    frame_reader_done(&e->reader);
    frame_reader_init(&e->reader, e->options.frame_max_bytes, ENGINE_ID_MAX);
    e->link = ENGINE_OPENING;
    e->counters.links++;
    e->sent_total = 0;
    e->queued_total = 0;
    e->received_at_ms = now_ms;
    engine_open_ask(e, now_ms);
    engine_dispatch(e, now_ms);
}

void engine_link_failed(struct engine *e, const struct fault *why, const char *peer, uint64_t now_ms)
{
    if (e->link != ENGINE_CONNECTING)
        return;
    note_peer(e, peer);
    e->counters.relay = AR_REACH_DOWN;
    e->counters.server = AR_REACH_UNKNOWN;
    wait_for_attempt(e, now_ms);
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
    e->stall_at_ms = buf_len(&e->out) > 0 ? now_ms : UINT64_MAX;
    engine_dispatch(e, now_ms);
}

void engine_link_watch_out(struct engine *e, uint64_t now_ms)
{
    if (e->stall_at_ms == UINT64_MAX && buf_len(&e->out) > 0)
        e->stall_at_ms = now_ms;
}

/* ---- the heartbeat ---- */

void engine_ping(struct engine *e, uint64_t now_ms)
{
    uint64_t id = engine_write_request(e, "relay/ping", "{}", 2);
    if (id == 0) {
        engine_end_no_memory(e, now_ms);
        return;
    }
    e->own.ping_id = id;
    e->own.ping_at_ms = now_ms;
}

void engine_ping_answered(struct engine *e, uint64_t now_ms)
{
    e->counters.round_trip_ms = (double)(now_ms - e->own.ping_at_ms);
    e->own.ping_id = 0;
}

static uint64_t ping_due_ms(const struct engine *e)
{
    return e->own.ping_id == 0 ? e->received_at_ms + later(e->options.heartbeat_ms, 1) : UINT64_MAX;
}

/* How long a ping may be out at least before the link is called dead. */
static uint64_t ping_grace_ms(const struct engine *e)
{
    uint64_t dead_ms = e->options.dead_after_ms;
    uint64_t heartbeat_ms = e->options.heartbeat_ms;
    return later(dead_ms > heartbeat_ms ? dead_ms - heartbeat_ms : dead_ms, 1);
}

static uint64_t dead_at_ms(const struct engine *e)
{
    if (e->own.ping_id == 0)
        return UINT64_MAX;
    uint64_t silent_ms =
        later(e->received_at_ms + e->options.dead_after_ms, e->own.ping_at_ms + ping_grace_ms(e));
    return earlier(silent_ms, e->own.ping_at_ms + later(ping_grace_ms(e), ENGINE_FRAME_MS));
}

/* ---- what the peer owes ---- */

static uint64_t after(uint64_t at_ms, uint64_t wait_ms)
{
    return at_ms > UINT64_MAX - wait_ms ? UINT64_MAX : at_ms + wait_ms;
}

/* The link's end, by silence in one of its forms. */
static uint64_t silent_at_ms(const struct engine *e)
{
    uint64_t due_ms = earlier(dead_at_ms(e), after(e->line_at_ms, ENGINE_FRAME_MS));
    return earlier(due_ms, after(e->stall_at_ms, ENGINE_FRAME_MS));
}

static uint64_t init_end_ms(const struct engine *e)
{
    return e->own.init_id ? e->own.init_at_ms + later(e->options.init_timeout_ms, 1) : UINT64_MAX;
}

static uint64_t poll_end_ms(const struct engine *e)
{
    return e->own.poll_id ? e->own.poll_at_ms + later(e->options.agents_timeout_ms, 1) : UINT64_MAX;
}

static uint64_t owed_at_ms(const struct engine *e)
{
    return earlier(silent_at_ms(e), earlier(init_end_ms(e), poll_end_ms(e)));
}

/* A tick that is late by itself puts judgement off, once for each thing owed. */
static void notice_standstill(struct engine *e, uint64_t now_ms)
{
    uint64_t owed_ms = owed_at_ms(e);
    if (now_ms > after(owed_ms, ENGINE_WAKE_MS) && e->judge_at_ms <= owed_ms)
        e->judge_at_ms = now_ms + ENGINE_WAKE_MS;
}

static void judge(struct engine *e, uint64_t now_ms)
{
    struct fault why;
    notice_standstill(e, now_ms);
    if (now_ms < e->judge_at_ms)
        return;
    if (silent_at_ms(e) <= now_ms) {
        fault_silent(&why, e->address, now_ms - e->received_at_ms);
        engine_end_link(e, &why, ENGINE_END_BAD, now_ms);
    } else if (init_end_ms(e) <= now_ms) {
        engine_open_unanswered(e, now_ms);
    } else if (poll_end_ms(e) <= now_ms) {
        engine_agents_unanswered(e, now_ms);
    }
}

/* ---- time ---- */

/* Now and then, and never while a line is borrowed. */
static void trim(struct engine *e)
{
    buf_clear(&e->text);
    buf_trim(&e->text, KEEP_BYTES);
    buf_trim(&e->out, KEEP_BYTES);
    if (e->reader.partial.cap > KEEP_BYTES)
        frame_reader_trim(&e->reader);
}

void engine_link_tick(struct engine *e, uint64_t now_ms)
{
    if (!engine_has_link(e))
        return;
    if (earlier(ping_due_ms(e), e->next_poll_at_ms) <= now_ms)
        trim(e);
    engine_link_watch_out(e, now_ms);
    judge(e, now_ms);
    if (engine_has_link(e) && ping_due_ms(e) <= now_ms)
        engine_ping(e, now_ms);
    if (e->link == ENGINE_OPENING && e->next_init_at_ms <= now_ms)
        engine_open_ask(e, now_ms);
}

void engine_attempt_tick(struct engine *e, uint64_t now_ms)
{
    if (e->link != ENGINE_IDLE || e->attempt_at_ms > now_ms)
        return;
    e->link = ENGINE_CONNECTING;
    e->attempt_at_ms = UINT64_MAX;
    e->counters.attempts++;
    e->ops->connect(e);
}

uint64_t engine_link_due_ms(const struct engine *e)
{
    if (e->link == ENGINE_IDLE)
        return e->attempt_at_ms;
    if (!engine_has_link(e))
        return UINT64_MAX;
    uint64_t due_ms = later(owed_at_ms(e), e->judge_at_ms);
    due_ms = earlier(due_ms, ping_due_ms(e));
    return earlier(due_ms, earlier(e->next_init_at_ms, e->next_poll_at_ms));
}
