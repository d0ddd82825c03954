/* backend-client/src/engine/call.c, call_new: every refusal but for size, and what an accepted call keeps. Sizes and
 * lines: test_client_call_lines.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/backend-client/engine/call_fixture.h"
#include "tests/unit/common/fault_alloc.h"
#include "wire/rpc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    (void)client, (void)reply, (void)data;
}

/* AR_OK: an accepted one, freed again. */
static void gives(const struct ar_call *o, int wanted)
{
    struct call *c = NULL;
    int rc = call_fixture_try(o, CALL_FRAME_MAX, &c);
    call_free(c);
    if (rc != wanted)
        fail_msg("method %s, params %s, progress %d: %d, not %d", o->method ? o->method : "(none)",
                 o->params ? o->params : "(none)", o->on_progress, rc, wanted);
}

static void accepts(const struct ar_call *o)
{
    gives(o, AR_OK);
}

/* Both with and without a token to place. */
static void refuses_params(const char *params, size_t len)
{
    for (int progress = 0; progress < 2; progress++) {
        struct ar_call o = call_fixture_options("tools/call", params, progress != 0);
        o.params_len = len;
        gives(&o, AR_E_INVALID);
    }
}

/* ---- refused ---- */

static void what_is_no_call_is_refused(void **state)
{
    (void)state;
    struct ar_call o = call_fixture_options("ping", NULL, false);
    struct call *c;
    accepts(&o);
    assert_int_equal(call_fixture_try(NULL, CALL_FRAME_MAX, &c), AR_E_INVALID);
    o.size = 0;
    gives(&o, AR_E_INVALID);
    o.size = sizeof(o) + 1;
    gives(&o, AR_E_INVALID);
    o.size = offsetof(struct ar_call, method); /* a structure without any member */
    gives(&o, AR_E_INVALID);
    o = call_fixture_options("ping", NULL, false);
    o.params_len = 1;
    gives(&o, AR_E_INVALID);
    for (int policy = -1; policy <= AR_MOCK + 1; policy++) {
        o = call_fixture_options("ping", "{}", false);
        o.policy = (enum ar_policy)policy;
        gives(&o, policy >= AR_FAIL_FAST && policy <= AR_MOCK ? AR_OK : AR_E_INVALID);
    }
}

static void methods_that_cannot_be_sent(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL,
        "",
        "initialize",
        "notifications/",
        "notifications/initialized",
        "\x80",
        "\xff",
        "a\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc0\xaf",
        "\xc1\x81",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xe0\x80\xaf",
        "\xc3\xa9\x80",
        "\xc3(",
        "\xf0\x8f\xbf\xbf",
    };
    static const char *const good[] = {
        "initialized", "Initialize", "initialize/x",      "notifications", "xnotifications/a",
        "relay/ping",  " ",          "notifications\\/a",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct ar_call o = call_fixture_options(bad[i], "{}", i % 2 == 0);
        gives(&o, AR_E_INVALID);
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        struct ar_call o = call_fixture_options(good[i], "{}", i % 2 == 0);
        accepts(&o);
    }
}

static void params_that_are_no_object_or_array(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       " ",     "\n",   "\r\n\t ", "1",   "-0.5e1", "null",   "true",   "false",  "\"x\"",
        "\"{}\"", "\n1\n", "{",    "[",       "}",   "]",      "{]",     "[}",     "{}}",    "[]]",
        "{} {}",  "[],[]", "{}{}", ",{}",     "{},", "{}//x",  "/**/{}", "{}\n{}", "{}\n#\n"};
    for (size_t i = 0; i < COUNT(bad); i++)
        refuses_params(bad[i], 0);
}

/* What would become a good line, but another one, were it pasted in unread. */
static void params_that_would_add_members(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{},\"id\":9",
        "[],\"id\":9",
        "{},\"params\":{}",
        "{},\"x\":{}",
        "{}}{\"x\":{}",
        "{}}\n{\"x\":{}",
        "{},\"x\":[1",
        "{},\"method\":\"initialize\"",
        "{\"a\":1},\"b\":2",
        "{}\n,\"params\":[]",
        "1,\"params\":{\"a\":2}",
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        refuses_params(bad[i], 0);
}

static void params_that_are_not_strict_json(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[1,]",           "{\"a\":1,}",
        "{a:1}",          "{'a':1}",
        "{\"a\"}",        "{\"a\":}",
        "[01]",           "[+1]",
        "[.5]",           "[1.]",
        "[1e]",           "[NaN]",
        "[Infinity]",     "[0x1]",
        "[True]",         "[nul]",
        "[\"\\x\"]",      "[\"\\u12\"]",
        "[\"\\\"]",       "[1 2]",
        "[1\n2]",         "[1\r2]",
        "[tr\nue]",       "[1\v]",
        "[1\f]",          "[\xc2\xa0]",
        "\xef\xbb\xbf{}", "[\"\xff\"]",
        "[\"\xc0\x80\"]", "[\"\xed\xa0\x80\"]",
        "[\"a\tb\"]",     "[\"a\x1f\"]",
        "[\"a\nb\"]",     "[\"a\rb\"]",
        "{\"a\n\":1}",    "[\n\"a\nb\"]",
        "[\"\\\n\"]",     "[\"a\\u00\n41\"]",
        "\n[\"\xff\"]",   "[\"\xe2\n\x82\xac\"]",
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        refuses_params(bad[i], 0);
    static const struct {
        const char *text;
        size_t len;
    } with_nul[] = {
        {"{}\0", 3},    {"\0{}", 3},        {"{\0}", 3},        {"[\"a\0b\"]", 7},
        {"[1,\02]", 6}, {"[\"a\n\0\"]", 7}, {"[\n\"a\0\"]", 7}, {"{}\0,\"id\":1", 10},
    };
    for (size_t i = 0; i < COUNT(with_nul); i++)
        refuses_params(with_nul[i].text, with_nul[i].len);
}

/* Cut anywhere; each piece in a block of its own size, so that a byte read behind it is seen. */
static void params_that_are_cut(void **state)
{
    (void)state;
    static const char whole[] = "{\"a\":[1,\"\\u00e9\xc3\xa9\",null],\n\"_meta\":{\"b\":{}},\"c\":-1.5e3}";
    const size_t len = sizeof(whole) - 1;
    for (size_t n = 1; n <= len; n++) {
        char *piece = mem_dup(whole, n);
        assert_non_null(piece);
        if (n < len) {
            refuses_params(piece, n);
        } else {
            struct ar_call o = call_fixture_options("m", piece, true);
            o.params_len = n;
            accepts(&o);
        }
        mem_free(piece);
    }
}

/* The line's own brace is one level. */
static void params_at_the_depth_limit(void **state)
{
    (void)state;
    for (size_t depth = RPC_MAX_DEPTH - 2; depth <= RPC_MAX_DEPTH + 1; depth++) {
        for (int newline = 0; newline < 2; newline++) {
            char text[2 * RPC_MAX_DEPTH + 8];
            memset(text, '[', depth);
            memset(text + depth, ']', depth);
            text[2 * depth] = '\0';
            if (newline)
                memcpy(text + 2 * depth - 1, "\n]", 3);
            struct ar_call o = call_fixture_options("m", text, false);
            gives(&o, depth < RPC_MAX_DEPTH ? AR_OK : AR_E_INVALID);
        }
    }
}

static void params_that_cannot_carry_a_token(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "[{\"_meta\":{}}]",
        "{\"_meta\":null}",
        "{\"_meta\":[]}",
        "{\"_meta\":\"{}\"}",
        "{\"_meta\":0}",
        "{\"_meta\":false}",
        "{\"_meta\":{\"progressToken\":1}}",
        "{\"_meta\":{\"progressToken\":null}}",
        "{\"a\":1,\"_meta\":{\"b\":{},\"progressToken\":{}},\"c\":2}",
        "{\"_meta\":{\"progress\\u0054oken\":1}}",
        "{\"\\u005fmeta\":{\"\\u0070rogressToken\":\"x\"}}",
        "{\"\\u005fmeta\":[]}",
        "{\"_meta\":{},\"_meta\":{}}",
        "{\"_meta\":{},\"\\u005fmeta\":{}}",
        "{\"_meta\":{},\"_meta\":null}",
        "{\"_meta\":{\"progressToken\":1,\"progressToken\":2}}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct ar_call o = call_fixture_options("m", bad[i], true);
        gives(&o, AR_E_INVALID);
        o.on_progress = NULL; /* then the peer decides about it, and it goes out as it is */
        struct call *c = call_fixture_make(&o);
        char *line = call_fixture_line(c);
        char tail[256];
        (void)snprintf(tail, sizeof(tail), ",\"params\":%s}", bad[i]);
        assert_non_null(strstr(line, tail));
        mem_free(line);
        call_free(c);
    }
}

/* ---- kept ---- */

static void a_call_keeps_copies(void **state)
{
    (void)state;
    char method[] = "tools/call";
    char params[] = " {\"a\":1}\n";
    int mark;
    struct ar_call o = call_fixture_options(method, params, true);
    o.policy = AR_WAIT;
    o.idempotent = true;
    o.on_reply = on_reply;
    o.data = &mark;
    struct call *c = call_fixture_make(&o);
    assert_string_equal(params, " {\"a\":1}\n");
    memset(method, 'x', sizeof(method) - 1);
    memset(params, 'x', sizeof(params) - 1);
    memset(&o, 0xff, sizeof(o));
    assert_string_equal(c->method, "tools/call");
    assert_int_equal(c->method_len, 10);
    assert_string_equal(c->params, "{\"a\":1}");
    assert_int_equal(c->params_len, 7);
    assert_int_equal(c->bytes, 17);
    assert_int_equal(c->state, CALL_UNQUEUED);
    assert_int_equal(c->policy, AR_WAIT);
    assert_true(c->idempotent && !c->to_relay && !c->may_have_run);
    assert_ptr_equal(c->on_progress, call_fixture_on_progress);
    assert_ptr_equal(c->on_reply, on_reply);
    assert_ptr_equal(c->data, &mark);
    assert_true(c->began_at_ms == CALL_NOW_MS && c->not_before_ms == 0 && c->retry_after_poll == 0 &&
                c->sent_end == 0);
    assert_true(list_empty(&c->node));
    call_free(c);
    call_free(NULL);
}

static void relay_methods_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        bool to_relay;
    } cases[] = {{"relay/ping", true},  {"relay/", true},       {"relay", false},
                 {"Relay/ping", false}, {"xrelay/ping", false}, {"relay\\/ping", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ar_call o = call_fixture_options(cases[i].method, NULL, false);
        struct call *c = call_fixture_make(&o);
        assert_int_equal(c->to_relay, cases[i].to_relay);
        assert_null(c->params);
        assert_int_equal(c->bytes, strlen(cases[i].method));
        call_free(c);
    }
}

/* The members that an older version did not have are as _init leaves them, whatever stands in memory there.
 */
static void an_older_structure_is_taken(void **state)
{
    (void)state;
    struct ar_call o;
    memset(&o, 0xa5, sizeof(o));
    o.size = offsetof(struct ar_call, deadline_ms);
    o.method = "m";
    o.params = "{}tail";
    o.params_len = 2;
    struct call *c = call_fixture_make(&o);
    assert_string_equal(c->params, "{}");
    assert_int_equal(c->policy, AR_FAIL_FAST);
    assert_int_equal(c->deadline_at_ms, CALL_NOW_MS + CALL_DEFAULT_MS);
    assert_true(!c->on_progress && !c->on_reply && !c->data && !c->idempotent);
    call_free(c);
}

static void params_len_counts_when_it_is_given(void **state)
{
    (void)state;
    struct ar_call o = call_fixture_options("m", "{\"a\":1}", false);
    struct call *c = call_fixture_make(&o);
    assert_string_equal(c->params, "{\"a\":1}");
    call_free(c);
    refuses_params("{}{}", 0);
    o.params = "{}{}";
    o.params_len = 2;
    c = call_fixture_make(&o);
    assert_string_equal(c->params, "{}");
    call_free(c);
    o.params = "{}\0x"; /* strlen's length: the NUL is no part of it */
    o.params_len = 0;
    accepts(&o);
    refuses_params("{}\0x", 4);
}

static void deadlines(void **state)
{
    (void)state;
    static const struct {
        uint64_t now;
        uint32_t asked;
        uint32_t by_default;
        uint64_t wanted;
    } cases[] = {
        {0, 0, 30000, 30000},
        {1000, 0, 30000, 31000},
        {1000, 1, 30000, 1001},
        {1000, AR_NEVER - 1, 30000, UINT64_C(1000) + AR_NEVER - 1},
        {1000, AR_NEVER, 30000, UINT64_MAX},
        {1000, 0, AR_NEVER, UINT64_MAX},
        {1000, 5, AR_NEVER, 1005},
        {UINT64_MAX - 6, 5, 1, UINT64_MAX - 1},
        /* behind the end of the clock: never, not in the past */
        {UINT64_MAX - 5, 5, 1, UINT64_MAX},
        {UINT64_MAX - 4, 5, 1, UINT64_MAX},
        {UINT64_MAX, 1, 1, UINT64_MAX},
        {UINT64_MAX, 0, AR_NEVER - 1, UINT64_MAX},
        {UINT64_MAX, AR_NEVER, 1, UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ar_call o = call_fixture_options("m", NULL, false);
        struct call *c;
        o.deadline_ms = cases[i].asked;
        assert_int_equal(call_new(&o, cases[i].now, cases[i].by_default, CALL_FRAME_MAX, &c), AR_OK);
        assert_int_equal(c->deadline_at_ms, cases[i].wanted);
        assert_int_equal(c->began_at_ms, cases[i].now);
        call_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_call_is_refused),
        cmocka_unit_test(methods_that_cannot_be_sent),
        cmocka_unit_test(params_that_are_no_object_or_array),
        cmocka_unit_test(params_that_would_add_members),
        cmocka_unit_test(params_that_are_not_strict_json),
        cmocka_unit_test(params_that_are_cut),
        cmocka_unit_test(params_at_the_depth_limit),
        cmocka_unit_test(params_that_cannot_carry_a_token),
        cmocka_unit_test(a_call_keeps_copies),
        cmocka_unit_test(relay_methods_are_known),
        cmocka_unit_test(an_older_structure_is_taken),
        cmocka_unit_test(params_len_counts_when_it_is_given),
        cmocka_unit_test(deadlines),
    };
    return cmocka_run_group_tests_name("client_call", tests, call_fixture_set_up, call_fixture_tear_down);
}
