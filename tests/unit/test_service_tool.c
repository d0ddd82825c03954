/* agent-backend: what a tool's result says, in each form that servers give it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/service/tool.h"
#include "tests/unit/fault_alloc.h"
#include "tests/unit/service_kit.h"

static struct tool_result result;

static int read_result(const char *json)
{
    return tool_result_read(json, strlen(json), &result);
}

static void params_are_those_of_tools_call(void **state)
{
    (void)state;
    struct writer w;
    kit_write_begin(&w);
    tool_params_begin(&w, "swarm_init");
    write_member_string(&w, "topology", "mesh");
    tool_params_end(&w);
    kit_look(&w);
    assert_string_equal(kit_text("name"), "swarm_init");
    assert_string_equal(kit_text("arguments.topology"), "mesh");
}

static void json_inside_text(void **state)
{
    (void)state;
    assert_int_equal(read_result("{\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":"
                                 "\"{\\\"swarmId\\\":\\\"s1\\\",\\\"mock\\\":true}\"}]}"),
                     0);
    assert_false(result.failed);
    assert_string_equal(tool_result_string(&result, "swarmId", NULL), "s1");
    assert_string_equal(tool_result_string(&result, "id", "swarmId"), "s1");
    assert_null(tool_result_string(&result, "taskId", "id"));
    assert_true(tool_result_is_mock(&result));
    tool_result_done(&result);
}

static void a_bare_object(void **state)
{
    (void)state;
    assert_int_equal(read_result("{\"status\":\"initialized\",\"swarmId\":\"s2\"}"), 0);
    assert_string_equal(tool_result_string(&result, "swarmId", NULL), "s2");
    assert_false(tool_result_is_mock(&result));
    tool_result_done(&result);
}

static void a_tool_that_says_no(void **state)
{
    (void)state;
    assert_int_equal(read_result("{\"content\":[{\"type\":\"text\",\"text\":\"the task was not found\"}],"
                                 "\"isError\":true}"),
                     0);
    assert_true(result.failed);
    assert_string_equal(result.text, "the task was not found");
    tool_result_done(&result);
    assert_int_equal(
        read_result("{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"success\\\":false,\\\"error\\\":"
                    "\\\"full\\\"}\"}]}"),
        0);
    assert_true(result.failed);
    assert_string_equal(result.text, "full");
    tool_result_done(&result);
}

static void text_that_is_no_json(void **state)
{
    (void)state;
    static const char *const texts[] = {"done", "[1]", "{\\\"a\\\":"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}", texts[i]);
        assert_int_equal(read_result(json), 0);
        assert_false(result.failed);
        assert_null(result.doc);
        assert_true(result.text[0] != '\0');
        assert_null(tool_result_string(&result, "id", NULL));
        tool_result_done(&result);
    }
}

static void strange_results(void **state)
{
    (void)state;
    assert_int_equal(read_result("{\"content\":[]}"), 0);
    assert_null(result.doc);
    tool_result_done(&result);
    assert_int_equal(read_result("{\"content\":\"x\"}"), 0);
    assert_non_null(result.doc);
    tool_result_done(&result);
    assert_int_equal(read_result("7"), 0);
    assert_null(tool_result_string(&result, "id", NULL));
    tool_result_done(&result);
    assert_int_equal(read_result("{"), ERR_SYNTAX);
}

static void without_memory(void **state)
{
    (void)state;
    fault_alloc_install();
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        int rc = read_result("{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"swarmId\\\":\\\"s1\\\"}\"}]}");
        if (rc == 0)
            (void)tool_result_string(&result, "swarmId", NULL);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        if (rc == 0)
            tool_result_done(&result);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired) {
            assert_true(n > 2);
            break;
        }
    }
}

static int clean(void **state)
{
    (void)state;
    kit_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(params_are_those_of_tools_call),
        cmocka_unit_test(json_inside_text),
        cmocka_unit_test(a_bare_object),
        cmocka_unit_test(a_tool_that_says_no),
        cmocka_unit_test(text_that_is_no_json),
        cmocka_unit_test(strange_results),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
