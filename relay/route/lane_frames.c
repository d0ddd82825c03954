/* What comes from a child.
 *
 * An answer finds its call by the relay's id and leaves with the client's own; a notification goes to whom it
 * is about, or to nobody; a request is refused (shared) or asked (own child). What is no message is counted;
 * but one that names a call in flight settles that call at once, so that nobody waits for an answer that was
 * given.
 */
#include <stdio.h>

#include "route/child_out.h"
#include "route/elicitations.h"
#include "route/handshake.h"
#include "route/initialize.h"
#include "route/lane.h"
#include "route/levels.h"
#include "route/parked.h"
#include "route/questions.h"
#include "route/replies.h"
#include "route/subscriptions.h"
#include "route/tasks.h"
#include "wire/rpc_error.h"

static const char *id_of(const struct frame *frame)
{
    return frame->bytes + frame->env.id.off;
}

/* ---- answers ---- */

/* An answer to what is settled already, or to the relay itself. */
static void answer_late(struct lane *lane, struct call *c, const struct frame *frame, uint64_t now_ms)
{
    if (!c || c->state != CALL_OWN)
        lane->stats.late++;
    if (c && c->state == CALL_ABANDONED && c->is_task && frame->env.kind == RPC_RESULT)
        tasks_disown(lane, frame, now_ms);
    if (c && (c->state == CALL_OWN || c->state == CALL_ABANDONED))
        call_close(c);
}

static void pass_answer(struct call *c, const struct frame *frame, uint64_t now_ms)
{
    struct lane *lane = c->lane;
    struct route_session *s = c->session;
    bool is_error = frame->env.kind == RPC_ERROR;
    struct splice splice = {frame->env.id, c->id, c->id_len};

    session_send_spliced(s, frame->bytes, frame->len, &splice, 1);
    lane->stats.answers++;
    lane->stats.last_used_ms = now_ms;
    if (c->method == RPC_M_INITIALIZE)
        initialize_passed(s, frame);
    if (is_error && lane_is_shared(lane))
        elicitations_note(s, frame);
    subscriptions_settle(c, is_error ? SUB_REFUSED : SUB_DONE, frame);
    if (!tasks_answered(c, frame, now_ms))
        call_close(c);
}

static void on_answer(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    if (!span_found(frame->env.id) || frame->env.id_null) {
        lane->stats.noise++;
        return;
    }
    if (handshake_is(lane, frame)) {
        handshake_answer(lane, frame, now_ms);
        return;
    }
    struct call *c = calls_find(lane, id_of(frame), frame->env.id.len);
    if (c && c->state == CALL_IN_FLIGHT)
        pass_answer(c, frame, now_ms);
    else
        answer_late(lane, c, frame, now_ms);
}

/* ---- requests of the child ---- */

static bool can_be_answered(const struct lane *lane, const struct frame *frame)
{
    const struct span id = frame->env.id;
    return frame_id_is_sound(frame) && !frame->env.id_null && id.len <= lane->router->options.max_id_bytes;
}

static void on_request(struct lane *lane, const struct frame *frame, enum rpc_method method, uint64_t now_ms)
{
    if (!can_be_answered(lane, frame)) {
        lane->stats.noise++;
    } else if (!lane_is_shared(lane)) {
        questions_ask(lane, frame, now_ms);
    } else if (method == RPC_M_PING) {
        child_result(lane, id_of(frame), frame->env.id.len);
    } else {
        lane->stats.refused++;
        child_error(lane, id_of(frame), frame->env.id.len, RPC_E_METHOD_NOT_FOUND,
                    rpc_error_message(RPC_E_METHOD_NOT_FOUND));
    }
}

/* ---- notifications of the child ---- */

static void pass_to(struct lane *lane, struct route_session *s, const struct frame *frame)
{
    const struct link_part part = {frame->bytes, frame->len};
    if (s)
        session_send(s, &part, 1);
    else
        lane->stats.dropped_notifications++;
}

/* For what a session that reads too slowly can do without. */
static void pass_if_read(struct lane *lane, struct route_session *s, const struct frame *frame)
{
    if (s && s->link->queued_bytes > LINK_CLIENT_HIGH_BYTES)
        s->dropped++;
    else
        pass_to(lane, s, frame);
}

static void pass_to_all(struct lane *lane, const struct frame *frame)
{
    LIST_EACH(node, next, &lane->sessions)
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, lane_node);
        if (s->initialized)
            pass_to(lane, s, frame);
    }
}

static void on_progress(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    const struct span at = frame->env.param_token;
    struct call *c = calls_find(lane, frame->bytes + at.off, at.len);
    if (!c || c->token_len == 0 || (c->state != CALL_IN_FLIGHT && c->state != CALL_TASK)) {
        lane->stats.dropped_notifications++;
        return;
    }
    call_progress(c, now_ms);
    if (c->session->link->queued_bytes > LINK_CLIENT_HIGH_BYTES) {
        c->session->dropped++;
        return;
    }
    struct splice splice = {at, call_token(c), c->token_len};
    session_send_spliced(c->session, frame->bytes, frame->len, &splice, 1);
}

static void on_task_status(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    struct route_session *owner = tasks_status(lane, frame, now_ms);
    if (owner)
        pass_to(lane, owner, frame);
    else
        parked_keep(lane, frame, now_ms);
}

static void on_shared_notification(struct lane *lane, const struct frame *frame, enum rpc_method method,
                                   uint64_t now_ms)
{
    struct route_session *related =
        span_found(frame->env.related_task) ? tasks_related_owner(lane, frame) : NULL;
    switch (method) {
    case RPC_M_N_PROGRESS:
        on_progress(lane, frame, now_ms);
        break;
    case RPC_M_N_MESSAGE:
        if (related)
            pass_if_read(lane, related, frame);
        else
            levels_message(lane, frame);
        break;
    case RPC_M_N_RESOURCES_UPDATED:
        subscriptions_updated(lane, frame);
        break;
    case RPC_M_N_RESOURCES_CHANGED:
    case RPC_M_N_TOOLS_CHANGED:
    case RPC_M_N_PROMPTS_CHANGED:
        pass_to_all(lane, frame);
        break;
    case RPC_M_N_TASK_STATUS:
        on_task_status(lane, frame, now_ms);
        break;
    case RPC_M_N_ELICIT_COMPLETE:
        pass_to(lane, elicitations_complete(lane, frame), frame);
        break;
    case RPC_M_OTHER:
        pass_to(lane, related, frame);
        break;
    default:
        lane->stats.dropped_notifications++;
        break;
    }
}

/* session sharing: the one session; NULL on a shared lane. */
static struct route_session *own_session(struct lane *lane)
{
    if (lane_is_shared(lane) || list_empty(&lane->sessions))
        return NULL;
    return CONTAINER_OF(lane->sessions.next, struct route_session, lane_node);
}

static void on_own_notification(struct lane *lane, const struct frame *frame, enum rpc_method method,
                                uint64_t now_ms)
{
    struct route_session *s = list_empty(&lane->sessions)
                                  ? NULL
                                  : CONTAINER_OF(lane->sessions.next, struct route_session, lane_node);
    switch (method) {
    case RPC_M_N_PROGRESS:
        on_progress(lane, frame, now_ms);
        break;
    case RPC_M_N_CANCELLED:
        questions_cancelled(lane, frame, now_ms);
        break;
    case RPC_M_N_MESSAGE:
        pass_if_read(lane, s, frame);
        break;
    case RPC_M_N_TASK_STATUS:
        (void)tasks_status(lane, frame, now_ms);
        pass_to(lane, s, frame);
        break;
    default:
        pass_to(lane, s, frame);
        break;
    }
}

static void on_notification(struct lane *lane, const struct frame *frame, enum rpc_method method,
                            uint64_t now_ms)
{
    if (!lane_is_shared(lane))
        on_own_notification(lane, frame, method, now_ms);
    else if (lane->state == LANE_READY)
        on_shared_notification(lane, frame, method, now_ms);
    else
        lane->stats.dropped_notifications++;
}

/* ---- what is no message ---- */

/* The call that a spoilt answer was for; NULL: none is in flight under that id. */
static struct call *spoilt_call(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    struct call *c = calls_find(lane, id_of(frame), frame->env.id.len);
    if (c && c->state == CALL_IN_FLIGHT)
        return c;
    if (c)
        answer_late(lane, c, frame, now_ms);
    return NULL;
}

static void on_bad_answer(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    struct refusal why = {.code = RPC_E_BAD_REPLY};
    struct call *c = spoilt_call(lane, frame, now_ms);
    if (!c) {
        lane->stats.noise++;
        return;
    }
    lane->stats.bad_replies++;
    refusal_reason(lane->router, &why, rpc_fault_text(frame->env.fault), frame->env.fault_at);
    call_fail(c, &why);
}

static bool begins_object(const struct frame *frame)
{
    size_t at = 0;
    while (at < frame->len && (frame->bytes[at] == ' ' || frame->bytes[at] == '\t'))
        at++;
    return at < frame->len && frame->bytes[at] == '{';
}

static void on_invalid(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    if (!begins_object(frame) || !can_be_answered(lane, frame)) {
        lane->stats.noise++;
    } else if (frame->env.has_method) {
        lane->stats.noise++;
        child_error(lane, id_of(frame), frame->env.id.len, rpc_fault_code(frame->env.fault),
                    rpc_fault_text(frame->env.fault));
    } else if (handshake_is(lane, frame)) {
        handshake_answer(lane, frame, now_ms);
    } else {
        on_bad_answer(lane, frame, now_ms);
    }
}

static void on_too_large(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    char members[96];
    if (!can_be_answered(lane, frame)) {
        lane->stats.noise++;
        return;
    }
    if (frame->env.has_method) {
        lane->stats.noise++;
        child_error(lane, id_of(frame), frame->env.id.len, RPC_E_TOO_LARGE,
                    rpc_error_message(RPC_E_TOO_LARGE));
        return;
    }
    if (handshake_is(lane, frame)) {
        handshake_too_large(lane);
        return;
    }
    struct call *c = spoilt_call(lane, frame, now_ms);
    if (!c)
        return;
    int n = snprintf(members, sizeof(members), "\"bytes\":%zu,\"limit\":%zu,\"from\":\"server\"", frame->len,
                     lane->router->options.max_frame_bytes);
    call_fail(c, &(struct refusal){.code = RPC_E_TOO_LARGE, .members = members, .members_len = (size_t)n});
}

/* ---- the entry ---- */

static void prove(struct lane *lane)
{
    if (lane->proven || lane_is_shared(lane))
        return;
    lane->proven = true;
    lane->server->ops->ready(lane->server->data, lane);
}

static void on_message(struct lane *lane, const struct frame *frame, uint64_t now_ms);

/* The answers to a batch, where the client and its own child agreed on the one revision that has them. */
static void on_batch(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    struct span element;
    size_t pos = 0;
    struct route_session *s = own_session(lane);
    if (!s || !initialize_has_batches(s)) {
        lane->stats.noise++;
        return;
    }
    while (rpc_batch_next(frame->bytes, frame->len, &pos, &element)) {
        struct frame one = {.bytes = frame->bytes + element.off, .len = element.len};
        rpc_scan_line(one.bytes, one.len, &one.env);
        if (one.env.kind == RPC_BATCH)
            lane->stats.noise++;
        else
            on_message(lane, &one, now_ms);
    }
}

static void on_message(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    const struct rpc_envelope *env = &frame->env;
    enum rpc_method method =
        span_found(env->method) ? rpc_method(frame->bytes + env->method.off, env->method.len) : RPC_M_OTHER;
    switch (env->kind) {
    case RPC_RESULT:
    case RPC_ERROR:
        prove(lane);
        on_answer(lane, frame, now_ms);
        break;
    case RPC_REQUEST:
        prove(lane);
        on_request(lane, frame, method, now_ms);
        break;
    case RPC_NOTIFICATION:
        prove(lane);
        on_notification(lane, frame, method, now_ms);
        break;
    case RPC_INVALID:
        on_invalid(lane, frame, now_ms);
        break;
    case RPC_BATCH:
        on_batch(lane, frame, now_ms);
        break;
    }
}

void lane_frame(struct lane *lane, const struct frame *frame, bool too_large, uint64_t now_ms)
{
    if (lane->released || !lane->child)
        return;
    if (too_large)
        on_too_large(lane, frame, now_ms);
    else
        on_message(lane, frame, now_ms);
}
