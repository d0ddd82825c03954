/* Lines of a child that are JSON and still no message for the relay. */
#ifndef MCP_STRAYS_H
#define MCP_STRAYS_H

#include <stdbool.h>

#include "mcp/state.h"
#include "wire/frame.h"
#include "wire/stray.h"

/* An object that a logger wrote: it has none of jsonrpc, method, result and error, or it lacks jsonrpc and has a level.
 * Its id, if it has one, is not that of an answer. `frame` failed the scan, but is JSON. */
bool stray_is_log(const struct frame *frame);
/* A sound request or notification of the child that is what it was sent itself: its method is one that only clients
 * send, or that of the call in flight under its very id. */
bool stray_is_echo(const struct upstream *upstream, const struct frame *frame, enum rpc_method method);
/* A sound answer that finds no call: is it one that no call can ever have asked for? *ret_look says how. */
bool stray_is_foreign(const struct upstream *upstream, const struct frame *frame, enum stray *ret_look);

#endif
