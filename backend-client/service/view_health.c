/* The health: what is served, since when, from where, and what is wrong.
 *
 * It is 200 whenever this service can answer at all, since it can then always serve agents of some source;
 * "source" is what it serves, and "status" classifies it: healthy while live.
 */
#include "outage_hint.h"
#include "view.h"

static void write_relay(const struct ar_health *h, struct writer *w)
{
    write_key(w, "relay");
    write_object(w);
    write_member_string(w, "address", h->address);
    write_member_string(w, "peer", h->peer[0] != '\0' ? h->peer : NULL);
    write_member_string(w, "reach", ar_reach_name(h->relay));
    write_object_end(w);
    write_key(w, "server");
    write_object(w);
    write_member_string(w, "reach", ar_reach_name(h->server));
    write_object_end(w);
    write_key(w, "healthProbe");
    write_object(w);
    write_member_string(w, "reach", ar_reach_name(h->health_probe));
    write_key(w, "status");
    if (h->health_probe_status > 0)
        write_int(w, h->health_probe_status);
    else
        write_null(w);
    write_object_end(w);
}

/* It stays after a recovery, with its time: "at" says whether it is what is wrong now. */
static void write_last_error(const struct ar_health *h, struct writer *w)
{
    write_key(w, "lastError");
    if (h->last_error_name[0] == '\0') {
        write_null(w);
        return;
    }
    char hint[OUTAGE_HINT_SIZE];
    outage_hint(h, hint);
    write_object(w);
    write_member_string(w, "code", h->last_error_name);
    write_member_string(w, "message", h->last_error);
    write_member_string(w, "suggestion", hint[0] != '\0' ? hint : NULL);
    view_write_time(w, "at", h->last_error_at_ms);
    write_object_end(w);
}

static void write_counters(const struct ar_health *h, struct writer *w)
{
    write_member_uint(w, "attempts", h->attempts);
    view_write_count(w, "nextAttemptInMs", h->next_attempt_in_ms);
    write_member_uint(w, "links", h->links);
    write_member_uint(w, "losses", h->losses);
    write_member_uint(w, "inFlight", h->in_flight);
    write_member_uint(w, "waiting", h->waiting);
    write_member_uint(w, "calls", h->calls);
    write_member_uint(w, "completions", h->completions);
    write_member_uint(w, "badFrames", h->bad_frames);
    view_write_thousandths(w, "roundTripMs", h->round_trip_ms);
}

void view_health(const struct view *v, struct writer *w)
{
    const struct ar_health *h = v->health;
    bool good = h->state == AR_LIVE && !h->agents_unsupported;
    write_object(w);
    write_member_string(w, "service", "agent-backend");
    write_member_string(w, "version", ar_version());
    write_member_string(w, "status", good ? "healthy" : "degraded");
    write_member_string(w, "source", ar_source_name(h->source));
    write_member_uint(w, "ageMs", h->snapshot_age_ms);
    write_member_string(w, "state", ar_state_name(h->state));
    view_write_time(w, "since", h->state_since_ms);
    write_member_uint(w, "stateForMs", h->state_for_ms);
    write_member_bool(w, "agentsAreMock", h->agents_are_mock);
    write_member_bool(w, "agentsUnsupported", h->agents_unsupported);
    write_member_bool(w, "agentsCut", h->agents_cut);
    write_member_uint(w, "agents", h->agents);
    write_member_uint(w, "snapshotVersion", h->snapshot_version);
    write_relay(h, w);
    write_counters(h, w);
    write_last_error(h, w);
    view_write_time(w, "timestamp", v->now_unix_ms);
    write_object_end(w);
}
