/* The kit's calls, what is expected of them, and what must hold of the engine at any time. Purpose and use:
 * engine_kit.h.
 */
#include <string.h>

#include "tests/unit/backend-client/engine/engine_fixture_internal.h"

/* ---- names ---- */

const char *kit_code_name(int code)
{
    switch (code) {
#define X(name, number, text)                                                                                \
    case name:                                                                                               \
        return #name;
        AR_CODES(X)
#undef X
    default:
        return "no code at all";
    }
}

const char *kit_state_name(enum ar_state state)
{
    static const char *const names[] = {"connecting", "live", "degraded", "closed"};
    return (unsigned)state < 4 ? names[state] : "no state at all";
}

const char *kit_source_name(enum ar_source source)
{
    static const char *const names[] = {"live", "stale", "mock"};
    return (unsigned)source < 3 ? names[source] : "no source at all";
}

/* ---- calls ---- */

static void never_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    (void)client;
    (void)reply;
    (void)data;
    KIT_REQUIRE(false, "the engine ran a callback of the user's itself");
}

static void never_progress(struct ar_client *client, const char *params, size_t len, void *data)
{
    (void)client;
    (void)params;
    (void)len;
    (void)data;
    KIT_REQUIRE(false, "the engine ran a callback of the user's itself");
}

uint64_t kit_ask(struct kit *kit, const struct kit_ask *ask)
{
    const struct ar_call options = {
        .size = sizeof(options),
        .method = ask->method ? ask->method : "tools/call",
        .params = ask->params,
        .params_len = ask->params_len,
        .deadline_ms = ask->deadline_ms,
        .policy = ask->policy,
        .idempotent = ask->idempotent,
        .on_progress = ask->progress ? never_progress : NULL,
        .on_reply = never_reply,
    };
    struct call *c;
    int rc = call_new(&options, kit->now_ms, kit->engine.options.call_timeout_ms,
                      kit->engine.options.frame_max_bytes, &c);
    KIT_REQUIRE(rc == AR_OK || (rc == AR_E_NO_MEMORY && kit->starved) ||
                    (ask->may_be_refused && (rc == AR_E_INVALID || rc == AR_E_TOO_LARGE)),
                "call_new: %d", rc);
    if (rc != AR_OK)
        return 0;
    uint64_t id = ++kit->calls_made;
    kit->calls = kit_grow(kit->calls, &kit->calls_cap, (size_t)id + 1, sizeof(*kit->calls));
    kit->calls[id] = (struct kit_call){
        .policy = ask->policy,
        .idempotent = ask->idempotent,
        .progress_wanted = ask->progress,
        .to_relay = strncmp(options.method, "relay/", 6) == 0,
        .began_at_ms = kit->now_ms,
    };
    c->id = id;
    kit->now_ms += ask->inbox_ms;
    kit->outstanding++;
    kit_trace(kit, "submit %llu", (unsigned long long)id);
    engine_submit(&kit->engine, c, kit->now_ms);
    kit_check(kit);
    return id;
}

uint64_t kit_ask_plain(struct kit *kit, enum ar_policy policy)
{
    return kit_ask(kit, &(struct kit_ask){.policy = policy});
}

void kit_cancel(struct kit *kit, uint64_t id)
{
    kit_trace(kit, "cancel %llu", (unsigned long long)id);
    engine_cancel(&kit->engine, id, kit->now_ms);
    KIT_REQUIRE(id < 1 || id > kit->calls_made || kit->calls[id].done, "cancelled, and not complete");
    kit_check(kit);
}

/* ---- expectations ---- */

static const struct kit_call *call_of(const struct kit *kit, uint64_t id)
{
    KIT_REQUIRE(id >= 1 && id <= kit->calls_made, "call %llu is none", (unsigned long long)id);
    return &kit->calls[id];
}

void kit_expect_open(struct kit *kit, uint64_t id)
{
    const struct kit_call *k = call_of(kit, id);
    KIT_REQUIRE(!k->done, "call %llu is complete already: %s", (unsigned long long)id,
                kit_code_name(k->code));
}

void kit_expect(struct kit *kit, uint64_t id, int code, bool may_have_run)
{
    const struct kit_call *k = call_of(kit, id);
    KIT_REQUIRE(k->done, "call %llu is not complete; %s was expected", (unsigned long long)id,
                kit_code_name(code));
    KIT_REQUIRE(k->code == code, "call %llu: %s (%s); %s was expected", (unsigned long long)id,
                kit_code_name(k->code), k->message, kit_code_name(code));
    KIT_REQUIRE(k->may_have_run == may_have_run, "call %llu: %s, may_have_run %d", (unsigned long long)id,
                kit_code_name(code), k->may_have_run);
}

void kit_expect_ok(struct kit *kit, uint64_t id, enum ar_source source)
{
    kit_expect(kit, id, AR_OK, source == AR_SOURCE_LIVE);
    KIT_REQUIRE(kit->calls[id].source == source, "call %llu: answered by the %s source",
                (unsigned long long)id, kit_source_name(kit->calls[id].source));
}

struct ar_health kit_health(struct kit *kit)
{
    struct ar_health h = {.size = sizeof(h)};
    engine_health(&kit->engine, kit->now_ms, &h);
    KIT_REQUIRE(h.size == sizeof(h), "the size was touched");
    return h;
}

/* ---- what holds always ---- */

static void check_counts(const struct kit *kit, const struct ar_health *h)
{
    KIT_REQUIRE(h->calls == kit->calls_made, "%llu calls counted of %llu", (unsigned long long)h->calls,
                (unsigned long long)kit->calls_made);
    KIT_REQUIRE(h->completions == kit->completed, "%llu completions counted of %llu",
                (unsigned long long)h->completions, (unsigned long long)kit->completed);
    KIT_REQUIRE(h->in_flight + h->waiting <= kit->outstanding, "%llu in flight and %llu waiting of %llu",
                (unsigned long long)h->in_flight, (unsigned long long)h->waiting,
                (unsigned long long)kit->outstanding);
    KIT_REQUIRE(kit->engine.in_flight_count + kit->engine.waiting_count == kit->outstanding,
                "%zu in flight and %zu waiting of %llu", kit->engine.in_flight_count,
                kit->engine.waiting_count, (unsigned long long)kit->outstanding);
    KIT_REQUIRE(kit->engine.in_flight_count <= kit->engine.options.in_flight_max, "%zu in flight",
                kit->engine.in_flight_count);
    KIT_REQUIRE(h->links == kit->link, "%llu links counted of %u", (unsigned long long)h->links, kit->link);
}

static void check_shown(const struct kit *kit, const struct ar_health *h)
{
    KIT_REQUIRE(h->state == kit->last.state && h->state == kit->told, "health %s, published %s, told %s",
                kit_state_name(h->state), kit_state_name(kit->last.state), kit_state_name(kit->told));
    KIT_REQUIRE(h->state != AR_LIVE || kit->linked, "live without a link");
    KIT_REQUIRE(h->relay != AR_REACH_UP || kit->linked, "the relay is up without a link");
    if (kit->starved)
        return; /* the static snapshot is shown, and says less than health */
    KIT_REQUIRE(h->source == kit->last.source, "health %s, published %s", kit_source_name(h->source),
                kit_source_name(kit->last.source));
    KIT_REQUIRE(h->agents == kit->last.count, "health counts %zu agents of %zu", h->agents, kit->last.count);
    KIT_REQUIRE(h->snapshot_version == kit->last.version, "health has version %llu of %llu",
                (unsigned long long)h->snapshot_version, (unsigned long long)kit->last.version);
    if (h->state == AR_DEGRADED)
        KIT_REQUIRE(h->last_error_name[0] && h->last_error[0] && h->suggestion[0],
                    "degraded for no reason: '%s' '%s' '%s'", h->last_error_name, h->last_error,
                    h->suggestion);
    if (h->state == AR_LIVE)
        KIT_REQUIRE(!h->suggestion[0], "live, and suggests: %s", h->suggestion);
}

void kit_check(struct kit *kit)
{
    const struct engine *e = &kit->engine;
    struct ar_health h = kit_health(kit);
    if (!kit->started)
        return;
    check_counts(kit, &h);
    check_shown(kit, &h);
    KIT_REQUIRE((e->link == ENGINE_CONNECTING) == kit->connecting, "link state %d, connecting %d", e->link,
                kit->connecting);
    KIT_REQUIRE((e->link == ENGINE_INITIALIZING || e->link == ENGINE_READY) == kit->linked,
                "link state %d, linked %d", e->link, kit->linked);
    KIT_REQUIRE((e->link == ENGINE_CLOSED) == (h.state == AR_CLOSED), "closed in part");
    if (!kit->closed && !kit->connecting)
        KIT_REQUIRE(engine_due_ms(e) != UINT64_MAX, "nothing will ever happen again");
    if (e->link == ENGINE_IDLE && !kit->closed)
        KIT_REQUIRE(h.next_attempt_in_ms >= 0 && (uint64_t)h.next_attempt_in_ms <= e->options.backoff_cap_ms,
                    "the next attempt is in %lld ms", (long long)h.next_attempt_in_ms);
    if (h.state == AR_LIVE || h.state == AR_CLOSED)
        KIT_REQUIRE(h.next_attempt_in_ms == -1, "%s, and an attempt in %lld ms", kit_state_name(h.state),
                    (long long)h.next_attempt_in_ms);
    if (++kit->events >= kit->event_at_most) {
        kit->event_at_most = UINT64_MAX;
        kit->on_enough(kit);
    }
}
