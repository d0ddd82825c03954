/* The engine's beginning, end, and clock.
 *
 * Happy path: engine_init makes the mock and empty tables; engine_start publishes the mock and asks for the first
 * connection; engine_tick, at engine_due_ms, does what is due; engine_close completes what is left;
 * engine_done frees.
 *
 * Failure modes: engine_init without memory, or with a cast that is none: nothing is left. Afterwards every
 * failure is a state of its own, told in the file that meets it.
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
    engine_attempt_tick(e, now_ms);
}

void engine_close(struct engine *e, uint64_t now_ms)
{
    if (e->link == ENGINE_CLOSED)
        return;
    bool busy = e->link != ENGINE_IDLE;
    e->link = ENGINE_CLOSED;
    if (busy)
        e->ops->drop(e);
    engine_calls_close(e, now_ms);
    engine_link_reset(e);
    e->counters.relay = AR_REACH_UNKNOWN;
    e->counters.server = AR_REACH_UNKNOWN;
    engine_publish_closed(e, now_ms);
}

uint64_t engine_due_ms(const struct engine *e)
{
    if (e->link == ENGINE_CLOSED)
        return UINT64_MAX;
    const struct heap_node *deadline = heap_first(&e->deadlines);
    uint64_t due_ms = earlier(engine_link_due_ms(e), engine_publish_due_ms(e));
    if (deadline)
        due_ms = earlier(due_ms, deadline->key);
    return earlier(due_ms, e->retry_at_ms);
}

void engine_tick(struct engine *e, uint64_t now_ms)
{
    if (e->link == ENGINE_CLOSED)
        return;
    engine_calls_expire(e, now_ms);
    engine_link_tick(e, now_ms);
    engine_publish_tick(e, now_ms);
    engine_agents_run(e, now_ms);
    if (e->retry_at_ms <= now_ms)
        engine_calls_retry(e, now_ms);
    engine_attempt_tick(e, now_ms);
    engine_dispatch(e, now_ms);
}
