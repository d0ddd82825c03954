/* The fixture's calls, what is expected of them, and what must hold of the engine at any time. Purpose and use:
 * engine_fixture.h.
 */
#include <string.h>

#include "tests/unit/backend-client/engine/engine_fixture_internal.h"

/* ---- names ---- */

const char *engine_fixture_code_name(int code)
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

const char *engine_fixture_state_name(enum ar_state state)
{
    static const char *const names[] = {"connecting", "live", "degraded", "closed"};
    return (unsigned)state < 4 ? names[state] : "no state at all";
}

const char *engine_fixture_source_name(enum ar_source source)
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
    REQUIRE(false, "the engine ran a callback of the user's itself");
}

static void never_progress(struct ar_client *client, const char *params, size_t len, void *data)
{
    (void)client;
    (void)params;
    (void)len;
    (void)data;
    REQUIRE(false, "the engine ran a callback of the user's itself");
}

uint64_t engine_fixture_submit(struct engine_fixture *f, const struct call_spec *ask)
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
    int rc = call_new(&options, f->now_ms, f->engine.options.call_timeout_ms,
                      f->engine.options.frame_max_bytes, &c);
    REQUIRE(rc == AR_OK || (rc == AR_E_NO_MEMORY && f->out_of_memory) ||
                (ask->may_be_refused && (rc == AR_E_INVALID || rc == AR_E_TOO_LARGE)),
            "call_new: %d", rc);
    if (rc != AR_OK)
        return 0;
    uint64_t id = ++f->calls_made;
    f->calls = engine_fixture_grow(f->calls, &f->calls_cap, (size_t)id + 1, sizeof(*f->calls));
    f->calls[id] = (struct call_record){
        .policy = ask->policy,
        .idempotent = ask->idempotent,
        .progress_wanted = ask->progress,
        .to_relay = strncmp(options.method, "relay/", 6) == 0,
        .began_at_ms = f->now_ms,
    };
    c->id = id;
    f->now_ms += ask->inbox_ms;
    f->outstanding++;
    engine_fixture_trace(f, "submit %llu", (unsigned long long)id);
    engine_submit(&f->engine, c, f->now_ms);
    engine_fixture_check(f);
    return id;
}

uint64_t engine_fixture_submit_plain(struct engine_fixture *f, enum ar_policy policy)
{
    return engine_fixture_submit(f, &(struct call_spec){.policy = policy});
}

void engine_fixture_cancel(struct engine_fixture *f, uint64_t id)
{
    engine_fixture_trace(f, "cancel %llu", (unsigned long long)id);
    engine_cancel(&f->engine, id, f->now_ms);
    REQUIRE(id < 1 || id > f->calls_made || f->calls[id].done, "cancelled, and not complete");
    engine_fixture_check(f);
}

/* ---- expectations ---- */

static const struct call_record *call_of(const struct engine_fixture *f, uint64_t id)
{
    REQUIRE(id >= 1 && id <= f->calls_made, "call %llu is none", (unsigned long long)id);
    return &f->calls[id];
}

void engine_fixture_expect_open(struct engine_fixture *f, uint64_t id)
{
    const struct call_record *k = call_of(f, id);
    REQUIRE(!k->done, "call %llu is complete already: %s", (unsigned long long)id,
            engine_fixture_code_name(k->code));
}

void engine_fixture_expect(struct engine_fixture *f, uint64_t id, int code, bool may_have_run)
{
    const struct call_record *k = call_of(f, id);
    REQUIRE(k->done, "call %llu is not complete; %s was expected", (unsigned long long)id,
            engine_fixture_code_name(code));
    REQUIRE(k->code == code, "call %llu: %s (%s); %s was expected", (unsigned long long)id,
            engine_fixture_code_name(k->code), k->message, engine_fixture_code_name(code));
    REQUIRE(k->may_have_run == may_have_run, "call %llu: %s, may_have_run %d", (unsigned long long)id,
            engine_fixture_code_name(code), k->may_have_run);
}

void engine_fixture_expect_ok(struct engine_fixture *f, uint64_t id, enum ar_source source)
{
    engine_fixture_expect(f, id, AR_OK, source == AR_SOURCE_LIVE);
    REQUIRE(f->calls[id].source == source, "call %llu: answered by the %s source", (unsigned long long)id,
            engine_fixture_source_name(f->calls[id].source));
}

struct ar_health engine_fixture_health(struct engine_fixture *f)
{
    struct ar_health h = {.size = sizeof(h)};
    engine_health(&f->engine, f->now_ms, &h);
    REQUIRE(h.size == sizeof(h), "the size was touched");
    return h;
}

/* ---- what holds always ---- */

static void check_counts(const struct engine_fixture *f, const struct ar_health *h)
{
    REQUIRE(h->calls == f->calls_made, "%llu calls counted of %llu", (unsigned long long)h->calls,
            (unsigned long long)f->calls_made);
    REQUIRE(h->completions == f->completed, "%llu completions counted of %llu",
            (unsigned long long)h->completions, (unsigned long long)f->completed);
    REQUIRE(h->in_flight + h->waiting <= f->outstanding, "%llu in flight and %llu waiting of %llu",
            (unsigned long long)h->in_flight, (unsigned long long)h->waiting,
            (unsigned long long)f->outstanding);
    REQUIRE(f->engine.in_flight_count + f->engine.waiting_count == f->outstanding,
            "%zu in flight and %zu waiting of %llu", f->engine.in_flight_count, f->engine.waiting_count,
            (unsigned long long)f->outstanding);
    REQUIRE(f->engine.in_flight_count <= f->engine.options.in_flight_max, "%zu in flight",
            f->engine.in_flight_count);
    REQUIRE(h->links == f->link, "%llu links counted of %u", (unsigned long long)h->links, f->link);
}

static void check_shown(const struct engine_fixture *f, const struct ar_health *h)
{
    REQUIRE(h->state == f->last.state && h->state == f->reported, "health %s, published %s, reported %s",
            engine_fixture_state_name(h->state), engine_fixture_state_name(f->last.state),
            engine_fixture_state_name(f->reported));
    REQUIRE(h->state != AR_LIVE || f->linked, "live without a link");
    REQUIRE(h->relay != AR_REACH_UP || f->linked, "the relay is up without a link");
    if (f->out_of_memory)
        return; /* the static snapshot is shown, and says less than health */
    REQUIRE(h->source == f->last.source, "health %s, published %s", engine_fixture_source_name(h->source),
            engine_fixture_source_name(f->last.source));
    REQUIRE(h->agents == f->last.count, "health counts %zu agents of %zu", h->agents, f->last.count);
    REQUIRE(h->snapshot_version == f->last.version, "health has version %llu of %llu",
            (unsigned long long)h->snapshot_version, (unsigned long long)f->last.version);
    if (h->state == AR_DEGRADED)
        REQUIRE(h->last_error_name[0] && h->last_error[0] && h->suggestion[0],
                "degraded for no reason: '%s' '%s' '%s'", h->last_error_name, h->last_error, h->suggestion);
    if (h->state == AR_LIVE)
        REQUIRE(!h->suggestion[0], "live, and suggests: %s", h->suggestion);
}

void engine_fixture_check(struct engine_fixture *f)
{
    const struct engine *e = &f->engine;
    struct ar_health h = engine_fixture_health(f);
    if (!f->started)
        return;
    check_counts(f, &h);
    check_shown(f, &h);
    REQUIRE((e->link == ENGINE_CONNECTING) == f->connecting, "link state %d, connecting %d", e->link,
            f->connecting);
    REQUIRE((e->link == ENGINE_INITIALIZING || e->link == ENGINE_READY) == f->linked,
            "link state %d, linked %d", e->link, f->linked);
    REQUIRE((e->link == ENGINE_CLOSED) == (h.state == AR_CLOSED), "closed in part");
    if (!f->closed && !f->connecting)
        REQUIRE(engine_due_ms(e) != UINT64_MAX, "nothing will ever happen again");
    if (e->link == ENGINE_IDLE && !f->closed)
        REQUIRE(h.next_attempt_in_ms >= 0 && (uint64_t)h.next_attempt_in_ms <= e->options.backoff_cap_ms,
                "the next attempt is in %lld ms", (long long)h.next_attempt_in_ms);
    if (h.state == AR_LIVE || h.state == AR_CLOSED)
        REQUIRE(h.next_attempt_in_ms == -1, "%s, and an attempt in %lld ms",
                engine_fixture_state_name(h.state), (long long)h.next_attempt_in_ms);
    if (++f->events >= f->event_at_most) {
        f->event_at_most = UINT64_MAX;
        f->on_limit(f);
    }
}
