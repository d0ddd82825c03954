/* Happy path: attach -> initialize -> (result) -> cache -> initialized -> ready -> setLevel and subscribe
 * again -> list_changed -> the clients that wait for their initialize -> the waiting requests.
 *
 * An error, nonsense or no memory for the answer: ops->handshake_failed, once; the server ends the child. A
 * child whose version or capabilities are not those of the child before: its initialize_answered sessions are closed, so
 * that they ask again. Whatever else a child says around its handshake (notifications, an error without an
 * id) is nobody's and dropped.
 */
#include "mcp/handshake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "route/outbox.h"
#include "mcp/initialize.h"
#include "route/upstream.h"
#include "mcp/log_levels.h"
#include "route/outage.h"
#include "route/replies.h"
#include "mcp/admission.h"
#include "mcp/subscriptions.h"
#include "wire/json_member.h"
#include "wire/json_same.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

/* An error's message, as far as it is repeated in a reason. */
#define REASON_BYTES 256

static void fail(struct upstream *upstream, const char *reason)
{
    upstream->protocol->handshake_id = 0;
    upstream->server->ops->handshake_failed(upstream->server->data, upstream, reason);
}

static int write_initialize(struct upstream *upstream, struct buf *text)
{
    const struct router_options *options = &upstream->router->options;
    struct writer w;
    buf_clear(text);
    writer_init(&w, text);
    write_object(&w);
    write_member_string(&w, "jsonrpc", "2.0");
    write_member_uint(&w, "id", upstream->protocol->handshake_id);
    write_member_string(&w, "method", "initialize");
    write_key(&w, "params");
    write_object(&w);
    write_member_string(&w, "protocolVersion", HANDSHAKE_PROTOCOL);
    write_key(&w, "capabilities");
    write_object(&w);
    write_object_end(&w);
    write_key(&w, "clientInfo");
    write_object(&w);
    write_member_string(&w, "name", options->relay_name);
    write_member_string(&w, "version", options->relay_version);
    write_object_end(&w);
    write_object_end(&w);
    write_object_end(&w);
    return writer_end(&w);
}

void handshake_begin(struct upstream *upstream, uint64_t now_ms)
{
    struct buf *text = &upstream->router->scratch;
    upstream->protocol->handshake_id = calls_next_id(upstream);
    upstream->stats.last_used_ms = now_ms;
    int rc = write_initialize(upstream, text);
    if (rc == 0)
        rc = upstream_send_text(upstream, MESSAGE_REQUEST, buf_data(text), buf_len(text));
    if (rc)
        fail(upstream, err_text(rc));
}

bool handshake_is(const struct upstream *upstream, const struct frame *frame)
{
    uint64_t id;
    const struct span at = frame->env.id;
    return upstream->protocol->handshake_id && span_found(at) &&
           rpc_parse_spelled_id(frame->bytes + at.off, at.len, &id) && id == upstream->protocol->handshake_id;
}

/* ---- the cache ---- */

void init_cache_done(struct init_cache *cache)
{
    mem_free(cache->result);
    memset(cache, 0, sizeof(*cache));
}

static bool advertises_changes(const struct init_cache *c, const char *list)
{
    struct span capability = json_member(c->result, c->capabilities, list);
    return json_span_is_true(c->result, json_member(c->result, capability, "listChanged"));
}

/* Finds the parts of a result whose text is in place. NULL, or what is wrong with it. */
static const char *read_result(struct init_cache *c)
{
    const struct span whole = {0, c->len};
    c->capabilities = json_member(c->result, whole, "capabilities");
    struct span tasks = json_member(c->result, c->capabilities, "tasks");
    /* A list would show every client everybody's tasks: not offered. */
    size_t lost = json_member_remove(c->result, c->len, tasks, "list");
    c->len -= lost;
    c->capabilities.len -= lost;

    const struct span rest = {0, c->len};
    c->version = json_member(c->result, rest, "protocolVersion");
    c->capabilities = json_member(c->result, rest, "capabilities");
    if (!json_span_is_string(c->result, c->version))
        return "its answer to initialize has no protocolVersion";
    size_t n =
        rpc_decode_string(c->result + c->version.off, c->version.len, c->protocol, sizeof(c->protocol) - 1);
    if (n == SIZE_MAX)
        return "its protocolVersion is too long";
    c->protocol[n] = '\0';
    c->logging = json_member(c->result, c->capabilities, "logging");
    if (span_found(c->logging))
        c->logging_cut = json_member_cut(c->result, c->capabilities, c->logging);
    c->resources_changed = advertises_changes(c, "resources");
    c->tools_changed = advertises_changes(c, "tools");
    c->prompts_changed = advertises_changes(c, "prompts");
    return NULL;
}

static const char *cache_make(const struct frame *frame, struct init_cache *ret_cache)
{
    struct init_cache c = {0};
    if (!json_span_is_object(frame->bytes, frame->env.result))
        return "its answer to initialize is not an object";
    c.result = mem_dup(frame->bytes + frame->env.result.off, frame->env.result.len);
    if (!c.result)
        return err_text(-ENOMEM);
    c.len = frame->env.result.len;
    const char *wrong = read_result(&c);
    if (wrong) {
        init_cache_done(&c);
        return wrong;
    }
    *ret_cache = c;
    return NULL;
}

/* As values: another order of keys or another spelling is no other server. */
static bool is_same(const struct init_cache *a, const struct init_cache *b)
{
    return strcmp(a->protocol, b->protocol) == 0 &&
           json_same(a->result + a->capabilities.off, a->capabilities.len, b->result + b->capabilities.off,
                     b->capabilities.len);
}

/* ---- after the answer ---- */

static void close_initialized(struct upstream *upstream, uint64_t now_ms)
{
    static const char reason[] = "the server came back with another version or other capabilities";
    outage_note(upstream, &(struct outage){.state = "changed", .detail = reason});
    const struct refusal why = outage_refusal(upstream, now_ms);
    LIST_EACH(node, next, &upstream->sessions)
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, upstream_node);
        if (!s->protocol->initialize_answered)
            continue;
        calls_fail_waiting(s, &why);
        session_hang_up(s, 0, reason);
    }
}

static void tell_changed(struct upstream *upstream, const char *list)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s/list_changed\"}",
                     list);
    const struct part part = {text, (size_t)n};
    const struct message message = {.parts = &part, .part_count = 1, .kind = MESSAGE_NOTIFICATION};
    LIST_EACH(node, next, &upstream->sessions)
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, upstream_node);
        if (s->initialized)
            session_send(s, &message);
    }
}

/* A new process: its lists may have changed while nobody looked. */
static void tell_restarted(struct upstream *upstream)
{
    if (upstream->protocol->cache.tools_changed)
        tell_changed(upstream, "tools");
    if (upstream->protocol->cache.resources_changed)
        tell_changed(upstream, "resources");
    if (upstream->protocol->cache.prompts_changed)
        tell_changed(upstream, "prompts");
}

static void become_ready(struct upstream *upstream, struct init_cache *cache, uint64_t now_ms)
{
    bool again = upstream->protocol->cache.result;
    bool same = again && is_same(&upstream->protocol->cache, cache);
    init_cache_done(&upstream->protocol->cache);
    upstream->protocol->cache = *cache;
    upstream_move(upstream, UPSTREAM_READY);
    upstream_report_ready(upstream, now_ms);
    log_levels_restore(upstream, now_ms);
    subscriptions_restore(upstream);
    if (again && !same)
        close_initialized(upstream, now_ms);
    if (again)
        tell_restarted(upstream);
    initialize_answer_held(upstream);
    scheduler_run(upstream, now_ms);
}

static void answer_result(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    static const char initialized[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    struct init_cache cache = {0};
    const char *wrong = cache_make(frame, &cache);
    if (wrong) {
        fail(upstream, wrong);
        return;
    }
    int rc = upstream_send_text(upstream, MESSAGE_NOTIFICATION, initialized, sizeof(initialized) - 1);
    if (rc) {
        init_cache_done(&cache);
        fail(upstream, err_text(rc));
        return;
    }
    upstream->protocol->handshake_id = 0;
    become_ready(upstream, &cache, now_ms);
}

static void answer_error(struct upstream *upstream, const struct frame *frame)
{
    char reason[REASON_BYTES + 64];
    char said[REASON_BYTES];
    struct span message = json_member(frame->bytes, frame->env.error, "message");
    size_t n = rpc_decode_string(frame->bytes + message.off, message.len, said, sizeof(said));
    if (n == SIZE_MAX)
        n = 0;
    (void)snprintf(reason, sizeof(reason), "it refused initialize%s%.*s", n > 0 ? ": " : "", (int)n, said);
    fail(upstream, reason);
}

void handshake_answer(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    char reason[128];
    switch (frame->env.kind) {
    case RPC_RESULT:
        answer_result(upstream, frame, now_ms);
        break;
    case RPC_ERROR:
        answer_error(upstream, frame);
        break;
    default:
        (void)snprintf(reason, sizeof(reason), "its answer to initialize is no JSON-RPC message: %s",
                       rpc_fault_text(frame->env.fault));
        fail(upstream, reason);
        break;
    }
}

void handshake_too_large(struct upstream *upstream)
{
    fail(upstream, "its answer to initialize is over the size limit");
}
