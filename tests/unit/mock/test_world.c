/* mock/: the world. The default agents, determinism, second 300, agents that cannot be used, times as text.
 * Commands are in test_mock_commands.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "mock/iso_time.h"
#include "tests/unit/mock/world_fixture.h"

/* Everything that can be written about the world at a moment, as one text. */
static char *portrait(const struct mock *m, uint64_t now_ms)
{
    struct buf out;
    struct writer w;
    buf_init(&out, 1000000);
    writer_init(&w, &out);
    write_array(&w);
    mock_write_agent_list(m, NULL, NULL, now_ms, &w);
    mock_write_control_agents(m, NULL, NULL, NULL, now_ms, &w);
    mock_write_snapshot(m, true, true, now_ms, &w);
    mock_write_metrics(m, now_ms, &w);
    struct mock_task task;
    for (size_t i = 0; mock_task_get(m, i, now_ms, &task); i++)
        mock_write_task(&task, &w);
    write_array_end(&w);
    assert_int_equal(writer_end(&w), 0);
    char *text = mem_strndup(buf_data(&out), buf_len(&out));
    assert_non_null(text);
    buf_done(&out);
    return text;
}

/* ---- the agents ---- */

static void the_default_agents(void **state)
{
    (void)state;
    static const struct {
        const char *id, *name, *type, *status, *first_capability;
        uint64_t active, completed, failed;
    } expected[] = {
        {"coordinator-001", "System Coordinator", "coordinator", "active", "orchestration", 3, 15, 0},
        {"researcher-001", "Research Agent", "researcher", "active", "data-gathering", 2, 20, 1},
        {"coder-001", "Code Developer", "coder", "active", "implementation", 1, 30, 2},
        {"analyst-001", "Data Analyst", "analyst", "active", "data-analysis", 2, 18, 0},
        {"tester-001", "Test Engineer", "tester", "idle", "unit-testing", 0, 25, 3},
    };
    assert_int_equal(mock_agent_count(mock), 5);
    for (size_t i = 0; i < 5; i++) {
        struct mock_agent a = agent_at(i, START);
        assert_string_equal(a.id, expected[i].id);
        assert_string_equal(a.name, expected[i].name);
        assert_string_equal(a.type, expected[i].type);
        assert_string_equal(a.status, expected[i].status);
        assert_int_equal(a.capability_count, 3);
        assert_string_equal(a.capabilities[0], expected[i].first_capability);
        assert_int_equal(a.tasks_active, expected[i].active);
        assert_int_equal(a.tasks_completed, expected[i].completed);
        assert_int_equal(a.tasks_failed, expected[i].failed);
        assert_false(a.spawned);
        assert_int_equal(a.created_at_ms, START);
    }
    struct mock_agent none;
    assert_false(mock_agent_get(mock, 5, START, &none));
}

static void check_agents(const char *agents, int code, const char *problem)
{
    char reported[200] = "?";
    struct mock *m = NULL;
    struct mock_options options = {.seed = 1, .agents = agents, .agents_len = strlen(agents)};
    assert_int_equal(mock_new(&options, &m, reported, sizeof(reported)), code);
    assert_string_equal(reported, problem);
    mock_free(m);
}

static void agents_of_ones_own(void **state)
{
    (void)state;
    check_agents("{\"agents\":[{\"id\":\"a\",\"name\":\"A\",\"type\":\"t\"}]}", 0, "");
    check_agents("// mine\n{\"agents\":[{\"id\":\"a\",\"name\":\"A\",\"type\":\"t\",\"colour\":1,},],}", 0,
                 "");
    check_agents("{\n\"agents\": oops}", ERR_SYNTAX, "line 2: not well-formed");
    check_agents("{}", ERR_TYPE, "line 1: expected {\"agents\":[...]} with at least one agent");
    check_agents("[]", ERR_TYPE, "line 1: expected {\"agents\":[...]} with at least one agent");
    check_agents("{\"agents\":\n[]}", ERR_TYPE,
                 "line 2: expected {\"agents\":[...]} with at least one agent");
    check_agents("{\"agents\":[7]}", ERR_TYPE, "line 1: an agent must be an object");
    check_agents("{\"agents\":[{\"id\":\"a\",\n\"name\":\"A\"}]}", ERR_TYPE,
                 "line 1: an agent needs \"type\", a string");
    check_agents("{\"agents\":[{\"id\":\"\"}]}", ERR_RANGE, "line 1: \"id\" must have 1 to 128 bytes");
    check_agents("{\"agents\":[{\"id\":\"a\",\"name\":\"A\",\"type\":\"t\",\n\"status\":\"busy\"}]}",
                 ERR_RANGE, "line 2: \"status\" must be \"active\" or \"idle\"");
    check_agents("{\"agents\":[{\"id\":\"a\",\"name\":\"A\",\"type\":\"t\",\"tasksActive\":1.5}]}", ERR_RANGE,
                 "line 1: \"tasksActive\" must be a whole number from 0 to 1000000");
    check_agents("{\"agents\":[{\"id\":\"a\",\"name\":\"A\",\"type\":\"t\",\"capabilities\":{}}]}", ERR_TYPE,
                 "line 1: \"capabilities\" must be an array of strings");
    check_agents(
        "{\"agents\":[{\"id\":\"a\",\"name\":\"A\",\"type\":\"t\"},\n{\"id\":\"a\",\"name\":\"B\",\"type\":\"t\"}]}",
        ERR_RANGE, "line 2: the id \"a\" is there already");
}

/* ---- movement ---- */

static void the_same_question_gets_the_same_answer(void **state)
{
    (void)state;
    struct mock *first = mock;
    world_open(1);
    for (uint64_t s = 0; s <= 600; s += 50) {
        char *a = portrait(first, SECOND(s)), *b = portrait(mock, SECOND(s)),
             *again = portrait(first, SECOND(s));
        assert_string_equal(a, b);
        assert_string_equal(a, again);
        mem_free(a);
        mem_free(b);
        mem_free(again);
    }
    mock_free(first);
}

static void another_seed_is_another_world(void **state)
{
    (void)state;
    struct mock *first = mock;
    world_open(2);
    char *a = portrait(first, SECOND(300)), *b = portrait(mock, SECOND(300));
    assert_string_not_equal(a, b);
    mem_free(a);
    mem_free(b);
    mock_free(first);
}

/* These numbers may only change together with the rules of movement: every machine and compiler must give
 * them. */
static void second_300(void **state)
{
    (void)state;
    static const struct {
        double health, cpu, memory, workload;
        uint64_t active, completed, tokens;
    } known[] = {{92, 0.569, 0.693, 0.738, 2, 20, 97076},
                 {87, 0.896, 0.618, 0.49, 1, 33, 48946},
                 {98, 0.786, 0.652, 0.738, 1, 35, 80572},
                 {99, 0.359, 0.433, 0.754, 2, 24, 84538},
                 {91, 0.061, 0.177, 0.082, 0, 25, 40124}};
    for (size_t i = 0; i < 5; i++) {
        struct mock_agent a = agent_at(i, SECOND(300));
        assert_true(a.health == known[i].health);
        assert_true(a.cpu == known[i].cpu);
        assert_true(a.memory == known[i].memory);
        assert_true(a.workload == known[i].workload);
        assert_int_equal(a.tasks_active, known[i].active);
        assert_int_equal(a.tasks_completed, known[i].completed);
        assert_int_equal(a.tokens, known[i].tokens);
    }
}

static void values_stay_in_bounds_and_counters_only_grow(void **state)
{
    (void)state;
    struct mock_agent before[5];
    unsigned moved = 0;
    for (size_t i = 0; i < 5; i++)
        before[i] = agent_at(i, START);
    for (uint64_t s = 1; s <= 3600; s++) {
        for (size_t i = 0; i < 5; i++) {
            struct mock_agent a = agent_at(i, SECOND(s));
            assert_true(a.health >= 86 && a.health <= 100);
            assert_true(a.cpu > 0 && a.cpu <= 0.9 && a.memory > 0 && a.memory <= 0.8);
            assert_true(a.workload >= 0 && a.workload <= 0.95 && a.success_rate >= 0.8 &&
                        a.success_rate <= 1);
            assert_true(a.tasks_completed >= before[i].tasks_completed &&
                        a.tasks_failed >= before[i].tasks_failed);
            assert_true(a.tokens >= before[i].tokens);
            assert_true(a.last_active_ms >= before[i].last_active_ms && a.last_active_ms <= SECOND(s));
            assert_true(a.tasks_active <= 4);
            moved += a.cpu != before[i].cpu;
            before[i] = a;
        }
    }
    assert_true(moved > 5 * 3600 / 2);
    assert_true(before[0].tasks_completed > 15 + 50);
    assert_int_equal(before[4].tasks_completed, 25);
    assert_string_equal(before[4].status, "idle");
}

/* In a tenth of a second no load jumps. */
static void loads_move_smoothly(void **state)
{
    (void)state;
    double before = agent_at(2, START).cpu;
    for (uint64_t t = START; t < START + 60000; t += 100) {
        double cpu = agent_at(2, t).cpu;
        assert_true(cpu - before < 0.03 && before - cpu < 0.03);
        before = cpu;
    }
}

static void times_out_of_order_are_survived(void **state)
{
    (void)state;
    struct mock_agent a = agent_at(0, 0), b = agent_at(0, START);
    assert_true(a.cpu == b.cpu);
    assert_int_equal(a.tasks_completed, 15);
    assert_int_equal(a.last_active_ms, START);
    a = agent_at(0, UINT64_MAX);
    assert_true(a.cpu <= 0.9);
    char *text = portrait(mock, UINT64_MAX);
    mem_free(text);
}

/* ---- time ---- */

static void times_are_written_and_read(void **state)
{
    (void)state;
    char text[ISO_TIME_SIZE];
    uint64_t ms = 7;
    iso_time_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    iso_time_format(SECOND(0) + 42, text);
    assert_string_equal(text, "2026-01-01T00:00:00.042Z");
    iso_time_format(UINT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    assert_int_equal(iso_time_parse("2026-01-01T00:00:00Z", &ms), 0);
    assert_int_equal(ms, START);
    assert_int_equal(iso_time_parse("2024-02-29T23:59:59.98765", &ms), 0);
    assert_int_equal(ms, UINT64_C(1709251199987));
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-01-01",
                                      "2026-01-01 00:00:00Z",
                                      "2026-01-01T00:00:00.Z",
                                      "2026-01-01T00:00:00+01:00",
                                      "2026-01-01T00:00:00Zx",
                                      "x026-01-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(iso_time_parse(bad[i], &ms), ERR_SYNTAX);
    static const char *const odd[] = {"2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:60:00Z", "1969-12-31T23:59:58Z", "2026-00-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        assert_int_equal(iso_time_parse(odd[i], &ms), ERR_RANGE);
    assert_int_equal(ms, UINT64_C(1709251199987));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_default_agents),
        cmocka_unit_test(agents_of_ones_own),
        WORLD_TEST(the_same_question_gets_the_same_answer),
        WORLD_TEST(another_seed_is_another_world),
        WORLD_TEST(second_300),
        WORLD_TEST(values_stay_in_bounds_and_counters_only_grow),
        WORLD_TEST(loads_move_smoothly),
        WORLD_TEST(times_out_of_order_are_survived),
        cmocka_unit_test(times_are_written_and_read),
    };
    return cmocka_run_group_tests_name("mock", tests, NULL, NULL);
}
