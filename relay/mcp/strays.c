/* Decided by members and ids alone; nothing here changes anything.
 *
 * An echo of a method that both sides may send (ping, tasks/...) cannot be told from a request of the child: it is
 * taken for one, unless the child has echoed before.
 */
#include "mcp/strays.h"

#include <string.h>

#include "route/calls.h"
#include "route/stray_lines.h"
#include "wire/json_member.h"

bool stray_is_log(const struct frame *frame)
{
    static const char *const levels[] = {"level",     "severity",   "lvl", "levelname",
                                         "log.level", "@timestamp", NULL};
    const struct rpc_envelope *env = &frame->env;
    struct span value;
    if (span_found(env->jsonrpc))
        return false;
    if (!env->has_method && !span_found(env->result) && !span_found(env->error))
        return true;
    for (const char *const *key = levels; *key; key++)
        if (json_member_find(frame->bytes, frame->len, *key, &value))
            return true;
    return false;
}

/* ---- echoes ---- */

static bool is_of_clients(const struct frame *frame, enum rpc_method method)
{
    static const char *const prefixes[] = {"tools/", "resources/", "prompts/", "completion/", NULL};
    const struct span at = frame->env.method;
    switch (method) {
    case RPC_M_INITIALIZE:
    case RPC_M_DISCOVER:
    case RPC_M_SET_LEVEL:
    case RPC_M_SUBSCRIBE:
    case RPC_M_UNSUBSCRIBE:
    case RPC_M_TOOLS_CALL:
    case RPC_M_N_INITIALIZED:
    case RPC_M_N_ROOTS_CHANGED:
        return true;
    case RPC_M_OTHER:
        break;
    default:
        return false;
    }
    for (const char *const *prefix = prefixes; *prefix; prefix++)
        if (rpc_string_begins(frame->bytes + at.off, at.len, *prefix))
            return true;
    return false;
}

static bool is_of_both(enum rpc_method method)
{
    return method == RPC_M_PING || method == RPC_M_TASKS_GET || method == RPC_M_TASKS_RESULT ||
           method == RPC_M_TASKS_CANCEL || method == RPC_M_TASKS_LIST;
}

/* The request of ours that stands under the same id has the same method. */
static bool repeats_call(const struct upstream *upstream, const struct frame *frame, enum rpc_method method)
{
    const struct span at = frame->env.method;
    const struct call *c = calls_find(upstream, frame_id(frame), frame->env.id.len);
    size_t len = at.len < CALL_METHOD_BYTES ? at.len : CALL_METHOD_BYTES;
    if (!c || c->state != CALL_IN_FLIGHT || (is_of_both(method) && !stray_lines_has(upstream, STRAY_ECHO)))
        return false;
    return c->method_len == len && memcmp(call_method(c), frame->bytes + at.off, len) == 0;
}

bool stray_is_echo(const struct upstream *upstream, const struct frame *frame, enum rpc_method method)
{
    if (is_of_clients(frame, method))
        return true;
    return frame->env.kind == RPC_REQUEST && repeats_call(upstream, frame, method);
}

/* ---- answers to nothing ---- */

bool stray_is_foreign(const struct upstream *upstream, const struct frame *frame, enum stray *ret_look)
{
    uint64_t id;
    const struct span at = frame->env.id;
    if (!span_found(at) || frame->env.id_null)
        *ret_look = STRAY_NO_ID;
    else if (!rpc_parse_spelled_id(frame->bytes + at.off, at.len, &id) || id > upstream->last_id || id == 0)
        *ret_look = STRAY_FOREIGN_ID;
    else
        return false;
    return true;
}
