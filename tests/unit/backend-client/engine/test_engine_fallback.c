/* What the engine publishes and says of itself: live, stale, mock and live again, to the millisecond; versions;
 * the probe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

static void expect_shown(enum ar_state state, enum ar_source source)
{
    assert_int_equal(fixture.last.state, state);
    assert_int_equal(fixture.last.source, source);
}

/* ---- live, stale, mock, live ---- */

static void live_stale_mock_live_at_their_times(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    uint64_t taken_at_ms = fixture.now_ms;
    uint64_t version = fixture.last.version;
    engine_fixture_advance(&fixture, 1500);
    engine_fixture_lose(&fixture);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(fixture.last.at_ms, fixture.now_ms);
    assert_int_equal(fixture.last.taken_at_ms, taken_at_ms);
    assert_int_equal(fixture.last.count, 3);
    assert_true(fixture.last.version > version);
    assert_int_equal(engine_fixture_health(&fixture).snapshot_age_ms, 1500);
    assert_int_equal(engine_fixture_health(&fixture).losses, 1);
    while (fixture.now_ms < taken_at_ms + 29999) {
        if (fixture.connecting)
            engine_fixture_refuse(&fixture);
        uint64_t due_ms = engine_due_ms(&fixture.engine);
        uint64_t next_ms = due_ms > fixture.now_ms ? due_ms : fixture.now_ms;
        engine_fixture_until(&fixture, next_ms < taken_at_ms + 29999 ? next_ms : taken_at_ms + 29999);
    }
    version = fixture.last.version;
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_non_null(ar_snapshot_find(fixture.snapshot, "peer-1"));
    engine_fixture_until(&fixture, taken_at_ms + 30000);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    assert_int_equal(fixture.last.at_ms, taken_at_ms + 30000);
    assert_int_equal(fixture.last.taken_at_ms, taken_at_ms + 30000);
    assert_true(fixture.last.version > version);
    assert_null(ar_snapshot_find(fixture.snapshot, "peer-1"));
    assert_true(engine_fixture_health(&fixture).agents_are_mock);
    engine_fixture_until(&fixture, taken_at_ms + 30001);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    engine_fixture_back_to_live(&fixture);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_false(engine_fixture_health(&fixture).agents_are_mock);
    engine_fixture_close(&fixture);
}

/* The trace's lines about publications and states, without their versions and counts. */
static const char *published_and_reported(void)
{
    static char text[4096];
    char *trace = strdup(fixture.trace);
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

/* Each change is published, once, and then reported. */
static void each_step_is_published_and_then_reported(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.mock_refresh_ms = AR_NEVER;
    o.stale_max_ms = 5;
    engine_fixture_open(&fixture, &o);
    fixture.tracing = true;
    engine_fixture_start(&fixture);
    engine_fixture_refuse(&fixture);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_lose(&fixture);
    engine_fixture_advance(&fixture, 5);
    engine_fixture_back_to_live(&fixture);
    fixture.script.list = REPLY_UNAVAILABLE;
    engine_fixture_advance(&fixture, 2000);
    engine_fixture_close_engine(&fixture);
    assert_string_equal(published_and_reported(),
                        "connecting/mock degraded/mock degraded! live/live live! degraded/stale degraded! "
                        "degraded/mock live/live live! degraded/mock degraded! closed/mock closed! ");
    engine_fixture_close(&fixture);

    engine_fixture_open(&fixture, NULL);
    fixture.tracing = true;
    engine_fixture_start(&fixture);
    engine_fixture_connect(&fixture);
    engine_fixture_close_engine(&fixture);
    assert_string_equal(published_and_reported(), "connecting/mock live/live live! closed/stale closed! ");
    engine_fixture_close(&fixture);
}

static void stale_max_0_is_mock_at_once(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.stale_max_ms = 0;
    engine_fixture_open_live(&fixture, &o);
    engine_fixture_lose(&fixture);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    engine_fixture_close(&fixture);
}

static void stale_for_ever_where_it_is_asked_for(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.stale_max_ms = AR_NEVER;
    engine_fixture_open_live(&fixture, &o);
    engine_fixture_lose(&fixture);
    fixture.now_ms += UINT64_C(50) * 24 * 3600 * 1000; /* above 2^32 ms */
    engine_fixture_tick(&fixture);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(engine_fixture_health(&fixture).snapshot_age_ms, UINT64_C(50) * 24 * 3600 * 1000);
    engine_fixture_close(&fixture);
}

static void the_mock_moves_while_it_is_shown_and_only_then(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    engine_fixture_refuse(&fixture);
    uint64_t publications = fixture.publications;
    for (int i = 0; i < 5; i++) {
        engine_fixture_advance(&fixture, 2000);
        if (fixture.connecting)
            engine_fixture_refuse(&fixture);
    }
    assert_in_range(fixture.publications - publications, 4, 8);
    engine_fixture_back_to_live(&fixture);
    publications = fixture.publications;
    engine_fixture_advance(&fixture, 1999);
    assert_int_equal(fixture.publications, publications);
    engine_fixture_close(&fixture);
}

static void a_standing_mock_stands(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.mock_refresh_ms = AR_NEVER;
    engine_fixture_open(&fixture, &o);
    engine_fixture_start(&fixture);
    engine_fixture_advance(&fixture, 600000);
    assert_int_equal(fixture.publications, 1);
    engine_fixture_close(&fixture);
}

/* ---- versions ---- */

static void the_version_grows_when_something_changed_alone(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    uint64_t version = fixture.last.version;
    uint64_t publications = fixture.publications;
    engine_fixture_advance(&fixture, 2000);
    /* The same agents again: a newer snapshot of the same version. */
    assert_int_equal(fixture.publications, publications + 1);
    assert_false(fixture.last.changed);
    assert_int_equal(fixture.last.version, version);
    assert_int_equal(fixture.last.taken_at_ms, fixture.now_ms);
    fixture.script.agents = engine_fixture_other_agents;
    engine_fixture_advance(&fixture, 2000);
    assert_true(fixture.last.changed);
    assert_int_equal(fixture.last.version, version + 1);
    assert_string_equal(ar_snapshot_find(fixture.snapshot, "peer-2")->status, "busy");
    engine_fixture_advance(&fixture, 2000);
    assert_int_equal(fixture.last.version, version + 1);
    engine_fixture_close(&fixture);
}

static void polls_come_at_their_pace(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    uint64_t polls = fixture.methods_received[METHOD_LIST];
    engine_fixture_advance(&fixture, 1999);
    assert_int_equal(fixture.methods_received[METHOD_LIST], polls);
    engine_fixture_advance(&fixture, 1);
    assert_int_equal(fixture.methods_received[METHOD_LIST], polls + 1);
    engine_fixture_advance(&fixture, 20000);
    assert_int_equal(fixture.methods_received[METHOD_LIST], polls + 11);
    engine_fixture_close(&fixture);
}

static void without_polls_it_is_live_with_an_empty_set(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.agents_poll_ms = AR_NEVER;
    engine_fixture_open_live(&fixture, &o);
    assert_int_equal(fixture.methods_received[METHOD_LIST], 0);
    assert_int_equal(fixture.last.count, 0);
    engine_fixture_advance(&fixture, 100000);
    assert_int_equal(fixture.methods_received[METHOD_LIST], 0);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    engine_fixture_lose(&fixture);
    engine_fixture_advance(&fixture, 600000);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

/* ---- the probe ---- */

static void the_probe_distinguishes_relay_down_from_server_down(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    engine_fixture_refuse(&fixture);
    engine_probe(&fixture.engine, 200, "", fixture.now_ms);
    engine_fixture_check(&fixture);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_int_equal(h.health_probe, AR_REACH_UP);
    assert_int_equal(h.health_probe_status, 200);
    engine_probe(&fixture.engine, 0, "connection refused", fixture.now_ms);
    engine_fixture_check(&fixture);
    h = engine_fixture_health(&fixture);
    assert_int_equal(h.health_probe, AR_REACH_DOWN);
    assert_int_equal(h.health_probe_status, 0);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_stale_mock_live_at_their_times),
        cmocka_unit_test(each_step_is_published_and_then_reported),
        cmocka_unit_test(stale_max_0_is_mock_at_once),
        cmocka_unit_test(stale_for_ever_where_it_is_asked_for),
        cmocka_unit_test(the_mock_moves_while_it_is_shown_and_only_then),
        cmocka_unit_test(a_standing_mock_stands),
        cmocka_unit_test(the_version_grows_when_something_changed_alone),
        cmocka_unit_test(polls_come_at_their_pace),
        cmocka_unit_test(without_polls_it_is_live_with_an_empty_set),
        cmocka_unit_test(the_probe_distinguishes_relay_down_from_server_down),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_fallback", tests, NULL, NULL);
}
