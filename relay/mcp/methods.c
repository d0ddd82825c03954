/* One table per direction and kind, one row per method, one column per case:
 *
 *   shared    one child for all: what belongs to its one handshake is answered here, what could show one client
 *             another's secrets is refused
 *   own       a child per session ("sharing": "session"): nearly everything passes
 *   modern    methods of revision 2026-07-28 alone, which has no handshake: the same for both sharings. No child
 *             speaks it, so a legacy one must not see them.
 *
 * A method without a row has that of RPC_M_OTHER.
 */
#include "mcp/methods.h"

#include "mcp/client_methods.h"
#include "mcp/elicitations.h"
#include "mcp/initialize.h"
#include "mcp/log_levels.h"
#include "mcp/server_requests.h"
#include "mcp/subscriptions.h"
#include "mcp/tasks.h"
#include "mcp/upstream_methods.h"

struct client_rules {
    client_rule *shared;
    client_rule *own;
    client_rule *modern; /* NULL: not a method of the modern revision alone */
};

struct upstream_rules {
    upstream_rule *shared;
    upstream_rule *own;
};

/* A notification with an id must not pass for one. */
#define NO_REQUEST                                                                                           \
    {                                                                                                        \
        refuse_method, refuse_method, NULL                                                                   \
    }

static const struct client_rules client_requests[RPC_METHODS] = {
    [RPC_M_OTHER] = {pass_shared_request, pass_request, NULL},
    [RPC_M_RELAY] = {control_method, control_method, NULL},
    [RPC_M_INITIALIZE] = {initialize_request, initialize_pass, NULL},
    [RPC_M_PING] = {answer_empty, pass_request, NULL},
    [RPC_M_DISCOVER] = {NULL, NULL, refuse_method},
    [RPC_M_SET_LEVEL] = {log_levels_request, pass_request, NULL},
    [RPC_M_SUBSCRIBE] = {subscriptions_request, pass_request, NULL},
    [RPC_M_UNSUBSCRIBE] = {subscriptions_request, pass_request, NULL},
    [RPC_M_TASKS_GET] = {tasks_request, pass_request, NULL},
    [RPC_M_TASKS_RESULT] = {tasks_request, pass_request, NULL},
    [RPC_M_TASKS_CANCEL] = {tasks_request, pass_request, NULL},
    [RPC_M_TASKS_LIST] = {refuse_method, pass_request, NULL},
    [RPC_M_N_INITIALIZED] = NO_REQUEST,
    [RPC_M_N_CANCELLED] = NO_REQUEST,
    [RPC_M_N_PROGRESS] = NO_REQUEST,
    [RPC_M_N_MESSAGE] = NO_REQUEST,
    [RPC_M_N_RESOURCES_UPDATED] = NO_REQUEST,
    [RPC_M_N_RESOURCES_CHANGED] = NO_REQUEST,
    [RPC_M_N_TOOLS_CHANGED] = NO_REQUEST,
    [RPC_M_N_PROMPTS_CHANGED] = NO_REQUEST,
    [RPC_M_N_ROOTS_CHANGED] = NO_REQUEST,
    [RPC_M_N_TASK_STATUS] = NO_REQUEST,
    [RPC_M_N_ELICIT_COMPLETE] = NO_REQUEST,
    [RPC_M_LSP_CANCEL] = NO_REQUEST,
};

static const struct client_rules client_notifications[RPC_METHODS] = {
    [RPC_M_OTHER] = {pass_shared_notification, pass_notification, NULL},
    [RPC_M_RELAY] = {control_method, control_method, NULL},
    [RPC_M_N_INITIALIZED] = {note_initialized, pass_initialized, NULL},
    [RPC_M_N_CANCELLED] = {cancel_request, cancel_request, NULL},
    [RPC_M_N_PROGRESS] = {pass_shared_notification, server_requests_progress, NULL},
    [RPC_M_LSP_CANCEL] = {cancel_lsp_request, cancel_lsp_request, NULL},
};

static const struct upstream_rules upstream_requests[RPC_METHODS] = {
    [RPC_M_OTHER] = {refuse_server_request, server_requests_forward},
    [RPC_M_PING] = {answer_server_ping, server_requests_forward},
};

static const struct upstream_rules upstream_notifications[RPC_METHODS] = {
    [RPC_M_OTHER] = {pass_to_task_owner, pass_to_session},
    [RPC_M_N_PROGRESS] = {pass_progress, pass_progress},
    [RPC_M_N_CANCELLED] = {pass_to_task_owner, server_requests_cancelled},
    [RPC_M_N_MESSAGE] = {pass_shared_log, pass_log},
    [RPC_M_N_RESOURCES_UPDATED] = {subscriptions_updated, pass_to_session},
    [RPC_M_N_RESOURCES_CHANGED] = {pass_to_all, pass_to_session},
    [RPC_M_N_TOOLS_CHANGED] = {pass_to_all, pass_to_session},
    [RPC_M_N_PROMPTS_CHANGED] = {pass_to_all, pass_to_session},
    [RPC_M_N_TASK_STATUS] = {pass_shared_task_status, pass_task_status},
    [RPC_M_N_ELICIT_COMPLETE] = {pass_elicitation_complete, pass_to_session},
};

static client_rule *client_rule_of(const struct client_rules *table, const struct route_session *s,
                                   enum rpc_method method)
{
    const struct client_rules *rules = &table[method];
    if (rules->modern)
        return rules->modern;
    if (!rules->shared)
        rules = &table[RPC_M_OTHER];
    return upstream_is_shared(s->upstream) ? rules->shared : rules->own;
}

static upstream_rule *upstream_rule_of(const struct upstream_rules *table, const struct upstream *upstream,
                                       enum rpc_method method)
{
    const struct upstream_rules *rules = table[method].shared ? &table[method] : &table[RPC_M_OTHER];
    return upstream_is_shared(upstream) ? rules->shared : rules->own;
}

client_rule *method_client_request(const struct route_session *s, enum rpc_method method)
{
    return client_rule_of(client_requests, s, method);
}

client_rule *method_client_notification(const struct route_session *s, enum rpc_method method)
{
    return client_rule_of(client_notifications, s, method);
}

upstream_rule *method_upstream_request(const struct upstream *upstream, enum rpc_method method)
{
    return upstream_rule_of(upstream_requests, upstream, method);
}

upstream_rule *method_upstream_notification(const struct upstream *upstream, enum rpc_method method)
{
    return upstream_rule_of(upstream_notifications, upstream, method);
}
