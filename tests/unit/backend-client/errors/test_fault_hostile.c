/* JSON-RPC errors that nobody should write: no errors at all, members of other types, texts that are too long
 * or mean harm, every byte cut or bent; out of memory at each allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/errors/fault.h"
#include "backend-client/src/errors/relay_error.h"
#include "tests/unit/backend-client/errors/fault_fixture.h"
#include "tests/unit/common/fault_alloc.h"

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

/* Room for long errors that are put together piece by piece. */
struct longer {
    char text[12000];
    size_t len;
};

static void append(struct longer *l, const char *piece)
{
    size_t len = strlen(piece);
    assert_true(l->len + len < sizeof(l->text));
    memcpy(l->text + l->len, piece, len + 1);
    l->len += len;
}

#define RELAY(code, name, message)                                                                           \
    "{\"code\":" code ",\"message\":\"" message "\",\"data\":{\"relay\":true,\"code\":\"" name               \
    "\",\"retryable\":true,\"sent\":false"

static void what_is_no_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "null",
                                        "[]",
                                        "\"boom\"",
                                        "{}",
                                        "{",
                                        "{\"code\":\"-31001\"}",
                                        "{\"code\":1.5}",
                                        "7",
                                        "{\"code\":99999999999}",
                                        "{\"message\":\"m\"}",
                                        "\xff",
                                        "{\"code\":-1,\"data\":"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        read_error(texts[i]);
        assert_string_equal(f.name, "BAD_ANSWER");
        assert_contains(f.text, "relay:9500 answered initialize with something that cannot be used");
    }
}

static void members_of_other_types(void **state)
{
    (void)state;
    static const char *const values[] = {"null", "true",  "[]",   "{}",          "-1",
                                         "1.5",  "1e308", "\"\"", "\"\\u0000\"", "[1,[2]]"};
    static const char *const keys[] = {"server",       "state",   "exitStatus", "signal", "stderrTail",
                                       "retryAfterMs", "afterMs", "queued",     "limit",  "bytes",
                                       "needed",       "reason",  "known",      "code",   "detail"};
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            char error[256];
            (void)snprintf(error, sizeof(error),
                           "{\"code\":-31001,\"message\":%s,\"data\":{\"relay\":true,\"%s\":%s}}", values[v],
                           keys[k], values[v]);
            read_error(error);
            assert_string_equal(f.name, "SERVER_UNAVAILABLE");
            assert_string_equal(f.text, "the relay at relay:9500 refused initialize: Server unavailable");
        }
    }
}

static void names_that_are_none_are_not_taken_over(void **state)
{
    (void)state;
    static const char *const names[] = {
        "draining", "A B", "A\\n", "\\u0041\\u202e", "", "AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDDDDDDDDD"}; /* 40 */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char error[256];
        (void)snprintf(error, sizeof(error), "{\"code\":-31009,\"data\":{\"relay\":true,\"code\":\"%s\"}}",
                       names[i]);
        read_error(error);
        assert_string_equal(f.name, "DRAINING");
    }
    read_error(
        "{\"code\":-31009,\"data\":{\"relay\":true,\"code\":\"AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDDDDDDDD\"}}");
    assert_int_equal(strlen(f.name), 39);
}

/* What a peer that means harm would write, 1,500 bytes of it, as the inside of a JSON string. */
static void append_evil(struct longer *l)
{
    for (int i = 0; i < 50; i++)
        append(l, "\\u202e\\n\\t\xc3\xa9\\u001b[2J\xf0\x9f\x98\x80");
}

/* Every string as long and as hostile as it can be: what matters still stands there. */
static void long_and_hostile_strings(void **state)
{
    (void)state;
    struct longer l = {.len = 0};
    static const char *const before[] = {
        "{\"code\":-31001,\"message\":\"", "\",\"data\":{\"relay\":true,\"code\":\"", "\",\"server\":\"",
        "\",\"state\":\"", "\",\"exitStatus\":3,\"retryAfterMs\":10,\"stderrTail\":\""};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        append(&l, before[i]);
        append_evil(&l);
    }
    append(&l, "\"}}");
    read_error(l.text);
    assert_string_equal(f.name, "SERVER_UNAVAILABLE");
    assert_contains(f.text, "; server ");
    assert_contains(f.text, ", exited with status 3");
}

static void a_hostile_server(void **state)
{
    (void)state;
    struct longer l = {.len = 0};
    append(&l, "{\"code\":-5,\"message\":\"");
    append_evil(&l);
    append(&l, "\",\"data\":\"");
    append_evil(&l);
    append(&l, "\"}");
    read_error(l.text);
    assert_string_equal(f.name, "SERVER_ERROR");
    assert_contains(f.text, "refused initialize: error -5: ");
    assert_true(strlen(f.text) >= sizeof(f.text) - 4); /* all the room is used */
    struct relay_error e;
    relay_error_read(&e, l.text, l.len);
    fault_rpc(&f, l.text, &e, l.text);
    assert_clean_fault(&f);
    assert_contains(f.text, ": error -5: ");
}

static void the_end_of_stderr_is_what_is_kept(void **state)
{
    (void)state;
    struct longer l = {.len = 0};
    append(&l, RELAY("-31001", "SERVER_UNAVAILABLE", "Server unavailable") ",\"stderrTail\":\"");
    for (int i = 0; i < 100; i++)
        append(&l, "noise noise noise\\n");
    append(&l, "the reason\\n\"}}");
    read_error(l.text);
    assert_contains(f.text, "; it wrote \"...");
    assert_contains(f.text, "noise the reason\"");
}

static void many_known_servers(void **state)
{
    (void)state;
    struct longer l = {.len = 0};
    append(&l, RELAY("-31008", "NO_SUCH_SERVER", "No such server") ",\"known\":[\"first\"");
    for (int i = 0; i < 200; i++)
        append(&l, ",\"another-server\"");
    append(&l, "]}}");
    read_error(l.text);
    assert_contains(f.text, "; it has first, another-server, another-server");
}

/* Parts of any size are told apart; those too large to decode are left out. */
static void errors_too_large_to_decode(void **state)
{
    (void)state;
    static const char head[] = "{\"code\":-31001,\"message\":\"boom";
    static const char tail[] = "\",\"data\":{\"relay\":true,\"server\":\"m\"}}";
    size_t size = 300000;
    char *error = malloc(size);
    assert_non_null(error);
    memset(error, 'm', size);
    memcpy(error, head, sizeof(head) - 1);
    memcpy(error + size - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
    explain(error, size);
    assert_clean_fault(&f);
    assert_string_equal(f.name, "SERVER_UNAVAILABLE");
    assert_string_equal(f.text, "the relay at relay:9500 refused initialize: Server unavailable; server m");
    explain(error, 0);
    assert_string_equal(f.name, "BAD_ANSWER");
    memcpy(error + 256000 - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
    explain(error, 256000);
    assert_contains(f.text, ": boommm");
    free(error);
}

/* Each prefix and each flipped byte of a real error is some fault, and a clean one. */
static void cut_and_bent_at_every_byte(void **state)
{
    (void)state;
    static const char whole[] = RELAY(
        "-31001", "SERVER_UNAVAILABLE",
        "Server \xc3\xa9") ",\"server\":\"m\",\"state\":\"down\",\"known\":[\"a\"],\"stderrTail\":\"x\\ny\"}}";
    char bent[sizeof(whole)];
    for (size_t len = 0; len < sizeof(whole); len++) {
        explain(whole, len);
        assert_clean_fault(&f);
        assert_string_equal(f.name, len == sizeof(whole) - 1 ? "SERVER_UNAVAILABLE" : "BAD_ANSWER");
    }
    for (size_t at = 0; at < sizeof(whole) - 1; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(bent, whole, sizeof(whole));
            bent[at] = (char)(bent[at] ^ (1 << bit));
            explain(bent, sizeof(whole) - 1);
            assert_clean_fault(&f);
        }
    }
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    static const char error[] =
        RELAY("-31001", "SERVER_UNAVAILABLE",
              "Server\\tunavailable") ",\"server\":\"m\\t\",\"stderrTail\":\"a\\nb\"}}";
    unsigned failures = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        explain(error, sizeof(error) - 1);
        bool fired = fault_alloc_fired();
        assert_clean_fault(&f);
        assert_int_equal(fault_alloc_live(), 0);
        assert_contains(f.text, "relay:9500 refused initialize");
        if (!fired)
            break;
        failures++;
        assert_string_equal(f.name, "SERVER_UNAVAILABLE"); /* what it is needs no memory, only its words do */
    }
    fault_alloc_fail_at(0);
    assert_true(failures > 0);
    assert_string_equal(f.name, "SERVER_UNAVAILABLE");
    assert_contains(f.text, "it wrote \"a b\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_error),
        cmocka_unit_test(members_of_other_types),
        cmocka_unit_test(names_that_are_none_are_not_taken_over),
        cmocka_unit_test(long_and_hostile_strings),
        cmocka_unit_test(a_hostile_server),
        cmocka_unit_test(the_end_of_stderr_is_what_is_kept),
        cmocka_unit_test(many_known_servers),
        cmocka_unit_test(errors_too_large_to_decode),
        cmocka_unit_test(cut_and_bent_at_every_byte),
        cmocka_unit_test(the_nth_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
