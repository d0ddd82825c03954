#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/process/stderr_ring.h"
#include "tests/unit/common/fault_alloc.h"

struct lines {
    char text[1 << 17];
    size_t len;
    size_t count;
    size_t longest;
};

static void on_line(void *data, const char *line, size_t len)
{
    struct lines *l = data;
    assert_true(len > 0);
    assert_true(l->len + len + 1 <= sizeof(l->text));
    memcpy(l->text + l->len, line, len);
    l->len += len;
    l->text[l->len++] = '|';
    l->count++;
    if (len > l->longest)
        l->longest = len;
}

static void test_lines_cut_at_every_byte(void **state)
{
    (void)state;
    static const char text[] = "one\ntwo\r\n\n\r\nthree";
    static struct lines l;
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct stderr_ring r;
        l = (struct lines){0};
        stderr_ring_init(&r, on_line, &l);
        stderr_ring_add(&r, text, cut);
        stderr_ring_add(&r, text + cut, sizeof(text) - 1 - cut);
        assert_int_equal(l.count, 2);
        stderr_ring_flush(&r);
        stderr_ring_flush(&r);
        assert_int_equal(l.len, 14);
        assert_memory_equal(l.text, "one|two|three|", 14);
        stderr_ring_done(&r);
    }
}

static void test_long_lines_come_in_pieces(void **state)
{
    (void)state;
    static struct lines l;
    l = (struct lines){0};
    struct stderr_ring r;
    stderr_ring_init(&r, on_line, &l);
    static char text[3 * STDERR_LINE_BYTES + 1];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    stderr_ring_add(&r, text, sizeof(text));
    assert_int_equal(l.count, 3);
    assert_int_equal(l.longest, STDERR_LINE_BYTES);
    stderr_ring_done(&r);
}

/* Whatever the sizes of the writes, the tail is the end of what was written. */
static void test_tail_against_a_plain_copy(void **state)
{
    (void)state;
    static char all[400000];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)('a' + i % 23 + i / 1000 % 3);
    static const size_t steps[] = {1, 7, 1000, 1023, 1024, 1025, 4096, 65535, 65536, 65537, 200000};
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
        struct stderr_ring r;
        stderr_ring_init(&r, NULL, NULL);
        for (size_t at = 0; at < sizeof(all); at += steps[k]) {
            size_t len = sizeof(all) - at < steps[k] ? sizeof(all) - at : steps[k];
            stderr_ring_add(&r, all + at, len);
        }
        static char tail[STDERR_RING_BYTES + 1];
        size_t len = stderr_ring_tail(&r, tail, sizeof(tail));
        assert_int_equal(len, STDERR_RING_BYTES);
        assert_memory_equal(tail, all + sizeof(all) - len, len);
        assert_int_equal(stderr_ring_tail(&r, tail, 2049), 2048);
        assert_memory_equal(tail, all + sizeof(all) - 2048, 2048);
        assert_int_equal(r.total_bytes, sizeof(all));
        stderr_ring_done(&r);
    }
}

static void check_tail(const char *bytes, size_t len, size_t max, const char *want)
{
    struct stderr_ring r;
    stderr_ring_init(&r, NULL, NULL);
    stderr_ring_add(&r, bytes, len);
    char tail[64];
    size_t got = stderr_ring_tail(&r, tail, max);
    assert_string_equal(tail, want);
    assert_int_equal(got, strlen(want));
    stderr_ring_done(&r);
}

static void test_tail_is_valid_utf8(void **state)
{
    (void)state;
    check_tail("", 0, 64, "");
    check_tail("plain", 5, 64, "plain");
    check_tail("plain", 5, 4, "ain");
    check_tail("a\xc3\xa4z", 4, 64, "a\xc3\xa4z");
    check_tail("a\xc3\xa4z", 4, 3, "z");     /* the cut goes through it */
    check_tail("a\xff\x80z", 4, 64, "a??z"); /* no sequence at all */
    check_tail("a\xe2\x82", 3, 64, "a??");   /* ends too early */
    check_tail("\xf0\x9f\x98\x80", 4, 64, "\xf0\x9f\x98\x80");
    check_tail("\xf0\x9f\x98\x80", 4, 4, "");
    check_tail("\xc0\xaf", 2, 64, "??");           /* over-long */
    check_tail("\xe0\x80\xaf", 3, 64, "???");      /* over-long */
    check_tail("\xf0\x80\x80\x80", 4, 64, "????"); /* over-long */
    check_tail("\xed\xa0\x80", 3, 64, "???");      /* a surrogate */
    check_tail("\xf4\x90\x80\x80", 4, 64, "????"); /* beyond U+10FFFF */
}

static void test_without_memory(void **state)
{
    (void)state;
    fault_alloc_install();
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        struct stderr_ring r;
        static struct lines l;
        l = (struct lines){0};
        stderr_ring_init(&r, on_line, &l);
        for (int i = 0; i < 300; i++)
            stderr_ring_add(&r, "0123456789abcdef0123456789abcdef0123456789abcdef\n", 49);
        char tail[10];
        (void)stderr_ring_tail(&r, tail, sizeof(tail));
        stderr_ring_done(&r);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fault_alloc_fired()) {
            assert_true(n > 2);
            assert_int_equal(l.count, 300);
            assert_string_equal(tail, "89abcdef\n");
            break;
        }
    }
    fault_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_cut_at_every_byte),
        cmocka_unit_test(test_long_lines_come_in_pieces),
        cmocka_unit_test(test_tail_against_a_plain_copy),
        cmocka_unit_test(test_tail_is_valid_utf8),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
