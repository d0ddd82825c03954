/* route/splice: spans replaced on the way to a link, and ids printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "route/splice.h"

static void expect_spliced(const char *text, struct splice *splices, size_t splice_count,
                           const char *expected)
{
    char joined[64] = "";
    struct part parts[SPLICE_PARTS_MAX];
    size_t count = splice_parts(text, strlen(text), splices, splice_count, parts);
    for (size_t i = 0; i < count; i++)
        strncat(joined, parts[i].bytes, parts[i].len);
    assert_string_equal(joined, expected);
}

static void splices_in_any_order(void **state)
{
    (void)state;
    struct splice splices[] = {{{8, 2}, "EIGHT", 5}, {{0, 0}, "never", 5}, {{0, 3}, "", 0}};
    expect_spliced("0123456789", splices, 3, "34567EIGHT");
    expect_spliced("0123456789", NULL, 0, "0123456789");
}

static void prints_ids(void **state)
{
    (void)state;
    char out[ID_TEXT_MAX];
    assert_int_equal(id_print(0, out), 1);
    assert_memory_equal(out, "0", 1);
    for (uint64_t id = 1, n = 1; n <= 20; n++, id *= 10) {
        char expected[24];
        (void)snprintf(expected, sizeof(expected), "%llu", (unsigned long long)id);
        assert_int_equal(id_print(id, out), n);
        assert_memory_equal(out, expected, n);
        (void)snprintf(expected, sizeof(expected), "%llu", (unsigned long long)(id - 1));
        assert_int_equal(id_print(id - 1, out), strlen(expected));
        assert_memory_equal(out, expected, strlen(expected));
    }
    assert_int_equal(id_print(UINT64_MAX, out), 20);
    assert_memory_equal(out, "18446744073709551615", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splices_in_any_order),
        cmocka_unit_test(prints_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
