/* The engine's start and end, a link that comes up, and the order of what a tick does.
 *
 * Happy path: engine_init makes the mock and empty tables; engine_start publishes the mock and asks for the first
 * connection; engine_tick, at engine_due_ms, does what is due; engine_close completes what is left;
 * engine_done frees.
 *
 * Failure modes: engine_init without memory, or with seed data that is none: nothing is left. Afterwards every
 * failure is a state of its own; the table in engine.h lists them.
 */
#include "engine.h"

#include <assert.h>

#include "base/alloc.h"
#include "engine_internal.h"

/* Room in `out` above its high mark for one call, and in it for the engine's own lines. */
#define OUT_SLACK_BYTES ((size_t)1 << 20)
/* The mock's longest answers are as long as what they echo. */
#define TEXT_SLACK_BYTES ((size_t)16 << 20)

static size_t bytes_max(size_t frame_max, size_t slack)
{
    size_t sum;
    return size_add(frame_max, slack, &sum) ? sum : SIZE_MAX;
}

static void init_calls(struct engine *e)
{
    map_init(&e->calls);
    heap_init(&e->deadlines);
    list_init(&e->waiting);
    list_init(&e->to_relay);
    list_init(&e->retry_later);
    list_init(&e->in_flight);
    e->retry_at_ms = UINT64_MAX;
}

static void init_times(struct engine *e, uint64_t seed, uint64_t now_ms, int64_t now_unix_ms)
{
    const struct reconnect_options backoff = {
        .base_ms = e->options.backoff_base_ms,
        .factor = e->options.backoff_factor,
        .cap_ms = e->options.backoff_cap_ms,
        .stable_ms = e->options.backoff_stable_ms,
    };
    reconnect_init(&e->reconnect, &backoff, seed);
    reconnect_init(&e->again, &backoff, ~seed);
    fallback_init(&e->fallback, e->options.stale_max_ms, now_ms);
    e->wall_offset_ms = now_unix_ms - (int64_t)now_ms;
    e->mock_offset_ms = e->wall_offset_ms;
    e->next_mock_at_ms = UINT64_MAX;
    e->next_publish_at_ms = UINT64_MAX;
    e->attempt_at_ms = UINT64_MAX;
}

int engine_init(struct engine *e, const struct engine_ops *ops, void *data, const struct ar_options *options,
                const char *address, uint64_t seed, uint64_t now_ms, int64_t now_unix_ms, char *problem,
                size_t problem_size)
{
    struct mock_view *mock;
    int rc = mock_view_new(options->mock_cast, options->mock_seed, (uint64_t)now_unix_ms, &mock, problem,
                           problem_size);
    if (rc != 0)
        return rc;
    size_t frame_max = options->frame_max_bytes;
    *e = (struct engine){.ops = ops, .data = data, .options = *options, .address = address, .mock = mock};
    e->options.mock_cast = NULL;
    e->next_request_id = 1;
    e->counters.round_trip_ms = -1;
    buf_init(&e->out, bytes_max(frame_max, ENGINE_OUT_HIGH_BYTES + OUT_SLACK_BYTES));
    buf_init(&e->text, bytes_max(frame_max, TEXT_SLACK_BYTES));
    frame_reader_init(&e->reader, frame_max, ENGINE_ID_MAX);
    init_calls(e);
    init_times(e, seed, now_ms, now_unix_ms);
    engine_link_reset(e);
    return 0;
}

void engine_done(struct engine *e)
{
    assert(e->calls.count == 0 && e->waiting_count == 0 && e->in_flight_count == 0);
    mock_view_free(e->mock);
    agent_set_release(e->set);
    agent_set_release(e->live);
    map_done(&e->calls);
    heap_done(&e->deadlines);
    frame_reader_done(&e->reader);
    buf_done(&e->out);
    buf_done(&e->text);
}

void engine_start(struct engine *e, uint64_t now_ms)
{
    e->fallback.state_at_ms = now_ms;
    engine_publish(e, now_ms);
    e->attempt_at_ms = now_ms;
    engine_attempt(e, now_ms);
}

void engine_close(struct engine *e, uint64_t now_ms)
{
    if (e->link == ENGINE_CLOSED)
        return;
    bool busy = e->link != ENGINE_IDLE;
    /* Closed before anything else: what the calls' callbacks submit is refused, and nothing reconnects. */
    engine_move(e, ENGINE_CLOSED, now_ms);
    if (busy)
        e->ops->drop(e);
    if (e->stands_still)
        e->ops->second(e, false);
    engine_calls_close(e, now_ms);
    engine_link_reset(e);
    e->counters.relay = AR_REACH_UNKNOWN;
    e->counters.server = AR_REACH_UNKNOWN;
    engine_forget_fault(e); /* an orderly end has no error */
    engine_publish_closed(e, now_ms);
}

/* ---- a link comes ---- */

void engine_link_up(struct engine *e, const char *peer, uint64_t now_ms)
{
    if (e->link != ENGINE_CONNECTING)
        return;
    copy_text(e->counters.peer, sizeof(e->counters.peer), peer);
    engine_link_reset(e);
    frame_reader_done(&e->reader);
    frame_reader_init(&e->reader, e->options.frame_max_bytes, ENGINE_ID_MAX);
    engine_move(e, ENGINE_INITIALIZING, now_ms);
    e->counters.links++;
    e->sent_total = 0;
    e->queued_total = 0;
    e->acked_total = 0;
    e->received_at_ms = now_ms;
    e->last_ack_at_ms = now_ms;
    engine_initialize_send(e, now_ms);
    engine_dispatch(e, now_ms);
}

bool engine_second_answered(struct engine *e, const char *peer, uint64_t now_ms)
{
    if (!e->stands_still)
        return false;
    struct fault why = e->fault;
    e->stands_still = false;
    engine_end_link(e, &why, ENGINE_END_LOST, now_ms);
    engine_move(e, ENGINE_CONNECTING, now_ms);
    engine_link_up(e, peer, now_ms);
    /* The answer to its ping is about to come in. */
    engine_request_sent(e, &e->requests.ping, e->second_ping, now_ms);
    return true;
}

/* ---- time ---- */

uint64_t engine_due_ms(const struct engine *e)
{
    if (e->link == ENGINE_CLOSED)
        return UINT64_MAX;
    const struct heap_node *deadline = heap_first(&e->deadlines);
    uint64_t due_ms = earlier(e->attempt_at_ms, earlier(engine_publish_due_ms(e), e->retry_at_ms));
    if (deadline)
        due_ms = earlier(due_ms, deadline->key);
    if (!engine_has_link(e))
        return due_ms;
    due_ms = earlier(due_ms, earlier(engine_deadlines_due_ms(e), engine_ping_due_ms(e)));
    due_ms = earlier(due_ms, e->second_at_ms);
    return earlier(due_ms, earlier(e->next_init_at_ms, e->next_poll_at_ms));
}

/* The relay's failures end the link; the server's leave that to the file that asked. */
static void act_on_overdue(struct engine *e, uint64_t now_ms)
{
    struct fault why;
    switch (engine_check_deadlines(e, now_ms)) {
    case ENGINE_OVERDUE_NOTHING:
        return;
    case ENGINE_OVERDUE_SILENCE:
        fault_silent(&why, e->address, now_ms - e->received_at_ms);
        if (engine_stand_still(e, &why, now_ms))
            return;
        break;
    case ENGINE_OVERDUE_LINE:
        fault_slow_line(&why, e->address, now_ms - e->line_at_ms);
        break;
    case ENGINE_OVERDUE_WRITE:
        fault_stalled(&why, e->address, now_ms - e->stall_at_ms);
        break;
    case ENGINE_OVERDUE_INITIALIZE:
        fault_silent(&why, e->address, now_ms - e->received_at_ms);
        if (!engine_stand_still(e, &why, now_ms))
            engine_initialize_timed_out(e, now_ms);
        return;
    case ENGINE_OVERDUE_POLL:
        engine_agents_timed_out(e, now_ms);
        return;
    }
    engine_end_link(e, &why, ENGINE_END_BAD, now_ms);
}

static void link_tick(struct engine *e, uint64_t now_ms)
{
    if (!engine_has_link(e)) {
        engine_link_release(e);
        return;
    }
    if (earlier(engine_ping_due_ms(e), e->next_poll_at_ms) <= now_ms)
        engine_link_trim(e);
    engine_watch_writes(e, now_ms);
    act_on_overdue(e, now_ms);
    engine_second_tick(e, now_ms);
    if (engine_has_link(e) && engine_ping_due_ms(e) <= now_ms)
        engine_ping(e, now_ms);
    if (e->link == ENGINE_INITIALIZING && e->next_init_at_ms <= now_ms)
        engine_initialize_send(e, now_ms);
}

/* In this order: calls expire first, since a deadline that has passed counts before what becomes of the link;
 * the link decides what is published and polled; retries and the next attempt follow whatever ended the link or
 * made room; dispatch is last, so that one pass writes all that the steps above let go. */
void engine_tick(struct engine *e, uint64_t now_ms)
{
    if (e->link == ENGINE_CLOSED)
        return;
    engine_calls_expire(e, now_ms);
    link_tick(e, now_ms);
    engine_publish_tick(e, now_ms);
    engine_agents_run(e, now_ms);
    if (e->retry_at_ms <= now_ms)
        engine_calls_retry(e, now_ms);
    engine_attempt(e, now_ms);
    engine_dispatch(e, now_ms);
}
