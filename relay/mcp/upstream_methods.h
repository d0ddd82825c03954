/* The child's methods that belong to no feature of their own: rules of methods.c. */
#ifndef MCP_UPSTREAM_METHODS_H
#define MCP_UPSTREAM_METHODS_H

#include "mcp/methods.h"

/* Requests to a shared child's clients, none of whom can be meant. */
upstream_rule refuse_server_request;
upstream_rule answer_server_ping;

/* Notifications, of both sharings. */
upstream_rule pass_progress; /* to the client whose call has the token, with the client's own */

/* shared */
upstream_rule pass_to_task_owner; /* an unknown method: to the owner of the task in _meta, or to nobody */
upstream_rule pass_to_all;        /* who has sent initialized */
upstream_rule pass_shared_log;
upstream_rule pass_shared_task_status;
upstream_rule pass_elicitation_complete;

/* perSession */
upstream_rule pass_to_session;
upstream_rule pass_log;
upstream_rule pass_task_status;

#endif
