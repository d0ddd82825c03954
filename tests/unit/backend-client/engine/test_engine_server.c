/* The relay lives and its server does not: what is shown, how often it is asked, and live again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

static void expect_shown(enum ar_state state, enum ar_source source)
{
    assert_int_equal(kit.last.state, state);
    assert_int_equal(kit.last.source, source);
}

/* ---- the relay lives, its server does not ---- */

static void server_down(enum kit_mood mood)
{
    kit_go_live(&kit, NULL);
    uint64_t taken_at_ms = kit.now_ms;
    kit.script.list = mood;
    kit_advance(&kit, 2000);
    struct ar_health h = kit_health(&kit);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(h.relay, AR_REACH_UP);
    assert_int_equal(h.server, AR_REACH_DOWN);
    assert_int_equal(h.losses, 1);
    assert_true(h.next_attempt_in_ms >= 0);
    assert_true(h.next_attempt_in_ms <= 2000);
    kit_until(&kit, taken_at_ms + 29999);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    kit_until(&kit, taken_at_ms + 30000);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    uint64_t polls = kit.methods_heard[KIT_M_LIST];
    kit_advance(&kit, 60000);
    assert_in_range(kit.methods_heard[KIT_M_LIST] - polls, 30, 600); /* at most 2 s apart */
    assert_true(kit.linked);
    assert_int_equal(kit.link, 1);
    assert_int_equal(kit_health(&kit).losses, 1);
    kit.script.list = KIT_GOOD;
    kit_advance(&kit, 2000);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(kit_health(&kit).server, AR_REACH_UP);
    assert_int_equal(kit.methods_heard[KIT_M_INIT], 1);
    kit_close(&kit);
}

static void a_poll_refused_by_the_relay_is_server_down(void **state)
{
    (void)state;
    server_down(KIT_DOWN);
}

static void a_list_that_cannot_be_used_is_server_down(void **state)
{
    (void)state;
    server_down(KIT_ODD);
}

static void the_reason_for_server_down_is_named(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_DOWN;
    kit_advance(&kit, 2000);
    struct ar_health h = kit_health(&kit);
    assert_string_equal(h.last_error_name, "SERVER_UNAVAILABLE");
    assert_int_equal(h.last_error_at_ms, KIT_UNIX_MS + 2000);
    kit.script.list = KIT_GOOD;
    kit_advance(&kit, 2000);
    h = kit_health(&kit);
    assert_int_equal(h.state, AR_LIVE);
    /* The last error stays to be read; only the suggestion goes. */
    assert_string_equal(h.last_error_name, "SERVER_UNAVAILABLE");
    kit_close(&kit);
}

static void a_slow_poll_is_waited_for(uint32_t poll_ms, uint64_t max_gap_ms)
{
    struct ar_options o = kit_options();
    o.agents_poll_ms = poll_ms;
    kit_go_live(&kit, &o);
    kit.script.list = KIT_DOWN;
    kit_advance(&kit, poll_ms);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    kit_advance(&kit, 300000);
    for (int i = 0; i < 100; i++) {
        int64_t in_ms = kit_health(&kit).next_attempt_in_ms;
        assert_true(in_ms >= 0 && (uint64_t)in_ms <= max_gap_ms);
        kit_advance(&kit, 777);
    }
    kit.script.list = KIT_GOOD;
    kit_advance(&kit, max_gap_ms);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
}

/* "At most agents_poll_ms or 5 s, the shorter, so that it is live again soon." */
static void while_the_server_is_down_polls_are_at_most_5_s_apart(void **state)
{
    (void)state;
    a_slow_poll_is_waited_for(60000, 5000);
    a_slow_poll_is_waited_for(700, 700);
}

static void a_poll_unanswered_is_server_down_at_its_time(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit_advance(&kit, 2000);
    assert_int_equal(kit_count(&kit, "agents/list"), 1);
    uint64_t asked_at_ms = kit.now_ms;
    kit_until(&kit, asked_at_ms + 9999);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    kit_until(&kit, asked_at_ms + 10000);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_true(kit.linked); /* relay/ping was answered: the relay lives */
    assert_int_equal(kit_health(&kit).relay, AR_REACH_UP);
    assert_int_equal(kit_health(&kit).server, AR_REACH_DOWN);
    kit.script.list = KIT_GOOD;
    kit_advance(&kit, 10000 + 2000);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(kit.link, 1);
    kit_close(&kit);
}

static void the_late_answer_of_a_poll_given_up_changes_nothing(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit_advance(&kit, 12000);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_true(kit_count(&kit, "agents/list") >= 1);
    kit_answer_held(&kit, "agents/list", KIT_GOOD);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    kit_back_to_live(&kit);
    kit_close(&kit);
}

static void server_down_then_link_lost_then_both_back(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_DOWN;
    kit_advance(&kit, 2000);
    kit_lose(&kit);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(kit_health(&kit).relay, AR_REACH_DOWN);
    kit_back_to_live(&kit);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_refused_by_the_relay_is_server_down),
        cmocka_unit_test(a_list_that_cannot_be_used_is_server_down),
        cmocka_unit_test(the_reason_for_server_down_is_named),
        cmocka_unit_test(while_the_server_is_down_polls_are_at_most_5_s_apart),
        cmocka_unit_test(a_poll_unanswered_is_server_down_at_its_time),
        cmocka_unit_test(the_late_answer_of_a_poll_given_up_changes_nothing),
        cmocka_unit_test(server_down_then_link_lost_then_both_back),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_server", tests, NULL, NULL);
}
