/* The method rules: what happens to a message, by its method, its direction and the sharing of its server.
 *
 * On a shared server a request is refused (-32601) where its answer would show one client what belongs to another
 * (tasks/list), or where the child does not know the method (server/discover, for a child of a legacy revision). */
#ifndef MCP_METHODS_H
#define MCP_METHODS_H

#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

/* The frame's envelope is sound. A request's rule sees to it that the request gets its one answer. */
typedef void client_rule(struct route_session *s, const struct frame *frame, enum rpc_method method,
                         uint64_t now_ms);
typedef void upstream_rule(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                           uint64_t now_ms);

client_rule *method_client_request(const struct route_session *s, enum rpc_method method);
client_rule *method_client_notification(const struct route_session *s, enum rpc_method method);
upstream_rule *method_upstream_request(const struct upstream *upstream, enum rpc_method method);
upstream_rule *method_upstream_notification(const struct upstream *upstream, enum rpc_method method);

#endif
