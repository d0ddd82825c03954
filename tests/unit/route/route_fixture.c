#include "tests/unit/route/route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/map.h"
#include "mcp/mcp.h"
#include "tests/unit/common/strict_json.h"

/* ---- links ---- */

static struct fake_link *fake_link_of(struct link *link)
{
    return CONTAINER_OF(link, struct fake_link, link);
}

static char *joined(const struct part *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    char *line = malloc(len + 1);
    assert_non_null(line);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0)
            memcpy(line + at, parts[i].bytes, parts[i].len);
        at += parts[i].len;
    }
    line[len] = '\0';
    return line;
}

/* What a message says of itself is what its line says. */
static void check_message(const struct message *message, const char *line)
{
    static const enum rpc_kind kinds[] = {
        [MESSAGE_REQUEST] = RPC_REQUEST,
        [MESSAGE_NOTIFICATION] = RPC_NOTIFICATION,
        [MESSAGE_RESULT] = RPC_RESULT,
        [MESSAGE_ERROR] = RPC_ERROR,
    };
    struct rpc_envelope env;
    rpc_scan_line(line, strlen(line), &env);
    if (env.kind != kinds[message->kind])
        fail_msg("sent as kind %d: %s", (int)message->kind, line);
    assert_int_equal(message->about == NULL, message->about_len == 0);
    assert_true(!message->droppable || message->kind == MESSAGE_NOTIFICATION);
}

static int fake_link_send(struct link *link, const struct message *message)
{
    struct fake_link *l = fake_link_of(link);
    if (l->closed)
        return ERR_CLOSING;
    if (l->fail_with)
        return l->fail_with;
    l->sent++;
    for (size_t i = 0; i < message->part_count; i++)
        l->sent_bytes += message->parts[i].len;
    if (l->forget)
        return 0;
    assert_true(l->count < FAKE_LINK_LINES);
    char *line = joined(message->parts, message->part_count);
    if (!is_strict_json(line, strlen(line)))
        fail_msg("not JSON: %s", line);
    check_message(message, line);
    l->lines[l->count++] = line;
    l->last_kind = message->kind;
    l->last_droppable = message->droppable;
    (void)snprintf(l->last_about, sizeof(l->last_about), "%.*s", (int)message->about_len,
                   message->about ? message->about : "");
    return 0;
}

static void fake_link_pause(struct link *link)
{
    fake_link_of(link)->paused = true;
    fake_link_of(link)->pauses++;
}

static void fake_link_resume(struct link *link)
{
    fake_link_of(link)->paused = false;
}

static void fake_link_close(struct link *link, int code, const char *reason)
{
    struct fake_link *l = fake_link_of(link);
    if (l->closed)
        return;
    l->closed = true;
    l->close_code = code;
    (void)snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

static bool fake_link_get_progress(const struct link *link, struct link_progress *ret_progress)
{
    const struct fake_link *l = CONST_CONTAINER_OF(link, struct fake_link, link);
    *ret_progress = (struct link_progress){.sent_bytes = l->sent_bytes, .read_bytes = l->read_bytes};
    return l->is_read_slowly;
}

static const struct link_ops fake_link_ops = {fake_link_send, fake_link_pause, fake_link_resume,
                                              fake_link_close, fake_link_get_progress};

void fake_link_init(struct fake_link *l)
{
    memset(l, 0, sizeof(*l));
    l->link.ops = &fake_link_ops;
    l->link.high_bytes = FAKE_LINK_HIGH_BYTES;
}

void fake_link_done(struct fake_link *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->lines[i]);
    fake_link_init(l);
}

const char *fake_link_next(struct fake_link *l)
{
    return l->seen < l->count ? l->lines[l->seen++] : NULL;
}

void route_expect(struct fake_link *l, const char *line)
{
    const char *next = fake_link_next(l);
    if (!next)
        fail_msg("nothing was sent; expected %s", line);
    else
        assert_string_equal(next, line);
}

const char *route_expect_with(struct fake_link *l, ...)
{
    va_list args;
    const char *next = fake_link_next(l);
    if (!next)
        fail_msg("nothing was sent");
    va_start(args, l);
    for (const char *part = va_arg(args, const char *); part; part = va_arg(args, const char *)) {
        if (!strstr(next, part))
            fail_msg("%s not in %s", part, next);
    }
    va_end(args);
    return next;
}

void route_expect_nothing(struct fake_link *l)
{
    const char *next = fake_link_next(l);
    if (next)
        fail_msg("unexpected: %s", next);
}

/* ---- the server ---- */

static void on_start(void *data, struct upstream *upstream)
{
    struct route_fixture *route = data;
    route->log.starts++;
    route->log.last = upstream;
    if (route->on_start)
        route->on_start(route, upstream);
}

static void on_ready(void *data, struct upstream *upstream)
{
    struct route_fixture *route = data;
    route->log.ready++;
    route->log.last = upstream;
}

static void on_failed(void *data, struct upstream *upstream, const char *reason)
{
    struct route_fixture *route = data;
    route->log.failed++;
    route->log.last = upstream;
    (void)snprintf(route->log.reason, sizeof(route->log.reason), "%s", reason);
}

static void on_release(void *data, struct upstream *upstream)
{
    struct route_fixture *route = data;
    route->log.released++;
    route->log.last = upstream;
    if (route->free_on_release)
        upstream_free(upstream);
}

static void on_stray(void *data, struct upstream *upstream, const char *looks_like, const char *line)
{
    struct route_fixture *route = data;
    route->log.strays++;
    route->log.last = upstream;
    (void)snprintf(route->log.looks_like, sizeof(route->log.looks_like), "%s", looks_like);
    (void)snprintf(route->log.stray, sizeof(route->log.stray), "%s", line);
}

static const struct server_ops server_ops = {on_start, on_ready, on_failed, on_release, on_stray};

const struct server_ops *route_fixture_ops(void)
{
    return &server_ops;
}

struct server_limits route_fixture_limits(enum sharing sharing)
{
    return (struct server_limits){
        .sharing = sharing,
        .max_in_flight = 512,
        .max_waiting = 4096,
        .session_waiting_bytes = (size_t)1 << 20,
        .timeout_ms = 60000,
        .timeout_max_ms = 600000,
    };
}

void route_fixture_open(struct route_fixture *route, const struct server_limits *limits)
{
    static const struct router_options options = {
        .protocol = &mcp_protocol,
        .relay_name = "agent-relay",
        .relay_version = "9.9",
        .max_id_bytes = 16384,
        .max_frame_bytes = 8388608,
    };
    memset(route, 0, sizeof(*route));
    hash_seed(1, 2);
    route->now_ms = 1000;
    route->free_on_release = true;
    fake_link_init(&route->child);
    assert_int_equal(router_new(&options, &route->router), 0);
    assert_int_equal(route_server_add(route->router, "mem", limits, &server_ops, route, &route->server), 0);
}

void route_fixture_close(struct route_fixture *route)
{
    if (route->server)
        route_server_remove(route->server, "the test is over", route->now_ms);
    router_free(route->router);
    fake_link_done(&route->child);
}

struct upstream *route_upstream(struct route_fixture *route)
{
    struct upstream *upstream = route_server_upstream(route->server);
    assert_non_null(upstream);
    return upstream;
}

void route_child_ready(struct route_fixture *route, const char *result)
{
    static const char plain[] =
        "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"m\",\"version\":\"1\"}}";
    route->child.closed = false;
    upstream_attach(route_upstream(route), &route->child.link, route->now_ms);
    const char *line = route_expect_with(&route->child, "\"method\":\"initialize\"", NULL);
    route_child_sendf(route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":%s}",
                      (unsigned long long)route_line_id(line), result ? result : plain);
    route_expect(&route->child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
}

static struct route_session *connect_as(struct route_fixture *route, struct fake_link *link,
                                        const struct peer_key *peer)
{
    struct route_session *s = NULL;
    fake_link_init(link);
    assert_int_equal(route_session_open(route->router, "mem", &link->link, peer, link, route->now_ms, &s), 0);
    return s;
}

struct route_session *route_connect(struct route_fixture *route, struct fake_link *link)
{
    return connect_as(route, link, NULL);
}

struct route_session *route_connect_from(struct route_fixture *route, struct fake_link *link, uint8_t host)
{
    const struct peer_key key = {.kind = PEER_ADDRESS, .bytes = {[15] = host}};
    return connect_as(route, link, &key);
}

struct route_session *route_connect_initialized(struct route_fixture *route, struct fake_link *link)
{
    struct route_session *s = route_connect(route, link);
    route_client_send(
        route, s,
        "{\"jsonrpc\":\"2.0\",\"id\":\"hi\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}");
    route_expect_with(link, "\"id\":\"hi\"", "\"result\":", NULL);
    route_client_send(route, s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    return s;
}

/* ---- talking ---- */

void route_client_send(struct route_fixture *route, struct route_session *s, const char *line)
{
    struct frame frame = {.bytes = line, .len = strlen(line)};
    rpc_scan_line(frame.bytes, frame.len, &frame.env);
    route_session_frame(s, &frame, route->now_ms);
}

void route_child_send_on(struct route_fixture *route, struct upstream *upstream, const char *line)
{
    struct frame frame = {.bytes = line, .len = strlen(line)};
    rpc_scan_line(frame.bytes, frame.len, &frame.env);
    upstream_frame(upstream, &frame, route->now_ms);
    upstream_writable(upstream, route->now_ms);
}

void route_child_send(struct route_fixture *route, const char *line)
{
    route_child_send_on(route, route_upstream(route), line);
}

static char *__attribute__((format(printf, 1, 0))) formatted(const char *format, va_list args)
{
    char *line = NULL;
    assert_true(vasprintf(&line, format, args) >= 0);
    return line;
}

void route_client_sendf(struct route_fixture *route, struct route_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = formatted(format, args);
    va_end(args);
    route_client_send(route, s, line);
    free(line);
}

void route_child_sendf(struct route_fixture *route, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = formatted(format, args);
    va_end(args);
    route_child_send(route, line);
    free(line);
}

void route_child_down(struct route_fixture *route, uint64_t retry_in_ms)
{
    const struct outage why = {
        .state = "backing-off",
        .exited = true,
        .exit_status = 3,
        .retry_at_ms = retry_in_ms ? route->now_ms + retry_in_ms : 0,
    };
    upstream_down(route_upstream(route), &why, route->now_ms);
}

uint64_t route_line_id(const char *line)
{
    assert_non_null(line);
    const char *at = strstr(line, "\"id\":");
    if (!at)
        fail_msg("no id in %s", line);
    char *end = NULL;
    uint64_t id = strtoull(at + 5, &end, 10);
    assert_true(end > at + 5);
    return id;
}

void route_tick(struct route_fixture *route, uint64_t ms)
{
    route->now_ms += ms;
    router_tick(route->router, route->now_ms);
}

struct upstream_stats route_stats(struct route_fixture *route)
{
    struct upstream_stats stats;
    upstream_get_stats(route_upstream(route), &stats);
    return stats;
}

/* ---- two clients ---- */

int route_pair_open_with(struct route_pair *p, const struct server_limits *limits, const char *result)
{
    route_fixture_open(&p->route, limits);
    route_child_ready(&p->route, result);
    p->a = route_connect_initialized(&p->route, &p->a_link);
    p->b = route_connect_initialized(&p->route, &p->b_link);
    return 0;
}

int route_pair_open(struct route_pair *p)
{
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    return route_pair_open_with(p, &limits, NULL);
}

int route_pair_close(struct route_pair *p)
{
    if (p->a)
        route_session_close(p->a, p->route.now_ms);
    if (p->b)
        route_session_close(p->b, p->route.now_ms);
    assert_int_equal(router_pending(p->route.router), 0);
    route_fixture_close(&p->route);
    fake_link_done(&p->a_link);
    fake_link_done(&p->b_link);
    return 0;
}
