/* The client's methods that belong to no feature of their own: rules of methods.c. */
#ifndef MCP_CLIENT_METHODS_H
#define MCP_CLIENT_METHODS_H

#include "mcp/methods.h"

/* Requests. */
client_rule pass_request;        /* to the child, now or later */
client_rule pass_shared_request; /* the same, but for tasks/... of a task that is not the session's */
client_rule refuse_method;       /* -32601 */
client_rule answer_empty;        /* {} */
client_rule control_method;      /* relay/...; notifications too */

/* Notifications. */
client_rule pass_notification;        /* own child: in order with what the session has queued */
client_rule pass_shared_notification; /* only what no known method, no token and no task makes somebody's */
client_rule note_initialized;
client_rule pass_initialized;
client_rule cancel_request;
client_rule cancel_lsp_request; /* its id is one of the client's, and never passes as it stands */

#endif
