/* Polls: asking the server for its agents, and what its answers say about it.
 *
 * Happy path: agents/list is asked for every agents_poll_ms -> a list -> live with it. A server that does not
 * know the method is asked by its tool agent_list; one that knows neither has no agents to list: live, with
 * none, and asked again now and then. What answered last is asked first. A change that the peer announces
 * brings the next poll forward.
 *
 * Failure modes: refused, unanswered, or no list that can be read: the server is down, and polls go on at the
 * back-off's pace. A relay that is busy, or memory that is short, has until agents_timeout_ms after the last
 * good poll. An announced change while a poll is under way: one more poll after it, but no more than one such
 * poll in PUSH_GAP_MS, however many come.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine_internal.h"
#include "backend-client/src/agents/normalise.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"

#define PUSH_GAP_MS    UINT64_C(100)
#define NONE_POLL_MS   UINT64_C(30000) /* a server without a list: tools may come with an update */
#define DOWN_POLL_MS   UINT64_C(5000)  /* at most, while the server is down */
#define DOWN_FLOOR_MS  UINT64_C(100)   /* full jitter may draw 0, and polls would spin */
#define REASON_SIZE    256
#define ERROR_LOOK_MAX 512 /* bytes of an error in which to look for words */

static const char *const poll_name[] = {
    [ENGINE_LIST_METHOD] = "agents/list",
    [ENGINE_LIST_TOOL] = "tools/call agent_list",
};

/* ---- asking ---- */

static uint64_t poll_ms(const struct engine *e)
{
    return later(e->options.agents_poll_ms, 1);
}

/* From a good poll to the next one. */
static uint64_t interval_ms(const struct engine *e)
{
    return e->list == ENGINE_LIST_NONE ? later(poll_ms(e), NONE_POLL_MS) : poll_ms(e);
}

static void ask(struct engine *e, enum engine_list how, uint64_t now_ms)
{
    static const char tool[] = "{\"name\":\"agent_list\",\"arguments\":{\"filter\":\"all\"}}";
    uint64_t id = how == ENGINE_LIST_METHOD ? engine_send_request(e, "agents/list", "{}", 2)
                                            : engine_send_request(e, "tools/call", tool, sizeof(tool) - 1);
    if (id == 0) {
        engine_end_no_memory(e, now_ms);
        return;
    }
    e->polling = how;
    e->polled_by[how] = true;
    engine_request_sent(e, &e->requests.poll, id, now_ms);
    e->next_poll_at_ms = UINT64_MAX;
}

static void start_round(struct engine *e, uint64_t now_ms)
{
    memset(e->polled_by, 0, sizeof(e->polled_by));
    ask(e, e->list == ENGINE_LIST_TOOL ? ENGINE_LIST_TOOL : ENGINE_LIST_METHOD, now_ms);
}

void engine_agents_start(struct engine *e, uint64_t now_ms)
{
    e->list = ENGINE_LIST_METHOD;
    e->next_push_at_ms = 0;
    start_round(e, now_ms);
}

void engine_agents_run(struct engine *e, uint64_t now_ms)
{
    if (e->link == ENGINE_READY && e->requests.poll.id == 0 && e->next_poll_at_ms <= now_ms)
        start_round(e, now_ms);
}

void engine_agents_push(struct engine *e, uint64_t now_ms)
{
    if (e->link != ENGINE_READY || !engine_polls(e))
        return;
    if (e->requests.poll.id != 0) {
        e->poll_again = true;
        return;
    }
    uint64_t at_ms = later(now_ms, e->next_push_at_ms);
    if (at_ms < e->next_poll_at_ms) {
        e->next_poll_at_ms = at_ms;
        e->next_push_at_ms = at_ms + PUSH_GAP_MS;
    }
}

/* ---- what becomes of a round ---- */

static void end_round(struct engine *e, uint64_t next_at_ms, uint64_t now_ms)
{
    e->requests.poll.id = 0;
    e->next_poll_at_ms = next_at_ms;
    if (e->poll_again) {
        e->poll_again = false;
        engine_agents_push(e, now_ms);
    }
}

static void succeeded(struct engine *e, struct agent_set *set, enum engine_list how, uint64_t now_ms)
{
    e->list = how;
    e->good_polls++;
    end_round(e, now_ms + interval_ms(e), now_ms);
    /* Live before the retries: a call that waited for this poll can be sent only then. */
    engine_go_live(e, set, now_ms);
    engine_calls_retry(e, now_ms);
}

static void failed(struct engine *e, const struct fault *why, uint64_t now_ms)
{
    engine_server_down(e, why, now_ms);
    uint64_t most_ms = earlier(poll_ms(e), DOWN_POLL_MS);
    uint64_t wait_ms = earlier(reconnect_next_ms(&e->again), most_ms);
    end_round(e, now_ms + later(wait_ms, earlier(most_ms, DOWN_FLOOR_MS)), now_ms);
}

/* Not the server's fault, perhaps: it has until agents_timeout_ms after the last good poll; where polls are
 * further apart than that, after the next one was due, or it would have no time at all. */
static void put_off(struct engine *e, const struct fault *why, uint64_t wait_ms, uint64_t now_ms)
{
    uint64_t timeout_ms = e->options.agents_timeout_ms;
    uint64_t due_ms = interval_ms(e) < timeout_ms ? 0 : interval_ms(e);
    uint64_t end_ms = e->live_at_ms + due_ms + timeout_ms;
    if (!engine_is_live(e) || now_ms >= end_ms) {
        failed(e, why, now_ms);
        return;
    }
    end_round(e, earlier(now_ms + later(wait_ms, earlier(poll_ms(e), DOWN_POLL_MS)), end_ms), now_ms);
}

static void unusable(struct engine *e, const char *reason, uint64_t now_ms)
{
    struct fault why;
    fault_bad_answer(&why, poll_name[e->polling], reason, e->address);
    failed(e, &why, now_ms);
}

/* The server does not know what it was asked for: the other way, or there is none. */
static void unknown(struct engine *e, uint64_t now_ms)
{
    enum engine_list other = e->polling == ENGINE_LIST_METHOD ? ENGINE_LIST_TOOL : ENGINE_LIST_METHOD;
    if (e->polled_by[other])
        succeeded(e, NULL, ENGINE_LIST_NONE, now_ms);
    else
        ask(e, other, now_ms);
}

/* ---- answers ---- */

/* There is no code for it that servers agree on. */
static bool names_unknown_tool(const char *text)
{
    bool is_tool = strcasestr(text, "tool");
    return strcasestr(text, "unknown tool") || strcasestr(text, "no such tool") ||
           (is_tool && (strcasestr(text, "not found") || strcasestr(text, "does not exist")));
}

static bool is_unknown(const struct engine *e, const struct relay_error *relay, const struct answer *a)
{
    char text[ERROR_LOOK_MAX];
    if (relay->code == RPC_E_METHOD_NOT_FOUND)
        return true;
    if (relay->relay)
        return false;
    if (relay->code == RPC_E_INVALID_PARAMS)
        return true;
    if (e->polling != ENGINE_LIST_TOOL)
        return false;
    (void)snprintf(text, sizeof(text), "%.*s", (int)(a->len < sizeof(text) ? a->len : sizeof(text) - 1),
                   a->json);
    return names_unknown_tool(text);
}

static void take_error(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    struct relay_error relay;
    struct fault why;
    relay_error_read(&relay, a->json, a->len);
    if (is_unknown(e, &relay, a)) {
        unknown(e, now_ms);
        return;
    }
    fault_rpc(&why, poll_name[e->polling], &relay, e->address);
    bool busy = relay.relay && (relay.code == RPC_E_OVERLOADED || relay.code == RPC_E_RATE_LIMITED ||
                                relay.code == RPC_E_DRAINING);
    if (busy)
        put_off(e, &why, relay.retry_after_ms, now_ms);
    else
        failed(e, &why, now_ms);
}

static void take_list(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    struct set_builder builder;
    struct agent_set *set = NULL;
    char reason[REASON_SIZE] = "";
    struct fault why;
    fault_no_memory(&why);
    set_builder_init(&builder);
    int rc = normalise_agents(a->json, a->len, &builder, reason, sizeof(reason));
    if (rc == 0)
        rc = set_builder_finish(&builder, &set);
    set_builder_done(&builder);
    if (rc == 0)
        succeeded(e, set, e->polling, now_ms);
    else if (rc == -ENOMEM)
        put_off(e, &why, 0, now_ms);
    else if (rc == ERR_TYPE && e->polling == ENGINE_LIST_TOOL && names_unknown_tool(reason))
        unknown(e, now_ms);
    else
        unusable(e, reason[0] ? reason : err_text(rc), now_ms);
}

void engine_agents_answered(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    e->requests.poll.id = 0;
    e->counters.round_trip_ms = engine_request_elapsed_ms(e, &e->requests.poll, now_ms);
    switch (a->kind) {
    case ANSWER_RESULT:
        take_list(e, a, now_ms);
        break;
    case ANSWER_ERROR:
        take_error(e, a, now_ms);
        break;
    case ANSWER_BAD:
    case ANSWER_TOO_LARGE:
        unusable(e, answer_problem(a->kind), now_ms);
        break;
    }
}

/* The server may be at fault or the relay: the ping decides. */
void engine_agents_timed_out(struct engine *e, uint64_t now_ms)
{
    struct fault why;
    char id[40];
    (void)snprintf(id, sizeof(id), "\"ar-%" PRIu64 "\"", e->requests.poll.id);
    engine_send_cancelled(e, id);
    e->abandoned++;
    fault_no_answer(&why, poll_name[e->polling], now_ms - e->requests.poll.at_ms, e->address);
    failed(e, &why, now_ms);
    if (e->requests.ping.id == 0)
        engine_ping(e, now_ms);
}
