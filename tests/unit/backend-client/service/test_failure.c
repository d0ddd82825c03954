/* agent-backend: what failures say, of the relay, of its server, and in words of theirs that are fit for
 * people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/service/failure.h"
#include "backend-client/service/words.h"
#include "tests/unit/backend-client/service/service_fixture.h"

static struct failure failure;

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
    kit_write_begin(&w);
    failure_write(&failure, &w);
    kit_look(&w);
    assert_false(kit_true("success"));
}

static void a_refused_connection_is_said(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    failure_from_reply(&failure, &(struct ar_reply){.code = AR_E_DEGRADED, .message = "not live"}, &h);
    look_at_failure();
    assert_int_equal(failure.status, 503);
    assert_string_equal(kit_text("code"), "CONNECTION_REFUSED");
    assert_string_equal(kit_text("error"), "10.0.0.2:9500 refused the connection");
    assert_string_equal(kit_text("details.suggestion"), "Start the relay.");
    assert_string_equal(kit_text("details.address"), "relay:9500");
    assert_string_equal(kit_text("details.peer"), "10.0.0.2:9500");
    assert_false(kit_true("details.mayHaveRun"));
    h.last_error_name[0] = h.last_error[0] = h.suggestion[0] = '\0';
    failure_from_code(&failure, AR_E_DEGRADED, &h);
    look_at_failure();
    assert_string_equal(kit_text("code"), "NOT_CONNECTED_YET");
    assert_non_null(strstr(kit_text("error"), "relay:9500"));
    assert_true(strlen(kit_text("details.suggestion")) > 10);
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
    static const char data[] = "{\"relay\":true,\"code\":\"TIMEOUT\",\"retryable\":false,\"sent\":true}";
    struct ar_health h = refused_health();
    struct ar_reply r = {
        .code = AR_E_SERVER, .error_code = -32602, .message = "Unknown tool: x", .may_have_run = true};
    failure_from_reply(&failure, &r, &h);
    look_at_failure();
    assert_int_equal(failure.status, 502);
    assert_string_equal(kit_text("code"), "SERVER_ERROR");
    assert_non_null(strstr(kit_text("error"), "-32602: Unknown tool: x"));
    assert_true(kit_true("details.mayHaveRun"));
    r.error_data = data;
    r.error_data_len = sizeof(data) - 1;
    failure_from_reply(&failure, &r, &h);
    assert_int_equal(failure.status, 504);
    assert_string_equal(failure.code, "TIMEOUT");
}

/* Its reason is read out of the error's data; words of a server among them come out clean. */
static void a_relay_error_tells_its_reason(void **state)
{
    (void)state;
#define DATA(more) "{\"relay\":true,\"code\":\"SERVER_UNAVAILABLE\"" more "}"
    static const struct {
        const char *data, *text, *suggestion;
    } cases[] = {
        {DATA(
             ",\"server\":\"boom\",\"state\":\"backing-off\",\"exitStatus\":3,\"retryAfterMs\":855,\"stderrTail\":\"one\\nError: cannot open /data/x.db\\n\""),
         "The relay at relay:9500 answered: Server unavailable; server boom is backing-off, exited "
         "with status 3; next try in 855 ms; it wrote \"one Error: cannot open /data/x.db\"",
         "ended by itself"},
        {DATA(",\"server\":\"s\",\"state\":\"down\",\"exitStatus\":127"),
         "The relay at relay:9500 answered: Server unavailable; server s is down, exited with status 127",
         "was not found"},
        {DATA(",\"signal\":9"), "The relay at relay:9500 answered: Server unavailable, killed by SIGKILL",
         "killed"},
        {DATA(",\"state\":\"removed\""), "The relay at relay:9500 answered: Server unavailable is removed",
         "put it back"},
        {DATA(",\"server\":7,\"exitStatus\":-1,\"stderrTail\":[]"),
         "The relay at relay:9500 answered: Server unavailable", "agent-relayctl servers"},
        {"{\"relay\":true,\"code\":\"BAD <b>\"}", "The relay at relay:9500 answered: Server unavailable",
         "compare its version"},
    };
    struct ar_health h = refused_health();
    struct ar_reply r = {.code = AR_E_SERVER, .error_code = -31001, .message = "Server unavailable"};
    h.state = AR_LIVE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        r.error_data = cases[i].data;
        r.error_data_len = strlen(cases[i].data);
        failure_from_reply(&failure, &r, &h);
        assert_string_equal(failure.text, cases[i].text);
        assert_non_null(strstr(failure.suggestion, cases[i].suggestion));
        assert_null(strstr(failure.suggestion, "Start the relay"));
        assert_string_equal(failure.code, i == 5 ? "RELAY_ERROR" : "SERVER_UNAVAILABLE");
        assert_int_equal(failure.status, i == 5 ? 502 : 503);
    }
#undef DATA
}

static void a_long_tail_keeps_its_end(void **state)
{
    (void)state;
    char data[4096];
    struct ar_health h = refused_health();
    struct ar_reply r = {.code = AR_E_SERVER, .message = "Server unavailable", .error_data = data};
    int len = snprintf(
        data, sizeof(data),
        "{\"relay\":true,\"code\":\"SERVER_UNAVAILABLE\",\"server\":\"%0200d\",\"stderrTail\":\"%02000d the cause\"}",
        1, 2);
    r.error_data_len = (size_t)len;
    failure_from_reply(&failure, &r, &h);
    assert_int_equal(strlen(failure.text), FAILURE_TEXT_SIZE - 1);
    assert_non_null(strstr(failure.text, "; it wrote \"...0"));
    assert_string_equal(failure.text + strlen(failure.text) - 11, " the cause\"");
}

/* The error of an outage that is over explains nothing. */
static void an_old_outage_is_not_told(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    h.state = AR_LIVE;
    failure_from_reply(&failure, &(struct ar_reply){.code = AR_E_TIMEOUT, .message = ""}, &h);
    look_at_failure();
    assert_int_equal(json_type(kit_doc, kit_at("details.lastError")), JSON_NULL);
    h.state = AR_DEGRADED;
    failure_from_tool(&failure, "x", NULL, 0, AR_SOURCE_MOCK, &h);
    look_at_failure();
    assert_string_equal(kit_text("details.lastError"), h.last_error);
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

static void words_of_others_become_clean(void **state)
{
    (void)state;
    static const struct {
        const char *words, *clean, *end;
    } cases[] = {
        {"plain", "plain", "plain"},
        {" \t a\r\n\x1b[31mb \n", "a [31mb", "a [31mb"},
        {"a\xe2\x80\xae"
         "b\xc2\x85"
         "c\xef\xbb\xbf",
         "a b c", "a b c"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"0123456789abcdef", "0123456789ab...", "...456789abcdef"},
        {"0123456789a\xf0\x9f\x98\x80x", "0123456789a...", "...456789a\xf0\x9f\x98\x80x"},
        {"\xf0\x9f\x98\x80 0123456789abc", "\xf0\x9f\x98\x80 0123456...", "...123456789abc"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char into[16];
        words_clean(into, sizeof(into), cases[i].words, strlen(cases[i].words));
        assert_string_equal(into, cases[i].clean);
        words_clean_end(into, sizeof(into), cases[i].words, strlen(cases[i].words));
        assert_string_equal(into, cases[i].end);
    }
}

/* Whatever bytes, whatever room: it fits, ends, and is UTF-8 (the writer would replace what is not). */
static void words_fit_their_room(void **state)
{
    (void)state;
    static const char bytes[] = "a\xf0\x9f\x98\x80\xc3\xa9 \xff\xe2\x82\xac\n\xe2\x80\xa8z\xf0\x9f";
    for (size_t size = 8; size < 32; size++) {
        for (size_t len = 0; len < sizeof(bytes); len++) {
            char into[2][32];
            words_clean(into[0], size, bytes, len);
            words_clean_end(into[1], size, bytes, len);
            for (size_t i = 0; i < 2; i++) {
                struct writer w;
                assert_true(strlen(into[i]) < size);
                kit_write_begin(&w);
                write_cstring(&w, into[i]);
                kit_look(&w);
                assert_string_equal(kit_text(""), into[i]);
            }
        }
    }
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
        failure_from_reply(&failure, &(struct ar_reply){.code = codes[i], .message = ""}, &h);
        assert_in_range(failure.status, 400, 504);
        assert_true(failure.code[0] && failure.text[0] && failure.suggestion[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connection_is_said),   cmocka_unit_test(an_unknown_error_keeps_its_name),
        cmocka_unit_test(a_server_error_keeps_its_words), cmocka_unit_test(a_relay_error_tells_its_reason),
        cmocka_unit_test(a_long_tail_keeps_its_end),      cmocka_unit_test(an_old_outage_is_not_told),
        cmocka_unit_test(a_wait_in_vain_says_for_what),   cmocka_unit_test(words_of_others_become_clean),
        cmocka_unit_test(words_fit_their_room),           cmocka_unit_test(every_code_has_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, kit_clean);
}
