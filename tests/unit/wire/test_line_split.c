/* Objects in lines that are no JSON text, and what such lines look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/line_split.h"
#include "wire/stray.h"

/* "whole|whole!broken": the objects, each behind | when whole and ! when not; broken ones run to the line's end. */
static void expect_parts(const char *line, const char *expected, bool has_text)
{
    char parts[512] = "";
    struct line_split s;
    struct frame frame;
    bool whole;
    size_t at = 0;
    line_split_init(&s, line, strlen(line));
    while (line_split_next(&s, &frame, &whole))
        at += (size_t)snprintf(parts + at, sizeof(parts) - at, "%c%.*s", whole ? '|' : '!', (int)frame.len,
                               frame.bytes);
    if (strcmp(parts, expected) != 0 || s.has_text != has_text)
        fail_msg("%s: %s, text %d", line, parts, s.has_text);
}

static void finds_objects(void **state)
{
    (void)state;
    expect_parts("", "", false);
    expect_parts("plain {text} with [braces", "", true);
    expect_parts("x {\"a\":1}", "|{\"a\":1}", true);
    expect_parts("\x1b[1;31m{\"a\":1} \x1b[0m", "|{\"a\":1}", false);
    expect_parts("{\"a\":1}{ \"b\":{}}\t{}", "|{\"a\":1}|{ \"b\":{}}|{}", false);
    expect_parts("{\"a\":{\"b\":1}} tail", "|{\"a\":{\"b\":1}}", true);
    expect_parts("{\"a\":1,{\"b\":2}", "!{\"a\":1,{\"b\":2}|{\"b\":2}", false);
    expect_parts("{\"a\":\"\xff\"} {\"b\":2}", "!{\"a\":\"\xff\"} {\"b\":2}|{\"b\":2}", false);
}

/* A line of nothing but braces costs its length a few times, not its square. */
static void stops_when_a_line_costs_too_much(void **state)
{
    (void)state;
    const size_t len = 4 << 20;
    char *line = malloc(len);
    assert_non_null(line);
    for (size_t i = 0; i < len; i++)
        line[i] = "{\"\\q\":"[i % 6];
    struct line_split s;
    struct frame frame;
    bool whole;
    line_split_init(&s, line, len);
    size_t found = 0;
    while (line_split_next(&s, &frame, &whole))
        found++;
    assert_in_range(found, 1, 8);
    free(line);
}

static void tells_what_a_line_looks_like(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        size_t len; /* 0: to its NUL */
        enum stray look;
    } lines[] = {
        {"Content-Length: 120\r", 0, STRAY_LENGTH_HEADER},
        {"}Content-Length: 7\r", 0, STRAY_LENGTH_HEADER},
        {"{\0\"\0j\0s\0o\0n\0", 12, STRAY_UTF16},
        {"\xFF\xFE{\0", 4, STRAY_UTF16},
        {"<!DOCTYPE html><html>", 0, STRAY_HTML},
        {"HTTP/1.1 200 OK\r", 0, STRAY_HTTP},
        {"Traceback (most recent call last):", 0, STRAY_TRACE},
        {"    at Module._load (node:internal)", 0, STRAY_TRACE},
        {"TypeError: x is not a function", 0, STRAY_TRACE},
        {"\x1b[2K\r 40% |####", 0, STRAY_ESCAPES},
        {"10%\r20%\r30%", 0, STRAY_ESCAPES},
        {"\xff\x01\x02 data data", 0, STRAY_BINARY},
        {"caf\xe9 au lait", 0, STRAY_BINARY},
        {"2026-01-31 12:00:00 started", 0, STRAY_LOG},
        {"[INFO] started", 0, STRAY_LOG},
        {"warn: something", 0, STRAY_LOG},
        {"{'id': 1}", 0, STRAY_JSON},
        {"\"ready\"", 0, STRAY_JSON},
        {"Welcome to the server v1.2", 0, STRAY_TEXT},
        {"", 0, STRAY_TEXT},
        {"caf\xc3\xa9 ouvert", 0, STRAY_TEXT},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        size_t len = lines[i].len > 0 ? lines[i].len : strlen(lines[i].line);
        enum stray look = stray_look(lines[i].line, len);
        if (look != lines[i].look)
            fail_msg("%s: %s", lines[i].line, stray_name(look));
    }
    for (int i = 0; i < STRAY_COUNT; i++)
        assert_true(strlen(stray_text((enum stray)i)) > 10 && !strpbrk(stray_text((enum stray)i), "\"\\"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_objects),
        cmocka_unit_test(stops_when_a_line_costs_too_much),
        cmocka_unit_test(tells_what_a_line_looks_like),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
