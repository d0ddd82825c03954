/* A relay that did not run for a minute: the deadlines of a supervisor's states, over the fake driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/server/fake_driver.h"

FAKE_CLOCK

#define STANDSTILL_MS 60000

static char one[] = "one";
static const char line[] = "{\"x\":1}";

static struct upstream *want_one(void)
{
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    upstream->stats.sessions = 1;
    fake_want(upstream);
    return upstream;
}

/* What is left of a deadline after a standstill: all but what a phase may take. */
static void advance_rest(uint64_t ms)
{
    advance_ms(ms - LOOP_WORK_MS);
}

static void starting(void **state)
{
    (void)state;
    fixture_add(one, NULL)->start_timeout_ms = 3000;
    struct upstream *upstream = want_one();
    advance_ms(1000);
    stand_still_ms(STANDSTILL_MS);
    advance_rest(1999);
    assert_string_equal(fixture_state(one), "starting");
    report_frame(newest(), line);
    assert_string_equal(upstream->log, "starting attach ready");
    advance_ms(3000);
    assert_string_equal(fixture_state(one), "ready");
}

static void starting_is_still_bounded(void **state)
{
    (void)state;
    fixture_add(one, NULL)->start_timeout_ms = 3000;
    (void)want_one();
    stand_still_ms(STANDSTILL_MS);
    advance_ms(3000);
    assert_true(newest()->stopped);
}

static void idle(void **state)
{
    (void)state;
    fixture_add(one, NULL)->idle_timeout_ms = 1000;
    (void)want_one();
    report_frame(newest(), line);
    advance_ms(500);
    stand_still_ms(STANDSTILL_MS);
    advance_rest(499);
    assert_false(newest()->stopped);
    advance_ms(LOOP_WORK_MS + 1);
    assert_true(newest()->stopped);
}

static void draining(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    struct upstream *upstream = want_one();
    report_frame(newest(), line);
    upstream->stats.in_flight = 1;
    fixture_config()->drain_ms = 1000;
    fixture_add(one, "changed");
    fixture_apply();
    stand_still_ms(STANDSTILL_MS);
    advance_rest(980);
    assert_false(newest()->stopped);
    advance_ms(LOOP_WORK_MS + 40);
    assert_true(newest()->stopped);
}

static void backing_off(void **state)
{
    (void)state;
    fixture_config()->backoff_min_ms = 4000;
    fixture_config()->backoff_max_ms = 4000;
    fixture_add(one, NULL);
    (void)want_one();
    report_frame(newest(), line);
    report_exit(newest(), 1, 0);
    stand_still_ms(STANDSTILL_MS);
    advance_rest(3000 - 1); /* less up to a quarter at random */
    assert_int_equal(fake_driver.count, 1);
    advance_ms(1001 + LOOP_WORK_MS);
    assert_int_equal(fake_driver.count, 2);
}

/* Exits stay in the breaker's window, and the probe waits. */
static void crash_loop(void **state)
{
    (void)state;
    fixture_config()->breaker_exits = 3;
    fixture_config()->breaker_window_ms = 10000;
    fixture_add(one, NULL);
    (void)want_one();
    for (int i = 0; i < 2; i++) {
        report_exit(newest(), 1, 0);
        advance_ms(200);
        stand_still_ms(STANDSTILL_MS);
    }
    report_exit(newest(), 1, 0);
    assert_string_equal(fixture_state(one), "crash-loop");
    size_t started = fake_driver.count;
    stand_still_ms(STANDSTILL_MS);
    advance_rest(59999);
    assert_int_equal(fake_driver.count, started);
    advance_ms(1 + LOOP_WORK_MS);
    assert_int_equal(fake_driver.count, started + 1);
}

/* People read the true time. */
static void uptime_is_real(void **state)
{
    (void)state;
    fixture_add(one, NULL)->idle_timeout_ms = 10 * STANDSTILL_MS;
    (void)want_one();
    report_frame(newest(), line);
    advance_ms(1000);
    stand_still_ms(STANDSTILL_MS);
    struct server_info info = fixture_info(one);
    assert_int_equal(info.uptime_ms, 1000 + STANDSTILL_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_DRIVER_TEST(starting),       FAKE_DRIVER_TEST(starting_is_still_bounded),
        FAKE_DRIVER_TEST(idle),           FAKE_DRIVER_TEST(draining),
        FAKE_DRIVER_TEST(backing_off),    FAKE_DRIVER_TEST(crash_loop),
        FAKE_DRIVER_TEST(uptime_is_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
