/* The relay's address: each form, each refusal with what to write instead, every limit at -1, 0 and +1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent_relay.h"
#include "backend-client/src/link/address.h"
#include "tests/unit/backend-client/errors/fault_fixture.h"

static char problem[AR_PROBLEM_SIZE];

static struct address take(const char *text)
{
    struct address a;
    problem[0] = '\0';
    int rc = address_parse(text, &a, problem, sizeof(problem));
    if (rc != 0)
        fail_msg("%s: %d, %s", text, rc, problem);
    assert_string_equal(a.text, text);
    assert_string_equal(problem, "");
    return a;
}

static void take_tcp(const char *text, const char *host, uint16_t port)
{
    struct address a = take(text);
    assert_int_equal(a.kind, ADDRESS_TCP);
    assert_string_equal(a.host, host);
    assert_int_equal(a.port, port);
    assert_string_equal(a.path, "");
}

static void take_unix(const char *text, const char *path)
{
    struct address a = take(text);
    assert_int_equal(a.kind, ADDRESS_UNIX);
    assert_string_equal(a.path, path);
    assert_string_equal(a.host, "");
}

/* `hint`: what the text says to write, or what is wrong. */
static void refuse(const char *text, int code, const char *hint)
{
    struct address a;
    memset(&a, 0x5a, sizeof(a));
    const struct address untouched = a;
    memset(problem, 'x', sizeof(problem));
    int rc = address_parse(text, &a, problem, sizeof(problem));
    if (rc != code)
        fail_msg("%s: %d instead of %d", text, rc, code);
    assert_memory_equal(&a, &untouched, sizeof(a));
    assert_clean_text(problem, sizeof(problem));
    assert_true(problem[0] == '"');
    assert_contains(problem, hint);
    assert_int_equal(address_parse(text, &a, NULL, 0), code);
}

static void hosts_and_ports(void **state)
{
    (void)state;
    take_tcp("multi-agent-container:9500", "multi-agent-container", 9500);
    take_tcp("127.0.0.1:1", "127.0.0.1", 1);
    take_tcp("localhost:65535", "localhost", 65535);
    take_tcp("relay_1.internal.:80", "relay_1.internal.", 80);
    take_tcp("relay:09500", "relay", 9500);
    take_tcp(ADDRESS_DEFAULT_TEXT, "127.0.0.1", ADDRESS_DEFAULT_PORT);
}

static void without_a_port_the_default_one(void **state)
{
    (void)state;
    take_tcp("relay", "relay", 9500);
    take_tcp("10.0.0.7", "10.0.0.7", 9500);
    take_tcp("tcp://relay", "relay", 9500);
    take_tcp("[::1]", "::1", 9500);
}

static void with_a_scheme(void **state)
{
    (void)state;
    take_tcp("tcp://relay:9501", "relay", 9501);
    take_tcp("TCP://relay:9501", "relay", 9501);
    take_tcp("tcp://[2001:db8::7]:9501", "2001:db8::7", 9501);
    take_tcp("tcp:9501", "tcp", 9501); /* a host of that name */
}

static void ipv6_in_brackets(void **state)
{
    (void)state;
    take_tcp("[::1]:9500", "::1", 9500);
    take_tcp("[::]:9500", "::", 9500);
    take_tcp("[fe80::1%eth0]:9500", "fe80::1%eth0", 9500);
    take_tcp("[::ffff:192.168.100.100]:9500", "::ffff:192.168.100.100", 9500);
    take_tcp("[1111:2222:3333:4444:5555:6666:7777:8888]:9500", "1111:2222:3333:4444:5555:6666:7777:8888",
             9500);
}

static void unix_sockets(void **state)
{
    (void)state;
    take_unix("unix:/run/agent-relay.sock", "/run/agent-relay.sock");
    take_unix("unix:relay.sock", "relay.sock");
    take_unix("unix:/with blank:and colon", "/with blank:and colon");
    take_unix("unix:///run/relay.sock", "///run/relay.sock"); /* the kernel reads it as one slash */
    take_unix("unix:/\xc3\xa9/\xf0\x9f\x98\x80", "/\xc3\xa9/\xf0\x9f\x98\x80");
}

static void schemes_that_are_not_built_in(void **state)
{
    (void)state;
    refuse("tls://relay:9500", ERR_TYPE, "tls://, which is not yet built in; write tcp://relay:9500");
    refuse("ws://relay:9500/mcp", ERR_TYPE, "ws://, which is not yet built in; write tcp://relay:9500");
    refuse("wss://relay:9500", ERR_TYPE, "wss://, which is not yet built in; write tcp://relay:9500");
    refuse("WSS://relay", ERR_TYPE, "not yet built in; write tcp://relay");
    refuse("tls://", ERR_TYPE, "not yet built in");
}

static void schemes_of_others(void **state)
{
    (void)state;
    refuse("http://relay:9500", ERR_TYPE, "web address");
    refuse("https://relay:9500/health", ERR_TYPE, "write tcp://relay:9500");
    refuse("redis://relay:6379", ERR_TYPE, "unknown scheme; write tcp://HOST:PORT or unix:PATH");
    refuse("://relay", ERR_TYPE, "unknown scheme");
}

static void what_is_missing(void **state)
{
    (void)state;
    refuse("", ERR_SYNTAX, "names no relay; write HOST:PORT");
    refuse("tcp://", ERR_SYNTAX, "names no relay");
    refuse(":9500", ERR_SYNTAX, "has no host");
    refuse(":", ERR_SYNTAX, "has no host");
    refuse("relay:", ERR_SYNTAX, "has no port number");
    refuse("[::1]:", ERR_SYNTAX, "has no port number");
    refuse("unix:", ERR_SYNTAX, "has no path; write unix:/run/agent-relay.sock");
    refuse("[]:9500", ERR_SYNTAX, "write [::1]:9500");
}

static void what_is_not_guessed(void **state)
{
    (void)state;
    refuse("9500", ERR_SYNTAX, "write HOST:PORT, for this machine 127.0.0.1:9500");
    refuse("9500:9500", ERR_SYNTAX, "names no host but a number");
    refuse("::1", ERR_SYNTAX, "in brackets: [::1]:9500");
    refuse("::1:9500", ERR_SYNTAX, "in brackets");
    refuse("tls:relay:9500", ERR_SYNTAX, "more than one colon");
    refuse("/run/agent-relay.sock", ERR_SYNTAX, "is a path; write unix:PATH");
    refuse("relay:9500/", ERR_SYNTAX, "has a path; write relay:9500");
    refuse("tcp://relay:9500/mcp", ERR_SYNTAX, "has a path; write relay:9500");
    refuse("user@relay:9500", ERR_SYNTAX, "that no host name has");
    refuse(" relay:9500", ERR_SYNTAX, "that no host name has");
    refuse("relay :9500", ERR_SYNTAX, "that no host name has");
    refuse("r\xc3\xa9lais:9500", ERR_SYNTAX, "that no host name has");
    refuse("fe80::1%eth0", ERR_SYNTAX, "in brackets");
}

static void what_is_wrong_in_brackets(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[::1",
        "[relay]:9500",
        "[127.0.0.1]:9500",
        "[::1%]:9500",
        "[::1%a b]:9500",
        "[%eth0]:9500",
        "[:::]:1",
        "[::1%0123456789abcdef]:1",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999]:1",
        "[0000000000000000000000000000000000000000000000::1]:1",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        refuse(wrong[i], ERR_SYNTAX, "write [::1]:9500");
    refuse("[::1]9500", ERR_SYNTAX, "more than an address in the brackets");
    take_tcp("[::1%0123456789abcde]:1", "::1%0123456789abcde", 1); /* the longest name of an interface */
}

static void ports_at_their_edges(void **state)
{
    (void)state;
    refuse("relay:0", ERR_RANGE, "not between 1 and 65535");
    refuse("relay:65536", ERR_RANGE, "not between 1 and 65535");
    refuse("relay:18446744073709561116", ERR_RANGE, "not between 1 and 65535"); /* 2^64 + 9500 */
    refuse("relay:99999999999999999999999999", ERR_RANGE, "not between 1 and 65535");
    refuse("relay:-1", ERR_SYNTAX, "no port number");
    refuse("relay:+1", ERR_SYNTAX, "no port number");
    refuse("relay:0x50", ERR_SYNTAX, "no port number");
    refuse("relay:9500 ", ERR_SYNTAX, "no port number");
    refuse("relay:http", ERR_SYNTAX, "no port number behind the last colon; write HOST:9500");
}

static void control_characters_and_broken_utf8(void **state)
{
    (void)state;
    refuse("relay:9500\n", ERR_SYNTAX, "holds control characters");
    refuse("unix:/run/\x1b[31mred", ERR_SYNTAX, "holds control characters");
    refuse("unix:/run/\x7f", ERR_SYNTAX, "holds control characters");
    refuse("unix:/run/\xc3", ERR_SYNTAX, "not UTF-8");
    refuse("unix:/run/\xff\xfe", ERR_SYNTAX, "not UTF-8");
    refuse("unix:/run/\xf0\x9f\x98", ERR_SYNTAX, "not UTF-8");
}

static void hosts_of_every_length(void **state)
{
    (void)state;
    char host[256];
    char text[sizeof(host) + 5];
    for (size_t len = 252; len <= 254; len++) {
        memset(host, 'a', len);
        host[len] = '\0';
        (void)snprintf(text, sizeof(text), "%s:9500", host);
        if (len <= 253)
            take_tcp(text, host, 9500);
        else
            refuse(text, ERR_TOO_LARGE, "a host of 254 bytes; host names have at most 253");
    }
}

static void paths_of_every_length(void **state)
{
    (void)state;
    char text[300] = "unix:";
    for (size_t len = 106; len <= 108; len++) {
        memset(text + 5, 'p', len);
        text[5 + len] = '\0';
        if (len <= 107)
            take_unix(text, text + 5);
        else
            refuse(text, ERR_TOO_LARGE, "a path of 108 bytes; a Unix socket's path has at most 107");
    }
}

static void texts_of_every_length(void **state)
{
    (void)state;
    char text[100000];
    static const size_t lengths[] = {270, 271, 272, 273, 99999};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        /* tcp://aaa...:0000...9500 is right up to the last byte that is kept */
        memset(text, '0', lengths[i]);
        memcpy(text, "tcp://relay:", 12);
        memcpy(text + lengths[i] - 4, "9500", 4);
        text[lengths[i]] = '\0';
        if (lengths[i] < ADDRESS_TEXT_SIZE)
            take_tcp(text, "relay", 9500);
        else
            refuse(text, ERR_TOO_LARGE, "is longer than 271 bytes");
    }
}

/* Long and hostile at once: what is shown is cut, and what to write instead still stands there. */
static void problems_fit(void **state)
{
    (void)state;
    char text[272];
    static const char *const seeds[] = {"\xf0\x9f\x98\x80", "\xff", "\x1b[2J", "a", "/", ":", "[",
                                        "\xe2\x80\xae"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        size_t len = strlen(seeds[i]), at = 0;
        for (; at + len < sizeof(text); at += len)
            memcpy(text + at, seeds[i], len);
        text[at] = '\0';
        struct address a;
        int rc = address_parse(text, &a, problem, sizeof(problem));
        assert_true(rc != 0);
        assert_clean_text(problem, sizeof(problem));
        assert_contains(problem, "\" ");
        assert_lacks(problem + strlen(problem) - 3, "...");
    }
    for (size_t size = 8; size <= sizeof(problem); size++) { /* smaller places get less */
        struct address a;
        memset(problem, 'x', sizeof(problem));
        assert_true(address_parse("tls://\xc3\xa9\xc3\xa9:9500", &a, problem, size) == ERR_TYPE);
        assert_clean_text(problem, size);
        assert_true(size == sizeof(problem) || problem[size] == 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_ports),       cmocka_unit_test(without_a_port_the_default_one),
        cmocka_unit_test(with_a_scheme),         cmocka_unit_test(ipv6_in_brackets),
        cmocka_unit_test(unix_sockets),          cmocka_unit_test(schemes_that_are_not_built_in),
        cmocka_unit_test(schemes_of_others),     cmocka_unit_test(what_is_missing),
        cmocka_unit_test(what_is_not_guessed),   cmocka_unit_test(what_is_wrong_in_brackets),
        cmocka_unit_test(ports_at_their_edges),  cmocka_unit_test(control_characters_and_broken_utf8),
        cmocka_unit_test(hosts_of_every_length), cmocka_unit_test(paths_of_every_length),
        cmocka_unit_test(texts_of_every_length), cmocka_unit_test(problems_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
