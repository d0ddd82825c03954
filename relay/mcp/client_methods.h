/* The client's methods that belong to no feature of their own: rules of methods.c. */
#ifndef MCP_CLIENT_METHODS_H
#define MCP_CLIENT_METHODS_H

#include "mcp/methods.h"

/* Requests. */
client_rule pass_request;   /* to the child, now or later */
client_rule refuse_method;  /* -32601 */
client_rule answer_empty;   /* {} */
client_rule control_method; /* relay/...; notifications too */

/* Notifications. */
client_rule pass_notification;        /* own child: in order with what the session has queued */
client_rule pass_shared_notification; /* only what no known method and no token makes somebody's */
client_rule note_initialized;
client_rule pass_initialized;
client_rule cancel_request;

#endif
