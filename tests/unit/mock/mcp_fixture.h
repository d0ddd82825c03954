/* What the tests of the mock server share: a server in this process, a way to ask it, and a way to look at
 * its answers.
 *
 *     ask("{...}\n{...}\n");           all lines that came back are in line[0..line_count)
 *     look(0);                         line 0 becomes the document
 *     text_at("result.agents.0.id")    members by name, elements by number
 *
 * Every line must be strict JSON, or the test fails. The clock stands at NOW; a test may set it.
 */
#ifndef TESTS_MOCK_MCP_FIXTURE_H
#define TESTS_MOCK_MCP_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock/mcp.h"
#include "tests/unit/mock/world_fixture.h"
#include "wire/json.h"

#define NOW       UINT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define MAX_LINES 64

extern struct mcp server;
extern char *line[MAX_LINES]; /* valid until the next question */
extern size_t line_count;
extern struct json_doc *doc; /* what look(), load() or a tool made the document */

/* A world of seed 1 that starts NOW, and its server; and their end. setup and teardown are the same for
 * cmocka. */
void server_make(void);
void server_end(void);
int setup(void **state);
int teardown(void **state);

/* Serves `bytes` to their end and splits what came back; gives what mcp_serve gave. Allocates nothing of ours
 * itself. */
int ask_bytes(const char *bytes, size_t len);
/* The same with a text, and it must succeed. */
void ask(const char *text);
/* Calls one tool with the id 1 and looks at the answer. */
void tool(const char *name, const char *arguments);
/* A tool that succeeds: the JSON in its text, which must be marked as mock, becomes the document. */
void tool_json(const char *name, const char *arguments);
/* A tool that fails with exactly this text. */
void tool_fails(const char *name, const char *arguments, const char *problem);

void look(size_t index);
void load(const char *json, size_t len);
json_node at(const char *path);
/* These fail the test when there is no such thing. */
const char *text_at(const char *path);
int64_t number_at(const char *path);
/* true is there. */
bool is_true(const char *path);

/* A file in memory, its offset at the start. */
int memory_file(const char *bytes, size_t len);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define PING(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"ping\"}\n"
#define CALL(id, tool_name, arguments)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool_name         \
    "\",\"arguments\":" arguments "}}\n"

#define SPAWN(id)                                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                        \
    ",\"method\":\"tools/call\",\"params\":{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"x\"}}}\n"
#define LEVEL(level)                                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"" level "\"}}\n"
#define SLOW(id, steps, ms, rest)                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                        \
    ",\"method\":\"tools/call\",\"params\":{\"name\":\"slow\",\"arguments\":{\"steps\":" steps               \
    ",\"stepMs\":" ms ",\"message\":\"end\"}" rest "}}\n"

#endif
