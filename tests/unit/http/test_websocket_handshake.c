/* http/websocket_handshake, of both roles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "http/websocket_handshake.h"
#include "tests/unit/http/http_fixture.h"

#define KEY    "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define GET    "GET /ws HTTP/1.1\r\nHost: a\r\n"
#define UP     "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define K      "Sec-WebSocket-Key: " KEY "\r\n"
#define V      "Sec-WebSocket-Version: 13\r\n"

static const char *const protocols[] = {"mcp", NULL};

static struct buf out;

static int open_out(void **state)
{
    (void)state;
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

static void accepts(void **state)
{
    (void)state;
    struct websocket_offer offer;
    struct http_refusal refusal;
    assert_true(websocket_offer_read(open_head(GET UP K V "\r\n"), protocols, &offer, &refusal));
    assert_string_equal(offer.accept, ACCEPT);
    assert_null(offer.protocol);
    assert_int_equal(websocket_append_accept(&out, &offer), 0);
    expect_out("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " ACCEPT
               "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

static const char *chosen(const char *fields)
{
    char head[512];
    struct websocket_offer offer;
    struct http_refusal refusal;
    (void)snprintf(head, sizeof(head), GET UP K V "%s\r\n", fields);
    assert_true(websocket_offer_read(open_head(head), protocols, &offer, &refusal));
    return offer.protocol ? offer.protocol : "none";
}

static void chooses_a_subprotocol(void **state)
{
    (void)state;
    assert_string_equal(chosen("Sec-WebSocket-Protocol: mcp\r\n"), "mcp");
    assert_string_equal(chosen("Sec-WebSocket-Protocol: chat, mcp\r\n"), "mcp");
    assert_string_equal(chosen("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mcp\r\n"), "mcp");
    assert_string_equal(chosen("Sec-WebSocket-Protocol: MCP, mcp2\r\n"), "none");
    assert_string_equal(chosen("Sec-WebSocket-Extensions: permessage-deflate\r\n"), "none");
    struct websocket_offer offer = {.accept = ACCEPT, .protocol = "mcp"};
    assert_int_equal(websocket_append_accept(&out, &offer), 0);
    assert_non_null(memmem(buf_data(&out), buf_len(&out), "Sec-WebSocket-Protocol: mcp\r\n", 29));
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *head;
    } cases[] = {
        {405, "POST /ws HTTP/1.1\r\nHost: a\r\n" UP K V "\r\n"},
        {426, GET K V "\r\n"},
        {426, GET "Upgrade: websocket\r\n" K V "\r\n"},
        {426, GET "Connection: Upgrade\r\n" K V "\r\n"},
        {426, GET "Upgrade: h2c\r\nConnection: Upgrade\r\n" K V "\r\n"},
        {426, "GET /ws HTTP/1.0\r\nHost: a\r\n" UP K V "\r\n"},
        {426, GET UP K "\r\n"},
        {426, GET UP K "Sec-WebSocket-Version: 8\r\n\r\n"},
        {426, GET UP K "Sec-WebSocket-Version: 13, 8\r\n\r\n"},
        {400, GET UP V "\r\n"},
        {400, GET UP V "Sec-WebSocket-Key:\r\n\r\n"},
        {400, GET UP V "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n"},
        {400, GET UP V "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n\r\n"},
        {400, GET UP V "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQaa\r\n\r\n"},
        {400, GET UP V "Sec-WebSocket-Key: dGhlIHNhbXBsZS*ub25jZQ==\r\n\r\n"},
        {400, GET UP K V "Content-Length: 1\r\n\r\n"},
        {400, GET UP K V "Transfer-Encoding: chunked\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct websocket_offer offer;
        struct http_refusal refusal = {0, NULL};
        assert_false(websocket_offer_read(open_head(cases[i].head), protocols, &offer, &refusal));
        assert_int_equal(refusal.status, cases[i].status);
    }
}

static void says_what_it_speaks(void **state)
{
    (void)state;
    const struct http_terms terms = {.keep_alive = true};
    assert_int_equal(websocket_append_refusal(&out, terms, &(struct http_refusal){426, "Not 13."}), 0);
    expect_out("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Content-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"error\":\"Not 13.\"}");
    assert_int_equal(websocket_append_refusal(&out, terms, &(struct http_refusal){405, "GET."}), 0);
    expect_out("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Type: application/json\r\n"
               "Content-Length: 16\r\n\r\n{\"error\":\"GET.\"}");
}

/* ---- client ---- */

static void asks(void **state)
{
    (void)state;
    char key[WEBSOCKET_KEY_LEN + 1];
    struct websocket_offer offer;
    struct http_refusal refusal;
    websocket_make_key((const uint8_t *)"the sample nonce", key);
    assert_string_equal(key, KEY);
    assert_int_equal(websocket_append_request(&out, "a:1", "/ws?x", key, "mcp", "Bearer t"), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_true(websocket_offer_read(open_head(buf_data(&out)), protocols, &offer, &refusal));
    assert_string_equal(offer.protocol, "mcp");
    buf_clear(&out);
    assert_int_equal(websocket_append_request(&out, "a\r\n", "/", key, NULL, NULL), ERR_SYNTAX);
    assert_int_equal(websocket_append_request(&out, "a", "/ x", key, NULL, NULL), ERR_SYNTAX);
    assert_int_equal(websocket_append_request(&out, "a", "/", key, "m\n", NULL), ERR_SYNTAX);
    assert_int_equal(websocket_append_request(&out, "a", "/", key, NULL, "x\r\ny"), ERR_SYNTAX);
    assert_int_equal(buf_len(&out), 0);
}

/* NULL: agreed. */
static const char *check(const char *text, const char *protocol, bool *ret_protocol)
{
    struct http_head_reader r;
    struct http_head head;
    size_t len = strlen(text);
    http_head_reader_init(&r, HTTP_RESPONSE);
    assert_int_equal(http_head_next(&r, &text, &len, &head), HTTP_HEAD_READY);
    return websocket_check_response(&head, KEY, protocol, ret_protocol);
}

#define R101   "HTTP/1.1 101 Switching Protocols\r\n"
#define AGREED R101 UP "Sec-WebSocket-Accept: " ACCEPT "\r\n"

static void checks_answers(void **state)
{
    (void)state;
    bool has_protocol = true;
    assert_null(check(AGREED "\r\n", "mcp", &has_protocol));
    assert_false(has_protocol);
    assert_null(check(AGREED "Sec-WebSocket-Protocol: mcp\r\n\r\n", "mcp", &has_protocol));
    assert_true(has_protocol);
    assert_non_null(check(AGREED "Sec-WebSocket-Protocol: x\r\n\r\n", "mcp", &has_protocol));
    assert_non_null(check(AGREED "Sec-WebSocket-Protocol: mcp\r\n\r\n", NULL, &has_protocol));
    assert_non_null(check(AGREED "Sec-WebSocket-Extensions: x\r\n\r\n", NULL, &has_protocol));
    assert_non_null(check(R101 UP "\r\n", NULL, &has_protocol));
    assert_non_null(check(R101 UP "Sec-WebSocket-Accept: x" ACCEPT "\r\n\r\n", NULL, &has_protocol));
    assert_non_null(check(R101 "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", NULL, &has_protocol));
    assert_non_null(check("HTTP/1.1 200 OK\r\n\r\n", NULL, &has_protocol));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_out, close_out)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accepts), TEST(chooses_a_subprotocol), TEST(refuses), TEST(says_what_it_speaks),
        TEST(asks),    TEST(checks_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
