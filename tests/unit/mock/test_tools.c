/* mock/: the tools of the MCP server over the world, and the methods of the agent control system: their
 * shapes, field by field, and what they refuse. */
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

/* ---- tools ---- */

static void tools_have_schemas(void **state)
{
    (void)state;
    static const char *const names[] = {"agent_list",   "swarm_init",    "agent_spawn",      "agent_metrics",
                                        "swarm_status", "swarm_destroy", "task_orchestrate", "task_status",
                                        "echo",         "slow"};
    send_lines("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n");
    open_line(0);
    assert_int_equal(json_count(doc, at("result.tools")), sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "result.tools.%zu.name", i);
        assert_string_equal(text_at(path), names[i]);
        (void)snprintf(path, sizeof(path), "result.tools.%zu.inputSchema.type", i);
        assert_string_equal(text_at(path), "object");
        (void)snprintf(path, sizeof(path), "result.tools.%zu.inputSchema.properties", i);
        assert_true(json_count(doc, at(path)) > 0);
        (void)snprintf(path, sizeof(path), "result.tools.%zu.description", i);
        assert_true(strlen(text_at(path)) > 10);
    }
    assert_string_equal(text_at("result.tools.2.inputSchema.required.0"), "type");
}

static void agent_list_in_the_known_shape(void **state)
{
    (void)state;
    static const char *const fields[] = {"id",           "swarmId",
                                         "name",         "type",
                                         "status",       "capabilities",
                                         "metadata",     "createdAt",
                                         "lastActive",   "cpu_usage",
                                         "health",       "memory_usage",
                                         "workload",     "current_task",
                                         "tasks_active", "activity",
                                         "tokens",       "tasks_completed",
                                         "swarm_id",     "success_rate",
                                         "token_rate",   "parent_queen_id",
                                         "agent_mode",   "created_at",
                                         "age",          "mock"};
    expect_tool_json("agent_list", "{\"filter\":\"all\"}");
    assert_int_equal(number_at("count"), 5);
    assert_int_equal(json_count(doc, at("agents")), 5);
    for (json_node a = json_first(doc, at("agents")); a != JSON_ABSENT; a = json_next(doc, a)) {
        bool marked = false;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
            assert_true(json_get(doc, a, fields[i]) != JSON_ABSENT);
        assert_true(json_bool(doc, json_get(doc, a, "mock"), &marked) && marked);
        assert_string_equal(json_string(doc, json_get(doc, a, "metadata"), NULL), "{\"mock\":true}");
    }
    assert_string_equal(text_at("agents.1.parent_queen_id"), "coordinator-001");
    assert_int_equal(json_type(doc, at("agents.0.parent_queen_id")), JSON_NULL);
    expect_tool_json("agent_list", "{\"filter\":\"idle\"}");
    assert_int_equal(number_at("count"), 1);
    assert_string_equal(text_at("agents.0.id"), "tester-001");
    expect_tool_json("agent_list", "{\"filter\":\"busy\"}");
    assert_int_equal(number_at("count"), 4);
    expect_tool_error("agent_list", "{\"filter\":\"some\"}", "filter must be one of all, active, idle, busy");
    expect_tool_error("agent_list", "{\"filter\":7}", "filter must be a string");
    expect_tool_error("agent_list", "{\"swarmId\":\"x\"}", "the swarm was not found");
}

static void agents_are_spawned_into_swarms(void **state)
{
    (void)state;
    expect_tool_json("swarm_init", "{\"topology\":\"mesh\",\"maxAgents\":1,\"strategy\":\"auto\"}");
    assert_string_equal(text_at("status"), "initialized");
    assert_string_equal(text_at("topology"), "mesh");
    assert_string_equal(text_at("strategy"), "auto");
    assert_int_equal(number_at("maxAgents"), 1);
    char swarm[64];
    (void)snprintf(swarm, sizeof(swarm), "%s", text_at("swarmId"));
    expect_tool_json(
        "agent_spawn",
        "{\"type\":\"coder\",\"name\":\"Code Agent Alpha\",\"capabilities\":[\"javascript\",\"python\"]}");
    assert_string_equal(text_at("swarmId"), swarm);
    assert_string_equal(text_at("capabilities.1"), "python");
    assert_string_equal(text_at("status"), "active");
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", text_at("agentId"));
    expect_tool_json("agent_list", "{}");
    assert_int_equal(number_at("count"), 6);
    assert_string_equal(text_at("agents.5.id"), id);
    assert_string_equal(text_at("swarmId"), swarm);
    expect_tool_error("agent_spawn", "{\"type\":\"coder\"}", "no agent was spawned: the swarm is full");
    expect_tool_error("agent_spawn", "{}", "type is required");
    expect_tool_error("agent_spawn", "{\"type\":\"\"}", "type is required");
    expect_tool_error("agent_spawn", "{\"type\":\"a\",\"capabilities\":[1]}",
                      "capabilities must hold strings of 1 to 128 bytes");
    expect_tool_error("swarm_init", "{\"topology\":\"cube\"}",
                      "topology must be one of hierarchical, mesh, ring, star");
    expect_tool_error("swarm_init", "{\"maxAgents\":0}", "maxAgents must be a whole number from 1 to 100");
    expect_tool_error("swarm_init", "{\"maxAgents\":101}", "maxAgents must be a whole number from 1 to 100");
    expect_tool_json("swarm_status", "{}");
    assert_int_equal(number_at("agentCount"), 1);
    assert_int_equal(number_at("activeAgents"), 1);
    expect_tool_json("swarm_destroy", "{}");
    assert_string_equal(text_at("swarmId"), swarm);
    assert_int_equal(number_at("agentsEnded"), 1);
    expect_tool_json("agent_list", "{}");
    assert_int_equal(number_at("count"), 5);
    expect_tool_json("swarm_status", "{}");
    assert_int_equal(number_at("agentCount"), 5);
    expect_tool_error("swarm_status", "{\"swarmId\":\"gone\"}", "the swarm was not found");
    expect_tool_error("swarm_destroy", "{\"swarmId\":\"gone\"}", "the swarm was not found");
}

static void metrics_of_agents(void **state)
{
    (void)state;
    expect_tool_json("agent_metrics", "{}");
    assert_int_equal(number_at("count"), 5);
    expect_tool_json("agent_metrics", "{\"agentId\":\"coder-001\"}");
    assert_int_equal(number_at("count"), 1);
    assert_int_equal(number_at("metrics.0.tasksCompleted"), 30);
    assert_true(is_true_at("metrics.0.mock"));
    expect_tool_error("agent_metrics", "{\"agentId\":\"x\"}", "the agent was not found");
}

static void tasks_go_their_way(void **state)
{
    (void)state;
    char id[64], arguments[100];
    expect_tool_json("task_orchestrate", "{\"task\":\"Build a \\\"thing\\\"\",\"priority\":\"high\"}");
    assert_string_equal(text_at("status"), "pending");
    assert_string_equal(text_at("task"), "Build a \"thing\"");
    assert_string_equal(text_at("priority"), "high");
    assert_string_equal(text_at("strategy"), "adaptive");
    (void)snprintf(id, sizeof(id), "%s", text_at("taskId"));
    (void)snprintf(arguments, sizeof(arguments), "{\"taskId\":\"%s\"}", id);
    expect_tool_json("task_status", arguments);
    assert_string_equal(text_at("status"), "pending");
    assert_int_equal(json_type(doc, at("startedAt")), JSON_NULL);
    server.fixed_now_ms = NOW + 3000;
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"task_status\"}}\n");
    assert_non_null(strstr(line[0], "in_progress"));
    server.fixed_now_ms = NOW + 20000;
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"task_status\",\"arguments\":{}}}\n");
    assert_non_null(strstr(line[0], "\\\"status\\\":\\\"completed\\\",\\\"progress\\\":100"));
    server.fixed_now_ms = NOW;
    expect_tool_json("swarm_status", "{}");
    assert_int_equal(number_at("taskCount"), 1);
    assert_int_equal(number_at("pendingTasks"), 1);
    expect_tool_error("task_status", "{\"taskId\":\"x\"}", "the task was not found");
    expect_tool_error("task_orchestrate", "{}", "task is required");
    expect_tool_error("task_orchestrate", "{\"task\":\"t\",\"priority\":\"now\"}",
                      "priority must be one of low, medium, high, critical");
}

static void echo_is_exact(void **state)
{
    (void)state;
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
        "call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"message\":\"a\\u0000b\\/\\u00e9 é\xE2\x80\x8D\"}}}\n");
    assert_string_equal(
        line[0],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a\\u0000b\\/\\u00e9 é\xE2\x80\x8D\"}]}}");
    expect_tool_error("echo", "{}", "message is required, a string");
    expect_tool_error("echo", "{\"message\":1}", "message is required, a string");
}

/* ---- the control system ---- */

static void control_agents(void **state)
{
    (void)state;
    static const char *const fields[] = {"id",           "type",    "name",      "status",       "health",
                                         "capabilities", "swarmId", "createdAt", "lastActivity", "metrics",
                                         "source",       "mock",    "activity"};
    static const char *const figures[] = {"tasksCompleted", "tasksActive", "successRate", "cpuUsage",
                                          "memoryUsage",    "workload",    "tokens"};
    send_lines(
        "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"agents/list\",\"params\":{}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"method\":\"agents/list\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"3\",\"method\":\"agents/list\",\"params\":{\"type\":\"coder\",\"status\":\"active\",\"source\":\"mock\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"4\",\"method\":\"agents/list\",\"params\":{\"source\":\"claude-flow\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"method\":\"agents/list\",\"params\":{\"status\":1}}\n");
    assert_int_equal(line_count, 5);
    open_line(0);
    assert_int_equal(json_count(doc, at("result.agents")), 5);
    for (json_node a = json_first(doc, at("result.agents")); a != JSON_ABSENT; a = json_next(doc, a)) {
        bool marked = false;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
            assert_true(json_get(doc, a, fields[i]) != JSON_ABSENT);
        for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
            assert_int_equal(json_type(doc, json_get(doc, json_get(doc, a, "metrics"), figures[i])),
                             JSON_NUMBER);
        assert_true(json_bool(doc, json_get(doc, a, "mock"), &marked) && marked);
    }
    open_line(1);
    assert_int_equal(json_count(doc, at("result.agents")), 5);
    open_line(2);
    assert_int_equal(json_count(doc, at("result.agents")), 1);
    assert_string_equal(text_at("result.agents.0.id"), "coder-001");
    open_line(3);
    assert_int_equal(json_count(doc, at("result.agents")), 0);
    open_line(4);
    assert_int_equal(number_at("error.code"), -32602);
}

static void control_snapshot(void **state)
{
    (void)state;
    call_tool("visualization.snapshot", "{\"includePositions\":true,\"includeConnections\":true}");
    assert_string_equal(text_at("result.timestamp"), "2026-01-01T00:00:00.000Z");
    assert_int_equal(number_at("result.agentCount"), 5);
    assert_int_equal(json_count(doc, at("result.agents")), 5);
    assert_int_equal(json_count(doc, at("result.positions")), 5);
    assert_int_equal(json_type(doc, at("result.positions.coder-001.z")), JSON_NUMBER);
    assert_int_equal(json_count(doc, at("result.connections")), 4);
    assert_string_equal(text_at("result.connections.0.id"), "conn-001");
    assert_string_equal(text_at("result.connections.0.from"), "coordinator-001");
    assert_string_equal(text_at("result.connections.0.to"), "researcher-001");
    assert_true(number_at("result.connections.0.messageCount") >= 0);
    double strength = 0;
    assert_true(json_double(doc, at("result.connections.0.strength"), &strength) && strength >= 0.5 &&
                strength <= 1);
    assert_int_equal(number_at("result.metrics.total"), 5);
    assert_true(is_true_at("result.mock"));
    call_tool("visualization.snapshot", "{\"includePositions\":false,\"includeConnections\":false}");
    assert_int_equal(json_type(doc, at("result.positions")), JSON_OBJECT);
    assert_int_equal(json_count(doc, at("result.positions")), 0);
    assert_int_equal(json_type(doc, at("result.connections")), JSON_ARRAY);
    assert_int_equal(json_count(doc, at("result.connections")), 0);
    call_tool("visualization.snapshot", "{\"includePositions\":1}");
    assert_int_equal(number_at("error.code"), -32602);
}

static void control_metrics_have_both_sets_of_fields(void **state)
{
    (void)state;
    static const char *const fields[] = {"system.uptime",
                                         "system.memoryUsage.rss",
                                         "system.memoryUsage.heapTotal",
                                         "system.memoryUsage.heapUsed",
                                         "system.memoryUsage.external",
                                         "system.cpuUsage.user",
                                         "system.cpuUsage.system",
                                         "agents.total",
                                         "agents.totalAgents",
                                         "agents.byType.coder",
                                         "agents.byStatus.active",
                                         "agents.bySource.mock",
                                         "agents.avgHealth",
                                         "agents.avgCpuUsage",
                                         "agents.avgMemoryUsage",
                                         "performance.fps",
                                         "performance.updateTime",
                                         "performance.nodeCount",
                                         "performance.cacheAge",
                                         "performance.updateInterval",
                                         "performance.sourcesAvailable"};
    call_tool("metrics.get", "{\"includeAgents\":false,\"includePerformance\":true}");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char path[80];
        (void)snprintf(path, sizeof(path), "result.%s", fields[i]);
        assert_int_equal(json_type(doc, at(path)), JSON_NUMBER);
    }
    assert_string_equal(text_at("result.timestamp"), "2026-01-01T00:00:00.000Z");
    assert_true(is_true_at("result.mock"));
    assert_int_equal(number_at("result.agents.byStatus.active"), 4);
    assert_int_equal(number_at("result.agents.byStatus.idle"), 1);
}

static void control_swarms_have_agents(void **state)
{
    (void)state;
    call_tool("swarm.initialize",
              "{\"topology\":\"hierarchical\",\"maxAgents\":20,\"agentTypes\":[\"coordinator\",\"coder\"]}");
    assert_string_equal(text_at("result.status"), "initialized");
    assert_string_equal(text_at("result.swarmId"), "swarm-1767225600000");
    assert_string_equal(text_at("result.agentTypes.1"), "coder");
    assert_string_equal(text_at("result.topology"), "hierarchical");
    assert_true(is_true_at("result.mock"));
    assert_int_equal(mock_agent_count(mock), 7);
    call_tool("swarm.initialize", "{\"maxAgents\":1,\"agentTypes\":[\"a\",\"b\"]}");
    assert_string_equal(text_at("result.swarmId"), "swarm-1767225600001");
    assert_int_equal(mock_agent_count(mock), 8);
    call_tool("swarm.initialize", "{\"agentTypes\":\"coder\"}");
    assert_int_equal(number_at("error.code"), -32602);
    assert_int_equal(mock_agent_count(mock), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tools_have_schemas),
        TEST(agent_list_in_the_known_shape),
        TEST(agents_are_spawned_into_swarms),
        TEST(metrics_of_agents),
        TEST(tasks_go_their_way),
        TEST(echo_is_exact),
        TEST(control_agents),
        TEST(control_snapshot),
        TEST(control_metrics_have_both_sets_of_fields),
        TEST(control_swarms_have_agents),
    };
    return cmocka_run_group_tests_name("mock_tools", tests, NULL, NULL);
}
