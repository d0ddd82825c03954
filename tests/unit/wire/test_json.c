/* wire/json: the tree, what is accepted in strict mode and where a fault is reported, exact
 * numbers, limits at -1, 0 and +1, running out of memory. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"
#include "wire/json.h"
#include "wire/rpc.h"

#define MANY 100000

static struct json_doc *doc;

static void load(const char *text, unsigned flags)
{
    assert_int_equal(json_parse(text, strlen(text), flags, MANY, &doc, NULL), 0);
}

static int end(void **state)
{
    (void)state;
    json_free(doc);
    doc = NULL;
    return 0;
}

static void refuse(const char *text, size_t len, unsigned flags, int code, unsigned line)
{
    struct json_doc *untouched = NULL;
    unsigned reported_line = 0;
    assert_int_equal(json_parse(text, len, flags, MANY, &untouched, &reported_line), code);
    assert_null(untouched);
    assert_int_equal(reported_line, line);
    assert_int_equal(json_parse(text, len, flags, MANY, &untouched, NULL), code);
}

static void refuse_text(const char *text, unsigned flags, unsigned line)
{
    refuse(text, strlen(text), flags, ERR_SYNTAX, line);
}

/* ---- the tree ---- */

static void walks_a_tree(void **state)
{
    (void)state;
    load("{\"a\":[1,{\"b\":[]},\"s\",[[2],3]],\"c\":{},\"d\":{\"e\":null,\"f\":true},\"g\":false}",
         JSON_STRICT);
    json_node root = json_root(doc), a = json_get(doc, root, "a");
    assert_int_equal(json_type(doc, root), JSON_OBJECT);
    assert_int_equal(json_count(doc, root), 4);
    assert_int_equal(json_count(doc, a), 4);
    json_node element = json_first(doc, a);
    assert_int_equal(json_type(doc, element), JSON_NUMBER);
    element = json_next(doc, element);
    assert_int_equal(json_type(doc, element), JSON_OBJECT);
    element = json_next(doc, element);
    assert_int_equal(json_type(doc, element), JSON_STRING);
    element = json_next(doc, element);
    assert_int_equal(json_type(doc, element), JSON_ARRAY);
    assert_int_equal(json_next(doc, element), JSON_ABSENT);
    assert_int_equal(json_type(doc, json_get(doc, json_get(doc, root, "d"), "e")), JSON_NULL);
    assert_int_equal(json_type(doc, json_get(doc, json_get(doc, root, "d"), "f")), JSON_TRUE);
    assert_int_equal(json_type(doc, json_get(doc, root, "g")), JSON_FALSE);
    assert_int_equal(json_count(doc, json_get(doc, root, "c")), 0);
    assert_int_equal(json_first(doc, json_get(doc, root, "c")), JSON_ABSENT);
}

static void walks_the_members_of_an_object(void **state)
{
    (void)state;
    load("{\"one\":{\"x\":[1,2,{\"y\":3}]},\"two\":[\"q\"],\"three\":3}", JSON_STRICT);
    static const char *const keys[] = {"one", "two", "three"};
    static const enum json_type types[] = {JSON_OBJECT, JSON_ARRAY, JSON_NUMBER};
    size_t count = 0;
    for (json_node key = json_first(doc, json_root(doc)); key != JSON_ABSENT && count < 3;
         key = json_next(doc, key)) {
        assert_string_equal(json_string(doc, key, NULL), keys[count]);
        assert_int_equal(json_type(doc, json_value(doc, key)), types[count]);
        count++;
    }
    assert_int_equal(count, 3);
}

static void absent_stays_absent(void **state)
{
    (void)state;
    load("{\"a\":1}", JSON_STRICT);
    json_node none = json_get(doc, json_get(doc, json_get(doc, json_root(doc), "x"), "y"), "z");
    size_t len = 7;
    int64_t number = 7;
    double real = 7;
    bool truth = true;
    assert_int_equal(none, JSON_ABSENT);
    assert_int_equal(json_type(doc, none), JSON_NONE);
    assert_int_equal(json_type(doc, 3), JSON_NONE);
    assert_int_equal(json_count(doc, none), 0);
    assert_int_equal(json_first(doc, none), JSON_ABSENT);
    assert_int_equal(json_next(doc, none), JSON_ABSENT);
    assert_int_equal(json_next(doc, json_root(doc)), JSON_ABSENT);
    assert_int_equal(json_value(doc, none), JSON_ABSENT);
    assert_int_equal(json_value(doc, json_get(doc, json_root(doc), "a")), JSON_ABSENT);
    assert_null(json_string(doc, none, &len));
    assert_null(json_raw(doc, none, &len));
    assert_int_equal(json_line(doc, none), 0);
    assert_false(json_int(doc, none, INT64_MIN, INT64_MAX, &number));
    assert_false(json_double(doc, none, &real));
    assert_false(json_bool(doc, none, &truth));
    assert_int_equal(json_get(doc, json_get(doc, json_root(doc), "a"), "x"), JSON_ABSENT);
    assert_true(len == 7 && number == 7 && real == 7 && truth);
}

static void keys_are_compared_decoded(void **state)
{
    (void)state;
    int64_t value = 0;
    load("{\"\\u0069d\":1,\"a\\/b\":2,\"\\ud83d\\ude00\":3,\"\":4,\"id2\":5}", JSON_STRICT);
    assert_true(json_int(doc, json_get(doc, 0, "id"), 0, 9, &value) && value == 1);
    assert_true(json_int(doc, json_get(doc, 0, "a/b"), 0, 9, &value) && value == 2);
    assert_true(json_int(doc, json_get(doc, 0, "\xF0\x9F\x98\x80"), 0, 9, &value) && value == 3);
    assert_true(json_int(doc, json_get(doc, 0, ""), 0, 9, &value) && value == 4);
    assert_int_equal(json_get(doc, 0, "i"), JSON_ABSENT);
}

static void the_last_of_equal_keys_counts(void **state)
{
    (void)state;
    int64_t value = 0;
    load("{\"a\":1,\"b\":2,\"\\u0061\":3}", JSON_STRICT);
    assert_true(json_int(doc, json_get(doc, 0, "a"), 0, 9, &value) && value == 3);
    assert_int_equal(json_count(doc, 0), 3);
}

static void strings_are_decoded_once_and_kept(void **state)
{
    (void)state;
    size_t len = 0;
    load(
        "[\"plain\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u00e9\\ud83d\\ude00\",\"\",\"a\\u0000b\",\"\\u0000\"]",
        JSON_STRICT);
    json_node plain = json_first(doc, 0), escapes = json_next(doc, plain), unicode = json_next(doc, escapes);
    json_node empty = json_next(doc, unicode), nul = json_next(doc, empty);
    const char *first = json_string(doc, plain, &len);
    assert_string_equal(first, "plain");
    assert_int_equal(len, 5);
    assert_string_equal(json_string(doc, escapes, NULL), "\"\\/\b\f\n\r\t");
    assert_string_equal(json_string(doc, unicode, &len), "é\xF0\x9F\x98\x80");
    assert_int_equal(len, 6);
    assert_string_equal(json_string(doc, empty, &len), "");
    assert_int_equal(len, 0);
    assert_null(json_string(doc, nul, &len));
    assert_null(json_string(doc, nul, &len));
    assert_null(json_string(doc, json_next(doc, nul), &len));
    assert_ptr_equal(json_string(doc, plain, NULL), first);
    assert_string_equal(first, "plain");
    assert_null(json_string(doc, 0, NULL));
}

static void raw_is_the_text_itself(void **state)
{
    (void)state;
    static const char text[] = " {\"a\" : [ 1 , \"x\\n\" ] , \"b\":-0.0e0 } ";
    size_t len = 0;
    load(text, JSON_STRICT);
    const char *raw = json_raw(doc, json_get(doc, 0, "a"), &len);
    assert_memory_equal(raw, "[ 1 , \"x\\n\" ]", len);
    assert_int_equal(len, 13);
    raw = json_raw(doc, json_first(doc, 0), &len);
    assert_memory_equal(raw, "\"a\"", 3);
    assert_int_equal(len, 3);
    raw = json_raw(doc, json_get(doc, 0, "b"), &len);
    assert_memory_equal(raw, "-0.0e0", 6);
    assert_int_equal(len, 6);
    json_raw(doc, 0, &len);
    assert_int_equal(len, strlen(text) - 2);
}

static void lines_are_counted(void **state)
{
    (void)state;
    load("{\n\"a\":1,\r\n\n\"b\":\n\"x\"}", JSON_STRICT);
    assert_int_equal(json_line(doc, 0), 1);
    assert_int_equal(json_line(doc, json_get(doc, 0, "a")), 2);
    assert_int_equal(json_line(doc, json_get(doc, 0, "b")), 5);
}

static void anything_may_stand_at_the_root(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_type type;
    } roots[] = {{"1", JSON_NUMBER},  {"\"x\"", JSON_STRING}, {" true ", JSON_TRUE}, {"false\n", JSON_FALSE},
                 {"null", JSON_NULL}, {"[]", JSON_ARRAY},     {"{}", JSON_OBJECT},   {"-0", JSON_NUMBER}};
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        load(roots[i].text, JSON_STRICT);
        assert_int_equal(json_type(doc, json_root(doc)), roots[i].type);
        json_free(doc);
    }
    doc = NULL;
}

/* ---- numbers ---- */

static void check_int(const char *text, int64_t min, int64_t max, bool good, int64_t value)
{
    int64_t got = 12345;
    load(text, JSON_STRICT);
    assert_int_equal(json_int(doc, 0, min, max, &got), good);
    assert_int_equal(got, good ? value : 12345);
    json_free(doc);
    doc = NULL;
}

static void integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"0.0", true, 0},
        {"0e99999999999999999999", true, 0},
        {"9007199254740993", true, 9007199254740993},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999999999999", false, 0},
        {"1.0", true, 1},
        {"1e3", true, 1000},
        {"1E+3", true, 1000},
        {"1500e-2", true, 15},
        {"1.50e1", true, 15},
        {"15e-1", false, 0},
        {"1.5", false, 0},
        {"0.1", false, 0},
        {"0.1e1", true, 1},
        {"1e-400", false, 0},
        {"1e400", false, 0},
        {"1e18446744073709551617", false, 0},
        {"1e-18446744073709551617", false, 0},
        {"9223372036854775807.0", true, INT64_MAX},
        {"922337203685477580.7e1", true, INT64_MAX},
        {"1.0000000000000000000000000000000000000001", false, 0},
        {"1.0000000000000000000000000000000000000000", true, 1},
        {"100000000000000000000e-20", true, 1},
        {"1000000000000000000000000000000000000e-36", true, 1},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"[1]", false, 0},
        {"null", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_int(cases[i].text, INT64_MIN, INT64_MAX, cases[i].good, cases[i].value);
}

static void integers_are_held_to_their_range(void **state)
{
    (void)state;
    check_int("4", 5, 10, false, 0);
    check_int("5", 5, 10, true, 5);
    check_int("10", 5, 10, true, 10);
    check_int("11", 5, 10, false, 0);
    check_int("-1", 0, 10, false, 0);
    check_int("-10", -10, -5, true, -10);
}

static void doubles_do_not_follow_the_locale(void **state)
{
    (void)state;
    double value = 0;
    const char *comma = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    load("[0.5,-1e2,1e400,\"1\",0]", JSON_STRICT);
    json_node at = json_first(doc, 0);
    assert_true(json_double(doc, at, &value) && value == 0.5);
    at = json_next(doc, at);
    assert_true(json_double(doc, at, &value) && value == -100);
    at = json_next(doc, at);
    assert_false(json_double(doc, at, &value)); /* not finite */
    assert_false(json_double(doc, json_next(doc, at), &value));
    assert_true(value == -100);
    setlocale(LC_NUMERIC, "C");
    if (!comma)
        print_message("# this machine has no locale with a decimal comma: tried with the point alone\n");
}

static void bools_are_bools(void **state)
{
    (void)state;
    bool value = false;
    load("[true,false,1]", JSON_STRICT);
    json_node at = json_first(doc, 0);
    assert_true(json_bool(doc, at, &value) && value);
    at = json_next(doc, at);
    assert_true(json_bool(doc, at, &value) && !value);
    assert_false(json_bool(doc, json_next(doc, at), &value));
}

/* ---- what is refused ---- */

static void strict_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{\"a\"}",
                                      "{a:1}",
                                      "01",
                                      "-",
                                      "1.",
                                      "[1 2]",
                                      "{\"a\" 1}",
                                      "tru",
                                      "nulll",
                                      "[1] 2",
                                      "// x\n1",
                                      "/**/1",
                                      "'a'",
                                      "\"\x01\"",
                                      "\"\xFF\"",
                                      "+1",
                                      "NaN",
                                      "\"a",
                                      "[1}",
                                      "{\"a\":1 \"b\":2}",
                                      "\"\\x\"",
                                      "\xEF\xBB\xBF{}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuse_text(bad[i], JSON_STRICT, 1);
    refuse("1\0", 2, JSON_STRICT, ERR_SYNTAX, 1);
    refuse("[\0]", 3, JSON_RELAXED, ERR_SYNTAX, 1);
}

static void the_line_of_a_fault(void **state)
{
    (void)state;
    refuse_text("{\n  \"a\": 1,\n  \"b\": oops\n}", JSON_STRICT, 3);
    refuse_text("{\n\"a\": 1\n\"b\": 2}", JSON_STRICT, 3);
    refuse_text("[1,\n2,\n3", JSON_STRICT, 3);
    refuse_text("{\"id\":1,\n\"id\":2,\n x}", JSON_STRICT, 3);
    refuse_text("// one\n/* two\n three */ {\n\"a\": \n 'x'}", JSON_RELAXED, 5);
}

static void depth_is_capped(void **state)
{
    (void)state;
    char text[2 * RPC_MAX_DEPTH + 3];
    for (size_t depth = RPC_MAX_DEPTH - 1; depth <= RPC_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        if (depth > RPC_MAX_DEPTH) {
            refuse(text, 2 * depth, JSON_STRICT, ERR_DEPTH, 1);
            continue;
        }
        assert_int_equal(json_parse(text, 2 * depth, JSON_STRICT, depth, &doc, NULL), 0);
        json_free(doc);
    }
    doc = NULL;
}

static void tokens_are_capped(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,2,3],\"b\":\"x\"}"; /* 1 + 2 + 3 + 2 */
    assert_int_equal(json_parse(text, strlen(text), JSON_STRICT, 7, &doc, NULL), ERR_TOO_LARGE);
    assert_int_equal(json_parse(text, strlen(text), JSON_STRICT, 0, &doc, NULL), ERR_TOO_LARGE);
    assert_null(doc);
    assert_int_equal(json_parse(text, strlen(text), JSON_STRICT, 8, &doc, NULL), 0);
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,2,{\"b\":\"c\\n\"}]}";
    size_t runs = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++, runs++) {
        fault_alloc_fail_at(n);
        int rc = json_parse(text, strlen(text), JSON_RELAXED, MANY, &doc, NULL);
        if (!fault_alloc_fired()) {
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, -ENOMEM);
        assert_null(doc);
        assert_int_equal(fault_alloc_live(), 0);
    }
    assert_true(runs >= 3);
    size_t allocations = fault_alloc_count();
    assert_string_equal(
        json_string(
            doc, json_get(doc, json_next(doc, json_next(doc, json_first(doc, json_get(doc, 0, "a")))), "b"),
            NULL),
        "c\n");
    assert_int_equal(fault_alloc_count(), allocations);
    json_free(doc);
    doc = NULL;
    json_free(NULL);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(walks_a_tree),
        TEST(walks_the_members_of_an_object),
        TEST(absent_stays_absent),
        TEST(keys_are_compared_decoded),
        TEST(the_last_of_equal_keys_counts),
        TEST(strings_are_decoded_once_and_kept),
        TEST(raw_is_the_text_itself),
        TEST(lines_are_counted),
        TEST(anything_may_stand_at_the_root),
        TEST(integers_are_exact),
        TEST(integers_are_held_to_their_range),
        TEST(doubles_do_not_follow_the_locale),
        TEST(bools_are_bools),
        TEST(strict_is_strict),
        TEST(the_line_of_a_fault),
        TEST(depth_is_capped),
        TEST(tokens_are_capped),
        TEST(nth_allocation_fails),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
