/* Faults of the link: every code of the system at every stage, names address, peer and reason, suggestions
 * that are true for the case; peers that send what they like; what the probe adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "backend-client/src/errors/fault.h"
#include "tests/unit/backend-client/errors/fault_fixture.h"

static struct fault f;

static void system_fault(enum fault_stage stage, int code, const char *address, const char *peer)
{
    memset(&f, 'x', sizeof(f));
    fault_system(&f, stage, code, address, peer);
    assert_clean_fault(&f);
}

static void want(const char *name, const char *text, const char *suggestion)
{
    assert_string_equal(f.name, name);
    assert_string_equal(f.text, text);
    assert_contains(f.suggestion, suggestion);
}

static void nobody_listens(void **state)
{
    (void)state;
    system_fault(FAULT_CONNECT, UV_ECONNREFUSED, "relay:9500", "172.18.0.2:9500");
    want("ECONNREFUSED", "cannot connect to relay:9500 (172.18.0.2:9500): connection refused",
         "No process listens there");
    assert_contains(f.suggestion, "start the relay, or check its address (AGENT_CONTROL_URL or an option)");
    system_fault(FAULT_CONNECT, UV_ECONNREFUSED, "127.0.0.1:9500", "127.0.0.1:9500");
    want("ECONNREFUSED", "cannot connect to 127.0.0.1:9500: connection refused", "No process listens there");
}

static void names_that_do_not_resolve(void **state)
{
    (void)state;
    system_fault(FAULT_RESOLVE, UV_EAI_NONAME, "relay:9500", "");
    want("EAI_NONAME", "cannot find the host of relay:9500: unknown node or service", "check its spelling");
    system_fault(FAULT_RESOLVE, UV_EAI_AGAIN, "relay:9500", "");
    want("EAI_AGAIN", "cannot find the host of relay:9500: temporary failure", "name server did not answer");
    system_fault(FAULT_RESOLVE, UV_EAI_FAIL, "relay:9500", "");
    assert_contains(f.suggestion, "name server failed");
    system_fault(FAULT_RESOLVE, UV_EAI_MEMORY, "relay:9500", "");
    assert_contains(f.suggestion, "Out of memory");
    system_fault(FAULT_RESOLVE, UV_ETIMEDOUT, "relay:9500", "");
    assert_contains(f.suggestion, "name server did not answer");
    system_fault(FAULT_RESOLVE, UV_EAGAIN, "relay:9500", "");
    assert_contains(f.suggestion, "No thread could be started");
    assert_lacks(f.suggestion, "resolve");
    system_fault(FAULT_RESOLVE, UV_EAI_SOCKTYPE, "relay:9500", "");
    assert_contains(f.suggestion, "does not resolve");
}

static void no_way_there(void **state)
{
    (void)state;
    system_fault(FAULT_CONNECT, UV_ETIMEDOUT, "relay:9500", "10.0.0.9:9500");
    want("ETIMEDOUT", "cannot connect to relay:9500 (10.0.0.9:9500): connection timed out", "firewall");
    static const int codes[] = {UV_EHOSTUNREACH, UV_ENETUNREACH, UV_EHOSTDOWN};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        system_fault(FAULT_CONNECT, codes[i], "relay:9500", "10.0.0.9:9500");
        assert_contains(f.suggestion, "This machine has no route");
    }
}

static void lost_links(void **state)
{
    (void)state;
    system_fault(FAULT_READ, UV_EOF, "relay:9500", "10.0.0.9:9500");
    want("EOF", "lost the connection to relay:9500 (10.0.0.9:9500): the relay closed it",
         "its log says which");
    system_fault(FAULT_READ, UV_ECONNRESET, "relay:9500", "10.0.0.9:9500");
    want("ECONNRESET", "lost the connection to relay:9500 (10.0.0.9:9500): connection reset by peer", "died");
    system_fault(FAULT_WRITE, UV_EPIPE, "relay:9500", "10.0.0.9:9500");
    want("EPIPE", "cannot send to relay:9500 (10.0.0.9:9500): broken pipe", "its log says which");
    system_fault(FAULT_READ, UV_ETIMEDOUT, "relay:9500", "10.0.0.9:9500");
    assert_contains(f.suggestion, "stopped acknowledging");
}

static void sockets_in_the_file_system(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *suggestion;
    } cases[] = {{UV_ENOENT, "There is no such socket"},
                 {UV_EACCES, "owner and mode"},
                 {UV_EPERM, "owner and mode"},
                 {UV_ECONNREFUSED, "no process listens on it"},
                 {UV_ENOTDIR, "no folder"},
                 {UV_EAGAIN, "it is busy, or it hangs"},
                 {UV_EPROTOTYPE, "not of the kind"},
                 {UV_EIO, "the path in the relay's address (AGENT_CONTROL_URL or an option)"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        system_fault(FAULT_CONNECT, cases[i].code, "unix:/run/relay.sock", "unix:/run/relay.sock");
        assert_contains(f.text, "cannot connect to unix:/run/relay.sock: ");
        assert_contains(f.suggestion, cases[i].suggestion);
        assert_lacks(f.suggestion, "firewall");
    }
    system_fault(FAULT_CONNECT, UV_EACCES, "unix.example.org:9500", "10.0.0.9:9500"); /* a host */
    assert_contains(f.suggestion, "firewall");
}

static void resources_run_out(void **state)
{
    (void)state;
    for (enum fault_stage stage = FAULT_RESOLVE; stage <= FAULT_WRITE; stage++) {
        system_fault(stage, UV_EMFILE, "relay:9500", "");
        assert_contains(f.suggestion, "This process has reached its limit of file descriptors");
        system_fault(stage, UV_ENFILE, "unix:/x", "");
        assert_contains(f.suggestion, "This machine has reached its limit of open files");
        system_fault(stage, UV_ENOMEM, "relay:9500", "");
        assert_contains(f.suggestion, "Out of memory");
    }
    fault_no_memory(&f);
    assert_clean_fault(&f);
    want("ENOMEM", "out of memory", "Out of memory");
}

/* Each number that libuv can give, and some that it cannot: named, told with address and reason, with a
 * suggestion that is whole. */
static void every_code_at_every_stage(void **state)
{
    (void)state;
    static const int codes[] = {
#define XX(name, text) UV_##name,
        UV_ERRNO_MAP(XX)
#undef XX
            0,
        1, -1000000, INT32_MIN, INT32_MAX};
    static const char *const addresses[] = {"relay:9500", "unix:/run/relay.sock"};
    size_t count = sizeof(codes) / sizeof(codes[0]);
    assert_true(count > 70);
    for (size_t c = 0; c < count; c++) {
        for (enum fault_stage stage = FAULT_RESOLVE; stage <= FAULT_WRITE; stage++) {
            for (size_t a = 0; a < 2; a++) {
                system_fault(stage, codes[c], addresses[a], "10.0.0.9:9500");
                assert_contains(f.text, addresses[a]);
                assert_contains(f.text, "(10.0.0.9:9500): ");
                assert_lacks(f.text, "...");
                assert_lacks(f.suggestion, "...");
            }
        }
        bool known = c < count - 5;
        char name[40];
        if (known && uv_err_name_r(codes[c], name, sizeof(name)))
            assert_string_equal(f.name, name);
        else
            assert_true(strncmp(f.name, "ERROR ", 6) == 0);
    }
}

/* As long as they can be, the reason still stands there. */
static void long_addresses_leave_room_for_the_reason(void **state)
{
    (void)state;
    char address[272], peer[80];
    memset(address, 'a', sizeof(address) - 1);
    memset(peer, '1', sizeof(peer) - 1);
    address[sizeof(address) - 1] = peer[sizeof(peer) - 1] = '\0';
    for (enum fault_stage stage = FAULT_RESOLVE; stage <= FAULT_WRITE; stage++) {
        system_fault(stage, UV_EPROTONOSUPPORT, address, peer);
        assert_contains(f.text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... (");
        assert_contains(f.text, peer);
        assert_contains(f.text, "): protocol not supported");
    }
    fault_silent(&f, address, 10000);
    assert_contains(f.text, "... is connected, but has sent nothing for 10 s");
    fault_no_answer(&f, address, 10000, address);
    assert_contains(f.text, "within 10 s");
    fault_not_a_relay(&f, address, address, sizeof(address) - 1);
    assert_clean_fault(&f);
    assert_true(f.text[strlen(f.text) - 1] == '"');
}

static void silence(void **state)
{
    (void)state;
    fault_silent(&f, "relay:9500", 10250);
    assert_clean_fault(&f);
    want("RELAY_SILENT", "relay:9500 is connected, but has sent nothing for 10.2 s", "frozen");
    fault_no_answer(&f, "agents/list", 10000, "relay:9500");
    assert_clean_fault(&f);
    want("SERVER_SILENT", "the server behind relay:9500 has not answered agents/list within 10 s",
         "The relay is connected, the server behind it hangs");
}

static void other_programs(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *shown;
        const char *suggestion;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r", "it sent \"HTTP/1.1 400 Bad Request\"", "a web server"},
        {"SSH-2.0-OpenSSH_9.2", "it sent \"SSH-2.0-OpenSSH_9.2\"", "an SSH server"},
        {"\x15\x03\x01", "it sent \"\"", "TLS, which is not built in"},
        {"220 mail ESMTP", "it sent \"220 mail ESMTP\"", "a mail or FTP server"},
        {"-ERR unknown command", "it sent \"-ERR unknown command\"", "a Redis server"},
        {"<xml>", "it sent \"<xml>\"", "another program"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fault_not_a_relay(&f, "relay:80", cases[i].line, strlen(cases[i].line));
        assert_clean_fault(&f);
        assert_string_equal(f.name, "NOT_A_RELAY");
        assert_contains(f.text, "relay:80 does not speak JSON-RPC in lines: ");
        assert_contains(f.text, cases[i].shown);
        assert_contains(f.suggestion, cases[i].suggestion);
        assert_contains(f.suggestion, "AGENT_CONTROL_URL");
    }
    fault_not_a_relay(&f, "relay:80", NULL, 0);
    assert_clean_fault(&f);
    assert_string_equal(f.text, "relay:80 does not speak JSON-RPC in lines");
}

static void every_byte_of_a_banner(void **state)
{
    (void)state;
    char line[600];
    for (unsigned byte = 0; byte < 256; byte++) {
        memset(line, (int)byte, sizeof(line));
        for (size_t len = 0; len < 12; len++) {
            fault_not_a_relay(&f, "relay:80", line, len);
            assert_clean_fault(&f);
        }
        fault_not_a_relay(&f, "relay:80", line, sizeof(line));
        assert_clean_fault(&f);
    }
}

static void answers_that_cannot_be_used(void **state)
{
    (void)state;
    fault_bad_answer(&f, "agents/list", "there is no list of agents in it", "relay:9500");
    assert_clean_fault(&f);
    want(
        "BAD_ANSWER",
        "the server behind relay:9500 answered agents/list with something that cannot be used: there is no list of agents in it",
        "agent-relayctl call");
    char reason[5000];
    for (size_t i = 0; i + 3 < sizeof(reason); i += 3)
        memcpy(reason + i, "\xe2\x80\xae", 3);
    memcpy(reason + 600, "\xf0\x9f\x98\x80\x1b[2J", 8);
    reason[sizeof(reason) - 2] = '\0';
    fault_bad_answer(&f, reason, reason, reason);
    assert_clean_fault(&f);
}

static void what_the_probe_adds(void **state)
{
    (void)state;
    const char *plain = "cannot connect to relay:9500: connection refused";
    system_fault(FAULT_CONNECT, UV_ECONNREFUSED, "relay:9500", "");
    assert_string_equal(f.text, plain);
    fault_add_probe(&f, 200, "");
    want("ECONNREFUSED",
         "cannot connect to relay:9500: connection refused; its health address answers 200 (well)",
         "No process listens there");
    fault_add_probe(&f, 503, "");
    assert_string_equal(
        f.text,
        "cannot connect to relay:9500: connection refused; its health address answers 503 (not well)");
    for (int i = 0; i < 100; i++) /* each second of a long outage */
        fault_add_probe(&f, 0, "connection refused\n");
    assert_string_equal(
        f.text,
        "cannot connect to relay:9500: connection refused; its health address does not answer: connection refused");
    static const struct {
        int status;
        const char *words;
    } cases[] = {
        {199, "199 (not well)"}, {299, "299 (well)"}, {300, "300 (not well)"}, {404, "404 (not well)"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fault_add_probe(&f, cases[i].status, "");
        assert_contains(f.text, cases[i].words);
    }
}

static void the_probe_always_has_room(void **state)
{
    (void)state;
    char hostile[400];
    for (size_t i = 0; i + 4 < sizeof(hostile); i += 4)
        memcpy(hostile + i, "\xf0\x9f\x98\x80", 4);
    hostile[sizeof(hostile) - 4] = '\0';
    for (size_t cut = 0; cut < 8; cut++) {
        fault_bad_answer(&f, "agents/list", hostile, hostile + 396 - 4 * cut);
        for (int round = 0; round < 3; round++) {
            fault_add_probe(&f, 0, hostile + 4 * cut);
            assert_clean_fault(&f);
            assert_contains(f.text, "...; its health address does not answer: \xf0\x9f\x98\x80");
            fault_add_probe(&f, 503, "");
            assert_clean_fault(&f);
            assert_contains(f.text, "...; its health address answers 503 (not well)");
        }
    }
    /* A peer that writes as we do loses some of its own words, nothing else. */
    fault_bad_answer(&f, "x", "; its health address ; its health address is mine", "relay:9500");
    fault_add_probe(&f, 200, "");
    assert_string_equal(f.text, "the server behind relay:9500 answered x with something that cannot be "
                                "used: ; its health address ; its health address answers 200 (well)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(names_that_do_not_resolve),
        cmocka_unit_test(no_way_there),
        cmocka_unit_test(lost_links),
        cmocka_unit_test(sockets_in_the_file_system),
        cmocka_unit_test(resources_run_out),
        cmocka_unit_test(every_code_at_every_stage),
        cmocka_unit_test(long_addresses_leave_room_for_the_reason),
        cmocka_unit_test(silence),
        cmocka_unit_test(other_programs),
        cmocka_unit_test(every_byte_of_a_banner),
        cmocka_unit_test(answers_that_cannot_be_used),
        cmocka_unit_test(what_the_probe_adds),
        cmocka_unit_test(the_probe_always_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
