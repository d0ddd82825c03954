/* Where a stream begins, and a line that has no end. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "wire/frame.h"

#define BOM  "\xEF\xBB\xBF"
#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"

/* The first line of the stream, which is fed in two pieces. */
static void expect_first(const char *stream, size_t cut, const char *expected)
{
    struct frame_reader r;
    struct frame frame;
    size_t len = strlen(stream);
    const char *p = stream;
    size_t left = cut;
    frame_reader_init(&r, 1000, 100);
    enum frame_result result = frame_next(&r, &p, &left, &frame);
    if (result == FRAME_MORE) {
        left = len - cut;
        result = frame_next(&r, &p, &left, &frame);
    }
    assert_int_equal(result, FRAME_READY);
    assert_int_equal(frame.len, strlen(expected));
    assert_memory_equal(frame.bytes, expected, frame.len);
    frame_reader_done(&r);
}

static void a_byte_order_mark_at_the_start_is_skipped(void **state)
{
    (void)state;
    static const char stream[] = BOM PING "\n";
    for (size_t cut = 0; cut <= sizeof(stream) - 1; cut++)
        expect_first(stream, cut, PING);
}

static void half_a_mark_belongs_to_the_line(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < 5; cut++) {
        expect_first("\xEF\xBBx\n", cut < 4 ? cut : 0, "\xEF\xBBx");
        expect_first("\xEFx\n", cut < 3 ? cut : 0, "\xEFx");
        expect_first(BOM BOM "x\n", cut, BOM "x");
    }
}

static void a_mark_later_is_not_skipped(void **state)
{
    (void)state;
    struct frame_reader r;
    struct frame frame;
    static const char stream[] = PING "\n" BOM PING "\n";
    const char *p = stream;
    size_t left = sizeof(stream) - 1;
    frame_reader_init(&r, 1000, 100);
    assert_int_equal(frame_next(&r, &p, &left, &frame), FRAME_READY);
    assert_int_equal(frame.env.kind, RPC_REQUEST);
    assert_int_equal(frame_next(&r, &p, &left, &frame), FRAME_READY);
    assert_int_equal(frame.env.fault, RPC_BAD_JSON);
    frame_reader_done(&r);
}

static bool feed(struct frame_reader *r, const char *bytes, struct frame *ret_frame)
{
    size_t left = strlen(bytes);
    return frame_next(r, &bytes, &left, ret_frame) == FRAME_READY;
}

static void a_whole_value_can_be_ended_without_its_newline(void **state)
{
    (void)state;
    struct frame_reader r;
    struct frame frame;
    frame_reader_init(&r, 1000, 100);
    assert_false(frame_reader_has_value(&r));
    assert_false(feed(&r, "{\"jsonrpc\":\"2.0\",\"id\":1,", &frame));
    assert_false(frame_reader_has_value(&r));
    assert_false(feed(&r, "\"method\":\"ping\"} \r", &frame));
    assert_true(frame_reader_has_value(&r));
    assert_int_equal(frame_end_line(&r, &frame), FRAME_READY);
    assert_int_equal(frame.env.kind, RPC_REQUEST);
    assert_false(frame_reader_has_value(&r));
    assert_false(feed(&r, "\n", &frame)); /* its newline, late: a blank line */
    assert_false(frame_reader_in_line(&r));
    assert_false(feed(&r, "[]", &frame));
    assert_true(frame_reader_has_value(&r));
    assert_true(feed(&r, "\n", &frame));
    static const char *const never[] = {"12", "\"x\"", "{}x", "{\"a\":[}", "true"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        assert_false(feed(&r, never[i], &frame));
        assert_false(frame_reader_has_value(&r));
        assert_true(feed(&r, "\n", &frame));
    }
    frame_reader_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_order_mark_at_the_start_is_skipped),
        cmocka_unit_test(half_a_mark_belongs_to_the_line),
        cmocka_unit_test(a_mark_later_is_not_skipped),
        cmocka_unit_test(a_whole_value_can_be_ended_without_its_newline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
