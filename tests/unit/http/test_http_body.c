/* http/http_body: by length and in chunks, limits; the refusals are in test_http_hostile.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_body.h"
#include "tests/unit/http/http_fixture.h"

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"

static void reads_chunks(void **state)
{
    (void)state;
    expect_run(CHUNKED "0\r\n\r\n", "POST / @ a keep <>\n");
    expect_run(CHUNKED "5\r\nhello\r\n0\r\n\r\n", "POST / @ a keep <hello>\n");
    expect_run(CHUNKED
               "3\r\nhel\r\n0000000a\r\nlo\r\n0\r\n\r\n1\r\n000\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
               "POST / @ a keep <hello\r\n0\r\n\r\n1>\nGET / @ b keep\n");
    expect_run(CHUNKED "5\r\nhel", "POST / @ a keep <helmore\n");
}

static char stream[4096];

/* A head or a chunk that ends in its size, and so many bytes behind it. */
static unsigned status_of(const char *before, bool is_chunk, size_t size, size_t bytes)
{
    int n = is_chunk ? snprintf(stream, sizeof(stream), "%s%zx\r\n", before, size)
                     : snprintf(stream, sizeof(stream), "%s%zu\r\n\r\n", before, size);
    size_t len = (size_t)n;
    memset(stream + len, 'x', bytes);
    return refusal_of(stream, len + bytes);
}

static void limits_the_length(void **state)
{
    (void)state;
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
    assert_int_equal(status_of(head, false, BODY_LIMIT - 1, BODY_LIMIT - 1), 0);
    assert_int_equal(status_of(head, false, BODY_LIMIT, BODY_LIMIT), 0);
    assert_int_equal(status_of(head, false, BODY_LIMIT + 1, 1), 413);
}

static void limits_chunks_together(void **state)
{
    (void)state;
    static const char begin[] = CHUNKED "1\r\na\r\n";
    assert_int_equal(status_of(begin, true, BODY_LIMIT - 2, 10), 0);
    assert_int_equal(status_of(begin, true, BODY_LIMIT - 1, 10), 0);
    assert_int_equal(status_of(begin, true, BODY_LIMIT, 0), 413);
}

static void hands_out_a_whole_body_as_one_piece(void **state)
{
    (void)state;
    static const char *const bodies[] = {"5\r\nhello\r\n0\r\n\r\nGET", "helloGET"};
    const char *const heads[] = {CHUNKED, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct http_body body;
        struct part data;
        const char *p = bodies[i];
        size_t len = strlen(p);
        http_body_begin(&body, open_head(heads[i]), BODY_LIMIT);
        assert_int_equal(http_body_next(&body, &p, &len, &data), HTTP_BODY_END);
        assert_int_equal(data.len, 5);
        assert_memory_equal(data.bytes, "hello", 5);
        assert_string_equal(p, "GET");
    }
}

static void has_an_end_without_a_body(void **state)
{
    (void)state;
    struct http_body body;
    struct part data;
    const char *p = "";
    size_t len = 0;
    http_body_begin(&body, open_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    assert_true(http_body_is_over(&body));
    assert_int_equal(http_body_next(&body, &p, &len, &data), HTTP_BODY_END);
    assert_int_equal(data.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_chunks),
        cmocka_unit_test(limits_the_length),
        cmocka_unit_test(limits_chunks_together),
        cmocka_unit_test(hands_out_a_whole_body_as_one_piece),
        cmocka_unit_test(has_an_end_without_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
