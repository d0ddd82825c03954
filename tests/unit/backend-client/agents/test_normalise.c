/* backend-client/src/normalise*.c: the answers of real servers, each with every value that must come out, and
 * where a list is looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/agents/normalise.h"
#include "mock/mcp.h"
#include "tests/unit/backend-client/agents/agents_fixture.h"
#include "wire/rpc.h"

static const char *const no_words[] = {NULL};

/* One agent and nothing else. */
static void check_one(const char *result, const struct ar_agent *expected)
{
    struct agent_set *set = agents_fixture_read(result);
    assert_int_equal(agent_set_count(set), 1);
    agents_fixture_check(agent_set_get(set, 0), expected);
    assert_int_equal(agent_set_any_mock(set), expected->mock);
    agent_set_release(set);
}

/* ---- real servers ---- */

static void the_agent_control_system(void **state)
{
    (void)state;
    static const char *const words[] = {"planning", "orchestration"};
    struct ar_agent expected = agents_fixture_bare("agent-001");
    expected.type = "coordinator";
    expected.name = "Primary Coordinator";
    expected.status = "active";
    expected.health = 95;
    expected.capabilities = words;
    expected.capability_count = 2;
    expected.swarm_id = "swarm-1";
    expected.created_at_ms = 1754992800000;
    expected.last_activity_ms = 1754992805000;
    expected.tasks_completed = 0;
    expected.tasks_active = 0;
    expected.success_rate = 1;
    expected.cpu = 0.45;
    expected.memory = 0.6;
    check_one(
        "{\"agents\":[{\"id\":\"agent-001\",\"type\":\"coordinator\",\"name\":\"Primary Coordinator\","
        "\"status\":\"active\",\"health\":95,\"capabilities\":[\"planning\",\"orchestration\"],\"swarmId\":\"swarm-1\",\"createdAt\":\"2025-08-12T10:00:00Z\",\"lastActivity\":\"2025-08-12T10:00:05Z\",\"metrics\":{\"tasksCompleted\":0,\"tasksActive\":0,\"successRate\":1.0,\"cpuUsage\":0.45,\"memoryUsage\":0.6}}]}",
        &expected);
}

/* Its snapshot has more beside the agents. */
static void the_agent_control_systems_snapshot(void **state)
{
    (void)state;
    struct ar_agent expected = agents_fixture_bare("agent-003");
    expected.health = 100;
    check_one(
        "{\"timestamp\":\"2025-08-12T10:00:00Z\",\"agentCount\":1,\"agents\":[{\"id\":\"agent-003\","
        "\"health\":100}],\"connections\":[{\"id\":\"conn-001\",\"from\":\"a\",\"to\":\"b\"}],\"metrics\":{\"agents\":{\"total\":1}},\"positions\":{}}",
        &expected);
}

static void claude_flow_2(void **state)
{
    (void)state;
    static const char *const words[] = {"javascript", "python"};
    struct ar_agent expected = agents_fixture_bare("agent_1795177314532_rvh258");
    expected.swarm_id = "swarm_1795177314000_abc";
    expected.name = "Code Agent Alpha";
    expected.type = "coder";
    expected.status = "active";
    expected.capabilities = words;
    expected.capability_count = 2;
    expected.created_at_ms = 1795177314532;
    expected.last_activity_ms = 1795177315000;
    check_one(
        agents_fixture_tool_text(
            "{\"success\":true,\"swarmId\":\"swarm_1795177314000_abc\",\"agents\":[{\"id\":"
            "\"agent_1795177314532_rvh258\",\"swarmId\":\"swarm_1795177314000_abc\",\"name\":\"Code Agent "
            "Alpha\",\"type\":\"coder\",\"status\":\"active\",\"capabilities\":[\"javascript\",\"python\"],\"metadata\":\"{\\\"sessionId\\\":\\\"x\\\"}\",\"createdAt\":\"2026-11-20T12:21:54.532Z\",\"lastActive\":\"2026-11-20T12:21:55.000Z\"}],\"count\":1,\"timestamp\":\"2026-11-20T12:21:5516.000Z\"}"),
        &expected);
}

/* The three that it makes up: the swarm stands beside the list, or in each. */
static void claude_flow_2_makes_some_up(void **state)
{
    (void)state;
    struct agent_set *set = agents_fixture_read(agents_fixture_tool_text(
        "{\"success\":true,\"swarmId\":\"mock-swarm\",\"agents\":[{\"id\":\"agent-1\",\"name\":"
        "\"coordinator-1\",\"type\":\"coordinator\",\"status\":\"active\",\"capabilities\":[]},{\"id\":\"agent-2\",\"name\":\"researcher-1\",\"type\":\"researcher\",\"status\":\"active\",\"capabilities\":[]},{\"id\":\"agent-3\",\"name\":\"coder-1\",\"type\":\"coder\",\"status\":\"busy\",\"capabilities\":[]}],\"count\":3,\"timestamp\":\"2026-11-20T12:21:5516.000Z\"}"));
    assert_int_equal(agent_set_count(set), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(agent_set_get(set, i)->mock);
        assert_null(agent_set_get(set, i)->swarm_id);
    }
    assert_string_equal(agent_set_get(set, 2)->status, "busy");
    agent_set_release(set);

    struct ar_agent expected = agents_fixture_bare("agent-1");
    expected.swarm_id = "mock-swarm";
    expected.mock = true;
    check_one(agents_fixture_tool_text("{\"agents\":[{\"id\":\"agent-1\",\"swarmId\":\"mock-swarm\"}]}"),
              &expected);
}

static void claude_flow_3(void **state)
{
    (void)state;
    struct ar_agent expected = agents_fixture_bare("code-agent-alpha");
    expected.type = "coder";
    expected.status = "idle";
    expected.health = 100;
    expected.created_at_ms = 1795177314532;
    check_one(
        agents_fixture_tool_text(
            "{\"agents\":[{\"agentId\":\"code-agent-alpha\",\"agentType\":\"coder\",\"status\":"
            "\"idle\",\"health\":1,\"taskCount\":0,\"createdAt\":\"2026-11-20T12:21:54.532Z\"}],\"total\":1,\"filters\":{}}"),
        &expected);
}

static void claude_flow_3_health(void **state)
{
    (void)state;
    struct agent_set *set = agents_fixture_read(agents_fixture_tool_text(
        "{\"agents\":[{\"id\":\"a\",\"type\":\"coder\",\"health\":\"healthy\",\"uptime\":5,\"tasks\":{"
        "\"active\":1,\"queued\":2,\"completed\":3,\"failed\":4}},{\"id\":\"b\",\"health\":\"degraded\"},{\"id\":\"c\",\"health\":\"unhealthy\"},{\"id\":\"d\",\"health\":\"unknown\"}],\"overall\":{\"healthy\":1,\"cpu\":0.1}}"));
    struct ar_agent expected = agents_fixture_bare("a");
    expected.type = "coder";
    expected.health = 100;
    expected.tasks_active = 1;
    expected.tasks_completed = 3;
    expected.tasks_failed = 4;
    assert_int_equal(agent_set_count(set), 4);
    agents_fixture_check(agent_set_get(set, 0), &expected);
    assert_true(agent_set_get(set, 1)->health == 50);
    assert_true(agent_set_get(set, 2)->health == 0);
    assert_true(agent_set_get(set, 3)->health == AR_ABSENT);
    agent_set_release(set);
}

static void ruv_swarm(void **state)
{
    (void)state;
    static const char *const words[] = {"analysis"};
    struct ar_agent expected = agents_fixture_bare("agent-1");
    expected.name = "worker";
    expected.type = "analyst";
    expected.status = "idle";
    expected.capabilities = words;
    expected.capability_count = 1;
    check_one(
        agents_fixture_tool_text(
            "{\"total_agents\":1,\"filter_applied\":\"all\",\"agents\":[{\"id\":\"agent-1\","
            "\"name\":\"worker\",\"type\":\"analyst\",\"status\":\"idle\",\"cognitive_pattern\":\"adaptive\",\"capabilities\":[\"analysis\"],\"neural_network_id\":\"nn-1\"}]}"),
        &expected);
}

static void the_snake_case_that_visionflow_reads(void **state)
{
    (void)state;
    struct ar_agent expected = agents_fixture_bare("x");
    expected.type = "coder";
    expected.status = "active";
    expected.name = "X";
    expected.cpu = 0.5;
    expected.memory = 0.3;
    expected.health = 90;
    expected.workload = 0.7;
    expected.activity = "a task";
    expected.tasks_active = 1;
    expected.tasks_completed = 2;
    expected.success_rate = 0.952;
    expected.tokens = 12345;
    expected.swarm_id = "s";
    expected.created_at_ms = 1754992800000;
    check_one(
        "{\"bots\":[{\"id\":\"x\",\"type\":\"coder\",\"status\":\"active\",\"name\":\"X\",\"cpu_usage\":"
        "50.0,\"memory_usage\":30.0,\"health\":90.0,\"workload\":0.7,\"capabilities\":[],\"current_task\":\"a "
        "task\",\"tasks_active\":1,\"tasks_completed\":2,\"success_rate\":95.2,\"tokens\":12345,\"token_rate\":1.5,\"activity\":null,\"swarm_id\":\"s\",\"agent_mode\":\"centralized\",\"parent_queen_id\":null,\"created_at\":\"2025-08-12T10:00:00+00:00\",\"age\":5000}]}",
        &expected);
}

static void visionflows_own_status(void **state)
{
    (void)state;
    static const char *const words[] = {"unit-testing"};
    struct ar_agent expected = agents_fixture_bare("tester-001");
    expected.name = "Test Engineer";
    expected.type = "tester";
    expected.status = "idle";
    expected.capabilities = words;
    expected.capability_count = 1;
    expected.tasks_active = 0;
    expected.tasks_completed = 25;
    expected.tasks_failed = 3;
    expected.success_rate = 0.893;
    expected.activity = "Checking";
    expected.tokens = 9;
    expected.health = 1; /* one percent: there is no agentType beside */
    expected.cpu = 0.25;
    check_one(
        "[{\"agentId\":\"tester-001\",\"status\":\"idle\",\"sessionId\":\"s\",\"profile\":{\"name\":\"Test "
        "Engineer\",\"type\":\"tester\",\"capabilities\":[\"unit-testing\"],\"maxConcurrentTasks\":3},\"activeTasksCount\":0,\"completedTasksCount\":25,\"failedTasksCount\":3,\"successRate\":89.3,\"currentTask\":{\"taskId\":\"t\",\"description\":\"Checking\"},\"performanceMetrics\":{\"tasksCompleted\":1,\"successRate\":1},\"tokenUsage\":{\"total\":9,\"inputTokens\":4},\"health\":1.0,\"cpuUsage\":25.0}]",
        &expected);
}

static void no_agents_is_an_answer(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"agents\":[],\"total\":0,\"filters\":{}}",
        "{\"total_agents\":0,\"filter_applied\":\"all\",\"agents\":[]}",
        "[]",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct agent_set *set = agents_fixture_read(agents_fixture_tool_text(answers[i]));
        assert_int_equal(agent_set_count(set), 0);
        agent_set_release(set);
        set = agents_fixture_read(answers[i]);
        assert_int_equal(agent_set_count(set), 0);
        agent_set_release(set);
    }
}

/* ---- agent-mock ---- */

static struct mock *world;
static struct mcp server;

/* The result of one request, as a string of its own. */
static const char *ask_mock(const char *request)
{
    static char result[65536];
    struct rpc_envelope env;
    buf_clear(&server.out);
    rpc_scan_line(request, strlen(request), &env);
    mcp_frame(&server, request, strlen(request), &env);
    rpc_scan_line(buf_data(&server.out), buf_len(&server.out) - 1, &env);
    assert_int_equal(env.kind, RPC_RESULT);
    assert_true(env.result.len < sizeof(result));
    memcpy(result, buf_data(&server.out) + env.result.off, env.result.len);
    result[env.result.len] = '\0';
    return result;
}

/* What the mock's world holds, as far as one of its two lists has it. */
static struct ar_agent reported_by(size_t index)
{
    struct mock_agent m;
    struct ar_agent expected;
    assert_true(mock_agent_get(world, index, server.fixed_now_ms, &m));
    expected = agents_fixture_bare(m.id);
    expected.name = m.name;
    expected.type = m.type;
    expected.status = m.status;
    expected.swarm_id = m.swarm_id;
    expected.capabilities = m.capability_count > 0 ? m.capabilities : no_words;
    expected.capability_count = m.capability_count;
    expected.health = m.health;
    expected.cpu = m.cpu;
    expected.memory = m.memory;
    expected.success_rate = m.success_rate;
    expected.tasks_active = (int64_t)m.tasks_active;
    expected.tasks_completed = (int64_t)m.tasks_completed;
    expected.created_at_ms = (int64_t)m.created_at_ms;
    expected.last_activity_ms = (int64_t)m.last_active_ms;
    expected.mock = true;
    expected.activity = m.activity;
    expected.workload = m.workload;
    expected.tasks_failed = (int64_t)m.tasks_failed;
    expected.tokens = (int64_t)m.tokens;
    return expected;
}

static void check_world(const char *request)
{
    struct agent_set *set = agents_fixture_read(ask_mock(request));
    assert_int_equal(agent_set_count(set), mock_agent_count(world));
    for (size_t i = 0; i < agent_set_count(set); i++) {
        struct ar_agent expected = reported_by(i);
        agents_fixture_check(agent_set_get(set, i), &expected);
    }
    agent_set_release(set);
}

/* At many moments, by the tool and by the method: the numbers wander, and each must come out as it is. */
static void every_number_of_agent_mock(void **state)
{
    (void)state;
    char problem[100];
    const uint64_t start_ms = 1767225600000;
    struct mock_options options = {.seed = 3, .start_ms = start_ms};
    assert_int_equal(mock_new(&options, &world, problem, sizeof(problem)), 0);
    mcp_init(&server, world);
    server.clock_is_fixed = true;
    server.fixed_now_ms = start_ms;
    (void)ask_mock("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
                   "\"agent_spawn\",\"arguments\":{\"type\":\"coder\",\"name\":\"\\u00c4\\\"\\n\"}}}");
    for (unsigned i = 0; i < 500; i++) {
        server.fixed_now_ms = start_ms + i * UINT64_C(7919);
        check_world(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"agent_list\",\"arguments\":{\"filter\":\"all\"}}}");
        check_world("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agents/list\",\"params\":{}}");
    }
    mcp_done(&server);
    mock_free(world);
}

/* ---- where the list stands ---- */

static void check_found(const char *result, const char *id)
{
    struct ar_agent expected = agents_fixture_bare(id);
    check_one(result, &expected);
}

static void each_place_and_their_order(void **state)
{
    (void)state;
#define LIST(id) "[{\"id\":\"" id "\"}]"
#define TEXT(id) "{\"type\":\"text\",\"text\":\"{\\\"agents\\\":[{\\\"id\\\":\\\"" id "\\\"}]}\"}"
    check_found("{\"agents\":" LIST("a") "}", "a");
    check_found("{\"content\":[" TEXT("b") "]}", "b");
    check_found("{\"structuredContent\":{\"agents\":" LIST("c") "}}", "c");
    check_found("{\"activeAgents\":" LIST("d") "}", "d");
    check_found("{\"bots\":" LIST("e") "}", "e");
    check_found("{\"data\":{\"agents\":" LIST("f") "}}", "f");
    check_found(LIST("g"), "g");

    check_found("{\"data\":{\"agents\":" LIST("f") "},\"bots\":" LIST("e") "}", "e");
    check_found("{\"bots\":" LIST("e") ",\"activeAgents\":" LIST("d") "}", "d");
    check_found("{\"activeAgents\":" LIST("d") ",\"structuredContent\":{\"agents\":" LIST("c") "}}", "c");
    check_found("{\"structuredContent\":{\"agents\":" LIST("c") "},\"content\":[" TEXT("b") "]}", "b");
    check_found("{\"content\":[" TEXT("b") "],\"agents\":" LIST("a") "}", "a");
    check_found("{\"\\u0061gents\":" LIST("a") "}", "a"); /* keys are compared decoded */
    check_found("{\"agents\":" LIST("y") ",\"agents\":" LIST("z") "}", "z");
}

static void what_is_no_list_is_passed_over(void **state)
{
    (void)state;
    check_found("{\"agents\":{\"total\":1},\"bots\":" LIST("e") "}", "e");
    check_found("{\"agents\":null,\"content\":\"x\",\"activeAgents\":7,\"bots\":" LIST("e") "}", "e");
    check_found("{\"content\":[{\"type\":\"image\",\"data\":\"x\"},7,{\"text\":\"Here they are:\"},{\"text\":"
                "\"{}\"},{\"text\":\"\"}," TEXT("b") "]}",
                "b");
    check_found("{\"content\":[{\"text\":\"no\"}],\"structuredContent\":{\"agents\":" LIST("c") "}}", "c");
    check_found("{\"content\":[{\"text\":\"[{\\\"id\\\":\\\"h\\\"}]\"}]}", "h");
    check_found("{\"content\":[{\"text\":\"{\\\"data\\\":{\\\"agents\\\":[{\\\"id\\\":\\\"i\\\"}]}}\"}]}",
                "i");
    check_found(
        "{\"agents\":[1,null,\"x\",[],{},{\"name\":\"no id\"},{\"id\":7},{\"id\":\"\"},{\"id\":\"a\"},{\"id\":\"a\",\"name\":\"again\"}]}",
        "a");
}

static void a_list_may_be_marked_as_mock(void **state)
{
    (void)state;
    struct ar_agent expected = agents_fixture_bare("a");
    expected.mock = true;
    check_one("{\"mock\":true,\"agents\":" LIST("a") "}", &expected);
    check_one("{\"mock\":true,\"content\":[" TEXT("a") "]}", &expected);
    check_one("{\"data\":{\"mock\":true,\"agents\":" LIST("a") "}}", &expected);
    check_one("{\"source\":\"mock\",\"agents\":" LIST("a") "}", &expected);
    check_one("{\"agents\":[{\"id\":\"a\",\"source\":\"mock\"}]}", &expected);
    check_one(agents_fixture_tool_text("{\"mock\":true,\"data\":{\"agents\":" LIST("a") "}}"), &expected);
    check_one(agents_fixture_tool_text("{\"swarmId\":\"mock-swarm\",\"activeAgents\":" LIST("a") "}"),
              &expected);
    expected.mock = false;
    check_one("{\"mock\":false,\"source\":\"live\",\"agents\":" LIST("a") "}", &expected);
    check_one("{\"mock\":\"true\",\"agents\":[{\"id\":\"a\",\"mock\":1}]}", &expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_agent_control_system),
        cmocka_unit_test(the_agent_control_systems_snapshot),
        cmocka_unit_test(claude_flow_2),
        cmocka_unit_test(claude_flow_2_makes_some_up),
        cmocka_unit_test(claude_flow_3),
        cmocka_unit_test(claude_flow_3_health),
        cmocka_unit_test(ruv_swarm),
        cmocka_unit_test(the_snake_case_that_visionflow_reads),
        cmocka_unit_test(visionflows_own_status),
        cmocka_unit_test(no_agents_is_an_answer),
        cmocka_unit_test(every_number_of_agent_mock),
        cmocka_unit_test(each_place_and_their_order),
        cmocka_unit_test(what_is_no_list_is_passed_over),
        cmocka_unit_test(a_list_may_be_marked_as_mock),
    };
    return cmocka_run_group_tests_name("client_normalise", tests, NULL, NULL);
}
