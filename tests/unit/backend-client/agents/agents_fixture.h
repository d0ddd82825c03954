/* What the tests of the client's agent view share: agents to build sets from, and answers to read them from.
 */
#ifndef TESTS_AGENTS_AGENTS_FIXTURE_H
#define TESTS_AGENTS_AGENTS_FIXTURE_H

#include <stddef.h>

#include "backend-client/src/agents/snapshot.h"

/* An agent of which nothing but the id is expected. */
struct ar_agent agents_fixture_bare(const char *id);
/* One of which everything is expected. */
struct ar_agent agents_fixture_full(const char *id);

/* Fails the test when anything but the id, and what `told` (a agents_fixture_bare with more set) says, is expected. */
void agents_fixture_check(const struct ar_agent *agent, const struct ar_agent *expected);

/* The set that an answer gives; it must give one. The caller releases it. */
struct agent_set *agents_fixture_read(const char *result);
/* The code of an answer that gives none; its reason is then in `reason`. */
int agents_fixture_refused(const char *result, size_t len);
extern char reason[256];

/* An MCP tool's result whose one text is `json`. Valid until the next call. */
const char *agents_fixture_tool_text(const char *json);

#endif
