/* What passes to the child, what is answered here, and what is dropped.
 *
 * A notification that finds no memory, no child or no place is lost, as notifications may be; it is counted.
 */
#include "mcp/client_methods.h"

#include "mcp/admission.h"
#include "mcp/tasks.h"
#include "route/outbox.h"
#include "route/scheduler.h"
#include "route/session.h"
#include "wire/json_member.h"
#include "wire/rpc_error.h"

/* ---- requests ---- */

void pass_request(struct route_session *s, const struct frame *frame, enum rpc_method method, uint64_t now_ms)
{
    (void)request_submit(s, frame, method, now_ms);
}

void pass_shared_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                         uint64_t now_ms)
{
    const struct span name = frame->env.method;
    if (span_found(frame->env.task_id) && rpc_string_begins(frame->bytes + name.off, name.len, "tasks/"))
        tasks_request(s, frame, method, now_ms);
    else
        pass_request(s, frame, method, now_ms);
}

void refuse_method(struct route_session *s, const struct frame *frame, enum rpc_method method,
                   uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    request_refuse(s, frame, RPC_E_METHOD_NOT_FOUND, NULL);
}

void answer_empty(struct route_session *s, const struct frame *frame, enum rpc_method method, uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    reply_raw(s, frame_id(frame), frame->env.id.len, MESSAGE_RESULT, "{}", 2);
}

void control_method(struct route_session *s, const struct frame *frame, enum rpc_method method,
                    uint64_t now_ms)
{
    struct router *r = s->router;
    r->control_answered = false;
    if (r->options.on_control)
        r->options.on_control(r->options.data, s, frame, now_ms);
    if (!r->control_answered && frame->env.kind == RPC_REQUEST)
        refuse_method(s, frame, method, now_ms);
}

/* ---- notifications ---- */

static bool upstream_takes(const struct upstream *upstream)
{
    return upstream->state == UPSTREAM_READY && !upstream->link_closing && upstream_has_room(upstream) &&
           outbox_is_empty(upstream);
}

void pass_notification(struct route_session *s, const struct frame *frame, enum rpc_method method,
                       uint64_t now_ms)
{
    struct call *c;
    struct upstream *upstream = s->upstream;
    (void)method;
    bool is_next = upstream->draining ? scheduler_takes_notification(s) : list_empty(&s->queue);
    if (is_next && upstream_takes(upstream)) {
        upstream->stats.dropped_notifications +=
            upstream_send_text(upstream, MESSAGE_NOTIFICATION, frame->bytes, frame->len) != 0;
        return;
    }
    bool alive = upstream->state == UPSTREAM_READY || upstream->state == UPSTREAM_STARTING;
    if (!alive || request_is_full(s) || scheduler_is_flooded(s) ||
        call_open(s, frame, RPC_M_OTHER, now_ms, &c)) {
        upstream->stats.dropped_notifications++;
        return;
    }
    if (scheduler_keep(c, frame))
        call_close(c);
    else
        scheduler_enqueue(c);
}

/* Is there a child that will take it, now or when it is ready? */
static bool is_expected(const struct upstream *upstream)
{
    return upstream->state == UPSTREAM_STARTING || upstream->state == UPSTREAM_HANDSHAKE ||
           upstream->state == UPSTREAM_READY;
}

/* What is about a session (roots) is not the child's business; what has a token could meet another's; what names
 * a known method without an id would act for nobody. */
void pass_shared_notification(struct route_session *s, const struct frame *frame, enum rpc_method method,
                              uint64_t now_ms)
{
    struct upstream *upstream = s->upstream;
    if (method != RPC_M_OTHER || span_found(frame->env.meta_token) || tasks_name_anothers(s, frame) ||
        !is_expected(upstream) || (!scheduler_takes_notification(s) && request_is_full(s)) ||
        scheduler_submit_notification(s, frame, now_ms))
        upstream->stats.dropped_notifications++;
}

void note_initialized(struct route_session *s, const struct frame *frame, enum rpc_method method,
                      uint64_t now_ms)
{
    (void)frame;
    (void)method;
    (void)now_ms;
    s->initialized = true;
}

void pass_initialized(struct route_session *s, const struct frame *frame, enum rpc_method method,
                      uint64_t now_ms)
{
    s->initialized = true;
    pass_notification(s, frame, method, now_ms);
}

void cancel_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                    uint64_t now_ms)
{
    const struct span id = frame->env.request_id;
    (void)method;
    session_cancel(s, frame->bytes + id.off, id.len, frame, now_ms);
}

void cancel_lsp_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms)
{
    const struct span id = json_member(frame->bytes, frame->env.params, "id");
    (void)method;
    session_cancel(s, frame->bytes + id.off, id.len, NULL, now_ms);
}
