/* From what servers say to agents: the agent control system's shape, those of claude-flow 2 and 3, ruv-swarm
 * and similar ones, one set. Pure.
 *
 * Where the list is looked for, in this order; the first array found counts, even an empty one:
 *   result.agents; the JSON text in result.content[i].text, there again as follows; then
 *   result.structuredContent.agents; .activeAgents; .bots; .data.agents; the result (or the text) itself.
 * What each of an agent's keys means stands in one table, in normalise_rules.c; numbers and dates in
 * normalise_value.c. What is absent, null, of the wrong type or out of range stays absent; nothing is
 * invented. Elements that are no objects, or have no id, are left out.
 *
 * Made up, and marked so: agents that say "mock":true or "source":"mock"; those of a swarm "mock-swarm"
 * (claude-flow 2's fake list); all of a list whose answer says either.
 */
#ifndef CLIENT_NORMALISE_H
#define CLIENT_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "snapshot.h"

/* As many as stand in the longest line by default, 8 MiB with a part in every two bytes. Each takes 28 bytes while
 * the list is read. */
#define NORMALISE_MAX_TOKENS 4194304

/* `result`: the JSON text of a response's result. 0: every agent with an id was added, or as many of the first as
 * the builder takes: it is cut then. ERR_NOT_FOUND: there
 * is no list of agents in any known place. ERR_TYPE: the server says that it failed (a tool's isError, or
 * "success":false beside the list; ret_reason gets its words). ERR_SYNTAX, ERR_DEPTH, ERR_TOO_LARGE,
 * -ENOMEM. After a failure the builder may hold some of the agents. ret_reason (of 64 bytes or
 * more): "" on success, a sentence for people on every failure, made safe to show (text_builder.h). */
MUSTCHECK int normalise_agents(const char *result, size_t len, struct set_builder *builder, char *ret_reason,
                               size_t reason_size);

#endif
