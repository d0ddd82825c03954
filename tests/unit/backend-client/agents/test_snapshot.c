/* backend-client/src/snapshot*.c: snapshots over sets, without memory, and on many threads. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/agents/snapshot.h"
#include "base/alloc.h"
#include "tests/unit/backend-client/agents/agents_fixture.h"
#include "tests/unit/common/fault_alloc.h"

static struct set_builder builder;

static struct agent_set *set_of_one(const struct ar_agent *agent)
{
    set_builder_init(&builder);
    assert_int_equal(set_builder_add(&builder, agent), 0);
    struct agent_set *set = NULL;
    assert_int_equal(set_builder_finish(&builder, &set), 0);
    return set;
}

static const struct snapshot_facts facts = {.source = AR_SOURCE_STALE,
                                            .state = AR_DEGRADED,
                                            .version = 7,
                                            .taken_at_ms = 1000,
                                            .taken_at_unix_ms = 1755000000000};

/* ---- snapshots ---- */

static void a_snapshot_says_what_it_is(void **state)
{
    (void)state;
    bool is_short = true;
    struct ar_agent agent = agents_fixture_full("a");
    struct agent_set *set = set_of_one(&agent);
    const struct ar_snapshot *s = snapshot_new(set, &facts, &is_short);
    assert_false(is_short);
    agent_set_release(set); /* the snapshot has a reference of its own */
    assert_ptr_equal(snapshot_set(s), set);
    assert_int_equal(ar_snapshot_count(s), 1);
    agents_fixture_check(ar_snapshot_agent(s, 0), &agent);
    assert_null(ar_snapshot_agent(s, 1));
    assert_null(ar_snapshot_agent(s, SIZE_MAX));
    assert_ptr_equal(ar_snapshot_find(s, "a"), ar_snapshot_agent(s, 0));
    assert_null(ar_snapshot_find(s, "b"));
    assert_null(ar_snapshot_find(s, NULL));
    assert_true(agent_set_any_mock(snapshot_set(s)));
    assert_int_equal(ar_snapshot_source(s), AR_SOURCE_STALE);
    assert_int_equal(ar_snapshot_state(s), AR_DEGRADED);
    assert_int_equal(ar_snapshot_version(s), 7);
    assert_int_equal(ar_snapshot_taken_at_ms(s), 1755000000000);
    assert_int_equal(snapshot_age_at(s, 1000), 0);
    assert_int_equal(snapshot_age_at(s, 1001), 1);
    assert_int_equal(snapshot_age_at(s, 999), 0); /* a clock read a moment earlier, on another thread */
    assert_int_equal(snapshot_age_at(s, UINT64_MAX), UINT64_MAX - 1000);
    assert_true(ar_snapshot_age_ms(s) > 0); /* this machine is up for longer than a second */
    ar_snapshot_release(ar_snapshot_retain(s));
    ar_snapshot_release(s);
    ar_snapshot_release(NULL);
}

static void a_snapshot_may_have_no_set(void **state)
{
    (void)state;
    const struct ar_snapshot *s = snapshot_new(NULL, &facts, NULL);
    assert_int_equal(ar_snapshot_count(s), 0);
    assert_null(ar_snapshot_agent(s, 0));
    assert_null(ar_snapshot_find(s, "a"));
    assert_null(snapshot_set(s));
    assert_int_equal(ar_snapshot_version(s), 7);
    ar_snapshot_release(s);
}

static void without_memory_it_is_an_empty_mock(void **state)
{
    (void)state;
    struct ar_agent agent = agents_fixture_full("a");
    fault_alloc_install();
    struct agent_set *set = set_of_one(&agent);
    for (int of = AR_CONNECTING; of <= AR_CLOSED; of++) {
        bool is_short = false;
        struct snapshot_facts live = facts;
        live.source = AR_SOURCE_LIVE;
        live.state = (enum ar_state)of;
        fault_alloc_fail_at(1);
        const struct ar_snapshot *s = snapshot_new(set, &live, &is_short);
        assert_true(is_short);
        assert_int_equal(ar_snapshot_source(s), AR_SOURCE_MOCK);
        assert_int_equal(ar_snapshot_state(s), of);
        assert_int_equal(ar_snapshot_count(s), 0);
        assert_null(snapshot_set(s));
        assert_int_equal(ar_snapshot_version(s), 0);
        assert_int_equal(ar_snapshot_age_ms(s), 0);
        assert_ptr_equal(ar_snapshot_retain(s), s);
        for (int i = 0; i < 3; i++)
            ar_snapshot_release(s);
        assert_ptr_equal(snapshot_set(s), NULL);
    }
    fault_alloc_fail_at(0);
    agent_set_release(set);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

/* ---- memory ---- */

static int build(struct agent_set **ret_set)
{
    char id[32] = "";
    struct ar_agent agent = agents_fixture_full(id);
    set_builder_init(&builder);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        int rc = set_builder_add(&builder, &agent);
        assert_true(rc == 0 || rc == -ENOMEM);
    }
    return set_builder_finish(&builder, ret_set);
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    size_t runs = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++, runs++) {
        struct agent_set *set = NULL;
        fault_alloc_fail_at(n);
        int rc = build(&set);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        /* A buffer that cannot grow in place is tried once only: each failure is the builder's. */
        assert_int_equal(rc, fired ? -ENOMEM : 0);
        agent_set_release(set);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            break;
    }
    assert_true(runs > 10);
    mem_set(NULL);
}

static void a_set_is_one_allocation(void **state)
{
    (void)state;
    struct agent_set *set = NULL;
    fault_alloc_install();
    assert_int_equal(build(&set), 0);
    assert_int_equal(fault_alloc_live(), 1);
    const struct ar_snapshot *s = snapshot_new(set, &facts, NULL);
    assert_int_equal(fault_alloc_live(), 2);
    ar_snapshot_release(s);
    assert_int_equal(fault_alloc_live(), 1);
    agent_set_release(set);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS  20000

static void *read_and_release(void *data)
{
    const struct ar_snapshot *s = data;
    size_t read = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const struct ar_snapshot *mine = ar_snapshot_retain(s);
        const struct ar_agent *agent = ar_snapshot_find(mine, "42");
        read += agent && strcmp(agent->name, "Name") == 0 && ar_snapshot_count(mine) == 100;
        struct agent_set *set = agent_set_retain(snapshot_set(mine));
        ar_snapshot_release(mine);
        agent_set_release(set);
    }
    ar_snapshot_release(s); /* this thread's own: the last of them frees */
    return (void *)(uintptr_t)(read == ROUNDS);
}

static void many_threads_share_one(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct agent_set *set = NULL;
    fault_alloc_install();
    assert_int_equal(build(&set), 0);
    const struct ar_snapshot *s = snapshot_new(set, &facts, NULL);
    agent_set_release(set);
    for (int i = 0; i < THREADS; i++) {
        void *mine = (void *)(uintptr_t)ar_snapshot_retain(s);
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_release, mine), 0);
    }
    ar_snapshot_release(s);
    for (int i = 0; i < THREADS; i++) {
        void *all_seen = NULL;
        assert_int_equal(pthread_join(threads[i], &all_seen), 0);
        assert_non_null(all_seen);
    }
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_says_what_it_is),
        cmocka_unit_test(a_snapshot_may_have_no_set),
        cmocka_unit_test(without_memory_it_is_an_empty_mock),
        cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(a_set_is_one_allocation),
        cmocka_unit_test(many_threads_share_one),
    };
    return cmocka_run_group_tests_name("client_snapshot", tests, NULL, NULL);
}
