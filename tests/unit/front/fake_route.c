#include "tests/unit/front/fake_route.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

struct route_session {
    struct link *link;
    void *user;
};

struct fake_route fake_route;

void fake_route_reset(void)
{
    fake_route = (struct fake_route){.only_server = "mock"};
}

int route_session_open(struct router *r, const char *server_name, struct link *client,
                       const struct peer_key *peer, void *user, uint64_t now_ms,
                       struct route_session **ret_session)
{
    (void)r, (void)peer, (void)now_ms;
    if (strcmp(server_name, fake_route.only_server) != 0)
        return ERR_NOT_FOUND;
    struct route_session *s = mem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->link = client;
    s->user = user;
    fake_route.opened++;
    *ret_session = s;
    return 0;
}

void route_session_close(struct route_session *s, uint64_t now_ms)
{
    (void)now_ms;
    fake_route.closed++;
    mem_free(s);
}

void *route_session_user(const struct route_session *s)
{
    return s->user;
}

static void flood(struct link *link)
{
    char *bytes = mem_alloc(fake_route.flood_bytes);
    if (!bytes)
        return;
    memset(bytes, 'x', fake_route.flood_bytes);
    const struct part part = {bytes, fake_route.flood_bytes};
    const struct message message = {.parts = &part, .part_count = 1, .kind = MESSAGE_NOTIFICATION};
    size_t left = fake_route.flood_count;
    do
        fake_route.send_result = link->ops->send(link, &message);
    while (left > 0 && --left > 0);
    mem_free(bytes);
}

void route_session_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    (void)now_ms;
    struct link *link = s->link;
    const char *method = frame->bytes ? frame->bytes + frame->env.method.off : "";
    size_t len = frame->env.method.len;
    fake_route.frames++;
    fake_route.oversize += frame->oversize;
    fake_route.last_link = link;
    if (frame->oversize || fake_route.mute || rpc_string_is(method, len, "silent"))
        return;
    if (rpc_string_is(method, len, "pause")) {
        link->ops->pause(link);
        return;
    }
    if (rpc_string_is(method, len, "flood")) {
        flood(link);
        return;
    }
    size_t half = frame->len / 2; /* in parts, as the real one sends */
    const struct part parts[] = {{frame->bytes, half}, {frame->bytes + half, frame->len - half}};
    const struct message message = {.parts = parts, .part_count = 2, .kind = MESSAGE_RESULT};
    fake_route.send_result = link->ops->send(link, &message);
    if (rpc_string_is(method, len, "close"))
        link->ops->close(link, 0, "told to");
}

void route_session_sent(struct route_session *s)
{
    (void)s;
}

void route_session_writable(struct route_session *s, uint64_t now_ms)
{
    (void)s, (void)now_ms;
    fake_route.writable++;
}

void router_each_server(const struct router *r, server_view_cb *on_server, void *data)
{
    (void)r;
    on_server(data, NULL);
}

const char *route_server_name(const struct route_server *s)
{
    (void)s;
    return fake_route.only_server;
}
