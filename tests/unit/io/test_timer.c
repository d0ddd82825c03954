/* Timers: when they fire, how they move, and closing them in their own callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/timer.h"

static struct loop loop;

struct counted_timer {
    struct timer timer;
    int fired;
    int closed;
    uint64_t fired_at_ms;
    uint64_t again_in_ms; /* set once more from its own callback */
    bool close_in_callback;
};

static int set_up(void **state)
{
    (void)state;
    return loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    return loop_done(&loop);
}

static struct counted_timer *of(struct timer *t)
{
    return CONTAINER_OF(t, struct counted_timer, timer);
}

static void on_closed(struct timer *t)
{
    of(t)->closed++;
}

static void on_time(struct timer *t)
{
    struct counted_timer *c = of(t);
    c->fired++;
    c->fired_at_ms = loop_now_ms(&loop);
    assert_int_equal(t->at_ms, 0);
    if (c->again_in_ms != 0)
        timer_set(t, loop_now_ms(&loop) + c->again_in_ms);
    c->again_in_ms = 0;
    if (c->close_in_callback)
        timer_close(t, on_closed);
}

static void start(struct counted_timer *c)
{
    *c = (struct counted_timer){0};
    assert_int_equal(timer_init(&c->timer, &loop, on_time), 0);
}

static void finish(struct counted_timer *c)
{
    timer_close(&c->timer, on_closed);
    timer_close(&c->timer, NULL);
    loop_run(&loop);
    assert_int_equal(c->closed, 1);
}

static void fires_once_at_its_time(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    uint64_t at_ms = loop_now_ms(&loop) + 20;
    timer_set(&c.timer, at_ms);
    assert_int_equal(c.timer.at_ms, at_ms);
    loop_run(&loop);
    assert_int_equal(c.fired, 1);
    assert_true(c.fired_at_ms >= at_ms);
    finish(&c);
    assert_int_equal(c.fired, 1);
}

static void past_fires_in_the_next_iteration(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    timer_set(&c.timer, 0);
    assert_int_equal(c.fired, 0);
    loop_run(&loop);
    assert_int_equal(c.fired, 1);
    finish(&c);
}

static void moves(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    uint64_t now_ms = loop_now_ms(&loop);
    timer_set(&c.timer, now_ms + 3600000);
    timer_set_earlier(&c.timer, now_ms + 7200000);
    assert_int_equal(c.timer.at_ms, now_ms + 3600000);
    timer_set_earlier(&c.timer, now_ms + 10);
    assert_int_equal(c.timer.at_ms, now_ms + 10);
    timer_set(&c.timer, now_ms + 15);
    loop_run(&loop);
    assert_int_equal(c.fired, 1);
    assert_true(c.fired_at_ms >= now_ms + 15);
    finish(&c);
}

static void cleared_does_not_fire(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    timer_set(&c.timer, loop_now_ms(&loop) + 1);
    timer_clear(&c.timer);
    timer_clear(&c.timer);
    loop_run(&loop);
    assert_int_equal(c.fired, 0);
    finish(&c);
}

static void set_again_in_callback(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    c.again_in_ms = 5;
    timer_set(&c.timer, 1);
    loop_run(&loop);
    assert_int_equal(c.fired, 2);
    finish(&c);
}

static void closed_in_callback(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    c.close_in_callback = true;
    timer_set(&c.timer, 1);
    loop_run(&loop);
    assert_int_equal(c.fired, 1);
    assert_int_equal(c.closed, 1);
}

static void set_after_close_is_ignored(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    timer_set(&c.timer, 1);
    timer_close(&c.timer, on_closed);
    timer_set(&c.timer, 1);
    loop_run(&loop);
    assert_int_equal(c.fired, 0);
    assert_int_equal(c.closed, 1);
}

static void closed_without_callback(void **state)
{
    (void)state;
    struct counted_timer c;
    start(&c);
    timer_close(&c.timer, NULL);
    loop_run(&loop);
    assert_int_equal(c.closed, 0);
}

int main(void)
{
#define TIMER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TIMER_TEST(fires_once_at_its_time),
        TIMER_TEST(past_fires_in_the_next_iteration),
        TIMER_TEST(moves),
        TIMER_TEST(cleared_does_not_fire),
        TIMER_TEST(set_again_in_callback),
        TIMER_TEST(closed_in_callback),
        TIMER_TEST(set_after_close_is_ignored),
        TIMER_TEST(closed_without_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
