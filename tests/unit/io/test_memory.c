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
    bool stalled;
    int asked;
    int evicted;
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

static const struct memory_ops reader_ops = {.pause = on_pause, .resume = on_resume};

static void set(struct memory_user *u, size_t partial_bytes, size_t held_bytes)
{
    memory_set(&memory, u, &(struct memory_usage){.partial_bytes = partial_bytes, .held_bytes = held_bytes});
}

static int set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    int rc = loop_init(&loop);
    memory_init(&memory, &loop, LIMIT);
    for (int i = 0; i < USERS; i++) {
        readers[i] = (struct reader){.paused = 0};
        memory_join(&memory, &readers[i].user, &reader_ops);
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
    set(&readers[i].user, bytes, bytes);
}

/* The last reader's place, held by somebody without a frame to stop: a queue, say. */
static void others_hold(size_t bytes)
{
    set(&readers[USERS - 1].user, 0, bytes);
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

static void small_frames_stop_only_well_above_the_limit(void **state)
{
    (void)state;
    hold(1, MEMORY_PARTIAL_MIN_BYTES + 1);
    set(&readers[0].user, MEMORY_PARTIAL_MIN_BYTES, LIMIT);
    iterate();
    assert_false(is_paused(0));
    set(&readers[0].user, MEMORY_PARTIAL_MIN_BYTES, LIMIT * 5 / 4);
    iterate();
    assert_true(is_paused(0));
    assert_false(is_paused(1));
    set(&readers[0].user, MEMORY_PARTIAL_MIN_BYTES, LIMIT / 2);
    iterate();
    assert_false(is_paused(0));
    set(&readers[0].user, MEMORY_PARTIAL_MIN_BYTES + 2, LIMIT);
    iterate();
    assert_true(is_paused(0));
    assert_false(is_paused(1));
}

static void they_go_on_when_it_falls(void **state)
{
    (void)state;
    hold(0, 400 * KIB);
    hold(1, 500 * KIB);
    set(&readers[2].user, 0, 550 * KIB);
    iterate();
    assert_true(is_paused(1));
    assert_false(is_paused(0));
    set(&readers[2].user, 0, 50 * KIB);
    iterate();
    assert_true(is_paused(1)); /* below the limit, not yet by an eighth */
    set(&readers[2].user, 0, 0);
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
        set(&readers[i].user, 400 * KIB, 600 * KIB);
    others_hold(400 * KIB);
    iterate();
    for (int ended = 0; ended < USERS - 1; ended++) {
        int going = 0;
        while (going < USERS - 1 && (is_paused(going) || readers[going].user.usage.partial_bytes == 0))
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
    static const struct memory_ops nothing = {.pause = NULL};
    struct memory_user queue;
    memory_join(&memory, &queue, &nothing);
    set(&queue, 0, 2 * LIMIT);
    hold(0, 100 * KIB);
    hold(1, 200 * KIB);
    iterate();
    assert_true(is_paused(1));
    memory_leave(&memory, &queue);
    iterate();
    assert_false(is_paused(1));
}

/* Above the hard limit they go on one at a time, at each review: whatever the others hold. */
static void small_frames_go_on_in_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        set(&readers[i].user, 10, LIMIT);
    iterate();
    assert_true(is_paused(0) && is_paused(1) && is_paused(2));
    for (int i = 0; i < 3; i++) {
        memory_review(&memory);
        assert_false(is_paused(i));
        assert_true(is_paused((i + 1) % 3));
    }
}

static void a_vital_user_is_the_last_to_stop(void **state)
{
    (void)state;
    static const struct memory_ops vital = {.pause = on_pause, .resume = on_resume, .vital = true};
    memory_leave(&memory, &readers[0].user);
    memory_join(&memory, &readers[0].user, &vital);
    hold(0, 800 * KIB);
    hold(1, 100 * KIB);
    hold(2, 200 * KIB);
    iterate();
    assert_false(is_paused(0));
    assert_true(is_paused(1) && is_paused(2));
}

/* ---- who is closed ---- */

static void on_evict(struct memory_user *u)
{
    struct reader *r = CONTAINER_OF(u, struct reader, user);
    r->evicted++;
    memory_leave(&memory, u);
}

static bool on_is_stalled(struct memory_user *u)
{
    struct reader *r = CONTAINER_OF(u, struct reader, user);
    r->asked++;
    return r->stalled;
}

static void clients_join(void)
{
    static const struct memory_ops ops = {
        .pause = on_pause, .resume = on_resume, .evict = on_evict, .is_stalled = on_is_stalled};
    for (int i = 0; i < USERS; i++) {
        memory_leave(&memory, &readers[i].user);
        memory_join(&memory, &readers[i].user, &ops);
    }
}

static void leave_unread(int i, size_t bytes)
{
    memory_set(&memory, &readers[i].user, &(struct memory_usage){.queued_bytes = bytes, .held_bytes = bytes});
}

static void below_the_limit_nobody_is_closed(void **state)
{
    (void)state;
    clients_join();
    readers[0].stalled = true;
    leave_unread(0, LIMIT);
    iterate();
    memory_review(&memory);
    assert_int_equal(readers[0].asked, 0);
    assert_int_equal(memory.evictions, 0);
}

static void the_largest_that_has_stalled_goes_first(void **state)
{
    (void)state;
    clients_join();
    leave_unread(0, 400 * KIB);
    leave_unread(1, 300 * KIB);
    leave_unread(2, 250 * KIB);
    leave_unread(3, 100 * KIB);
    readers[1].stalled = readers[2].stalled = readers[3].stalled = true;
    iterate();
    assert_int_equal(readers[1].evicted, 1);
    assert_int_equal(memory.evictions, 1); /* and that is enough */
    assert_int_equal(memory.held_bytes, 750 * KIB);
    assert_int_equal(memory.queued_bytes, 750 * KIB);
}

static void who_reads_stays_up_to_a_quarter_above(void **state)
{
    (void)state;
    clients_join();
    leave_unread(0, 700 * KIB);
    leave_unread(1, 550 * KIB);
    iterate();
    assert_int_equal(memory.evictions, 0);
    leave_unread(2, KIB);
    iterate();
    assert_int_equal(readers[0].evicted, 1);
    assert_int_equal(memory.evictions, 1);
}

static void a_stalled_frame_goes_and_one_that_comes_stays(void **state)
{
    (void)state;
    clients_join();
    for (int i = 0; i < USERS; i++)
        hold(i, MEMORY_PARTIAL_MIN_BYTES);
    memory_set_limit(&memory, 7 * MEMORY_PARTIAL_MIN_BYTES);
    readers[5].stalled = true;
    iterate();
    assert_int_equal(readers[5].evicted, 1);
    assert_int_equal(memory.evictions, 1);
    assert_int_equal(memory.pauses, 0);
}

/* What partial frames hold is no reason to close those whose answers are on their way. */
static void small_queues_do_not_pay_for_frames(void **state)
{
    (void)state;
    clients_join();
    leave_unread(0, 10 * KIB);
    hold(1, 2 * LIMIT);
    iterate();
    assert_int_equal(memory.evictions, 0);
    leave_unread(0, LIMIT / 4 + 1);
    iterate();
    assert_int_equal(readers[0].evicted, 1);
    assert_int_equal(readers[1].evicted, 0);
}

static void a_review_looks_at_everybody_again(void **state)
{
    (void)state;
    clients_join();
    leave_unread(0, 600 * KIB);
    leave_unread(1, 500 * KIB);
    iterate();
    assert_int_equal(memory.evictions, 0);
    assert_true(memory_is_over(&memory));
    readers[1].stalled = true;
    memory_review(&memory);
    assert_int_equal(readers[1].evicted, 1);
    assert_false(memory_is_over(&memory));
}

static void reads_get_shorter_as_memory_fills(void **state)
{
    (void)state;
    others_hold(LIMIT / 2);
    assert_int_equal(memory.read_bytes, LOOP_READ_BYTES);
    others_hold(LIMIT / 2 + 1);
    assert_int_equal(memory.read_bytes, MEMORY_TIGHT_READ_BYTES);
    others_hold(LIMIT + 1);
    assert_int_equal(memory.read_bytes, MEMORY_FULL_READ_BYTES);
    others_hold(0);
    assert_int_equal(memory.read_bytes, LOOP_READ_BYTES);
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
        MEMORY_TEST(at_the_limit_nobody_stops),
        MEMORY_TEST(the_largest_stops_first),
        MEMORY_TEST(somebody_goes_on),
        MEMORY_TEST(small_frames_stop_only_well_above_the_limit),
        MEMORY_TEST(they_go_on_when_it_falls),
        MEMORY_TEST(the_smallest_goes_on_first),
        MEMORY_TEST(who_leaves_makes_room),
        MEMORY_TEST(leaving_when_paused),
        MEMORY_TEST(a_frame_ends_while_paused),
        MEMORY_TEST(a_new_limit),
        MEMORY_TEST(alone_it_goes_on),
        MEMORY_TEST(the_stopped_do_not_block_each_other),
        MEMORY_TEST(small_frames_go_on_in_turn),
        MEMORY_TEST(a_vital_user_is_the_last_to_stop),
        MEMORY_TEST(below_the_limit_nobody_is_closed),
        MEMORY_TEST(the_largest_that_has_stalled_goes_first),
        MEMORY_TEST(who_reads_stays_up_to_a_quarter_above),
        MEMORY_TEST(a_stalled_frame_goes_and_one_that_comes_stays),
        MEMORY_TEST(small_queues_do_not_pay_for_frames),
        MEMORY_TEST(a_review_looks_at_everybody_again),
        MEMORY_TEST(reads_get_shorter_as_memory_fills),
        MEMORY_TEST(holder_without_frames),
        MEMORY_TEST(without_memory_nobody_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
