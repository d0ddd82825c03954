#include "tests/unit/server/fake_upstream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake_router fake_router;

void fake_router_reset(void)
{
    memset(&fake_router, 0, sizeof(fake_router));
    fake_router.hello = "{\"hello\":1}";
}

static void note(struct upstream *upstream, const char *what, const char *more)
{
    size_t at = strlen(upstream->log);
    (void)snprintf(upstream->log + at, sizeof(upstream->log) - at, "%s%s%s%s", at > 0 ? " " : "", what,
                   more[0] ? ":" : "", more);
}

static struct upstream *add_upstream(struct route_server *s)
{
    assert_true(fake_router.upstream_count < FAKE_UPSTREAMS_MAX);
    struct upstream *upstream = &fake_router.upstreams[fake_router.upstream_count++];
    upstream->server = s;
    return upstream;
}

struct route_server *fake_server(const char *name)
{
    for (size_t i = fake_router.server_count; i-- > 0;) {
        if (strcmp(fake_router.servers[i].name, name) == 0)
            return &fake_router.servers[i];
    }
    fail_msg("no server '%s'", name);
    abort(); /* fail_msg does not return */
}

struct upstream *fake_upstream_of(const char *name)
{
    return fake_server(name)->upstream;
}

struct upstream *fake_session_upstream(const char *name)
{
    return add_upstream(fake_server(name));
}

void fake_want(struct upstream *upstream)
{
    assert_false(upstream->freed);
    upstream->server->ops->start(upstream->server->data, upstream);
}

void fake_release(struct upstream *upstream)
{
    upstream->released = true;
    upstream->server->ops->release(upstream->server->data, upstream);
}

int fake_send(struct upstream *upstream, const char *line)
{
    assert_non_null(upstream->link);
    const struct part parts[] = {{line, strlen(line) / 2},
                                 {line + strlen(line) / 2, strlen(line) - strlen(line) / 2}};
    const struct message message = {.parts = parts, .part_count = 2, .kind = MESSAGE_NOTIFICATION};
    return upstream->link->ops->send(upstream->link, &message);
}

/* ---- what server/ calls ---- */

int route_server_add(struct router *r, const char *name, const struct server_limits *limits,
                     const struct server_ops *ops, void *server_data, struct route_server **ret_server)
{
    (void)r;
    assert_true(fake_router.server_count < FAKE_UPSTREAMS_MAX);
    struct route_server *s = &fake_router.servers[fake_router.server_count++];
    *s = (struct route_server){.limits = *limits, .ops = ops, .data = server_data};
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    if (limits->sharing == SHARING_SHARED)
        s->upstream = add_upstream(s);
    *ret_server = s;
    return 0;
}

void route_server_remove(struct route_server *s, const char *reason, uint64_t now_ms)
{
    (void)now_ms;
    assert_false(s->removed);
    s->removed = true;
    (void)snprintf(s->removed_why, sizeof(s->removed_why), "%s", reason);
    for (size_t i = 0; i < fake_router.upstream_count; i++) {
        struct upstream *upstream = &fake_router.upstreams[i];
        if (upstream->server != s)
            continue;
        if (upstream == s->upstream) {
            assert_null(upstream->link); /* it must be detached */
            upstream->freed = true;
        } else if (!upstream->released && !upstream->freed) {
            fake_release(upstream);
        }
    }
}

void route_server_set_limits(struct route_server *s, const struct server_limits *limits, uint64_t now_ms)
{
    (void)now_ms;
    assert_int_equal(s->limits.sharing, limits->sharing);
    s->limits = *limits;
}

struct upstream *route_server_upstream(struct route_server *s)
{
    return s->upstream;
}

void upstream_set_data(struct upstream *upstream, void *data)
{
    upstream->data = data;
}

void *upstream_data(const struct upstream *upstream)
{
    return upstream->data;
}

void upstream_starting(struct upstream *upstream)
{
    assert_false(upstream->freed);
    assert_null(upstream->link);
    note(upstream, "starting", "");
}

void upstream_attach(struct upstream *upstream, struct link *child, uint64_t now_ms)
{
    (void)now_ms;
    assert_false(upstream->freed);
    assert_null(upstream->link);
    upstream->link = child;
    upstream->ready = false;
    upstream->draining = false;
    note(upstream, "attach", "");
    int rc = fake_router.hello ? fake_send(upstream, fake_router.hello) : 0;
    assert_true(rc == 0 || rc == -ENOMEM);
}

void upstream_frame(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    assert_false(upstream->freed);
    assert_false(upstream->released);
    assert_non_null(upstream->link);
    upstream->frames++;
    upstream->oversize += frame->oversize;
    (void)snprintf(upstream->last_frame, sizeof(upstream->last_frame), "%.*s",
                   (int)(frame->len < 200 ? frame->len : 200), frame->oversize ? "" : frame->bytes);
    if (!upstream->ready && fake_router.refuse) {
        upstream->server->ops->handshake_failed(upstream->server->data, upstream, fake_router.refuse);
    } else if (!upstream->ready) {
        upstream->ready = true;
        note(upstream, "ready", "");
        upstream->server->ops->ready(upstream->server->data, upstream);
    }
    if (fake_router.on_frame)
        fake_router.on_frame(upstream, frame, now_ms);
}

void upstream_writable(struct upstream *upstream, uint64_t now_ms)
{
    (void)now_ms;
    assert_non_null(upstream->link);
    upstream->writable++;
}

const struct peer_key *upstream_own_peer(const struct upstream *upstream)
{
    return &upstream->peer;
}

void upstream_down(struct upstream *upstream, const struct outage *why, uint64_t now_ms)
{
    assert_false(upstream->freed);
    upstream->link = NULL;
    upstream->ready = false;
    upstream->outage = *why;
    (void)snprintf(upstream->detail, sizeof(upstream->detail), "%s", why->detail ? why->detail : "");
    (void)snprintf(upstream->tail, sizeof(upstream->tail), "%.*s", (int)why->stderr_len,
                   why->stderr_tail ? why->stderr_tail : "");
    upstream->down_at_ms = now_ms;
    note(upstream, "down", why->state);
}

void upstream_idle(struct upstream *upstream)
{
    assert_false(upstream->freed);
    assert_int_equal(upstream->stats.in_flight, 0);
    upstream->link = NULL;
    upstream->ready = false;
    note(upstream, "idle", "");
}

void upstream_drain(struct upstream *upstream, uint64_t now_ms)
{
    (void)now_ms;
    upstream->draining = true;
    note(upstream, "drain", "");
}

void upstream_undrain(struct upstream *upstream, uint64_t now_ms)
{
    (void)now_ms;
    upstream->draining = false;
}

void upstream_free(struct upstream *upstream)
{
    assert_true(upstream->released);
    assert_false(upstream->freed);
    upstream->freed = true;
    upstream->link = NULL;
    note(upstream, "free", "");
}

void upstream_get_stats(const struct upstream *upstream, struct upstream_stats *ret_stats)
{
    assert_false(upstream->freed);
    *ret_stats = upstream->stats;
}
