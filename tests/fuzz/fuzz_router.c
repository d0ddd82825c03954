/* The router under a sequence of events that the input chooses: clients come, speak and go; children start,
 * answer and die; links fail; time passes. Whatever happens, what leaves the router is a JSON-RPC message, a
 * closed link is told nothing, and at the end nothing is left.
 *
 * Each event is a byte, what it needs follows. Lines are either raw bytes of the input or made from templates
 * with a few ids, so that the fuzzer reaches the deep states without having to invent JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "mcp/mcp.h"
#include "route/router.h"

#define CLIENTS    4
#define CHILDREN   16
#define HIGH_BYTES 1000 /* of every link */

struct end {
    struct link link;
    bool closed;
    bool failing;
};

struct child {
    struct end end;
    struct upstream *upstream;
    bool wanted;
    bool attached;
    bool released;
    uint64_t last_id;
};

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static struct router *router;
static struct route_server *server;
static struct end clients[CLIENTS];
static struct route_session *sessions[CLIENTS];
static struct child children[CHILDREN];
static bool is_shared;
static uint64_t now_ms;

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_router: %s\n", what);
        abort();
    }
}

/* ---- links ---- */

static int end_send(struct link *link, const struct message *message)
{
    struct end *e = (struct end *)(void *)link;
    struct rpc_scan scan;
    struct rpc_envelope env;
    require(link->ops, "a link that is gone was written to");
    if (e->closed)
        return ERR_CLOSING;
    if (e->failing)
        return -12;
    rpc_scan_init(&scan);
    for (size_t i = 0; i < message->part_count; i++)
        rpc_scan_feed(&scan, message->parts[i].bytes, message->parts[i].len);
    rpc_scan_end(&scan, &env);
    require(env.kind != RPC_INVALID && env.kind != RPC_BATCH, "what was sent is no message");
    static const enum rpc_kind kinds[] = {RPC_REQUEST, RPC_NOTIFICATION, RPC_RESULT, RPC_ERROR};
    require(env.kind == kinds[message->kind], "a message was sent as another kind");
    return 0;
}

static void end_pause(struct link *link)
{
    require(link->ops, "a link that is gone was paused");
}

static void end_close(struct link *link, int code, const char *reason)
{
    (void)code;
    require(reason && reason[0], "closed without a reason");
    ((struct end *)(void *)link)->closed = true;
}

static const struct link_ops end_ops = {end_send, end_pause, end_pause, end_close, NULL};

/* A child needs to know which id it was asked under, for the templates. */
static int child_send(struct link *link, const struct message *message)
{
    int rc = end_send(link, message);
    struct child *c = (struct child *)(void *)link;
    const struct part *parts = message->parts;
    if (rc == 0 && message->part_count > 1 && parts[1].len > 0 && parts[1].len < 20) {
        char text[24];
        memcpy(text, parts[1].bytes, parts[1].len);
        text[parts[1].len] = '\0';
        c->last_id = strtoull(text, NULL, 10);
    }
    return rc;
}

static const struct link_ops child_ops = {child_send, end_pause, end_pause, end_close, NULL};

/* ---- the server ---- */

static void on_start(void *data, struct upstream *upstream)
{
    static const struct outage none = {.state = "down", .detail = "no more children"};
    (void)data;
    struct child *c = upstream_data(upstream);
    for (size_t i = 0; !c && i < CHILDREN; i++) {
        if (!children[i].upstream)
            c = &children[i];
    }
    if (!c) {
        upstream_down(upstream, &none, now_ms);
        return;
    }
    if (c->upstream != upstream)
        memset(c, 0, sizeof(*c));
    c->upstream = upstream;
    c->wanted = true;
    upstream_set_data(upstream, c);
}

static void on_ready(void *data, struct upstream *upstream)
{
    (void)data;
    (void)upstream;
}

static void on_failed(void *data, struct upstream *upstream, const char *reason)
{
    (void)data;
    struct child *c = upstream_data(upstream);
    require(reason && reason[0], "a failure without a reason");
    c->end.closed = true;
}

static void on_release(void *data, struct upstream *upstream)
{
    (void)data;
    struct child *c = upstream_data(upstream);
    if (c)
        c->released = true;
    else
        upstream_free(upstream);
}

static const struct server_ops server_ops = {on_start, on_ready, on_failed, on_release, NULL};

/* ---- reading the input ---- */

static unsigned take(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* A line: raw bytes up to a newline, or a template. The memory is exactly as large as the line. */
static char *take_line(struct input *in, uint64_t id, size_t *ret_len)
{
    static const char *const templates[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true}}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"task\":{\"taskId\":\"t\",\"status\":\"working\"}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":-32042,\"data\":{\"elicitations\":[{\"elicitationId\":\"e\"}]}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%llu}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"n\":%llu,\"taskId\":\"t\",\"status\":\"completed\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"n\":%llu,\"uri\":\"u/v\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"n\":%llu,\"level\":\"error\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{\"n\":%llu,\"elicitationId\":\"e\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"n\":%llu}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"roots/list\",\"params\":{\"_meta\":{\"progressToken\":1}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{\"task\":{},\"_meta\":{\"progressToken\":\"k\"}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"u\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"u\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tasks/get\",\"params\":{\"taskId\":\"t\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":{\"n\":%llu}}",
        "[{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"m\"},7]",
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":",
    };
    size_t count = sizeof(templates) / sizeof(templates[0]);
    unsigned which = take(in);
    char text[256];
    const char *from = text;
    if (which % 32 < count) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        *ret_len = (size_t)snprintf(text, sizeof(text), templates[which % 32], (unsigned long long)id);
#pragma GCC diagnostic pop
    } else {
        const uint8_t *newline = memchr(in->at, '\n', (size_t)(in->end - in->at));
        from = (const char *)in->at;
        *ret_len = (size_t)((newline ? newline : in->end) - in->at);
        in->at = newline ? newline + 1 : in->end;
    }
    char *line = malloc(*ret_len + 1);
    require(line, "no memory for the test");
    if (*ret_len > 0)
        memcpy(line, from, *ret_len);
    return line;
}

static struct frame scan(const char *line, size_t len)
{
    struct frame frame = {.bytes = line, .len = len};
    rpc_scan_line(line, len, &frame.env);
    return frame;
}

/* As the frame reader hands in what is too long: the id alone. */
static struct frame too_large(struct input *in, const char *id)
{
    struct frame frame = {.bytes = id, .len = 99999999, .oversize = true};
    frame.env.id.len = strlen(id);
    frame.env.has_method = take(in) % 2;
    return frame;
}

/* ---- events ---- */

static void client_event(struct input *in, unsigned i)
{
    size_t len;
    if (!sessions[i]) {
        memset(&clients[i], 0, sizeof(clients[i]));
        clients[i].link.ops = &end_ops;
        clients[i].link.high_bytes = HIGH_BYTES;
        require(route_session_open(router, "s", &clients[i].link, NULL, NULL, now_ms, &sessions[i]) == 0,
                "cannot open");
        return;
    }
    char *line = take_line(in, take(in) % 8, &len);
    struct frame frame = scan(line, len);
    route_session_frame(sessions[i], &frame, now_ms);
    free(line);
}

static void client_other(struct input *in, unsigned i)
{
    if (!sessions[i])
        return;
    switch (take(in) % 6) {
    case 0:
        route_session_close(sessions[i], now_ms);
        sessions[i] = NULL;
        clients[i].link.ops = NULL;
        break;
    case 1:
        clients[i].failing = !clients[i].failing;
        break;
    case 2:
        clients[i].link.queued_bytes = HIGH_BYTES + 1;
        break;
    case 3:
        clients[i].link.queued_bytes = 0;
        route_session_writable(sessions[i], now_ms);
        break;
    default: {
        struct frame frame = too_large(in, "3");
        route_session_frame(sessions[i], &frame, now_ms);
        break;
    }
    }
}

static void child_free(struct child *c)
{
    struct upstream *upstream = c->upstream;
    c->upstream = NULL;
    c->end.link.ops = NULL;
    upstream_free(upstream);
}

static void child_event(struct input *in, struct child *c)
{
    size_t len;
    if (!c->upstream)
        return;
    if (!c->attached) {
        c->end = (struct end){.link = {.ops = &child_ops, .high_bytes = HIGH_BYTES}};
        c->attached = true;
        upstream_starting(c->upstream);
        upstream_attach(c->upstream, &c->end.link, now_ms);
        return;
    }
    unsigned back = take(in) % 4;
    char *line = take_line(in, c->last_id > back ? c->last_id - back : 1, &len);
    struct frame frame = scan(line, len);
    upstream_frame(c->upstream, &frame, now_ms);
    free(line);
}

static void child_gone(struct input *in, struct child *c)
{
    static const uint64_t retries[] = {0, 500, 5000};
    uint64_t retry_ms = retries[take(in) % 3];
    const struct outage why = {
        .state = "down", .exited = true, .retry_at_ms = retry_ms ? now_ms + retry_ms : 0};
    c->attached = false;
    c->end.link.ops = NULL;
    upstream_down(c->upstream, &why, now_ms);
}

static void child_other(struct input *in, struct child *c)
{
    if (!c->upstream)
        return;
    switch (take(in) % 8) {
    case 0:
    case 1:
        child_gone(in, c);
        break;
    case 2:
        c->end.failing = !c->end.failing;
        break;
    case 3:
        c->end.link.queued_bytes = HIGH_BYTES;
        break;
    case 4:
        c->end.link.queued_bytes = 0;
        upstream_writable(c->upstream, now_ms);
        break;
    case 5:
        upstream_drain(c->upstream, now_ms);
        break;
    case 6:
        upstream_undrain(c->upstream, now_ms);
        break;
    default:
        if (c->released) {
            child_free(c);
        } else {
            struct frame frame = too_large(in, "2");
            upstream_frame(c->upstream, &frame, now_ms);
        }
        break;
    }
}

static void event(struct input *in)
{
    static const uint64_t steps[] = {1, 100, 3000, 70000};
    unsigned what = take(in);
    unsigned who = what / 8;
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        client_event(in, who % CLIENTS);
        break;
    case 3:
        client_other(in, who % CLIENTS);
        break;
    case 4:
    case 5:
        child_event(in, &children[is_shared ? 0 : who % CHILDREN]);
        break;
    case 6:
        child_other(in, &children[is_shared ? 0 : who % CHILDREN]);
        break;
    default:
        now_ms += steps[who % 4];
        router_tick(router, now_ms);
        require(router_next_deadline(router) > now_ms, "something is due still");
        break;
    }
}

/* ---- a run ---- */

static void begin(unsigned options)
{
    static const struct router_options router_options = {.protocol = &mcp_protocol,
                                                         .relay_name = "r",
                                                         .relay_version = "1",
                                                         .max_id_bytes = 32,
                                                         .max_frame_bytes = 1000};
    is_shared = options % 2 == 0;
    const struct server_limits limits = {
        .sharing = is_shared ? SHARING_SHARED : SHARING_PER_SESSION,
        .log_messages = options & 2 ? LOG_MESSAGES_BROADCAST : LOG_MESSAGES_DROP,
        .max_in_flight = options & 4 ? 2 : 20,
        .max_waiting = options & 8 ? 3 : 100,
        .session_waiting_bytes = 300,
        .timeout_ms = options & 16 ? 0 : 1000,
        .timeout_max_ms = options & 32 ? 0 : 5000,
    };
    memset(children, 0, sizeof(children));
    memset(sessions, 0, sizeof(sessions));
    hash_seed(3, 4);
    now_ms = 1000;
    require(router_new(&router_options, &router) == 0, "router_new");
    require(route_server_add(router, "s", &limits, &server_ops, NULL, &server) == 0, "route_server_add");
    if (is_shared) {
        children[0].upstream = route_server_upstream(server);
        upstream_set_data(children[0].upstream, &children[0]);
    }
}

static void end(unsigned options)
{
    bool server_first = options & 64;
    if (server_first)
        route_server_remove(server, "the server goes first", now_ms);
    if (server_first && is_shared)
        children[0].upstream = NULL;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (sessions[i])
            route_session_close(sessions[i], now_ms);
    }
    require(router_pending(router) == 0, "requests are left");
    for (unsigned i = 0; i < CHILDREN && !is_shared; i++) {
        if (children[i].upstream)
            child_free(&children[i]);
    }
    if (!server_first)
        route_server_remove(server, "the server goes last", now_ms);
    router_free(router);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    unsigned options = take(&in);
    begin(options);
    while (in.at < in.end)
        event(&in);
    end(options);
    return 0;
}
