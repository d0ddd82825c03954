/* agent-backend: the text of a tool's result, in each form that servers give it. */
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
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/backend-client/service/service_fixture.h"

static struct tool_result result;

static bool words_are(const char *words)
{
    size_t len;
    const char *text = tool_result_words(&result, &len);
    return text && len == strlen(words) && memcmp(text, words, len) == 0;
}

/* NULL: none. */
static bool id_is(const char *thing, const char *id)
{
    size_t len;
    const char *named = tool_result_id(&result, thing, &len);
    return named && id ? len == strlen(id) && memcmp(named, id, len) == 0 : named == id;
}

static int read_result(const char *json)
{
    return tool_result_read(json, strlen(json), &result);
}

static void params_are_those_of_tools_call(void **state)
{
    static const char wanted[] = "{\"name\":\"swarm_init\",\"arguments\":{\"topology\":\"mesh\"}}";
    struct tool_params p;
    struct buf params;
    (void)state;
    buf_init(&params, 1000);
    tool_params_begin(&p, &params, NULL, "swarm_init");
    tool_params_string(&p, "topology", "mesh");
    assert_int_equal(tool_params_end(&p), 0);
    assert_int_equal(buf_len(&params), sizeof(wanted) - 1);
    assert_memory_equal(buf_data(&params), wanted, sizeof(wanted) - 1);
    buf_done(&params);
}

/* claude-flow 3 says of what it does not know that it is well. */
static void nothing_but_an_error_is_a_failure(void **state)
{
    static const struct {
        const char *object;
        bool failed;
    } cases[] = {
        {"{\"taskId\":\"x\",\"status\":\"not_found\",\"error\":\"Task not found\"}", true},
        {"{\"taskId\":\"x\",\"error\":\"Task not found\"}", true},
        {"{\"status\":\"error\",\"error\":\"no\"}", true},
        {"{\"taskId\":\"x\",\"status\":\"failed\",\"error\":\"it ran, and broke\"}", false},
        {"{\"success\":true,\"error\":\"a warning\"}", false},
        {"{\"success\":false,\"error\":\"no\"}", true},
        {"{\"error\":null,\"taskId\":\"x\"}", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_result(cases[i].object), 0);
        if (result.failed != cases[i].failed)
            fail_msg("%s", cases[i].object);
        tool_result_done(&result);
    }
}

static void json_inside_text(void **state)
{
    (void)state;
    assert_int_equal(
        read_result(
            "{\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"{\\\"swarmId\\\":\\\"s1\\\",\\\"mock\\\":true}\"}]}"),
        0);
    assert_false(result.failed);
    assert_string_equal(tool_result_string(&result, "swarm", "swarmId"), "s1");
    assert_true(id_is("swarm", "s1"));
    assert_true(id_is("task", NULL));
    assert_true(tool_result_is_mock(&result));
    tool_result_done(&result);
}

static void a_bare_object(void **state)
{
    (void)state;
    assert_int_equal(read_result("{\"status\":\"initialized\",\"swarmId\":\"s2\"}"), 0);
    assert_true(id_is("swarm", "s2"));
    assert_true(words_are("{\"status\":\"initialized\",\"swarmId\":\"s2\"}"));
    assert_false(tool_result_is_mock(&result));
    tool_result_done(&result);
}

static void a_tool_that_says_no(void **state)
{
    (void)state;
    assert_int_equal(
        read_result(
            "{\"content\":[{\"type\":\"text\",\"text\":\"the task was not found\"}],\"isError\":true}"),
        0);
    assert_true(result.failed);
    assert_true(words_are("the task was not found"));
    tool_result_done(&result);
    assert_int_equal(
        read_result(
            "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"success\\\":false,\\\"error\\\":\\\"full\\\"}\"}]}"),
        0);
    assert_true(result.failed);
    assert_true(words_are("full"));
    tool_result_done(&result);
}

static void ids_in_each_form(void **state)
{
    (void)state;
    static const struct {
        const char *json, *id;
    } cases[] = {{"{\"taskId\":\"t\",\"id\":\"other\"}", "t"},
                 {"{\"task_id\":\"t\"}", "t"},
                 {"{\"id\":12345}", "12345"},
                 {"{\"taskId\":1e400}", "1e400"},
                 {"{\"task\":{\"id\":\"t\"}}", "t"},
                 {"{\"taskId\":null,\"task\":{\"taskId\":7}}", "7"},
                 {"{\"content\":[],\"structuredContent\":{\"taskId\":\"t\"}}", "t"},
                 {"{\"content\":[{\"text\":\"ok\"}],\"structuredContent\":{\"taskId\":\"t\"}}", "t"},
                 {"{\"taskId\":\"\"}", NULL},
                 {"{\"taskId\":true,\"task\":\"t\",\"id\":[1]}", NULL},
                 {"{\"swarmId\":\"s\"}", NULL},
                 {"{}", NULL},
                 {"[1,2]", NULL},
                 {"\"hello\"", NULL},
                 {"null", NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_result(cases[i].json), 0);
        if (!id_is("task", cases[i].id))
            fail_msg("%s", cases[i].json);
        tool_result_done(&result);
    }
}

static void text_that_is_no_json(void **state)
{
    (void)state;
    static const struct {
        const char *quoted, *words;
    } texts[] = {{"done", "done"}, {"[1]", "[1]"}, {"{\\\"a\\\":", "{\"a\":"}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char json[128];
        (void)snprintf(json, sizeof(json), "{\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}",
                       texts[i].quoted);
        assert_int_equal(read_result(json), 0);
        assert_false(result.failed);
        assert_null(result.doc);
        assert_true(words_are(texts[i].words));
        assert_true(id_is("task", NULL));
        tool_result_done(&result);
    }
}

static void strange_results(void **state)
{
    (void)state;
    assert_int_equal(read_result("{\"content\":[]}"), 0);
    assert_null(result.doc);
    assert_null(result.words);
    tool_result_done(&result);
    assert_int_equal(read_result("{\"content\":\"x\"}"), 0);
    assert_non_null(result.doc);
    tool_result_done(&result);
    assert_int_equal(read_result("7"), 0);
    assert_true(words_are("7"));
    tool_result_done(&result);
    assert_int_equal(read_result("\"hello\""), 0);
    assert_true(words_are("hello"));
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
            assert_true(id_is("swarm", "s1"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(params_are_those_of_tools_call),
        cmocka_unit_test(nothing_but_an_error_is_a_failure),
        cmocka_unit_test(json_inside_text),
        cmocka_unit_test(a_bare_object),
        cmocka_unit_test(a_tool_that_says_no),
        cmocka_unit_test(ids_in_each_form),
        cmocka_unit_test(text_that_is_no_json),
        cmocka_unit_test(strange_results),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, json_tear_down);
}
