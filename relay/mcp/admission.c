/* May a request come in? The relay must not be draining, there must be a child or one that is about to be, and a
 * place to wait in; else the client gets the refusal that says which of them it was.
 */
#include "mcp/admission.h"

#include <stdio.h>

#include "route/outage.h"
#include "route/scheduler.h"
#include "route/upstream.h"
#include "wire/rpc_error.h"

/* How long a client is asked to wait before it asks an overloaded or draining relay again. */
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

static size_t waiting_of(const struct route_peer *peer)
{
    return peer->waiting - peer->init_held_count;
}

static size_t free_places(const struct upstream *upstream)
{
    size_t taken = upstream->stats.waiting - upstream->init_held_count;
    size_t places = upstream->server->limits.max_waiting;
    return taken < places ? places - taken : 0;
}

static void refuse_full(struct route_session *s, const struct frame *frame)
{
    char members[128];
    char message[160];
    const struct upstream *upstream = s->upstream;
    struct refusal why = {.code = RPC_E_OVERLOADED, .members = members};
    int n = snprintf(
        members, sizeof(members), "\"queued\":%zu,\"queuedByPeer\":%zu,\"limit\":%u,\"retryAfterMs\":%d",
        upstream->stats.waiting, s->peer->waiting, upstream->server->limits.max_waiting, RETRY_AFTER_MS);
    why.members_len = (size_t)n;
    if (free_places(upstream) > 0) {
        (void)snprintf(
            message, sizeof(message),
            "%s: %zu requests of this client's host or user wait already; what is left is for others",
            rpc_error_message(why.code), waiting_of(s->peer));
        why.message = message;
    }
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
    if (!upstream_is_shared(s->upstream) && why.code != RPC_E_OVERLOADED)
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

bool request_is_full(const struct route_session *s)
{
    size_t places = free_places(s->upstream);
    return upstream_is_shared(s->upstream) ? !peer_may_take(waiting_of(s->peer), places) : places == 0;
}

bool request_admit(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    if (!request_reaches(s, frame, now_ms))
        return false;
    if ((request_is_full(s) || scheduler_is_flooded(s)) && !scheduler_is_free(s)) {
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
