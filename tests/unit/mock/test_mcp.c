/* mock/: the protocol of the MCP server over the world: versions, ids, errors, frames, arrays, slow calls,
 * resources, logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/mock/mcp_fixture.h"

/* ---- the protocol ---- */

static void versions_are_negotiated(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"2024-11-05", "2024-11-05"}, {"2025-03-26", "2025-03-26"}, {"2025-06-18", "2025-06-18"},
        {"2025-11-25", "2025-11-25"}, {"2026-07-28", "2025-11-25"}, {"1999-01-01", "2025-11-25"},
        {"", "2025-11-25"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char request[300];
        (void)snprintf(
            request, sizeof(request),
            "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
            "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}\n",
            pairs[i][0]);
        send_lines(request);
        open_line(0);
        assert_string_equal(text_at("result.protocolVersion"), pairs[i][1]);
        assert_string_equal(text_at("result.serverInfo.name"), "agent-mock");
        assert_int_equal(json_type(doc, at("result.capabilities.tools")), JSON_OBJECT);
    }
    send_lines("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\"}\n");
    open_line(0);
    assert_string_equal(text_at("result.protocolVersion"), "2025-11-25");
}

static void the_control_system_says_hello_in_its_own_way(void **state)
{
    (void)state;
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"0.1."
        "0\",\"clientInfo\":{\"name\":\"rust-backend\",\"version\":\"1.0.0\"}}}\n");
    assert_int_equal(line_count, 1);
    assert_string_equal(
        line[0],
        "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{\"serverInfo\":{\"name\":\"Agent Control "
        "System\",\"version\":\"1.0.0\",\"capabilities\":[\"swarm\",\"telemetry\",\"metrics\"]},\"protocolVersion\":\"0.1.0\",\"mock\":true}}");
}

static void ids_come_back_as_they_came(void **state)
{
    (void)state;
    static const char *const ids[] = {"0",
                                      "1",
                                      "1.0",
                                      "-7",
                                      "1e3",
                                      "12345678901234567890",
                                      "9007199254740993",
                                      "\"\"",
                                      "\"1\"",
                                      "\"\\u0041\\/\"",
                                      "\"\xE2\x80\x8D\""};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char request[200], answer[200];
        (void)snprintf(request, sizeof(request), "{\"id\":%s,\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\r\n",
                       ids[i]);
        (void)snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", ids[i]);
        send_lines(request);
        assert_int_equal(line_count, 1);
        assert_string_equal(line[0], answer);
    }
}

static void expect_error(const char *request, const char *id, int64_t code)
{
    size_t len;
    send_lines(request);
    assert_int_equal(line_count, 1);
    open_line(0);
    assert_int_equal(number_at("error.code"), code);
    const char *raw = json_raw(doc, at("id"), &len);
    assert_int_equal(len, strlen(id));
    assert_memory_equal(raw, id, len);
}

static void errors_say_what_is_wrong(void **state)
{
    (void)state;
    expect_error("{oops\n", "null", -32700);
    expect_error("\"just a string\"\n", "null", -32600);
    expect_error("{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"ping\"}\n", "5", -32600);
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}\n", "null", -32600);
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"no/such\"}\n", "6", -32601);
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"method\":\"server/discover\"}\n", "\"7\"", -32601);
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\"}\n", "8", -32602);
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":[]}\n", "8", -32602);
    expect_error(
        "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":[]}}\n",
        "9", -32602);
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"tools/call\",\"params\":{\"name\":\"nope\"}}\n",
                 "10", -32602);
    assert_string_equal(text_at("error.message"), "Unknown tool: nope");
    expect_error(
        "{\"jsonrpc\":\"2.0\",\"id\":11,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"loud\"}}\n",
        "11", -32602);
    expect_error("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]\n", "null", -32600);
}

static void what_asks_nothing_gets_nothing(void **state)
{
    (void)state;
    send_lines(
        "\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"\"}}\n");
    assert_int_equal(line_count, 0);
}

static void a_last_line_needs_no_newline(void **state)
{
    (void)state;
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    assert_int_equal(line_count, 2);
    assert_string_equal(line[1], "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
}

static void arrays_under_2025_03_26(void **state)
{
    (void)state;
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}\n"
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}, "
        "7 ,{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"method\":\"tools/\\u006cist\"},[]]\n[]\n");
    assert_int_equal(line_count, 6);
    assert_string_equal(line[1], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    open_line(2);
    assert_int_equal(number_at("error.code"), -32600);
    open_line(3);
    assert_string_equal(text_at("id"), "2");
    assert_string_equal(text_at("result.tools.0.name"), "agent_list");
    open_line(4);
    assert_int_equal(number_at("error.code"), -32600);
    open_line(5);
    assert_string_equal(text_at("error.message"), "An empty array");
}

static void an_over_long_line_is_one_error(void **state)
{
    (void)state;
    static const char start[] = "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"params\":{\"x\":\"";
    static const char rest[] = "\"},\"id\":77}";
    size_t len = MCP_MAX_FRAME_BYTES + 1;
    char *bytes = malloc(len + 1);
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    memcpy(bytes, start, sizeof(start) - 1);
    memcpy(bytes + len - (sizeof(rest) - 1), rest, sizeof(rest) - 1);
    bytes[len] = '\n';
    assert_int_equal(send_bytes(bytes, len + 1), 0);
    assert_int_equal(line_count, 1);
    open_line(0);
    assert_int_equal(number_at("id"), 77);
    assert_int_equal(number_at("error.code"), -32600);
    memmove(bytes + len - sizeof(rest), rest, sizeof(rest) - 1); /* one byte less: it fits */
    bytes[len - 1] = '\n';
    assert_int_equal(send_bytes(bytes, len), 0);
    assert_string_equal(line[0], "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}");
    free(bytes);
}

/* ---- slow ---- */

#define CANCEL(id)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id              \
    ",\"reason\":\"x\"}}\n"

static void slow_calls_hold_nobody_up(void **state)
{
    (void)state;
    send_lines(SLOW("1", "3", "10", ",\"_meta\":{\"progressToken\":\"t\\u0041\"}") SLOW("2", "1", "1", "")
                   PING("3"));
    assert_int_equal(line_count, 6);
    open_line(0);
    assert_int_equal(number_at("id"), 3);
    open_line(1);
    assert_int_equal(number_at("id"), 2);
    assert_string_equal(
        line[2], "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":"
                 "\"t\\u0041\",\"progress\":1,\"total\":3,\"message\":\"step 1 of 3\"}}");
    open_line(4);
    assert_int_equal(number_at("params.progress"), 3);
    open_line(5);
    assert_int_equal(number_at("id"), 1);
    assert_string_equal(text_at("result.content.0.text"), "end");
}

static void cancelled_calls_are_not_answered(void **state)
{
    (void)state;
    send_lines(SLOW("1", "1000", "60000", "") SLOW("\"1\"", "1", "1", "") CANCEL("1") CANCEL("9") PING("2"));
    assert_int_equal(line_count, 2);
    open_line(0);
    assert_int_equal(number_at("id"), 2);
    open_line(1);
    assert_string_equal(text_at("id"), "1");
}

static void slow_has_limits(void **state)
{
    (void)state;
    expect_tool_error("slow", "{\"steps\":0}", "steps must be a whole number from 1 to 1000");
    expect_tool_error("slow", "{\"stepMs\":60001}", "stepMs must be a whole number from 0 to 60000");
    struct mcp_request r = {.id = "1", .id_len = 1};
    for (size_t i = 0; i < MCP_MAX_SLOW; i++)
        assert_int_equal(mcp_slow_start(&server, &r, 1, 60000, "m"), 0);
    assert_int_equal(mcp_slow_start(&server, &r, 1, 60000, "m"), ERR_FULL);
    mcp_slow_cancel(&server, "1", 1);
    assert_int_equal(server.slow_count, 0);
}

/* ---- the rest ---- */

static void resources_are_the_agents(void **state)
{
    (void)state;
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/read\",\"params\":{\"uri\":\"mock://agents\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"resources/read\",\"params\":{\"uri\":\"mock:\\/\\/agents\\/coder-001\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"resources/read\",\"params\":{\"uri\":\"mock://agents/none\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"resources/read\",\"params\":{\"uri\":\"mock://agentsX\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"resources/read\",\"params\":{}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"resources/templates/list\"}\n");
    assert_int_equal(line_count, 7);
    open_line(0);
    assert_int_equal(json_count(doc, at("result.resources")), 6);
    assert_string_equal(text_at("result.resources.5.uri"), "mock://agents/tester-001");
    open_line(2);
    assert_string_equal(text_at("result.contents.0.uri"), "mock://agents/coder-001");
    char *text = strdup(text_at("result.contents.0.text"));
    assert_non_null(text);
    open_json(text, strlen(text));
    free(text);
    assert_string_equal(text_at("id"), "coder-001");
    assert_true(is_true_at("mock"));
    open_line(1);
    assert_string_equal(text_at("result.contents.0.mimeType"), "application/json");
    for (size_t i = 3; i <= 4; i++) {
        open_line(i);
        assert_int_equal(number_at("error.code"), -32002);
        assert_true(strlen(text_at("error.data.uri")) > 0);
    }
    open_line(5);
    assert_int_equal(number_at("error.code"), -32602);
    open_line(6);
    assert_string_equal(text_at("result.resourceTemplates.0.uriTemplate"), "mock://agents/{id}");
}

static void logs_come_when_asked_for(void **state)
{
    (void)state;
    send_lines(SPAWN("1") LEVEL("warning") SPAWN("2") LEVEL("debug") SPAWN("3"));
    assert_int_equal(line_count, 6);
    open_line(4);
    assert_string_equal(text_at("method"), "notifications/message");
    assert_string_equal(text_at("params.level"), "info");
    open_line(5);
    assert_int_equal(number_at("id"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(versions_are_negotiated),
        TEST(the_control_system_says_hello_in_its_own_way),
        TEST(ids_come_back_as_they_came),
        TEST(errors_say_what_is_wrong),
        TEST(what_asks_nothing_gets_nothing),
        TEST(a_last_line_needs_no_newline),
        TEST(arrays_under_2025_03_26),
        TEST(an_over_long_line_is_one_error),
        TEST(slow_calls_hold_nobody_up),
        TEST(cancelled_calls_are_not_answered),
        TEST(slow_has_limits),
        TEST(resources_are_the_agents),
        TEST(logs_come_when_asked_for),
    };
    return cmocka_run_group_tests_name("mock_mcp", tests, NULL, NULL);
}
