/* JSON as people type it: checked with a place and advice, laid out, made of pairs, read from files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend-client/cli/content.h"
#include "backend-client/cli/json_text.h"
#include "backend-client/cli/params.h"
#include "tests/unit/common/fault_alloc.h"

/* Operands come from argv, whose strings are not const; nobody writes to them. */
#define OPERANDS(strings) ((char *const *)(uintptr_t)(strings))
#define COUNT(array)      (sizeof(array) / sizeof((array)[0]))

static char problem[400];

static void assert_holds(struct buf *b, const char *text)
{
    size_t len = strlen(text);
    if (buf_len(b) != len || (len > 0 && memcmp(buf_data(b), text, len) != 0))
        fail_msg("'%.*s' is not '%s'", (int)buf_len(b), len > 0 ? buf_data(b) : "", text);
    buf_clear(b);
}

/* ---- checking ---- */

static void names_place_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *place;
        const char *advice;
    } cases[] = {
        {"", "nothing but white space", "{}"},
        {" \n ", "nothing but white space", "{}"},
        {"{\"a\":1", "line 1, column 7", "a closing } or ], is missing"},
        {"{\"a\":\"b", "line 1, column 8", "a closing quote is missing"},
        {"{\"a\":1,}", "line 1, column 8", "take the last comma away"},
        {"[1,2,]", "line 1, column 6", "take the last comma away"},
        {"{\n  \"a\": 1,\n  b: 2\n}", "line 3, column 3", "keys and strings stand in double quotes"},
        {"{a:1}", "line 1, column 2", "take the quotes away"},
        {"{'a':1}", "line 1, column 2", "double quotes"},
        {"{\"a\":True}", "line 1, column 6", "write true"},
        {"{\"a\":None}", "line 1, column 6", "write null"},
        {"{\"a\":undefined}", "line 1, column 6", "write null"},
        {"{\"a\":NaN}", "line 1, column 6", "no NaN"},
        {"{\"a\":nil}", "line 1, column 7", "write null"},
        {"{\"a\"=1}", "line 1, column 5", "colon"},
        {"{\"a\":1} // x", "line 1, column 9", "no comments"},
        {"{\"a\":.5}", "line 1, column 6", "0.5"},
        {"{\"a\":01}", "line 1, column 7", "leading zeros"},
        {"{\"a\":\"x\ty\"}", "line 1, column 8", "write \\t"},
        {"{\"a\":\"x\ny\"}", "line 1, column 8", "write \\n"},
        {"{\"a\":\"\\q\"}", "line 1, column 8", "after a backslash"},
        {"{\"a\":,}", "line 1, column 6", "a value is missing"},
        {"{\"a\":1 \"b\":2}", "line 1, column 8", ""},
        {"{}}", "line 1, column 3", "closes what is not open"},
        {"{\"\xc3\xa9\":\"\xff\"}", "line 1, column 7", "UTF-8"}, /* columns are characters */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(json_text_check(cases[i].text, strlen(cases[i].text), problem, sizeof(problem)),
                         ERR_SYNTAX);
        if (!strstr(problem, cases[i].place) || !strstr(problem, cases[i].advice))
            fail_msg("'%s': '%s', not '%s ... %s'", cases[i].text, problem, cases[i].place, cases[i].advice);
    }
}

static void accepts_what_is_json(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", " [1, 2]\n", "\"x\"",
                                        "12", "null",      "{\"a\":{\"b\":[true,1e9]}}"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(json_text_check(texts[i], strlen(texts[i]), problem, sizeof(problem)), 0);
}

static void bounds_the_depth(void **state)
{
    (void)state;
    char text[2 * 129];
    memset(text, '[', 129);
    memset(text + 129, ']', 129);
    assert_int_equal(json_text_check(text, sizeof(text), problem, sizeof(problem)), ERR_SYNTAX);
    assert_non_null(strstr(problem, "128 levels"));
    assert_int_equal(json_text_check(text + 1, sizeof(text) - 2, problem, sizeof(problem)), 0);
}

/* ---- laying out ---- */

static void print(const char *text, enum json_layout layout, bool harmless, const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(json_text_print(&b, text, strlen(text), layout, harmless), 0);
    assert_holds(&b, expected);
    buf_done(&b);
}

static void lays_out(void **state)
{
    (void)state;
    const char *text = " { \"a\" : [ 1 , {} , [ ] , \"x, {\\\"y\\\\\" ] ,\n\"b\":1.50e+3 } ";
    print(text, JSON_COMPACT, false, "{\"a\":[1,{},[],\"x, {\\\"y\\\\\"],\"b\":1.50e+3}");
    print(text, JSON_SPREAD, false,
          "{\n  \"a\": [\n    1,\n    {},\n    [],\n    \"x, {\\\"y\\\\\"\n  ],\n  \"b\": 1.50e+3\n}");
    print("9007199254740993", JSON_COMPACT, false, "9007199254740993");
}

static void makes_strings_harmless(void **state)
{
    (void)state;
    /* C1's CSI, DEL, a sign that turns the direction, and a tag beyond the first plane */
    const char *text = "[\"\xc2\x9b"
                       "31m\x7f\xe2\x80\xae\xf3\xa0\x81\x81 \xc3\xa9\"]";
    print(text, JSON_COMPACT, true, "[\"\\u009b31m\\u007f\\u202e\\udb40\\udc41 \xc3\xa9\"]");
    print(text, JSON_COMPACT, false, text);
}

static void stops_where_there_is_no_room(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    assert_int_equal(json_text_print(&b, "[1,2,3,4,5]", 11, JSON_SPREAD, false), ERR_TOO_LARGE);
    buf_done(&b);
}

/* ---- parameters ---- */

static int read_operand(struct buf *b, const char *operand, bool object_only, int fd)
{
    problem[0] = '\0';
    return params_read(b, operand, object_only, fd, problem, sizeof(problem));
}

static void reads_inline_json(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(read_operand(&b, "{ \"a\" : 1 }", false, -1), 0);
    assert_holds(&b, "{\"a\":1}");
    assert_int_equal(read_operand(&b, "[1]", false, -1), 0);
    assert_holds(&b, "[1]");
    assert_int_equal(read_operand(&b, "[1]", true, -1), ERR_SYNTAX);
    assert_non_null(strstr(problem, "a JSON object is needed"));
    assert_int_equal(read_operand(&b, "12", false, -1), ERR_SYNTAX);
    assert_non_null(strstr(problem, "object or array"));
    assert_int_equal(read_operand(&b, "{a}", false, -1), ERR_SYNTAX);
    assert_non_null(strstr(problem, "the JSON: line 1, column 2"));
    assert_int_equal(buf_len(&b), 0);
    buf_done(&b);
}

static void reads_standard_input(void **state)
{
    (void)state;
    struct buf b;
    int fds[2];
    buf_init(&b, 4096);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "{\n\"a\":\n1}", 9), 9);
    close(fds[1]);
    assert_int_equal(read_operand(&b, "-", true, fds[0]), 0);
    assert_holds(&b, "{\"a\":1}");
    assert_int_equal(read_operand(&b, "-", true, fds[0]), ERR_SYNTAX); /* it is used up */
    assert_non_null(strstr(problem, "standard input: nothing"));
    close(fds[0]);
    buf_done(&b);
}

static void reads_files_up_to_a_frame(void **state)
{
    (void)state;
    static char text[PARAMS_MAX_BYTES + 1];
    struct buf b;
    char operand[] = "@/tmp/relayctl-XXXXXX";
    int fd = mkstemp(operand + 1);
    assert_true(fd >= 0);
    buf_init(&b, PARAMS_MAX_BYTES);
    memset(text, ' ', sizeof(text));
    text[0] = '[';
    text[1] = ']';
    assert_int_equal(write(fd, text, PARAMS_MAX_BYTES), (ssize_t)PARAMS_MAX_BYTES);
    assert_int_equal(read_operand(&b, operand, false, -1), 0);
    assert_holds(&b, "[]");
    assert_int_equal(write(fd, " ", 1), 1);
    assert_int_equal(read_operand(&b, operand, false, -1), ERR_TOO_LARGE);
    assert_non_null(strstr(problem, "more than 8388608 bytes"));
    unlink(operand + 1);
    assert_true(read_operand(&b, operand, false, -1) < 0);
    assert_non_null(strstr(problem, "No such file"));
    close(fd);
    buf_done(&b);
}

static void makes_objects_of_pairs(void **state)
{
    (void)state;
    struct buf b;
    static const char *const good[] = {
        "type=coder", "n:=[1, 2]", "e=", "url=http://x/?a=b", "q=say \"hi\"", "yes:=true"};
    buf_init(&b, 4096);
    assert_true(params_are_pairs(OPERANDS(good), COUNT(good)));
    assert_int_equal(params_from_pairs(&b, OPERANDS(good), COUNT(good), NULL, NULL, problem, sizeof(problem)),
                     0);
    assert_holds(
        &b,
        "{\"type\":\"coder\",\"n\":[1,2],\"e\":\"\",\"url\":\"http://x/?a=b\",\"q\":\"say \\\"hi\\\"\",\"yes\":true}");
    static const struct {
        const char *pairs[2];
        const char *expected;
    } bad[] = {
        {{"a=1", "b"}, "'b' is no pair: write KEY=VALUE"},
        {{"=1", "b=2"}, "is no pair"},
        {{":=1", "b=2"}, "is no pair"},
        {{"a=1", "a:=2"}, "'a' occurs twice"},
        {{"a:=yes", "b=2"}, "a: line 1, column 1"},
        {{"a:=yes", "b=2"}, "for a string write a=VALUE"},
        {{"a=\xff", "b=2"}, "not UTF-8"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(
            params_from_pairs(&b, OPERANDS(bad[i].pairs), 2, NULL, NULL, problem, sizeof(problem)),
            ERR_SYNTAX);
        if (!strstr(problem, bad[i].expected))
            fail_msg("'%s' does not say '%s'", problem, bad[i].expected);
    }
    buf_done(&b);
}

static void tells_pairs_from_json(void **state)
{
    (void)state;
    static const char *const json[] = {"{\"a\":\"x=y\"}", "-", "@a=b", "[\"=\"]", "\"=\"", "word"};
    static const char *const pair[] = {"a=b", "a:=1", "a={}"};
    for (size_t i = 0; i < COUNT(json); i++)
        assert_false(params_are_pairs(OPERANDS(&json[i]), 1));
    for (size_t i = 0; i < COUNT(pair); i++)
        assert_true(params_are_pairs(OPERANDS(&pair[i]), 1));
    assert_false(params_are_pairs(NULL, 0));
}

/* ---- what a tool says ---- */

static void show(const char *result, bool harmless, const char *expected, bool expect_error)
{
    struct buf b;
    bool is_error = !expect_error;
    buf_init(&b, 65536);
    assert_int_equal(content_print(&b, result, strlen(result), harmless, &is_error), 0);
    assert_holds(&b, expected);
    assert_int_equal(is_error, expect_error);
    buf_done(&b);
}

static void prints_contents(void **state)
{
    (void)state;
    show("{\"content\":[{\"type\":\"text\",\"text\":\"a\\nb\"},{\"type\":\"text\",\"text\":\"c\\n\"}]}", true,
         "a\nb\nc\n", false);
    show("{\"content\":[{\"type\":\"text\",\"text\":\"no\"}],\"isError\":true}", true, "no\n", true);
    show("{\"content\":[{\"type\":\"text\",\"text\":\"\\u001b[2Jx\"}]}", true, "\\x1b[2Jx\n", false);
    show("{\"content\":[{\"type\":\"text\",\"text\":\"\\u001b[2Jx\"}]}", false, "\x1b[2Jx\n", false);
    show("{\"content\":[{\"type\":\"image\",\"mimeType\":\"image/png\",\"data\":\"AAAA\"}]}", true,
         "[image image/png, 4 bytes of base64]\n", false);
    show("{\"content\":[{\"type\":\"resource\",\"resource\":{\"uri\":\"file:///a\\n\",\"text\":\"t\"}}]}",
         true, "[resource file:///a\\n]\nt\n", false);
    show("{\"content\":[{}, 7]}", true, "[part without a type]\n[part without a type]\n", false);
    show("{\"content\":[],\"structuredContent\":{\"n\":1}}", true, "{\n  \"n\": 1\n}\n", false);
    show("{\"content\":[]}", true, "", false);
    show("{\"status\":\"initialized\"}", true, "{\n  \"status\": \"initialized\"\n}\n", false);
    show("[1]", true, "[\n  1\n]\n", false);
}

static void keeps_a_nul_in_a_text(void **state)
{
    (void)state;
    static const char result[] = "{\"content\":[{\"type\":\"text\",\"text\":\"a\\u0000b\"}]}";
    struct buf b;
    bool is_error;
    buf_init(&b, 100);
    assert_int_equal(content_print(&b, result, sizeof(result) - 1, false, &is_error), 0);
    assert_int_equal(buf_len(&b), 4);
    assert_memory_equal(buf_data(&b), "a\0b\n", 4);
    buf_done(&b);
}

static int make_both(struct buf *b)
{
    static const char result[] = "{\"content\":[{\"type\":\"text\",\"text\":\"abc\"},{\"type\":\"x\"}]}";
    static const char *const pairs[] = {"a=b", "c:=[1]"};
    bool is_error = false;
    int rc = content_print(b, result, sizeof(result) - 1, true, &is_error);
    return rc != 0
               ? rc
               : params_from_pairs(b, OPERANDS(pairs), COUNT(pairs), NULL, NULL, problem, sizeof(problem));
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    size_t n = 1;
    fault_alloc_install();
    for (;; n++) {
        struct buf b;
        buf_init(&b, 4096);
        fault_alloc_fail_at(n);
        int rc = make_both(&b);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        buf_done(&b);
        assert_int_equal(fault_alloc_live(), 0);
        assert_int_equal(rc, fired ? -ENOMEM : 0);
        if (!fired)
            break;
    }
    assert_true(n > 3);
}

static void checks_methods(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *expected;
    } bad[] = {{"", "empty"},
               {"initialize", "itself"},
               {"notifications/cancelled", "no answer"},
               {"x/\xff", "not UTF-8"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(params_check_method(bad[i].method, problem, sizeof(problem)), ERR_SYNTAX);
        if (!strstr(problem, bad[i].expected))
            fail_msg("'%s': '%s'", bad[i].method, problem);
    }
    assert_int_equal(params_check_method("x/h\xc3\xa9", problem, sizeof(problem)), 0);
    assert_int_equal(params_check_method("initialized", problem, sizeof(problem)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_place_and_remedy),
        cmocka_unit_test(accepts_what_is_json),
        cmocka_unit_test(bounds_the_depth),
        cmocka_unit_test(lays_out),
        cmocka_unit_test(makes_strings_harmless),
        cmocka_unit_test(stops_where_there_is_no_room),
        cmocka_unit_test(reads_inline_json),
        cmocka_unit_test(reads_standard_input),
        cmocka_unit_test(reads_files_up_to_a_frame),
        cmocka_unit_test(makes_objects_of_pairs),
        cmocka_unit_test(tells_pairs_from_json),
        cmocka_unit_test(prints_contents),
        cmocka_unit_test(keeps_a_nul_in_a_text),
        cmocka_unit_test(survives_each_failing_allocation),
        cmocka_unit_test(checks_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
