/* Polls: asking the server for its agents, and what its answers say about it.
 *
 * Happy path: once on each link, and again after a change of its tools, tools/list says whether the server has the
 * tool agent_list (all pages are read, or as many as it takes). Then that tool is called every agents_poll_ms -> a
 * list -> live with it. A server without the tool is asked by the method agents/list; one that has neither has
 * no agents to list: live, with none, and asked again now and then. A tool that tools/list does not name is never
 * called, since a server may do work before it refuses. A change that the peer announces brings the next poll
 * forward.
 *
 * Failure modes: refused, unanswered, or no list that can be read: the server is down, and polls go on at the
 * back-off's pace. A relay that is busy, or memory that is short, has until agents_timeout_ms after the last
 * good poll. A server that has never listed agents and answers agents/list with whatever error, with something
 * else, or not at all, while it answered tools/list: it has no such method. A list that is larger than can be
 * read: live, with none of it, and marked as cut. An announced change while a poll is under way: one more poll
 * after it, but no more than one such poll in PUSH_GAP_MS, however many come.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine_internal.h"
#include "backend-client/src/agents/normalise.h"
#include "backend-client/src/agents/tools_page.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"

#define PUSH_GAP_MS    UINT64_C(100)
#define NONE_POLL_MS   UINT64_C(30000) /* a server without a list: tools may come with an update */
#define DOWN_POLL_MS   UINT64_C(5000)  /* at most, while the server is down */
#define DOWN_FLOOR_MS  UINT64_C(100)   /* full jitter may draw 0, and polls would spin */
#define REASON_SIZE    256
#define TOOL_PAGES_MAX 256 /* a server whose cursors never end has no tool on the first so many pages */
#define CURSOR_MAX     ((size_t)64 << 10)

static const char *const poll_name[] = {
    [ENGINE_POLL_TOOLS] = "tools/list",
    [ENGINE_POLL_TOOL] = "tools/call agent_list",
    [ENGINE_POLL_METHOD] = "agents/list",
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

static void ask(struct engine *e, enum engine_poll what, const char *params, size_t len, uint64_t now_ms)
{
    static const char *const methods[] = {
        [ENGINE_POLL_TOOLS] = "tools/list",
        [ENGINE_POLL_TOOL] = "tools/call",
        [ENGINE_POLL_METHOD] = "agents/list",
    };
    uint64_t id = engine_send_request(e, methods[what], params, len);
    if (id == 0) {
        engine_end_no_memory(e, now_ms);
        return;
    }
    e->polling = what;
    engine_request_sent(e, &e->requests.poll, id, now_ms);
    e->next_poll_at_ms = UINT64_MAX;
}

static void ask_tools(struct engine *e, const char *params, size_t len, uint64_t now_ms)
{
    e->tool_pages++;
    ask(e, ENGINE_POLL_TOOLS, params, len, now_ms);
}

static void ask_tool(struct engine *e, uint64_t now_ms)
{
    static const char all[] = "{\"name\":\"" TOOLS_PAGE_TOOL "\",\"arguments\":{\"filter\":\"all\"}}";
    static const char plain[] = "{\"name\":\"" TOOLS_PAGE_TOOL "\",\"arguments\":{}}";
    if (e->tool_filters)
        ask(e, ENGINE_POLL_TOOL, all, sizeof(all) - 1, now_ms);
    else
        ask(e, ENGINE_POLL_TOOL, plain, sizeof(plain) - 1, now_ms);
}

static void ask_method(struct engine *e, uint64_t now_ms)
{
    ask(e, ENGINE_POLL_METHOD, "{}", 2, now_ms);
}

static void start_round(struct engine *e, uint64_t now_ms)
{
    e->tool_pages = 0;
    if (e->list == ENGINE_LIST_TOOL)
        ask_tool(e, now_ms);
    else if (e->list == ENGINE_LIST_METHOD)
        ask_method(e, now_ms);
    else
        ask_tools(e, "{}", 2, now_ms);
}

void engine_agents_start(struct engine *e, uint64_t now_ms)
{
    e->list = ENGINE_LIST_UNKNOWN;
    e->listed = false;
    e->next_push_at_ms = 0;
    start_round(e, now_ms);
}

void engine_agents_run(struct engine *e, uint64_t now_ms)
{
    if (e->link == ENGINE_READY && e->requests.poll.id == 0 && e->next_poll_at_ms <= now_ms)
        start_round(e, now_ms);
}

void engine_agents_push(struct engine *e, bool tools, uint64_t now_ms)
{
    if (e->link != ENGINE_READY || !engine_polls(e))
        return;
    if (tools)
        e->tools_changed = true;
    if (e->requests.poll.id != 0) {
        e->poll_again = true;
        return;
    }
    if (e->tools_changed && e->list != ENGINE_LIST_NONE)
        e->list = ENGINE_LIST_UNKNOWN;
    e->tools_changed = false;
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
        engine_agents_push(e, false, now_ms);
    }
}

/* `why`: what is nevertheless to be said; NULL: nothing. */
static void succeeded(struct engine *e, struct agent_set *set, enum engine_list how, const struct fault *why,
                      uint64_t now_ms)
{
    e->list = how;
    e->good_polls++;
    end_round(e, now_ms + interval_ms(e), now_ms);
    /* Live before the retries: a call that waited for this poll can be sent only then. */
    engine_go_live(e, set, why, now_ms);
    engine_calls_retry(e, now_ms);
}

static void failed(struct engine *e, const struct fault *why, uint64_t now_ms)
{
    if (e->list != ENGINE_LIST_METHOD) /* the tool may be gone, and a server without a list have one now */
        e->list = ENGINE_LIST_UNKNOWN;
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

/* ---- answers to tools/list ---- */

static void take_tools(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    struct buf params;
    struct tools_page page;
    struct fault why;
    buf_init(&params, CURSOR_MAX);
    int rc = tools_page_read(a->json, a->len, &params, &page);
    if (rc == -ENOMEM) {
        fault_no_memory(&why);
        put_off(e, &why, 0, now_ms);
    } else if (rc == 0 && page.has_tool) {
        e->tool_filters = page.filters;
        ask_tool(e, now_ms);
    } else if (rc == 0 && page.more && e->tool_pages < TOOL_PAGES_MAX) {
        ask_tools(e, buf_data(&params), buf_len(&params), now_ms);
    } else {
        ask_method(e, now_ms);
    }
    buf_done(&params);
}

/* ---- answers ---- */

/* The method may not be there: such an answer to it is no failure. */
static bool is_trial(const struct engine *e)
{
    return e->polling == ENGINE_POLL_METHOD && !e->has_method;
}

static void has_none(struct engine *e, uint64_t now_ms)
{
    succeeded(e, NULL, ENGINE_LIST_NONE, NULL, now_ms);
}

/* By its code alone: servers have no words for it that they agree on. -32602 is what servers on the Python SDK
 * answer to a method that they do not know. */
static bool is_unknown(const struct relay_error *relay)
{
    return relay->code == RPC_E_METHOD_NOT_FOUND || (!relay->relay && relay->code == RPC_E_INVALID_PARAMS);
}

/* It has listed its agents, and knows the method no longer: it may have tools now. */
static void look_again(struct engine *e, uint64_t now_ms)
{
    e->list = ENGINE_LIST_UNKNOWN;
    start_round(e, now_ms);
}

/* The server does not offer what it was asked for. */
static void not_offered(struct engine *e, uint64_t now_ms)
{
    if (e->polling == ENGINE_POLL_TOOLS)
        ask_method(e, now_ms);
    else if (e->list != ENGINE_LIST_METHOD)
        has_none(e, now_ms);
    else
        look_again(e, now_ms);
}

static void take_error(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    struct relay_error relay;
    struct fault why;
    relay_error_read(&relay, a->json, a->len);
    bool may_be_missing = e->polling != ENGINE_POLL_TOOL && is_unknown(&relay);
    bool of_server = relay.valid && !relay.relay;
    if (may_be_missing || (of_server && (e->polling == ENGINE_POLL_TOOLS || is_trial(e)))) {
        not_offered(e, now_ms);
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

/* The server lists more than can be read: live, with none of it, and marked as cut. */
static void too_much(struct engine *e, const char *reason, uint64_t now_ms)
{
    struct fault why;
    struct set_builder builder;
    struct agent_set *set;
    set_builder_init(&builder);
    set_builder_cut(&builder);
    if (set_builder_finish(&builder, &set) != 0) {
        fault_no_memory(&why);
        put_off(e, &why, 0, now_ms);
        return;
    }
    fault_bad_answer(&why, poll_name[e->polling], reason, e->address);
    enum engine_list how = e->polling == ENGINE_POLL_TOOL ? ENGINE_LIST_TOOL : ENGINE_LIST_METHOD;
    succeeded(e, set, how, &why, now_ms);
}

/* No list in a known place, from a server that has not given one on this link: it says something else there. */
static void says_no_list(struct engine *e, const char *reason, uint64_t now_ms)
{
    struct fault why;
    fault_bad_answer(&why, poll_name[e->polling], reason, e->address);
    succeeded(e, NULL, ENGINE_LIST_NONE, is_trial(e) ? NULL : &why, now_ms);
}

static void take_set(struct engine *e, struct agent_set *set, uint64_t now_ms)
{
    bool method = e->polling == ENGINE_POLL_METHOD;
    e->listed = true;
    e->has_method = e->has_method || method;
    succeeded(e, set, method ? ENGINE_LIST_METHOD : ENGINE_LIST_TOOL, NULL, now_ms);
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
    const char *said = reason[0] ? reason : err_text(rc);
    if (rc == 0)
        take_set(e, set, now_ms);
    else if (rc == -ENOMEM)
        put_off(e, &why, 0, now_ms);
    else if (rc == ERR_TOO_LARGE || rc == ERR_DEPTH)
        too_much(e, said, now_ms);
    else if (rc == ERR_NOT_FOUND && !e->listed)
        says_no_list(e, said, now_ms);
    else
        unusable(e, said, now_ms);
}

static void take_large(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    if (e->polling == ENGINE_POLL_TOOLS)
        ask_method(e, now_ms);
    else
        too_much(e, answer_problem(a->kind), now_ms);
}

void engine_agents_answered(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    e->requests.poll.id = 0;
    e->counters.round_trip_ms = engine_request_elapsed_ms(e, &e->requests.poll, now_ms);
    switch (a->kind) {
    case ANSWER_RESULT:
        if (e->polling == ENGINE_POLL_TOOLS)
            take_tools(e, a, now_ms);
        else
            take_list(e, a, now_ms);
        break;
    case ANSWER_ERROR:
        take_error(e, a, now_ms);
        break;
    case ANSWER_TOO_LARGE:
        take_large(e, a, now_ms);
        break;
    case ANSWER_BAD:
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
    if (is_trial(e))
        has_none(e, now_ms);
    else
        failed(e, &why, now_ms);
    if (e->requests.ping.id == 0)
        engine_ping(e, now_ms);
}
