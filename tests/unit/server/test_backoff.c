#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/backoff.h"

static const struct backoff_options options = {.min_ms = 250,
                                               .max_ms = 30000,
                                               .reset_ms = 60000,
                                               .breaker_exits = 5,
                                               .breaker_window_ms = 60000,
                                               .breaker_probe_ms = 30000};

static uint64_t exit_and_wait(struct backoff *b, uint64_t up_ms, uint64_t now_ms)
{
    backoff_note_exit(b, up_ms, now_ms);
    assert_true(b->next_at_ms >= now_ms);
    return b->next_at_ms - now_ms;
}

static void assert_about(uint64_t wait_ms, uint64_t full_ms)
{
    assert_in_range(wait_ms, full_ms - full_ms / 4, full_ms);
}

static void test_doubles_up_to_the_maximum(void **state)
{
    (void)state;
    struct backoff_options no_breaker = options;
    no_breaker.breaker_exits = 0;
    struct backoff b;
    backoff_init(&b, &no_breaker, 7);
    assert_int_equal(backoff_take(&b, 1000), 0);
    static const uint64_t want[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_about(exit_and_wait(&b, 0, 1000), want[i]);
        assert_false(b.open);
    }
}

static void test_jitter_spreads(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct backoff b;
        backoff_init(&b, &options, seed * 7919);
        (void)exit_and_wait(&b, 0, 5);
        uint64_t wait_ms = exit_and_wait(&b, 0, 5);
        least = wait_ms < least ? wait_ms : least;
        most = wait_ms > most ? wait_ms : most;
    }
    assert_in_range(least, 375, 400);
    assert_in_range(most, 475, 500);
}

static void test_a_minute_up_starts_anew(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, &options, 7);
    assert_about(exit_and_wait(&b, 0, 100000), 250);
    assert_about(exit_and_wait(&b, 59999, 200000), 500);
    assert_about(exit_and_wait(&b, 60000, 300000), 250);
}

static void test_waits_until_then(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, &options, 7);
    uint64_t wait_ms = exit_and_wait(&b, 0, 1000);
    assert_int_equal(backoff_take(&b, 1000), wait_ms);
    assert_int_equal(backoff_take(&b, 1000 + wait_ms - 1), 1);
    assert_int_equal(backoff_take(&b, 1000 + wait_ms), 0);
    assert_int_equal(backoff_take(&b, 1000 + wait_ms), 0);
}

static void test_breaker_opens_at_the_fifth(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, &options, 7);
    for (uint64_t i = 0; i < 4; i++) {
        (void)exit_and_wait(&b, 0, 1000 + i * 15000);
        assert_false(b.open);
    }
    assert_int_equal(exit_and_wait(&b, 0, 1000 + 60000), 30000);
    assert_true(b.open);
}

static void test_breaker_window_ends(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, &options, 7);
    for (uint64_t i = 0; i < 4; i++)
        (void)exit_and_wait(&b, 0, 1000 + i * 15000);
    (void)exit_and_wait(&b, 0, 1000 + 60001);
    assert_false(b.open);
}

static void test_one_probe_at_a_time(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, &options, 7);
    for (int i = 0; i < 5; i++)
        (void)exit_and_wait(&b, 0, 1000);
    assert_int_equal(backoff_take(&b, 30999), 1);
    assert_int_equal(backoff_take(&b, 31000), 0);
    assert_int_equal(backoff_take(&b, 31000), 30000); /* the probe was taken */
    assert_int_equal(exit_and_wait(&b, 0, 100000), 30000);
    assert_true(b.open); /* it failed, however long ago the others were */
    assert_int_equal(backoff_take(&b, 130000), 0);
    backoff_note_ready(&b);
    assert_false(b.open);
    assert_true(exit_and_wait(&b, 0, 200000) <= 30000);
    assert_false(b.open);
}

static void test_reset_forgets(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, &options, 7);
    for (int i = 0; i < 100; i++)
        backoff_note_exit(&b, 0, 1000);
    assert_true(b.open);
    backoff_reset(&b);
    assert_int_equal(backoff_take(&b, 1000), 0);
    assert_about(exit_and_wait(&b, 0, 1000), 250);
}

static void test_breaker_cannot_ask_for_more_than_is_kept(void **state)
{
    (void)state;
    struct backoff_options many = options;
    many.breaker_exits = 5 * BACKOFF_EXITS_MAX;
    struct backoff b;
    backoff_init(&b, &many, 7);
    for (int i = 0; i < BACKOFF_EXITS_MAX - 1; i++)
        backoff_note_exit(&b, 0, 1000);
    assert_false(b.open);
    backoff_note_exit(&b, 0, 1000);
    assert_true(b.open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_maximum),
        cmocka_unit_test(test_jitter_spreads),
        cmocka_unit_test(test_a_minute_up_starts_anew),
        cmocka_unit_test(test_waits_until_then),
        cmocka_unit_test(test_breaker_opens_at_the_fifth),
        cmocka_unit_test(test_breaker_window_ends),
        cmocka_unit_test(test_one_probe_at_a_time),
        cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_breaker_cannot_ask_for_more_than_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
