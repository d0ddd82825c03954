/* Publications: the fallback policy's moves, and a snapshot for each.
 *
 * Happy path: a good poll -> engine_go_live -> a live snapshot; a failure -> engine_go_down -> the same
 * agents as a stale one; time -> mock ones, made anew every mock_refresh_ms; each published, and then the
 * state's change reported. The version grows when agents, source or state differ from the last publication; a new
 * poll with the same agents publishes the same set, taken later.
 *
 * Failure modes: no memory for a snapshot, or for mock agents: a stand-in without agents, marked mock, is
 * shown rather than anything that is no longer true, and the right one is tried again every ENGINE_MEMORY_MS.
 */
#include "engine_internal.h"

/* ---- sets ---- */

static bool same_agents(const struct agent_set *a, const struct agent_set *b)
{
    if (a == b)
        return true;
    if (!a || !b)
        return agent_set_count(a ? a : b) == 0;
    return agent_set_equal(a, b);
}

static struct agent_set *retain(struct agent_set *set)
{
    return set ? agent_set_retain(set) : NULL;
}

/* Takes `set`; keeps the one that is there where it says the same, so that readers share it. */
static void replace(struct agent_set **place, struct agent_set *set)
{
    if (*place && same_agents(*place, set)) {
        agent_set_release(set);
        return;
    }
    agent_set_release(*place);
    *place = set;
}

/* ---- publishing ---- */

static bool is_published(const struct engine *e, enum ar_source source)
{
    return e->any_published && !e->short_of_memory && e->published.source == source;
}

static void schedule_mock(struct engine *e, bool is_mock, uint64_t now_ms)
{
    uint64_t refresh_ms = later(e->options.mock_refresh_ms, 1);
    if (!is_mock || e->options.mock_refresh_ms == AR_NEVER)
        e->next_mock_at_ms = UINT64_MAX;
    else if (e->next_mock_at_ms <= now_ms || e->next_mock_at_ms == UINT64_MAX)
        e->next_mock_at_ms = now_ms + refresh_ms;
}

/* The agents of the fallback policy's source, as a reference of the caller's; `fresh`: mock agents of this
 * moment. false: no memory. */
static bool choose(struct engine *e, bool fresh, struct agent_set **ret_set, uint64_t now_ms)
{
    bool mock = e->fallback.source == AR_SOURCE_MOCK;
    if (!mock || (!fresh && is_published(e, AR_SOURCE_MOCK))) {
        *ret_set = retain(mock ? e->set : e->live);
        return true;
    }
    uint64_t at_ms = (uint64_t)((int64_t)now_ms + e->mock_offset_ms);
    if (mock_view_agents(e->mock, at_ms, ret_set) != 0)
        return false;
    e->mock_at_ms = now_ms;
    e->mock_at_unix_ms = engine_unix_ms(e, now_ms);
    return true;
}

static void publish(struct engine *e, bool fresh, uint64_t now_ms)
{
    bool mock = e->fallback.source == AR_SOURCE_MOCK;
    struct agent_set *set = NULL;
    bool chosen = choose(e, fresh, &set, now_ms);
    bool same = is_published(e, e->fallback.source) && e->published.state == e->fallback.state &&
                same_agents(set, e->set);
    struct snapshot_facts before = e->published;
    bool stand_in;

    replace(&e->set, set);
    schedule_mock(e, mock, now_ms);
    if (!same)
        e->version++;
    e->published.source = e->fallback.source;
    e->published.state = e->fallback.state;
    e->published.version = e->version;
    e->published.taken_at_ms = mock ? e->mock_at_ms : e->live_at_ms;
    e->published.taken_at_unix_ms = mock ? e->mock_at_unix_ms : e->live_at_unix_ms;
    const struct ar_snapshot *s = snapshot_new(e->set, &e->published, &stand_in);
    e->short_of_memory = stand_in || !chosen;
    e->next_publish_at_ms = e->short_of_memory ? now_ms + ENGINE_MEMORY_MS : UINT64_MAX;
    if (stand_in) {
        e->published.source = AR_SOURCE_MOCK;
        e->published.version = ar_snapshot_version(s);
        e->published.taken_at_ms = now_ms;
        e->published.taken_at_unix_ms = engine_unix_ms(e, now_ms);
    }
    bool changed =
        !e->any_published || before.version != e->published.version || before.state != e->published.state;
    e->any_published = true;
    e->ops->publish(e, s, changed);
}

void engine_publish(struct engine *e, uint64_t now_ms)
{
    publish(e, false, now_ms);
}

/* ---- the fallback policy ---- */

/* Publishes what the fallback policy changed, then reports the state: a host that reads the snapshot from its
 * state callback must find the one that belongs to the state. */
static void report(struct engine *e, unsigned changes, uint64_t now_ms)
{
    if (changes == 0)
        return;
    publish(e, false, now_ms);
    if (changes & FALLBACK_STATE)
        e->ops->state(e);
}

void engine_go_live(struct engine *e, struct agent_set *set, const struct fault *why, uint64_t now_ms)
{
    replace(&e->live, set);
    e->live_at_ms = now_ms;
    e->live_at_unix_ms = engine_unix_ms(e, now_ms);
    e->counters.server = AR_REACH_UP;
    e->counters.attempts = 0;
    e->probed = false;
    engine_forget_fault(e);
    if (why)
        engine_note_fault(e, why, now_ms);
    reconnect_note_live(&e->reconnect, now_ms);
    reconnect_note_live(&e->again, now_ms);
    unsigned changes = fallback_live(&e->fallback, now_ms);
    publish(e, false, now_ms); /* also without a change: the same agents, taken later */
    if (changes & FALLBACK_STATE)
        e->ops->state(e);
}

void engine_go_down(struct engine *e, uint64_t now_ms)
{
    reconnect_note_down(&e->reconnect, now_ms);
    reconnect_note_down(&e->again, now_ms);
    report(e, fallback_degraded(&e->fallback, now_ms), now_ms);
}

void engine_publish_closed(struct engine *e, uint64_t now_ms)
{
    report(e, fallback_close(&e->fallback, now_ms), now_ms);
    e->next_mock_at_ms = UINT64_MAX;
    e->next_publish_at_ms = UINT64_MAX;
}

/* ---- time ---- */

void engine_publish_tick(struct engine *e, uint64_t now_ms)
{
    report(e, fallback_tick(&e->fallback, now_ms), now_ms);
    if (e->next_mock_at_ms <= now_ms)
        publish(e, true, now_ms);
    if (e->next_publish_at_ms <= now_ms)
        publish(e, false, now_ms);
}

uint64_t engine_publish_due_ms(const struct engine *e)
{
    uint64_t due_ms = earlier(fallback_due_ms(&e->fallback), e->next_mock_at_ms);
    return earlier(due_ms, e->next_publish_at_ms);
}
