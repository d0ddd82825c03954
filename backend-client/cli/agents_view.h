/* A snapshot of agents, as a table or a JSON document. Pure. */
#ifndef CTL_AGENTS_VIEW_H
#define CTL_AGENTS_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "agent_relay.h"
#include "base/buf.h"

/* A line with the source, then the table. Values that the server did not give are "-". On a screen, 0
 * columns or rows: as many as it takes; else lines are cut there, and where the rows do not fit the last
 * line has the number of further ones. */
MUSTCHECK int agents_write_table(struct buf *out, const struct ar_snapshot *s, bool color,
                                 size_t screen_columns, size_t screen_rows);
/* {"source":...,"agents":[...]} and a newline; values that the server did not give are absent. */
MUSTCHECK int agents_write_json(struct buf *out, const struct ar_snapshot *s);

#endif
