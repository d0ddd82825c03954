/* MCP over a router: the table of its rules, for router_options.protocol. */
#ifndef MCP_MCP_H
#define MCP_MCP_H

#include "route/protocol.h"

extern const struct route_protocol mcp_protocol;

#endif
