/* The router's side of a session: opening, closing, and its stats. */
#include "route/session.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "route/replies.h"
#include "route/scheduler.h"
#include "route/upstream.h"

static struct upstream *upstream_for(struct route_server *server)
{
    if (server->limits.sharing == SHARING_PER_SESSION)
        return upstream_new(server);
    return route_server_upstream(server);
}

static void init_lists(struct route_session *s)
{
    list_init(&s->router_node);
    list_init(&s->upstream_node);
    list_init(&s->queue);
    list_init(&s->held);
    list_init(&s->calls);
    fair_queue_session_init(&s->queued);
    hold_session_init(s);
}

/* The session and the upstream find each other; without memory for its peer nothing changed. */
static int join_upstream(struct route_session *s, struct upstream *upstream, const struct peer_key *key)
{
    const struct peer_key own = peer_key_unknown(s->serial);
    s->peer = peer_join(upstream, key ? key : &own);
    if (!s->peer)
        return -ENOMEM;
    s->upstream = upstream;
    list_push_back(&upstream->sessions, &s->upstream_node);
    upstream->stats.sessions++;
    return 0;
}

int route_session_open(struct router *r, const char *server_name, struct link *client,
                       const struct peer_key *peer, void *user, uint64_t now_ms,
                       struct route_session **ret_session)
{
    (void)now_ms;
    struct route_server *server = route_server_find(r, server_name);
    if (!server)
        return ERR_NOT_FOUND;
    struct route_session *s = mem_zalloc(sizeof(*s) + r->options.protocol->session_bytes);
    if (!s)
        return -ENOMEM;
    init_lists(s);
    s->router = r;
    s->link = client;
    s->user = user;
    s->serial = ++r->last_serial;
    s->protocol = (struct session_protocol *)(void *)(s + 1);
    struct upstream *upstream = upstream_for(server);
    if (!upstream)
        goto out_session;
    if (join_upstream(s, upstream, peer))
        goto out_upstream;
    r->options.protocol->session_init(s);
    list_push_back(&r->sessions, &s->router_node);
    *ret_session = s;
    return 0;
out_upstream:
    if (!upstream_is_shared(upstream))
        upstream_free(upstream);
out_session:
    mem_free(s);
    return -ENOMEM;
}

static void orphan(struct call *c)
{
    list_remove(&c->session_node);
    c->session = NULL;
}

/* What went to the child is cancelled there and stays in the upstream's books for a while, without a session. */
static void leave_calls(struct route_session *s, uint64_t now_ms)
{
    while (!list_empty(&s->held))
        call_cancel(CONTAINER_OF(s->held.next, struct call, session_node), NULL, now_ms);
    while (!list_empty(&s->queue))
        call_cancel(CONTAINER_OF(s->queue.next, struct call, session_node), NULL, now_ms);
    while (!list_empty(&s->calls)) {
        struct call *c = CONTAINER_OF(s->calls.next, struct call, session_node);
        if (c->state == CALL_IN_FLIGHT)
            call_cancel(c, NULL, now_ms);
        else
            orphan(c);
    }
}

void session_leave_upstream(struct route_session *s, uint64_t now_ms)
{
    struct upstream *upstream = s->upstream;
    s->router->options.protocol->on_session_leaving(s, now_ms);
    leave_calls(s, now_ms);
    s->router->options.protocol->on_session_left(s, now_ms);
    fair_queue_refresh(s);
    hold_leave(s);
    peer_leave(s->peer);
    s->peer = NULL;
    list_remove(&s->upstream_node);
    upstream->stats.sessions--;
    s->upstream = NULL;
}

void route_session_close(struct route_session *s, uint64_t now_ms)
{
    struct upstream *upstream = s->upstream;
    s->dead = true;
    if (upstream) {
        session_leave_upstream(s, now_ms);
        if (upstream_is_shared(upstream))
            scheduler_run(upstream, now_ms);
        else
            upstream_release(upstream, false, now_ms);
    }
    list_remove(&s->router_node);
    mem_free(s->client_name);
    mem_free(s->client_version);
    mem_free(s);
}

void route_session_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    if (!s->upstream || s->dead)
        return;
    s->router->options.protocol->on_client_frame(s, frame, now_ms);
    scheduler_run(s->upstream, now_ms);
}

void session_cancel(struct route_session *s, const char *id, size_t id_len, const struct frame *frame,
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
    session_cancel(s, id, id_len, NULL, now_ms);
    scheduler_run(s->upstream, now_ms);
}

void route_session_writable(struct route_session *s, uint64_t now_ms)
{
    if (!s->upstream)
        return;
    hold_relieve(s);
    scheduler_link_writable(s);
    scheduler_run(s->upstream, now_ms);
}

void route_session_sent(struct route_session *s)
{
    hold_relieve(s);
}

void *route_session_user(const struct route_session *s)
{
    return s->user;
}

void route_session_get_stats(const struct route_session *s, struct route_session_stats *ret_stats)
{
    *ret_stats = (struct route_session_stats){
        .server = s->upstream ? s->upstream->server->name : "",
        .initialized = s->initialized,
        .protocol = s->revision,
        .client_name = s->client_name ? s->client_name : "",
        .client_version = s->client_version ? s->client_version : "",
        .in_flight = s->in_flight,
        .waiting = s->waiting,
        .waiting_bytes = s->waiting_bytes,
        .paused = s->paused,
        .requests = s->requests,
        .dropped = s->dropped,
    };
}

void route_reply_result(struct route_session *s, const struct frame *frame, const char *result, size_t len)
{
    s->router->control_answered = true;
    if (frame->env.kind == RPC_REQUEST)
        reply_raw(s, frame->bytes + frame->env.id.off, frame->env.id.len, MESSAGE_RESULT, result, len);
}

void route_reply_error(struct route_session *s, const struct frame *frame, int code, const char *message,
                       const char *data_members)
{
    const struct refusal why = {
        .code = code,
        .message = message,
        .members = data_members,
        .members_len = data_members ? strlen(data_members) : 0,
    };
    s->router->control_answered = true;
    if (frame->env.kind == RPC_REQUEST)
        reply_error(s, frame->bytes + frame->env.id.off, frame->env.id.len, &why);
}
