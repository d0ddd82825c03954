/* What the engine asks of its I/O driver, recorded, and held against its contract. Purpose and use: engine_fixture.h.
 * A violation ends the test at once (REQUIRE), with what was seen.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/common/strict_json.h"
#include "tests/unit/backend-client/engine/engine_fixture_internal.h"

static struct engine_fixture *engine_fixture_of(struct engine *e)
{
    return e->data;
}

static void on_connect(struct engine *e)
{
    struct engine_fixture *f = engine_fixture_of(e);
    REQUIRE(!f->connecting && !f->linked, "a second connection was asked for");
    REQUIRE(!f->closed, "a connection was asked for after the end");
    f->connecting = true;
    f->connects++;
    f->connect_at_ms = f->now_ms;
    engine_fixture_trace(f, "connect");
}

static void on_drop(struct engine *e)
{
    struct engine_fixture *f = engine_fixture_of(e);
    f->connecting = false;
    engine_fixture_peer_reset(f);
    f->drops++;
    f->dropped_at_ms = f->now_ms;
    engine_fixture_trace(f, "drop");
}

static void copy_cut(char *to, size_t size, const char *text, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;
    if (n > 0)
        memcpy(to, text, n);
    to[n] = '\0';
}

/* What a completion may say: source, and whether it may have run, against what the peer knows. */
static void check_result(const struct engine_fixture *f, const struct call_record *k, unsigned long long id,
                         const struct ar_reply *r)
{
    unsigned ran = k->seen - k->disclaimed;
    if (!r->may_have_run)
        REQUIRE(ran == 0 || f->raw_peer, "call %llu (%s) is said not to have run; the peer had it", id,
                engine_fixture_code_name(r->code));
    else
        REQUIRE(k->seen > 0 || r->code == AR_E_TIMEOUT || r->code == AR_E_CANCELLED || f->raw_peer,
                "call %llu (%s) is said to may have run; the peer never had it", id,
                engine_fixture_code_name(r->code));
    if (r->code == AR_OK && r->source == AR_SOURCE_MOCK)
        REQUIRE(k->policy == AR_MOCK && (f->last.state != AR_LIVE || k->retry_asked || f->raw_peer),
                "call %llu was answered from the mock", id);
    if ((r->code == AR_OK && r->source == AR_SOURCE_LIVE) || (r->code == AR_E_SERVER && !f->raw_peer))
        REQUIRE(k->answers > 0 || f->raw_peer || k->policy == AR_MOCK, "call %llu: who answered?", id);
    if (r->code == AR_OK && r->source == AR_SOURCE_LIVE)
        REQUIRE(r->may_have_run, "call %llu was answered by the server and has not run?", id);
    REQUIRE(r->code != AR_OK || r->source != AR_SOURCE_STALE, "call %llu: a stale answer", id);
}

static void check_reply(const struct ar_reply *r, unsigned long long id)
{
    REQUIRE(r->error_name && r->error_text && r->suggestion, "call %llu: a string is NULL", id);
    REQUIRE((r->code == AR_OK) == (r->error_name[0] == '\0'), "call %llu: %s is called '%s'", id,
            engine_fixture_code_name(r->code), r->error_name);
    REQUIRE((r->code == AR_OK) == (r->error_text[0] == '\0'), "call %llu: %s in no words", id,
            engine_fixture_code_name(r->code));
    if (r->code == AR_OK) {
        REQUIRE(r->result && r->result_len > 0 && r->result[r->result_len] == '\0',
                "call %llu: the result is no text", id);
        REQUIRE(is_strict_json(r->result, r->result_len), "call %llu: the result is not JSON", id);
    } else {
        REQUIRE(r->message && r->message[0], "call %llu: %s in no words", id,
                engine_fixture_code_name(r->code));
    }
    if (r->code == AR_E_SERVER)
        REQUIRE(r->error_data && (r->error_data_len == 0 || is_strict_json(r->error_data, r->error_data_len)),
                "call %llu: the error's data is not JSON", id);
}

static void on_complete(struct engine *e, struct call *c, const struct ar_reply *r)
{
    struct engine_fixture *f = engine_fixture_of(e);
    unsigned long long id = c->id;
    REQUIRE(id >= 1 && id <= f->calls_made, "call %llu is none", id);
    struct call_record *k = &f->calls[id];
    REQUIRE(!k->done, "call %llu was completed twice: %s, then %s", id, engine_fixture_code_name(k->code),
            engine_fixture_code_name(r->code));
    REQUIRE(c->state == CALL_DONE && !list_linked(&c->node) && !heap_has(&c->deadline),
            "call %llu is complete and linked still", id);
    check_reply(r, id);
    check_result(f, k, id, r);
    REQUIRE(r->elapsed_ms == f->now_ms - k->began_at_ms, "call %llu: %llu ms?", id,
            (unsigned long long)r->elapsed_ms);
    k->done = true;
    k->done_at_ms = f->now_ms;
    k->code = r->code;
    k->source = r->source;
    k->may_have_run = r->may_have_run;
    k->error_code = r->code == AR_E_SERVER ? r->error_code : 0;
    k->elapsed_ms = r->elapsed_ms;
    if (r->code == AR_OK)
        copy_cut(k->result, sizeof(k->result), r->result, r->result_len);
    else
        copy_cut(k->message, sizeof(k->message), r->message, strlen(r->message));
    k->from_relay = r->from_relay;
    copy_cut(k->error_name, sizeof(k->error_name), r->error_name, strlen(r->error_name));
    copy_cut(k->error_text, sizeof(k->error_text), r->error_text, strlen(r->error_text));
    copy_cut(k->suggestion, sizeof(k->suggestion), r->suggestion, strlen(r->suggestion));
    if (r->code == AR_E_SERVER)
        copy_cut(k->error_data, sizeof(k->error_data), r->error_data, r->error_data_len);
    f->outstanding--;
    f->completed++;
    engine_fixture_trace(f, "complete %llu %s %s %s", id, engine_fixture_code_name(r->code),
                         r->code == AR_OK && r->source == AR_SOURCE_MOCK ? "mock" : "",
                         r->may_have_run ? "may have run" : "");
    call_free(c);
}

static void on_progress(struct engine *e, struct call *c, const char *params, size_t len)
{
    struct engine_fixture *f = engine_fixture_of(e);
    REQUIRE(c->id >= 1 && c->id <= f->calls_made, "progress of no call");
    struct call_record *k = &f->calls[c->id];
    REQUIRE(!k->done && k->progress_wanted, "call %llu: progress that no call waits for",
            (unsigned long long)c->id);
    REQUIRE(is_strict_json(params, len), "progress that is not JSON");
    k->progress++;
    engine_fixture_trace(f, "progress %llu", (unsigned long long)c->id);
}

static void on_notification(struct engine *e, const char *method, const char *params, size_t len)
{
    struct engine_fixture *f = engine_fixture_of(e);
    REQUIRE(method, "a notification without a method");
    REQUIRE(params && (len == 0 || is_strict_json(params, len)), "params that are not JSON");
    f->notifications++;
    copy_cut(f->notification, sizeof(f->notification), method, strlen(method));
    engine_fixture_trace(f, "notification %s", f->notification);
}

static void check_agents(const struct engine_fixture *f, const struct ar_snapshot *s)
{
    bool mock = ar_snapshot_source(s) == AR_SOURCE_MOCK;
    for (size_t i = 0; i < ar_snapshot_count(s); i++) {
        const struct ar_agent *agent = ar_snapshot_agent(s, i);
        REQUIRE(agent && agent->id, "an agent without an id");
        if (mock)
            REQUIRE(agent->mock, "%s is passed off as a mock", agent->id);
        else if (!f->raw_peer)
            REQUIRE(!agent->mock, "the mock %s is passed off as real", agent->id);
    }
}

static void on_publish(struct engine *e, const struct ar_snapshot *s, bool changed)
{
    struct engine_fixture *f = engine_fixture_of(e);
    struct publication p = {
        .at_ms = f->now_ms,
        .source = ar_snapshot_source(s),
        .state = ar_snapshot_state(s),
        .version = ar_snapshot_version(s),
        .taken_at_ms = f->now_ms - snapshot_age_at(s, f->now_ms),
        .count = ar_snapshot_count(s),
        .changed = changed,
    };
    REQUIRE(p.source != AR_SOURCE_LIVE || p.state == AR_LIVE, "live agents while %s",
            engine_fixture_state_name(p.state));
    REQUIRE(p.state != AR_LIVE || p.source == AR_SOURCE_LIVE || f->out_of_memory, "%s agents while live",
            engine_fixture_source_name(p.source));
    REQUIRE(p.source != AR_SOURCE_STALE || p.state == AR_DEGRADED || p.state == AR_CLOSED,
            "stale agents while %s", engine_fixture_state_name(p.state));
    if (!f->out_of_memory) {
        REQUIRE(changed == (f->publications == 0 || p.version != f->last.version),
                "changed is %d, version %llu after %llu", changed, (unsigned long long)p.version,
                (unsigned long long)f->last.version);
        REQUIRE(p.version >= f->last.version, "the version went back");
        REQUIRE(f->publications == 0 || p.version != f->last.version ||
                    (p.source == f->last.source && p.state == f->last.state && p.count == f->last.count),
                "something changed and the version did not");
    }
    check_agents(f, s);
    ar_snapshot_release(f->snapshot);
    f->snapshot = s;
    f->last = p;
    f->publications++;
    f->changes += changed;
    engine_fixture_trace(f, "publish %s %s v%llu %zu%s", engine_fixture_source_name(p.source),
                         engine_fixture_state_name(p.state), (unsigned long long)p.version, p.count,
                         changed ? " changed" : "");
}

static void on_state(struct engine *e)
{
    struct engine_fixture *f = engine_fixture_of(e);
    struct ar_health h = {.size = sizeof(h)};
    engine_health(e, f->now_ms, &h);
    REQUIRE(f->publications > 0, "a state before the first publication");
    REQUIRE(h.state == f->last.state, "reported %s, published %s", engine_fixture_state_name(h.state),
            engine_fixture_state_name(f->last.state));
    REQUIRE(h.state != f->reported, "reported %s twice", engine_fixture_state_name(h.state));
    f->reported = h.state;
    f->states++;
    engine_fixture_trace(f, "state %s", engine_fixture_state_name(h.state));
}

static void on_second(struct engine *e, bool wanted)
{
    struct engine_fixture *f = engine_fixture_of(e);
    REQUIRE(f->linked || !wanted, "a second attempt without a first");
    f->second = wanted;
    f->seconds += wanted;
    engine_fixture_trace(f, wanted ? "second" : "no second");
}

static bool on_is_held(struct engine *e)
{
    return engine_fixture_of(e)->linked && engine_fixture_of(e)->unacked == 0;
}

static size_t on_unacked(struct engine *e)
{
    return engine_fixture_of(e)->unacked;
}

const struct engine_ops engine_fixture_ops = {
    .connect = on_connect,
    .drop = on_drop,
    .second = on_second,
    .is_held = on_is_held,
    .unacked = on_unacked,
    .complete = on_complete,
    .progress = on_progress,
    .notification = on_notification,
    .publish = on_publish,
    .state = on_state,
};
