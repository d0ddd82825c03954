/* The client's back-off on a virtual clock: full jitter and its distribution, factor, cap, the stable time at
 * -1, 0 and +1, outages longer than any number, clocks that stand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend-client/src/engine/reconnect.h"

static const struct reconnect_options defaults = {
    .base_ms = 1000, .factor = 2, .cap_ms = 30000, .stable_ms = 60000};

#define DRAWS 10000

static struct reconnect make(uint64_t seed)
{
    struct reconnect r;
    reconnect_init(&r, &defaults, seed);
    return r;
}

static void fail_often(struct reconnect *r, int times)
{
    for (int i = 0; i < times; i++)
        (void)reconnect_next_ms(r);
}

static void bounds_double_up_to_the_cap(void **state)
{
    (void)state;
    static const uint64_t want[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    struct reconnect r = make(7);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(reconnect_bound_ms(&r), want[i]);
        assert_int_equal(reconnect_bound_ms(&r), want[i]); /* asking is no step */
        assert_true(reconnect_next_ms(&r) <= want[i]);
    }
}

static void other_factors(void **state)
{
    (void)state;
    static const struct {
        double factor;
        uint64_t want[5];
    } cases[] = {
        {1, {100, 100, 100, 100, 100}},         {1.5, {100, 150, 225, 337, 506}},
        {3, {100, 300, 900, 2700, 5000}},       {10, {100, 1000, 5000, 5000, 5000}},
        {1e308, {100, 5000, 5000, 5000, 5000}}, {INFINITY, {100, 5000, 5000, 5000, 5000}},
        {0, {100, 100, 100, 100, 100}},         {0.999, {100, 100, 100, 100, 100}},
        {-INFINITY, {100, 100, 100, 100, 100}}, {NAN, {100, 100, 100, 100, 100}},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct reconnect_options o = {
            .base_ms = 100, .factor = cases[c].factor, .cap_ms = 5000, .stable_ms = 1};
        struct reconnect r;
        reconnect_init(&r, &o, c);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(reconnect_bound_ms(&r), cases[c].want[i]);
            (void)reconnect_next_ms(&r);
        }
    }
}

static void a_cap_below_the_base_wins(void **state)
{
    (void)state;
    struct reconnect_options o = {.base_ms = 1000, .factor = 2, .cap_ms = 300, .stable_ms = 1};
    struct reconnect r;
    reconnect_init(&r, &o, 7);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(reconnect_bound_ms(&r), 300);
        assert_in_range(reconnect_next_ms(&r), 0, 300);
    }
}

static void no_wait_where_none_is_asked_for(void **state)
{
    (void)state;
    static const struct reconnect_options cases[] = {
        {.base_ms = 0, .factor = 2, .cap_ms = 30000},
        {.base_ms = 1000, .factor = 2, .cap_ms = 0},
        {.base_ms = 0, .factor = 1, .cap_ms = 0},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct reconnect r;
        reconnect_init(&r, &cases[c], 3);
        for (int i = 0; i < 100; i++)
            assert_int_equal(reconnect_next_ms(&r), 0);
    }
}

/* At the cap each draw has the same bound, so that one long outage is DRAWS draws of one distribution. */
static void jitter_is_full_and_even(void **state)
{
    (void)state;
    struct reconnect_options o = {.base_ms = 99, .factor = 2, .cap_ms = 99, .stable_ms = 1};
    unsigned counts[100] = {0};
    double sum = 0;
    struct reconnect r;
    reconnect_init(&r, &o, 42);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t wait_ms = reconnect_next_ms(&r);
        assert_in_range(wait_ms, 0, 99);
        counts[wait_ms]++;
        sum += (double)wait_ms;
    }
    assert_true(counts[0] > 0 && counts[99] > 0); /* both ends */
    double mean = sum / DRAWS;
    assert_true(mean > 48.5 && mean < 50.5); /* 49.5; its standard error is 0.29 */
    double chi_square = 0;
    for (size_t i = 0; i < 100; i++) {
        double off = counts[i] - DRAWS / 100.0;
        chi_square += off * off / (DRAWS / 100.0);
    }
    assert_true(chi_square > 50 && chi_square < 160); /* 99 degrees of freedom; 0.01 % beyond 160 */
}

static void jitter_of_the_first_wait_spreads_clients(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    double sum = 0;
    for (uint64_t seed = 0; seed < DRAWS; seed++) { /* neighbours, and 0 */
        struct reconnect r = make(seed);
        uint64_t wait_ms = reconnect_next_ms(&r);
        least = wait_ms < least ? wait_ms : least;
        most = wait_ms > most ? wait_ms : most;
        sum += (double)wait_ms;
    }
    assert_in_range(least, 0, 2);
    assert_in_range(most, 998, 1000);
    assert_true(sum / DRAWS > 485 && sum / DRAWS < 515);
}

static void one_seed_gives_one_sequence(void **state)
{
    (void)state;
    struct reconnect a = make(5), b = make(5), c = make(6);
    unsigned same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t wait_ms = reconnect_next_ms(&a);
        assert_int_equal(wait_ms, reconnect_next_ms(&b));
        same += wait_ms == reconnect_next_ms(&c);
    }
    assert_true(same < 5);
}

static void stable_time_at_its_edges(void **state)
{
    (void)state;
    static const struct {
        uint64_t live_ms;
        uint64_t want_ms;
    } cases[] = {{0, 8000}, {59999, 8000}, {60000, 1000}, {60001, 1000}, {UINT64_MAX / 2, 1000}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct reconnect r = make(c);
        fail_often(&r, 3);
        reconnect_note_live(&r, 5000);
        assert_int_equal(reconnect_bound_ms(&r), 8000); /* being live is not yet being stable */
        reconnect_note_down(&r, 5000 + cases[c].live_ms);
        assert_int_equal(reconnect_bound_ms(&r), cases[c].want_ms);
    }
}

static void short_lives_do_not_add_up(void **state)
{
    (void)state;
    struct reconnect r = make(1);
    uint64_t now_ms = 1000;
    fail_often(&r, 4);
    for (int i = 0; i < 10; i++) {
        reconnect_note_live(&r, now_ms);
        reconnect_note_down(&r, now_ms += 30000);
        assert_int_equal(reconnect_bound_ms(&r), 16000);
    }
}

static void live_again_does_not_move_the_beginning(void **state)
{
    (void)state;
    struct reconnect r = make(1);
    fail_often(&r, 2);
    reconnect_note_live(&r, 1000);
    reconnect_note_live(&r, 50000);
    reconnect_note_live(&r, 60999);
    reconnect_note_down(&r, 61000);
    assert_int_equal(reconnect_bound_ms(&r), 1000);
}

static void down_without_live_changes_nothing(void **state)
{
    (void)state;
    struct reconnect r = make(1);
    fail_often(&r, 2);
    reconnect_note_down(&r, 1000000);
    assert_int_equal(reconnect_bound_ms(&r), 4000);
    reconnect_note_live(&r, 1000000);
    reconnect_note_down(&r, 1000001);
    reconnect_note_down(&r, 9000000); /* the second one is no end of anything */
    assert_int_equal(reconnect_bound_ms(&r), 4000);
}

static void a_clock_that_stands_or_goes_back(void **state)
{
    (void)state;
    struct reconnect r = make(1);
    fail_often(&r, 3);
    for (int i = 0; i < 1000; i++) {
        reconnect_note_live(&r, 70000);
        reconnect_note_down(&r, 70000);
    }
    assert_int_equal(reconnect_bound_ms(&r), 8000);
    reconnect_note_live(&r, 70000);
    reconnect_note_down(&r, 3);
    assert_int_equal(reconnect_bound_ms(&r), 8000);
    reconnect_note_live(&r, 0); /* the first millisecond is as good as any */
    reconnect_note_down(&r, 60000);
    assert_int_equal(reconnect_bound_ms(&r), 1000);
}

static void without_a_stable_time_each_life_counts(void **state)
{
    (void)state;
    struct reconnect_options o = defaults;
    struct reconnect r;
    o.stable_ms = 0;
    reconnect_init(&r, &o, 1);
    fail_often(&r, 5);
    reconnect_note_live(&r, 10);
    reconnect_note_down(&r, 10);
    assert_int_equal(reconnect_bound_ms(&r), 1000);
}

static void stable_for_ever_never_starts_over(void **state)
{
    (void)state;
    struct reconnect_options o = defaults;
    struct reconnect r;
    o.stable_ms = UINT64_MAX;
    reconnect_init(&r, &o, 1);
    fail_often(&r, 5);
    reconnect_note_live(&r, 0);
    reconnect_note_down(&r, UINT64_MAX - 1);
    assert_int_equal(reconnect_bound_ms(&r), 30000);
}

/* Reconnecting that stops after a long outage. 2^40 failures are too many to play, but
 * the step is at its cap after five, and from then on each failure is the same one. */
static void an_outage_without_end(void **state)
{
    (void)state;
    struct reconnect r = make(9);
    fail_often(&r, 6);
    double settled_ms = r.step_ms;
    for (int i = 0; i < 1000000; i++) {
        assert_true(reconnect_next_ms(&r) <= 30000);
        assert_true(r.step_ms == settled_ms); /* a fixed point: so it is after 2^40 as well */
    }
    assert_true(isfinite(r.step_ms));
    reconnect_note_live(&r, 1);
    reconnect_note_down(&r, 60001);
    assert_int_equal(reconnect_bound_ms(&r), 1000);
}

static void the_largest_options_overflow_nothing(void **state)
{
    (void)state;
    static const struct reconnect_options cases[] = {
        {UINT64_MAX, 2, UINT64_MAX, UINT64_MAX},     {UINT64_MAX, 1e308, UINT64_MAX, 0},
        {UINT64_MAX - 1, INFINITY, UINT64_MAX, 0},   {0, INFINITY, UINT64_MAX, 0},
        {UINT64_MAX, 2, UINT64_MAX - 1, UINT64_MAX}, {1, 1.0000001, UINT64_MAX, 0},
        {UINT32_MAX, 2, UINT32_MAX, UINT32_MAX},     {UINT64_MAX, NAN, 1, 1},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct reconnect r;
        reconnect_init(&r, &cases[c], 1);
        for (int i = 0; i < 5000; i++) { /* 2^1024 and 1.0000001^n, and both together */
            assert_true(reconnect_bound_ms(&r) <= cases[c].cap_ms);
            assert_true(reconnect_next_ms(&r) <= cases[c].cap_ms);
            assert_true(isfinite(r.step_ms) && r.step_ms >= 0);
        }
    }
}

static void a_cap_of_all_bits_is_drawn_from_whole(void **state)
{
    (void)state;
    struct reconnect_options o = {UINT64_MAX, 1, UINT64_MAX, 0};
    struct reconnect r;
    uint64_t seen = 0;
    reconnect_init(&r, &o, 1);
    for (int i = 0; i < 1000; i++)
        seen |= reconnect_next_ms(&r);
    assert_true(seen == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_double_up_to_the_cap),
        cmocka_unit_test(other_factors),
        cmocka_unit_test(a_cap_below_the_base_wins),
        cmocka_unit_test(no_wait_where_none_is_asked_for),
        cmocka_unit_test(jitter_is_full_and_even),
        cmocka_unit_test(jitter_of_the_first_wait_spreads_clients),
        cmocka_unit_test(one_seed_gives_one_sequence),
        cmocka_unit_test(stable_time_at_its_edges),
        cmocka_unit_test(short_lives_do_not_add_up),
        cmocka_unit_test(live_again_does_not_move_the_beginning),
        cmocka_unit_test(down_without_live_changes_nothing),
        cmocka_unit_test(a_clock_that_stands_or_goes_back),
        cmocka_unit_test(without_a_stable_time_each_life_counts),
        cmocka_unit_test(stable_for_ever_never_starts_over),
        cmocka_unit_test(an_outage_without_end),
        cmocka_unit_test(the_largest_options_overflow_nothing),
        cmocka_unit_test(a_cap_of_all_bits_is_drawn_from_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
