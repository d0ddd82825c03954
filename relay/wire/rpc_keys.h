/* The routing keys: the one list from which both scans of an envelope (rpc.c, rpc_fast.c) make their tables.
 *
 * X(id, name, member, how, case_rule): the key is RPC_KEY_<id>, its name at the list's level is `name`, and
 * its value's span is stored in `member` of struct rpc_envelope. `how` (enum scan_how) is what the resumable
 * scan does with the value in addition; rules about a value's type are in a switch over enum rpc_key.
 *
 * To add a key: a line here, a span in struct rpc_envelope, and, if it is longer than SCAN_TEXT_BYTES, a
 * larger SCAN_TEXT_BYTES (rpc.c asserts that).
 */
#ifndef WIRE_RPC_KEYS_H
#define WIRE_RPC_KEYS_H

/* How the scan treats a key that differs from the routing key in case alone. Some servers' parsers (Go's
 * encoding/json) take "ID" for id. Where the relay replaces the value, or routes by it, such a frame is
 * refused: it would carry an id that the relay has not replaced. A key that is only read passes in any
 * case; a payload may well have a "Name" of its own. */
enum rpc_case_rule {
    RPC_CASE_REFUSED,
    RPC_CASE_PASSES,
};

#define RPC_MCP_META(name) "io.modelcontextprotocol/" name

#define RPC_ROOT_KEYS(X)                                                                                     \
    X(JSONRPC, "jsonrpc", jsonrpc, SCAN_TEXT, RPC_CASE_REFUSED)                                              \
    X(ID, "id", id, SCAN_SPAN, RPC_CASE_REFUSED)                                                             \
    X(METHOD, "method", method, SCAN_SPAN, RPC_CASE_REFUSED)                                                 \
    X(PARAMS, "params", params, SCAN_INSIDE, RPC_CASE_REFUSED)                                               \
    X(RESULT, "result", result, SCAN_SPAN, RPC_CASE_REFUSED)                                                 \
    X(ERROR, "error", error, SCAN_SPAN, RPC_CASE_REFUSED)

/* Looked for only where params is a member of the root and an object. */
#define RPC_PARAMS_KEYS(X)                                                                                   \
    X(META, "_meta", meta, SCAN_INSIDE, RPC_CASE_REFUSED)                                                    \
    X(NAME, "name", name, SCAN_SPAN, RPC_CASE_PASSES)                                                        \
    X(REQUEST_ID, "requestId", request_id, SCAN_SPAN, RPC_CASE_REFUSED)                                      \
    X(URI, "uri", uri, SCAN_SPAN, RPC_CASE_REFUSED)                                                          \
    X(TASK_ID, "taskId", task_id, SCAN_SPAN, RPC_CASE_REFUSED)                                               \
    X(LEVEL, "level", level, SCAN_SPAN, RPC_CASE_REFUSED)                                                    \
    X(TASK, "task", task, SCAN_SPAN, RPC_CASE_REFUSED)                                                       \
    X(PARAM_TOKEN, "progressToken", param_token, SCAN_SPAN, RPC_CASE_REFUSED)

/* Looked for only where params._meta is an object. All but the first two are of the revision 2026-07-28. */
#define RPC_META_KEYS(X)                                                                                     \
    X(META_TOKEN, "progressToken", meta_token, SCAN_SPAN, RPC_CASE_REFUSED)                                  \
    X(RELATED_TASK, RPC_MCP_META("related-task"), related_task, SCAN_SPAN, RPC_CASE_REFUSED)                 \
    X(PROTOCOL_VERSION, RPC_MCP_META("protocolVersion"), protocol_version, SCAN_SPAN, RPC_CASE_PASSES)       \
    X(CLIENT_CAPABILITIES, RPC_MCP_META("clientCapabilities"), client_capabilities, SCAN_SPAN,               \
      RPC_CASE_PASSES)                                                                                       \
    X(CLIENT_INFO, RPC_MCP_META("clientInfo"), client_info, SCAN_SPAN, RPC_CASE_PASSES)                      \
    X(LOG_LEVEL, RPC_MCP_META("logLevel"), log_level, SCAN_SPAN, RPC_CASE_PASSES)                            \
    X(SUBSCRIPTION_ID, RPC_MCP_META("subscriptionId"), subscription_id, SCAN_SPAN, RPC_CASE_PASSES)

/* By level: root, params, _meta. */
#define RPC_KEYS(X)                                                                                          \
    RPC_ROOT_KEYS(X)                                                                                         \
    RPC_PARAMS_KEYS(X)                                                                                       \
    RPC_META_KEYS(X)

enum rpc_key {
    RPC_KEY_NONE,
#define X(id, name, member, how, case_rule) RPC_KEY_##id,
    RPC_KEYS(X)
#undef X
        RPC_KEY_COUNT,
};

/* As the scanner counts them: the level of an object's members. */
enum {
    RPC_LEVEL_ROOT = 1,
    RPC_LEVEL_PARAMS = 2,
    RPC_LEVEL_META = 3,
};

#endif
