/* What comes from a client: one frame, of any kind, malformed and oversize ones too. */
#ifndef MCP_CLIENT_MESSAGES_H
#define MCP_CLIENT_MESSAGES_H

#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

void client_message(struct route_session *s, const struct frame *frame, uint64_t now_ms);

#endif
