/* The parts of front/ without a loop: what a first byte means, the error line, addresses as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/error_line.h"
#include "front/peer.h"
#include "front/protocol.h"
#include "front/sniff.h"
#include "front/work.h"
#include "wire/json.h"
#include "wire/rpc_error.h"

/* Stand for protocols: only their addresses are looked at. */
static const struct protocol_ops lines;

static const struct sniff_row table[] = {
    {'{', '{', &lines, NULL},     {'[', '[', &lines, NULL},           {'A', 'Z', NULL, "no HTTP"},
    {0x16, 0x16, NULL, "no TLS"}, {0x00, 0xff, NULL, "nothing else"},
};

static void test_first_byte_decides(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *hint; /* NULL: lines */
    } cases[] = {
        {"{", 1, NULL},
        {"[", 1, NULL},
        {"\r\n\t {\"jsonrpc\"", 14, NULL},
        {"POST / HTTP/1.1\r\n\r\n{}", 21, "no HTTP"},
        {"\n\nGET / HTTP/1.1", 16, "no HTTP"},
        {"\x16\x03\x01", 3, "no TLS"},
        {"\xef\xbb\xbf{", 4, "nothing else"},
        {"\0{", 2, "nothing else"},
        {"\v{", 2, "nothing else"},
        {"\xff", 1, "nothing else"},
        {"\"", 1, "nothing else"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct sniff_row *row = sniff(table, cases[i].bytes, cases[i].len);
        assert_non_null(row);
        assert_ptr_equal(row->protocol, cases[i].hint ? NULL : &lines);
        if (cases[i].hint)
            assert_string_equal(row->hint, cases[i].hint);
    }
}

static void test_blanks_decide_nothing(void **state)
{
    (void)state;
    assert_null(sniff(table, "", 0));
    assert_null(sniff(table, " \t\r\n", 4));
}

static void write_limit(struct writer *w, void *data)
{
    write_member_uint(w, "limit", *(unsigned *)data);
}

static void test_an_error_is_one_strict_line(void **state)
{
    (void)state;
    unsigned limit = 7;
    struct buf out;
    struct json_doc *doc;
    bool retryable = false;
    int64_t value = 0;
    buf_init(&out, ERROR_LINE_MAX_BYTES);
    struct error_line error_line = {
        .code = RPC_E_OVERLOADED, .message = "a \"b\"\nc", .write_more = write_limit, .more_data = &limit};
    assert_int_equal(error_line_write(&out, &error_line), 0);
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

static void test_an_error_without_room_fails(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 20);
    struct error_line error_line = {.code = RPC_E_PARSE_ERROR};
    assert_int_equal(error_line_write(&out, &error_line), ERR_TOO_LARGE);
    buf_done(&out);
}

static void test_what_was_sent_is_never_retryable(void **state)
{
    (void)state;
    assert_true(rpc_error_is_retryable(RPC_E_OVERLOADED, false));
    assert_true(rpc_error_is_retryable(RPC_E_TIMEOUT, false));
    assert_false(rpc_error_is_retryable(RPC_E_TIMEOUT, true));
    assert_false(rpc_error_is_retryable(RPC_E_NO_SUCH_SERVER, false));
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

static void one_host_has_one_key(void **state)
{
    (void)state;
    struct sockaddr_in a4;
    struct sockaddr_in6 a6;
    const struct peer_key key4 = peer_key_of(v4(&a4, "10.1.2.3", 1));
    const struct peer_key port = peer_key_of(v4(&a4, "10.1.2.3", 2));
    const struct peer_key mapped = peer_key_of(v6(&a6, "::ffff:10.1.2.3", 3));
    assert_true(peer_key_equals(&key4, &port));
    assert_true(peer_key_equals(&key4, &mapped));
    const struct peer_key next = peer_key_of(v4(&a4, "10.1.2.4", 1));
    const struct peer_key next_mapped = peer_key_of(v6(&a6, "::ffff:10.1.2.4", 1));
    assert_false(peer_key_equals(&key4, &next));
    assert_true(peer_key_equals(&next, &next_mapped));
    /* A host has as many addresses of its /64 as it likes. */
    const struct peer_key key6 = peer_key_of(v6(&a6, "2001:db8:1:2::1", 1));
    const struct peer_key same = peer_key_of(v6(&a6, "2001:db8:1:2:ffff:ffff:ffff:ffff", 1));
    const struct peer_key other = peer_key_of(v6(&a6, "2001:db8:1:3::1", 1));
    assert_true(peer_key_equals(&key6, &same));
    assert_false(peer_key_equals(&key6, &other));
    /* All hosts of a link share fe80::/64, which means another link on another interface. */
    const struct peer_key local = peer_key_of(v6(&a6, "fe80::1", 1));
    const struct peer_key beside = peer_key_of(v6(&a6, "fe80::2", 1));
    a6.sin6_scope_id = 2;
    const struct peer_key elsewhere = peer_key_of((const struct sockaddr *)&a6);
    assert_false(peer_key_equals(&local, &beside));
    assert_false(peer_key_equals(&beside, &elsewhere));
}

static void users_of_a_unix_socket_are_peers(void **state)
{
    (void)state;
    int fds[2];
    struct session_origin one = {0};
    struct session_origin two = {0};
    const struct sockaddr unix_address = {.sa_family = AF_UNIX};
    struct sockaddr_in a4;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    peer_of(fds[0], &unix_address, &one);
    peer_of(fds[1], &unix_address, &two);
    assert_int_equal(one.key.kind, PEER_USER);
    assert_true(peer_key_equals(&one.key, &two.key));
    const struct peer_key tcp = peer_key_of(v4(&a4, "0.0.0.0", 1));
    assert_false(peer_key_equals(&one.key, &tcp));
    close(fds[0]);
    close(fds[1]);
}

static void work_is_bounded_in_each_iteration(void **state)
{
    (void)state;
    struct work w = {0};
    assert_false(work_is_done(&w, 7));
    work_note(&w, 7, WORK_NS / 2);
    assert_false(work_is_done(&w, 7));
    work_note(&w, 7, WORK_NS / 2);
    assert_true(work_is_done(&w, 7));
    assert_false(work_is_done(&w, 8));
    work_note(&w, 8, WORK_NS - 1);
    assert_false(work_is_done(&w, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_byte_decides),
        cmocka_unit_test(test_blanks_decide_nothing),
        cmocka_unit_test(test_an_error_is_one_strict_line),
        cmocka_unit_test(test_an_error_without_room_fails),
        cmocka_unit_test(test_what_was_sent_is_never_retryable),
        cmocka_unit_test(test_addresses_as_text),
        cmocka_unit_test(test_only_this_machine_is_loopback),
        cmocka_unit_test(one_host_has_one_key),
        cmocka_unit_test(users_of_a_unix_socket_are_peers),
        cmocka_unit_test(work_is_bounded_in_each_iteration),
    };
    return cmocka_run_group_tests_name("front_pure", tests, NULL, NULL);
}
