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

static struct kit_link *kit_link_of(struct link *link)
{
    return CONTAINER_OF(link, struct kit_link, link);
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
static void kit_check_message(const struct message *message, const char *line)
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

static int kit_send(struct link *link, const struct message *message)
{
    struct kit_link *l = kit_link_of(link);
    if (l->closed)
        return ERR_CLOSING;
    if (l->fail_with)
        return l->fail_with;
    l->sent++;
    if (l->forget)
        return 0;
    assert_true(l->count < KIT_LINES);
    char *line = joined(message->parts, message->part_count);
    if (!is_strict_json(line, strlen(line)))
        fail_msg("not JSON: %s", line);
    kit_check_message(message, line);
    l->lines[l->count++] = line;
    l->last_kind = message->kind;
    l->last_droppable = message->droppable;
    (void)snprintf(l->last_about, sizeof(l->last_about), "%.*s", (int)message->about_len,
                   message->about ? message->about : "");
    return 0;
}

static void kit_pause(struct link *link)
{
    kit_link_of(link)->paused = true;
    kit_link_of(link)->pauses++;
}

static void kit_resume(struct link *link)
{
    kit_link_of(link)->paused = false;
}

static void kit_link_close(struct link *link, int code, const char *reason)
{
    struct kit_link *l = kit_link_of(link);
    if (l->closed)
        return;
    l->closed = true;
    l->close_code = code;
    (void)snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

static const struct link_ops kit_link_ops = {kit_send, kit_pause, kit_resume, kit_link_close};

void kit_link_init(struct kit_link *l)
{
    memset(l, 0, sizeof(*l));
    l->link.ops = &kit_link_ops;
    l->link.high_bytes = KIT_HIGH_BYTES;
}

void kit_link_done(struct kit_link *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->lines[i]);
    kit_link_init(l);
}

const char *kit_next(struct kit_link *l)
{
    return l->seen < l->count ? l->lines[l->seen++] : NULL;
}

void kit_expect(struct kit_link *l, const char *line)
{
    const char *next = kit_next(l);
    if (!next)
        fail_msg("nothing was sent; expected %s", line);
    else
        assert_string_equal(next, line);
}

const char *kit_expect_with(struct kit_link *l, ...)
{
    va_list args;
    const char *next = kit_next(l);
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

void kit_expect_nothing(struct kit_link *l)
{
    const char *next = kit_next(l);
    if (next)
        fail_msg("unexpected: %s", next);
}

/* ---- the server ---- */

static void kit_on_start(void *data, struct upstream *upstream)
{
    struct kit *kit = data;
    kit->log.starts++;
    kit->log.last = upstream;
    if (kit->on_start)
        kit->on_start(kit, upstream);
}

static void kit_on_ready(void *data, struct upstream *upstream)
{
    struct kit *kit = data;
    kit->log.ready++;
    kit->log.last = upstream;
}

static void kit_on_failed(void *data, struct upstream *upstream, const char *reason)
{
    struct kit *kit = data;
    kit->log.failed++;
    kit->log.last = upstream;
    (void)snprintf(kit->log.reason, sizeof(kit->log.reason), "%s", reason);
}

static void kit_on_release(void *data, struct upstream *upstream)
{
    struct kit *kit = data;
    kit->log.released++;
    kit->log.last = upstream;
    if (kit->free_on_release)
        upstream_free(upstream);
}

static const struct server_ops kit_server_ops = {kit_on_start, kit_on_ready, kit_on_failed, kit_on_release};

const struct server_ops *kit_ops(void)
{
    return &kit_server_ops;
}

struct server_limits kit_limits(enum sharing sharing)
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

void kit_open(struct kit *kit, const struct server_limits *limits)
{
    static const struct router_options options = {
        .protocol = &mcp_protocol,
        .relay_name = "agent-relay",
        .relay_version = "9.9",
        .max_id_bytes = 16384,
        .max_frame_bytes = 8388608,
    };
    memset(kit, 0, sizeof(*kit));
    hash_seed(1, 2);
    kit->now_ms = 1000;
    kit->free_on_release = true;
    kit_link_init(&kit->child);
    assert_int_equal(router_new(&options, &kit->router), 0);
    assert_int_equal(route_server_add(kit->router, "mem", limits, &kit_server_ops, kit, &kit->server), 0);
}

void kit_close(struct kit *kit)
{
    if (kit->server)
        route_server_remove(kit->server, "the test is over", kit->now_ms);
    router_free(kit->router);
    kit_link_done(&kit->child);
}

struct upstream *kit_upstream(struct kit *kit)
{
    struct upstream *upstream = route_server_upstream(kit->server);
    assert_non_null(upstream);
    return upstream;
}

void kit_ready(struct kit *kit, const char *result)
{
    static const char plain[] =
        "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"m\",\"version\":\"1\"}}";
    kit->child.closed = false;
    upstream_attach(kit_upstream(kit), &kit->child.link, kit->now_ms);
    const char *line = kit_expect_with(&kit->child, "\"method\":\"initialize\"", NULL);
    kit_replyf(kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":%s}", (unsigned long long)kit_id(line),
               result ? result : plain);
    kit_expect(&kit->child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
}

struct route_session *kit_session(struct kit *kit, struct kit_link *link)
{
    struct route_session *s = NULL;
    kit_link_init(link);
    assert_int_equal(route_session_open(kit->router, "mem", &link->link, link, kit->now_ms, &s), 0);
    return s;
}

struct route_session *kit_client(struct kit *kit, struct kit_link *link)
{
    struct route_session *s = kit_session(kit, link);
    kit_say(kit, s,
            "{\"jsonrpc\":\"2.0\",\"id\":\"hi\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
            "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}");
    kit_expect_with(link, "\"id\":\"hi\"", "\"result\":", NULL);
    kit_say(kit, s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    return s;
}

/* ---- talking ---- */

void kit_say(struct kit *kit, struct route_session *s, const char *line)
{
    struct frame frame = {.bytes = line, .len = strlen(line)};
    rpc_scan_line(frame.bytes, frame.len, &frame.env);
    route_session_frame(s, &frame, kit->now_ms);
}

void kit_reply_on(struct kit *kit, struct upstream *upstream, const char *line)
{
    struct frame frame = {.bytes = line, .len = strlen(line)};
    rpc_scan_line(frame.bytes, frame.len, &frame.env);
    upstream_frame(upstream, &frame, kit->now_ms);
    upstream_writable(upstream, kit->now_ms);
}

void kit_reply(struct kit *kit, const char *line)
{
    kit_reply_on(kit, kit_upstream(kit), line);
}

static char *__attribute__((format(printf, 1, 0))) formatted(const char *format, va_list args)
{
    char *line = NULL;
    assert_true(vasprintf(&line, format, args) >= 0);
    return line;
}

void kit_sayf(struct kit *kit, struct route_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = formatted(format, args);
    va_end(args);
    kit_say(kit, s, line);
    free(line);
}

void kit_replyf(struct kit *kit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = formatted(format, args);
    va_end(args);
    kit_reply(kit, line);
    free(line);
}

void kit_down(struct kit *kit, uint64_t retry_in_ms)
{
    const struct outage why = {
        .state = "backing-off",
        .exited = true,
        .exit_status = 3,
        .retry_at_ms = retry_in_ms ? kit->now_ms + retry_in_ms : 0,
    };
    upstream_down(kit_upstream(kit), &why, kit->now_ms);
}

uint64_t kit_id(const char *line)
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

void kit_tick(struct kit *kit, uint64_t ms)
{
    kit->now_ms += ms;
    router_tick(kit->router, kit->now_ms);
}

struct upstream_stats kit_stats(struct kit *kit)
{
    struct upstream_stats stats;
    upstream_get_stats(kit_upstream(kit), &stats);
    return stats;
}

/* ---- two clients ---- */

int kit_pair_open_with(struct kit_pair *p, const struct server_limits *limits, const char *result)
{
    kit_open(&p->kit, limits);
    kit_ready(&p->kit, result);
    p->a = kit_client(&p->kit, &p->a_link);
    p->b = kit_client(&p->kit, &p->b_link);
    return 0;
}

int kit_pair_open(struct kit_pair *p)
{
    struct server_limits limits = kit_limits(SHARING_SHARED);
    return kit_pair_open_with(p, &limits, NULL);
}

int kit_pair_close(struct kit_pair *p)
{
    if (p->a)
        route_session_close(p->a, p->kit.now_ms);
    if (p->b)
        route_session_close(p->b, p->kit.now_ms);
    assert_int_equal(router_pending(p->kit.router), 0);
    kit_close(&p->kit);
    kit_link_done(&p->a_link);
    kit_link_done(&p->b_link);
    return 0;
}
