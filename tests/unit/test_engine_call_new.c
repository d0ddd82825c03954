/* A call's making and its line on the wire: what is refused, what is copied, where the progress token goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/call.h"
#include "tests/unit/fault_alloc.h"
#include "wire/rpc.h"

#define LARGE ((size_t)1 << 20)

static void never_progress(struct ar_client *client, const char *params, size_t len, void *data)
{
    (void)client;
    (void)params;
    (void)len;
    (void)data;
}

static int make(const char *method, const char *params, bool progress, struct call **ret_call)
{
    const struct ar_call options = {
        .size = sizeof options,
        .method = method,
        .params = params,
        .policy = AR_WAIT,
        .on_progress = progress ? never_progress : NULL,
    };
    return call_new(&options, 1000, 500, LARGE, ret_call);
}

/* The line of a call with the id 7, without its newline; "" for a refused one. */
static const char *line_of(const char *method, const char *params, bool progress)
{
    static char line[4096];
    struct call *c;
    struct buf out;
    line[0] = '\0';
    int rc = make(method, params, progress, &c);
    if (rc != AR_OK) {
        assert_int_equal(rc, AR_E_INVALID);
        return line;
    }
    c->id = 7;
    buf_init(&out, sizeof line);
    assert_int_equal(call_write(c, &out), 0);
    size_t len = buf_len(&out);
    assert_true(len > 1 && buf_data(&out)[len - 1] == '\n');
    memcpy(line, buf_data(&out), len - 1);
    line[len - 1] = '\0';
    assert_null(strchr(line, '\n'));
    struct rpc_envelope env;
    rpc_scan_line(line, len - 1, &env);
    assert_int_equal(env.kind, RPC_REQUEST);
    buf_done(&out);
    call_free(c);
    return line;
}

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\""

static void the_line_is_a_request(void **state)
{
    (void)state;
    assert_string_equal(line_of("m", NULL, false), HEAD "}");
    assert_string_equal(line_of("m", "{}", false), HEAD ",\"params\":{}}");
    assert_string_equal(line_of("m", "[1,\"\u20ac\"]", false), HEAD ",\"params\":[1,\"\u20ac\"]}");
    assert_string_equal(line_of("m", " \r\n\t{ }\n ", false), HEAD ",\"params\":{ }}");
    assert_string_equal(line_of("m", "{\"a\":\r\n1,\n\"b\":2}", false),
                        HEAD ",\"params\":{\"a\":  1, \"b\":2}}");
}

static void an_unusual_method_is_escaped(void **state)
{
    (void)state;
    assert_non_null(
        strstr(line_of("a\"b\\c\x01/\u00e9", "{}", false), "\"a\\\"b\\\\c\\u0001/\u00e9\",\"params\":{}"));
    assert_non_null(
        strstr(line_of("a\nb", NULL, true), "\"a\\nb\",\"params\":{\"_meta\":{\"progressToken\":7}}"));
}

static void the_progress_token_finds_its_place(void **state)
{
    static const char *const cases[][2] = {
        {NULL, "{\"_meta\":{\"progressToken\":7}}"},
        {"{}", "{\"_meta\":{\"progressToken\":7}}"},
        {"{ }", "{\"_meta\":{\"progressToken\":7} }"},
        {"{\"a\":1}", "{\"_meta\":{\"progressToken\":7},\"a\":1}"},
        {"{\"_meta\":{}}", "{\"_meta\":{\"progressToken\":7}}"},
        {"{\"_meta\":{ \"k\":1},\"z\":2}", "{\"_meta\":{\"progressToken\":7, \"k\":1},\"z\":2}"},
        {"{\"a\":{\"_meta\":{\"progressToken\":1}}}",
         "{\"_meta\":{\"progressToken\":7},\"a\":{\"_meta\":{\"progressToken\":1}}}"},
        {"{\"_met\\u0061\":{\"k\":1}}", "{\"_met\\u0061\":{\"progressToken\":7,\"k\":1}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        (void)snprintf(expected, sizeof expected, HEAD ",\"params\":%s}", cases[i][1]);
        assert_string_equal(line_of("m", cases[i][0], true), expected);
    }
}

static void params_that_cannot_carry_the_token_are_refused_with_it_alone(void **state)
{
    static const char *const cases[] = {"[]", "{\"_meta\":{\"progressToken\":1}}", "{\"_meta\":1}",
                                        "{\"_meta\":null}", "{\"_meta\":{\"progress\\u0054oken\":\"x\"}}"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(line_of("m", cases[i], true), "");
        assert_string_not_equal(line_of("m", cases[i], false), "");
    }
}

static void what_is_no_call_is_refused(void **state)
{
    static const char *const methods[] = {"",      "initialize", "notifications/", "notifications/cancelled",
                                          "a\xff", "\xc3",       "\xed\xa0\x80"};
    static const char *const params[] = {
        "",           " ",          "1",      "null",     "\"x\"", "{",      "{}}",
        "{},{}",      "{}x",        "[1,]",   "{\"a\":}", "{a:1}", "{}\x01", "[\"\xff\"]",
        "[\"a\nb\"]", "[\"a\rb\"]", "{}\n{}", "[01]",     "[NaN]", "}{",     "{} , \"x\":1"};
    struct call *c;
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_int_equal(make(methods[i], NULL, false, &c), AR_E_INVALID);
    assert_int_equal(make(NULL, NULL, false, &c), AR_E_INVALID);
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        assert_int_equal(make("m", params[i], false, &c), AR_E_INVALID);
        assert_int_equal(make("m", params[i], true, &c), AR_E_INVALID);
    }
    assert_string_not_equal(line_of("initialized", NULL, false), "");
    assert_string_not_equal(line_of("notification/x", NULL, false), "");
}

static void params_too_deep_for_a_message_are_refused(void **state)
{
    (void)state;
    for (size_t depth = RPC_MAX_DEPTH - 2; depth <= RPC_MAX_DEPTH + 1; depth++) {
        char params[2 * RPC_MAX_DEPTH + 8];
        memset(params, '[', depth);
        memset(params + depth, ']', depth);
        params[2 * depth] = '\0';
        struct call *c;
        int rc = make("m", params, false, &c);
        assert_int_equal(rc, depth < RPC_MAX_DEPTH ? AR_OK : AR_E_INVALID);
        if (rc == AR_OK)
            call_free(c);
    }
}

static void everything_is_copied(void **state)
{
    (void)state;
    char method[] = "relay/x";
    char params[] = "{\"a\":1}{\"never\":\"read\"}";
    const struct ar_call options = {.size = sizeof options,
                                    .method = method,
                                    .params = params,
                                    .params_len = 7,
                                    .deadline_ms = AR_NEVER,
                                    .policy = AR_MOCK,
                                    .idempotent = true,
                                    .data = &state};
    struct call *c;
    assert_int_equal(call_new(&options, 1000, 500, LARGE, &c), AR_OK);
    memset(method, 'X', sizeof method - 1);
    memset(params, 'X', sizeof params - 1);
    assert_string_equal(c->method, "relay/x");
    assert_string_equal(c->params, "{\"a\":1}");
    assert_int_equal(c->params_len, 7);
    assert_int_equal(c->bytes, 14);
    assert_int_equal(c->began_at_ms, 1000);
    assert_true(c->deadline_at_ms == UINT64_MAX);
    assert_true(c->to_relay && c->idempotent && !c->may_have_run);
    assert_int_equal(c->policy, AR_MOCK);
    assert_ptr_equal(c->data, &state);
    call_free(c);
    call_free(NULL);

    assert_int_equal(make("m", NULL, false, &c), AR_OK);
    assert_int_equal(c->deadline_at_ms, 1500);
    assert_false(c->to_relay);
    call_free(c);
}

/* A program built against an older header has a smaller structure; what it does not have is 0. */
static void a_smaller_structure_will_do(void **state)
{
    (void)state;
    struct ar_call options = {.size = offsetof(struct ar_call, deadline_ms), .method = "m", .deadline_ms = 9};
    struct call *c;
    assert_int_equal(call_new(&options, 1000, 500, LARGE, &c), AR_OK);
    assert_int_equal(c->deadline_at_ms, 1500);
    call_free(c);
    options.size = 0;
    assert_int_equal(call_new(&options, 1000, 500, LARGE, &c), AR_E_INVALID);
    options.size = sizeof options;
    options.policy = (enum ar_policy)7;
    assert_int_equal(call_new(&options, 1000, 500, LARGE, &c), AR_E_INVALID);
}

static void without_memory_nothing_is_left(void **state)
{
    (void)state;
    struct call *c;
    struct buf out;
    fault_alloc_install();
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        int rc = make("a\"method", "{\"a\":\n1}", true, &c);
        if (rc == AR_OK) {
            buf_init(&out, LARGE);
            c->id = 7;
            rc = call_write(c, &out);
            assert_true(rc == 0 || buf_len(&out) == 0);
            buf_done(&out);
            call_free(c);
        }
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        assert_int_equal(fault_alloc_live(), 0);
        assert_true(fired ? rc != 0 : rc == 0);
        if (!fired)
            break;
    }
    /* No room in the buffer: nothing of the line stands there. */
    for (size_t max = 0; max < 70; max++) {
        assert_int_equal(make("a\"method", "{\"a\":1}", true, &c), AR_OK);
        c->id = 7;
        buf_init(&out, max);
        int rc = call_write(c, &out);
        assert_true(rc == 0 || buf_len(&out) == 0);
        buf_done(&out);
        call_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_a_request),
        cmocka_unit_test(an_unusual_method_is_escaped),
        cmocka_unit_test(the_progress_token_finds_its_place),
        cmocka_unit_test(params_that_cannot_carry_the_token_are_refused_with_it_alone),
        cmocka_unit_test(what_is_no_call_is_refused),
        cmocka_unit_test(params_too_deep_for_a_message_are_refused),
        cmocka_unit_test(everything_is_copied),
        cmocka_unit_test(a_smaller_structure_will_do),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests_name("engine_call_new", tests, NULL, NULL);
}
