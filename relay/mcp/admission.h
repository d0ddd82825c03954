/* Which requests come in, and how the others are refused. */
#ifndef MCP_ADMISSION_H
#define MCP_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "mcp/state.h"
#include "route/replies.h"
#include "wire/frame.h"

/* Is the relay not draining, and is there a child, or will there soon be one? Starts it where there is none.
 * false: the client got its refusal. */
MUSTCHECK bool request_reaches(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* May one more request come in: the relay is not draining, there is a child or one is about to be, and there
 * is a place to wait in. Starts the child where there is none. false: the client got its refusal. */
MUSTCHECK bool request_admit(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* Is there no waiting place for this session: all of its upstream's are taken, or all that its peer may take? */
bool request_is_full(const struct route_session *s);
/* Admits the request and dispatches it, or lets it wait. The call, or NULL when the client got its refusal. */
struct call *request_submit(struct route_session *s, const struct frame *frame, enum rpc_method method,
                            uint64_t now_ms);
/* Refuses this frame's request for lack of memory. */
void request_no_memory(struct route_session *s, const struct frame *frame);
/* Refuses this frame's request with a code and, if not NULL, a message. */
void request_refuse(struct route_session *s, const struct frame *frame, int code, const char *message);

#endif
