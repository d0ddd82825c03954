/* The features of MCP, in the order in which they begin and end with an upstream, its child and its sessions.
 *
 * A new feature adds its line to each moment that concerns it. Nothing here fails.
 */
#include "mcp/mcp.h"

#include "mcp/client_messages.h"
#include "mcp/elicitations.h"
#include "mcp/handshake.h"
#include "mcp/log_levels.h"
#include "mcp/server_requests.h"
#include "mcp/state.h"
#include "mcp/subscriptions.h"
#include "mcp/tasks.h"
#include "mcp/upstream_messages.h"

static void upstream_init(struct upstream *upstream)
{
    struct upstream_protocol *mcp = upstream->protocol;
    mcp->upstream = upstream;
    mcp->sent_level = LEVEL_NONE;
    list_init(&mcp->init_held);
    map_init(&mcp->subs);
    tasks_init(upstream);
    map_init(&mcp->server_requests);
    list_init(&mcp->server_request_list);
    map_init(&mcp->elicitations);
    list_init(&mcp->elicitation_list);
}

static void upstream_done(struct upstream *upstream)
{
    struct upstream_protocol *mcp = upstream->protocol;
    map_done(&mcp->subs);
    map_done(&mcp->tasks);
    map_done(&mcp->server_requests);
    map_done(&mcp->elicitations);
    init_cache_done(&mcp->cache);
}

static void session_init(struct route_session *s)
{
    s->protocol->level = LEVEL_NONE;
    list_init(&s->protocol->subscriptions);
    list_init(&s->protocol->tasks);
}

static void on_detached(struct upstream *upstream, uint64_t now_ms)
{
    upstream->protocol->handshake_id = 0;
    tasks_forget(upstream);
    elicitations_forget(upstream);
    server_requests_forget(upstream, now_ms);
}

static void on_session_left(struct route_session *s, uint64_t now_ms)
{
    subscriptions_leave(s);
    elicitations_leave(s);
    if (!upstream_is_shared(s->upstream))
        server_requests_leave(s->upstream, now_ms);
}

const struct route_protocol mcp_protocol = {
    .upstream_bytes = sizeof(struct upstream_protocol),
    .session_bytes = sizeof(struct session_protocol),
    .upstream_init = upstream_init,
    .upstream_done = upstream_done,
    .session_init = session_init,
    .on_client_frame = client_message,
    .on_upstream_frame = upstream_message,
    .on_attached = handshake_begin,
    .on_detached = on_detached,
    .on_session_leaving = tasks_leave,
    .on_session_left = on_session_left,
};
