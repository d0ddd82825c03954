/* base/buf: limits at -1, 0 and +1, order of bytes under random use against a plain array, running out of
 * memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "tests/unit/common/fault_alloc.h"

static void limit_is_exact(void **state)
{
    (void)state;
    static const size_t limits[] = {1, 2, 255, 256, 257, 1000, 4096};
    char bytes[4097];
    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        size_t max = limits[i];
        struct buf b;
        buf_init(&b, max);
        assert_int_equal(buf_append(&b, bytes, max + 1), ERR_TOO_LARGE);
        assert_int_equal(buf_len(&b), 0);
        assert_int_equal(buf_append(&b, bytes, max - 1), 0);
        assert_int_equal(buf_append(&b, bytes, 2), ERR_TOO_LARGE);
        assert_int_equal(buf_append(&b, bytes, 1), 0);
        assert_int_equal(buf_append(&b, bytes, 1), ERR_TOO_LARGE);
        assert_int_equal(buf_len(&b), max);
        assert_true(b.cap <= max);
        buf_consume(&b, 1);
        assert_int_equal(buf_append(&b, bytes, 2), ERR_TOO_LARGE);
        assert_int_equal(buf_append(&b, bytes, 1), 0);
        assert_int_equal(buf_len(&b), max);
        buf_done(&b);
    }
}

static void a_limit_of_nothing_takes_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    assert_null(buf_data(&b));
    assert_int_equal(buf_append(&b, "x", 0), 0);
    assert_int_equal(buf_append(&b, "x", 1), ERR_TOO_LARGE);
    buf_done(&b);
}

static void lengths_that_overflow_are_too_large(void **state)
{
    (void)state;
    struct buf b;
    char *room;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_append(&b, "abc", 3), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX, &room), ERR_TOO_LARGE);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 2, &room), ERR_TOO_LARGE);
    assert_memory_equal(buf_data(&b), "abc", 3);
    buf_done(&b);
}

static void reserve_and_commit(void **state)
{
    (void)state;
    struct buf b;
    char *room;
    buf_init(&b, 1000);
    assert_int_equal(buf_reserve(&b, 10, &room), 0);
    memset(room, 'h', 5);
    buf_commit(&b, 5);
    assert_int_equal(buf_len(&b), 5);
    buf_commit(&b, 0);
    assert_int_equal(buf_reserve(&b, 995, &room), 0);
    memset(room, 'z', 995);
    buf_commit(&b, 995);
    assert_memory_equal(buf_data(&b), "hhhhhzzz", 8);
    assert_int_equal(buf_reserve(&b, 1, &room), ERR_TOO_LARGE);
    buf_done(&b);
}

static void truncate_and_clear(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_append(&b, "abcdef", 6), 0);
    buf_consume(&b, 2);
    buf_truncate(&b, 3);
    assert_int_equal(buf_len(&b), 3);
    assert_memory_equal(buf_data(&b), "cde", 3);
    buf_truncate(&b, 0);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(b.start, 0);
    assert_int_equal(buf_append(&b, "x", 1), 0);
    buf_clear(&b);
    assert_int_equal(buf_len(&b), 0);
    buf_done(&b);
}

static void trim_gives_back_what_is_empty(void **state)
{
    (void)state;
    struct buf b;
    fault_alloc_install();
    buf_init(&b, 10000);
    char bytes[5000] = {0};
    assert_int_equal(buf_append(&b, bytes, sizeof(bytes)), 0);
    buf_trim(&b, 0);
    assert_int_equal(buf_len(&b), sizeof(bytes));
    buf_consume(&b, sizeof(bytes));
    buf_trim(&b, b.cap);
    assert_int_equal(fault_alloc_live(), 1);
    buf_trim(&b, b.cap - 1);
    assert_int_equal(fault_alloc_live(), 0);
    assert_int_equal(buf_append(&b, "x", 1), 0);
    assert_int_equal(b.max, 10000);
    buf_done(&b);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

/* A queue of consecutive numbers modulo 251, appended and consumed at random: the front must be what comes
 * next. */
static void order_is_kept_under_random_use(void **state)
{
    (void)state;
    struct buf b;
    unsigned char chunk[700];
    uint64_t seed = 7, in = 0, out = 0, refused = 0;
    buf_init(&b, 1000);
    for (size_t round = 0; round < 20000; round++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t len = (seed >> 33) % sizeof(chunk);
        for (size_t i = 0; i < len; i++)
            chunk[i] = (unsigned char)((in + i) % 251);
        int rc = buf_append(&b, chunk, len);
        assert_int_equal(rc, in - out + len > 1000 ? ERR_TOO_LARGE : 0);
        in += rc == 0 ? len : 0;
        refused += rc != 0;
        size_t take = (seed >> 20) % (buf_len(&b) + 1);
        for (size_t i = 0; i < take; i++)
            assert_int_equal((unsigned char)buf_data(&b)[i], (out + i) % 251);
        buf_consume(&b, take);
        out += take;
        assert_int_equal(buf_len(&b), in - out);
    }
    assert_true(refused > 0);
    assert_true(b.cap <= 1000);
    buf_done(&b);
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    size_t runs = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++, runs++) {
        struct buf b;
        uint64_t in = 0, out = 0;
        buf_init(&b, 100000);
        fault_alloc_fail_at(n);
        for (size_t i = 0; i < 200; i++) {
            unsigned char bytes[300];
            for (size_t k = 0; k < sizeof(bytes); k++)
                bytes[k] = (unsigned char)((in + k) % 251);
            int rc = buf_append(&b, bytes, sizeof(bytes));
            assert_true(rc == 0 || (rc == -ENOMEM && fault_alloc_fired()));
            in += rc == 0 ? sizeof(bytes) : 0;
            assert_int_equal(buf_len(&b), in - out);
            if (in - out > 100) {
                const char *front = buf_data(&b);
                assert_non_null(front);
                assert_int_equal(front ? (unsigned char)front[0] : 0, out % 251);
                buf_consume(&b, 100);
                out += 100;
            }
        }
        bool fired = fault_alloc_fired();
        buf_done(&b);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            break;
    }
    assert_true(runs >= 5);
    mem_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(a_limit_of_nothing_takes_nothing),
        cmocka_unit_test(lengths_that_overflow_are_too_large),
        cmocka_unit_test(reserve_and_commit),
        cmocka_unit_test(truncate_and_clear),
        cmocka_unit_test(trim_gives_back_what_is_empty),
        cmocka_unit_test(order_is_kept_under_random_use),
        cmocka_unit_test(nth_allocation_fails),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
