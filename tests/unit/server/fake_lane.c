#include "tests/unit/server/fake_lane.h"

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

static void note(struct lane *lane, const char *what, const char *more)
{
    size_t at = strlen(lane->log);
    (void)snprintf(lane->log + at, sizeof(lane->log) - at, "%s%s%s%s", at > 0 ? " " : "", what,
                   more[0] ? ":" : "", more);
}

static struct lane *add_lane(struct route_server *s)
{
    assert_true(fake_router.lane_count < FAKE_LANES_MAX);
    struct lane *lane = &fake_router.lanes[fake_router.lane_count++];
    lane->server = s;
    return lane;
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

struct lane *fake_lane_of(const char *name)
{
    return fake_server(name)->lane;
}

struct lane *fake_session_lane(const char *name)
{
    return add_lane(fake_server(name));
}

void fake_want(struct lane *lane)
{
    assert_false(lane->freed);
    lane->server->ops->start(lane->server->data, lane);
}

void fake_release(struct lane *lane)
{
    lane->released = true;
    lane->server->ops->release(lane->server->data, lane);
}

int fake_send(struct lane *lane, const char *line)
{
    assert_non_null(lane->child);
    const struct link_part parts[] = {{line, strlen(line) / 2},
                                      {line + strlen(line) / 2, strlen(line) - strlen(line) / 2}};
    return lane->child->ops->send(lane->child, parts, 2);
}

/* ---- what server/ calls ---- */

int route_server_add(struct router *r, const char *name, const struct server_limits *limits,
                     const struct server_ops *ops, void *server_data, struct route_server **ret_server)
{
    (void)r;
    assert_true(fake_router.server_count < FAKE_LANES_MAX);
    struct route_server *s = &fake_router.servers[fake_router.server_count++];
    *s = (struct route_server){.limits = *limits, .ops = ops, .data = server_data};
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    if (limits->sharing == SHARING_SHARED)
        s->lane = add_lane(s);
    *ret_server = s;
    return 0;
}

void route_server_remove(struct route_server *s, const char *reason, uint64_t now_ms)
{
    (void)now_ms;
    assert_false(s->removed);
    s->removed = true;
    (void)snprintf(s->removed_why, sizeof(s->removed_why), "%s", reason);
    for (size_t i = 0; i < fake_router.lane_count; i++) {
        struct lane *lane = &fake_router.lanes[i];
        if (lane->server != s)
            continue;
        if (lane == s->lane) {
            assert_null(lane->child); /* it must be detached */
            lane->freed = true;
        } else if (!lane->released && !lane->freed) {
            fake_release(lane);
        }
    }
}

void route_server_set_limits(struct route_server *s, const struct server_limits *limits)
{
    assert_int_equal(s->limits.sharing, limits->sharing);
    s->limits = *limits;
}

struct lane *route_server_lane(struct route_server *s)
{
    return s->lane;
}

void lane_set_data(struct lane *lane, void *data)
{
    lane->data = data;
}

void *lane_data(const struct lane *lane)
{
    return lane->data;
}

void lane_starting(struct lane *lane)
{
    assert_false(lane->freed);
    assert_null(lane->child);
    note(lane, "starting", "");
}

void lane_attach(struct lane *lane, struct link *child, uint64_t now_ms)
{
    (void)now_ms;
    assert_false(lane->freed);
    assert_null(lane->child);
    lane->child = child;
    lane->ready = false;
    lane->draining = false;
    note(lane, "attach", "");
    int rc = fake_router.hello ? fake_send(lane, fake_router.hello) : 0;
    assert_true(rc == 0 || rc == -ENOMEM);
}

void lane_frame(struct lane *lane, const struct frame *frame, bool too_large, uint64_t now_ms)
{
    assert_false(lane->freed);
    assert_false(lane->released);
    assert_non_null(lane->child);
    lane->frames++;
    lane->too_large += too_large;
    (void)snprintf(lane->last_frame, sizeof(lane->last_frame), "%.*s",
                   (int)(frame->len < 200 ? frame->len : 200), too_large ? "" : frame->bytes);
    if (!lane->ready && fake_router.refuse) {
        lane->server->ops->handshake_failed(lane->server->data, lane, fake_router.refuse);
    } else if (!lane->ready) {
        lane->ready = true;
        note(lane, "ready", "");
        lane->server->ops->ready(lane->server->data, lane);
    }
    if (fake_router.on_frame)
        fake_router.on_frame(lane, frame, now_ms);
}

void lane_writable(struct lane *lane, uint64_t now_ms)
{
    (void)now_ms;
    assert_non_null(lane->child);
    lane->writable++;
}

void lane_down(struct lane *lane, const struct outage *why, uint64_t now_ms)
{
    assert_false(lane->freed);
    lane->child = NULL;
    lane->ready = false;
    lane->outage = *why;
    (void)snprintf(lane->detail, sizeof(lane->detail), "%s", why->detail ? why->detail : "");
    (void)snprintf(lane->tail, sizeof(lane->tail), "%.*s", (int)why->stderr_len,
                   why->stderr_tail ? why->stderr_tail : "");
    lane->down_at_ms = now_ms;
    note(lane, "down", why->state);
}

void lane_idle(struct lane *lane)
{
    assert_false(lane->freed);
    assert_int_equal(lane->stats.in_flight, 0);
    lane->child = NULL;
    lane->ready = false;
    note(lane, "idle", "");
}

void lane_drain(struct lane *lane)
{
    lane->draining = true;
    note(lane, "drain", "");
}

void lane_undrain(struct lane *lane, uint64_t now_ms)
{
    (void)now_ms;
    lane->draining = false;
}

void lane_free(struct lane *lane)
{
    assert_true(lane->released);
    assert_false(lane->freed);
    lane->freed = true;
    lane->child = NULL;
    note(lane, "free", "");
}

void lane_get_stats(const struct lane *lane, struct lane_stats *ret_stats)
{
    assert_false(lane->freed);
    *ret_stats = lane->stats;
}
