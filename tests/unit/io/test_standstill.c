/* A loop that did not run for a while: what timers and streams see of it. The clock is this file's own; the loop
 * runs single iterations that do not wait, and what passes between them is the iteration's work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/timer.h"
#include "tests/unit/io/stream_fixture.h"

static uint64_t clock_ms = 1000000;

/* In place of the C library's function. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, id, ret_time);
    ret_time->tv_sec = (time_t)(clock_ms / 1000);
    ret_time->tv_nsec = (long)(clock_ms % 1000) * 1000000;
    return 0;
}

static struct timer timer;
static int fired;
static size_t got_when_fired;

static void on_time(struct timer *t)
{
    (void)t;
    fired++;
    got_when_fired = a.got;
}

static int set_up(void **state)
{
    int rc = stream_set_up(state);
    if (rc == 0)
        rc = timer_init(&timer, &loop, on_time);
    fired = 0;
    return rc;
}

static int tear_down(void **state)
{
    timer_close(&timer, NULL);
    return stream_tear_down(state);
}

/* The loop runs out: nothing may be left that waits for time. */
static void finish(int fd)
{
    timer_clear(&timer);
    close_one(fd);
}

/* Time passes as it does for a loop that runs. */
static void advance_ms(uint64_t ms)
{
    for (uint64_t end_ms = clock_ms + ms; clock_ms < end_ms;) {
        clock_ms += end_ms - clock_ms < LOOP_TICK_MS ? end_ms - clock_ms : LOOP_TICK_MS;
        run_iterations(1);
    }
    run_iterations(1);
}

static void a_deadline_moves_with_the_standstill(void **state)
{
    (void)state;
    int fd = open_one();
    timer_set(&timer, loop_now_ms(&loop) + 1500);
    advance_ms(400);
    uint64_t served_ms = loop_now_ms(&loop);
    uint64_t real_ms = loop_real_ms(&loop);
    clock_ms += 3000;
    run_iterations(2);
    assert_int_equal(fired, 0);
    assert_in_range(loop_now_ms(&loop) - served_ms, 0, LOOP_WORK_MS);
    assert_int_equal(loop_real_ms(&loop) - real_ms, 3000);
    assert_int_equal(loop.served.standstills, 1);
    assert_true(loop.served.standstill_ms >= 3000 - LOOP_WORK_MS);
    advance_ms(1100 - LOOP_WORK_MS - 1);
    assert_int_equal(fired, 0);
    advance_ms(LOOP_WORK_MS + 1);
    assert_int_equal(fired, 1);
    finish(fd);
}

/* Even the shortest one: what the deadline loses is what a phase may take. */
static void many_short_standstills(void **state)
{
    (void)state;
    int fd = open_one();
    timer_set(&timer, loop_now_ms(&loop) + 20 * LOOP_WORK_MS + 1);
    for (int i = 0; i < 20; i++) {
        clock_ms += 400;
        run_iterations(1);
    }
    assert_int_equal(fired, 0);
    assert_int_equal(loop.served.standstills, 20);
    finish(fd);
}

static void what_has_arrived_is_read_first(void **state)
{
    (void)state;
    int fd = open_one();
    timer_set(&timer, loop_now_ms(&loop) + 40);
    advance_ms(10);
    assert_int_equal(write(fd, "late", 4), 4);
    clock_ms += 60000;
    run_iterations(3);
    assert_int_equal(fired, 1);
    assert_int_equal(got_when_fired, 4);
    finish(fd);
}

/* Without a standstill, too: a timer that is due waits for the poll. */
static void a_due_timer_waits_for_the_poll(void **state)
{
    (void)state;
    int fd = open_one();
    timer_set(&timer, loop_now_ms(&loop) + 40);
    run_iterations(1);
    assert_int_equal(write(fd, "same moment", 11), 11);
    clock_ms += 40;
    run_iterations(1);
    assert_int_equal(fired, 1);
    assert_int_equal(got_when_fired, 11);
    finish(fd);
}

/* ---- a reader that takes one chunk in an iteration ---- */

static struct loop_task read_on;
static size_t chunks_left; /* the peer writes another one for each that is read */
static int peer_fd;

static void read_again(struct loop_task *task)
{
    (void)task;
    assert_int_equal(stream_read_start(&a.stream), 0);
}

static void on_chunk(struct stream *s, const char *bytes, size_t len)
{
    (void)bytes;
    a.got += len;
    stream_read_stop(s);
    loop_mark(&loop, &read_on);
    if (chunks_left == 0)
        return;
    chunks_left--;
    assert_int_equal(write(peer_fd, "x", 1), 1);
}

static struct stream_ops chunk_ops;

static void begin_chunks(size_t count)
{
    peer_fd = open_one();
    chunk_ops = party_ops;
    chunk_ops.on_bytes = on_chunk;
    a.stream.ops = &chunk_ops;
    loop_task_init(&read_on, read_again);
    timer_set(&timer, loop_now_ms(&loop) + 40);
    run_iterations(1);
    chunks_left = count - 1;
    assert_int_equal(write(peer_fd, "x", 1), 1);
    clock_ms += 60000;
}

static void all_that_has_arrived(void **state)
{
    (void)state;
    begin_chunks(20);
    run_iterations(30);
    assert_int_equal(fired, 1);
    assert_int_equal(got_when_fired, 20);
    finish(peer_fd);
}

/* Who never stops writing does not keep deadlines from coming. */
static void catching_up_ends(void **state)
{
    (void)state;
    begin_chunks(SIZE_MAX);
    uint64_t end_ms = clock_ms + LOOP_CATCH_UP_MS + LOOP_WORK_MS;
    for (; fired == 0 && clock_ms < end_ms; clock_ms++)
        run_iterations(1);
    assert_int_equal(fired, 1);
    assert_true(got_when_fired >= LOOP_CATCH_UP_MS);
    loop_unmark(&read_on);
    finish(peer_fd);
}

/* ---- the tick ---- */

static void without_timers_nothing_ticks(void **state)
{
    (void)state;
    int fd = open_one();
    run_iterations(1);
    assert_false(uv_is_active((uv_handle_t *)&loop.tick));
    uint64_t served_ms = loop_now_ms(&loop);
    clock_ms += 3600000;
    run_iterations(1);
    assert_int_equal(loop_now_ms(&loop) - served_ms, 3600000);
    assert_int_equal(loop.served.standstills, 0);
    timer_set(&timer, loop_now_ms(&loop) + 10);
    assert_true(uv_is_active((uv_handle_t *)&loop.tick));
    timer_set(&timer, loop_now_ms(&loop) + 20);
    assert_int_equal(loop.timers, 1);
    timer_clear(&timer);
    timer_clear(&timer);
    assert_int_equal(loop.timers, 0);
    advance_ms(2 * LOOP_TICK_MS);
    assert_false(uv_is_active((uv_handle_t *)&loop.tick));
    assert_int_equal(fired, 0);
    finish(fd);
}

/* A timer that is due and has not fired yet can still be moved, cleared and closed. */
static void due_and_cleared(void **state)
{
    (void)state;
    int fd = open_one();
    timer_set(&timer, loop_now_ms(&loop));
    uv_update_time(&loop.uv);
    assert_int_equal(fired, 0);
    loop_mark_polled(&loop, &timer.due);
    timer_clear(&timer);
    run_iterations(3);
    assert_int_equal(fired, 0);
    timer_set(&timer, loop_now_ms(&loop));
    loop_mark_polled(&loop, &timer.due);
    timer_set(&timer, loop_now_ms(&loop) + 30);
    run_iterations(3);
    assert_int_equal(fired, 0);
    advance_ms(30);
    assert_int_equal(fired, 1);
    finish(fd);
}

static struct loop_task slow;

static void work(struct loop_task *task)
{
    (void)task;
    clock_ms += 70;
}

static void the_longest_iteration(void **state)
{
    (void)state;
    int fd = open_one();
    run_iterations(1);
    assert_int_equal(loop.longest_ms, 0);
    loop_task_init(&slow, work);
    loop_mark(&loop, &slow);
    run_iterations(1);
    assert_int_equal(loop.longest_ms, 70);
    run_iterations(3);
    assert_int_equal(loop.longest_ms, 70);
    finish(fd);
}

int main(void)
{
    stream_tests_begin();
#define STANDSTILL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STANDSTILL_TEST(a_deadline_moves_with_the_standstill),
        STANDSTILL_TEST(many_short_standstills),
        STANDSTILL_TEST(what_has_arrived_is_read_first),
        STANDSTILL_TEST(a_due_timer_waits_for_the_poll),
        STANDSTILL_TEST(all_that_has_arrived),
        STANDSTILL_TEST(catching_up_ends),
        STANDSTILL_TEST(without_timers_nothing_ticks),
        STANDSTILL_TEST(due_and_cleared),
        STANDSTILL_TEST(the_longest_iteration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
