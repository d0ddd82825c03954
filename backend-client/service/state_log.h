/* What an operator reads of outages: one line for each change of the client's state or of the agents' source, with
 * the reason. Used by one thread.
 */
#ifndef SERVICE_STATE_LOG_H
#define SERVICE_STATE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_relay.h"

/* At most PIPE_BUF, so that a line is written whole. */
#define STATE_LOG_LINE_SIZE 1024

struct state_log {
    bool begun; /* the members below are of a line that there was */
    enum ar_state state;
    enum ar_source source;
    bool unsupported;
    uint64_t not_live_since_ms; /* monotonic; 0: live, or never live yet */
    uint64_t lost_lines;        /* since the last one that was written */
};

/* The line, without "agent-backend: " and without its end; false: nothing changed that is worth one. */
bool state_log_take(struct state_log *log, const struct ar_health *health, uint64_t now_ms,
                    char line[STATE_LOG_LINE_SIZE]);
/* Never waits: what the reader of `fd` has no room for is left out, and counted in the next line. */
void state_log_write(struct state_log *log, int fd, const char *line);

#endif
