/* wire/writer and wire/rpc_error: what is written is strict JSON whatever goes in, numbers read back the same
 * in any locale, errors stick. */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/common/strict_json.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

#define MAX_BYTES 100000

static struct buf out;
static struct writer w;

static void begin(void)
{
    buf_clear(&out);
    writer_init(&w, &out);
}

static void expect(const char *text)
{
    assert_int_equal(writer_end(&w), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_data(&out), text);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&out, MAX_BYTES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static void commas_and_colons(void **state)
{
    (void)state;
    begin();
    write_object(&w);
    write_member_string(&w, "a", "x");
    write_member_string(&w, "none", NULL);
    write_key(&w, "list");
    write_array(&w);
    write_int(&w, 1);
    write_array(&w);
    write_array_end(&w);
    write_object(&w);
    write_object_end(&w);
    write_null(&w);
    write_raw(&w, "[1, 2]", 6);
    write_array_end(&w);
    write_member_bool(&w, "t", true);
    write_member_bool(&w, "f", false);
    write_member_int(&w, "min", INT64_MIN);
    write_member_uint(&w, "max", UINT64_MAX);
    write_member_raw(&w, "raw", "1.0", 3);
    write_member_double(&w, "d", 0.5);
    write_object_end(&w);
    expect("{\"a\":\"x\",\"none\":null,\"list\":[1,[],{},null,[1, 2]],\"t\":true,\"f\":false,"
           "\"min\":-9223372036854775808,\"max\":18446744073709551615,\"raw\":1.0,\"d\":0.5}");
}

static void any_value_may_stand_at_the_root(void **state)
{
    (void)state;
    begin();
    write_cstring(&w, "");
    expect("\"\"");
    begin();
    write_string(&w, NULL, 0);
    expect("\"\"");
    begin();
    write_array(&w);
    write_array_end(&w);
    expect("[]");
}

static void strings_are_escaped(void **state)
{
    (void)state;
    begin();
    write_cstring(&w, "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f é\xE2\x80\x8D\xF0\x9F\x98\x80");
    expect("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é\xE2\x80\x8D\xF0\x9F\x98\x80\"");
    begin();
    write_string(&w, "a\0b", 3);
    expect("\"a\\u0000b\"");
    begin();
    write_object(&w);
    write_member_int(&w, "k\"\n", 1);
    write_object_end(&w);
    expect("{\"k\\\"\\n\":1}");
}

#define BAD "\xEF\xBF\xBD"

static void invalid_utf8_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"\x80", BAD},
        {"a\xFFz", "a" BAD "z"},
        {"\xC0\xAF", BAD BAD},                 /* over-long slash */
        {"\xE0\x80\xAF", BAD BAD BAD},         /* over-long */
        {"\xED\xA0\x80", BAD BAD BAD},         /* a surrogate */
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD}, /* above U+10FFFF */
        {"\xF5\x80\x80\x80", BAD BAD BAD BAD},
        {"x\xE2\x82", "x" BAD BAD}, /* cut short */
        {"\xC3\"", BAD "\\\""},
        {"\xF0\x9F\x98", BAD BAD BAD},
        {"\xED\x9F\xBF\xEE\x80\x80", "\xED\x9F\xBF\xEE\x80\x80"}, /* the neighbours of the surrogates */
        {"\xF4\x8F\xBF\xBF\xC2\x80\xE0\xA0\x80\xF0\x90\x80\x80",
         "\xF4\x8F\xBF\xBF\xC2\x80\xE0\xA0\x80\xF0\x90\x80\x80"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[64];
        (void)snprintf(expected, sizeof(expected), "\"%s\"", cases[i].out);
        begin();
        write_cstring(&w, cases[i].in);
        expect(expected);
    }
}

/* Every text of two bytes, and random longer ones: always strict JSON. */
static void output_is_always_strict(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (unsigned pair = 0; pair < 65536; pair++) {
        char bytes[2] = {(char)(pair >> 8), (char)pair};
        begin();
        write_string(&w, bytes, 2);
        assert_int_equal(writer_end(&w), 0);
        assert_true(is_strict_json(buf_data(&out), buf_len(&out)));
    }
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[16];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[i] = (char)((seed >> 60) < 8 ? 0x80 | (seed >> 40) : seed >> 40);
        }
        begin();
        write_string(&w, bytes, sizeof(bytes));
        assert_int_equal(writer_end(&w), 0);
        assert_true(is_strict_json(buf_data(&out), buf_len(&out)));
    }
}

static void expect_double(double value, const char *text)
{
    begin();
    write_double(&w, value);
    expect(text);
}

static void doubles_are_short_and_exact(void **state)
{
    (void)state;
    expect_double(0.1, "0.1");
    expect_double(0.0, "0");
    expect_double(-0.0, "-0");
    expect_double(100000, "100000");
    expect_double(-95, "-95");
    expect_double(9007199254740991.0, "9007199254740991");
    expect_double(1e300, "1e+300");
    expect_double(5e-324, "5e-324");
    expect_double(1.0 / 3, "0.3333333333333333");
    expect_double(NAN, "null");
    expect_double(INFINITY, "null");
    expect_double(-INFINITY, "null");
    static const double hard[] = {0.30000000000000004,     DBL_MAX,    DBL_MIN,
                                  2.2250738585072011e-308, 123456.789, 9007199254740993.0,
                                  -1.7976931348623157e308, 4.35};
    for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
        begin();
        write_double(&w, hard[i]);
        assert_int_equal(writer_end(&w), 0);
        assert_true(is_strict_json(buf_data(&out), buf_len(&out)));
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_true(strtod(buf_data(&out), NULL) == hard[i]);
    }
}

/* A locale with a decimal comma, in whatever form this machine has one. */
static void doubles_do_not_follow_the_locale(void **state)
{
    (void)state;
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR", "de_DE.utf8"};
    const char *set = NULL;
    for (size_t i = 0; !set && i < sizeof(commas) / sizeof(commas[0]); i++)
        set = setlocale(LC_NUMERIC, commas[i]);
    if (!set) {
        print_message("# SKIP this machine has no locale with a decimal comma\n");
        skip();
    }
    expect_double(0.5, "0.5");
    setlocale(LC_NUMERIC, "C");
}

static void the_limit_is_exact_and_sticks(void **state)
{
    (void)state;
    for (size_t max = 0; max <= 9; max++) {
        struct buf small;
        buf_init(&small, max);
        writer_init(&w, &small);
        write_object(&w);
        write_member_string(&w, "ab", "cd");
        write_object_end(&w);
        assert_int_equal(writer_end(&w), ERR_TOO_LARGE);
        buf_done(&small);
    }
    struct buf enough;
    buf_init(&enough, 11);
    writer_init(&w, &enough);
    write_object(&w);
    write_member_string(&w, "ab", "cd");
    write_object_end(&w);
    assert_int_equal(writer_end(&w), 0);
    assert_int_equal(buf_len(&enough), 11);
    buf_done(&enough);
}

static void nothing_is_written_after_an_error(void **state)
{
    (void)state;
    struct buf small;
    buf_init(&small, 4);
    writer_init(&w, &small);
    write_array(&w);
    write_cstring(&w, "does not fit");
    size_t torn = buf_len(&small);
    write_int(&w, 1);
    write_array_end(&w);
    assert_int_equal(writer_end(&w), ERR_TOO_LARGE);
    assert_int_equal(buf_len(&small), torn);
    buf_done(&small);
}

static void deep_containers(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < WRITER_MAX_DEPTH; i++)
        write_array(&w);
    for (size_t i = 0; i < WRITER_MAX_DEPTH; i++)
        write_array_end(&w);
    assert_int_equal(writer_end(&w), 0);
    assert_int_equal(buf_len(&out), 2 * WRITER_MAX_DEPTH);
    assert_true(is_strict_json(buf_data(&out), buf_len(&out)));
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    size_t runs = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++, runs++) {
        struct buf b;
        buf_init(&b, MAX_BYTES);
        fault_alloc_fail_at(n);
        writer_init(&w, &b);
        write_array(&w);
        for (size_t i = 0; i < 1000; i++)
            write_uint(&w, i);
        write_array_end(&w);
        int rc = writer_end(&w);
        bool fired = fault_alloc_fired();
        assert_int_equal(rc, fired ? -ENOMEM : 0);
        buf_done(&b);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            break;
    }
    assert_true(runs >= 4);
    mem_set(NULL);
}

static void errors_have_names_and_messages(void **state)
{
    (void)state;
    size_t count = 0;
#define X(name, code, message)                                                                               \
    assert_string_equal(rpc_error_name(RPC_E_##name), #name);                                                \
    assert_string_equal(rpc_error_message(RPC_E_##name), message);                                           \
    assert_true(RPC_E_##name > -32000 || RPC_E_##name <= -32600);                                            \
    count++;
    RPC_ERRORS(X)
#undef X
    assert_true(count >= 15);
    assert_null(rpc_error_name(-32000));
    assert_string_equal(rpc_error_message(-32000), "Error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_colons),
        cmocka_unit_test(any_value_may_stand_at_the_root),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(invalid_utf8_is_replaced),
        cmocka_unit_test(output_is_always_strict),
        cmocka_unit_test(doubles_are_short_and_exact),
        cmocka_unit_test(doubles_do_not_follow_the_locale),
        cmocka_unit_test(the_limit_is_exact_and_sticks),
        cmocka_unit_test(nothing_is_written_after_an_error),
        cmocka_unit_test(deep_containers),
        cmocka_unit_test(nth_allocation_fails),
        cmocka_unit_test(errors_have_names_and_messages),
    };
    return cmocka_run_group_tests_name("writer", tests, setup, teardown);
}
