/* Servers: the named entries that sessions are bound to. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "route/outage.h"
#include "route/replies.h"
#include "route/scheduler.h"
#include "route/session.h"
#include "route/upstream.h"
#include "wire/rpc_error.h"

static struct route_server *server_new(struct router *r, const char *name, const struct server_limits *limits)
{
    struct route_server *s = mem_zalloc(sizeof(*s));
    if (!s)
        return NULL;
    s->name = mem_strdup(name);
    if (!s->name) {
        mem_free(s);
        return NULL;
    }
    list_init(&s->node);
    list_init(&s->upstreams);
    s->router = r;
    s->limits = *limits;
    return s;
}

int route_server_add(struct router *r, const char *name, const struct server_limits *limits,
                     const struct server_ops *ops, void *server_data, struct route_server **ret_server)
{
    if (route_server_find(r, name))
        return ERR_FULL;
    struct route_server *s = server_new(r, name, limits);
    if (!s)
        return -ENOMEM;
    s->ops = ops;
    s->data = server_data;
    if (limits->sharing == SHARING_SHARED && !upstream_new(s)) {
        mem_free(s->name);
        mem_free(s);
        return -ENOMEM;
    }
    list_push_back(&r->servers, &s->node);
    *ret_server = s;
    return 0;
}

static void detach_sessions(struct upstream *upstream, const char *reason, uint64_t now_ms)
{
    while (!list_empty(&upstream->sessions)) {
        struct route_session *s = CONTAINER_OF(upstream->sessions.next, struct route_session, upstream_node);
        session_hang_up(s, RPC_E_SERVER_UNAVAILABLE, reason);
        session_leave_upstream(s, now_ms);
    }
}

/* The upstream may be gone afterwards. */
static void end_upstream(struct upstream *upstream, const char *reason, uint64_t now_ms)
{
    if (upstream->released) {
        list_remove(&upstream->server_node);
        upstream->server = NULL;
        return;
    }
    upstream_move(upstream, UPSTREAM_DOWN);
    outage_note(upstream, &(struct outage){.state = "removed", .detail = reason});
    const struct refusal why = outage_refusal(upstream, now_ms);
    upstream_forget_link(upstream, &why, now_ms);
    upstream_fail_waiting(upstream, &why);
    detach_sessions(upstream, reason, now_ms);
    if (upstream_is_shared(upstream))
        upstream_free(upstream);
    else
        upstream_release(upstream, true, now_ms);
}

void route_server_remove(struct route_server *s, const char *reason, uint64_t now_ms)
{
    LIST_EACH(node, next, &s->upstreams)
    {
        end_upstream(CONTAINER_OF(node, struct upstream, server_node), reason, now_ms);
    }
    list_remove(&s->node);
    mem_free(s->name);
    mem_free(s);
}

void route_server_set_limits(struct route_server *s, const struct server_limits *limits, uint64_t now_ms)
{
    enum sharing sharing = s->limits.sharing;
    s->limits = *limits;
    s->limits.sharing = sharing;
    LIST_EACH(node, next, &s->upstreams)
    {
        struct upstream *upstream = CONTAINER_OF(node, struct upstream, server_node);
        fair_queue_refresh_peers(upstream);
        scheduler_run(upstream, now_ms);
    }
}

struct route_server *route_server_find(struct router *r, const char *name)
{
    LIST_EACH(node, next, &r->servers)
    {
        struct route_server *s = CONTAINER_OF(node, struct route_server, node);
        if (strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}

const char *route_server_name(const struct route_server *s)
{
    return s->name;
}

struct upstream *route_server_upstream(struct route_server *s)
{
    if (s->limits.sharing != SHARING_SHARED)
        return NULL;
    return CONTAINER_OF(s->upstreams.next, struct upstream, server_node);
}
