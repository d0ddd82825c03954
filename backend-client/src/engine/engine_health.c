/* What the client says of itself: the last fault, and the health that ar_health gives.
 *
 * Happy path: the file that met a fault notes it; the health probe's result is added to its text, and again to
 * those of the next one, until the client is live: then it is over, and so it is when the client is closed. engine_health copies the counters and works out the rest.
 * Nothing here can fail.
 */
#include "engine_internal.h"

#define PROBE_GOOD_FROM 200
#define PROBE_GOOD_TO   299

/* ---- faults ---- */

void engine_note_fault(struct engine *e, const struct fault *why, uint64_t now_ms)
{
    e->fault = *why;
    e->fault_at_unix_ms = engine_unix_ms(e, now_ms);
    if (e->probed)
        fault_add_probe(&e->fault, e->probe_status, e->probe_text);
}

void engine_forget_fault(struct engine *e)
{
    e->fault = (struct fault){0};
    e->fault_at_unix_ms = 0;
}

void engine_probe(struct engine *e, int status, const char *text, uint64_t now_ms)
{
    (void)now_ms;
    bool good = status >= PROBE_GOOD_FROM && status <= PROBE_GOOD_TO;
    e->counters.health_probe = good ? AR_REACH_UP : AR_REACH_DOWN;
    e->counters.health_probe_status = status;
    if (e->fallback.state != AR_DEGRADED)
        return;
    e->probe_status = status;
    copy_text(e->probe_text, sizeof(e->probe_text), text ? text : "");
    e->probed = true;
    fault_add_probe(&e->fault, e->probe_status, e->probe_text);
}

/* ---- health ---- */

/* To be live again: a connection, initialize, or a poll. */
static uint64_t next_attempt_at(const struct engine *e)
{
    switch (e->link) {
    case ENGINE_IDLE:
        return e->attempt_at_ms;
    case ENGINE_INITIALIZING:
        return earlier(e->next_init_at_ms, e->second_at_ms);
    case ENGINE_READY:
        return engine_is_live(e) ? UINT64_MAX : e->next_poll_at_ms;
    default:
        return UINT64_MAX;
    }
}

static void fill_state(const struct engine *e, uint64_t now_ms, struct ar_health *h)
{
    uint64_t next_at_ms = next_attempt_at(e);
    h->state = e->fallback.state;
    h->state_for_ms = now_ms > e->fallback.state_at_ms ? now_ms - e->fallback.state_at_ms : 0;
    h->state_since_ms = engine_unix_ms(e, e->fallback.state_at_ms);
    h->agents_unsupported = engine_is_live(e) && e->list == ENGINE_LIST_NONE;
    h->next_attempt_in_ms = -1;
    if (next_at_ms != UINT64_MAX)
        h->next_attempt_in_ms = next_at_ms > now_ms ? (int64_t)(next_at_ms - now_ms) : 0;
    h->in_flight = e->in_flight_count;
    h->waiting = e->waiting_count;
}

static void fill_snapshot(const struct engine *e, uint64_t now_ms, struct ar_health *h)
{
    /* A stand-in shows no agents, whatever the set is. */
    const struct agent_set *set = e->short_of_memory ? NULL : e->set;
    h->source = e->published.source;
    h->agents = set ? agent_set_count(set) : 0;
    h->agents_are_mock = set && agent_set_any_mock(set);
    h->agents_cut = set && agent_set_is_cut(set);
    h->snapshot_version = e->published.version;
    h->snapshot_age_ms = now_ms > e->published.taken_at_ms ? now_ms - e->published.taken_at_ms : 0;
}

static void fill_counters(const struct engine_counters *from, struct ar_health *h)
{
    h->relay = from->relay;
    h->server = from->server;
    h->health_probe = from->health_probe;
    h->health_probe_status = from->health_probe_status;
    h->attempts = from->attempts;
    h->links = from->links;
    h->losses = from->losses;
    h->calls = from->calls;
    h->completions = from->completions;
    h->bad_frames = from->bad_frames;
    h->round_trip_ms = from->round_trip_ms;
    memcpy(h->peer, from->peer, sizeof(h->peer));
}

void engine_health(const struct engine *e, uint64_t now_ms, struct ar_health *ret_health)
{
    *ret_health = (struct ar_health){.size = ret_health->size};
    fill_counters(&e->counters, ret_health);
    fill_state(e, now_ms, ret_health);
    fill_snapshot(e, now_ms, ret_health);
    copy_text(ret_health->address, sizeof(ret_health->address), e->address);
    copy_text(ret_health->last_error_name, sizeof(ret_health->last_error_name), e->fault.name);
    copy_text(ret_health->last_error, sizeof(ret_health->last_error), e->fault.text);
    if (!engine_is_live(e))
        copy_text(ret_health->suggestion, sizeof(ret_health->suggestion), e->fault.suggestion);
    ret_health->last_error_at_ms = e->fault_at_unix_ms;
}
