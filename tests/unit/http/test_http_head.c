/* http/http_head: what a request says, limits, storage; the refusals are in test_http_hostile.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_body.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/http/http_fixture.h"

static void reads_requests(void **state)
{
    (void)state;
    expect_run("GET /a/b?c=d&e HTTP/1.1\r\nHost: example.org:80\r\n\r\n",
               "GET /a/b ? c=d&e @ example.org:80 keep\n");
    expect_run("POST /mcp HTTP/1.1\r\nHost: relay\r\nContent-Length: 5\r\nConnection: Close\r\n\r\nhello",
               "POST /mcp @ relay close <hello>\n");
    expect_run("get / HTTP/1.1\r\nHOST:a\r\n\r\n", "get / @ a keep\n");
    expect_run("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * @ a keep\n");
}

static void reads_requests_one_behind_the_other(void **state)
{
    (void)state;
    expect_run("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
               "\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4",
               "GET /1 @ a keep\nPOST /2 @ a keep <abc>\nGET /3 @ a keep\nmore\n");
}

static void knows_old_clients(void **state)
{
    (void)state;
    expect_run("GET / HTTP/1.0\r\n\r\n", "GET / close\n");
    expect_run("GET / HTTP/1.0\r\nConnection: foo, Keep-Alive\r\n\r\n", "GET / keep\n");
    expect_run("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\na", "POST / close <a>\n");
    expect_run("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "GET / close\n");
}

static void takes_whole_addresses(void **state)
{
    (void)state;
    expect_run("GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x ? y @ b:81 keep\n");
    expect_run("GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET / @ b keep\n");
    expect_run("GET https://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ? q @ b keep\n");
}

static void knows_what_a_client_waits_for(void **state)
{
    (void)state;
    expect_run("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\na",
               "POST / @ a keep continue <a>\n");
    expect_run("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "GET / @ a keep\n");
    expect_run(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
        "Upgrade: WebSocket\r\n\r\n",
        "GET / @ a keep websocket\n");
    expect_run("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "GET / @ a keep\n");
}

static void gives_fields(void **state)
{
    (void)state;
    struct part value;
    unsigned cursor = 0;
    const struct http_head *head =
        open_head("GET / HTTP/1.1\r\nHost: a\r\nMcp-Session-Id:\t one \t\r\nAccept: a/b\r\nX:\r\n"
                  "mcp-session-id: two\r\naccept: c/d\r\n\r\n");
    assert_int_equal(http_head_find(head, "mcp-session-id", &value), 2);
    assert_memory_equal(value.bytes, "one", value.len);
    assert_int_equal(http_head_find(head, "x", &value), 1);
    assert_int_equal(value.len, 0);
    assert_int_equal(http_head_find(head, "y", &value), 0);
    assert_true(http_head_each(head, HTTP_FIELD_ACCEPT, &cursor, &value));
    assert_memory_equal(value.bytes, "a/b", 3);
    assert_true(http_head_each(head, HTTP_FIELD_ACCEPT, &cursor, &value));
    assert_memory_equal(value.bytes, "c/d", 3);
    assert_false(http_head_each(head, HTTP_FIELD_ACCEPT, &cursor, &value));
    assert_false(http_head_field(head, HTTP_FIELD_ORIGIN, &value));
}

static void knows_every_known_name(void **state)
{
    (void)state;
    for (unsigned id = 0; id < HTTP_FIELD_COUNT; id++) {
        const char *name = http_field_name((enum http_field_id)id);
        assert_int_equal(http_field_find((struct part){name, strlen(name)}), id);
        assert_int_equal(http_field_find((struct part){name, strlen(name) - 1}), HTTP_FIELD_UNKNOWN);
    }
    assert_int_equal(http_field_find(PART("HoSt")), HTTP_FIELD_HOST);
    for (size_t len = 0; len < 40; len++)
        assert_int_equal(http_field_find((struct part){"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", len}),
                         HTTP_FIELD_UNKNOWN);
}

/* ---- limits ---- */

static char stream[40000];

/* A head of `len` bytes. */
static size_t head_of(size_t len)
{
    size_t at = (size_t)snprintf(stream, sizeof(stream), "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(stream + at, 'x', len - at - 4);
    memcpy(stream + len - 4, "\r\n\r\n", 4);
    return len;
}

static void limits_the_head(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(stream, head_of(HTTP_HEAD_MAX_BYTES - 1)), 0);
    assert_int_equal(refusal_of(stream, head_of(HTTP_HEAD_MAX_BYTES)), 0);
    assert_int_equal(refusal_of(stream, head_of(HTTP_HEAD_MAX_BYTES + 1)), 431);
    assert_int_equal(refusal_of(stream, HTTP_HEAD_MAX_BYTES - 1), 0); /* not whole */
    assert_int_equal(refusal_of(stream, HTTP_HEAD_MAX_BYTES), 431);
}

/* A request line of `len` bytes. */
static size_t line_of(size_t len)
{
    memset(stream, 'x', len);
    memcpy(stream, "GET /", 5);
    memcpy(stream + len - 9, " HTTP/1.1\r\nHost: a\r\n\r\n", 22);
    return len + 13;
}

static void limits_the_line(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(stream, line_of(HTTP_LINE_MAX_BYTES - 1)), 0);
    assert_int_equal(refusal_of(stream, line_of(HTTP_LINE_MAX_BYTES)), 0);
    assert_int_equal(refusal_of(stream, line_of(HTTP_LINE_MAX_BYTES + 1)), 414);
    assert_int_equal(refusal_of(stream, line_of(20000)), 414);
}

static size_t fields_of(size_t count)
{
    size_t at = (size_t)snprintf(stream, sizeof(stream), "GET / HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 1; i < count; i++)
        at += (size_t)snprintf(stream + at, sizeof(stream) - at, "X: a\r\n");
    return at + (size_t)snprintf(stream + at, sizeof(stream) - at, "\r\n");
}

static void limits_the_fields(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(stream, fields_of(63)), 0);
    assert_int_equal(refusal_of(stream, fields_of(64)), 0);
    assert_int_equal(refusal_of(stream, fields_of(65)), 431);
}

static void limits_methods_and_lengths(void **state)
{
    (void)state;
    expect_run("ABCDEFGHIJKLMNO / HTTP/1.1\r\nHost: a\r\n\r\n", "ABCDEFGHIJKLMNO / @ a keep\n");
    expect_run("ABCDEFGHIJKLMNOP / HTTP/1.1\r\nHost: a\r\n\r\n", "ABCDEFGHIJKLMNOP / @ a keep\n");
    expect_run("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 000000000000001\r\n\r\na",
               "POST / @ a keep <a>\n");
}

/* ---- storage ---- */

static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static void read_split(struct http_head_reader *r, size_t cut)
{
    struct http_head head;
    size_t len = cut;
    const char *p = request;
    if (cut > 0)
        assert_int_equal(http_head_next(r, &p, &len, &head), HTTP_HEAD_MORE);
    assert_int_equal(http_head_reader_in_head(r), cut > 0);
    len = sizeof(request) - 1 - cut;
    assert_int_equal(http_head_next(r, &p, &len, &head), HTTP_HEAD_READY);
    assert_int_equal(http_head_keep(r, &head), 0);
    assert_false(http_head_reader_in_head(r));
    assert_int_equal(http_head_host(&head).len, 1);
}

static void allocates_nothing_in_steady_state(void **state)
{
    (void)state;
    struct http_head_reader r;
    fault_alloc_install();
    http_head_reader_init(&r, HTTP_REQUEST);
    read_split(&r, 5);
    fault_alloc_fail_from(1);
    read_split(&r, 7);
    read_split(&r, 0);
    fault_alloc_fail_at(0);
    http_head_reader_trim(&r);
    assert_int_equal(http_head_reader_held(&r), 0);
    http_head_reader_done(&r);
}

static void refuses_without_memory(void **state)
{
    (void)state;
    struct http_head_reader r;
    struct http_head head;
    const char *p = request;
    size_t len = 5;
    fault_alloc_install();
    http_head_reader_init(&r, HTTP_REQUEST);
    fault_alloc_fail_from(1);
    assert_int_equal(http_head_next(&r, &p, &len, &head), HTTP_HEAD_REFUSED);
    assert_int_equal(r.refusal.status, 503);
    assert_int_equal(http_head_next(&r, &p, &len, &head), HTTP_HEAD_REFUSED);
    fault_alloc_fail_at(0);
    http_head_reader_done(&r);
}

static void reads_responses(void **state)
{
    (void)state;
    static const char text[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    static const char *const bad[] = {"HTTP/1.1 10 x\r\n", "HTTP/1.1 1010\r\n", "HTTP/1.1  101\r\n",
                                      "HTTP/2 200\r\n",    "ICY 200 OK\r\n",    "HTTP/1.1 200 a\x01\r\n"};
    struct http_head_reader r;
    struct http_head head;
    const char *p = text;
    size_t len = sizeof(text) - 1;
    http_head_reader_init(&r, HTTP_RESPONSE);
    assert_int_equal(http_head_next(&r, &p, &len, &head), HTTP_HEAD_READY);
    assert_int_equal(head.line.status, 101);
    assert_true(head.upgrade_websocket);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        http_head_reader_init(&r, HTTP_RESPONSE);
        p = bad[i];
        len = strlen(p);
        assert_int_equal(http_head_next(&r, &p, &len, &head), HTTP_HEAD_REFUSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_requests),
        cmocka_unit_test(reads_requests_one_behind_the_other),
        cmocka_unit_test(knows_old_clients),
        cmocka_unit_test(takes_whole_addresses),
        cmocka_unit_test(knows_what_a_client_waits_for),
        cmocka_unit_test(gives_fields),
        cmocka_unit_test(knows_every_known_name),
        cmocka_unit_test(limits_the_head),
        cmocka_unit_test(limits_the_line),
        cmocka_unit_test(limits_the_fields),
        cmocka_unit_test(limits_methods_and_lengths),
        cmocka_unit_test(allocates_nothing_in_steady_state),
        cmocka_unit_test(refuses_without_memory),
        cmocka_unit_test(reads_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
