/* The parts of front/ without a loop: what a first byte means, the refusal line, addresses as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "front/peer.h"
#include "front/refusal.h"
#include "front/sniff.h"
#include "wire/json.h"
#include "wire/rpc_error.h"

static void test_first_byte_decides(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum protocol protocol;
    } cases[] = {
        {"", 0, PROTOCOL_UNDECIDED},
        {" \t\r\n", 4, PROTOCOL_UNDECIDED},
        {"{", 1, PROTOCOL_NDJSON},
        {"[", 1, PROTOCOL_NDJSON},
        {"\r\n\t {\"jsonrpc\"", 14, PROTOCOL_NDJSON},
        {"POST / HTTP/1.1\r\n\r\n{}", 21, PROTOCOL_OTHER},
        {"\n\nGET / HTTP/1.1", 16, PROTOCOL_OTHER},
        {"\x16\x03\x01", 3, PROTOCOL_TLS},
        {"\xef\xbb\xbf{", 4, PROTOCOL_OTHER},
        {"\0{", 2, PROTOCOL_OTHER},
        {"\v{", 2, PROTOCOL_OTHER},
        {"\"", 1, PROTOCOL_OTHER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(sniff_protocol(cases[i].bytes, cases[i].len), cases[i].protocol);
}

static void test_hints_name_what_is_not_spoken(void **state)
{
    (void)state;
    assert_non_null(strstr(sniff_hint(PROTOCOL_OTHER), "HTTP"));
    assert_non_null(strstr(sniff_hint(PROTOCOL_TLS), "TLS"));
}

static void write_limit(struct writer *w, void *data)
{
    write_member_uint(w, "limit", *(unsigned *)data);
}

static void test_refusal_is_one_strict_line(void **state)
{
    (void)state;
    unsigned limit = 7;
    struct buf out;
    struct json_doc *doc;
    bool retryable = false;
    int64_t value = 0;
    buf_init(&out, REFUSAL_MAX_BYTES);
    struct refusal refusal = {
        .code = RPC_E_OVERLOADED, .message = "a \"b\"\nc", .write_more = write_limit, .more_data = &limit};
    assert_int_equal(refusal_write(&out, &refusal), 0);
    assert_ptr_equal(memchr(buf_data(&out), '\n', buf_len(&out)), buf_data(&out) + buf_len(&out) - 1);
    assert_int_equal(json_parse(buf_data(&out), buf_len(&out), JSON_STRICT, 100, &doc, NULL), 0);
    json_node root = json_root(doc);
    json_node error = json_get(doc, root, "error");
    json_node data = json_get(doc, error, "data");
    assert_int_equal(json_type(doc, json_get(doc, root, "id")), JSON_NULL);
    assert_true(json_int(doc, json_get(doc, error, "code"), INT32_MIN, 0, &value));
    assert_int_equal(value, RPC_E_OVERLOADED);
    assert_string_equal(json_string(doc, json_get(doc, error, "message"), NULL), "a \"b\"\nc");
    assert_string_equal(json_string(doc, json_get(doc, data, "code"), NULL), "OVERLOADED");
    assert_true(json_bool(doc, json_get(doc, data, "retryable"), &retryable));
    assert_true(retryable);
    assert_true(json_int(doc, json_get(doc, data, "limit"), 0, 100, &value));
    assert_int_equal(value, 7);
    json_free(doc);
    buf_done(&out);
}

static void test_refusal_without_room_fails(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 20);
    struct refusal refusal = {.code = RPC_E_PARSE_ERROR};
    assert_int_equal(refusal_write(&out, &refusal), ERR_TOO_LARGE);
    buf_done(&out);
}

static struct sockaddr *v4(struct sockaddr_in *a, const char *host, uint16_t port)
{
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, host, &a->sin_addr), 1);
    return (struct sockaddr *)a;
}

static struct sockaddr *v6(struct sockaddr_in6 *a, const char *host, uint16_t port)
{
    *a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET6, host, &a->sin6_addr), 1);
    return (struct sockaddr *)a;
}

static void test_addresses_as_text(void **state)
{
    (void)state;
    struct sockaddr_in a4;
    struct sockaddr_in6 a6;
    char text[SESSION_PEER_BYTES];
    peer_format(v4(&a4, "127.0.0.1", 9), text, sizeof(text));
    assert_string_equal(text, "127.0.0.1:9");
    peer_format(v6(&a6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535), text, sizeof(text));
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void test_only_this_machine_is_loopback(void **state)
{
    (void)state;
    struct sockaddr_in a4;
    struct sockaddr_in6 a6;
    assert_true(peer_is_loopback(v4(&a4, "127.0.0.1", 1)));
    assert_true(peer_is_loopback(v4(&a4, "127.255.255.254", 1)));
    assert_false(peer_is_loopback(v4(&a4, "128.0.0.1", 1)));
    assert_false(peer_is_loopback(v4(&a4, "0.0.0.0", 1)));
    assert_false(peer_is_loopback(v4(&a4, "10.0.0.127", 1)));
    assert_true(peer_is_loopback(v6(&a6, "::1", 1)));
    assert_true(peer_is_loopback(v6(&a6, "::ffff:127.0.0.1", 1)));
    assert_false(peer_is_loopback(v6(&a6, "::ffff:10.0.0.1", 1)));
    assert_false(peer_is_loopback(v6(&a6, "::", 1)));
    assert_false(peer_is_loopback(v6(&a6, "fe80::1", 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_byte_decides),
        cmocka_unit_test(test_hints_name_what_is_not_spoken),
        cmocka_unit_test(test_refusal_is_one_strict_line),
        cmocka_unit_test(test_refusal_without_room_fails),
        cmocka_unit_test(test_addresses_as_text),
        cmocka_unit_test(test_only_this_machine_is_loopback),
    };
    return cmocka_run_group_tests_name("front_pure", tests, NULL, NULL);
}
