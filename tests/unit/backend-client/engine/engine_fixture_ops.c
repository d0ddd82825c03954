/* What the engine asks of its shell, recorded, and held against its contract. Purpose and use: engine_kit.h.
 * A violation ends the test at once (KIT_REQUIRE), with what was seen.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/backend-client/engine/engine_fixture_internal.h"
#include "tests/unit/common/strict_json.h"

static struct kit *kit_of(struct engine *e)
{
    return e->data;
}

static void on_connect(struct engine *e)
{
    struct kit *kit = kit_of(e);
    KIT_REQUIRE(!kit->connecting && !kit->linked, "a second connection was asked for");
    KIT_REQUIRE(!kit->closed, "a connection was asked for after the end");
    kit->connecting = true;
    kit->connects++;
    kit->connect_at_ms = kit->now_ms;
    kit_trace(kit, "connect");
}

static void on_drop(struct engine *e)
{
    struct kit *kit = kit_of(e);
    kit->connecting = false;
    kit_peer_gone(kit);
    kit->drops++;
    kit->dropped_at_ms = kit->now_ms;
    kit_trace(kit, "drop");
}

static void copy_cut(char *to, size_t size, const char *text, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;
    if (n > 0)
        memcpy(to, text, n);
    to[n] = '\0';
}

/* Who may be told what: source, and whether it may have run, against what the peer knows. */
static void check_verdict(const struct kit *kit, const struct kit_call *k, unsigned long long id,
                          const struct ar_reply *r)
{
    unsigned ran = k->seen - k->disclaimed;
    if (!r->may_have_run)
        KIT_REQUIRE(ran == 0 || kit->raw_peer, "call %llu (%s) is said not to have run; the peer had it", id,
                    kit_code_name(r->code));
    else
        KIT_REQUIRE(k->seen > 0 || r->code == AR_E_TIMEOUT || r->code == AR_E_CANCELLED || kit->raw_peer,
                    "call %llu (%s) is said to may have run; the peer never had it", id,
                    kit_code_name(r->code));
    if (r->code == AR_OK && r->source == AR_SOURCE_MOCK)
        KIT_REQUIRE(k->policy == AR_MOCK && (kit->last.state != AR_LIVE || k->retry_asked || kit->raw_peer),
                    "call %llu was answered from the mock", id);
    if ((r->code == AR_OK && r->source == AR_SOURCE_LIVE) || (r->code == AR_E_SERVER && !kit->raw_peer))
        KIT_REQUIRE(k->answers > 0 || kit->raw_peer || k->policy == AR_MOCK, "call %llu: who answered?", id);
    if (r->code == AR_OK && r->source == AR_SOURCE_LIVE)
        KIT_REQUIRE(r->may_have_run, "call %llu was answered by the server and has not run?", id);
    KIT_REQUIRE(r->code != AR_OK || r->source != AR_SOURCE_STALE, "call %llu: a stale answer", id);
}

static void check_reply(const struct ar_reply *r, unsigned long long id)
{
    if (r->code == AR_OK) {
        KIT_REQUIRE(r->result && r->result_len > 0 && r->result[r->result_len] == '\0',
                    "call %llu: the result is no text", id);
        KIT_REQUIRE(is_strict_json(r->result, r->result_len), "call %llu: the result is not JSON", id);
    } else {
        KIT_REQUIRE(r->message && r->message[0], "call %llu: %s in no words", id, kit_code_name(r->code));
    }
    if (r->code == AR_E_SERVER)
        KIT_REQUIRE(r->error_data &&
                        (r->error_data_len == 0 || is_strict_json(r->error_data, r->error_data_len)),
                    "call %llu: the error's data is not JSON", id);
}

static void on_complete(struct engine *e, struct call *c, const struct ar_reply *r)
{
    struct kit *kit = kit_of(e);
    unsigned long long id = c->id;
    KIT_REQUIRE(id >= 1 && id <= kit->calls_made, "call %llu is none", id);
    struct kit_call *k = &kit->calls[id];
    KIT_REQUIRE(!k->done, "call %llu was completed twice: %s, then %s", id, kit_code_name(k->code),
                kit_code_name(r->code));
    KIT_REQUIRE(c->state == CALL_DONE && !list_linked(&c->node) && !heap_has(&c->deadline),
                "call %llu is complete and linked still", id);
    check_reply(r, id);
    check_verdict(kit, k, id, r);
    KIT_REQUIRE(r->elapsed_ms == kit->now_ms - k->began_at_ms, "call %llu: %llu ms?", id,
                (unsigned long long)r->elapsed_ms);
    k->done = true;
    k->done_at_ms = kit->now_ms;
    k->code = r->code;
    k->source = r->source;
    k->may_have_run = r->may_have_run;
    k->error_code = r->code == AR_E_SERVER ? r->error_code : 0;
    k->elapsed_ms = r->elapsed_ms;
    if (r->code == AR_OK)
        copy_cut(k->result, sizeof(k->result), r->result, r->result_len);
    else
        copy_cut(k->message, sizeof(k->message), r->message, strlen(r->message));
    if (r->code == AR_E_SERVER)
        copy_cut(k->error_data, sizeof(k->error_data), r->error_data, r->error_data_len);
    kit->outstanding--;
    kit->completed++;
    kit_trace(kit, "complete %llu %s %s %s", id, kit_code_name(r->code),
              r->code == AR_OK && r->source == AR_SOURCE_MOCK ? "mock" : "",
              r->may_have_run ? "may have run" : "");
    call_free(c);
}

static void on_progress(struct engine *e, struct call *c, const char *params, size_t len)
{
    struct kit *kit = kit_of(e);
    KIT_REQUIRE(c->id >= 1 && c->id <= kit->calls_made, "progress of no call");
    struct kit_call *k = &kit->calls[c->id];
    KIT_REQUIRE(!k->done && k->progress_wanted, "call %llu: progress that nobody waits for",
                (unsigned long long)c->id);
    KIT_REQUIRE(is_strict_json(params, len), "progress that is not JSON");
    k->progress++;
    kit_trace(kit, "progress %llu", (unsigned long long)c->id);
}

static void on_notification(struct engine *e, const char *method, const char *params, size_t len)
{
    struct kit *kit = kit_of(e);
    KIT_REQUIRE(method, "a notification without a method");
    KIT_REQUIRE(params && (len == 0 || is_strict_json(params, len)), "params that are not JSON");
    kit->notes++;
    copy_cut(kit->note, sizeof(kit->note), method, strlen(method));
    kit_trace(kit, "notification %s", kit->note);
}

static void check_agents(const struct kit *kit, const struct ar_snapshot *s)
{
    bool mock = ar_snapshot_source(s) == AR_SOURCE_MOCK;
    for (size_t i = 0; i < ar_snapshot_count(s); i++) {
        const struct ar_agent *agent = ar_snapshot_agent(s, i);
        KIT_REQUIRE(agent && agent->id, "an agent without an id");
        if (mock)
            KIT_REQUIRE(agent->mock, "%s is passed off as a mock", agent->id);
        else if (!kit->raw_peer)
            KIT_REQUIRE(!agent->mock, "the mock %s is passed off as real", agent->id);
    }
}

static void on_publish(struct engine *e, const struct ar_snapshot *s, bool changed)
{
    struct kit *kit = kit_of(e);
    struct kit_publication p = {
        .at_ms = kit->now_ms,
        .source = ar_snapshot_source(s),
        .state = ar_snapshot_state(s),
        .version = ar_snapshot_version(s),
        .taken_at_ms = kit->now_ms - snapshot_age_at(s, kit->now_ms),
        .count = ar_snapshot_count(s),
        .changed = changed,
    };
    KIT_REQUIRE(p.source != AR_SOURCE_LIVE || p.state == AR_LIVE, "live agents while %s",
                kit_state_name(p.state));
    KIT_REQUIRE(p.state != AR_LIVE || p.source == AR_SOURCE_LIVE || kit->starved, "%s agents while live",
                kit_source_name(p.source));
    KIT_REQUIRE(p.source != AR_SOURCE_STALE || p.state == AR_DEGRADED || p.state == AR_CLOSED,
                "stale agents while %s", kit_state_name(p.state));
    if (!kit->starved) {
        KIT_REQUIRE(changed == (kit->publications == 0 || p.version != kit->last.version),
                    "changed is %d, version %llu after %llu", changed, (unsigned long long)p.version,
                    (unsigned long long)kit->last.version);
        KIT_REQUIRE(p.version >= kit->last.version, "the version went back");
        KIT_REQUIRE(
            kit->publications == 0 || p.version != kit->last.version ||
                (p.source == kit->last.source && p.state == kit->last.state && p.count == kit->last.count),
            "something changed and the version did not");
    }
    check_agents(kit, s);
    ar_snapshot_release(kit->snapshot);
    kit->snapshot = s;
    kit->last = p;
    kit->publications++;
    kit->changes += changed;
    kit_trace(kit, "publish %s %s v%llu %zu%s", kit_source_name(p.source), kit_state_name(p.state),
              (unsigned long long)p.version, p.count, changed ? " changed" : "");
}

static void on_state(struct engine *e)
{
    struct kit *kit = kit_of(e);
    struct ar_health h = {.size = sizeof(h)};
    engine_health(e, kit->now_ms, &h);
    KIT_REQUIRE(kit->publications > 0, "a state before the first publication");
    KIT_REQUIRE(h.state == kit->last.state, "told of %s, published %s", kit_state_name(h.state),
                kit_state_name(kit->last.state));
    KIT_REQUIRE(h.state != kit->told, "told of %s twice", kit_state_name(h.state));
    kit->told = h.state;
    kit->states++;
    kit_trace(kit, "state %s", kit_state_name(h.state));
}

static size_t on_unacked(struct engine *e)
{
    return kit_of(e)->unacked;
}

const struct engine_ops kit_ops = {
    .connect = on_connect,
    .drop = on_drop,
    .unacked = on_unacked,
    .complete = on_complete,
    .progress = on_progress,
    .notification = on_notification,
    .publish = on_publish,
    .state = on_state,
};
