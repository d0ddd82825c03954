/* The views list sessions and calls as they are; nothing is kept here. */
#include "ops/views.h"

#include "wire/rpc.h"

#define METHOD_MAX_BYTES    128
#define CLIENT_ID_MAX_BYTES 256

/* ---- clients ---- */

static void write_identity(struct writer *w, const struct session *s, uint64_t real_ms)
{
    write_member_uint(w, "id", s->id);
    write_member_string(w, "peer", s->origin.peer);
    write_member_string(w, "transport", session_family_name(s->origin.family));
    write_member_string(w, "permission", session_permission_name(s->permission));
    write_member_uint(w, "connectedMs", real_ms - s->origin.since_ms);
}

static void write_routing(struct writer *w, const struct session *s)
{
    struct route_session_stats stats;
    route_session_get_stats(s->route, &stats);
    write_member_string(w, "server", stats.server);
    write_member_bool(w, "initialized", stats.initialized);
    write_member_string(w, "protocol", stats.protocol);
    write_key(w, "client");
    write_object(w);
    write_member_string(w, "name", stats.client_name);
    write_member_string(w, "version", stats.client_version);
    write_object_end(w);
    write_member_uint(w, "inFlight", stats.in_flight);
    write_member_uint(w, "waiting", stats.waiting);
    write_member_uint(w, "waitingBytes", stats.waiting_bytes);
    write_member_bool(w, "paused", stats.paused);
    write_member_uint(w, "requests", stats.requests);
    write_member_uint(w, "droppedNotifications", stats.dropped);
}

static void write_client(struct writer *w, const struct session *s, uint64_t real_ms)
{
    uint64_t bytes_in;
    uint64_t bytes_out;
    session_get_traffic(s, &bytes_in, &bytes_out);
    write_object(w);
    write_identity(w, s, real_ms);
    write_routing(w, s);
    write_member_uint(w, "queuedBytes", s->link.queued_bytes);
    write_member_uint(w, "bytesIn", bytes_in);
    write_member_uint(w, "bytesOut", bytes_out);
    write_object_end(w);
}

void views_write_clients(struct writer *w, const struct ops *o, const struct control_page *page,
                         uint64_t now_ms)
{
    (void)now_ms;
    size_t written = 0;
    uint64_t last = 0;
    bool more = false;
    write_object(w);
    write_key(w, "clients");
    write_array(w);
    LIST_EACH(node, next, &o->sessions->sessions)
    {
        const struct session *s = CONTAINER_OF(node, struct session, node);
        if (s->id <= page->after)
            continue;
        more = written == page->limit;
        if (more)
            break;
        write_client(w, s, loop_real_ms(o->loop));
        last = s->id;
        written++;
    }
    write_array_end(w);
    write_member_uint(w, "total", o->sessions->count);
    if (more)
        write_member_uint(w, "next", last);
    write_object_end(w);
}

/* ---- calls ---- */

struct call_walk {
    struct writer *w;
    size_t limit;
    size_t total;
};

/* The router may hand out the method cut off in the middle. */
static void write_method(struct writer *w, const struct call_view *view)
{
    char text[METHOD_MAX_BYTES];
    if (view->method_len == 0)
        return;
    write_key(w, "method");
    size_t len = rpc_decode_string(view->method, view->method_len, text, sizeof(text));
    if (len != SIZE_MAX)
        write_string(w, text, len);
    else
        write_string(w, view->method + 1, view->method_len - 1);
}

static void write_owner(struct writer *w, const struct call_view *view)
{
    if (view->session) {
        const struct session *owner = route_session_user(view->session);
        write_member_uint(w, "session", owner->id);
    }
    if (view->relay_id != 0)
        write_member_uint(w, "relayId", view->relay_id);
    if (view->client_id_len > 0 && view->client_id_len <= CLIENT_ID_MAX_BYTES)
        write_member_raw(w, "clientId", view->client_id, view->client_id_len);
}

static void on_call(void *data, const struct call_view *view)
{
    struct call_walk *walk = data;
    if (walk->total++ >= walk->limit)
        return;
    struct writer *w = walk->w;
    write_object(w);
    write_member_string(w, "server", view->server);
    write_owner(w, view);
    write_method(w, view);
    write_member_string(w, "state", view->state);
    write_member_uint(w, "ageMs", view->age_ms);
    if (view->deadline_in_ms != ROUTE_NEVER)
        write_member_uint(w, "deadlineInMs", view->deadline_in_ms);
    write_object_end(w);
}

void views_write_inflight(struct writer *w, const struct ops *o, const struct control_page *page,
                          uint64_t now_ms)
{
    struct call_walk walk = {.w = w, .limit = page->limit};
    write_object(w);
    write_key(w, "calls");
    write_array(w);
    router_each_call(o->router, now_ms, on_call, &walk);
    write_array_end(w);
    write_member_uint(w, "total", walk.total);
    write_object_end(w);
}
