/* agent-backend: what failures say, of the relay, of its server, and the words of both, sanitized. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/service/failure.h"
#include "backend-client/src/errors/fault.h"
#include "backend-client/src/errors/relay_error.h"
#include "tests/unit/backend-client/service/service_fixture.h"
#include "wire/rpc_error.h"

static struct failure failure;

/* A reply that the library would make of this answer to tools/call. */
static struct fault why;
static char error_text[FAILURE_TEXT_SIZE];

static struct ar_reply reply_of(const char *error)
{
    struct relay_error e;
    relay_error_read(&e, error, strlen(error));
    fault_rpc_text(&why, error_text, sizeof(error_text), "tools/call", &e, "relay:9500");
    return (struct ar_reply){.code = AR_E_SERVER,
                             .error_code = e.code,
                             .from_relay = e.relay,
                             .may_have_run = !e.relay || e.sent,
                             .message = "the peer's own",
                             .error_name = why.name,
                             .error_text = error_text,
                             .suggestion = why.suggestion};
}

static struct ar_health refused_health(void)
{
    struct ar_health h = {.state = AR_DEGRADED};
    (void)snprintf(h.address, sizeof(h.address), "relay:9500");
    (void)snprintf(h.peer, sizeof(h.peer), "10.0.0.2:9500");
    (void)snprintf(h.last_error_name, sizeof(h.last_error_name), "ECONNREFUSED");
    (void)snprintf(h.last_error, sizeof(h.last_error), "10.0.0.2:9500 refused the connection");
    (void)snprintf(h.suggestion, sizeof(h.suggestion), "Start the relay.");
    return h;
}

static void look_at_failure(void)
{
    struct writer w;
    begin_json(&w);
    failure_write(&failure, &w);
    open_written(&w);
    assert_false(flag_at("success"));
}

static void a_refused_connection_is_said(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    failure_from_reply(&failure, &(struct ar_reply){.code = AR_E_DEGRADED, .message = "not live"}, &h);
    look_at_failure();
    assert_int_equal(failure.status, 503);
    assert_string_equal(text_at("code"), "CONNECTION_REFUSED");
    assert_string_equal(text_at("error"), "10.0.0.2:9500 refused the connection");
    assert_string_equal(text_at("details.suggestion"), "Start the relay.");
    assert_string_equal(text_at("details.address"), "relay:9500");
    assert_string_equal(text_at("details.peer"), "10.0.0.2:9500");
    assert_false(flag_at("details.mayHaveRun"));
    h.last_error_name[0] = h.last_error[0] = h.suggestion[0] = '\0';
    failure_from_code(&failure, AR_E_DEGRADED, &h);
    look_at_failure();
    assert_string_equal(text_at("code"), "NOT_CONNECTED_YET");
    assert_non_null(strstr(text_at("error"), "relay:9500"));
    assert_true(strlen(text_at("details.suggestion")) > 10);
}

static void an_unknown_error_keeps_its_name(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    (void)snprintf(h.last_error_name, sizeof(h.last_error_name), "RELAY_SILENT");
    failure_from_code(&failure, AR_E_DEGRADED, &h);
    assert_string_equal(failure.code, "RELAY_SILENT");
    assert_int_equal(failure.status, 503);
    failure_from_code(&failure, AR_E_SYSTEM, &h);
    assert_int_equal(failure.status, 500);
    assert_string_equal(failure.code, "AR_E_SYSTEM");
}

static void a_server_error_keeps_its_words(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    struct ar_reply r = reply_of("{\"code\":-32602,\"message\":\"Unknown tool: x\"}");
    failure_from_reply(&failure, &r, &h);
    look_at_failure();
    assert_int_equal(failure.status, 502);
    assert_string_equal(text_at("code"), "SERVER_ERROR");
    assert_string_equal(text_at("error"),
                        "the server behind relay:9500 refused tools/call: error -32602: Unknown tool: x");
    assert_string_equal(text_at("details.suggestion"), why.suggestion);
    assert_true(flag_at("details.mayHaveRun"));
    r = reply_of("{\"code\":-31002,\"message\":\"Request timed out\",\"data\":{\"relay\":false}}");
    failure_from_reply(&failure, &r, &h); /* the server's own number */
    assert_int_equal(failure.status, 502);
    assert_string_equal(failure.code, "SERVER_ERROR");
}

/* Name, text and suggestion are the library's; the status is the service's. */
static void each_error_of_the_relay_has_its_status(void **state)
{
    (void)state;
#define X(name, number, text) {number, #name},
    static const struct {
        int code;
        const char *name;
    } table[] = {RPC_ERRORS(X){-31999, "RELAY_ERROR"}};
#undef X
    static const struct {
        int code;
        unsigned status;
    } statuses[] = {{RPC_E_SERVER_UNAVAILABLE, 503}, {RPC_E_TIMEOUT, 504},  {RPC_E_OVERLOADED, 503},
                    {RPC_E_RATE_LIMITED, 429},       {RPC_E_DRAINING, 503}, {RPC_E_TOO_LARGE, 413}};
    struct ar_health h = refused_health();
    h.state = AR_LIVE;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char error[200];
        unsigned status = 502;
        (void)snprintf(error, sizeof(error), "{\"code\":%d,\"message\":\"m\",\"data\":{\"relay\":true}}",
                       table[i].code);
        for (size_t k = 0; k < sizeof(statuses) / sizeof(statuses[0]); k++)
            if (statuses[k].code == table[i].code)
                status = statuses[k].status;
        struct ar_reply r = reply_of(error);
        failure_from_reply(&failure, &r, &h);
        look_at_failure();
        assert_int_equal(failure.status, status);
        assert_string_equal(text_at("code"), table[i].name);
        assert_string_equal(text_at("error"), "the relay at relay:9500 refused tools/call: m");
        assert_string_equal(text_at("details.suggestion"), why.suggestion);
        assert_true(strlen(why.suggestion) > 20);
    }
}

static void a_relay_error_says_its_reason(void **state)
{
    (void)state;
#define DATA(more)                                                                                                      \
    "{\"code\":-31001,\"message\":\"Server unavailable\",\"data\":{\"relay\":true,\"code\":\"SERVER_UNAVAILABLE\"" more \
    "}}"
#define REFUSED "the relay at relay:9500 refused tools/call: Server unavailable"
    static const struct {
        const char *error, *text, *suggestion;
    } cases[] = {
        {DATA(
             ",\"server\":\"boom\",\"state\":\"backing-off\",\"exitStatus\":3,\"retryAfterMs\":855,\"stderrTail\":\"one\\nError: cannot open /data/x.db\\n\""),
         REFUSED
         "; server boom is backing-off, exited with status 3; next try in 855 ms; it wrote \"one Error: cannot open /data/x.db\"",
         "ends by itself"},
        {DATA(",\"server\":\"s\",\"state\":\"down\",\"exitStatus\":127"),
         REFUSED "; server s is down, exited with status 127", "was not found"},
        {DATA(",\"signal\":9"), REFUSED ", killed by SIGKILL", "killed"},
        {DATA(",\"state\":\"removed\""), REFUSED " is removed", "put it back"},
        {DATA(",\"server\":7,\"exitStatus\":-1,\"stderrTail\":[]"), REFUSED, "agent-relayctl servers"},
    };
    struct ar_health h = refused_health();
    h.state = AR_LIVE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ar_reply r = reply_of(cases[i].error);
        failure_from_reply(&failure, &r, &h);
        assert_string_equal(failure.text, cases[i].text);
        assert_non_null(strstr(failure.suggestion, cases[i].suggestion));
        assert_null(strstr(failure.suggestion, "Start the relay"));
        assert_string_equal(failure.code, "SERVER_UNAVAILABLE");
        assert_int_equal(failure.status, 503);
    }
#undef REFUSED
#undef DATA
}

static void a_long_tail_keeps_its_end(void **state)
{
    (void)state;
    char error[4096];
    struct ar_health h = refused_health();
    (void)snprintf(
        error, sizeof(error),
        "{\"code\":-31001,\"message\":\"Server unavailable\",\"data\":{\"relay\":true,\"server\":\"%0200d\",\"stderrTail\":\"%02000d the cause\"}}",
        1, 2);
    struct ar_reply r = reply_of(error);
    failure_from_reply(&failure, &r, &h);
    assert_int_equal(strlen(failure.text), FAILURE_TEXT_SIZE - 1);
    assert_non_null(strstr(failure.text, "; it wrote \"...0"));
    assert_string_equal(failure.text + strlen(failure.text) - 11, " the cause\"");
}

/* The error of an outage that is over explains nothing. */
static void an_old_outage_is_not_reported(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    h.state = AR_LIVE;
    failure_from_reply(&failure, &(struct ar_reply){.code = AR_E_TIMEOUT, .message = ""}, &h);
    look_at_failure();
    assert_int_equal(json_type(doc, at_path("details.lastError")), JSON_NULL);
    h.state = AR_DEGRADED;
    failure_from_tool(&failure, "x", NULL, 0, AR_SOURCE_MOCK, &h);
    look_at_failure();
    assert_string_equal(text_at("details.lastError"), h.last_error);
}

static void a_wait_in_vain_says_for_what(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    struct ar_reply r = {.code = AR_E_TIMEOUT, .message = "no answer within the deadline"};
    failure_from_reply(&failure, &r, &h);
    assert_int_equal(failure.status, 504);
    assert_string_equal(failure.code, "TIMEOUT");
    assert_string_equal(failure.text, "It waited, and was not sent: 10.0.0.2:9500 refused the connection");
    assert_string_equal(failure.suggestion, "Start the relay.");
    assert_false(failure.may_have_run);
    r.may_have_run = true;
    failure_from_reply(&failure, &r, &h);
    assert_string_equal(failure.text, r.message);
    h.state = AR_LIVE;
    r.may_have_run = false;
    failure_from_reply(&failure, &r, &h);
    assert_string_equal(failure.text, r.message);
}

static void every_code_has_a_failure(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
#define X(name, number, words) (number),
    static const int codes[] = {AR_CODES(X)};
#undef X
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i] == AR_OK)
            continue;
        struct ar_reply r = reply_of("{\"code\":-1}");
        r.code = codes[i];
        r.message = "";
        failure_from_reply(&failure, &r, &h);
        assert_in_range(failure.status, 400, 504);
        assert_true(failure.code[0] && failure.text[0] && failure.suggestion[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connection_is_said),
        cmocka_unit_test(an_unknown_error_keeps_its_name),
        cmocka_unit_test(a_server_error_keeps_its_words),
        cmocka_unit_test(each_error_of_the_relay_has_its_status),
        cmocka_unit_test(a_relay_error_says_its_reason),
        cmocka_unit_test(a_long_tail_keeps_its_end),
        cmocka_unit_test(an_old_outage_is_not_reported),
        cmocka_unit_test(a_wait_in_vain_says_for_what),
        cmocka_unit_test(every_code_has_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, json_tear_down);
}
