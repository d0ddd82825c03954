/* base/alloc and base/err: the allocator table, what 0 bytes mean, checked sums, and the texts of codes. The
 * allocator that fails on demand is tried here too, since the other tests rely on it. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"

static void table_is_used_and_put_back(void **state)
{
    (void)state;
    const struct allocator *before = mem_get();
    fault_alloc_install();
    assert_ptr_not_equal(mem_get(), before);
    void *p = mem_alloc(1);
    assert_non_null(p);
    assert_int_equal(fault_alloc_count(), 1);
    assert_int_equal(fault_alloc_live(), 1);
    mem_free(p);
    mem_free(NULL);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
    assert_ptr_equal(mem_get(), before);
}

static void zero_bytes_are_a_pointer(void **state)
{
    (void)state;
    void *p[] = {mem_alloc(0), mem_zalloc(0), mem_realloc(NULL, 0), mem_dup(NULL, 0), mem_strndup(NULL, 0)};
    for (size_t i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
        assert_non_null(p[i]);
        mem_free(p[i]);
    }
}

static void copies_are_exact(void **state)
{
    (void)state;
    char *all_zero = mem_zalloc(64);
    assert_non_null(all_zero);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(all_zero[i], 0);
    mem_free(all_zero);
    char *part = mem_strndup("abcdef", 3);
    assert_string_equal(part, "abc");
    part = mem_realloc(part, 100);
    assert_string_equal(part, "abc");
    mem_free(part);
    char *whole = mem_strdup("xyz");
    assert_string_equal(whole, "xyz");
    mem_free(whole);
    void *bytes = mem_dup("\0\1\2", 3);
    assert_memory_equal(bytes, "\0\1\2", 3);
    mem_free(bytes);
    assert_null(mem_strndup("", SIZE_MAX));
}

static void the_nth_fails_once(void **state)
{
    (void)state;
    fault_alloc_install();
    for (size_t n = 1; n <= 5; n++) {
        fault_alloc_fail_at(n);
        void *p[5] = {mem_alloc(8), mem_zalloc(8), mem_realloc(NULL, 8), mem_dup("x", 1), mem_strdup("y")};
        assert_true(fault_alloc_fired());
        assert_int_equal(fault_alloc_count(), 5);
        assert_int_equal(fault_alloc_live(), 4);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(!p[i], i == n - 1);
            mem_free(p[i]);
        }
        assert_int_equal(fault_alloc_live(), 0);
    }
    fault_alloc_fail_at(6);
    void *p = mem_alloc(1);
    assert_false(fault_alloc_fired());
    void *kept = mem_realloc(p, 2);
    assert_non_null(kept);
    fault_alloc_fail_from(1);
    assert_null(mem_realloc(kept, 3));
    assert_null(mem_alloc(1));
    assert_true(fault_alloc_fired());
    assert_int_equal(fault_alloc_live(), 1);
    mem_free(kept);
    fault_alloc_fail_at(0);
    mem_set(NULL);
}

static void sums_are_checked(void **state)
{
    (void)state;
    size_t result = 7;
    assert_true(size_add(SIZE_MAX - 1, 1, &result));
    assert_int_equal(result, SIZE_MAX);
    result = 7;
    assert_false(size_add(SIZE_MAX, 1, &result));
    assert_int_equal(result, 7);
    assert_true(size_mul(SIZE_MAX / 2, 2, &result));
    assert_int_equal(result, SIZE_MAX - 1);
    result = 7;
    assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &result));
    assert_int_equal(result, 7);
}

static void codes_have_words(void **state)
{
    (void)state;
#define X(name, number, text) assert_string_equal(err_text(name), text);
    ERR_CODES(X)
#undef X
    assert_string_equal(err_text(-ENOMEM), "Cannot allocate memory");
    assert_string_equal(err_text(0), "no error");
    assert_string_equal(err_text(-19999), "unknown error");
    assert_string_equal(err_text(1), "unknown error");
    assert_string_equal(err_text(INT_MIN), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_used_and_put_back), cmocka_unit_test(zero_bytes_are_a_pointer),
        cmocka_unit_test(copies_are_exact),           cmocka_unit_test(the_nth_fails_once),
        cmocka_unit_test(sums_are_checked),           cmocka_unit_test(codes_have_words),
    };
    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
