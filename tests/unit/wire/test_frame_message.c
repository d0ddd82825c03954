/* wire/frame, its entry for messages with an explicit end: the same verdicts as for lines, line ends inside,
 * limits, over-long messages and their ids, no memory; all of it in any cuts.
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define V            "\"jsonrpc\":\"2.0\""
#define PING         "{" V ",\"id\":1,\"method\":\"ping\"}"

struct limits {
    size_t max_bytes;
    size_t max_id_bytes;
};

static const struct limits wide = {1000, 100};

/* The chunk is a copy that is gone afterwards, so that a sanitizer sees what is kept of it. */
static enum frame_result feed(struct frame_reader *r, const char *bytes, size_t len, bool last,
                              struct frame_script *out)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    struct frame f = {0};
    enum frame_result result = frame_feed_chunk(r, len > 0 ? copy : NULL, len, last, &f);
    if (result != FRAME_MORE)
        frame_script_note(out, result, &f);
    free(copy);
    return result;
}

/* `first` bytes, and then chunks of `chunk`. The end comes with the last bytes, or (late) by itself. */
static void feed_message(struct frame_reader *r, const char *bytes, size_t len, size_t first, size_t chunk,
                         bool late, struct frame_script *out)
{
    feed(r, bytes, first, first == len && !late, out);
    for (size_t at = first; at < len; at += chunk) {
        size_t n = len - at < chunk ? len - at : chunk;
        feed(r, bytes + at, n, at + n == len && !late, out);
    }
    if (late)
        feed(r, NULL, 0, true, out);
    assert_false(frame_reader_in_line(r));
    assert_int_equal(frame_reader_partial(r), 0);
}

static void read_message(const char *bytes, size_t len, size_t first, size_t chunk, bool late,
                         struct limits limits, struct frame_script *out)
{
    struct frame_reader r;
    frame_reader_init(&r, limits.max_bytes, limits.max_id_bytes);
    frame_script_clear(out);
    feed_message(&r, bytes, len, first, chunk, late, out);
    frame_reader_done(&r);
}

/* In one chunk, in two cut at every byte, and in chunks of every size, the end with or behind the last: always
 * `expected`. */
static void check(const char *text, struct limits limits, const char *expected)
{
    struct frame_script out;
    size_t len = strlen(text);
    for (int late = 0; late < 2; late++) {
        for (size_t cut = 0; cut <= len; cut++) {
            read_message(text, len, cut, len, late, limits, &out);
            assert_string_equal(out.text, expected);
        }
        for (size_t chunk = 1; chunk < len; chunk++) {
            read_message(text, len, 0, chunk, late, limits, &out);
            assert_string_equal(out.text, expected);
        }
    }
}

/* ---- the same verdict as a line ---- */

static void read_line(const char *text, struct limits limits, struct frame_script *out)
{
    struct frame_reader r;
    struct frame f;
    enum frame_result result;
    char line[2000];
    int n = snprintf(line, sizeof(line), "%s\n", text);
    assert_true(n > 0 && (size_t)n < sizeof(line));
    const char *p = line;
    size_t len = (size_t)n;
    frame_reader_init(&r, limits.max_bytes, limits.max_id_bytes);
    frame_script_clear(out);
    while ((result = frame_next(&r, &p, &len, &f)) != FRAME_MORE)
        frame_script_note(out, result, &f);
    frame_reader_done(&r);
}

/* No line end stands in them. */
static const char *const messages[] = {
    PING,
    "{" V
    ",\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":\"\\u0061\"},\"uri\":\"\xe6\xbc\xa2\xf0\x9f\x98\x80\"}}",
    "{ " V " ,\t\"id\" : \"a\\\"b\" , \"result\" : [1.5e-3, true, null, {}] } ",
    "{" V ",\"id\":-12,\"error\":{\"code\":-1,\"message\":\"m\"}}",
    "[" PING "," PING "]",
    "[]",
    "\"text\"",
    "-12",
    "0.5",
    "hello",
    "{\"a\":1}",
    "{\"a\":1}}",
    "{" V ",\"id\":7,\"method\":\"m\"",
    "{" V ",\"id\":7",
    "{" V ",\"id\":7x,\"method\":\"m\"}",
    "{" V ",\"id\":1,\"id\":2,\"method\":\"m\"}",
    "{" V ",\"ID\":1,\"method\":\"m\"}",
    "{" V ",\"id\":1,\"method\":\"\xff\xfe\"}",
    "{" V ",\"id\":1,\"method\":\"a\tb\"}",
    "\"\\ud83d\\u",
};

static void agrees_with_the_line_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++) {
        struct frame_script line;
        size_t len = strlen(messages[i]);
        for (size_t limit = len - 1; limit <= len + 1; limit++) {
            struct limits limits = {limit, 10};
            read_line(messages[i], limits, &line);
            assert_true(line.len > 0);
            check(messages[i], limits, line.text);
        }
        read_line(messages[i], (struct limits){len / 2, 10}, &line);
        check(messages[i], (struct limits){len / 2, 10}, line.text);
    }
}

static void assert_same_envelope(const struct rpc_envelope *a, const struct rpc_envelope *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->fault, b->fault);
    assert_int_equal(a->fault_at, b->fault_at);
    assert_int_equal(a->id_null, b->id_null);
    assert_int_equal(a->id_is_int, b->id_is_int);
    assert_int_equal(a->has_method, b->has_method);
    assert_memory_equal(&a->id, &b->id, sizeof(*a) - offsetof(struct rpc_envelope, id));
}

static void finds_the_same_spans_at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++) {
        size_t len = strlen(messages[i]);
        struct rpc_envelope expected;
        rpc_scan_line(messages[i], len, &expected);
        for (size_t cut = 0; cut <= len; cut++) {
            struct frame_reader r;
            struct frame f;
            frame_reader_init(&r, 1000, 100);
            assert_int_equal(frame_feed_chunk(&r, messages[i], cut, false, &f), FRAME_MORE);
            assert_int_equal(frame_feed_chunk(&r, messages[i] + cut, len - cut, true, &f), FRAME_READY);
            assert_same_envelope(&f.env, &expected);
            frame_reader_done(&r);
        }
    }
}

/* ---- line ends ---- */

static void line_ends_between_values_become_spaces(void **state)
{
    (void)state;
    check("{\r\n  " V ",\n  \"id\": 1,\r\"method\":\n\"ping\"\r\n}\n", wide,
          "request id=30+1 <{    " V ",   \"id\": 1, \"method\": \"ping\"  } >\n");
    check(PING "\n", wide, "request id=22+1 <" PING " >\n");
    check("\r\n" PING, wide, "request id=24+1 <  " PING ">\n");
    check("[\n]\n", wide, "batch id=0+0 <[ ] >\n");
}

static void two_messages_in_one_are_refused(void **state)
{
    (void)state;
    check(PING "\n" PING, wide, "invalid: not valid JSON id=22+1 <" PING "\n" PING ">\n");
}

static void a_line_end_in_a_string_is_a_fault(void **state)
{
    (void)state;
    check("{" V ",\"id\":1,\n\"method\":\"pi\nng\"}", wide,
          "invalid: not valid JSON id=22+1 <{" V ",\"id\":1,\n\"method\":\"pi\nng\"}>\n");
    check("\"a\rb\"", wide, "invalid: not valid JSON id=0+0 <\"a\rb\">\n");
}

/* It is refused, so it is not sent on. */
static void a_message_with_a_fault_keeps_its_line_ends(void **state)
{
    (void)state;
    check("{\n\"id\":1}", wide, "invalid: jsonrpc is not the string 2.0 id=7+1 <{\n\"id\":1}>\n");
}

static void every_message_has_a_result(void **state)
{
    (void)state;
    static const char *const blank[] = {"", " ", "\n", "\r\n\t \r"};
    for (size_t i = 0; i < COUNT(blank); i++) {
        char expected[100];
        (void)snprintf(expected, sizeof(expected), "invalid: ends inside its JSON value id=0+0 <%s>\n",
                       blank[i]);
        check(blank[i], wide, expected);
    }
    check("\n\n\n\n", (struct limits){3, 10}, "too large 4 invalid int=0 id=<>\n");
}

static void a_newline_in_a_line_stays_its_end(void **state)
{
    (void)state;
    struct frame_reader r;
    struct frame_script out;
    struct frame f;
    frame_reader_init(&r, 1000, 100);
    frame_script_clear(&out);
    feed(&r, "[1,\n2]", 6, true, &out);
    const char *p = "[1,\n";
    size_t len = 4;
    assert_int_equal(frame_next(&r, &p, &len, &f), FRAME_READY);
    frame_script_note(&out, FRAME_READY, &f);
    feed(&r, "[3,\n4]", 6, true, &out);
    assert_string_equal(out.text, "batch id=0+0 <[1, 2]>\ninvalid: ends inside its JSON value id=0+0 <[1,>\n"
                                  "batch id=0+0 <[3, 4]>\n");
    frame_reader_done(&r);
}

/* ---- the limit ---- */

static void line_ends_count(void **state)
{
    (void)state;
    static const char text[] = "\n" PING "\r\n";
    size_t len = sizeof(text) - 1;
    char too_large[100];
    (void)snprintf(too_large, sizeof(too_large), "too large %zu request int=1 id=<1>\n", len);
    check(text, (struct limits){len - 1, 10}, too_large);
    check(text, (struct limits){len, 10}, "request id=23+1 < " PING "  >\n");
    check(text, (struct limits){len + 1, 10}, "request id=23+1 < " PING "  >\n");
}

static void knows_the_id_of_a_message_too_long_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 60; pad++) {
        char text[200];
        (void)snprintf(text, sizeof(text),
                       "{" V ",\n\"pad\":\"%.*s\",\n\"id\":\"abc\\u0064\",\"method\":\"m\"}", (int)pad,
                       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        char expected[100];
        (void)snprintf(expected, sizeof(expected), "too large %zu request int=0 id=<\"abc\\u0064\">\n",
                       strlen(text));
        check(text, (struct limits){50, 11}, expected);
        (void)snprintf(expected, sizeof(expected), "too large %zu request int=0 id=<>\n", strlen(text));
        check(text, (struct limits){50, 10}, expected);
    }
}

/* ---- memory ---- */

static void copies_nothing_that_came_in_one_chunk(void **state)
{
    (void)state;
    fault_alloc_install();
    for (size_t i = 0; i < COUNT(messages); i++) {
        struct frame_reader r;
        struct frame f;
        frame_reader_init(&r, 1000, 100);
        assert_int_equal(frame_feed_chunk(&r, messages[i], strlen(messages[i]), true, &f), FRAME_READY);
        assert_ptr_equal(f.bytes, messages[i]);
        assert_int_equal(f.len, strlen(messages[i]));
        frame_reader_done(&r);
    }
    assert_int_equal(fault_alloc_count(), 0);
}

/* Whichever allocation fails, one message loses its frame or its id, and all others come. */
static void survives_any_failed_allocation(void **state)
{
    (void)state;
    char large[700];
    (void)snprintf(large, sizeof(large), "{" V ",\"pad\":\"%600s\",\n\"id\":7,\"method\":\"m\"}", "");
    const char *const texts[] = {PING "\n", large, "[1,\n2]", large, PING};
    size_t failures = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++) {
        struct frame_reader r;
        struct frame_script out;
        frame_reader_init(&r, 520, 10);
        frame_script_clear(&out);
        fault_alloc_fail_at(n);
        for (size_t i = 0; i < COUNT(texts); i++)
            feed_message(&r, texts[i], strlen(texts[i]), 0, 16, false, &out);
        frame_reader_done(&r);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fault_alloc_fired())
            break;
        failures++;
        size_t lines = 0;
        for (const char *p = out.text; (p = strchr(p, '\n')); p++)
            lines++;
        assert_int_equal(lines, COUNT(texts));
        const char *lost = strstr(out.text, "no memory");
        const char *without_id = strstr(out.text, "id=<>");
        assert_true(!lost != !without_id);
        assert_null(lost ? strstr(lost + 1, "no memory") : NULL);
    }
    assert_true(failures >= 4);
    fault_alloc_fail_at(0);
}

static void reports_no_memory_at_once_and_once(void **state)
{
    (void)state;
    struct frame_reader r;
    struct frame_script out;
    frame_script_clear(&out);
    fault_alloc_install();
    frame_reader_init(&r, 1000, 100);
    fault_alloc_fail_from(1);
    assert_int_equal(feed(&r, "{\"a\"", 4, false, &out), FRAME_NO_MEMORY);
    assert_true(frame_reader_in_line(&r));
    assert_int_equal(feed(&r, ":1", 2, false, &out), FRAME_MORE);
    assert_int_equal(feed(&r, "}", 1, true, &out), FRAME_MORE);
    assert_false(frame_reader_in_line(&r));
    /* a message with line ends, whole, needs memory too */
    assert_int_equal(feed(&r, "[\n]", 3, true, &out), FRAME_NO_MEMORY);
    assert_int_equal(feed(&r, PING, sizeof(PING) - 1, true, &out), FRAME_READY);
    assert_string_equal(out.text, "no memory<>\nno memory<>\nrequest id=22+1 <" PING ">\n");
    frame_reader_done(&r);
    fault_alloc_fail_at(0);
}

static void counts_what_it_holds(void **state)
{
    (void)state;
    struct frame_reader r;
    struct frame_script out;
    fault_alloc_install();
    frame_reader_init(&r, 20, 10);
    frame_script_clear(&out);
    feed(&r, "[1,2", 4, false, &out);
    assert_int_equal(frame_reader_partial(&r), 4);
    assert_true(frame_reader_in_line(&r));
    frame_reader_trim(&r); /* nothing to release, nothing lost */
    feed(&r, ",3]", 3, true, &out);
    assert_string_equal(out.text, "batch id=0+0 <[1,2,3]>\n");
    assert_int_equal(fault_alloc_live(), 1);
    frame_reader_trim(&r);
    assert_int_equal(fault_alloc_live(), 0);
    feed(&r, "[1,2,3,4,5,6,7,8,9,10", 21, false, &out); /* over the limit: being skipped */
    assert_int_equal(frame_reader_partial(&r), 0);
    assert_true(frame_reader_in_line(&r));
    assert_int_equal(fault_alloc_live(), 0);
    frame_reader_done(&r);
}

/* ---- ids ---- */

static void tells_whether_an_id_can_stand_in_an_answer(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t max_bytes;
        const char *id; /* NULL: none that is sound */
    } ids[] = {
        {PING, 100, "1"},
        {PING, 10, "1"},
        {"{" V ",\"id\":\"a\\\"b\",\"method\":1}", 100, "\"a\\\"b\""},
        {"{" V ",\"id\":12,\"method\":\"\xff\"}", 100, "12"},
        {"{" V ",\"method\":\"m\"}", 100, NULL},
        {"{" V ",\"id\":12x}", 100, NULL},
        {"{" V ",\"id\":\"a\xff\",\"method\":\"m\"}", 100, NULL},
        {"{" V ",\"id\":\"a\xff\",\"method\":\"m\"}", 10, NULL},
        {"{" V ",\"id\":{},\"method\":\"m\"}", 100, NULL},
    };
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct frame_reader r;
        struct frame f;
        frame_reader_init(&r, ids[i].max_bytes, 100);
        enum frame_result result = frame_feed_chunk(&r, ids[i].text, strlen(ids[i].text), true, &f);
        assert_int_equal(result, ids[i].max_bytes == 10 ? FRAME_TOO_LARGE : FRAME_READY);
        assert_int_equal(frame_id_is_sound(&f), ids[i].id != NULL);
        if (ids[i].id) {
            assert_int_equal(f.env.id.len, strlen(ids[i].id));
            assert_memory_equal(frame_id(&f), ids[i].id, f.env.id.len);
        }
        frame_reader_done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_line_entry),
        cmocka_unit_test(finds_the_same_spans_at_every_cut),
        cmocka_unit_test(line_ends_between_values_become_spaces),
        cmocka_unit_test(two_messages_in_one_are_refused),
        cmocka_unit_test(a_line_end_in_a_string_is_a_fault),
        cmocka_unit_test(a_message_with_a_fault_keeps_its_line_ends),
        cmocka_unit_test(every_message_has_a_result),
        cmocka_unit_test(a_newline_in_a_line_stays_its_end),
        cmocka_unit_test(line_ends_count),
        cmocka_unit_test(knows_the_id_of_a_message_too_long_wherever_it_stands),
        cmocka_unit_test(copies_nothing_that_came_in_one_chunk),
        cmocka_unit_test(survives_any_failed_allocation),
        cmocka_unit_test(reports_no_memory_at_once_and_once),
        cmocka_unit_test(counts_what_it_holds),
        cmocka_unit_test(tells_whether_an_id_can_stand_in_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
