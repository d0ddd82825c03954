/* mock/: what commands do to the world: spawned agents, swarms, tasks on their way, their limits, running out
 * of memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/mock/world_fixture.h"

/* ---- commands ---- */

static size_t spawn(const char *type, const char *swarm_id, int code)
{
    size_t index = 999;
    static const char *const capabilities[] = {"one", "two"};
    struct mock_spawn what = {
        .type = type, .capabilities = capabilities, .capability_count = 2, .swarm_id = swarm_id};
    assert_int_equal(mock_spawn(mock, &what, SECOND(10), &index), code);
    return index;
}

static void spawned_agents_appear(void **state)
{
    (void)state;
    size_t index = spawn("reviewer", NULL, 0);
    assert_int_equal(index, 5);
    assert_int_equal(mock_agent_count(mock), 6);
    struct mock_agent a = agent_at(5, SECOND(10));
    assert_string_equal(a.type, "reviewer");
    assert_string_equal(a.name, "Reviewer 6");
    assert_string_equal(a.status, "active");
    assert_true(a.spawned);
    assert_int_equal(a.created_at_ms, SECOND(10));
    assert_int_equal(a.tasks_completed, 0);
    assert_true(a.success_rate == 1);
    assert_int_equal(strncmp(a.id, "agent_1767225610000_", 20), 0);
    assert_int_equal(strlen(a.id), 26);
    assert_int_equal(spawn("reviewer", NULL, 0), 6);
    assert_string_not_equal(agent_at(5, START).id, agent_at(6, START).id);
}

static void spawning_has_limits(void **state)
{
    (void)state;
    const char *id = NULL;
    size_t index = 999;
    char word[MOCK_MAX_WORD_BYTES + 2];
    const char *words[MOCK_MAX_CAPABILITIES + 1];
    spawn("", NULL, ERR_RANGE);
    spawn("x", "no-such-swarm", ERR_NOT_FOUND);
    memset(word, 'w', sizeof(word));
    word[MOCK_MAX_WORD_BYTES + 1] = '\0';
    spawn(word, NULL, ERR_TOO_LARGE);
    word[MOCK_MAX_WORD_BYTES] = '\0';
    spawn(word, NULL, 0);
    for (size_t i = 0; i < MOCK_MAX_CAPABILITIES + 1; i++)
        words[i] = word;
    struct mock_spawn what = {
        .type = "t", .capabilities = words, .capability_count = MOCK_MAX_CAPABILITIES + 1};
    assert_int_equal(mock_spawn(mock, &what, START, &index), ERR_TOO_LARGE);
    what.capability_count--;
    assert_int_equal(mock_spawn(mock, &what, START, &index), 0);

    assert_int_equal(mock_swarm_init(mock, "mesh", "any", 2, MOCK_ID_LONG, START, &id), 0);
    spawn("a", NULL, 0);
    spawn("b", NULL, 0);
    spawn("c", NULL, ERR_FULL);
}

static void the_world_has_room_for_so_many(void **state)
{
    (void)state;
    for (size_t i = 5; i < MOCK_MAX_AGENTS; i++)
        spawn("a", NULL, 0);
    spawn("a", NULL, ERR_FULL);
    assert_int_equal(mock_agent_count(mock), MOCK_MAX_AGENTS);
    size_t ended = 0;
    struct mock_swarm swarm;
    assert_true(mock_swarm_get(mock, NULL, &swarm));
    assert_int_equal(mock_swarm_destroy(mock, swarm.id, &ended), 0);
    assert_int_equal(ended, MOCK_MAX_AGENTS - 5);
    assert_int_equal(mock_agent_count(mock), 5);
}

static void swarms_come_and_go(void **state)
{
    (void)state;
    struct mock_swarm own, made;
    const char *id = NULL;
    size_t ended = 9;
    assert_true(mock_swarm_get(mock, NULL, &own));
    assert_string_equal(own.topology, "hierarchical");
    assert_int_equal(mock_swarm_init(mock, "ring", "balanced", 8, MOCK_ID_LONG, SECOND(1), &id), 0);
    assert_int_equal(strncmp(id, "swarm_1767225601000_", 20), 0);
    assert_int_equal(strlen(id), 29);
    assert_true(mock_swarm_get(mock, NULL, &made));
    assert_string_equal(made.id, id);
    assert_string_equal(made.topology, "ring");
    size_t index = spawn("coder", id, 0);
    assert_string_equal(agent_at(index, START).swarm_id, id);
    assert_int_equal(mock_task_add(mock, "t", "s", "p", NULL, START, &id), 0);
    assert_int_equal(mock_task_count(mock), 1);
    assert_int_equal(mock_swarm_destroy(mock, made.id, &ended), 0);
    assert_int_equal(ended, 1);
    assert_int_equal(mock_agent_count(mock), 5);
    assert_int_equal(mock_task_count(mock), 0);
    assert_int_equal(mock_swarm_destroy(mock, "gone", &ended), ERR_NOT_FOUND);
    assert_true(mock_swarm_get(mock, NULL, &made));
    assert_string_equal(made.id, own.id);
    assert_int_equal(mock_swarm_destroy(mock, own.id, &ended), 0);
    assert_int_equal(ended, 0);
    assert_int_equal(mock_agent_count(mock), 5);
}

static void the_oldest_made_swarm_makes_room(void **state)
{
    (void)state;
    char first[64] = "";
    const char *id = NULL;
    struct mock_swarm own, swarm;
    assert_true(mock_swarm_get(mock, NULL, &own));
    for (size_t i = 1; i < MOCK_MAX_SWARMS; i++) {
        assert_int_equal(mock_swarm_init(mock, "mesh", "s", 5, MOCK_ID_SHORT, START, &id), 0);
        if (i == 1)
            (void)snprintf(first, sizeof(first), "%s", id);
    }
    assert_string_equal(first, "swarm-1767225600000");
    assert_string_equal(id, "swarm-1767225600006"); /* one millisecond, seven swarms */
    spawn("coder", first, 0);
    assert_int_equal(mock_swarm_init(mock, "mesh", "s", 5, MOCK_ID_LONG, START, &id), 0);
    assert_false(mock_swarm_get(mock, first, &swarm));
    assert_true(mock_swarm_get(mock, own.id, &swarm));
    assert_int_equal(mock_agent_count(mock), 5);
}

/* ---- tasks ---- */

static void tasks_progress(void **state)
{
    (void)state;
    struct mock_task task;
    const char *id = NULL;
    unsigned last = 0, seen[3] = {0};
    assert_int_equal(mock_task_add(mock, "write it", "adaptive", "high", NULL, SECOND(5), &id), 0);
    assert_int_equal(strncmp(id, "task_1767225605000_", 19), 0);
    for (uint64_t t = SECOND(5); t <= SECOND(25); t += 100) {
        assert_true(mock_task_find(mock, id, t, &task));
        assert_true(task.progress >= last && task.progress <= 100);
        assert_int_equal(task.progress == 100, task.status == MOCK_TASK_COMPLETED);
        last = task.progress;
        seen[task.status]++;
    }
    assert_true(seen[MOCK_TASK_PENDING] >= 10 && seen[MOCK_TASK_PENDING] <= 20);
    assert_true(seen[MOCK_TASK_IN_PROGRESS] >= 40 && seen[MOCK_TASK_IN_PROGRESS] <= 120);
    assert_true(seen[MOCK_TASK_COMPLETED] > 0);
    assert_string_equal(task.text, "write it");
    assert_string_equal(task.priority, "high");
    assert_false(mock_task_find(mock, "none", START, &task));
    assert_string_equal(mock_task_status_text(MOCK_TASK_PENDING), "pending");
    assert_string_equal(mock_task_status_text(MOCK_TASK_IN_PROGRESS), "in_progress");
    assert_string_equal(mock_task_status_text(MOCK_TASK_COMPLETED), "completed");
}

/* The fifth of five equal tasks goes to the idle tester: it works, and is idle again. */
static void a_task_keeps_its_agent_busy(void **state)
{
    (void)state;
    const char *id = NULL;
    struct mock_task task;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(mock_task_add(mock, "test it", "s", "p", NULL, START, &id), 0);
    assert_true(mock_task_find(mock, id, START, &task));
    assert_string_equal(task.agent_id, "tester-001");
    assert_string_equal(agent_at(4, START).status, "idle");
    struct mock_agent working = agent_at(4, task.started_at_ms);
    assert_string_equal(working.status, "active");
    assert_string_equal(working.activity, "test it");
    assert_int_equal(working.tasks_active, 1);
    assert_true(working.cpu >= 0.25);
    struct mock_agent after = agent_at(4, task.completed_at_ms);
    assert_string_equal(after.status, "idle");
    assert_int_equal(after.tasks_completed, 26);
    assert_int_equal(after.last_active_ms, task.completed_at_ms);
}

static void tasks_have_limits(void **state)
{
    (void)state;
    const char *id = NULL;
    static char text[MOCK_MAX_TASK_BYTES + 2];
    memset(text, 't', sizeof(text) - 1);
    assert_int_equal(mock_task_add(mock, text, "s", "p", NULL, START, &id), ERR_TOO_LARGE);
    text[MOCK_MAX_TASK_BYTES] = '\0';
    assert_int_equal(mock_task_add(mock, text, "s", "p", "none", START, &id), ERR_NOT_FOUND);
    assert_int_equal(mock_task_add(mock, text, "s", "p", NULL, START, &id), 0);
    for (size_t i = 1; i < MOCK_MAX_TASKS; i++)
        assert_int_equal(mock_task_add(mock, "t", "s", "p", NULL, START, &id), 0);
    assert_int_equal(mock_task_add(mock, "t", "s", "p", NULL, START, &id), ERR_FULL);
    assert_int_equal(mock_task_add(mock, "new", "s", "p", NULL, SECOND(60), &id), 0);
    assert_int_equal(mock_task_count(mock), MOCK_MAX_TASKS);
}

/* ---- memory ---- */

static int live_through_everything(void)
{
    char problem[64];
    struct mock_options options = {.seed = 1, .start_ms = START};
    const char *id;
    size_t index, ended;
    static const char *const capabilities[] = {"one"};
    struct mock_spawn what = {.type = "coder", .capabilities = capabilities, .capability_count = 1};
    struct mock *m;
    int rc = mock_new(&options, &m, problem, sizeof(problem));
    if (rc != 0)
        return rc;
    rc = mock_swarm_init(m, "mesh", "s", 100, MOCK_ID_LONG, START, &id);
    for (size_t i = 0; rc == 0 && i < 10; i++)
        rc = mock_spawn(m, &what, START, &index);
    for (size_t i = 0; rc == 0 && i < 10; i++)
        rc = mock_task_add(m, "t", "s", "p", NULL, START, &id);
    struct mock_swarm newest;
    if (rc == 0 && mock_swarm_get(m, NULL, &newest))
        rc = mock_swarm_destroy(m, newest.id, &ended);
    mock_free(m);
    return rc;
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    size_t runs = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++, runs++) {
        fault_alloc_fail_at(n);
        int rc = live_through_everything();
        assert_int_equal(fault_alloc_live(), 0);
        if (!fault_alloc_fired()) {
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, -ENOMEM);
    }
    assert_true(runs > 100);
    mem_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(spawned_agents_appear),
        WORLD_TEST(spawning_has_limits),
        WORLD_TEST(the_world_has_room_for_so_many),
        WORLD_TEST(swarms_come_and_go),
        WORLD_TEST(the_oldest_made_swarm_makes_room),
        WORLD_TEST(tasks_progress),
        WORLD_TEST(a_task_keeps_its_agent_busy),
        WORLD_TEST(tasks_have_limits),
        cmocka_unit_test(nth_allocation_fails),
    };
    return cmocka_run_group_tests_name("mock_commands", tests, NULL, NULL);
}
