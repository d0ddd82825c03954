/* Who gets a notification of the child: whom it is about, or nobody. A progress or log message is dropped for a
 * client that reads too slowly. What nobody gets is counted.
 */
#include "mcp/upstream_methods.h"

#include "mcp/elicitations.h"
#include "mcp/log_levels.h"
#include "mcp/tasks.h"
#include "route/outbox.h"
#include "route/replies.h"
#include "route/upstream.h"
#include "wire/rpc_error.h"

/* ---- requests ---- */

void answer_server_ping(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    upstream_reply_result(upstream, frame_id(frame), frame->env.id.len);
}

void refuse_server_request(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                           uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    upstream->stats.refused++;
    upstream_reply_error(upstream, frame_id(frame), frame->env.id.len, RPC_E_METHOD_NOT_FOUND,
                         rpc_error_message(RPC_E_METHOD_NOT_FOUND));
}

/* ---- notifications ---- */

/* `s`: who is meant; NULL: nobody. */
static void pass(struct upstream *upstream, struct route_session *s, const struct frame *frame)
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

void pass_progress(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                   uint64_t now_ms)
{
    (void)method;
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

/* ---- shared ---- */

static struct route_session *task_owner(const struct upstream *upstream, const struct frame *frame)
{
    return span_found(frame->env.related_task) ? tasks_related_owner(upstream, frame) : NULL;
}

void pass_to_task_owner(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms)
{
    (void)now_ms;
    pass(upstream, method == RPC_M_OTHER ? task_owner(upstream, frame) : NULL, frame);
}

void pass_to_all(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                 uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    LIST_EACH(node, next, &upstream->sessions)
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, upstream_node);
        if (s->initialized)
            session_pass(s, frame, false);
    }
}

void pass_shared_log(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                     uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    struct route_session *owner = task_owner(upstream, frame);
    if (owner)
        pass_if_read(upstream, owner, frame);
    else
        log_levels_message(upstream, frame);
}

void pass_shared_task_status(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                             uint64_t now_ms)
{
    struct route_session *owner = tasks_status(upstream, frame, now_ms);
    (void)method;
    if (owner)
        session_pass(owner, frame, false);
    else
        tasks_keep_early_status(upstream, frame, now_ms);
}

void pass_elicitation_complete(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                               uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    pass(upstream, elicitations_complete(upstream, frame), frame);
}

/* ---- perSession ---- */

void pass_to_session(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                     uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    pass(upstream, upstream_own_session(upstream), frame);
}

void pass_log(struct upstream *upstream, const struct frame *frame, enum rpc_method method, uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    pass_if_read(upstream, upstream_own_session(upstream), frame);
}

void pass_task_status(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                      uint64_t now_ms)
{
    (void)method;
    (void)tasks_status(upstream, frame, now_ms);
    pass(upstream, upstream_own_session(upstream), frame);
}
