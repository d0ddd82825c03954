/* wire/rpc: what a message is, where its routing keys stand, what is refused and what is still known then,
 * and that cuts change nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/rpc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define V            "\"jsonrpc\":\"2.0\""

static struct rpc_envelope scan(const char *text)
{
    struct rpc_envelope env;
    rpc_scan_line(text, strlen(text), &env);
    return env;
}

static void assert_span(const char *text, struct span span, const char *expected)
{
    if (!expected) {
        assert_false(span_found(span));
        return;
    }
    if (span.len != strlen(expected) || memcmp(text + span.off, expected, span.len) != 0)
        fail_msg("%s: found %.*s, not %s", text, (int)span.len, text + span.off, expected);
}

/* ---- kinds and faults ---- */

static const struct {
    const char *text;
    enum rpc_kind kind;
    enum rpc_fault fault;
    const char *id; /* NULL: absent */
} messages[] = {
    {"{" V ",\"id\":1,\"method\":\"m\"}", RPC_REQUEST, RPC_OK, "1"},
    {"{" V ",\"id\":\"\",\"method\":\"m\",\"params\":[]}", RPC_REQUEST, RPC_OK, "\"\""},
    {"{" V ",\"id\":null,\"method\":\"m\"}", RPC_REQUEST, RPC_OK, "null"},
    {"{" V ",\"method\":\"m\",\"params\":{}}", RPC_NOTIFICATION, RPC_OK, NULL},
    {"{" V ",\"id\":1,\"result\":null}", RPC_RESULT, RPC_OK, "1"},
    {"{\"result\":{\"a\":[]},\"id\":-0," V "}", RPC_RESULT, RPC_OK, "-0"},
    {"{" V ",\"id\":1.50,\"error\":{\"code\":1}}", RPC_ERROR, RPC_OK, "1.50"},
    {"{" V ",\"id\":null,\"error\":{}}", RPC_ERROR, RPC_OK, "null"},
    {"{" V ",\"error\":{}}", RPC_ERROR, RPC_OK, NULL},
    {"[]", RPC_BATCH, RPC_OK, NULL},
    /* what is null is absent, but for an id, and for a result with nothing beside it */
    {"{" V ",\"method\":\"m\",\"params\":null,\"id\":6}", RPC_REQUEST, RPC_OK, "6"},
    {"{" V ",\"id\":6,\"method\":\"m\",\"params\":null,\"result\":null,\"error\":null}", RPC_REQUEST, RPC_OK,
     "6"},
    {"{" V ",\"method\":\"m\",\"params\":null}", RPC_NOTIFICATION, RPC_OK, NULL},
    {"{" V ",\"id\":1,\"method\":null,\"params\":null,\"result\":{},\"error\":null}", RPC_RESULT, RPC_OK,
     "1"},
    {"{" V ",\"error\":null,\"result\":null,\"id\":1}", RPC_RESULT, RPC_OK, "1"},
    {"{" V ",\"id\":1,\"result\":null,\"error\":{\"code\":1}}", RPC_ERROR, RPC_OK, "1"},
    {"{" V ",\"id\":null,\"error\":{\"code\":1},\"result\":null}", RPC_ERROR, RPC_OK, "null"},
    {"{" V ",\"id\":1,\"error\":null}", RPC_INVALID, RPC_BAD_MESSAGE, "1"},
    {" [{" V ",\"id\":1,\"method\":\"m\"}] ", RPC_BATCH, RPC_OK, NULL},
    {"\t{" V " , \"id\" : 9007199254740993 , \"method\" : \"m\" }\r", RPC_REQUEST, RPC_OK,
     "9007199254740993"},
    /* escapes in keys and in the version mean what they mean */
    {"{\"json\\u0072pc\":\"2\\u002e0\",\"\\u0069d\":1,\"m\\u0065thod\":\"m\"}", RPC_REQUEST, RPC_OK, "1"},
    /* keys that are not quite routing keys */
    {"{" V ",\"idx\":7,\"id \":8,\"\\u0069d\\u0000\":9,\"method\":\"m\",\"meth\":1}", RPC_NOTIFICATION,
     RPC_OK, NULL},
    {"{" V ",\"method\":\"m\",\"params\":{\"id\":3}}", RPC_NOTIFICATION, RPC_OK, NULL},
    {"{" V ",\"id\":1,\"result\":{\"id\":2,\"id\":3},\"x\":1,\"x\":2}", RPC_RESULT, RPC_OK, "1"},
    {"{" V ",\"id\":1,\"result\":1,\"params\":2}", RPC_RESULT, RPC_OK, "1"},

    {"1", RPC_INVALID, RPC_NOT_OBJECT, NULL},
    {"\"id\"", RPC_INVALID, RPC_NOT_OBJECT, NULL},
    {" null", RPC_INVALID, RPC_NOT_OBJECT, NULL},
    {"{\"id\":1,\"method\":\"m\"}", RPC_INVALID, RPC_NOT_2_0, "1"},
    {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}", RPC_INVALID, RPC_NOT_2_0, "1"},
    {"{\"jsonrpc\":2.0,\"method\":\"m\",\"id\":1}", RPC_INVALID, RPC_NOT_2_0, "1"},
    {"{\"jsonrpc\":\"2.00\",\"id\":1,\"method\":\"m\"}", RPC_INVALID, RPC_NOT_2_0, "1"},
    {"{}", RPC_INVALID, RPC_NOT_2_0, NULL},
    {"{" V "}", RPC_INVALID, RPC_BAD_MESSAGE, NULL},
    {"{" V ",\"id\":5}", RPC_INVALID, RPC_BAD_MESSAGE, "5"},
    {"{" V ",\"id\":5,\"method\":\"m\",\"result\":1}", RPC_INVALID, RPC_BAD_MESSAGE, "5"},
    {"{" V ",\"id\":5,\"result\":1,\"error\":{}}", RPC_INVALID, RPC_BAD_MESSAGE, "5"},
    {"{" V ",\"result\":1}", RPC_INVALID, RPC_BAD_MESSAGE, NULL},
    {"{" V ",\"id\":null,\"result\":1}", RPC_INVALID, RPC_BAD_MESSAGE, "null"},
    {"{" V ",\"id\":true,\"method\":\"m\"}", RPC_INVALID, RPC_BAD_ID, NULL},
    {"{" V ",\"id\":{},\"method\":\"m\"}", RPC_INVALID, RPC_BAD_ID, NULL},
    {"{" V ",\"id\":[1],\"method\":\"m\"}", RPC_INVALID, RPC_BAD_ID, NULL},
    {"{" V ",\"method\":1,\"id\":6}", RPC_INVALID, RPC_BAD_METHOD, "6"},
    {"{" V ",\"method\":null,\"id\":6}", RPC_INVALID, RPC_BAD_MESSAGE, "6"},
    {"{" V ",\"method\":\"m\",\"params\":\"{}\",\"id\":6}", RPC_INVALID, RPC_BAD_PARAMS, "6"},

    /* the text is at fault: an id is known that stood before it, or behind it where the structure is clear */
    {"{" V ",\"id\":1,\"method\":\"m\"", RPC_INVALID, RPC_TRUNCATED, "1"},
    {"{" V ",\"method\":\"m\",\"id\":12", RPC_INVALID, RPC_TRUNCATED, NULL},
    {"{" V ",\"id\":1,\"method\":\"m\",}", RPC_INVALID, RPC_BAD_JSON, "1"},
    {"{" V ",\"method\":nope,\"id\":1}", RPC_INVALID, RPC_BAD_JSON, NULL},
    {"{" V ",\"id\":1,\"method\":\"m\"} x", RPC_INVALID, RPC_BAD_JSON, "1"},
    {"{\"result\":\"\xff\"," V ",\"id\":4}", RPC_INVALID, RPC_BAD_UTF8, "4"},
    {"{\"result\":\"\xe6\xbc\"," V ",\"id\":4}", RPC_INVALID, RPC_BAD_UTF8, "4"},
    {"{\"result\":\"a\tb\"," V ",\"id\":4}", RPC_INVALID, RPC_BAD_JSON, "4"},
    {"{\"result\":\"\\x41\"," V ",\"id\":4}", RPC_INVALID, RPC_BAD_JSON, "4"},
    {"{\"result\":\"\\u00\"," V ",\"id\":4}", RPC_INVALID, RPC_BAD_JSON, "4"},
    /* a fault of the text outranks one of the message that was met before */
    {"{\"id\":true,\"method\":\"\xff\"}", RPC_INVALID, RPC_BAD_UTF8, NULL},
};

static void tells_kinds_and_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++) {
        struct rpc_envelope env = scan(messages[i].text);
        if (env.kind != messages[i].kind || env.fault != messages[i].fault)
            fail_msg("%s: kind %d, %s", messages[i].text, (int)env.kind, rpc_fault_text(env.fault));
        assert_span(messages[i].text, env.id, messages[i].id);
        bool method = strstr(messages[i].text, "\"method\"") || strstr(messages[i].text, "\"m\\u0065thod\"");
        bool null_method = strstr(messages[i].text, "\"method\":null");
        assert_int_equal(env.has_method, method && !null_method && env.kind != RPC_BATCH);
        assert_int_equal(env.id_null, messages[i].id && strcmp(messages[i].id, "null") == 0);
    }
}

static void knows_the_id_behind_what_is_too_deep(void **state)
{
    (void)state;
    char text[1000] = "{\"result\":";
    size_t at = strlen(text);
    memset(text + at, '[', 300);
    memset(text + at + 300, ']', 300);
    memcpy(text + at + 600, ",\"id\":\"x\"," V "}", sizeof(",\"id\":\"x\"," V "}"));
    struct rpc_envelope env = scan(text);
    assert_int_equal(env.fault, RPC_TOO_DEEP);
    assert_int_equal(env.fault_at, at + RPC_MAX_DEPTH - 1);
    assert_span(text, env.id, "\"x\"");
    assert_int_equal(env.result.len, 600);
}

static void tells_integers(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool is_int;
    } ids[] = {{"0", true},    {"-0", true},   {"-12", true},    {"99999999999999999999", true},
               {"1.0", false}, {"1e2", false}, {"0.5E1", false}, {"\"1\"", false},
               {"null", false}};
    for (size_t i = 0; i < COUNT(ids); i++) {
        char text[100];
        (void)snprintf(text, sizeof(text), "{" V ",\"id\":%s,\"method\":\"m\"}", ids[i].id);
        struct rpc_envelope env = scan(text);
        assert_span(text, env.id, ids[i].id);
        assert_int_equal(env.id_is_int, ids[i].is_int);
    }
}

/* ---- spans ---- */

#define MCP "io.modelcontextprotocol/"

static const char everything[] =
    "{\"params\":{\"name\":\"echo\",\"uri\":\"file:///a\",\"x\":{\"uri\":1,\"_meta\":{\"progressToken\":0}},\"taskId\":\"t\","
    "\"level\":\"info\",\"requestId\":12,\"task\":{\"ttl\":5},\"progressToken\":\"p\",\"_meta\":{\"progressToken\":-1.5,\"y\":[{\"progressToken\":0}],\"io.modelcontextprotocol\\/related-task\":{\"taskId\":\"k\"},"
    "\"" MCP "protocolVersion\":\"2026-07-28\",\"" MCP "clientCapabilities\":{},\"" MCP
    "clientInfo\":{\"name\":\"c\"},"
    "\"" MCP "logLevel\":\"debug\",\"" MCP "subscriptionId\":\"s\"}},"
    "\"method\":\"tools\\/call\"," V ",\"id\":\"a\\\"b\"}";

static void finds_every_routing_key(void **state)
{
    (void)state;
    struct rpc_envelope env = scan(everything);
    assert_int_equal(env.kind, RPC_REQUEST);
    assert_span(everything, env.id, "\"a\\\"b\"");
    assert_span(everything, env.method, "\"tools\\/call\"");
    assert_span(everything, env.jsonrpc, "\"2.0\"");
    assert_span(everything, env.name, "\"echo\"");
    assert_span(everything, env.uri, "\"file:///a\"");
    assert_span(everything, env.task_id, "\"t\"");
    assert_span(everything, env.level, "\"info\"");
    assert_span(everything, env.request_id, "12");
    assert_span(everything, env.task, "{\"ttl\":5}");
    assert_span(everything, env.param_token, "\"p\"");
    assert_span(everything, env.meta_token, "-1.5");
    assert_span(everything, env.related_task, "{\"taskId\":\"k\"}");
    assert_span(everything, env.protocol_version, "\"2026-07-28\"");
    assert_span(everything, env.client_capabilities, "{}");
    assert_span(everything, env.client_info, "{\"name\":\"c\"}");
    assert_span(everything, env.log_level, "\"debug\"");
    assert_span(everything, env.subscription_id, "\"s\"");
    assert_int_equal(everything[env.meta.off], '{');
    assert_int_equal(env.meta.off + env.meta.len, env.params.off + env.params.len - 1);
    assert_false(span_found(env.result) || span_found(env.error));
}

static void finds_responses(void **state)
{
    (void)state;
    static const char result[] = "{ \"result\" : [ {} , 1 ] , \"id\" : 3 , " V "}";
    static const char error[] = "{" V ",\"id\":3,\"error\":{\"code\":-1,\"message\":\"id\"}}";
    struct rpc_envelope env = scan(result);
    assert_span(result, env.result, "[ {} , 1 ]");
    assert_span(result, env.id, "3");
    env = scan(error);
    assert_span(error, env.error, "{\"code\":-1,\"message\":\"id\"}");
    assert_span(error, env.method, NULL);
}

/* Only the root's params, only objects. */
static void looks_into_params_only(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" V ",\"method\":\"m\",\"params\":[{\"uri\":1,\"_meta\":{\"progressToken\":1}}]}",
        "{" V ",\"method\":\"m\",\"x\":{\"uri\":1,\"_meta\":{\"progressToken\":1}}}",
        "{" V ",\"method\":\"m\",\"x\":{\"params\":{\"uri\":1,\"_meta\":{\"progressToken\":1}}}}",
        "{" V ",\"id\":1,\"result\":{\"uri\":1,\"_meta\":{\"progressToken\":1}}}",
        "{" V ",\"method\":\"m\",\"params\":{\"_meta\":[{\"progressToken\":1}],\"x\":{\"uri\":1}}}",
        "[{\"params\":{\"uri\":1,\"_meta\":{\"progressToken\":1}}}]",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct rpc_envelope env = scan(texts[i]);
        assert_int_equal(env.fault, RPC_OK);
        assert_false(span_found(env.uri) || span_found(env.meta_token));
    }
}

static void null_members_have_no_span(void **state)
{
    (void)state;
    static const char text[] =
        "{" V
        ",\"id\":1,\"method\":\"m\",\"result\":null,\"error\":null,\"params\":{\"_meta\":{\"progressToken\":null},"
        "\"taskId\":null,\"task\":null,\"uri\":null,\"level\":null,\"requestId\":null,\"progressToken\":null}}";
    struct rpc_envelope env;
    rpc_scan_line(text, strlen(text), &env);
    assert_int_equal(env.kind, RPC_REQUEST);
    assert_true(span_found(env.params) && span_found(env.meta));
    assert_false(span_found(env.result) || span_found(env.error) || span_found(env.meta_token) ||
                 span_found(env.task_id) || span_found(env.task) || span_found(env.uri) ||
                 span_found(env.level) || span_found(env.request_id) || span_found(env.param_token));
}

/* Of what is invalid: has its sender asked for an answer? */
static void malformed_notifications_are_told_from_requests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_notice;
    } lines[] = {
        {"{" V ",\"method\":\"m\",\"params\":5}", true},
        {"{\"method\":\"m\"}", true},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"m\"}", true},
        {"{" V ",\"method\":5}", true},
        {"{" V ",\"method\":\"m\",\"result\":1}", true},
        {"{" V ",\"method\":\"m\",\"method\":\"n\"}", true},
        {"{" V ",\"method\":\"m\",\"params\":{\"x\":\"\xff\"}}", true},
        {"{" V ",\"method\":\"m\",\"params\":{\"x\":\"\\q\"}}", true},
        {"{" V ",\"method\":\"m\"}", false}, /* sound */
        {"{" V ",\"method\":\"m\",\"params\":5,\"id\":1}", false},
        {"{" V ",\"method\":\"m\",\"id\":{}}", false},
        {"{" V ",\"method\":\"m\",\"ID\":1}", false},
        {"{" V ",\"id\":1,\"method\":\"m\",\"id\":1}", false},
        {"{" V ",\"method\":null}", false},
        {"{" V ",\"method\":\"m\"", false}, /* an id may follow */
        {"{" V ",\"method\":\"m\",\"params\":{x}}", false},
        {"{" V ",\"method\":\"m\"} x", false},
        {"{}", false},
        {"5", false},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct rpc_envelope env;
        rpc_scan_line(lines[i].text, strlen(lines[i].text), &env);
        if (env.is_notice != lines[i].is_notice)
            fail_msg("%s: %d", lines[i].text, env.is_notice);
    }
}

/* ---- cuts ---- */

static void assert_same(const struct rpc_envelope *a, const struct rpc_envelope *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->fault, b->fault);
    assert_int_equal(a->fault_at, b->fault_at);
    assert_int_equal(a->id_null, b->id_null);
    assert_int_equal(a->has_method, b->has_method);
    assert_int_equal(a->is_notice, b->is_notice);
    assert_int_equal(a->id_is_int, b->id_is_int);
    assert_memory_equal(&a->id, &b->id, sizeof(*a) - offsetof(struct rpc_envelope, id));
}

static void scan_cut(const char *text, size_t cut, size_t second_cut, struct rpc_envelope *ret_env)
{
    struct rpc_scan s;
    rpc_scan_init(&s);
    rpc_scan_feed(&s, text, cut);
    struct rpc_scan copy = s; /* plain data */
    memset(&s, 0xa5, sizeof(s));
    rpc_scan_feed(&copy, text + cut, second_cut - cut);
    rpc_scan_feed(&copy, text + second_cut, strlen(text) - second_cut);
    rpc_scan_end(&copy, ret_env);
}

static void check_cuts(const char *text)
{
    struct rpc_envelope whole = scan(text);
    struct rpc_envelope cut;
    size_t len = strlen(text);
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            scan_cut(text, first, second, &cut);
            assert_same(&whole, &cut);
        }
    }
}

/* ---- duplicates ---- */

static void refuse_twice(const char *before, const char *key, const char *value, const char *after)
{
    char text[400];
    (void)snprintf(text, sizeof(text), "{%s%s\"%s\":%s,\"between\":0,\"\\u%04x%s\":%s%s}", V, before, key,
                   value, (unsigned)key[0], key + 1, value, after);
    struct rpc_envelope env = scan(text);
    if (env.fault != RPC_DUPLICATE_KEY || env.kind != RPC_INVALID)
        fail_msg("%s: %s", text, rpc_fault_text(env.fault));
    char *second = strstr(text, "\\u00");
    assert_int_equal(env.fault_at, strchr(second, '"') - text);
    assert_int_equal(rpc_fault_code(env.fault), -32600);
    assert_span(text, env.id, strcmp(key, "id") == 0 ? NULL : "77");
}

static void refuses_a_routing_key_twice_at_its_level(void **state)
{
    (void)state;
    static const char *const root[] = {"id", "method", "params", "result", "error"};
    static const char *const params[] = {"_meta",  "name",  "requestId", "uri",
                                         "taskId", "level", "task",      "progressToken"};
    static const char *const meta[] = {"progressToken",          MCP "related-task", MCP "protocolVersion",
                                       MCP "clientCapabilities", MCP "clientInfo",   MCP "logLevel",
                                       MCP "subscriptionId"};
    for (size_t i = 0; i < COUNT(root); i++)
        refuse_twice(",", root[i], "\"v\"", i == 0 ? "" : ",\"id\":77");
    for (size_t i = 0; i < COUNT(params); i++)
        refuse_twice(",\"method\":\"m\",\"params\":{", params[i], "{}", "},\"id\":77");
    for (size_t i = 0; i < COUNT(meta); i++)
        refuse_twice(",\"id\":77,\"params\":{\"_meta\":{", meta[i], "\"v\"", "}}");
    static const char version[] = "{" V "," V ",\"id\":1,\"method\":\"m\"}";
    struct rpc_envelope env = scan(version);
    assert_int_equal(env.fault, RPC_DUPLICATE_KEY);
    assert_span(version, env.id, "1");
}

/* What a parser that ignores case would take for a routing key, whether or not the key itself is there too.
 */
static void refuses_what_differs_in_case_alone(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "{" V ",\"method\":\"m\",\"ID\":2,\"id\":77}",
        "{" V ",\"id\":77,\"method\":\"m\",\"Id\":2}",
        "{" V ",\"id\":77,\"method\":\"m\",\"i\\u0044\":2}",
        "{" V ",\"id\":77,\"method\":\"m\",\"METHOD\":\"x\"}",
        "{" V ",\"id\":77,\"method\":\"m\",\"params\":{\"requestID\":1}}",
        "{" V ",\"id\":77,\"method\":\"m\",\"params\":{\"_Meta\":1}}",
        "{" V ",\"id\":77,\"method\":\"m\",\"params\":{\"_meta\":{\"progresstoken\":1}}}",
        /* long s and the Kelvin sign, as they are and escaped */
        "{" V ",\"id\":77,\"method\":\"m\",\"param\xc5\xbf\":[]}",
        "{" V ",\"id\":77,\"method\":\"m\",\"params\":{\"ta\xc5\xbf\xe2\x84\xaa\":{}}}",
        "{" V ",\"id\":77,\"method\":\"m\",\"params\":{\"ta\\u017F\\u212aId\":{}}}",
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct rpc_envelope env = scan(refused[i]);
        if (env.fault != RPC_LOOKALIKE_KEY)
            fail_msg("%s: %s", refused[i], rpc_fault_text(env.fault));
        assert_span(refused[i], env.id, "77");
        check_cuts(refused[i]);
    }
    static const char *const fine[] = {
        "{" V ",\"id\":1,\"method\":\"m\",\"URI\":1,\"i\xc3\xa9\":1,\"\xe2\x84\xaa\":1}",
        "{" V ",\"id\":1,\"method\":\"m\",\"params\":{\"ID\":1,\"Arguments\":{\"URI\":1,\"_META\":{}}}}",
        "{" V ",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"URI\":1,\"x\":{\"ProgressToken\":1}}}}",
        /* keys that are only read */
        "{" V ",\"id\":1,\"method\":\"m\",\"params\":{\"Name\":1,\"NAME\":2,\"name\":3}}",
        "{" V ",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"" MCP "protocolversion\":1,\"" MCP
        "ClientInfo\":2}}}",
    };
    for (size_t i = 0; i < COUNT(fine); i++) {
        struct rpc_envelope env = scan(fine[i]);
        assert_int_equal(env.kind, RPC_REQUEST);
        assert_span(fine[i], env.name, strstr(fine[i], "\"name\"") ? "3" : NULL);
        assert_false(span_found(env.protocol_version) || span_found(env.client_info));
        check_cuts(fine[i]);
    }
}

static void an_id_that_stands_twice_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" V ",\"id\":1,\"method\":\"m\",\"id\":2}",
        "{" V ",\"id\":1,\"method\":\"m\",\"id\":1}",
        "{" V ",\"id\":true,\"method\":\"m\",\"id\":1}",
        "{" V ",\"id\":1,\"id\":2,\"id\":3,\"method\":\"m\"}",
        "{" V ",\"id\":null,\"\\u0069\\u0064\":2,\"method\":\"m\"}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct rpc_envelope env = scan(texts[i]);
        assert_int_equal(env.kind, RPC_INVALID);
        assert_false(span_found(env.id) || env.id_null || env.id_is_int);
    }
}

static void lets_other_keys_stand_twice(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" V ",\"id\":1,\"method\":\"m\",\"a\":1,\"a\":2}",
        "{" V ",\"id\":1,\"method\":\"m\",\"uri\":1,\"uri\":2}",
        "{" V
        ",\"id\":1,\"method\":\"m\",\"name\":1,\"name\":2,\"params\":{\"id\":1,\"id\":2,\"cursor\":1,\"cursor\":2}}",
        "{" V
        ",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"uri\":1,\"uri\":2},\"x\":{\"uri\":1,\"uri\":1}}}",
        "{" V ",\"id\":1,\"method\":\"m\",\"params\":{\"uri\":1,\"x\":{\"uri\":1},\"_meta\":{\"uri\":3}}}",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(scan(texts[i]).kind, RPC_REQUEST);
}

/* ---- the whole in pieces ---- */

static void cuts_change_nothing(void **state)
{
    (void)state;
    check_cuts(everything);
    for (size_t i = 0; i < COUNT(messages); i++)
        check_cuts(messages[i].text);
}

static void follows_the_id(void **state)
{
    (void)state;
    static const char text[] = "{" V ",\"id\":\"abc\",\"method\":\"m\"}";
    size_t begin = (size_t)(strstr(text, "\"abc\"") - text);
    struct rpc_scan s;
    rpc_scan_init(&s);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        struct span id = rpc_scan_id(&s);
        size_t seen = i <= begin ? 0 : i - begin < 5 ? i - begin : 5;
        assert_int_equal(id.len, seen);
        assert_int_equal(id.off, seen > 0 ? begin : 0);
        rpc_scan_feed(&s, text + i, 1);
    }
}

/* ---- faults ---- */

static void every_fault_has_a_code_and_a_text(void **state)
{
    (void)state;
    for (int fault = RPC_BAD_JSON; fault <= RPC_BAD_MESSAGE; fault++) {
        assert_int_equal(rpc_fault_code((enum rpc_fault)fault), fault <= RPC_TRUNCATED ? -32700 : -32600);
        assert_null(strpbrk(rpc_fault_text((enum rpc_fault)fault), "\"\\"));
        for (int other = RPC_OK; other < fault; other++)
            assert_string_not_equal(rpc_fault_text((enum rpc_fault)fault),
                                    rpc_fault_text((enum rpc_fault)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_kinds_and_faults),
        cmocka_unit_test(knows_the_id_behind_what_is_too_deep),
        cmocka_unit_test(tells_integers),
        cmocka_unit_test(null_members_have_no_span),
        cmocka_unit_test(malformed_notifications_are_told_from_requests),
        cmocka_unit_test(finds_every_routing_key),
        cmocka_unit_test(finds_responses),
        cmocka_unit_test(looks_into_params_only),
        cmocka_unit_test(refuses_a_routing_key_twice_at_its_level),
        cmocka_unit_test(refuses_what_differs_in_case_alone),
        cmocka_unit_test(an_id_that_stands_twice_is_none),
        cmocka_unit_test(lets_other_keys_stand_twice),
        cmocka_unit_test(cuts_change_nothing),
        cmocka_unit_test(follows_the_id),
        cmocka_unit_test(every_fault_has_a_code_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
