/* URL elicitations on a shared child: a -32042 error names them (data.elicitations[].elicitationId), and
 * their notifications/elicitation/complete goes to the session that got the error, to nobody else.
 */
#ifndef MCP_ELICITATIONS_H
#define MCP_ELICITATIONS_H

#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

#define ELICITATION_ID_MAX 1024
#define ELICITATIONS_MAX   1024 /* per upstream; the oldest is forgotten first */

/* An error passes to this session: remembers the elicitations in it. */
void elicitations_note(struct route_session *s, const struct frame *answer);
/* notifications/elicitation/complete: whose it is, and forgets it; NULL: nobody's. */
struct route_session *elicitations_complete(struct upstream *upstream, const struct frame *frame);
void elicitations_leave(struct route_session *s);
void elicitations_forget(struct upstream *upstream);

#endif
