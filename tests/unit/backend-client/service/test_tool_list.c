/* agent-backend: what a server offers, and which arguments are sent to its tools. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/service/failure.h"
#include "backend-client/service/tool.h"
#include "backend-client/service/tool_cache.h"
#include "tests/unit/common/fault_alloc.h"

static struct tool_list *list;
static struct buf cursor;
static struct buf params;

static int add_page(const char *result)
{
    return tool_list_add_page(list, result, strlen(result), &cursor);
}

static int open_list(void **state)
{
    (void)state;
    buf_init(&cursor, 1000);
    buf_init(&params, 10000);
    return tool_list_new(&list);
}

static int close_list(void **state)
{
    (void)state;
    tool_list_release(list);
    buf_done(&cursor);
    buf_done(&params);
    return 0;
}

static void tools_come_in_pages(void **state)
{
    (void)state;
    assert_int_equal(
        add_page("{\"tools\":[{\"name\":\"a\"},{\"name\":\"\"},{},7],\"nextCursor\":\"x\\\"y\"}"), 0);
    assert_int_equal(buf_len(&cursor), 6);
    assert_memory_equal(buf_data(&cursor), "\"x\\\"y\"", 6);
    assert_int_equal(add_page("{\"tools\":[{\"name\":\"b\"}],\"nextCursor\":null}"), 0);
    assert_int_equal(buf_len(&cursor), 0);
    assert_int_equal(tool_list_count(list), 2);
    assert_true(tool_list_has(list, "a") && tool_list_has(list, "b"));
    assert_false(tool_list_has(list, "A"));
    assert_false(tool_list_has(list, ""));
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    assert_int_equal(add_page("{}"), ERR_TYPE);
    assert_int_equal(add_page("[]"), ERR_TYPE);
    assert_int_equal(add_page("{\"tools\":{}}"), ERR_TYPE);
    assert_int_equal(add_page("{\"tools\":["), ERR_SYNTAX);
    assert_int_equal(tool_list_count(list), 0);
}

static void the_names_fit(void **state)
{
    char text[40];
    (void)state;
    tool_list_names(list, text, sizeof(text));
    assert_string_equal(text, "none");
    assert_int_equal(add_page("{\"tools\":[{\"name\":\"echo\"},{\"name\":\"add\"}]}"), 0);
    tool_list_names(list, text, sizeof(text));
    assert_string_equal(text, "echo, add");
    for (int i = 0; i < 8; i++)
        assert_int_equal(add_page("{\"tools\":[{\"name\":\"another_tool\"}]}"), 0);
    tool_list_names(list, text, sizeof(text));
    assert_string_equal(text, "echo, add, another_tool and 7 more");
    for (size_t size = 21; size < 300; size++) {
        char room[300];
        tool_list_names(list, room, size);
        assert_true(strlen(room) < size);
    }
}

static const char *arguments_of(const char *tool, const char *strategy)
{
    struct tool_params p;
    buf_clear(&params);
    tool_params_begin(&p, &params, list, tool);
    tool_params_string(&p, "topology", "mesh");
    tool_params_string(&p, "strategy", strategy);
    tool_params_string(&p, "customPrompt", NULL);
    tool_params_int(&p, "maxAgents", 5);
    tool_params_bool(&p, "enableNeural", true);
    tool_params_list(&p, "agentIds", "a");
    assert_int_equal(tool_params_end(&p), 0);
    assert_int_equal(buf_append(&params, "", 1), 0);
    return strstr(buf_data(&params), "\"arguments\":") + strlen("\"arguments\":");
}

/* Only what stands in inputSchema.properties; where nothing is known, all. */
static void arguments_follow_the_schema(void **state)
{
    static const char all[] =
        "{\"topology\":\"mesh\",\"strategy\":\"balanced\",\"maxAgents\":5,\"enableNeural\":true,\"agentIds\":[\"a\"]}}";
    (void)state;
    assert_int_equal(
        add_page(
            "{\"tools\":[{\"name\":\"some\",\"inputSchema\":{\"properties\":{\"maxAgents\":{},\"topology\":{}}}},"
            "{\"name\":\"nothing\",\"inputSchema\":{\"type\":\"object\",\"properties\":{}}},"
            "{\"name\":\"open\",\"inputSchema\":{\"type\":\"object\"}},"
            "{\"name\":\"odd\",\"inputSchema\":7},{\"name\":\"odder\",\"inputSchema\":{\"properties\":[]}}]}"),
        0);
    assert_string_equal(arguments_of("some", "balanced"), "{\"topology\":\"mesh\",\"maxAgents\":5}}");
    assert_string_equal(arguments_of("nothing", "balanced"), "{}}");
    assert_string_equal(arguments_of("open", "balanced"), all);
    assert_string_equal(arguments_of("odd", "balanced"), all);
    assert_string_equal(arguments_of("odder", "balanced"), all);
    assert_string_equal(arguments_of("absent", "balanced"), all);
}

/* A word that an enum lacks is left out where the server has a default of its own, and sent where it must be. */
static void a_word_must_be_in_the_enum(void **state)
{
    (void)state;
    assert_int_equal(
        add_page(
            "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"topology\":{\"enum\":[\"ring\"]},"
            "\"strategy\":{\"enum\":[\"parallel\",\"adaptive\"]}},\"required\":[\"topology\"]}}]}"),
        0);
    assert_string_equal(arguments_of("t", "adaptive"), "{\"topology\":\"mesh\",\"strategy\":\"adaptive\"}}");
    assert_string_equal(arguments_of("t", "balanced"), "{\"topology\":\"mesh\"}}");
}

static void a_dropped_list_is_not_kept(void **state)
{
    struct tool_cache cache;
    uint64_t epoch;
    (void)state;
    assert_int_equal(tool_cache_init(&cache), 0);
    assert_null(tool_cache_take(&cache, &epoch));
    tool_cache_drop(&cache);
    tool_cache_keep(&cache, list, epoch);
    assert_null(tool_cache_take(&cache, &epoch));
    tool_cache_keep(&cache, list, epoch);
    struct tool_list *taken = tool_cache_take(&cache, &epoch);
    assert_ptr_equal(taken, list);
    tool_list_release(taken);
    tool_cache_drop(&cache);
    assert_null(tool_cache_take(&cache, &epoch));
    tool_cache_keep(&cache, list, epoch);
    tool_cache_done(&cache);
}

static void a_missing_tool_names_those_that_there_are(void **state)
{
    static const char *const names[] = {"task_orchestrate", "task_create", NULL};
    struct failure f;
    struct ar_health health = {.state = AR_LIVE, .address = "relay:9500"};
    (void)state;
    assert_int_equal(add_page("{\"tools\":[{\"name\":\"echo\"},{\"name\":\"\\u001b[2J\"}]}"), 0);
    failure_from_missing(&f, "take tasks", names, list, &health);
    assert_int_equal(f.status, 501);
    assert_string_equal(f.code, "TOOL_NOT_OFFERED");
    assert_string_equal(
        f.text,
        "The server behind the relay cannot take tasks: it has no tool task_orchestrate or task_create; it has echo, [2J.");
    assert_false(f.may_have_run);
}

static void the_words_of_a_server_that_lacks_the_thing(void **state)
{
    static const struct {
        const char *code, *text;
        bool lacks;
    } cases[] = {
        {"TOOL_ERROR", "task_status: Task not found", true},
        {"SERVER_ERROR", "error -32603: MCP tool error: Task not found: nope", true},
        {"TOOL_ERROR", "task_status: no such task", true},
        {"SERVER_ERROR", "error -32601: Method not found", false},
        {"SERVER_ERROR", "MCP error -32602: Tool not found: task_status", false},
        {"TOOL_ERROR", "unknown tool: it was not found", false},
        {"SERVER_UNAVAILABLE", "the command was not found", false},
        {"TOOL_ERROR", "task_status: busy", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct failure f;
        failure_set(&f, 502, cases[i].code, "", cases[i].text);
        if (failure_says_not_found(&f) != cases[i].lacks)
            fail_msg("%s: %s", cases[i].code, cases[i].text);
    }
}

static int list_and_write(void)
{
    static const char page[] =
        "{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"properties\":{\"x\":{}}}}],\"nextCursor\":\"c\"}";
    struct tool_list *one;
    struct tool_params p;
    int rc = tool_list_new(&one);
    if (rc != 0)
        return rc;
    rc = tool_list_add_page(one, page, sizeof(page) - 1, &cursor);
    if (rc == 0) {
        tool_params_begin(&p, &params, one, "a");
        tool_params_string(&p, "x", "y");
        rc = tool_params_end(&p);
    }
    tool_list_release(one);
    return rc;
}

static void memory_that_runs_out_is_reported(void **state)
{
    bool fired = true;
    (void)state;
    fault_alloc_install();
    for (size_t n = 1; fired; n++) {
        buf_init(&cursor, 1000);
        buf_init(&params, 1000);
        fault_alloc_fail_at(n);
        int rc = list_and_write();
        fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        assert_int_equal(rc, fired ? -ENOMEM : 0);
        buf_done(&cursor);
        buf_done(&params);
        assert_int_equal(fault_alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tools_come_in_pages, open_list, close_list),
        cmocka_unit_test_setup_teardown(what_is_no_list_is_refused, open_list, close_list),
        cmocka_unit_test_setup_teardown(the_names_fit, open_list, close_list),
        cmocka_unit_test_setup_teardown(arguments_follow_the_schema, open_list, close_list),
        cmocka_unit_test_setup_teardown(a_word_must_be_in_the_enum, open_list, close_list),
        cmocka_unit_test_setup_teardown(a_dropped_list_is_not_kept, open_list, close_list),
        cmocka_unit_test_setup_teardown(a_missing_tool_names_those_that_there_are, open_list, close_list),
        cmocka_unit_test(the_words_of_a_server_that_lacks_the_thing),
        cmocka_unit_test(memory_that_runs_out_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
