/* What comes from a child: one frame, of any kind, malformed and oversize ones too. */
#ifndef MCP_UPSTREAM_MESSAGES_H
#define MCP_UPSTREAM_MESSAGES_H

#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

void upstream_message(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);

#endif
