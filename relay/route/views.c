/* Looking in, for operators: nothing here changes anything. */
#include "route/state.h"

struct viewer {
    uint64_t now_ms;
    call_view_cb *on_call;
    void *data;
};

static const char *state_name(enum call_state state)
{
    switch (state) {
    case CALL_WAITING:
    case CALL_HELD:
        return "waiting";
    case CALL_ABANDONED:
        return "abandoned";
    default:
        return "in-flight";
    }
}

static uint64_t deadline_in(const struct call *c, uint64_t now_ms)
{
    uint64_t at =
        c->state == CALL_ABANDONED || !c->session ? c->deadline.node.key : call_expires_at(c, now_ms);
    if (at == ROUTE_NEVER)
        return ROUTE_NEVER;
    return at > now_ms ? at - now_ms : 0;
}

static void show(const struct viewer *v, const struct call *c)
{
    const struct call_view view = {
        .session = c->session,
        .server = c->upstream->server->name,
        .relay_id = c->relay_id,
        .client_id = c->id,
        .client_id_len = c->id_len,
        .method = call_method(c),
        .method_len = c->method_len,
        .state = state_name(c->state),
        .age_ms = v->now_ms > c->arrived_ms ? v->now_ms - c->arrived_ms : 0,
        .deadline_in_ms = deadline_in(c, v->now_ms),
    };
    if (!c->notification)
        v->on_call(v->data, &view);
}

static void show_upstream_list(const struct viewer *v, const struct list *calls)
{
    for (const struct list *node = calls->next; node != calls; node = node->next)
        show(v, CONST_CONTAINER_OF(node, struct call, upstream_node));
}

static void show_session_list(const struct viewer *v, const struct list *calls)
{
    for (const struct list *node = calls->next; node != calls; node = node->next)
        show(v, CONST_CONTAINER_OF(node, struct call, session_node));
}

static void show_upstream(void *data, struct upstream *upstream)
{
    const struct viewer *v = data;
    show_upstream_list(v, &upstream->own);
    show_upstream_list(v, &upstream->in_flight);
    show_upstream_list(v, &upstream->abandoned);
    for (const struct list *node = upstream->sessions.next; node != &upstream->sessions; node = node->next) {
        const struct route_session *s = CONST_CONTAINER_OF(node, struct route_session, upstream_node);
        show_session_list(v, &s->held);
        show_session_list(v, &s->queue);
    }
}

static void show_server(void *data, struct route_server *s)
{
    route_server_each_upstream(s, show_upstream, data);
}

void router_each_call(const struct router *r, uint64_t now_ms, call_view_cb *on_call, void *data)
{
    struct viewer v = {now_ms, on_call, data};
    router_each_server(r, show_server, &v);
}

void router_each_server(const struct router *r, server_view_cb *on_server, void *data)
{
    for (struct list *node = r->servers.next, *next; node != &r->servers; node = next) {
        next = node->next;
        on_server(data, CONTAINER_OF(node, struct route_server, node));
    }
}

void route_server_each_upstream(const struct route_server *s, upstream_view_cb *on_upstream, void *data)
{
    for (struct list *node = s->upstreams.next, *next; node != &s->upstreams; node = next) {
        next = node->next;
        on_upstream(data, CONTAINER_OF(node, struct upstream, server_node));
    }
}
