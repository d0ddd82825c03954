/* Exit codes, the words on standard error, and what relay/status is taken to mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/cli/exit_code.h"
#include "backend-client/cli/outage_text.h"
#include "backend-client/cli/status_view.h"
#include "wire/rpc_error.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct ar_health live = {.state = AR_LIVE, .relay = AR_REACH_UP, .server = AR_REACH_UP};
static const struct ar_health no_server = {
    .state = AR_DEGRADED, .relay = AR_REACH_UP, .server = AR_REACH_DOWN};
static const struct ar_health no_relay = {.state = AR_DEGRADED, .relay = AR_REACH_DOWN};
static const struct ar_health starting = {.state = AR_CONNECTING, .relay = AR_REACH_UP, .links = 1};
static const struct ar_health refused = {.state = AR_DEGRADED, .server = AR_REACH_DOWN, .links = 1};
static const struct ar_health silent = {.state = AR_CONNECTING, .links = 1};
static const struct ar_health nothing = {.state = AR_CONNECTING};

static void health_decides(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of_health(&live), CTL_EXIT_OK);
    assert_int_equal(exit_code_of_health(&no_server), CTL_EXIT_DEGRADED);
    assert_int_equal(exit_code_of_health(&no_relay), CTL_EXIT_UNREACHABLE);
    assert_int_equal(exit_code_of_health(&starting), CTL_EXIT_DEGRADED);
    assert_int_equal(exit_code_of_health(&refused), CTL_EXIT_DEGRADED);
    assert_int_equal(exit_code_of_health(&silent), CTL_EXIT_TIMEOUT);
    assert_int_equal(exit_code_of_health(&nothing), CTL_EXIT_UNREACHABLE);
}

static void replies_decide(void **state)
{
    (void)state;
    static const struct {
        struct ar_reply reply;
        const struct ar_health *health;
        enum ctl_exit exit;
    } cases[] = {
        {{.code = AR_OK, .source = AR_SOURCE_LIVE}, &live, CTL_EXIT_OK},
        {{.code = AR_OK, .source = AR_SOURCE_MOCK}, &no_relay, CTL_EXIT_DEGRADED},
        {{.code = AR_E_SERVER, .error_code = -32601}, &live, CTL_EXIT_ERROR},
        {{.code = AR_E_SERVER, .error_code = -32602, .source = AR_SOURCE_MOCK}, &no_relay, CTL_EXIT_DEGRADED},
        {{.code = AR_E_SERVER, .error_code = RPC_E_SERVER_UNAVAILABLE}, &live, CTL_EXIT_DEGRADED},
        {{.code = AR_E_SERVER, .error_code = RPC_E_DRAINING}, &live, CTL_EXIT_DEGRADED},
        {{.code = AR_E_SERVER, .error_code = RPC_E_TIMEOUT}, &live, CTL_EXIT_TIMEOUT},
        {{.code = AR_E_TIMEOUT}, &live, CTL_EXIT_TIMEOUT},
        {{.code = AR_E_TIMEOUT}, &no_relay, CTL_EXIT_UNREACHABLE},
        {{.code = AR_E_TIMEOUT}, &no_server, CTL_EXIT_DEGRADED},
        {{.code = AR_E_TIMEOUT, .may_have_run = true}, &no_relay, CTL_EXIT_TIMEOUT},
        {{.code = AR_E_TIMEOUT}, &starting, CTL_EXIT_DEGRADED},
        {{.code = AR_E_TIMEOUT}, &silent, CTL_EXIT_TIMEOUT},
        {{.code = AR_E_TIMEOUT}, &nothing, CTL_EXIT_UNREACHABLE},
        {{.code = AR_E_DEGRADED}, &refused, CTL_EXIT_DEGRADED},
        {{.code = AR_E_DEGRADED}, &live, CTL_EXIT_UNREACHABLE},
        {{.code = AR_E_CANCELLED}, &live, CTL_EXIT_INTERRUPTED},
        {{.code = AR_E_CONNECTION_LOST}, &no_relay, CTL_EXIT_UNREACHABLE},
        {{.code = AR_E_DEGRADED}, &no_relay, CTL_EXIT_UNREACHABLE},
        {{.code = AR_E_DEGRADED}, &no_server, CTL_EXIT_DEGRADED},
        {{.code = AR_E_NOT_MOCKED}, &no_relay, CTL_EXIT_UNREACHABLE},
        {{.code = AR_E_TOO_LARGE}, &live, CTL_EXIT_USAGE},
        {{.code = AR_E_INVALID}, &live, CTL_EXIT_USAGE},
        {{.code = AR_E_BAD_REPLY}, &live, CTL_EXIT_ERROR},
        {{.code = AR_E_NO_MEMORY}, &live, CTL_EXIT_ERROR},
        {{.code = -4711}, &live, CTL_EXIT_ERROR},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (exit_code_of_reply(&cases[i].reply, cases[i].health) != cases[i].exit)
            fail_msg("case %zu: %d", i, (int)exit_code_of_reply(&cases[i].reply, cases[i].health));
}

/* Every error that the relay can make, and one that it may make one day. */
static void each_error_of_the_relay_has_its_exit_code(void **state)
{
    (void)state;
#define X(name, number, text) number,
    static const int table[] = {RPC_ERRORS(X) - 31999};
#undef X
    for (size_t i = 0; i < COUNT(table); i++) {
        struct ar_reply r = {.code = AR_E_SERVER, .error_code = table[i], .from_relay = true};
        enum ctl_exit want = table[i] == RPC_E_SERVER_UNAVAILABLE || table[i] == RPC_E_DRAINING
                                 ? CTL_EXIT_DEGRADED
                             : table[i] == RPC_E_TIMEOUT ? CTL_EXIT_TIMEOUT
                                                         : CTL_EXIT_ERROR;
        assert_int_equal(exit_code_of_reply(&r, &live), want);
    }
}

static void an_outage_has_words(void **state)
{
    (void)state;
    char text[600];
    struct ar_health h = {.state = AR_DEGRADED,
                          .relay = AR_REACH_DOWN,
                          .address = "relay:9500",
                          .last_error = "cannot connect",
                          .suggestion = "is it running?"};
    outage_text(&h, 100, text, sizeof(text));
    assert_string_equal(text, "cannot connect. is it running?");
    h.suggestion[0] = '\0';
    outage_text(&h, 100, text, sizeof(text));
    assert_string_equal(text, "cannot connect");
    h.last_error[0] = '\0';
    outage_text(&h, 100, text, sizeof(text));
    assert_non_null(strstr(text, "relay:9500 did not take the connection within 100 ms"));
    h.relay = AR_REACH_UNKNOWN;
    h.links = 1;
    outage_text(&h, 100, text, sizeof(text));
    assert_non_null(strstr(text, "relay:9500 took the connection, but sent nothing within 100 ms"));
    h.relay = AR_REACH_UP;
    outage_text(&h, 100, text, sizeof(text));
    assert_non_null(strstr(text, "relay:9500 answers, but initialize was not answered within 100 ms"));
    assert_non_null(strstr(text, "agent-relayctl servers"));
}

/* ---- relay/status ---- */

static struct json_doc *parse(const char *text)
{
    struct json_doc *doc;
    assert_int_equal(json_parse(text, strlen(text), JSON_STRICT, 500, &doc, NULL), 0);
    return doc;
}

#define STATUS(health, state, more)                                                                          \
    "{\"health\":\"" health                                                                                  \
    "\",\"defaultServer\":\"a\",\"servers\":[{\"name\":\"b\",\"state\":\"crash-loop\"},"                     \
    "{\"name\":\"a\",\"state\":\"" state "\"" more "}]}"

static void judges_the_default_server_alone(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        bool degraded;
    } cases[] = {
        {STATUS("degraded", "ready", ""), false},
        {STATUS("degraded", "down", ""), false}, /* nobody has asked for it yet */
        {STATUS("degraded", "starting", ""), false},
        {STATUS("degraded", "backing-off", ""), true},
        {STATUS("down", "crash-loop", ""), true},
        {STATUS("degraded", "down", ",\"note\":\"no command\""), true},
        {STATUS("draining", "ready", ""), true},
        {"{\"health\":\"ok\"}", false},
        {"{\"health\":\"down\"}", true},
        {"{}", true},
        {"{\"health\":7,\"servers\":{\"a\":[]}}", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_doc *doc = parse(cases[i].status);
        if (status_is_degraded(doc, json_root(doc), "relay:9500") != cases[i].degraded)
            fail_msg("%s", cases[i].status);
        json_free(doc);
    }
}

/* A listener may have a server of its own; the address that was asked says which listener it was. */
static void finds_the_server_behind_an_address(void **state)
{
    (void)state;
    static const char text[] =
        "{\"health\":\"degraded\",\"defaultServer\":\"good\",\"listeners\":["
        "{\"address\":\"0.0.0.0:9500\",\"server\":null},{\"address\":\"0.0.0.0:9501\",\"server\":\"bad\"},"
        "{\"address\":\"unix:/run/bad\",\"server\":\"bad\"},7],"
        "\"servers\":[{\"name\":\"good\",\"state\":\"ready\"},{\"name\":\"bad\",\"state\":\"crash-loop\"}]}";
    static const struct {
        const char *address;
        bool degraded;
    } cases[] = {
        {"relay:9500", false},  {"tcp://relay:9501", true}, {"[::1]:9501", true}, {"unix:/run/bad", true},
        {"unix:/run/x", false}, {"relay:19501", false},     {"relay", false},     {"", false}};
    struct json_doc *doc = parse(text);
    for (size_t i = 0; i < COUNT(cases); i++)
        if (status_is_degraded(doc, json_root(doc), cases[i].address) != cases[i].degraded)
            fail_msg("%s", cases[i].address);
    json_free(doc);
}

static void writes_lines_of_any_status(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        const char *expected;
    } cases[] = {
        {STATUS("ok", "ready", ",\"restarts\":2,\"sessions\":1"),
         "server      a: ready, sessions 1, in flight 0, restarts 2\n"},
        {STATUS("ok", "ready", ""), "trouble     b: crash-loop"},
        {"{\"relay\":{\"name\":\"x\\u001b[2J\",\"version\":\"1\"},\"uptimeMs\":61000}",
         "relay       x\\x1b[2J 1, pid 0, up 1 min 1 s"},
        {"{\"clients\":{\"connections\":3,\"max\":9}}", "clients     3 of at most 9\n"},
        {"[]", "clients     0 of"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_doc *doc = parse(cases[i].status);
        struct buf b;
        buf_init(&b, 8192);
        assert_int_equal(status_write_lines(&b, doc, json_root(doc), "relay:9500"), 0);
        assert_int_equal(buf_append(&b, "", 1), 0);
        if (!strstr(buf_data(&b), cases[i].expected))
            fail_msg("no '%s' in '%s'", cases[i].expected, buf_data(&b));
        buf_done(&b);
        json_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_decides),
        cmocka_unit_test(replies_decide),
        cmocka_unit_test(each_error_of_the_relay_has_its_exit_code),
        cmocka_unit_test(an_outage_has_words),
        cmocka_unit_test(judges_the_default_server_alone),
        cmocka_unit_test(finds_the_server_behind_an_address),
        cmocka_unit_test(writes_lines_of_any_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
