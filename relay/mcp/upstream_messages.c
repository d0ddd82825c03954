/* Sorts a child's lines: message; answer whose id is spelled in another way; echo of what the child was sent; log line;
 * other text.
 *
 * An answer finds its call by the relay's id and leaves with the client's own; requests and notifications go by
 * the rule of their method. A line that is no message is counted, and the first ones are kept for errors
 * (route/stray_lines). Where whole messages stand in it, behind a prefix or side by side, they are taken; one that is
 * broken and names a call in flight settles that call at once, so that nobody waits for an answer that was given.
 */
#include "mcp/upstream_messages.h"

#include <stdio.h>

#include "mcp/elicitations.h"
#include "mcp/handshake.h"
#include "mcp/initialize.h"
#include "mcp/methods.h"
#include "mcp/strays.h"
#include "mcp/tasks.h"
#include "route/outbox.h"
#include "route/replies.h"
#include "route/stray_lines.h"
#include "route/upstream.h"
#include "wire/json_member.h"
#include "wire/line_split.h"
#include "wire/rpc_error.h"

/* ---- answers ---- */

/* An answer to what is settled already, or to the relay itself. */
static void answer_late(struct upstream *upstream, struct call *c, const struct frame *frame, uint64_t now_ms)
{
    if (!c || c->state != CALL_OWN)
        upstream->stats.late++;
    if (c && c->state == CALL_ABANDONED && c->is_task && frame->env.kind == RPC_RESULT)
        tasks_disown(upstream, frame, now_ms);
    if (c && c->state == CALL_OWN)
        call_settle(c, frame->env.kind == RPC_RESULT ? CALL_ANSWERED : CALL_REFUSED, frame);
    if (c && (c->state == CALL_OWN || c->state == CALL_ABANDONED))
        call_close(c);
}

static void pass_answer(struct call *c, const struct frame *frame, uint64_t now_ms)
{
    struct upstream *upstream = c->upstream;
    struct route_session *s = c->session;
    bool is_error = frame->env.kind == RPC_ERROR;
    struct splice splice = {frame->env.id, c->id, c->id_len};

    struct part parts[SPLICE_PARTS_MAX];
    size_t count = splice_parts(frame->bytes, frame->len, &splice, 1, parts);
    call_send(c, &(struct message){.parts = parts,
                                   .part_count = count,
                                   .kind = is_error ? MESSAGE_ERROR : MESSAGE_RESULT,
                                   .about = c->id,
                                   .about_len = c->id_len});
    upstream->stats.answers++;
    upstream->stats.last_used_ms = now_ms;
    if (c->method == RPC_M_INITIALIZE)
        initialize_passed(s, frame);
    if (is_error && upstream_is_shared(upstream))
        elicitations_note(s, frame);
    call_settle(c, is_error ? CALL_REFUSED : CALL_ANSWERED, frame);
    if (!tasks_answered(c, frame, now_ms))
        call_close(c);
}

static void on_answer(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    enum stray look;
    if (handshake_is(upstream, frame)) {
        handshake_answer(upstream, frame, now_ms);
        return;
    }
    struct call *c = calls_find(upstream, frame_id(frame), frame->env.id.len);
    if (c && c->state == CALL_IN_FLIGHT)
        pass_answer(c, frame, now_ms);
    else if (!c && stray_is_foreign(upstream, frame, &look))
        stray_lines_note(upstream, look, frame->bytes, frame->len);
    else
        answer_late(upstream, c, frame, now_ms);
}

/* ---- requests and notifications of the child ---- */

static bool can_be_answered(const struct upstream *upstream, const struct frame *frame)
{
    const struct span id = frame->env.id;
    return frame_id_is_sound(frame) && !frame->env.id_null &&
           id.len <= upstream->router->options.max_id_bytes;
}

static void on_request(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                       uint64_t now_ms)
{
    if (!can_be_answered(upstream, frame))
        upstream->stats.invalid_lines++;
    else
        method_upstream_request(upstream, method)(upstream, frame, method, now_ms);
}

/* Around its handshake a shared child's notifications are nobody's. */
static void on_notification(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                            uint64_t now_ms)
{
    if (upstream_is_shared(upstream) && upstream->state != UPSTREAM_READY)
        upstream->stats.dropped_notifications++;
    else
        method_upstream_notification(upstream, method)(upstream, frame, method, now_ms);
}

static void on_null_notification(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                                 uint64_t now_ms)
{
    struct buf text;
    struct frame notification;
    buf_init(&text, frame->len);
    if (frame_drop_null_id(frame, &text, &notification) == 0)
        on_notification(upstream, &notification, method, now_ms);
    else
        upstream->stats.dropped_notifications++;
    buf_done(&text);
}

/* ---- what is no message ---- */

/* The call that a spoilt answer was for; NULL: none is in flight under that id. */
static struct call *spoilt_call(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct call *c = calls_find(upstream, frame_id(frame), frame->env.id.len);
    if (c && c->state == CALL_IN_FLIGHT)
        return c;
    if (c)
        answer_late(upstream, c, frame, now_ms);
    return NULL;
}

/* Settles the call that is meant, if there is one. `at`: where in the line the frame begins. */
static void on_bad_answer(struct upstream *upstream, const struct frame *frame, size_t at, uint64_t now_ms)
{
    struct refusal why = {.code = RPC_E_BAD_REPLY};
    if (handshake_is(upstream, frame)) {
        handshake_answer(upstream, frame, now_ms);
        return;
    }
    struct call *c = spoilt_call(upstream, frame, now_ms);
    if (!c)
        return;
    upstream->stats.bad_replies++;
    refusal_reason(upstream->router, &why, rpc_fault_text(frame->env.fault), at + frame->env.fault_at);
    call_fail(c, &why);
}

/* An object that is no message, or is broken. The look is that of the line, as far as the object decides it. */
static enum stray on_invalid_object(struct upstream *upstream, const struct frame *frame, size_t at,
                                    bool whole, uint64_t now_ms)
{
    const struct rpc_envelope *env = &frame->env;
    if (whole && stray_is_log(frame))
        return STRAY_LOG;
    if (!can_be_answered(upstream, frame))
        return span_found(env->result) || span_found(env->error) ? STRAY_NO_ID : STRAY_JSON;
    if (env->has_method)
        upstream_reply_error(upstream, frame_id(frame), env->id.len, rpc_fault_code(env->fault),
                             rpc_fault_text(env->fault));
    else
        on_bad_answer(upstream, frame, at, now_ms);
    return STRAY_BROKEN;
}

static bool is_awaited(const struct upstream *upstream, const struct frame *frame)
{
    const struct call *c = calls_find(upstream, frame_id(frame), frame->env.id.len);
    return handshake_is(upstream, frame) || (c && c->state == CALL_IN_FLIGHT);
}

static void on_message(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);

/* A whole message in a line with something else. An answer that somebody waits for is taken in any case. Anything else
 * may be quoted in a log line: it is taken where no text stands beside it. */
static bool takes_part(const struct upstream *upstream, const struct frame *part, bool has_text)
{
    bool is_answer = part->env.kind == RPC_RESULT || part->env.kind == RPC_ERROR;
    return is_answer ? is_awaited(upstream, part) : part->env.kind != RPC_INVALID && !has_text;
}

/* Behind an object that is broken the part may stand inside it, as what a client said: such an answer is given to
 * nobody, but its call is settled. */
static void on_part_inside(struct upstream *upstream, const struct frame *part, const struct frame *line,
                           uint64_t now_ms)
{
    struct frame spoilt = *part;
    if (!span_found(part->env.jsonrpc) || part->env.has_method || !can_be_answered(upstream, part))
        return;
    spoilt.env.kind = RPC_INVALID;
    spoilt.env.fault = line->env.fault;
    on_bad_answer(upstream, &spoilt, (size_t)(part->bytes - line->bytes), now_ms);
}

/* The parts of a line that is no JSON text. */
static void on_text(struct upstream *upstream, const struct frame *line, uint64_t now_ms)
{
    struct line_split split;
    struct frame part;
    bool whole;
    bool inside = false;
    bool taken = false;
    enum stray look = STRAY_COUNT;
    line_split_init(&split, line->bytes, line->len);
    for (; line_split_next(&split, &part, &whole); inside = split.broken) {
        enum stray part_look = STRAY_COUNT;
        if (inside) {
            on_part_inside(upstream, &part, line, now_ms);
        } else if (takes_part(upstream, &part, split.has_text)) {
            on_message(upstream, &part, now_ms);
            taken = true;
        } else if (part.env.kind == RPC_INVALID) {
            part_look = on_invalid_object(upstream, &part, (size_t)(part.bytes - line->bytes), whole, now_ms);
        }
        look = part_look < look ? part_look : look;
    }
    if (look > STRAY_BROKEN)
        look = stray_look(line->bytes, line->len);
    if (look == STRAY_JSON && taken)
        look = STRAY_JOINED;
    stray_lines_note(upstream, look, line->bytes, line->len);
}

static void on_invalid(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    enum stray look = stray_look(frame->bytes, frame->len);
    if (rpc_fault_code(frame->env.fault) == RPC_E_PARSE_ERROR) {
        on_text(upstream, frame, now_ms);
        return;
    }
    if (frame->env.fault != RPC_NOT_OBJECT)
        look = on_invalid_object(upstream, frame, 0, true, now_ms);
    stray_lines_note(upstream, look, frame->bytes, frame->len);
}

static void on_too_large(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    char members[96];
    if (!can_be_answered(upstream, frame)) {
        upstream->stats.invalid_lines++;
        return;
    }
    if (frame->env.has_method) {
        upstream->stats.invalid_lines++;
        upstream_reply_error(upstream, frame_id(frame), frame->env.id.len, RPC_E_TOO_LARGE,
                             rpc_error_message(RPC_E_TOO_LARGE));
        return;
    }
    if (handshake_is(upstream, frame)) {
        handshake_too_large(upstream);
        return;
    }
    struct call *c = spoilt_call(upstream, frame, now_ms);
    if (!c)
        return;
    int n = snprintf(members, sizeof(members), "\"bytes\":%zu,\"limit\":%zu,\"from\":\"server\"", frame->len,
                     upstream->router->options.max_frame_bytes);
    call_fail(c, &(struct refusal){.code = RPC_E_TOO_LARGE, .members = members, .members_len = (size_t)n});
}

/* ---- the entry ---- */

/* An own child has proved itself with its first valid message. */
static void report_ready(struct upstream *upstream, uint64_t now_ms)
{
    if (!upstream->ready_reported && !upstream_is_shared(upstream))
        upstream_report_ready(upstream, now_ms);
}

/* The answers to a batch, where the client and its own child agreed on the one revision that has them. */
static void on_batch(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct span element;
    size_t pos = 0;
    struct route_session *s = upstream_is_shared(upstream) ? NULL : upstream_own_session(upstream);
    if (!s || !initialize_has_batches(s)) {
        upstream->stats.invalid_lines++;
        return;
    }
    while (json_element_next(frame->bytes, frame->len, &pos, &element)) {
        struct frame one = {.bytes = frame->bytes + element.off, .len = element.len};
        rpc_scan_line(one.bytes, one.len, &one.env);
        if (one.env.kind == RPC_BATCH)
            upstream->stats.invalid_lines++;
        else
            on_message(upstream, &one, now_ms);
    }
}

static void on_message(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    const struct rpc_envelope *env = &frame->env;
    enum rpc_method method =
        span_found(env->method) ? rpc_method(frame->bytes + env->method.off, env->method.len) : RPC_M_OTHER;
    bool asks = env->kind == RPC_REQUEST || env->kind == RPC_NOTIFICATION;
    if (asks && stray_is_echo(upstream, frame, method)) {
        stray_lines_note(upstream, STRAY_ECHO, frame->bytes, frame->len);
        return;
    }
    switch (env->kind) {
    case RPC_RESULT:
    case RPC_ERROR:
        report_ready(upstream, now_ms);
        on_answer(upstream, frame, now_ms);
        break;
    case RPC_REQUEST:
        report_ready(upstream, now_ms);
        if (frame_is_null_notification(frame))
            on_null_notification(upstream, frame, method, now_ms);
        else
            on_request(upstream, frame, method, now_ms);
        break;
    case RPC_NOTIFICATION:
        report_ready(upstream, now_ms);
        on_notification(upstream, frame, method, now_ms);
        break;
    case RPC_INVALID:
        on_invalid(upstream, frame, now_ms);
        break;
    case RPC_BATCH:
        on_batch(upstream, frame, now_ms);
        break;
    }
}

void upstream_message(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    if (frame->oversize)
        on_too_large(upstream, frame, now_ms);
    else
        on_message(upstream, frame, now_ms);
}
