/* The clients' initialize, answered from the cache of a shared child. */
#ifndef ROUTE_INITIALIZE_H
#define ROUTE_INITIALIZE_H

#include <stdint.h>

#include "route/state.h"
#include "wire/frame.h"

/* Remembers who the client says it is and which revision it asked for. Both sharings. */
void initialize_note(struct route_session *s, const struct frame *frame);
/* shared: answers at once when there is a cache, else the call waits for the handshake. */
void initialize_request(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* The cache is there: answers those that waited for it. */
void initialize_answer_held(struct upstream *upstream);
/* session sharing: the child's own answer passes; remembers the revision in it. */
void initialize_passed(struct route_session *s, const struct frame *answer);
/* Did this session negotiate the one revision that has batches? */
bool initialize_has_batches(const struct route_session *s);

#endif
