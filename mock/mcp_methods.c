/* The methods of agent-mock.
 *
 * Purpose: turn a scanned frame into one answer, or none for notifications and responses. The method is
 * looked up in one table; params are read into a tree only for requests.
 *
 * Supported: the MCP revisions 2024-11-05 to 2025-11-25 (a client that requests another one is offered the
 * newest), and the methods of the agent control system, whose clients send protocolVersion 0.1.0. Failure
 * modes: not JSON: -32700 with id null. Not a JSON-RPC message: -32600, with its id where it could be read.
 * An array: refused, unless 2025-03-26 was negotiated; then each element is answered on a line of its own. An
 * unknown method (server/discover is one): -32601.
 */
#include <string.h>
#include <time.h>

#include "mock/mcp.h"
#include "wire/json_member.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"

#define CONTROL_VERSION  "0.1.0"
#define BATCHING_VERSION "2025-03-26"

static const char *const versions[] = {"2025-11-25", "2025-06-18", BATCHING_VERSION, "2024-11-05"};

void mcp_init(struct mcp *s, struct mock *mock)
{
    *s = (struct mcp){.mock = mock, .log_level = -1};
    frame_reader_init(&s->reader, MCP_MAX_FRAME_BYTES, MCP_MAX_ID_BYTES);
    buf_init(&s->out, MCP_MAX_OUT_BYTES);
    buf_init(&s->scratch, MCP_MAX_OUT_BYTES);
    list_init(&s->slow);
}

void mcp_done(struct mcp *s)
{
    mcp_slow_free_all(s);
    frame_reader_done(&s->reader);
    buf_done(&s->out);
    buf_done(&s->scratch);
}

uint64_t mcp_now_ms(const struct mcp *s)
{
    struct timespec t;
    if (s->clock_is_fixed)
        return s->fixed_now_ms;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- methods ---- */

static const char *param_string(const struct mcp_request *r, const char *key)
{
    return r->params ? json_string(r->params, json_get(r->params, json_root(r->params), key), NULL) : NULL;
}

static void control_initialize(struct mcp *s, const struct mcp_request *r)
{
    static const char server[] =
        "{\"name\":\"Agent Control System\",\"version\":\"1.0.0\",\"capabilities\":[\"swarm\",\"telemetry\",\"metrics\"]}";
    struct mcp_line line;
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_member_raw(&line.w, "serverInfo", server, sizeof(server) - 1);
    write_member_string(&line.w, "protocolVersion", CONTROL_VERSION);
    write_member_bool(&line.w, "mock", true);
    write_object_end(&line.w);
    mcp_result_end(&line);
}

static const char *choose_version(const char *asked)
{
    for (size_t i = 0; asked && i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (strcmp(versions[i], asked) == 0)
            return versions[i];
    }
    return versions[0];
}

static void do_initialize(struct mcp *s, struct mcp_request *r)
{
    static const char capabilities[] = "{\"tools\":{},\"resources\":{},\"logging\":{}}";
    const char *asked = param_string(r, "protocolVersion");
    struct mcp_line line;
    if (asked && strcmp(asked, CONTROL_VERSION) == 0) {
        control_initialize(s, r);
        return;
    }
    s->version = choose_version(asked);
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_member_string(&line.w, "protocolVersion", s->version);
    write_member_raw(&line.w, "capabilities", capabilities, sizeof(capabilities) - 1);
    write_key(&line.w, "serverInfo");
    write_object(&line.w);
    write_member_string(&line.w, "name", "agent-mock");
    write_member_string(&line.w, "version", AGENT_RELAY_VERSION);
    write_object_end(&line.w);
    write_member_string(
        &line.w, "instructions",
        "Mock agents for trying things out: everything here is invented and marked \"mock\":true.");
    write_object_end(&line.w);
    mcp_result_end(&line);
}

static void answer_empty(struct mcp *s, const struct mcp_request *r)
{
    struct mcp_line line;
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_object_end(&line.w);
    mcp_result_end(&line);
}

static void do_ping(struct mcp *s, struct mcp_request *r)
{
    answer_empty(s, r);
}

static void do_set_level(struct mcp *s, struct mcp_request *r)
{
    const char *name = param_string(r, "level");
    int level = name ? mcp_log_level(name) : -1;
    if (level < 0) {
        mcp_error(s, r->id, r->id_len, RPC_E_INVALID_PARAMS, "level must be one of the eight syslog levels");
        return;
    }
    s->log_level = level;
    answer_empty(s, r);
}

static void do_tools_list(struct mcp *s, struct mcp_request *r)
{
    mcp_tools_list(s, r);
}

static void do_resources_list(struct mcp *s, struct mcp_request *r)
{
    mcp_resources_list(s, r);
}

static void do_resources_templates(struct mcp *s, struct mcp_request *r)
{
    mcp_resources_templates(s, r);
}

static void do_resources_read(struct mcp *s, struct mcp_request *r)
{
    mcp_resources_read(s, r);
}

static void do_agents_list(struct mcp *s, struct mcp_request *r)
{
    mcp_control_agents(s, r);
}

static const struct method {
    const char *name;
    void (*run)(struct mcp *s, struct mcp_request *r);
} methods[] = {
    {"initialize", do_initialize},         {"ping", do_ping},
    {"tools/list", do_tools_list},         {"tools/call", mcp_tools_call},
    {"resources/list", do_resources_list}, {"resources/templates/list", do_resources_templates},
    {"resources/read", do_resources_read}, {"logging/setLevel", do_set_level},
    {"agents/list", do_agents_list},
};

static const struct method *find_method(const char *bytes, const struct rpc_envelope *env)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (rpc_string_is(bytes + env->method.off, env->method.len, methods[i].name))
            return &methods[i];
    }
    return NULL;
}

/* ---- frames ---- */

static void run_request(struct mcp *s, const struct method *method, const char *bytes,
                        const struct rpc_envelope *env)
{
    struct mcp_request r = {
        .id = bytes + env->id.off,
        .id_len = env->id.len,
        .token = span_found(env->meta_token) ? bytes + env->meta_token.off : NULL,
        .token_len = env->meta_token.len,
        .arguments = JSON_ABSENT,
    };
    if (span_found(env->params)) {
        int rc = json_parse(bytes + env->params.off, env->params.len, JSON_STRICT, MCP_MAX_TOKENS, &r.params,
                            NULL);
        if (rc != 0) {
            mcp_error(s, r.id, r.id_len, RPC_E_INVALID_PARAMS, err_text(rc));
            return;
        }
    }
    method->run(s, &r);
    json_free(r.params);
}

static void handle_request(struct mcp *s, const char *bytes, const struct rpc_envelope *env)
{
    const char *id = bytes + env->id.off;
    const struct method *method = find_method(bytes, env);
    if (env->id_null)
        mcp_error(s, NULL, 0, RPC_E_INVALID_REQUEST, "A request's id must not be null");
    else if (!method)
        mcp_error(s, id, env->id.len, RPC_E_METHOD_NOT_FOUND, rpc_error_message(RPC_E_METHOD_NOT_FOUND));
    else
        run_request(s, method, bytes, env);
}

static void handle_batch(struct mcp *s, const char *bytes, size_t len)
{
    struct span element;
    size_t pos = 0, count = 0;
    if (!s->version || strcmp(s->version, BATCHING_VERSION) != 0) {
        mcp_error(s, NULL, 0, RPC_E_INVALID_REQUEST,
                  "Arrays are taken only under protocol version " BATCHING_VERSION);
        return;
    }
    while (json_element_next(bytes, len, &pos, &element)) {
        struct rpc_envelope env;
        rpc_scan_line(bytes + element.off, element.len, &env);
        if (env.kind == RPC_BATCH)
            mcp_error(s, NULL, 0, RPC_E_INVALID_REQUEST, "An array inside an array");
        else
            mcp_frame(s, bytes + element.off, element.len, &env);
        count++;
    }
    if (count == 0)
        mcp_error(s, NULL, 0, RPC_E_INVALID_REQUEST, "An empty array");
}

static void handle_invalid(struct mcp *s, const char *bytes, const struct rpc_envelope *env)
{
    int code = rpc_fault_code(env->fault);
    bool known = code == RPC_E_INVALID_REQUEST && span_found(env->id) && !env->id_null;
    mcp_error(s, known ? bytes + env->id.off : NULL, env->id.len, code, rpc_fault_text(env->fault));
}

void mcp_frame(struct mcp *s, const char *bytes, size_t len, const struct rpc_envelope *env)
{
    switch (env->kind) {
    case RPC_REQUEST:
        handle_request(s, bytes, env);
        break;
    case RPC_NOTIFICATION:
        if (rpc_method(bytes + env->method.off, env->method.len) == RPC_M_N_CANCELLED &&
            span_found(env->request_id))
            mcp_slow_cancel(s, bytes + env->request_id.off, env->request_id.len);
        break;
    case RPC_BATCH:
        handle_batch(s, bytes, len);
        break;
    case RPC_INVALID:
        handle_invalid(s, bytes, env);
        break;
    case RPC_RESULT:
    case RPC_ERROR:
        break; /* this server sends no requests */
    }
}

void mcp_frame_too_large(struct mcp *s, const char *id, size_t id_len)
{
    mcp_error(s, id_len > 0 ? id : NULL, id_len, RPC_E_INVALID_REQUEST, "The line is longer than 16 MiB");
}
