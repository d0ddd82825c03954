/* Served time, with the real time passed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/served_time.h"

#define START_MS 1000000

static struct served_time t;

static int set_up(void **state)
{
    (void)state;
    served_time_init(&t, START_MS);
    return 0;
}

static uint64_t served_ms(void)
{
    return served_time_now(&t) - START_MS;
}

static void what_is_allowed_is_served(void **state)
{
    (void)state;
    served_time_allow(&t, 60);
    assert_int_equal(served_time_look(&t, START_MS + 60), 0);
    assert_int_equal(served_ms(), 60);
    assert_int_equal(t.standstills, 0);
}

static void the_rest_is_standstill(void **state)
{
    (void)state;
    served_time_allow(&t, 60);
    assert_int_equal(served_time_look(&t, START_MS + 61), 1);
    assert_int_equal(served_ms(), 60);
    served_time_allow(&t, 60);
    assert_int_equal(served_time_look(&t, START_MS + 60061), 59940);
    assert_int_equal(served_ms(), 120);
    assert_int_equal(t.standstill_ms, 59941);
    assert_int_equal(t.standstills, 2);
}

/* Looking more often takes nothing from a phase and adds nothing to it. */
static void looks_share_an_allowance(void **state)
{
    (void)state;
    served_time_allow(&t, 60);
    for (uint64_t ms = 1; ms <= 60; ms++)
        assert_int_equal(served_time_look(&t, START_MS + ms), 0);
    assert_int_equal(served_time_look(&t, START_MS + 60), 0);
    assert_int_equal(served_time_look(&t, START_MS + 100), 40);
    assert_int_equal(served_ms(), 60);
}

static void without_deadlines_all_is_served(void **state)
{
    (void)state;
    assert_int_equal(served_time_look(&t, START_MS + 3600000), 0); /* as after init */
    served_time_allow(&t, 10);
    assert_int_equal(served_time_look(&t, START_MS + 3600000), 0);
    served_time_allow(&t, SERVED_ANY);
    assert_int_equal(served_time_look(&t, START_MS + 7200000), 0);
    assert_int_equal(served_ms(), 7200000);
}

/* A machine that is late again and again: each time costs the allowance, and no more. */
static void many_short_ones(void **state)
{
    (void)state;
    uint64_t real_ms = START_MS;
    for (int i = 0; i < 1000; i++) {
        served_time_allow(&t, 50);
        assert_int_equal(served_time_look(&t, real_ms += 350), 300);
    }
    assert_int_equal(served_ms(), 50000);
    assert_int_equal(t.standstill_ms, 300000);
    assert_int_equal(t.standstills, 1000);
}

static void nothing_allowed(void **state)
{
    (void)state;
    served_time_allow(&t, 0);
    assert_int_equal(served_time_look(&t, START_MS), 0);
    assert_int_equal(served_time_look(&t, START_MS + 1), 1);
    assert_int_equal(served_ms(), 0);
}

int main(void)
{
#define TIME_TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TIME_TEST(what_is_allowed_is_served), TIME_TEST(the_rest_is_standstill),
        TIME_TEST(looks_share_an_allowance),  TIME_TEST(without_deadlines_all_is_served),
        TIME_TEST(many_short_ones),           TIME_TEST(nothing_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
