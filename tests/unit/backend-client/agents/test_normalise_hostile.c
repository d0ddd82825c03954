/* backend-client/src/normalise*.c: answers that are broken, endless, refused or hostile, and too little
 * memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/agents/normalise.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "tests/unit/backend-client/agents/agents_fixture.h"
#include "tests/unit/common/fault_alloc.h"

static const char whole[] =
    "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"agents\\\":[{\\\"agentId\\\":\\\"a\\\","
    "\\\"agentType\\\":\\\"coder\\\",\\\"health\\\":1,\\\"capabilities\\\":[\\\"x\\\",\\\"y\\\"]},{\\\"id\\\":\\\"b\\\",\\\"createdAt\\\":\\\"2025-08-12T10:00:00Z\\\"}],\\\"total\\\":2}\"}]}";

static struct buf text;

static void append(const char *string)
{
    assert_int_equal(buf_append(&text, string, strlen(string)), 0);
}

/* `count` times `piece`, between `before` and `after`, as a string valid until the next one. */
static const char *repeated(const char *before, const char *piece, size_t count, const char *after)
{
    buf_done(&text);
    buf_init(&text, (size_t)128 << 20);
    append(before);
    for (size_t i = 0; i < count; i++)
        append(piece);
    append(after);
    assert_int_equal(buf_append(&text, "", 1), 0);
    return buf_data(&text);
}

static void check_refused(const char *answer, int code, const char *why)
{
    int rc = agents_fixture_refused(answer, strlen(answer));
    if (rc != code || strcmp(reason, why) != 0)
        fail_msg("%d %s, not %d %s", rc, reason, code, why);
}

/* ---- not what it should be ---- */

#define NO_JSON "the server's answer is not valid JSON"
#define NO_LIST "the answer holds no list of agents in any known place"

static void what_is_no_json(void **state)
{
    (void)state;
    check_refused("", ERR_SYNTAX, NO_JSON);
    check_refused("{\"agents\":[", ERR_SYNTAX, NO_JSON);
    check_refused("{\"agents\":[{\"id\":\"a\",\"health\":NaN}]}", ERR_SYNTAX, NO_JSON);
    check_refused("{\"agents\":[{\"id\":\"a\",\"health\":Infinity}]}", ERR_SYNTAX, NO_JSON);
    check_refused("{\"agents\":[{\"id\":\"a\"}],}", ERR_SYNTAX, NO_JSON);
    check_refused("{\"agents\":[{\"id\":\"\xff\"}]}", ERR_SYNTAX, NO_JSON);
}

static void what_has_no_list(void **state)
{
    (void)state;
    check_refused("{}", ERR_NOT_FOUND, NO_LIST);
    check_refused("null", ERR_NOT_FOUND, NO_LIST);
    check_refused("7", ERR_NOT_FOUND, NO_LIST);
    check_refused("{\"agents\":\"none\"}", ERR_NOT_FOUND, NO_LIST);
    check_refused("{\"agent\":{\"agents\":[]}}", ERR_NOT_FOUND, NO_LIST);
    check_refused("{\"content\":[]}", ERR_NOT_FOUND, NO_LIST);
    check_refused("{\"content\":[{\"type\":\"text\",\"text\":\" No swarm yet.\\n\"}]}", ERR_NOT_FOUND,
                  "the answer holds no list of agents, but says: No swarm yet.");
    check_refused("{\"message\":\"come back later\"}", ERR_NOT_FOUND,
                  "the answer holds no list of agents, but says: come back later");
}

static void a_server_that_says_it_failed(void **state)
{
    (void)state;
#define FAILED "the server could not list its agents"
    check_refused("{\"content\":[{\"type\":\"text\",\"text\":\"no such filter\"}],\"isError\":true}",
                  ERR_TYPE, FAILED ": no such filter");
    check_refused("{\"isError\":true,\"agents\":[{\"id\":\"a\"}]}", ERR_TYPE,
                  FAILED ", and does not say why");
    check_refused(
        agents_fixture_tool_text(
            "{\"success\":false,\"error\":\"database is locked\",\"agents\":[],\"timestamp\":\"2026-11-20T12:21:54.532Z\"}"),
        ERR_TYPE, FAILED ": database is locked");
    check_refused("{\"success\":false,\"error\":{\"message\":\"m\"},\"agents\":[]}", ERR_TYPE, FAILED ": m");
    check_refused("{\"success\":false,\"error\":7,\"agents\":[]}", ERR_TYPE, FAILED ", and does not say why");
    struct agent_set *set =
        agents_fixture_read("{\"isError\":\"true\",\"success\":0,\"agents\":[]}"); /* no booleans */
    agent_set_release(set);
}

static void its_words_are_made_safe(void **state)
{
    (void)state;
    static char answer[4096];
    check_refused(
        "{\"isError\":true,\"content\":[{\"text\":\"\\u001b[31mred\\r\\n\\u202e\\ud800x\\u0007\"}]}",
        ERR_TYPE, FAILED ": [31mred \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx");
    for (size_t len = 100; len < 300; len++) {
        char *end = answer;
        end += snprintf(answer, sizeof(answer), "{\"isError\":true,\"content\":[{\"text\":\"");
        for (size_t i = 0; i < len; i++)
            end += snprintf(end, 16, "\xe2\x82\xac");
        (void)snprintf(end, 16, "\"}]}");
        assert_int_equal(agents_fixture_refused(answer, strlen(answer)), ERR_TYPE);
        assert_true(strlen(reason) < sizeof(reason));
        assert_true(strlen(reason) < 220);
        assert_string_equal(reason + strlen(reason) - 6, "\xe2\x82\xac...");
    }
}

/* Cut anywhere, in exactly as much memory (a sanitizer sees a read behind it): an error, or fewer agents. */
static void cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        char *answer = malloc(len > 0 ? len : 1);
        assert_non_null(answer);
        memcpy(answer, whole, len);
        assert_int_equal(agents_fixture_refused(answer, len), ERR_SYNTAX);
        free(answer);
    }
    struct agent_set *set = agents_fixture_read(whole);
    assert_int_equal(agent_set_count(set), 2);
    agent_set_release(set);
}

/* ---- wrong inside ---- */

static void wrong_types_are_absent(void **state)
{
    (void)state;
    struct ar_agent expected = agents_fixture_bare("a");
    static const char *const values[] = {"null", "[]", "{}",    "[1]",   "{\"a\":1}",
                                         "\"\"", "-1", "1e308", "-1e308"};
    static const char *const keys[] = {"name",         "type",         "status",      "swarmId",
                                       "activity",     "health",       "cpu",         "memory",
                                       "workload",     "successRate",  "tokens",      "createdAt",
                                       "lastActivity", "capabilities", "tasksActive", "tasksCompleted",
                                       "tasksFailed",  "metrics",      "currentTask", "profile",
                                       "tasks",        "mock"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        buf_done(&text);
        buf_init(&text, 10000);
        append("{\"agents\":[{\"id\":\"a\"");
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            append(",\"");
            append(keys[k]);
            append("\":");
            append(values[i]);
        }
        append("}]}");
        assert_int_equal(buf_append(&text, "", 1), 0);
        struct agent_set *set = agents_fixture_read(buf_data(&text));
        agents_fixture_check(agent_set_get(set, 0), &expected);
        agent_set_release(set);
    }
}

static void hostile_strings(void **state)
{
    (void)state;
    static const char *const words[] = {"x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"};
    struct ar_agent expected = agents_fixture_bare("a\nb");
    expected.type = "\xf0\x9f\x98\x80";
    expected.capabilities = words;
    expected.capability_count = 2;
    struct agent_set *set = agents_fixture_read(
        "{\"agents\":[{\"id\":\"a\\u0000b\"},{\"id\":\"a\\nb\",\"name\":\"x\\u0000\",\"ty\\u0070e\":"
        "\"\\ud83d\\ude00\",\"capabilities\":[\"x\",7,null,\"\",\"\\u0000\",[\"y\"],\"\\ud800\"]}]}");
    assert_int_equal(agent_set_count(set), 1);
    agents_fixture_check(agent_set_get(set, 0), &expected);
    agent_set_release(set);
}

static void deep_nesting(void **state)
{
    (void)state;
#define TOO_DEEP "the server's list of agents is nested too deeply to be read"
    static char answer[4000], inside[4000];
    const char *deep = repeated("", "[", 1000, "");
    (void)snprintf(answer, sizeof(answer), "{\"agents\":%s", deep);
    check_refused(answer, ERR_DEPTH, TOO_DEEP);
    (void)snprintf(inside, sizeof(inside), "{\"agents\":%s", deep);
    check_refused(agents_fixture_tool_text(inside), ERR_DEPTH, TOO_DEEP);

    /* As deep as is allowed, in a value that is never read. */
    static char open[130], shut[130];
    memset(open, '[', 120);
    memset(shut, ']', 120);
    (void)snprintf(answer, sizeof(answer), "{\"agents\":[{\"id\":\"a\",\"health\":%s%s}]}", open, shut);
    struct ar_agent expected = agents_fixture_bare("a");
    struct agent_set *set = agents_fixture_read(answer);
    agents_fixture_check(agent_set_get(set, 0), &expected);
    agent_set_release(set);
}

/* ---- too much ---- */

static const char *many_agents(int count)
{
    char agent[100];
    buf_done(&text);
    buf_init(&text, (size_t)64 << 20);
    append("{\"agents\":[");
    for (int i = 0; i < count; i++) {
        (void)snprintf(agent, sizeof(agent), "%s{\"id\":\"agent-%d\",\"metrics\":{\"cpuUsage\":0.5}}",
                       i > 0 ? "," : "", count - i);
        append(agent);
    }
    append("]}");
    assert_int_equal(buf_append(&text, "", 1), 0);
    return buf_data(&text);
}

static void ten_thousand_agents_and_one(void **state)
{
    (void)state;
    struct agent_set *set = agents_fixture_read(many_agents(SET_MAX_AGENTS));
    assert_int_equal(agent_set_count(set), SET_MAX_AGENTS);
    assert_non_null(agent_set_find(set, "agent-1"));
    assert_false(agent_set_is_cut(set));
    agent_set_release(set);
    /* One more: the first ones, in the server's order, and a note that there are more. */
    set = agents_fixture_read(many_agents(SET_MAX_AGENTS + 1));
    assert_int_equal(agent_set_count(set), SET_MAX_AGENTS);
    assert_true(agent_set_is_cut(set));
    assert_string_equal(agent_set_get(set, 0)->id, "agent-10001");
    assert_string_equal(agent_set_get(set, SET_MAX_AGENTS - 1)->id, "agent-2");
    assert_null(agent_set_find(set, "agent-1"));
    agent_set_release(set);
    /* The same one again and again is one. */
    set = agents_fixture_read(repeated("[{\"id\":\"a\"}", ",{\"id\":\"a\"}", SET_MAX_AGENTS + 1, "]"));
    assert_int_equal(agent_set_count(set), 1);
    assert_false(agent_set_is_cut(set));
    agent_set_release(set);
}

static void more_tokens_than_are_read(void **state)
{
    (void)state;
    const char *why = "the server's list of agents has more parts than a client reads (four million)";
    check_refused(repeated("[0", ",0", NORMALISE_MAX_TOKENS, "]"), ERR_TOO_LARGE, why);
    check_refused(agents_fixture_tool_text(repeated("[0", ",0", NORMALISE_MAX_TOKENS, "]")), ERR_TOO_LARGE,
                  why);
    struct agent_set *set = agents_fixture_read(repeated("[0", ",0", NORMALISE_MAX_TOKENS - 2, "]"));
    assert_int_equal(agent_set_count(set), 0);
    agent_set_release(set);
}

/* Each string is cut, so it takes many agents to be too much. */
static void a_great_deal_of_text(void **state)
{
    (void)state;
    struct agent_set *set =
        agents_fixture_read(repeated("[{\"id\":\"a\",\"name\":\"", "n", (size_t)20 << 20, "\"}]"));
    assert_int_equal(strlen(agent_set_get(set, 0)->name), SET_MAX_WORD_BYTES);
    agent_set_release(set);

    char agent[200], word[1100];
    memset(word, 'w', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    buf_done(&text);
    buf_init(&text, (size_t)64 << 20);
    append("[0");
    for (int i = 0; i < 9000; i++) {
        (void)snprintf(agent, sizeof(agent), ",{\"id\":\"%d\",\"name\":\"", i);
        append(agent);
        append(word);
        append("\",\"type\":\"");
        append(word);
        append("\"}");
    }
    append("]");
    assert_int_equal(buf_append(&text, "", 1), 0);
    set = agents_fixture_read(buf_data(&text));
    assert_true(agent_set_is_cut(set));
    size_t kept = agent_set_count(set);
    assert_in_range(kept, 8000, 8999);
    (void)snprintf(agent, sizeof(agent), "%zu", kept - 1);
    assert_string_equal(agent_set_get(set, kept - 1)->id, agent);
    assert_int_equal(strlen(agent_set_get(set, kept - 1)->type), SET_MAX_WORD_BYTES);
    agent_set_release(set);
}

/* ---- too little ---- */

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    size_t runs = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++, runs++) {
        struct set_builder builder;
        struct agent_set *set = NULL;
        set_builder_init(&builder);
        fault_alloc_fail_at(n);
        int rc = normalise_agents(whole, sizeof(whole) - 1, &builder, reason, sizeof(reason));
        bool said = reason[0] != '\0';
        int finished = set_builder_finish(&builder, &set);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(said, rc != 0);
        assert_int_equal(rc == 0 && finished == 0, !fired);
        agent_set_release(set);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            break;
    }
    assert_true(runs >= 14);
    mem_set(NULL);
}

static int forget(void **state)
{
    (void)state;
    buf_done(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json),
        cmocka_unit_test(what_has_no_list),
        cmocka_unit_test(a_server_that_says_it_failed),
        cmocka_unit_test(its_words_are_made_safe),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(wrong_types_are_absent),
        cmocka_unit_test(hostile_strings),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(ten_thousand_agents_and_one),
        cmocka_unit_test(more_tokens_than_are_read),
        cmocka_unit_test(a_great_deal_of_text),
        cmocka_unit_test(the_nth_allocation_fails),
    };
    return cmocka_run_group_tests_name("client_normalise_hostile", tests, NULL, forget);
}
