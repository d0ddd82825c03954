/* Sorts a child's frames by kind.
 *
 * An answer finds its call by the relay's id and leaves with the client's own; requests and notifications go by
 * the rule of their method. What is no message is counted; but one that names a call in flight settles that call
 * at once, so that nobody waits for an answer that was given.
 */
#include "mcp/upstream_messages.h"

#include <stdio.h>

#include "mcp/elicitations.h"
#include "mcp/handshake.h"
#include "mcp/initialize.h"
#include "mcp/methods.h"
#include "mcp/tasks.h"
#include "route/outbox.h"
#include "route/replies.h"
#include "route/upstream.h"
#include "wire/json_member.h"
#include "wire/rpc_error.h"

/* ---- answers ---- */

/* An answer to what is settled already, or to the relay itself. */
static void answer_late(struct upstream *upstream, struct call *c, const struct frame *frame, uint64_t now_ms)
{
    if (!c || c->state != CALL_OWN)
        upstream->stats.late++;
    if (c && c->state == CALL_ABANDONED && c->is_task && frame->env.kind == RPC_RESULT)
        tasks_disown(upstream, frame, now_ms);
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
    if (!span_found(frame->env.id) || frame->env.id_null) {
        upstream->stats.invalid_lines++;
        return;
    }
    if (handshake_is(upstream, frame)) {
        handshake_answer(upstream, frame, now_ms);
        return;
    }
    struct call *c = calls_find(upstream, frame_id(frame), frame->env.id.len);
    if (c && c->state == CALL_IN_FLIGHT)
        pass_answer(c, frame, now_ms);
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

static void on_bad_answer(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct refusal why = {.code = RPC_E_BAD_REPLY};
    struct call *c = spoilt_call(upstream, frame, now_ms);
    if (!c) {
        upstream->stats.invalid_lines++;
        return;
    }
    upstream->stats.bad_replies++;
    refusal_reason(upstream->router, &why, rpc_fault_text(frame->env.fault), frame->env.fault_at);
    call_fail(c, &why);
}

static bool begins_object(const struct frame *frame)
{
    size_t at = 0;
    while (at < frame->len && (frame->bytes[at] == ' ' || frame->bytes[at] == '\t'))
        at++;
    return at < frame->len && frame->bytes[at] == '{';
}

static void on_invalid(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    if (!begins_object(frame) || !can_be_answered(upstream, frame)) {
        upstream->stats.invalid_lines++;
    } else if (frame->env.has_method) {
        upstream->stats.invalid_lines++;
        upstream_reply_error(upstream, frame_id(frame), frame->env.id.len, rpc_fault_code(frame->env.fault),
                             rpc_fault_text(frame->env.fault));
    } else if (handshake_is(upstream, frame)) {
        handshake_answer(upstream, frame, now_ms);
    } else {
        on_bad_answer(upstream, frame, now_ms);
    }
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
static void report_ready(struct upstream *upstream)
{
    if (!upstream->ready_reported && !upstream_is_shared(upstream))
        upstream_report_ready(upstream);
}

static void on_message(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);

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
    switch (env->kind) {
    case RPC_RESULT:
    case RPC_ERROR:
        report_ready(upstream);
        on_answer(upstream, frame, now_ms);
        break;
    case RPC_REQUEST:
        report_ready(upstream);
        if (frame_is_null_notification(frame))
            on_null_notification(upstream, frame, method, now_ms);
        else
            on_request(upstream, frame, method, now_ms);
        break;
    case RPC_NOTIFICATION:
        report_ready(upstream);
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
