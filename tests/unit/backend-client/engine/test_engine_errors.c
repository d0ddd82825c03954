/* What a reply that is an error says: its name for programs, its text and suggestion for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"
#include "wire/rpc_error.h"

static struct engine_fixture fixture;

/* A call that the peer answers with this error object. */
static const struct call_record *refused_with(const char *error)
{
    engine_fixture_open_live(&fixture, NULL);
    fixture.raw_peer = true;
    fixture.script.call = REPLY_NONE;
    uint64_t id = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_FAIL_FAST});
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":%s}", (unsigned long long)id,
                         error);
    assert_true(fixture.calls[id].done);
    assert_int_equal(fixture.calls[id].code, AR_E_SERVER);
    return &fixture.calls[id];
}

static void each_error_of_the_relay(void **state)
{
    (void)state;
#define X(name, number, text) {number, #name},
    static const struct {
        int code;
        const char *name;
    } table[] = {RPC_ERRORS(X){-31999, "RELAY_ERROR"}};
#undef X
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char error[160];
        (void)snprintf(error, sizeof(error),
                       "{\"code\":%d,\"message\":\"m\\u001b\",\"data\":{\"relay\":true,\"server\":\"a\"}}",
                       table[i].code);
        const struct call_record *k = refused_with(error);
        assert_int_equal(k->error_code, table[i].code);
        assert_true(k->from_relay);
        assert_string_equal(k->error_name, table[i].name);
        assert_string_equal(k->message, "m\x1b"); /* as it came */
        assert_non_null(strstr(k->error_text, "the relay at "));
        assert_non_null(strstr(k->error_text, ": m; server a"));
        assert_true(strlen(k->suggestion) > 20);
        engine_fixture_close(&fixture);
    }
}

static void errors_of_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        int code;
        const char *name;
        const char *text;
    } cases[] = {
        {"{\"code\":-31001,\"message\":\"mine\",\"data\":{\"relay\":false}}", -31001, "SERVER_ERROR",
         "error -31001: mine"},
        {"{\"code\":-31001,\"message\":\"mine\",\"data\":{\"relay\":\"true\"}}", -31001, "SERVER_ERROR",
         "error -31001: mine"},
        {"{\"code\":-32601,\"message\":\"Method not found\",\"data\":[true]}", -32601, "SERVER_ERROR",
         "error -32601: Method not found"},
        {"{\"code\":7}", 7, "SERVER_ERROR", "error 7"},
        {"{\"code\":\"x\"}", 0, "BAD_ANSWER", "cannot be used"},
        {"\"boom\"", 0, "BAD_ANSWER", "cannot be used"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct call_record *k = refused_with(cases[i].error);
        assert_int_equal(k->error_code, cases[i].code);
        assert_false(k->from_relay);
        assert_string_equal(k->error_name, cases[i].name);
        assert_non_null(strstr(k->error_text, "the server behind "));
        assert_non_null(strstr(k->error_text, cases[i].text));
        assert_true(strlen(k->suggestion) > 20);
        engine_fixture_close(&fixture);
    }
}

/* Not live: name and suggestion are those of what is wrong. */
static void an_outage_names_its_cause(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    uint64_t id = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_FAIL_FAST});
    engine_fixture_expect(&fixture, id, AR_E_DEGRADED, false);
    assert_string_equal(fixture.calls[id].error_name, "DEGRADED");
    assert_non_null(strstr(fixture.calls[id].suggestion, "connects by itself"));
    engine_fixture_refuse(&fixture);
    struct ar_health h = engine_fixture_health(&fixture);
    id = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_FAIL_FAST});
    engine_fixture_expect(&fixture, id, AR_E_DEGRADED, false);
    assert_string_equal(fixture.calls[id].error_name, h.last_error_name);
    assert_memory_equal(fixture.calls[id].suggestion, h.suggestion, strlen(fixture.calls[id].suggestion));
    id = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = 50});
    engine_fixture_advance(&fixture, 50);
    engine_fixture_expect(&fixture, id, AR_E_TIMEOUT, false);
    assert_string_equal(fixture.calls[id].error_name, "TIMEOUT");
    assert_memory_equal(fixture.calls[id].suggestion, h.suggestion, strlen(fixture.calls[id].suggestion));
    engine_fixture_close(&fixture);
}

static void a_lost_call_says_whether_it_may_have_run(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t id = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_FAIL_FAST});
    engine_fixture_advance(&fixture, 1); /* its bytes leave */
    uint64_t unsent = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_FAIL_FAST});
    engine_fixture_lose(&fixture);
    engine_fixture_expect(&fixture, id, AR_E_CONNECTION_LOST, true);
    assert_string_equal(fixture.calls[id].error_name, "CONNECTION_LOST");
    assert_non_null(strstr(fixture.calls[id].suggestion, "check whether it was done"));
    engine_fixture_expect(&fixture, unsent, AR_E_CONNECTION_LOST, false);
    assert_non_null(strstr(fixture.calls[unsent].suggestion, "send it again"));
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_of_the_relay),
        cmocka_unit_test(errors_of_the_server),
        cmocka_unit_test(an_outage_names_its_cause),
        cmocka_unit_test(a_lost_call_says_whether_it_may_have_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
