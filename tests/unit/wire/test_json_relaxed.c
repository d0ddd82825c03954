/* wire/json_relaxed: JSON with comments and trailing commas, what is still refused, and that lines and strict
 * texts stay as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/common/strict_json.h"
#include "wire/json.h"
#include "wire/json_relaxed.h"
#include "wire/rpc.h"

#define MANY 100000

static struct json_doc *doc;

static void load(const char *text)
{
    assert_int_equal(json_parse(text, strlen(text), JSON_RELAXED, MANY, &doc, NULL), 0);
}

static int end(void **state)
{
    (void)state;
    json_free(doc);
    doc = NULL;
    return 0;
}

static void refuse(const char *text, unsigned line)
{
    struct json_doc *untouched = NULL;
    unsigned reported_line = 0;
    assert_int_equal(json_parse(text, strlen(text), JSON_RELAXED, MANY, &untouched, &reported_line),
                     ERR_SYNTAX);
    assert_null(untouched);
    assert_int_equal(reported_line, line);
}

static void relaxed_takes_comments_and_trailing_commas(void **state)
{
    (void)state;
    int64_t value = 0;
    load("\xEF\xBB\xBF// head \xFF\n{ /* a \" { */ \"a\" : [ 1, 2, /* last */ ], // tail ]\r\n"
         "  \"b//\" : \"/* kept */ , }\" , \"c\\\"/*\":3,\n}\n// end");
    assert_int_equal(json_count(doc, 0), 3);
    assert_int_equal(json_count(doc, json_get(doc, 0, "a")), 2);
    assert_string_equal(json_string(doc, json_get(doc, 0, "b//"), NULL), "/* kept */ , }");
    assert_true(json_int(doc, json_get(doc, 0, "c\"/*"), 0, 9, &value) && value == 3);
    assert_int_equal(json_line(doc, json_get(doc, 0, "b//")), 3);
}

static void relaxed_is_not_lax(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[,]",    "{,}", "[1,,]",       "[,1]",  "{\"a\":,}", "[1,/*,*/,]", "/* open", "1 /* open",
        "[1,] ,", ",",   "{\"a\":1,,}", "[1] /", "[1 / 2]",   "/ / x\n1",   "// only", "[\"a\" // ]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuse(bad[i], 1);
}

static void relaxing_keeps_length_and_lines(void **state)
{
    (void)state;
    char text[] = "{//a\n\"b\":[1,/*\r\n*/],}";
    const char plain[] = "{   \n\"b\":[1   \r\n  ] }";
    assert_int_equal(sizeof(text), sizeof(plain));
    json_relax(text, strlen(text));
    assert_string_equal(text, plain);
}

/* Relaxing what is strict already must not change its meaning: every suite of brackets, commas and strings of
 * length 7 that is strict stays byte for byte. */
static void relaxing_leaves_strict_text_alone(void **state)
{
    (void)state;
    static const char alphabet[] = "[],\"/*1\n";
    size_t strict = 0;
    for (unsigned long code = 0; code < 1UL << 21; code++) {
        char text[7], copy[7];
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = alphabet[code >> 3 * i & 7];
        if (!is_strict_json(text, sizeof(text)))
            continue;
        memcpy(copy, text, sizeof(copy));
        json_relax(copy, sizeof(copy));
        assert_memory_equal(copy, text, sizeof(copy));
        strict++;
    }
    assert_true(strict > 100);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(relaxed_takes_comments_and_trailing_commas),
        TEST(relaxed_is_not_lax),
        TEST(relaxing_keeps_length_and_lines),
        TEST(relaxing_leaves_strict_text_alone),
    };
    return cmocka_run_group_tests_name("json_relaxed", tests, NULL, NULL);
}
