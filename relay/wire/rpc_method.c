/* Finds a frame's method among those that the relay handles specially. Called for every frame with a method:
 * the lengths alone rule out nearly all of the table, and a string is only decoded when it has escapes in it.
 */
#include "wire/rpc.h"

#include <string.h>

#define RELAY_PREFIX     "relay/"
#define RELAY_PREFIX_LEN (sizeof(RELAY_PREFIX) - 1)
#define LONGEST          64 /* bytes of a method's name; the longest in the table has 36 */

static const struct {
    uint8_t len;
    uint8_t method; /* enum rpc_method */
    const char *name;
} methods[] = {
#define METHOD(name_, method_)                                                                               \
    {                                                                                                        \
        .len = sizeof(name_) - 1, .method = (method_), .name = (name_)                                       \
    }
    METHOD("tools/call", RPC_M_TOOLS_CALL),
    METHOD("notifications/progress", RPC_M_N_PROGRESS),
    METHOD("notifications/cancelled", RPC_M_N_CANCELLED),
    METHOD("notifications/message", RPC_M_N_MESSAGE),
    METHOD("ping", RPC_M_PING),
    METHOD("initialize", RPC_M_INITIALIZE),
    METHOD("notifications/initialized", RPC_M_N_INITIALIZED),
    METHOD("server/discover", RPC_M_DISCOVER),
    METHOD("logging/setLevel", RPC_M_SET_LEVEL),
    METHOD("resources/subscribe", RPC_M_SUBSCRIBE),
    METHOD("resources/unsubscribe", RPC_M_UNSUBSCRIBE),
    METHOD("tasks/get", RPC_M_TASKS_GET),
    METHOD("tasks/result", RPC_M_TASKS_RESULT),
    METHOD("tasks/cancel", RPC_M_TASKS_CANCEL),
    METHOD("tasks/list", RPC_M_TASKS_LIST),
    METHOD("roots/list", RPC_M_ROOTS_LIST),
    METHOD("sampling/createMessage", RPC_M_SAMPLING),
    METHOD("elicitation/create", RPC_M_ELICIT),
    METHOD("notifications/resources/updated", RPC_M_N_RESOURCES_UPDATED),
    METHOD("notifications/resources/list_changed", RPC_M_N_RESOURCES_CHANGED),
    METHOD("notifications/tools/list_changed", RPC_M_N_TOOLS_CHANGED),
    METHOD("notifications/prompts/list_changed", RPC_M_N_PROMPTS_CHANGED),
    METHOD("notifications/roots/list_changed", RPC_M_N_ROOTS_CHANGED),
    METHOD("notifications/tasks/status", RPC_M_N_TASK_STATUS),
    METHOD("notifications/elicitation/complete", RPC_M_N_ELICIT_COMPLETE),
    METHOD("$/cancelRequest", RPC_M_LSP_CANCEL),
#undef METHOD
};

static enum rpc_method find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (methods[i].len == len && memcmp(methods[i].name, name, len) == 0)
            return methods[i].method;
    if (len >= RELAY_PREFIX_LEN && memcmp(name, RELAY_PREFIX, RELAY_PREFIX_LEN) == 0)
        return RPC_M_RELAY;
    return RPC_M_OTHER;
}

/* An escaped name may be six times as long as the decoded one; a decoded name longer than LONGEST bytes is
 * not in the table, but may still begin with relay/. */
static enum rpc_method find_escaped(const char *quoted, size_t len)
{
    char name[LONGEST];
    size_t decoded = rpc_decode_string(quoted, len, name, sizeof(name));
    if (decoded != SIZE_MAX)
        return find(name, decoded);
    return rpc_string_begins(quoted, len, RELAY_PREFIX) ? RPC_M_RELAY : RPC_M_OTHER;
}

enum rpc_method rpc_method(const char *quoted, size_t len)
{
    if (len < 2)
        return RPC_M_OTHER;
    enum rpc_method method = find(quoted + 1, len - 2);
    if (method == RPC_M_OTHER && memchr(quoted, '\\', len))
        return find_escaped(quoted, len);
    return method;
}
