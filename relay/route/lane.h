/* Lanes, as the other files of route/ use them; what server/ calls is in router.h. */
#ifndef ROUTE_LANE_H
#define ROUTE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "route/state.h"

/* NULL: out of memory. Linked into the server's list. */
struct lane *lane_new(struct route_server *server);
/* The one mover; asserts that the move is allowed. */
void lane_move(struct lane *lane, enum lane_state to);
/* Somebody has a request: is there, or will there soon be, a child to give it to? Asks the server to start
 * one. */
MUSTCHECK bool lane_wanted(struct lane *lane, uint64_t now_ms);
/* Answers and forgets everything that went to the child which is gone. */
void lane_forget_child(struct lane *lane, const struct refusal *why, uint64_t now_ms);
/* Answers all that waits in this lane. */
void lane_fail_waiting(struct lane *lane, const struct refusal *why);
/* session sharing: the session is gone; the server is asked to stop the child. `server_goes`: and is itself
 * removed, so that the lane belongs to none. The lane may be gone afterwards. */
void lane_release(struct lane *lane, bool server_goes, uint64_t now_ms);

#endif
