/* wire/frame: lines cut, limits, over-long lines and their ids, no memory, storage given back; all of it in
 * any cuts. The 8 MB lines are in test_frame_long.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/wire/frame_script.h"
#include "wire/frame.h"

#define V    "\"jsonrpc\":\"2.0\""
#define PING "{" V ",\"id\":1,\"method\":\"ping\"}"

/* The chunk is a copy that is gone afterwards, so that a sanitizer sees what is kept of it. */
static void feed(struct frame_reader *r, const char *bytes, size_t len, struct frame_script *out)
{
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    const char *p = copy;
    enum frame_result result;
    struct frame f;
    while ((result = frame_next(r, &p, &len, &f)) != FRAME_MORE)
        frame_script_note(out, result, &f);
    assert_int_equal(len, 0);
    free(copy);
}

struct limits {
    size_t max_bytes;
    size_t max_id_bytes;
};

static void read_in_chunks(const char *bytes, size_t len, size_t first, size_t chunk, struct limits limits,
                           struct frame_script *out)
{
    struct frame_reader r;
    frame_reader_init(&r, limits.max_bytes, limits.max_id_bytes);
    frame_script_clear(out);
    feed(&r, bytes, first, out);
    for (size_t at = first; at < len; at += chunk)
        feed(&r, bytes + at, len - at < chunk ? len - at : chunk, out);
    frame_reader_done(&r);
}

/* In one chunk, in two cut at every byte, and in chunks of every size: always `expected`. */
static void check_with(const char *bytes, size_t len, struct limits limits, const char *expected)
{
    struct frame_script out;
    read_in_chunks(bytes, len, len, 1, limits, &out);
    assert_string_equal(out.text, expected);
    for (size_t cut = 0; cut < len; cut++) {
        read_in_chunks(bytes, len, cut, len, limits, &out);
        assert_string_equal(out.text, expected);
    }
    for (size_t chunk = 1; chunk < len; chunk++) {
        read_in_chunks(bytes, len, 0, chunk, limits, &out);
        assert_string_equal(out.text, expected);
    }
}

static void check(const char *text, struct limits limits, const char *expected)
{
    check_with(text, strlen(text), limits, expected);
}

/* ---- lines ---- */

static const struct limits wide = {1000, 100};

static void cuts_lines(void **state)
{
    (void)state;
    check(PING "\n{" V ",\"method\":\"x\"}\n", wide,
          "request id=22+1 <" PING ">\nnotification id=0+0 <{" V ",\"method\":\"x\"}>\n");
}

static void leaves_a_line_without_its_end(void **state)
{
    (void)state;
    check(PING "\n" PING, wide, "request id=22+1 <" PING ">\n");
}

static void strips_one_cr(void **state)
{
    (void)state;
    check(PING "\r\n" PING "\r\r\n", wide, "request id=22+1 <" PING ">\nrequest id=22+1 <" PING "\r>\n");
    /* a CR elsewhere belongs to the line: white space between values, a fault in a string */
    check("[1,\r2]\n\r[1]\n", wide, "batch id=0+0 <[1,\r2]>\nbatch id=0+0 <\r[1]>\n");
    check("\"a\rb\"\n\"a\r\n", wide,
          "invalid: not valid JSON id=0+0 <\"a\rb\">\ninvalid: ends inside its JSON value id=0+0 <\"a>\n");
}

static void skips_blank_lines(void **state)
{
    (void)state;
    check("\n\r\n \t\n\n\r\r\n" PING "\n\n", wide, "request id=22+1 <" PING ">\n");
}

static void hands_out_what_is_no_message(void **state)
{
    (void)state;
    check(
        "hello\n{\"a\":1}\n[{}]\n7\n", wide,
        "invalid: not valid JSON id=0+0 <hello>\ninvalid: jsonrpc is not the string 2.0 id=0+0 <{\"a\":1}>\n"
        "batch id=0+0 <[{}]>\ninvalid: not a JSON object id=0+0 <7>\n");
}

static void keeps_bytes_as_they_are(void **state)
{
    (void)state;
    static const char text[] = "{" V ",\"id\":1,\"method\":\"\xe6\xbc\xa2\xf0\x9f\x98\x80\\u200d\"}";
    char expected[200];
    char line[200];
    (void)snprintf(line, sizeof(line), "%s\n", text);
    (void)snprintf(expected, sizeof(expected), "request id=22+1 <%s>\n", text);
    check(line, wide, expected);
}

static void nul_and_bad_utf8_do_not_stop_the_stream(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":\"\0\"}\n" PING "\n";
    struct frame_script out;
    for (size_t chunk = 1; chunk < sizeof(text); chunk++) {
        read_in_chunks(text, sizeof(text) - 1, 0, chunk, wide, &out);
        assert_non_null(strstr(out.text, "invalid: not valid JSON"));
    }
    check("\"\xff\"\n" PING "\n", wide,
          "invalid: not valid UTF-8 id=0+0 <\"\xff\">\nrequest id=22+1 <" PING ">\n");
}

static void copies_nothing_that_lies_whole_in_the_chunk(void **state)
{
    (void)state;
    static const char chunk[] = PING "\n" PING "\r\n";
    struct frame_reader r;
    struct frame f;
    const char *p = chunk;
    size_t len = sizeof(chunk) - 1;
    fault_alloc_install();
    frame_reader_init(&r, 1000, 100);
    assert_int_equal(frame_next(&r, &p, &len, &f), FRAME_READY);
    assert_ptr_equal(f.bytes, chunk);
    assert_int_equal(frame_next(&r, &p, &len, &f), FRAME_READY);
    assert_ptr_equal(f.bytes, chunk + sizeof(PING));
    assert_int_equal(frame_next(&r, &p, &len, &f), FRAME_MORE);
    assert_int_equal(fault_alloc_count(), 0);
    frame_reader_done(&r);
}

/* ---- the limit ---- */

static void the_limit_is_the_contents(void **state)
{
    (void)state;
    size_t len = sizeof(PING) - 1;
    const char *ready = "request id=22+1 <" PING ">\n";
    char too_large[100];
    (void)snprintf(too_large, sizeof(too_large), "too large %zu request int=1 id=<1>\n", len);
    check(PING "\n", (struct limits){len - 1, 10}, too_large);
    check(PING "\n", (struct limits){len, 10}, ready);
    check(PING "\n", (struct limits){len + 1, 10}, ready);
    check(PING "\r\n", (struct limits){len - 1, 10}, too_large);
    check(PING "\r\n", (struct limits){len, 10}, ready);
    check(PING "\r\n", (struct limits){len + 1, 10}, ready);
    /* the second CR is contents */
    (void)snprintf(too_large, sizeof(too_large), "too large %zu request int=1 id=<1>\n", len + 1);
    check(PING "\r\r\n", (struct limits){len, 10}, too_large);
    check(PING "\r\r\n", (struct limits){len + 1, 10}, "request id=22+1 <" PING "\r>\n");
}

static void a_line_too_long_costs_itself_alone(void **state)
{
    (void)state;
    check("{\"x\":\"" PING "\n\n" PING "\n[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3]\r\n" PING "\n",
          (struct limits){sizeof(PING) - 1, 10},
          "too large 46 invalid int=0 id=<>\nrequest id=22+1 <" PING ">\n"
          "too large 47 batch int=0 id=<>\nrequest id=22+1 <" PING ">\n");
}

/* {"jsonrpc":"2.0",FIRST"pad":"xxx…",SECOND"method":"m"} with the id in one of the places. */
static void check_id_at(size_t pad, bool behind, const char *id, size_t max_id_bytes, const char *expected_id)
{
    char line[400];
    char member[100];
    char expected[200];
    char filler[200];
    memset(filler, 'x', sizeof(filler));
    (void)snprintf(member, sizeof(member), "\"id\":%s,", id);
    int len = snprintf(line, sizeof(line), "{" V ",%s\"pad\":\"%.*s\",%s\"method\":\"m\"}\n",
                       behind ? "" : member, (int)pad, filler, behind ? member : "");
    (void)snprintf(expected, sizeof(expected), "too large %d request int=%d id=<%s>\n", len - 1,
                   expected_id[0] >= '0' && expected_id[0] <= '9', expected_id);
    check(line, (struct limits){60, max_id_bytes}, expected);
}

static void knows_the_id_of_a_line_too_long_wherever_it_stands(void **state)
{
    (void)state;
    check_id_at(60, false, "12345", 10, "12345");
    check_id_at(60, true, "12345", 10, "12345");
    check_id_at(60, true, "\"a\\u0062c\"", 10, "\"a\\u0062c\"");
    check_id_at(60, true, "null", 10, "null");
    /* across the limit of 60 bytes, at each of its bytes */
    for (size_t pad = 20; pad < 35; pad++)
        check_id_at(pad, true, "\"abcdefgh\"", 10, "\"abcdefgh\"");
}

static void drops_an_id_that_is_too_long(void **state)
{
    (void)state;
    check_id_at(60, true, "\"abcdefgh\"", 10, "\"abcdefgh\"");
    check_id_at(60, true, "\"abcdefgh\"", 9, "");
    check_id_at(60, false, "\"abcdefgh\"", 9, "");
    check_id_at(60, true, "\"abcdefgh\"", 0, "");
}

static void an_illegal_id_is_not_reported(void **state)
{
    (void)state;
    struct limits limits = {10, 20};
    check("{\"id\":1,\"id\":2}\n", limits, "too large 15 invalid int=0 id=<>\n");
    check("{\"id\":[1],\"a\":2}\n", limits, "too large 16 invalid int=0 id=<>\n");
    check("{\"a\":1,nope,\"id\":2}\n", limits, "too large 19 invalid int=0 id=<>\n");
    check("{\"a\":{\"id\":3},\"b\":2}\n", limits, "too large 20 invalid int=0 id=<>\n");
    check("{\"a\":\"long\",\"id\":12\n", limits, "too large 19 invalid int=0 id=<>\n");
}

static void tells_a_response_from_a_request(void **state)
{
    (void)state;
    check("{" V ",\"id\":1,\"result\":{}}\n", (struct limits){10, 20}, "too large 36 result int=1 id=<1>\n");
    check("{" V ",\"id\":1,\"error\":{}}\n", (struct limits){10, 20}, "too large 35 error int=1 id=<1>\n");
}

/* ---- memory ---- */

/* Whichever allocation fails: one line is reported as lost, or has lost its id, and all others come. */
static void survives_any_failed_allocation(void **state)
{
    (void)state;
    static char text[3000];
    char filler[600];
    memset(filler, 'y', sizeof(filler));
    int len = snprintf(text, sizeof(text),
                       "%s\n{" V ",\"pad\":\"%.*s\",\"id\":7,\"method\":\"m\"}\n%s\n[\"%.*s\"]\n%s\n", PING,
                       600, filler, PING, 500, filler, PING);
    fault_alloc_install();
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct frame_script out;
        fault_alloc_fail_at(n);
        read_in_chunks(text, (size_t)len, 0, 16, (struct limits){520, 10}, &out);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fault_alloc_fired())
            break;
        failures++;
        size_t lines = 0;
        for (const char *p = out.text; (p = strchr(p, '\n')); p++)
            lines++;
        assert_int_equal(lines, 5);
        char *lost = strstr(out.text, "no memory");
        char *without_id = strstr(out.text, "id=<>");
        assert_true((lost) != (without_id));
        assert_null(lost ? strstr(lost + 1, "no memory") : NULL);
    }
    assert_true(failures >= 5);
    fault_alloc_fail_at(0);
}

static void reports_no_memory_at_once_and_once(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1,\"b\":2}\n" PING "\n";
    struct frame_reader r;
    struct frame_script out = {.len = 0};
    fault_alloc_install();
    frame_reader_init(&r, 1000, 100);
    fault_alloc_fail_from(1);
    feed(&r, text, 3, &out);
    assert_string_equal(out.text, "no memory<>\n");
    feed(&r, text + 3, 5, &out);
    assert_string_equal(out.text, "no memory<>\n");
    assert_true(frame_reader_in_line(&r));
    feed(&r, text + 8, sizeof(text) - 1 - 8, &out);
    assert_string_equal(out.text, "no memory<>\nrequest id=22+1 <" PING ">\n");
    assert_false(frame_reader_in_line(&r));
    frame_reader_done(&r);
    fault_alloc_fail_at(0);
}

static void counts_what_it_holds(void **state)
{
    (void)state;
    struct frame_reader r;
    struct frame_script out = {.len = 0};
    fault_alloc_install();
    frame_reader_init(&r, 20, 10);
    assert_false(frame_reader_in_line(&r));
    feed(&r, "[1]\n", 4, &out);
    assert_int_equal(frame_reader_partial(&r), 0);
    assert_false(frame_reader_in_line(&r));
    feed(&r, "[1,2", 4, &out);
    assert_int_equal(frame_reader_partial(&r), 4);
    assert_true(frame_reader_in_line(&r));
    frame_reader_trim(&r); /* nothing to give back, nothing lost */
    feed(&r, ",3]\n", 4, &out);
    assert_non_null(strstr(out.text, "<[1,2,3]>"));
    assert_int_equal(frame_reader_partial(&r), 0);
    assert_int_equal(fault_alloc_live(), 1);
    frame_reader_trim(&r);
    assert_int_equal(fault_alloc_live(), 0);
    feed(&r, "[1,2,3,4,5,6,7,8,9,10", 21, &out); /* over the limit: being skipped */
    assert_int_equal(frame_reader_partial(&r), 0);
    assert_true(frame_reader_in_line(&r));
    assert_int_equal(fault_alloc_live(), 0);
    frame_reader_done(&r);
}

/* How many frames come out. */
static size_t count_frames(struct frame_reader *r, const char *bytes, size_t len)
{
    size_t count = 0;
    struct frame f;
    while (frame_next(r, &bytes, &len, &f) == FRAME_READY)
        count++;
    return count;
}

static void gives_large_storage_back_and_keeps_the_usual(void **state)
{
    (void)state;
    static char line[2 * FRAME_KEEP_BYTES];
    struct frame_reader r;
    memset(line, ' ', sizeof(line));
    line[0] = '[';
    fault_alloc_install();
    frame_reader_init(&r, 4 * FRAME_KEEP_BYTES, 10);
    assert_int_equal(count_frames(&r, line, sizeof(line)), 0);
    assert_int_equal(frame_reader_partial(&r), sizeof(line));
    assert_int_equal(count_frames(&r, "]\n", 2), 1);
    assert_int_equal(fault_alloc_live(), 0);
    /* lines cut by the ends of reads, again and again */
    assert_int_equal(count_frames(&r, line, 60000) + count_frames(&r, "]\n", 2), 1);
    fault_alloc_fail_at(0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(count_frames(&r, line, 50000) + count_frames(&r, "]\n", 2), 1);
    assert_int_equal(fault_alloc_count(), 0);
    frame_reader_done(&r);
    assert_int_equal(fault_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_lines),
        cmocka_unit_test(leaves_a_line_without_its_end),
        cmocka_unit_test(strips_one_cr),
        cmocka_unit_test(skips_blank_lines),
        cmocka_unit_test(hands_out_what_is_no_message),
        cmocka_unit_test(keeps_bytes_as_they_are),
        cmocka_unit_test(nul_and_bad_utf8_do_not_stop_the_stream),
        cmocka_unit_test(copies_nothing_that_lies_whole_in_the_chunk),
        cmocka_unit_test(the_limit_is_the_contents),
        cmocka_unit_test(a_line_too_long_costs_itself_alone),
        cmocka_unit_test(knows_the_id_of_a_line_too_long_wherever_it_stands),
        cmocka_unit_test(drops_an_id_that_is_too_long),
        cmocka_unit_test(an_illegal_id_is_not_reported),
        cmocka_unit_test(tells_a_response_from_a_request),
        cmocka_unit_test(survives_any_failed_allocation),
        cmocka_unit_test(reports_no_memory_at_once_and_once),
        cmocka_unit_test(counts_what_it_holds),
        cmocka_unit_test(gives_large_storage_back_and_keeps_the_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
