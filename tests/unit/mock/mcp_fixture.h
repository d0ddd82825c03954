/* The fixture of the mock server's tests: a server in this process, functions that send lines to it, and a
 * document to look into.
 *
 *     send_lines("{...}\n{...}\n");    all lines that the server wrote are in line[0..line_count)
 *     open_line(0);                    line 0 becomes the document
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
extern char *line[MAX_LINES]; /* valid until the next lines are sent */
extern size_t line_count;
extern struct json_doc *doc; /* what open_line(), open_json() or a tool opened */

/* Opens a world of seed 1 that starts NOW, and its server; and their end. server_set_up and server_tear_down
 * do the same for cmocka. */
void server_open(void);
void server_close(void);
int server_set_up(void **state);
int server_tear_down(void **state);

/* Serves `bytes` to their end and splits what came back; gives what mcp_serve gave. Allocates nothing of ours
 * itself. */
int send_bytes(const char *bytes, size_t len);
/* The same with a text, and it must succeed. */
void send_lines(const char *text);
/* Calls one tool with the id 1 and opens the answer. */
void call_tool(const char *name, const char *arguments);
/* A tool that succeeds: the JSON in its text, which must be marked as mock, becomes the document. */
void expect_tool_json(const char *name, const char *arguments);
/* A tool that fails with exactly this text. */
void expect_tool_error(const char *name, const char *arguments, const char *problem);

void open_line(size_t index);
void open_json(const char *json, size_t len);
json_node at(const char *path);
/* These fail the test when there is no such thing. */
const char *text_at(const char *path);
int64_t number_at(const char *path);
/* There is a true. */
bool is_true_at(const char *path);

/* A file in memory, its offset at the start. */
int memory_file(const char *bytes, size_t len);

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_set_up, server_tear_down)

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
