/* Requests and notifications of clients: what is answered here, what is refused, what goes to the child. */
#ifndef ROUTE_REQUESTS_H
#define ROUTE_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "route/replies.h"
#include "route/state.h"
#include "wire/frame.h"

/* Is the relay not draining, and is there a child, or will there soon be one? Starts it where there is none.
 * false: the client was told. */
MUSTCHECK bool request_reaches(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* May one more request come in: the relay is not draining, there is a child or one is about to be, and there
 * is a place to wait in. Starts the child where there is none. false: the client was told. */
MUSTCHECK bool request_admit(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* Admits the request and dispatches it, or lets it wait. The call, or NULL when the client was told. */
struct call *request_submit(struct route_session *s, const struct frame *frame, enum rpc_method method,
                            uint64_t now_ms);
/* Refuses a frame under its own id, or, where that would settle another request, under id null with data.id.
 */
void request_refuse_frame(struct route_session *s, const struct frame *frame, struct refusal *why);
/* Refuses this frame's request for lack of memory. */
void request_no_memory(struct route_session *s, const struct frame *frame);
/* Refuses this frame's request with a code and, if not NULL, a message. */
void request_refuse(struct route_session *s, const struct frame *frame, int code, const char *message);
/* A request frame whose envelope is sound. */
void request_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* A client's notification. */
void notification_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms);

/* ---- session.c */
/* Takes the session out of its upstream: waiting calls are removed, calls in flight cancelled and abandoned,
 * everything that it owned purged. Answers nobody. */
void session_leave_upstream(struct route_session *s, uint64_t now_ms);

#endif
