/* What the engine is_published and says of itself: live, stale, mock and live again, to the millisecond; versions;
 * the probe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

static void expect_shown(enum ar_state state, enum ar_source source)
{
    assert_int_equal(kit.last.state, state);
    assert_int_equal(kit.last.source, source);
}

/* ---- live, stale, mock, live ---- */

static void live_stale_mock_live_at_their_times(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    uint64_t taken_at_ms = kit.now_ms;
    uint64_t version = kit.last.version;
    kit_advance(&kit, 1500);
    kit_lose(&kit);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(kit.last.at_ms, kit.now_ms);
    assert_int_equal(kit.last.taken_at_ms, taken_at_ms);
    assert_int_equal(kit.last.count, 3);
    assert_true(kit.last.version > version);
    assert_int_equal(kit_health(&kit).snapshot_age_ms, 1500);
    assert_int_equal(kit_health(&kit).losses, 1);
    while (kit.now_ms < taken_at_ms + 29999) {
        if (kit.connecting)
            kit_refuse(&kit);
        uint64_t due_ms = engine_due_ms(&kit.engine);
        uint64_t next_ms = due_ms > kit.now_ms ? due_ms : kit.now_ms;
        kit_until(&kit, next_ms < taken_at_ms + 29999 ? next_ms : taken_at_ms + 29999);
    }
    version = kit.last.version;
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_non_null(ar_snapshot_find(kit.snapshot, "peer-1"));
    kit_until(&kit, taken_at_ms + 30000);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    assert_int_equal(kit.last.at_ms, taken_at_ms + 30000);
    assert_int_equal(kit.last.taken_at_ms, taken_at_ms + 30000);
    assert_true(kit.last.version > version);
    assert_null(ar_snapshot_find(kit.snapshot, "peer-1"));
    assert_true(kit_health(&kit).agents_are_mock);
    kit_until(&kit, taken_at_ms + 30001);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    kit_back_to_live(&kit);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_false(kit_health(&kit).agents_are_mock);
    kit_close(&kit);
}

/* The trace's lines that tell of publications and states, without their versions and counts. */
static const char *shown_and_told(void)
{
    static char text[4096];
    char *trace = strdup(kit.trace);
    char *rest = NULL;
    assert_non_null(trace);
    text[0] = '\0';
    for (const char *line = strtok_r(trace, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char what[16] = "";
        char a[16] = "";
        char b[16] = "";
        size_t n = strlen(text);
        int words = sscanf(line, "%*u %15s %15s %15s", what, a, b);
        if (words >= 2 && strcmp(what, "state") == 0)
            (void)snprintf(text + n, sizeof(text) - n, "%s! ", a);
        else if (words == 3 && strcmp(what, "publish") == 0)
            (void)snprintf(text + n, sizeof(text) - n, "%s/%s ", b, a);
    }
    free(trace);
    return text;
}

/* Each change is published, once, and then told. */
static void each_step_is_shown_and_then_told(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.mock_refresh_ms = AR_NEVER;
    o.stale_max_ms = 5;
    kit_open(&kit, &o);
    kit.tracing = true;
    kit_start(&kit);
    kit_refuse(&kit);
    kit_back_to_live(&kit);
    kit_lose(&kit);
    kit_advance(&kit, 5);
    kit_back_to_live(&kit);
    kit.script.list = KIT_DOWN;
    kit_advance(&kit, 2000);
    kit_close_engine(&kit);
    assert_string_equal(shown_and_told(),
                        "connecting/mock degraded/mock degraded! live/live live! degraded/stale degraded! "
                        "degraded/mock live/live live! degraded/mock degraded! closed/mock closed! ");
    kit_close(&kit);

    kit_open(&kit, NULL);
    kit.tracing = true;
    kit_start(&kit);
    kit_up(&kit);
    kit_close_engine(&kit);
    assert_string_equal(shown_and_told(), "connecting/mock live/live live! closed/stale closed! ");
    kit_close(&kit);
}

static void stale_max_0_is_mock_at_once(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.stale_max_ms = 0;
    kit_go_live(&kit, &o);
    kit_lose(&kit);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    kit_close(&kit);
}

static void stale_for_ever_where_it_is_asked_for(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.stale_max_ms = AR_NEVER;
    kit_go_live(&kit, &o);
    kit_lose(&kit);
    kit.now_ms += UINT64_C(50) * 24 * 3600 * 1000; /* above 2^32 ms */
    kit_tick(&kit);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(kit_health(&kit).snapshot_age_ms, UINT64_C(50) * 24 * 3600 * 1000);
    kit_close(&kit);
}

static void the_mock_moves_while_it_is_shown_and_only_then(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit_refuse(&kit);
    uint64_t publications = kit.publications;
    for (int i = 0; i < 5; i++) {
        kit_advance(&kit, 2000);
        if (kit.connecting)
            kit_refuse(&kit);
    }
    assert_in_range(kit.publications - publications, 4, 8);
    kit_back_to_live(&kit);
    publications = kit.publications;
    kit_advance(&kit, 1999);
    assert_int_equal(kit.publications, publications);
    kit_close(&kit);
}

static void a_standing_mock_stands(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.mock_refresh_ms = AR_NEVER;
    kit_open(&kit, &o);
    kit_start(&kit);
    kit_advance(&kit, 600000);
    assert_int_equal(kit.publications, 1);
    kit_close(&kit);
}

/* ---- versions ---- */

static void the_version_grows_when_something_changed_alone(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    uint64_t version = kit.last.version;
    uint64_t publications = kit.publications;
    kit_advance(&kit, 2000);
    /* The same agents again: a newer snapshot of the same version. */
    assert_int_equal(kit.publications, publications + 1);
    assert_false(kit.last.changed);
    assert_int_equal(kit.last.version, version);
    assert_int_equal(kit.last.taken_at_ms, kit.now_ms);
    kit.script.agents = kit_other_agents;
    kit_advance(&kit, 2000);
    assert_true(kit.last.changed);
    assert_int_equal(kit.last.version, version + 1);
    assert_string_equal(ar_snapshot_find(kit.snapshot, "peer-2")->status, "busy");
    kit_advance(&kit, 2000);
    assert_int_equal(kit.last.version, version + 1);
    kit_close(&kit);
}

static void polls_come_at_their_pace(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    uint64_t polls = kit.methods_heard[KIT_M_LIST];
    kit_advance(&kit, 1999);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], polls);
    kit_advance(&kit, 1);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], polls + 1);
    kit_advance(&kit, 20000);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], polls + 11);
    kit_close(&kit);
}

static void without_polls_it_is_live_with_an_empty_set(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.agents_poll_ms = AR_NEVER;
    kit_go_live(&kit, &o);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], 0);
    assert_int_equal(kit.last.count, 0);
    kit_advance(&kit, 100000);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], 0);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    kit_lose(&kit);
    kit_advance(&kit, 600000);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    kit_back_to_live(&kit);
    kit_close(&kit);
}

/* ---- the probe ---- */

static void the_probe_tells_relay_down_from_server_down(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit_refuse(&kit);
    engine_probe(&kit.engine, 200, "", kit.now_ms);
    kit_check(&kit);
    struct ar_health h = kit_health(&kit);
    assert_int_equal(h.health_probe, AR_REACH_UP);
    assert_int_equal(h.health_probe_status, 200);
    engine_probe(&kit.engine, 0, "connection refused", kit.now_ms);
    kit_check(&kit);
    h = kit_health(&kit);
    assert_int_equal(h.health_probe, AR_REACH_DOWN);
    assert_int_equal(h.health_probe_status, 0);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_stale_mock_live_at_their_times),
        cmocka_unit_test(each_step_is_shown_and_then_told),
        cmocka_unit_test(stale_max_0_is_mock_at_once),
        cmocka_unit_test(stale_for_ever_where_it_is_asked_for),
        cmocka_unit_test(the_mock_moves_while_it_is_shown_and_only_then),
        cmocka_unit_test(a_standing_mock_stands),
        cmocka_unit_test(the_version_grows_when_something_changed_alone),
        cmocka_unit_test(polls_come_at_their_pace),
        cmocka_unit_test(without_polls_it_is_live_with_an_empty_set),
        cmocka_unit_test(the_probe_tells_relay_down_from_server_down),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_fallback", tests, NULL, NULL);
}
