/* Bytes from the link: cut into lines, sorted by what they are.
 *
 * Happy path: every byte is life. A line is an answer (engine_answers.c), a notification (progress goes to
 * its call, the rest to the host, and some make the engine look at the agents again) or a request of the
 * peer, of which ping is answered and all others are refused.
 *
 * Failure modes: a line that is no JSON-RPC is counted; before the first good line, or when there are too
 * many in a row, what stands at the other end is no relay and the link is dropped; if it carries the id of a
 * request, that request is over. A line over the limit costs its own request alone. A line for which there is
 * no memory cannot be attributed, so the link is dropped. Whatever a handler did to the link, no byte is
 * looked at after it is gone.
 */
#include <string.h>

#include "engine_internal.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"

/* A longer id is not worth the bytes of an answer. */
#define PEER_ID_MAX 1024

static const char tools_changed[] = "notifications/tools/list_changed";
static const char *const change_methods[] = {
    "agents/list_changed",
    "notifications/agents/list_changed",
    "agent.spawned",
    "agent.terminated",
    "agent.status",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
};

static const char *at(const struct frame *f, struct span s)
{
    return f->bytes + s.off;
}

/* ---- notifications ---- */

static void take_progress(struct engine *e, const struct frame *f)
{
    const struct rpc_envelope *env = &f->env;
    uint64_t number;
    struct call *c = rpc_parse_id(at(f, env->param_token), env->param_token.len, &number)
                         ? engine_call_find(e, number)
                         : NULL;
    if (!c || c->state != CALL_IN_FLIGHT || !c->on_progress)
        return;
    char *params = engine_text(e, env->params.len + 1);
    if (!params)
        return; /* the next one has newer figures */
    memcpy(params, at(f, env->params), env->params.len);
    params[env->params.len] = '\0';
    e->ops->progress(e, c, params, env->params.len);
}

static void forward_notification(struct engine *e, const struct frame *f)
{
    const struct rpc_envelope *env = &f->env;
    char *params = engine_text(e, env->params.len + 1 + env->method.len);
    if (!params)
        return;
    if (span_found(env->params))
        memcpy(params, at(f, env->params), env->params.len);
    params[env->params.len] = '\0';
    char *method = params + env->params.len + 1;
    if (engine_decode(at(f, env->method), env->method.len, method) != SIZE_MAX)
        e->ops->notification(e, method, params, env->params.len);
}

static bool announces_change(const struct frame *f)
{
    for (size_t i = 0; i < sizeof(change_methods) / sizeof(change_methods[0]); i++) {
        if (rpc_string_is(at(f, f->env.method), f->env.method.len, change_methods[i]))
            return true;
    }
    return false;
}

static void take_notification(struct engine *e, const struct frame *f, uint64_t now_ms)
{
    if (rpc_string_is(at(f, f->env.method), f->env.method.len, "notifications/progress")) {
        take_progress(e, f);
        return;
    }
    bool tools = rpc_string_is(at(f, f->env.method), f->env.method.len, tools_changed);
    if (tools || announces_change(f))
        engine_agents_push(e, tools, now_ms);
    forward_notification(e, f);
}

/* ---- requests of the peer ---- */

static void take_request(struct engine *e, const struct frame *f)
{
    const struct rpc_envelope *env = &f->env;
    if (env->id.len > PEER_ID_MAX) {
        e->counters.bad_frames++;
        return;
    }
    if (rpc_string_is(at(f, env->method), env->method.len, "ping"))
        engine_send_reply(e, at(f, env->id), env->id.len, "result", "{}");
    else
        engine_send_reply(e, at(f, env->id), env->id.len, "error",
                          "{\"code\":-32601,\"message\":\"Method not found\"}");
}

/* ---- what is wrong ---- */

static bool is_answer(const struct rpc_envelope *env)
{
    return span_found(env->id) && !env->id_null && !env->has_method;
}

static void end_request(struct engine *e, const struct frame *f, enum answer_kind kind, uint64_t now_ms)
{
    const struct answer a = {.kind = kind};
    if (is_answer(&f->env) && frame_id_is_sound(f))
        engine_answer(e, at(f, f->env.id), f->env.id.len, &a, now_ms);
}

static void not_a_relay(struct engine *e, const char *line, size_t len, uint64_t now_ms)
{
    struct fault why;
    fault_not_a_relay(&why, e->address, line, len);
    engine_end_link(e, &why, ENGINE_END_BAD, now_ms);
}

static void take_bad_line(struct engine *e, const struct frame *f, enum answer_kind kind, uint64_t now_ms)
{
    const char *line = kind == ANSWER_TOO_LARGE ? "" : f->bytes;
    size_t len = kind == ANSWER_TOO_LARGE ? 0 : f->len;
    e->counters.bad_frames++;
    if (!e->got_good_line) {
        not_a_relay(e, line, len, now_ms);
        return;
    }
    end_request(e, f, kind, now_ms);
    if (engine_has_link(e) && ++e->bad_lines >= ENGINE_BAD_LINES_MAX)
        not_a_relay(e, line, len, now_ms);
}

/* ---- lines ---- */

static bool is_rpc(const struct frame *f)
{
    return f->env.kind != RPC_INVALID && f->env.kind != RPC_BATCH;
}

static void note_good_line(struct engine *e)
{
    e->got_good_line = true;
    e->bad_lines = 0;
    e->counters.relay = AR_REACH_UP;
}

static void take_answer(struct engine *e, const struct frame *f, enum answer_kind kind, struct span json,
                        uint64_t now_ms)
{
    const struct answer a = {.kind = kind, .json = at(f, json), .len = json.len};
    if (!span_found(f->env.id) || f->env.id_null)
        e->counters.bad_frames++;
    else
        engine_answer(e, at(f, f->env.id), f->env.id.len, &a, now_ms);
}

static void take_line(struct engine *e, const struct frame *f, uint64_t now_ms)
{
    if (!is_rpc(f)) {
        take_bad_line(e, f, ANSWER_BAD, now_ms);
        return;
    }
    note_good_line(e);
    switch (f->env.kind) {
    case RPC_RESULT:
        take_answer(e, f, ANSWER_RESULT, f->env.result, now_ms);
        break;
    case RPC_ERROR:
        take_answer(e, f, ANSWER_ERROR, f->env.error, now_ms);
        break;
    case RPC_NOTIFICATION:
        take_notification(e, f, now_ms);
        break;
    default:
        take_request(e, f);
        break;
    }
}

static void take_long_line(struct engine *e, const struct frame *f, uint64_t now_ms)
{
    if (!is_rpc(f)) {
        take_bad_line(e, f, ANSWER_TOO_LARGE, now_ms);
        return;
    }
    note_good_line(e);
    e->counters.bad_frames++;
    end_request(e, f, ANSWER_TOO_LARGE, now_ms);
}

/* ---- the stream ---- */

/* When the line under way began: it may not take for ever. `chunk` is what came last. */
static void watch_line(struct engine *e, const char *chunk, size_t len, uint64_t now_ms)
{
    bool ended = memchr(chunk, '\n', len);
    if (ended && e->line_at_ms != UINT64_MAX)
        engine_line_ended(e, e->line_at_ms, now_ms);
    if (!frame_reader_in_line(&e->reader))
        e->line_at_ms = UINT64_MAX;
    else if (e->line_at_ms == UINT64_MAX || ended)
        e->line_at_ms = now_ms;
}

static void take_chunk(struct engine *e, const char *bytes, size_t len, uint64_t now_ms)
{
    struct frame f;
    while (engine_has_link(e)) {
        switch (frame_next(&e->reader, &bytes, &len, &f)) {
        case FRAME_MORE:
            return;
        case FRAME_READY:
            take_line(e, &f, now_ms);
            break;
        case FRAME_TOO_LARGE:
            take_long_line(e, &f, now_ms);
            break;
        case FRAME_NO_MEMORY:
            engine_end_no_memory(e, now_ms);
            break;
        }
    }
}

void engine_link_bytes(struct engine *e, const char *bytes, size_t len, uint64_t now_ms)
{
    if (!engine_has_link(e) || len == 0)
        return;
    e->received_at_ms = now_ms;
    engine_moves_again(e, now_ms);
    take_chunk(e, bytes, len, now_ms);
    if (!engine_has_link(e))
        return;
    watch_line(e, bytes, len, now_ms);
    engine_agents_run(e, now_ms);
    engine_dispatch(e, now_ms);
}
