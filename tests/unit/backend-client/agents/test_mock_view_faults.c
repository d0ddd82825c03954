/* backend-client/src/agents/mock_view.c over a long time, when the world is full, and with too little memory. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "mock/mock.h"
#include "tests/unit/backend-client/agents/agents_fixture.h"
#include "tests/unit/backend-client/agents/mock_view_fixture.h"
#include "tests/unit/common/fault_alloc.h"

/* ---- a long time ---- */

/* A day offline with a host that calls on and on: 10^5 calls that make things, some bad ones between. Memory
 * stands still once the world is as full as it gets, and the world goes on answering. */
static void a_hundred_thousand_calls(void **state)
{
    (void)state;
    static const char *const tools[] = {
        "{\"name\":\"swarm_init\",\"arguments\":{\"maxAgents\":5}}",
        "{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"coder\"}}",
        "{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"coder\"}}",
        "{\"name\":\"task_orchestrate\",\"arguments\":{\"task\":\"t\"}}",
        "{\"name\":\"slow\",\"arguments\":{\"steps\":3,\"stepMs\":60000}}",
        "{\"name\":\"nothing\"}",
        "{\"name\":\"swarm_status\",\"arguments\":{}}",
        "{\"name\":\"swarm.initialize\",\"arguments\":{\"agentTypes\":[\"a\",\"b\"]}}",
        "{\"name\":\"task_status\",\"arguments\":{\"taskId\":\"x\"}}",
        "{\"name\":\"echo\",\"arguments\":{\"message\":\"m\"}}",
    };
    const size_t kinds = sizeof(tools) / sizeof(tools[0]);
    size_t live = 0;
    fault_alloc_install();
    assert_int_equal(mock_view_fixture_set_up(state), 0);
    for (unsigned i = 0; i < 100000; i++) {
        int rc = call_at(START + i * UINT64_C(864), "tools/call", tools[i % kinds]);
        assert_int_equal(rc, 0);
        if (i == 50000)
            live = fault_alloc_live();
    }
    struct agent_set *set = agents_at(SECOND(86400));
    assert_true(agent_set_count(set) >= 5);
    assert_true(agent_set_count(set) <= 5 + MOCK_MAX_SWARMS * 5);
    agent_set_release(set);
    assert_true(live > 0);
    assert_true(fault_alloc_live() < live + 200); /* tasks of the last seconds, more or fewer */
    check_result("ping", NULL, "{}");
    assert_int_equal(mock_view_fixture_tear_down(state), 0);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

/* Everything full: the largest swarm, as many tasks as there may be. What is refused is refused in words. */
static void a_full_world(void **state)
{
    (void)state;
    unsigned refused = 0;
    for (unsigned i = 0; i < MOCK_MAX_AGENTS + 10; i++) {
        char *result =
            result_at(START, "tools/call", "{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"x\"}}");
        refused += strstr(result, "\"isError\":true") ? 1 : 0;
        free(result);
    }
    assert_int_equal(refused, 10 + 5); /* the cast of five counts too */
    for (unsigned i = 0; i < MOCK_MAX_TASKS + 10; i++) {
        char *result =
            result_at(START, "tools/call", "{\"name\":\"task_orchestrate\",\"arguments\":{\"task\":\"t\"}}");
        refused += strstr(result, "\"isError\":true") ? 1 : 0;
        free(result);
    }
    assert_int_equal(refused, 10 + 5 + 10);
    struct agent_set *set = agents_at(START);
    assert_int_equal(agent_set_count(set), MOCK_MAX_AGENTS);
    agent_set_release(set);
    char *list = result_at(START, "tools/call", "{\"name\":\"agent_list\"}");
    set = agents_fixture_read(list);
    assert_int_equal(agent_set_count(set), MOCK_MAX_AGENTS);
    agent_set_release(set);
    free(list);
}

/* ---- memory ---- */

static const char *const session[][2] = {
    {"tools/call", "{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"x\"}}"},
    {"tools/call",
     "{\"name\":\"slow\",\"arguments\":{\"steps\":2,\"stepMs\":5},\"_meta\":{\"progressToken\":1}}"},
    {"tools/call", "{\"name\":\"agent_list\"}"},
    {"tools/call", "{\"name\":\"nothing\"}"},
    {"agents/list", "{}"},
    {"no/such", NULL},
};

/* Where there is a view. */
static void look(int opened, size_t *ret_failures)
{
    struct agent_set *set = NULL;
    int rc = opened == 0 ? mock_view_agents(view, START, &set) : -ENOMEM;
    assert_true(rc == 0 || rc == -ENOMEM);
    *ret_failures += rc != 0;
    agent_set_release(set);
}

/* One short life with the nth allocation failing, and with `go_on` every later one. Every call says
 * something, and the rest is not harmed. */
static bool live_short_of_memory(size_t n, bool go_on, size_t *ret_failures)
{
    char problem[200];
    if (go_on)
        fault_alloc_fail_from(n);
    else
        fault_alloc_fail_at(n);
    int rc = mock_view_new(NULL, 1, START, &view, problem, sizeof(problem));
    assert_true(rc == 0 || rc == -ENOMEM);
    look(rc, ret_failures);
    for (size_t i = 0; rc == 0 && i < sizeof(session) / sizeof(session[0]); i++) {
        int called = call_at(START, session[i][0], session[i][1]);
        assert_true(called == 0 || called == -ENOMEM || called == ERR_NOT_FOUND);
        assert_true(called != 0 || answer.result || (answer.message && answer.error_code != 0));
        *ret_failures += called == -ENOMEM || (called == 0 && answer.error_code == -32603);
    }
    look(rc, ret_failures);
    bool fired = fault_alloc_fired();
    fault_alloc_fail_at(0);
    if (rc == 0)
        check_result("ping", NULL, "{}");
    if (rc == 0)
        mock_view_free(view);
    view = NULL;
    assert_int_equal(fault_alloc_live(), 0);
    return fired;
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    fault_alloc_install();
    for (int go_on = 0; go_on <= 1; go_on++) {
        size_t runs = 0, failures = 0;
        while (live_short_of_memory(runs + 1, go_on, &failures))
            runs++;
        assert_true(runs > 100);
        assert_true(failures >
                    runs / 2); /* an allocation that fails is expected, but for a buffer's growth */
    }
    mem_set(NULL);
}

/* A large answer's storage is given back, so the next answer, and the refusal of it, need some; without any,
 * that call alone fails. */
static void not_even_a_refusal_fits(void **state)
{
    static char params[100000];
    size_t runs = 0;
    (void)snprintf(params, sizeof(params), "{\"name\":\"echo\",\"arguments\":{\"message\":\"%090000d\"}}", 0);
    fault_alloc_install();
    assert_int_equal(mock_view_fixture_set_up(state), 0);
    for (bool fired = true; fired; runs++) {
        assert_int_equal(call_at(START, "tools/call", params), 0);
        assert_non_null(answer.result);
        fault_alloc_fail_from(runs + 1);
        int rc = call_at(START, "ping", NULL);
        fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        assert_int_equal(rc, fired ? -ENOMEM : 0);
        check_result("ping", NULL, "{}");
    }
    assert_true(runs >= 3);
    assert_int_equal(mock_view_fixture_tear_down(state), 0);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

/* ---- bytes ---- */

static size_t live_bytes;

static void *weighed(void *p)
{
    live_bytes += malloc_usable_size(p);
    return p;
}

static void *weigh_malloc(size_t size)
{
    return weighed(malloc(size));
}

static void *weigh_calloc(size_t count, size_t size)
{
    return weighed(calloc(count, size));
}

static void *weigh_realloc(void *p, size_t size)
{
    size_t before = malloc_usable_size(p);
    void *bigger = realloc(p, size);
    live_bytes -= bigger ? before : 0;
    return weighed(bigger);
}

static void weigh_free(void *p)
{
    live_bytes -= malloc_usable_size(p);
    free(p);
}

static const struct allocator weighing = {weigh_malloc, weigh_calloc, weigh_realloc, weigh_free};

/* Until the first call, a view is its recipe: a look at the agents makes a world and keeps nothing of it. */
static void a_look_is_not_kept(void **state)
{
    live_bytes = 0;
    mem_set(&weighing);
    assert_int_equal(mock_view_fixture_set_up(state), 0);
    size_t recipe = live_bytes;
    assert_true(recipe < 200);
    struct agent_set *set = agents_at(START);
    assert_int_equal(agent_set_count(set), 5);
    assert_true(live_bytes > recipe);
    agent_set_release(set);
    assert_int_equal(live_bytes, recipe);
    assert_int_equal(mock_view_fixture_tear_down(state), 0);
    assert_int_equal(live_bytes, 0);
    mem_set(NULL);
}

/* One large call, and the next one gives its memory back. */
static void a_large_answer_is_not_kept(void **state)
{
    static char params[(4 << 20) + 100];
    static const char begin[] = "{\"name\":\"echo\",\"arguments\":{\"message\":\"";
    char *at = params + sizeof(begin) - 1;
    memcpy(params, begin, sizeof(begin) - 1);
    memset(at, 'x', (size_t)4 << 20);
    memcpy(at + ((size_t)4 << 20), "\"}}", 4);
    live_bytes = 0;
    mem_set(&weighing);
    assert_int_equal(mock_view_fixture_set_up(state), 0);
    assert_int_equal(call_at(START, "ping", NULL), 0);
    size_t before = live_bytes;
    assert_int_equal(call_at(START, "tools/call", params), 0);
    assert_non_null(answer.result);
    assert_true(live_bytes > before + ((size_t)8 << 20));
    assert_int_equal(call_at(START, "ping", NULL), 0);
    assert_true(live_bytes < before + 10000);
    assert_int_equal(mock_view_fixture_tear_down(state), 0);
    assert_int_equal(live_bytes, 0);
    mem_set(NULL);
}

#define TEST(name)                                                                                           \
    cmocka_unit_test_setup_teardown(name, mock_view_fixture_set_up, mock_view_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_calls), TEST(a_full_world),
        cmocka_unit_test(the_nth_allocation_fails), cmocka_unit_test(not_even_a_refusal_fits),
        cmocka_unit_test(a_look_is_not_kept),       cmocka_unit_test(a_large_answer_is_not_kept),
    };
    return cmocka_run_group_tests_name("client_mock_view_faults", tests, NULL, NULL);
}
