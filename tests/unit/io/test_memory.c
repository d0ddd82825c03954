/* The memory budget: which readers are stopped, which go on, and that one always does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/memory.h"
#include "tests/unit/common/fault_alloc.h"

#define KIB   ((size_t)1 << 10)
#define LIMIT (1000 * KIB)
#define USERS 8

struct reader {
    struct memory_user user;
    int paused;
    int resumed;
    bool leave_when_paused;
};

static struct loop loop;
static struct memory memory;
static struct reader readers[USERS];

static void on_pause(struct memory_user *u)
{
    struct reader *r = CONTAINER_OF(u, struct reader, user);
    assert_int_equal(r->paused, r->resumed);
    r->paused++;
    if (r->leave_when_paused)
        memory_leave(&memory, u);
}

static void on_resume(struct memory_user *u)
{
    struct reader *r = CONTAINER_OF(u, struct reader, user);
    r->resumed++;
    assert_int_equal(r->paused, r->resumed);
}

static int set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    int rc = loop_init(&loop);
    memory_init(&memory, &loop, LIMIT);
    for (int i = 0; i < USERS; i++) {
        readers[i] = (struct reader){.paused = 0};
        memory_join(&memory, &readers[i].user, on_pause, on_resume);
    }
    return rc;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < USERS; i++) {
        memory_leave(&memory, &readers[i].user);
        memory_leave(&memory, &readers[i].user);
    }
    memory_done(&memory);
    int rc = loop_done(&loop);
    return rc != 0 ? rc : (int)fault_alloc_live();
}

static void hold(int i, size_t bytes)
{
    memory_set(&memory, &readers[i].user, bytes, bytes);
}

/* The last reader's place, held by somebody without a frame to stop: a queue, say. */
static void others_hold(size_t bytes)
{
    memory_set(&memory, &readers[USERS - 1].user, 0, bytes);
}

static bool is_paused(int i)
{
    return readers[i].paused > readers[i].resumed;
}

/* Decisions are made at the end of the iteration. */
static void iterate(void)
{
    loop_run(&loop);
}

static void at_the_limit_nobody_stops(void **state)
{
    (void)state;
    others_hold(600 * KIB);
    hold(1, 100 * KIB);
    hold(0, 300 * KIB - 1);
    iterate();
    assert_false(is_paused(0));
    hold(0, 300 * KIB);
    iterate();
    assert_false(is_paused(0));
    hold(0, 300 * KIB + 1);
    assert_false(is_paused(0)); /* not inside the caller's stack */
    iterate();
    assert_true(is_paused(0));
    assert_false(is_paused(1));
    assert_int_equal(memory.pauses, 1);
}

static void the_largest_stops_first(void **state)
{
    (void)state;
    hold(0, 300 * KIB);
    hold(1, 500 * KIB);
    hold(2, 200 * KIB);
    iterate();
    assert_int_equal(memory.pauses, 0);
    readers[1].leave_when_paused = true; /* and that is enough */
    hold(2, 250 * KIB);
    iterate();
    assert_int_equal(memory.pauses, 1);
    assert_false(is_paused(0));
    assert_false(is_paused(2));
}

/* The smallest, and it alone: if more read on they would grow to the limit in turn. */
static void somebody_goes_on(void **state)
{
    (void)state;
    for (int i = 0; i < USERS; i++)
        hold(i, (size_t)(200 + i) * KIB);
    iterate();
    assert_false(is_paused(0));
    for (int i = 1; i < USERS; i++)
        assert_true(is_paused(i));
}

static void small_frames_never_stop(void **state)
{
    (void)state;
    hold(1, MEMORY_PARTIAL_MIN_BYTES + 1);
    memory_set(&memory, &readers[0].user, MEMORY_PARTIAL_MIN_BYTES, 2 * LIMIT);
    iterate();
    assert_false(is_paused(0));
    memory_set(&memory, &readers[0].user, MEMORY_PARTIAL_MIN_BYTES + 2, 2 * LIMIT);
    iterate();
    assert_true(is_paused(0));
    assert_false(is_paused(1));
}

static void they_go_on_when_it_falls(void **state)
{
    (void)state;
    hold(0, 400 * KIB);
    hold(1, 500 * KIB);
    memory_set(&memory, &readers[2].user, 0, 550 * KIB);
    iterate();
    assert_true(is_paused(1));
    assert_false(is_paused(0));
    memory_set(&memory, &readers[2].user, 0, 50 * KIB);
    iterate();
    assert_true(is_paused(1)); /* below the limit, not yet by an eighth */
    memory_set(&memory, &readers[2].user, 0, 0);
    hold(0, 375 * KIB - LOOP_READ_BYTES + 1);
    iterate();
    assert_true(is_paused(1)); /* and not while another read would fill it again */
    hold(0, 375 * KIB - LOOP_READ_BYTES);
    iterate();
    assert_false(is_paused(1));
    assert_int_equal(readers[1].paused, 1);
}

static void the_smallest_goes_on_first(void **state)
{
    (void)state;
    hold(0, 300 * KIB);
    hold(1, 400 * KIB);
    hold(2, 200 * KIB);
    others_hold(900 * KIB);
    iterate();
    assert_true(is_paused(0) && is_paused(1));
    others_hold(0);
    iterate();
    assert_true(is_paused(0) && is_paused(1));
    hold(2, 0);
    iterate();
    assert_false(is_paused(0));
    assert_true(is_paused(1));
}

/* Stopping the only one would help nobody: its frame would never end. */
static void alone_it_goes_on(void **state)
{
    (void)state;
    hold(0, 3 * LIMIT);
    others_hold(2 * LIMIT);
    iterate();
    assert_false(is_paused(0));
}

/* The budget is full of those stopped alone, each with more storage than frame: one after the other goes on,
 * and all end. */
static void the_stopped_do_not_block_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < USERS - 1; i++)
        memory_set(&memory, &readers[i].user, 400 * KIB, 600 * KIB);
    others_hold(400 * KIB);
    iterate();
    for (int ended = 0; ended < USERS - 1; ended++) {
        int going = 0;
        while (going < USERS - 1 && (is_paused(going) || readers[going].user.partial_bytes == 0))
            going++;
        assert_in_range(going, 0, USERS - 2);
        hold(going, 0);
        iterate();
    }
}

static void who_leaves_makes_room(void **state)
{
    (void)state;
    hold(0, 600 * KIB);
    hold(1, 700 * KIB);
    iterate();
    assert_true(is_paused(1));
    memory_leave(&memory, &readers[0].user);
    iterate();
    assert_false(is_paused(1));
    assert_int_equal(memory.held_bytes, 700 * KIB);
}

static void leaving_when_paused(void **state)
{
    (void)state;
    readers[0].leave_when_paused = true;
    hold(0, 900 * KIB);
    hold(1, 200 * KIB);
    iterate();
    assert_int_equal(memory.held_bytes, 200 * KIB);
    assert_int_equal(readers[0].resumed, 0);
    assert_false(is_paused(1));
}

static void a_frame_ends_while_paused(void **state)
{
    (void)state;
    others_hold(600 * KIB);
    hold(0, 500 * KIB);
    hold(1, 100 * KIB);
    iterate();
    assert_true(is_paused(0));
    hold(0, 10);
    others_hold(300 * KIB);
    iterate();
    assert_false(is_paused(0));
}

static void a_new_limit(void **state)
{
    (void)state;
    others_hold(400 * KIB);
    hold(0, 500 * KIB);
    hold(1, 100 * KIB);
    iterate();
    assert_false(is_paused(0));
    memory_set_limit(&memory, LIMIT / 2);
    iterate();
    assert_true(is_paused(0));
    memory_set_limit(&memory, 2 * LIMIT);
    iterate();
    assert_false(is_paused(0));
}

static void holder_without_frames(void **state)
{
    (void)state;
    struct memory_user queue;
    memory_join(&memory, &queue, NULL, NULL);
    memory_set(&memory, &queue, 0, 2 * LIMIT);
    hold(0, 100 * KIB);
    hold(1, 200 * KIB);
    iterate();
    assert_true(is_paused(1));
    memory_leave(&memory, &queue);
    iterate();
    assert_false(is_paused(1));
}

static void without_memory_nobody_is_lost(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        for (int i = 0; i < USERS; i++)
            hold(i, (size_t)(300 + i) * KIB);
        iterate();
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        for (int i = 0; i < USERS; i++)
            hold(i, 0);
        iterate();
        for (int i = 0; i < USERS; i++)
            assert_false(is_paused(i));
        assert_int_equal(memory.held_bytes, 0);
        if (!fired)
            break;
        heap_done(&memory.reading); /* the next run allocates again */
        heap_done(&memory.paused);
    }
}

int main(void)
{
#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(at_the_limit_nobody_stops), MEMORY_TEST(the_largest_stops_first),
        MEMORY_TEST(somebody_goes_on),          MEMORY_TEST(small_frames_never_stop),
        MEMORY_TEST(they_go_on_when_it_falls),  MEMORY_TEST(the_smallest_goes_on_first),
        MEMORY_TEST(who_leaves_makes_room),     MEMORY_TEST(leaving_when_paused),
        MEMORY_TEST(a_frame_ends_while_paused), MEMORY_TEST(a_new_limit),
        MEMORY_TEST(alone_it_goes_on),          MEMORY_TEST(the_stopped_do_not_block_each_other),
        MEMORY_TEST(holder_without_frames),     MEMORY_TEST(without_memory_nobody_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
