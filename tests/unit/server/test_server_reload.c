/* Reloads of the set: what stays, what is drained and started anew, what comes and goes, and stopping while
 * some are still being removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "tests/unit/server/server_fixture.h"

static char one[] = "one", two[] = "two";

static void test_unchanged_is_not_touched(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = make_ready(one);
    pid_t pid = await_pid(one);
    for (int i = 0; i < 3; i++) {
        fixture_add(one, NULL);
        fixture_apply();
    }
    struct server_config *entry = fixture_add(one, NULL);
    entry->max_in_flight = 7;
    entry->timeout_ms = 123;
    fixture_apply();
    assert_int_equal(fake_server(one)->limits.max_in_flight, 7);
    assert_int_equal(fake_server(one)->limits.timeout_ms, 123);
    assert_int_equal(await_pid(one), pid);
    assert_string_equal(upstream->log, "starting attach ready");
}

static void test_changed_is_drained_and_restarted(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_add(two, NULL);
    fixture_apply();
    struct upstream *upstream = make_ready(one);
    (void)make_ready(two);
    upstream->stats.sessions = 1;
    upstream->stats.in_flight = 2;
    fixture_add(one, "while read -r x; do echo '{\"new\":1}'; done");
    fixture_add(two, NULL);
    fixture_apply();
    await_log(upstream, "ready drain");
    assert_string_equal(fixture_state(one), "stopping");
    assert_non_null(upstream->link); /* it serves what it has */
    upstream->stats.in_flight = 0;
    await_log(upstream, "ready drain down:stopping starting attach ready");
    assert_string_equal(upstream->last_frame, "{\"new\":1}");
    assert_int_equal(fixture_info(one).restarts, 0);
    assert_string_equal(fake_upstream_of(two)->log, "starting attach ready");
}

static void test_drain_has_an_end(void **state)
{
    (void)state;
    fixture_config()->drain_ms = 100;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = make_ready(one);
    upstream->stats.sessions = 1;
    upstream->stats.in_flight = 1;
    fixture_add(one, "exec cat");
    fixture_apply();
    await_log(upstream, "drain down:stopping starting attach ready");
}

static void test_changed_without_sessions(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = make_ready(one);
    fixture_add(one, "exec cat");
    fixture_apply();
    await_log(upstream, "ready drain down:stopping idle");
    assert_false(upstream->draining);
    assert_string_equal(fixture_state(one), "down");
}

static void test_change_ends_a_crash_loop(void **state)
{
    (void)state;
    fixture_add(one, "exit 1");
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    upstream->stats.sessions = 1;
    fake_want(upstream);
    await_log(upstream, "down:crash-loop");
    fixture_add(one, NULL);
    fixture_apply();
    await_log(upstream, "down:crash-loop starting attach ready");
}

static void test_disabled_and_enabled(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = make_ready(one);
    upstream->stats.sessions = 1;
    fixture_add(one, NULL)->disabled = true;
    fixture_apply();
    await_log(upstream, "ready drain down:down");
    assert_string_equal(upstream->detail, "it is disabled in the configuration");
    fixture_add(one, NULL);
    fixture_apply();
    await_log(upstream, "down:down starting attach ready");
}

static void test_removed_and_added(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = make_ready(one);
    struct route_server *route = fake_server(one);
    pid_t keeper = fixture_info(one).keeper_pid;
    fixture_add(two, NULL);
    fixture_apply();
    assert_true(route->removed);
    assert_true(upstream->freed);
    assert_string_equal(route->removed_why, "the server was removed from the configuration");
    struct server_info info;
    assert_false(fixture_find(one, &info));
    (void)make_ready(two);
    fixture_stop();
    assert_int_equal(kill(keeper, 0), -1);
}

static void test_sharing_changes(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *before = make_ready(one);
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    assert_true(before->freed);
    struct upstream *upstream = fake_session_upstream(one);
    fake_want(upstream);
    await_log(upstream, "starting attach ready");
    fixture_add(one, NULL);
    fixture_apply();
    assert_true(upstream->released);
    await_log(upstream, "ready free");
    (void)make_ready(one);
}

/* Stopping while removed children are still on their way. */
static void test_stop_with_leavers(void **state)
{
    (void)state;
    fixture_config()->stop_grace_ms = 100;
    fixture_add(one, "trap '' TERM; read -r x; echo \"$x\"; while :; do sleep 1; done");
    fixture_apply();
    (void)make_ready(one);
    pid_t keeper = fixture_info(one).keeper_pid;
    fixture_apply();
    fixture_stop();
    assert_int_equal(kill(keeper, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_unchanged_is_not_touched), FIXTURE_TEST(test_changed_is_drained_and_restarted),
        FIXTURE_TEST(test_drain_has_an_end),         FIXTURE_TEST(test_changed_without_sessions),
        FIXTURE_TEST(test_change_ends_a_crash_loop), FIXTURE_TEST(test_disabled_and_enabled),
        FIXTURE_TEST(test_removed_and_added),        FIXTURE_TEST(test_sharing_changes),
        FIXTURE_TEST(test_stop_with_leavers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
