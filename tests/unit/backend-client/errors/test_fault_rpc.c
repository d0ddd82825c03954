/* Faults that come as JSON-RPC errors: what the relay writes (texts as agent-relay sent them) and what
 * servers write. What nobody should write: test_client_fault_hostile.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/errors/fault.h"
#include "backend-client/src/errors/relay_error.h"
#include "tests/unit/backend-client/errors/fault_fixture.h"
#include "wire/rpc_error.h"

static struct fault f;

/* As the engine does it: read once, then put into words. */
static void explain(const char *error, size_t len)
{
    struct relay_error e;
    memset(&f, 'x', sizeof(f));
    relay_error_read(&e, error, len);
    fault_rpc(&f, "initialize", &e, "relay:9500");
}

static void read_error(const char *error)
{
    explain(error, strlen(error));
    assert_clean_fault(&f);
    assert_lacks(f.suggestion, "...");
}

#define RELAY(code, name, message)                                                                           \
    "{\"code\":" code ",\"message\":\"" message "\",\"data\":{\"relay\":true,\"code\":\"" name               \
    "\",\"retryable\":true,\"sent\":false"

/* ---- the relay's ---- */

static void a_server_that_ends_at_once(void **state)
{
    (void)state;
    read_error(RELAY(
        "-31001", "SERVER_UNAVAILABLE",
        "Server unavailable") ",\"server\":\"boom\",\"state\":\"backing-off\",\"exitStatus\":3,\"stderrTail\":\"line "
                              "one\\nError: cannot open /data/x.db\\n\",\"retryAfterMs\":855}}");
    assert_string_equal(f.name, "SERVER_UNAVAILABLE");
    assert_string_equal(f.text, "the relay at relay:9500 refused initialize: Server unavailable; "
                                "server boom is backing-off, exited with status 3; next try in "
                                "855 ms; it wrote \"line one Error: cannot open /data/x.db\"");
    assert_contains(f.suggestion, "ends by itself: see its stderr");
}

static void a_command_that_is_not_there(void **state)
{
    (void)state;
    read_error(RELAY(
        "-31001", "SERVER_UNAVAILABLE",
        "Server unavailable") ",\"server\":\"nocmd\",\"state\":\"crash-loop\",\"exitStatus\":127,\"stderrTail\":\"agent-relay-keeper: "
                              "cannot run '/nonexistent/x': No such file or "
                              "directory\\n\",\"retryAfterMs\":29700}}");
    assert_contains(f.text,
                    "server nocmd is crash-loop, exited with status 127; next try in 29.7 s; it wrote \"");
    assert_contains(f.text, "No such file or directory\"");
    assert_contains(f.suggestion, "was not found where the relay runs: install it, or correct \"command\"");
    read_error("{\"code\":-31001,\"data\":{\"relay\":true,\"exitStatus\":126}}");
    assert_contains(f.suggestion, "cannot be run where the relay runs");
}

static void a_server_that_was_killed(void **state)
{
    (void)state;
    read_error(RELAY(
        "-31001", "SERVER_UNAVAILABLE",
        "Server unavailable") ",\"server\":\"killed\",\"state\":\"backing-off\",\"signal\":9,\"stderrTail\":\"\",\"retryAfterMs\":244}}");
    assert_string_equal(
        f.text,
        "the relay at relay:9500 refused initialize: Server unavailable; server killed is backing-off, killed by SIGKILL; next try in 244 ms");
    assert_contains(f.suggestion, "the kernel for lack of memory");
    /* Not where the relay killed it because it did not answer. */
    read_error(RELAY(
        "-31001", "SERVER_UNAVAILABLE",
        "Server unavailable: no answer to initialize") ",\"detail\":\"no answer to initialize\",\"state\":\"backing-off\",\"signal\":9}}");
    assert_contains(f.text, "no answer to initialize");
    assert_lacks(f.suggestion, "memory");
    assert_contains(f.suggestion, "the server behind it is down");
    read_error("{\"code\":-31001,\"data\":{\"relay\":true,\"signal\":11}}");
    assert_contains(f.text, "killed by SIGSEGV");
    assert_contains(f.suggestion, "ends by itself");
    read_error("{\"code\":-31001,\"data\":{\"relay\":true,\"signal\":64}}");
    assert_contains(f.text, "killed by signal 64");
    read_error("{\"code\":-31001,\"data\":{\"relay\":true,\"signal\":9007199254740993}}");
    assert_contains(f.text, "killed by signal 9007199254740993");
}

static void a_server_between_two_lives(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        const char *suggestion;
    } cases[] = {{"removed", "no longer has that server"},
                 {"starting", "being started again"},
                 {"stopping", "being started again"},
                 {"changed", "being started again"},
                 {"down", "the server behind it is down"},
                 {"newer than us", "the server behind it is down"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[256];
        (void)snprintf(error, sizeof(error),
                       "{\"code\":-31001,\"data\":{\"relay\":true,\"server\":\"m\",\"state\":\"%s\"}}",
                       cases[i].state);
        read_error(error);
        assert_string_equal(f.name, "SERVER_UNAVAILABLE"); /* by its number, since data.code is missing */
        assert_contains(f.text, "refused initialize: Server unavailable; server m is ");
        assert_contains(f.text, cases[i].state);
        assert_contains(f.suggestion, cases[i].suggestion);
    }
}

static void each_error_of_the_relay(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        const char *name;
        const char *text;
        const char *suggestion;
    } cases[] = {
        {RELAY("-31002", "TIMEOUT", "Request timed out") ",\"afterMs\":60000}}", "TIMEOUT",
         "refused initialize: Request timed out; after 60 s", "timeoutMs"},
        {RELAY("-31003", "OVERLOADED",
               "Overloaded") ",\"queued\":4096,\"limit\":4096,\"retryAfterMs\":1000}}",
         "OVERLOADED", "Overloaded; waiting: 4096; limit: 4096; next try in 1 s", "The server has more requests"},
        {RELAY("-31004", "RATE_LIMITED", "Rate limited") ",\"limit\":10,\"retryAfterMs\":50}}",
         "RATE_LIMITED", "Rate limited; limit: 10; next try in 50 ms", "more requests than the relay allows"},
        {RELAY("-31005", "UNAUTHENTICATED", "Unauthenticated") "}}", "UNAUTHENTICATED", ": Unauthenticated",
         "requires authentication"},
        {RELAY("-31006", "FORBIDDEN", "This method is for admins") ",\"needed\":\"admin\"}}", "FORBIDDEN",
         "This method is for admins; needed: admin", "Unix socket"},
        {RELAY("-31007", "TOO_LARGE", "Message too large") ",\"bytes\":9000000,\"limit\":8388608}}",
         "TOO_LARGE", "Message too large; bytes: 9000000; limit: 8388608", "maxFrameBytes"},
        {RELAY("-31008", "NO_SUCH_SERVER", "No such server") ",\"known\":[\"memory\",\"files\"]}}",
         "NO_SUCH_SERVER", "No such server; it has memory, files", "configuration does not have"},
        {RELAY("-31009", "DRAINING", "Relay is draining") ",\"retryAfterMs\":1000}}", "DRAINING",
         "Relay is draining; next try in 1 s", "try again in a moment"},
        {RELAY("-31010", "CONNECTION_LOST", "Connection lost") "}}", "CONNECTION_LOST", ": Connection lost",
         "lost the server"},
        {RELAY("-31011", "BAD_REPLY", "Bad reply from the server") ",\"reason\":\"invalid UTF-8\",\"at\":7}}",
         "BAD_REPLY", "Bad reply from the server; invalid UTF-8", "invalid JSON"},
        {RELAY("-32601", "METHOD_NOT_FOUND", "Method not found") "}}", "METHOD_NOT_FOUND",
         ": Method not found", "older than this client"},
        {RELAY("-32600", "INVALID_REQUEST", "Invalid request") "}}", "INVALID_REQUEST", ": Invalid request",
         "compare their versions"},
        {RELAY("-31999", "SOMETHING_NEW", "Brand new") "}}", "SOMETHING_NEW", ": Brand new",
         "compare their versions"},
        {"{\"code\":-31999,\"data\":{\"relay\":true}}", "RELAY_ERROR", "refused initialize: Error",
         "compare their versions"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        read_error(cases[i].error);
        assert_string_equal(f.name, cases[i].name);
        assert_contains(f.text, "the relay at relay:9500 refused initialize: ");
        assert_contains(f.text, cases[i].text);
        assert_contains(f.suggestion, cases[i].suggestion);
    }
}

#define X(name, number, text) {number, #name},
static const struct {
    int code;
    const char *name;
} table[] = {RPC_ERRORS(X)};
#undef X

/* What joins the table one day must not come out nameless. */
static void each_number_of_the_table_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char error[128];
        (void)snprintf(error, sizeof(error), "{\"code\":%d,\"message\":\"m\",\"data\":{\"relay\":true}}",
                       table[i].code);
        read_error(error);
        assert_string_equal(f.name, table[i].name);
    }
}

/* ---- the server's ---- */

static void errors_of_the_server(void **state)
{
    (void)state;
    read_error("{\"code\":-32603,\"message\":\"Internal error\",\"data\":\"Unknown tool: x\"}");
    assert_string_equal(f.name, "SERVER_ERROR");
    assert_string_equal(
        f.text,
        "the server behind relay:9500 refused initialize: error -32603: Internal error: Unknown tool: x");
    assert_contains(f.suggestion, "an error of its own");
    read_error("{\"code\":-32601,\"message\":\"Method not found\"}");
    assert_string_equal(f.text,
                        "the server behind relay:9500 refused initialize: error -32601: Method not found");
    assert_contains(f.suggestion, "does not offer this");
    read_error("{\"code\":-32602,\"message\":\"\",\"data\":{\"relay\":false,\"code\":\"DRAINING\"}}");
    assert_string_equal(f.name, "SERVER_ERROR"); /* who says relay: false, is none */
    assert_string_equal(f.text, "the server behind relay:9500 refused initialize: error -32602");
    assert_contains(f.suggestion, "these parameters");
    read_error("{\"code\":-31001,\"message\":\"mine\",\"data\":{\"relay\":\"true\"}}");
    assert_string_equal(f.name, "SERVER_ERROR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_ends_at_once), cmocka_unit_test(a_command_that_is_not_there),
        cmocka_unit_test(a_server_that_was_killed),   cmocka_unit_test(a_server_between_two_lives),
        cmocka_unit_test(each_error_of_the_relay),    cmocka_unit_test(each_number_of_the_table_has_its_name),
        cmocka_unit_test(errors_of_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
