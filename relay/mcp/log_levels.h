/* Log levels: what each session asked for, and what the child gets. */
#ifndef MCP_LOG_LEVELS_H
#define MCP_LOG_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

/* Levels count from 0 (debug) to 7 (emergency). */
#define LEVEL_NONE 8

/* LEVEL_NONE when the span is no level's name. */
int log_level_parse(const char *text, struct span quoted);
/* shared: does the relay offer logging: has the child got it, and do its messages reach anybody? */
bool log_levels_are_offered(const struct upstream *upstream);
/* shared: the handshake is done: answers a setLevel that waited for it. */
void log_levels_answer_held(struct call *c);
/* shared: a client's logging/setLevel, answered here; refused as by the child where logging is not offered. */
void log_levels_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms);
/* A new child: sends it the level again. */
void log_levels_restore(struct upstream *upstream, uint64_t now_ms);
/* shared: a notifications/message of the child's; dropped unless the server says "broadcast". Then a session
 * gets what it asked for; one that asked for nothing gets everything. */
void log_levels_message(struct upstream *upstream, const struct frame *frame);

#endif
