/* The out queue alone: order, counts, acknowledgements, replay, its bound, and its storage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/out_queue.h"
#include "tests/unit/common/fault_alloc.h"

static struct out_queue q;

static int set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    out_queue_init(&q, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fault_alloc_fail_at(0);
    out_queue_done(&q);
    assert_int_equal(fault_alloc_live(), 0);
    return 0;
}

static int append_parts(const struct part *parts, size_t count)
{
    const struct message message = {.parts = parts, .part_count = count, .kind = MESSAGE_RESULT};
    return out_queue_append(&q, &message);
}

static int append(const char *text)
{
    size_t half = strlen(text) / 2;
    const struct part parts[] = {{text, half}, {text + half, strlen(text) - half}};
    return append_parts(parts, 2);
}

static void take(const char *expected)
{
    struct out_frame frame;
    assert_true(out_queue_next(&q, &frame));
    assert_int_equal(frame.message.part_count, 1);
    assert_int_equal(frame.message.parts->len, strlen(expected));
    assert_memory_equal(frame.message.parts->bytes, expected, strlen(expected));
    out_queue_take(&q);
}

static bool is_drained(void)
{
    struct out_frame frame;
    return !out_queue_next(&q, &frame);
}

static void test_frames_come_out_in_order(void **state)
{
    (void)state;
    assert_true(is_drained());
    assert_int_equal(append("one"), 0);
    assert_int_equal(append(""), 0);
    assert_int_equal(append("three"), 0);
    take("one");
    take("");
    take("three");
    assert_true(is_drained());
    assert_int_equal(q.appended, 3);
    assert_int_equal(q.taken, 3);
    assert_int_equal(q.acknowledged, 0);
}

static void test_what_is_acknowledged_goes(void **state)
{
    (void)state;
    assert_int_equal(append("one") | append("two") | append("three"), 0);
    take("one");
    take("two");
    size_t before = out_queue_bytes(&q);
    assert_int_equal(out_queue_acknowledge(&q, 1), 0);
    assert_true(out_queue_bytes(&q) <= before - 3);
    take("three");
    assert_int_equal(out_queue_acknowledge(&q, 3), 0);
    assert_int_equal(out_queue_bytes(&q), 0);
    assert_int_equal(append("four"), 0);
    take("four");
}

static void test_counts_that_cannot_be_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(append("one") | append("two"), 0);
    take("one");
    assert_int_equal(out_queue_acknowledge(&q, 2), ERR_RANGE); /* the second was not sent yet */
    assert_int_equal(out_queue_acknowledge(&q, 1), 0);
    assert_int_equal(out_queue_acknowledge(&q, 1), 0); /* the same again is no news */
    assert_int_equal(out_queue_acknowledge(&q, 0), ERR_RANGE);
    take("two");
    assert_int_equal(out_queue_acknowledge(&q, UINT64_MAX), ERR_RANGE);
}

static void test_a_rewind_begins_at_the_first_unacknowledged(void **state)
{
    (void)state;
    assert_int_equal(append("one") | append("two") | append("three"), 0);
    take("one");
    take("two");
    assert_int_equal(out_queue_acknowledge(&q, 1), 0);
    out_queue_rewind(&q);
    take("two");
    out_queue_rewind(&q);
    take("two");
    take("three");
    assert_true(is_drained());
}

/* What a message is comes back with it, so that nobody scans it again. */
static void test_what_a_message_is_stays_with_it(void **state)
{
    (void)state;
    const struct part part = PART("{}");
    const struct message answer = {
        .parts = &part, .part_count = 1, .kind = MESSAGE_ERROR, .about = "\"a\"", .about_len = 3};
    const struct message other = {.parts = &part, .part_count = 1, .kind = MESSAGE_NOTIFICATION};
    struct out_frame frame;
    assert_int_equal(out_queue_append(&q, &answer) | out_queue_append(&q, &other), 0);
    assert_true(out_queue_next(&q, &frame));
    assert_int_equal(frame.message.kind, MESSAGE_ERROR);
    assert_int_equal(frame.message.about_len, 3);
    assert_memory_equal(frame.message.about, "\"a\"", 3);
    assert_memory_equal(frame.part.bytes, "{}", 2);
    out_queue_take(&q);
    assert_true(out_queue_next(&q, &frame));
    assert_int_equal(frame.message.kind, MESSAGE_NOTIFICATION);
    assert_null(frame.message.about);
}

static void test_the_bound_counts_headers_too(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'x', sizeof(text));
    assert_int_equal(append(""), 0);
    size_t header = out_queue_bytes(&q);
    assert_true(header > 0);
    const struct part exact = {text, 4096 - 2 * header};
    const struct part over = {text, 4096 - 2 * header + 1};
    assert_int_equal(append_parts(&over, 1), ERR_TOO_LARGE);
    assert_int_equal(append_parts(&exact, 1), 0);
    assert_int_equal(append(""), ERR_TOO_LARGE);
    const struct part huge[] = {{text, SIZE_MAX}, {text, 2}};
    assert_int_equal(append_parts(huge, 2), ERR_TOO_LARGE);
    assert_int_equal(append_parts(huge, 1), ERR_TOO_LARGE);
    assert_int_equal(q.appended, 2);
}

static void test_no_memory_keeps_nothing(void **state)
{
    (void)state;
    fault_alloc_fail_at(1);
    assert_int_equal(append("one"), -ENOMEM);
    fault_alloc_fail_at(0);
    assert_int_equal(q.appended, 0);
    assert_int_equal(append("two"), 0);
    take("two");
}

/* A window of frames that moves along, as acknowledgements come: the storage is kept. */
static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 10000; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "frame %d", (int)i);
        if (i == 200)
            fault_alloc_fail_at(1);
        assert_int_equal(append(text), 0);
        take(text);
        if (i > 64)
            assert_int_equal(out_queue_acknowledge(&q, i - 64), 0);
    }
    assert_false(fault_alloc_fired());
}

static void test_an_empty_queue_gives_its_storage_back(void **state)
{
    (void)state;
    assert_int_equal(append("one"), 0);
    out_queue_trim(&q);
    assert_true(out_queue_held_bytes(&q) > 0);
    take("one");
    assert_int_equal(out_queue_acknowledge(&q, 1), 0);
    out_queue_trim(&q);
    assert_int_equal(out_queue_held_bytes(&q), 0);
    assert_int_equal(append("two"), 0);
    take("two");
}

/* Random appends, takes, acknowledgements and rewinds, beside a model that is two counters: frame n is the
 * text n. */
static void test_random_walk(void **state)
{
    (void)state;
    unsigned seed = 1;
    uint64_t appended = 0;
    uint64_t taken = 0;
    uint64_t acknowledged = 0;
    char text[64];
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1103515245u + 12345u;
        switch ((seed >> 16) % 8) {
        case 0:
        case 1:
        case 2: {
            int pad = (int)(appended % 29);
            (void)snprintf(text, sizeof(text), "%*d", pad, (int)(appended + 1));
            int rc = append(text);
            assert_true(rc == 0 || rc == ERR_TOO_LARGE);
            appended += rc == 0;
            break;
        }
        case 3:
        case 4:
        case 5:
            if (taken == appended) {
                assert_true(is_drained());
                break;
            }
            (void)snprintf(text, sizeof(text), "%*d", (int)(taken % 29), (int)(taken + 1));
            take(text);
            taken++;
            break;
        case 6:
            acknowledged += taken > acknowledged ? (seed >> 20) % (taken - acknowledged + 1) : 0;
            assert_int_equal(out_queue_acknowledge(&q, acknowledged), 0);
            break;
        default:
            if ((seed >> 20) % 16 == 0) {
                out_queue_rewind(&q);
                taken = acknowledged;
            }
            break;
        }
        assert_true(q.acknowledged == acknowledged && q.taken == taken && q.appended == appended);
    }
    assert_true(acknowledged > 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_frames_come_out_in_order),
        TEST(test_what_is_acknowledged_goes),
        TEST(test_counts_that_cannot_be_change_nothing),
        TEST(test_a_rewind_begins_at_the_first_unacknowledged),
        TEST(test_what_a_message_is_stays_with_it),
        TEST(test_the_bound_counts_headers_too),
        TEST(test_no_memory_keeps_nothing),
        TEST(test_steady_state_allocates_nothing),
        TEST(test_an_empty_queue_gives_its_storage_back),
        TEST(test_random_walk),
    };
    return cmocka_run_group_tests_name("out_queue", tests, NULL, NULL);
}
