/* wire/json_member: members looked up and taken out, elements, in strict JSON text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/json_member.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- members ---- */

static void assert_member(const char *object, const char *key, const char *expected)
{
    struct span value = {0, 0};
    bool found = json_member_find(object, strlen(object), key, &value);
    assert_int_equal(found, !!expected);
    if (!expected)
        return;
    assert_int_equal(value.len, strlen(expected));
    assert_memory_equal(object + value.off, expected, value.len);
}

static void finds_members_of_text(void **state)
{
    (void)state;
    static const char object[] =
        " { \"a\" : 1 , \"b\":{\"a\":2,\"t\":\"}\\\"{\"},\"c\":[{\"x\":3},\"]\"], \"\\u0064\":\"d\\\\\",\"e\":-1.5e3}";
    assert_member(object, "a", "1");
    assert_member(object, "b", "{\"a\":2,\"t\":\"}\\\"{\"}");
    assert_member(object, "c", "[{\"x\":3},\"]\"]");
    assert_member(object, "d", "\"d\\\\\"");
    assert_member(object, "e", "-1.5e3");
    assert_member(object, "t", NULL);
    assert_member(object, "x", NULL);
    assert_member(object, "", NULL);
    assert_member("{\"a\":1,\"b\":2,\"\\u0061\":null}", "a", "null"); /* the last one counts */
    assert_member("{}", "a", NULL);
    assert_member("[\"a\",1]", "a", NULL);
    assert_member("\"a\"", "a", NULL);
    assert_member("", "a", NULL);
    assert_member("{\"\":true}", "", "true");
}

static struct span whole(const char *text)
{
    return (struct span){0, strlen(text)};
}

static void expect_member(const char *text, const char *key, const char *value)
{
    struct span found = json_member(text, whole(text), key);
    if (!value) {
        assert_false(span_found(found));
        return;
    }
    assert_int_equal(found.len, strlen(value));
    assert_memory_equal(text + found.off, value, found.len);
}

static void finds_members_of_a_span(void **state)
{
    (void)state;
    static const char text[] =
        "{ \"a\" : {\"x\":\"}\\\"\"} ,\"b\":[1,{\"a\":2}],\"\\u0063\":-1.5e3,\"d\":\"\\\\\",\"a\\/\":true ,\"a\":null}";
    expect_member(text, "a", "null");
    expect_member(text, "b", "[1,{\"a\":2}]");
    expect_member(text, "c", "-1.5e3");
    expect_member(text, "d", "\"\\\\\"");
    expect_member(text, "a/", "true");
    expect_member(text, "x", NULL);
    expect_member("{}", "a", NULL);
    expect_member("[\"a\",1]", "a", NULL);
    expect_member("\"a\"", "a", NULL);
    expect_member("7", "a", NULL);
    assert_false(span_found(json_member(text, (struct span){0, 0}, "a")));
    struct span inner = json_submember("{\"p\":{\"q\":[ ]}}", whole("{\"p\":{\"q\":[ ]}}"), "p", "q");
    assert_int_equal(inner.len, 3);
}

static void expect_without(const char *text, const char *key, const char *rest)
{
    char copy[128];
    size_t len = strlen(text);
    memcpy(copy, text, len + 1);
    size_t lost = json_member_remove(copy, len, (struct span){0, len}, key);
    assert_int_equal(len - lost, strlen(rest));
    assert_memory_equal(copy, rest, strlen(rest));
}

static void removes_members(void **state)
{
    (void)state;
    expect_without("{\"a\":1}", "a", "{}");
    expect_without("{\"a\":1,\"b\":2}", "a", "{\"b\":2}");
    expect_without("{\"a\":1,\"b\":2}", "b", "{\"a\":1}");
    expect_without("{\"a\":1 , \"b\":2 }", "b", "{\"a\":1 }");
    expect_without("{\"a\":1,\"b\":2,\"c\":3}", "b", "{\"a\":1,\"c\":3}");
    expect_without("{\"a\":1,\"b\":2,\"a\":3}", "a", "{\"b\":2}");
    expect_without("{\"a\":1,\"a\":3}", "a", "{}");
    expect_without("{ \"a\" : {\"a\":1} }", "a", "{}");
    expect_without("{\"a\":1}", "b", "{\"a\":1}");
    expect_without("[\"a\",1]", "a", "[\"a\",1]");
}

/* ---- elements ---- */

static void takes_arrays_apart(void **state)
{
    (void)state;
    static const char array[] = " [ {\"a\":[1,2]},[],\"a,]\\\"\" , -1.5 ,null,{}\t] ";
    static const char *const expected[] = {"{\"a\":[1,2]}", "[]", "\"a,]\\\"\"", "-1.5", "null", "{}"};
    size_t pos = 0;
    struct span element;
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(json_element_next(array, sizeof(array) - 1, &pos, &element));
        assert_int_equal(element.len, strlen(expected[i]));
        assert_memory_equal(array + element.off, expected[i], element.len);
    }
    assert_false(json_element_next(array, sizeof(array) - 1, &pos, &element));
    assert_false(json_element_next(array, sizeof(array) - 1, &pos, &element));
}

static void an_empty_array_has_no_element(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]", "[ ]", " [\t] "};
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t pos = 0;
        struct span element;
        assert_false(json_element_next(texts[i], strlen(texts[i]), &pos, &element));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_members_of_text),
        cmocka_unit_test(finds_members_of_a_span),
        cmocka_unit_test(removes_members),
        cmocka_unit_test(takes_arrays_apart),
        cmocka_unit_test(an_empty_array_has_no_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
