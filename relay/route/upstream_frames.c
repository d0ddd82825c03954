/* What comes from a child.
 *
 * An answer finds its call by the relay's id and leaves with the client's own; a notification goes to whom it
 * is about, or to nobody; a request is refused (shared) or asked (own child). What is no message is counted;
 * but one that names a call in flight settles that call at once, so that nobody waits for an answer that was
 * given.
 */
#include <stdio.h>

#include "route/outbox.h"
#include "route/elicitations.h"
#include "route/handshake.h"
#include "route/initialize.h"
#include "route/upstream.h"
#include "route/log_levels.h"
#include "route/server_requests.h"
#include "route/replies.h"
#include "route/subscriptions.h"
#include "route/tasks.h"
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

/* ---- requests of the child ---- */

static bool can_be_answered(const struct upstream *upstream, const struct frame *frame)
{
    const struct span id = frame->env.id;
    return frame_id_is_sound(frame) && !frame->env.id_null &&
           id.len <= upstream->router->options.max_id_bytes;
}

static void on_request(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                       uint64_t now_ms)
{
    if (!can_be_answered(upstream, frame)) {
        upstream->stats.invalid_lines++;
    } else if (!upstream_is_shared(upstream)) {
        server_requests_forward(upstream, frame, now_ms);
    } else if (method == RPC_M_PING) {
        upstream_reply_result(upstream, frame_id(frame), frame->env.id.len);
    } else {
        upstream->stats.refused++;
        upstream_reply_error(upstream, frame_id(frame), frame->env.id.len, RPC_E_METHOD_NOT_FOUND,
                             rpc_error_message(RPC_E_METHOD_NOT_FOUND));
    }
}

/* ---- notifications of the child ---- */

static void pass_to(struct upstream *upstream, struct route_session *s, const struct frame *frame)
{
    if (s)
        session_pass(s, frame, false);
    else
        upstream->stats.dropped_notifications++;
}

/* For what a session that reads too slowly can do without. */
static void pass_if_read(struct upstream *upstream, struct route_session *s, const struct frame *frame)
{
    if (!s)
        upstream->stats.dropped_notifications++;
    else if (link_is_slow(s->link))
        s->dropped++;
    else
        session_pass(s, frame, true);
}

static void pass_to_all(struct upstream *upstream, const struct frame *frame)
{
    LIST_EACH(node, next, &upstream->sessions)
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, upstream_node);
        if (s->initialized)
            pass_to(upstream, s, frame);
    }
}

static void on_progress(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    const struct span at = frame->env.param_token;
    struct call *c = calls_find(upstream, frame->bytes + at.off, at.len);
    if (!c || c->token_len == 0 || (c->state != CALL_IN_FLIGHT && c->state != CALL_TASK)) {
        upstream->stats.dropped_notifications++;
        return;
    }
    call_progress(c, now_ms);
    if (link_is_slow(c->link)) {
        c->session->dropped++;
        return;
    }
    struct splice splice = {at, call_token(c), c->token_len};
    struct part parts[SPLICE_PARTS_MAX];
    size_t count = splice_parts(frame->bytes, frame->len, &splice, 1, parts);
    call_send(c, &(struct message){.parts = parts,
                                   .part_count = count,
                                   .kind = MESSAGE_NOTIFICATION,
                                   .about = c->id,
                                   .about_len = c->id_len,
                                   .droppable = true});
}

static void on_task_status(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct route_session *owner = tasks_status(upstream, frame, now_ms);
    if (owner)
        pass_to(upstream, owner, frame);
    else
        tasks_keep_early_status(upstream, frame, now_ms);
}

static void on_shared_notification(struct upstream *upstream, const struct frame *frame,
                                   enum rpc_method method, uint64_t now_ms)
{
    struct route_session *related =
        span_found(frame->env.related_task) ? tasks_related_owner(upstream, frame) : NULL;
    switch (method) {
    case RPC_M_N_PROGRESS:
        on_progress(upstream, frame, now_ms);
        break;
    case RPC_M_N_MESSAGE:
        if (related)
            pass_if_read(upstream, related, frame);
        else
            log_levels_message(upstream, frame);
        break;
    case RPC_M_N_RESOURCES_UPDATED:
        subscriptions_updated(upstream, frame);
        break;
    case RPC_M_N_RESOURCES_CHANGED:
    case RPC_M_N_TOOLS_CHANGED:
    case RPC_M_N_PROMPTS_CHANGED:
        pass_to_all(upstream, frame);
        break;
    case RPC_M_N_TASK_STATUS:
        on_task_status(upstream, frame, now_ms);
        break;
    case RPC_M_N_ELICIT_COMPLETE:
        pass_to(upstream, elicitations_complete(upstream, frame), frame);
        break;
    case RPC_M_OTHER:
        pass_to(upstream, related, frame);
        break;
    default:
        upstream->stats.dropped_notifications++;
        break;
    }
}

/* session sharing: the one session; NULL on a shared upstream. */
static struct route_session *own_session(struct upstream *upstream)
{
    if (upstream_is_shared(upstream) || list_empty(&upstream->sessions))
        return NULL;
    return CONTAINER_OF(upstream->sessions.next, struct route_session, upstream_node);
}

static void on_own_notification(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                                uint64_t now_ms)
{
    struct route_session *s =
        list_empty(&upstream->sessions)
            ? NULL
            : CONTAINER_OF(upstream->sessions.next, struct route_session, upstream_node);
    switch (method) {
    case RPC_M_N_PROGRESS:
        on_progress(upstream, frame, now_ms);
        break;
    case RPC_M_N_CANCELLED:
        server_requests_cancelled(upstream, frame, now_ms);
        break;
    case RPC_M_N_MESSAGE:
        pass_if_read(upstream, s, frame);
        break;
    case RPC_M_N_TASK_STATUS:
        (void)tasks_status(upstream, frame, now_ms);
        pass_to(upstream, s, frame);
        break;
    default:
        pass_to(upstream, s, frame);
        break;
    }
}

static void on_notification(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                            uint64_t now_ms)
{
    if (!upstream_is_shared(upstream))
        on_own_notification(upstream, frame, method, now_ms);
    else if (upstream->state == UPSTREAM_READY)
        on_shared_notification(upstream, frame, method, now_ms);
    else
        upstream->stats.dropped_notifications++;
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

static void report_ready(struct upstream *upstream)
{
    if (upstream->ready_reported || upstream_is_shared(upstream))
        return;
    upstream->ready_reported = true;
    upstream->server->ops->ready(upstream->server->data, upstream);
}

static void on_message(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);

/* The answers to a batch, where the client and its own child agreed on the one revision that has them. */
static void on_batch(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct span element;
    size_t pos = 0;
    struct route_session *s = own_session(upstream);
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

void upstream_frame(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    if (upstream->released || !upstream->link)
        return;
    if (frame->oversize)
        on_too_large(upstream, frame, now_ms);
    else
        on_message(upstream, frame, now_ms);
}
