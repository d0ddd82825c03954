/* Answers: http_response, http_error, http_sse, http_date. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_date.h"
#include "http/http_error.h"
#include "http/http_sse.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/http/http_fixture.h"

static struct buf out;

static int open_out(void **state)
{
    (void)state;
    fault_alloc_install();
    buf_init(&out, 4096);
    return 0;
}

static int close_out(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static void expect_out(const char *text)
{
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_data(&out), text);
    buf_clear(&out);
}

static const struct http_terms keep = {.keep_alive = true};

static void writes_a_body(void **state)
{
    (void)state;
    struct http_response r;
    http_response_begin(&r, &out, keep, 200);
    http_response_field(&r, "X-A", "b");
    http_response_field_uint(&r, "Age", 12);
    assert_int_equal(http_response_end(&r, "text/plain", "hello", 5), 0);
    expect_out(
        "HTTP/1.1 200 OK\r\nX-A: b\r\nAge: 12\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
}

static void follows_the_request(void **state)
{
    (void)state;
    struct http_response r;
    http_response_begin(&r, &out,
                        http_terms_of(open_head("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")), 200);
    assert_int_equal(http_response_end(&r, "a/b", "hello", 5), 0);
    expect_out("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
    http_response_begin(&r, &out, http_terms_of_refused(), 503);
    assert_int_equal(http_response_end(&r, "a/b", "", 0), 0);
    expect_out(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: a/b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

static void writes_answers_without_a_body(void **state)
{
    (void)state;
    struct http_response r;
    http_response_begin(&r, &out, keep, 202);
    assert_int_equal(http_response_end_empty(&r), 0);
    expect_out("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    http_response_begin(&r, &out, keep, 204);
    assert_int_equal(http_response_end_empty(&r), 0);
    expect_out("HTTP/1.1 204 No Content\r\n\r\n");
    http_response_begin(&r, &out, keep, 299);
    assert_int_equal(http_response_end_head(&r, "a/b", 1ULL << 40), 0);
    expect_out("HTTP/1.1 299 Unknown\r\nContent-Type: a/b\r\nContent-Length: 1099511627776\r\n\r\n");
}

static void keeps_a_field_in_its_line(void **state)
{
    (void)state;
    static const char *const values[] = {"a\r\nX: b", "a\n", "\x01", "\x7f"};
    for (size_t i = 0; i < 4; i++) {
        struct http_response r;
        http_response_begin(&r, &out, keep, 200);
        http_response_field(&r, "X", values[i]);
        assert_int_equal(http_response_end_empty(&r), ERR_SYNTAX);
        assert_int_equal(buf_len(&out), 0);
    }
}

static void writes_all_or_nothing(void **state)
{
    (void)state;
    char body[4096] = "";
    struct http_response r;
    for (size_t n = 1;; n++) {
        buf_done(&out);
        fault_alloc_fail_at(n);
        int rc = http_error_append(&out, keep, 404, "No.");
        if (!fault_alloc_fired())
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(buf_len(&out), 0);
    }
    fault_alloc_fail_at(0);
    size_t len = buf_len(&out);
    http_response_begin(&r, &out, keep, 200);
    assert_int_equal(http_response_end(&r, "a/b", body, sizeof(body)), ERR_TOO_LARGE);
    assert_int_equal(buf_len(&out), len);
}

static void says_what_was_wrong(void **state)
{
    (void)state;
    assert_int_equal(http_error_append(&out, keep, 400, "a \"b\" \\ \x1b\xff"), 0);
    expect_out("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n"
               "{\"error\":\"a \\\"b\\\" \\\\ \xef\xbf\xbd\"}");
    assert_int_equal(http_error_append_refusal(&out, &(struct http_refusal){431, "Too many."}), 0);
    expect_out("HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/json\r\n"
               "Content-Length: 21\r\nConnection: close\r\n\r\n{\"error\":\"Too many.\"}");
    assert_int_equal(http_error_append_not_found(&out, keep, PART("/x")), 0);
    expect_out("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 35\r\n\r\n"
               "{\"error\":\"There is nothing at /x.\"}");
    assert_int_equal(http_error_append_method(&out, keep, PART("PUT"), HTTP_GET | HTTP_HEAD), 0);
    expect_out("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Type: application/json\r\n"
               "Content-Length: 52\r\n\r\n{\"error\":\"PUT is not possible here; use GET, HEAD.\"}");
}

static void escapes_the_longest_sentence(void **state)
{
    (void)state;
    char quotes[2000];
    memset(quotes, '"', sizeof(quotes) - 1);
    quotes[sizeof(quotes) - 1] = '\0';
    assert_int_equal(http_error_append(&out, keep, 400, quotes), 0);
    assert_true(buf_len(&out) > 1000 && buf_len(&out) < 1200);
}

/* ---- streams ---- */

static void begins_a_stream(void **state)
{
    (void)state;
    struct http_response r;
    bool chunked;
    http_response_begin(&r, &out, keep, 200);
    assert_int_equal(http_sse_end_head(&r, &chunked), 0);
    assert_true(chunked);
    expect_out("HTTP/1.1 200 OK\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
               "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    http_response_begin(&r, &out, (struct http_terms){.keep_alive = true, .is_old = true}, 200);
    assert_int_equal(http_response_end_stream(&r, "a/b", &chunked), 0);
    assert_false(chunked);
    assert_false(r.terms.keep_alive);
    expect_out("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nConnection: close\r\n\r\n");
}

static void writes_events(void **state)
{
    (void)state;
    const struct part parts[] = {PART("{\"a\":\r\n"), {NULL, 0}, PART("1}")};
    const struct http_sse_event full = {.id = "3-7", .name = "x", .retry_ms = 1000};
    assert_int_equal(http_sse_append(&out, &full, parts, 3, false), 0);
    expect_out("id: 3-7\nevent: x\nretry: 1000\ndata: {\"a\":  1}\n\n");
    assert_int_equal(http_sse_append(&out, &(struct http_sse_event){.id = "1-0"}, NULL, 0, true), 0);
    expect_out("10\r\nid: 1-0\ndata: \n\n\r\n");
    assert_int_equal(http_sse_append(&out, &(struct http_sse_event){0}, parts, 3, true), 0);
    expect_out("11\r\ndata: {\"a\":  1}\n\n\r\n");
    assert_true(http_sse_has_line_end(parts, 3));
    assert_false(http_sse_has_line_end(parts + 1, 2));
}

static void frames_data_that_stands_elsewhere(void **state)
{
    (void)state;
    struct http_sse_frame f;
    assert_int_equal(http_sse_open(&f, &(struct http_sse_event){.id = "9"}, 300, true), 0);
    assert_int_equal(buf_append(&out, f.head, f.head_len), 0);
    assert_int_equal(buf_append(&out, f.tail.bytes, f.tail.len), 0);
    expect_out("13a\r\nid: 9\ndata: \n\n\r\n"); /* 12 + 300 + 2 */
}

static void keeps_words_in_their_line(void **state)
{
    (void)state;
    char word[HTTP_SSE_WORD_MAX + 2];
    struct http_sse_frame f;
    memset(word, 'x', sizeof(word));
    word[HTTP_SSE_WORD_MAX + 1] = '\0';
    assert_int_equal(http_sse_open(&f, &(struct http_sse_event){.id = word}, 0, true), ERR_TOO_LARGE);
    word[HTTP_SSE_WORD_MAX] = '\0';
    assert_int_equal(http_sse_open(&f, &(struct http_sse_event){word, word, UINT32_MAX}, SIZE_MAX / 2, true),
                     0);
    assert_int_equal(http_sse_open(&f, &(struct http_sse_event){.name = "a\nb"}, 0, true), ERR_SYNTAX);
    assert_int_equal(http_sse_append(&out, &(struct http_sse_event){.id = "a\r"}, NULL, 0, true), ERR_SYNTAX);
    assert_int_equal(buf_len(&out), 0);
}

static void writes_chunks_and_comments(void **state)
{
    (void)state;
    static const struct {
        uint64_t len;
        const char *head;
    } heads[] = {
        {1, "1\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {255, "ff\r\n"}, {UINT64_MAX, "ffffffffffffffff\r\n"}};
    for (size_t i = 0; i < 5; i++) {
        char text[HTTP_CHUNK_HEAD_MAX + 1] = "";
        assert_int_equal(http_chunk_begin(heads[i].len, text), strlen(heads[i].head));
        assert_string_equal(text, heads[i].head);
    }
    struct part comment = http_sse_keep_alive(true);
    assert_int_equal(strtoul(comment.bytes, NULL, 16), comment.len - 5);
}

static void writes_dates(void **state)
{
    (void)state;
    char text[HTTP_DATE_SIZE];
    assert_string_equal(http_date(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(http_date(0, text), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(http_date(951782400, text), "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_string_equal(http_date(UINT64_MAX, text), "Fri, 31 Dec 9999 23:59:59 GMT");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_out, close_out)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_a_body),
        TEST(follows_the_request),
        TEST(writes_answers_without_a_body),
        TEST(keeps_a_field_in_its_line),
        TEST(writes_all_or_nothing),
        TEST(says_what_was_wrong),
        TEST(escapes_the_longest_sentence),
        TEST(begins_a_stream),
        TEST(writes_events),
        TEST(frames_data_that_stands_elsewhere),
        TEST(keeps_words_in_their_line),
        TEST(writes_chunks_and_comments),
        TEST(writes_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
