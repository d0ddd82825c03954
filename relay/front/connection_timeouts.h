/* The time-outs of connections: which connections have one, and which of them is over. Changes no state.
 *
 * A connection is looked at once a second while it has something to look at: its first bytes are due, a queue, a message
 * under way, reading that is stopped, a close that is not through. An idle connection costs nothing here.
 */
#ifndef FRONT_CONNECTION_TIMEOUTS_H
#define FRONT_CONNECTION_TIMEOUTS_H

#include "front/connection.h"

enum connection_timeout {
    TIMEOUT_NOT_YET,   /* look again */
    TIMEOUT_NONE,      /* nothing is left to look at, nor was anything carried since the last look */
    TIMEOUT_UNUSED,    /* nothing was carried since the last look; look again */
    TIMEOUT_STALLED,   /* no byte has left for stall_ms while some are queued */
    TIMEOUT_FIRST,     /* nothing but blanks came within frame_timeout_ms */
    TIMEOUT_MESSAGE,   /* a message begun has not ended within frame_timeout_ms */
    TIMEOUT_PEER_GONE, /* while reading is stopped, which nothing else would show */
    TIMEOUT_DEADLINE,  /* of flushing or lingering */
};

/* The sweep looks at `c` until connection_sweep says that nothing is left. */
void connection_watch(struct connection *c);
/* The same, and sets the deadline of the state: the sweep comes in time for it. */
void connection_watch_until(struct connection *c, uint64_t deadline_ms);
enum connection_timeout connection_check_timeouts(struct connection *c, uint64_t now_ms);

#endif
