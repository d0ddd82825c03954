/* The clients' initialize, answered from the cache of a shared child. */
#ifndef MCP_INITIALIZE_H
#define MCP_INITIALIZE_H

#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

/* shared: answers at once when there is a cache, else the call waits for the handshake. */
void initialize_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms);
/* perSession: notes what it says of the client, and passes it to the child. */
void initialize_pass(struct route_session *s, const struct frame *frame, enum rpc_method method,
                     uint64_t now_ms);
/* The cache is there: answers those that waited for it. */
void initialize_answer_held(struct upstream *upstream);
/* perSession: the child's own answer passes; remembers the revision in it. */
void initialize_passed(struct route_session *s, const struct frame *answer);
/* Did this session negotiate the one revision that has batches? */
bool initialize_has_batches(const struct route_session *s);

#endif
