/* Looking up members in strict JSON text, and taking them out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route/field.h"
#include "route/splice.h"

static struct span whole(const char *text)
{
    return (struct span){0, strlen(text)};
}

static void expect_field(const char *text, const char *key, const char *value)
{
    struct span found = field_get(text, whole(text), key);
    if (!value) {
        assert_false(span_found(found));
        return;
    }
    assert_int_equal(found.len, strlen(value));
    assert_memory_equal(text + found.off, value, found.len);
}

static void finds_members(void **state)
{
    (void)state;
    static const char text[] =
        "{ \"a\" : {\"x\":\"}\\\"\"} ,\"b\":[1,{\"a\":2}],\"\\u0063\":-1.5e3,\"d\":\"\\\\\",\"a\\/\":true ,\"a\":null}";
    expect_field(text, "a", "null");
    expect_field(text, "b", "[1,{\"a\":2}]");
    expect_field(text, "c", "-1.5e3");
    expect_field(text, "d", "\"\\\\\"");
    expect_field(text, "a/", "true");
    expect_field(text, "x", NULL);
    expect_field("{}", "a", NULL);
    expect_field("[\"a\",1]", "a", NULL);
    expect_field("\"a\"", "a", NULL);
    expect_field("7", "a", NULL);
    assert_false(span_found(field_get(text, (struct span){0, 0}, "a")));
    struct span inner = field_get2("{\"p\":{\"q\":[ ]}}", whole("{\"p\":{\"q\":[ ]}}"), "p", "q");
    assert_int_equal(inner.len, 3);
}

static void expect_without(const char *text, const char *key, const char *rest)
{
    char copy[128];
    size_t len = strlen(text);
    memcpy(copy, text, len + 1);
    size_t lost = field_remove(copy, len, (struct span){0, len}, key);
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

struct sink {
    struct link link;
    char text[256];
};

static int sink_send(struct link *link, const struct link_part *parts, size_t count)
{
    struct sink *sink = (struct sink *)(void *)link;
    sink->text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        strncat(sink->text, parts[i].bytes, parts[i].len);
    return 0;
}

static void splices_in_any_order(void **state)
{
    (void)state;
    static const struct link_ops ops = {sink_send, NULL, NULL, NULL};
    struct sink sink = {.link = {.ops = &ops}};
    struct splice splices[] = {{{8, 2}, "EIGHT", 5}, {{0, 0}, "never", 5}, {{0, 3}, "", 0}};
    assert_int_equal(splice_send(&sink.link, "0123456789", 10, splices, 3), 0);
    assert_string_equal(sink.text, "34567EIGHT");
    assert_int_equal(splice_send(&sink.link, "0123456789", 10, NULL, 0), 0);
    assert_string_equal(sink.text, "0123456789");
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
        cmocka_unit_test(finds_members),
        cmocka_unit_test(removes_members),
        cmocka_unit_test(splices_in_any_order),
        cmocka_unit_test(prints_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
