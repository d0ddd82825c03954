/* Requests of a child to its one client (perSession): sampling, elicitation, roots. The client sees an
 * id of the relay's, and the same number as progress token; the child gets its own back.
 *
 * A request that nobody answers is answered for the child: after SERVER_REQUEST_MS, or when the client goes. While
 * one is open, the clocks of the session's own requests stand still.
 */
#ifndef MCP_SERVER_REQUESTS_H
#define MCP_SERVER_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

#define SERVER_REQUEST_MS   ((uint64_t)600 * 1000)
#define SERVER_REQUESTS_MAX 1024 /* open at once, per child */

/* The child asks. */
void server_requests_forward(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                             uint64_t now_ms);
/* The client answers; an answer to nothing is dropped. */
void server_requests_answer(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* The client's answer could not be read, or was too large: the child gets an error. false: it was no answer to
 * anything. */
bool server_requests_malformed(struct route_session *s, const struct frame *frame, int code,
                               const char *message, uint64_t now_ms);
/* The client's notifications/progress about a request: passed with the child's own token, or dropped. */
void server_requests_progress(struct route_session *s, const struct frame *frame, enum rpc_method method,
                              uint64_t now_ms);
/* The child withdraws one: passed with the client's id, or dropped. */
void server_requests_cancelled(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                               uint64_t now_ms);
/* The client is gone: the child gets errors. */
void server_requests_leave(struct upstream *upstream, uint64_t now_ms);
/* The child is gone. */
void server_requests_forget(struct upstream *upstream, uint64_t now_ms);

#endif
