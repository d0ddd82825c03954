/* One request or notification of a client.
 *
 * Answered here: what is malformed, relay methods, and on a shared child what belongs to its one handshake
 * (initialize, ping, discover, setLevel) or can only be answered with everybody's secrets (tasks/list, other
 * people's tasks). Everything else is dispatched, or waits for a turn, or is refused because there is no
 * child or no place.
 */
#include "route/requests.h"

#include <stdio.h>

#include "route/outbox.h"
#include "route/initialize.h"
#include "route/upstream.h"
#include "route/log_levels.h"
#include "route/outage.h"
#include "route/server_requests.h"
#include "route/subscriptions.h"
#include "route/tasks.h"
#include "wire/rpc_error.h"

/* What a client is told to wait before it asks an overloaded or draining relay again. */
#define RETRY_AFTER_MS 1000

void request_refuse(struct route_session *s, const struct frame *frame, int code, const char *message)
{
    const struct refusal why = {.code = code, .message = message};
    reply_error(s, frame_id(frame), frame->env.id.len, &why);
}

void request_no_memory(struct route_session *s, const struct frame *frame)
{
    request_refuse(s, frame, RPC_E_OVERLOADED, NULL);
}

/* ---- admission ---- */

static void refuse_draining(struct route_session *s, const struct frame *frame)
{
    char members[48];
    int n = snprintf(members, sizeof(members), "\"retryAfterMs\":%d", RETRY_AFTER_MS);
    const struct refusal why = {.code = RPC_E_DRAINING, .members = members, .members_len = (size_t)n};
    reply_error(s, frame_id(frame), frame->env.id.len, &why);
}

static void refuse_full(struct route_session *s, const struct frame *frame)
{
    char members[96];
    const struct upstream *upstream = s->upstream;
    int n = snprintf(members, sizeof(members), "\"queued\":%zu,\"limit\":%u,\"retryAfterMs\":%d",
                     upstream->stats.waiting, upstream->server->limits.max_waiting, RETRY_AFTER_MS);
    const struct refusal why = {.code = RPC_E_OVERLOADED, .members = members, .members_len = (size_t)n};
    reply_error(s, frame_id(frame), frame->env.id.len, &why);
}

static void refuse_held(struct route_session *s, const struct frame *frame)
{
    char members[128];
    const struct router *r = s->router;
    int n = snprintf(members, sizeof(members), "\"heldBytes\":%zu,\"limitBytes\":%zu,\"retryAfterMs\":%d",
                     r->blocks.used_bytes, r->max_held_bytes, RETRY_AFTER_MS);
    const struct refusal why = {.code = RPC_E_OVERLOADED, .members = members, .members_len = (size_t)n};
    reply_error(s, frame_id(frame), frame->env.id.len, &why);
}

static void refuse_unavailable(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    const struct refusal why = outage_refusal(s->upstream, now_ms);
    reply_error(s, frame_id(frame), frame->env.id.len, &why);
    if (!upstream_is_shared(s->upstream))
        session_hang_up(s, RPC_E_SERVER_UNAVAILABLE, why.message ? why.message : "the server is unavailable");
}

bool request_reaches(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    if (s->router->draining) {
        refuse_draining(s, frame);
        return false;
    }
    if (!upstream_wanted(s->upstream, now_ms)) {
        refuse_unavailable(s, frame, now_ms);
        return false;
    }
    return true;
}

static bool is_full(const struct upstream *upstream)
{
    return upstream->stats.waiting - upstream->init_held_count >= upstream->server->limits.max_waiting;
}

bool request_admit(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    if (!request_reaches(s, frame, now_ms))
        return false;
    if ((is_full(s->upstream) || scheduler_is_flooded(s)) && !scheduler_is_free(s)) {
        refuse_full(s, frame);
        return false;
    }
    return true;
}

struct call *request_submit(struct route_session *s, const struct frame *frame, enum rpc_method method,
                            uint64_t now_ms)
{
    struct call *c;
    if (!request_admit(s, frame, now_ms))
        return NULL;
    if (call_open(s, frame, method, now_ms, &c)) {
        request_no_memory(s, frame);
        return NULL;
    }
    int rc = scheduler_submit(c, frame, now_ms);
    if (rc) {
        call_close(c);
        if (rc == ERR_FULL)
            refuse_held(s, frame);
        else
            request_no_memory(s, frame);
        return NULL;
    }
    return c;
}

/* ---- requests ---- */

static void control(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    struct router *r = s->router;
    r->control_answered = false;
    if (r->options.on_control)
        r->options.on_control(r->options.data, s, frame, now_ms);
    if (!r->control_answered && frame->env.kind == RPC_REQUEST)
        request_refuse(s, frame, RPC_E_METHOD_NOT_FOUND, NULL);
}

static void about_task(struct route_session *s, const struct frame *frame, enum rpc_method method,
                       uint64_t now_ms)
{
    if (tasks_owner(s->upstream, frame) == s)
        (void)request_submit(s, frame, method, now_ms);
    else
        request_refuse(s, frame, RPC_E_INVALID_PARAMS, "Invalid params: no such task");
}

static void shared_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                           uint64_t now_ms)
{
    switch (method) {
    case RPC_M_INITIALIZE:
        initialize_request(s, frame, now_ms);
        break;
    case RPC_M_PING:
        reply_raw(s, frame_id(frame), frame->env.id.len, MESSAGE_RESULT, "{}", 2);
        break;
    case RPC_M_TASKS_LIST:
        request_refuse(s, frame, RPC_E_METHOD_NOT_FOUND, NULL);
        break;
    case RPC_M_SET_LEVEL:
        log_levels_request(s, frame, now_ms);
        break;
    case RPC_M_SUBSCRIBE:
    case RPC_M_UNSUBSCRIBE:
        subscriptions_request(s, frame, method, now_ms);
        break;
    case RPC_M_TASKS_GET:
    case RPC_M_TASKS_RESULT:
    case RPC_M_TASKS_CANCEL:
        about_task(s, frame, method, now_ms);
        break;
    default:
        (void)request_submit(s, frame, method, now_ms);
        break;
    }
}

static bool is_notification_method(enum rpc_method method)
{
    return method >= RPC_M_N_INITIALIZED;
}

static void good_request(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    enum rpc_method method = rpc_method(frame->bytes + frame->env.method.off, frame->env.method.len);
    s->requests++;
    if (method == RPC_M_RELAY) {
        control(s, frame, now_ms);
    } else if (is_notification_method(method) || method == RPC_M_DISCOVER) {
        /* A legacy child must not see a discover; and a notification with an id must not pass for one. */
        request_refuse(s, frame, RPC_E_METHOD_NOT_FOUND, NULL);
    } else if (upstream_is_shared(s->upstream)) {
        shared_request(s, frame, method, now_ms);
    } else {
        if (method == RPC_M_INITIALIZE)
            initialize_note(s, frame);
        (void)request_submit(s, frame, method, now_ms);
    }
}

static void refuse_id(struct route_session *s, const struct frame *frame, const char *reason)
{
    char message[96];
    (void)snprintf(message, sizeof(message), "Invalid request: %s", reason);
    struct refusal why = {.code = RPC_E_INVALID_REQUEST, .message = message};
    request_refuse_frame(s, frame, &why);
}

void request_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    char reason[64];
    const struct span id = frame->env.id;
    size_t max = s->router->options.max_id_bytes;
    if (id.len > max) {
        (void)snprintf(reason, sizeof(reason), "the id is longer than %zu bytes", max);
        refuse_id(s, frame, reason);
    } else if (frame->env.id_null) {
        refuse_id(s, frame, "the id is null");
    } else if (calls_find_client(s, frame_id(frame), id.len)) {
        refuse_id(s, frame, "the id is in flight already");
    } else if (frame->env.meta_token.len > max) {
        (void)snprintf(reason, sizeof(reason), "the progress token is longer than %zu bytes", max);
        refuse_id(s, frame, reason);
    } else {
        good_request(s, frame, now_ms);
    }
}

/* ---- notifications ---- */

/* `frame`: the client's notification, or NULL. */
static void cancel(struct route_session *s, const char *id, size_t id_len, const struct frame *frame,
                   uint64_t now_ms)
{
    struct call *c = calls_find_client(s, id, id_len);
    if (c && c->method != RPC_M_INITIALIZE)
        call_cancel(c, frame, now_ms);
}

void route_session_cancel(struct route_session *s, const char *id, size_t id_len, uint64_t now_ms)
{
    if (!s->upstream || s->dead)
        return;
    cancel(s, id, id_len, NULL, now_ms);
    scheduler_run(s->upstream, now_ms);
}

static bool upstream_takes(const struct upstream *upstream)
{
    return upstream->state == UPSTREAM_READY && !upstream->link_closing && upstream_has_room(upstream) &&
           outbox_is_empty(upstream);
}

/* In order with what the session has waiting; without memory, or a child, it is lost as notifications may be.
 */
static void forward(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    struct call *c;
    struct upstream *upstream = s->upstream;
    if (list_empty(&s->queue) && upstream_takes(upstream)) {
        upstream->stats.dropped_notifications +=
            upstream_send_text(upstream, MESSAGE_NOTIFICATION, frame->bytes, frame->len) != 0;
        return;
    }
    bool alive = upstream->state == UPSTREAM_READY || upstream->state == UPSTREAM_STARTING;
    if (!alive || is_full(upstream) || scheduler_is_flooded(s) ||
        call_open(s, frame, RPC_M_OTHER, now_ms, &c)) {
        upstream->stats.dropped_notifications++;
        return;
    }
    if (scheduler_keep(c, frame))
        call_close(c);
    else
        scheduler_enqueue(c);
}

static void shared_notification(struct route_session *s, const struct frame *frame, enum rpc_method method)
{
    struct upstream *upstream = s->upstream;
    /* What is about a session (initialized, roots) is not the child's business; what has a token could meet
     * another's; what names a known method without an id would act for nobody. */
    if (method != RPC_M_OTHER || span_found(frame->env.meta_token) || !upstream_takes(upstream) ||
        upstream_send_text(upstream, MESSAGE_NOTIFICATION, frame->bytes, frame->len))
        upstream->stats.dropped_notifications++;
}

void notification_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    enum rpc_method method = rpc_method(frame->bytes + frame->env.method.off, frame->env.method.len);
    if (method == RPC_M_N_INITIALIZED)
        s->initialized = true;
    if (method == RPC_M_RELAY)
        control(s, frame, now_ms);
    else if (method == RPC_M_N_CANCELLED)
        cancel(s, frame->bytes + frame->env.request_id.off, frame->env.request_id.len, frame, now_ms);
    else if (method == RPC_M_N_PROGRESS && !upstream_is_shared(s->upstream))
        server_requests_progress(s, frame);
    else if (!upstream_is_shared(s->upstream))
        forward(s, frame, now_ms);
    else if (method != RPC_M_N_INITIALIZED)
        shared_notification(s, frame, method);
}
