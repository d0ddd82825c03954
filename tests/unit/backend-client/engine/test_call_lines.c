/* backend-client/src/engine/call.c, call_write: every line that it makes; sizes at the frame's limit and at the
 * buffer's, too little memory. A line is read back twice: by the relay's envelope scan (wire/rpc.h) and as a
 * tree (wire/json.h).
 */
#include <errno.h>
#include <inttypes.h>
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
#include "wire/json.h"
#include "wire/rpc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Every member of `was` but `except` stands in `is` with the same bytes. */
static void same_members(const struct json_doc *was_doc, json_node was, const struct json_doc *is_doc,
                         json_node is, const char *except)
{
    json_node except_value = json_get(was_doc, was, except);
    for (json_node key = json_first(was_doc, was); key != JSON_ABSENT; key = json_next(was_doc, key)) {
        json_node value = json_value(was_doc, key);
        if (value == except_value)
            continue;
        size_t key_len;
        size_t was_len;
        size_t is_len;
        const char *key_raw = json_raw(was_doc, key, &key_len);
        char name[64] = "";
        assert_true(rpc_decode_string(key_raw, key_len, name, sizeof(name) - 1) < sizeof(name));
        const char *was_raw = json_raw(was_doc, value, &was_len);
        const char *is_raw = json_raw(is_doc, json_get(is_doc, is, name), &is_len);
        assert_non_null(is_raw);
        assert_int_equal(is_len, was_len);
        assert_memory_equal(is_raw, was_raw, was_len);
    }
}

/* params with the token: everything that the caller wrote, and one member more. */
static void check_token(const struct json_doc *line, json_node params, const char *given)
{
    struct json_doc *was;
    const char *text = given ? given : "{}";
    assert_int_equal(json_parse(text, strlen(text), JSON_STRICT, 1000, &was, NULL), 0);
    json_node was_meta = json_get(was, json_root(was), "_meta");
    json_node meta = json_get(line, params, "_meta");
    int64_t token;
    assert_true(json_int(line, json_get(line, meta, "progressToken"), 0, INT64_MAX, &token));
    assert_int_equal(token, CALL_ID);
    assert_int_equal(json_count(line, params),
                     json_count(was, json_root(was)) + (was_meta == JSON_ABSENT ? 1 : 0));
    assert_int_equal(json_count(line, meta), (was_meta == JSON_ABSENT ? 0 : json_count(was, was_meta)) + 1);
    same_members(was, json_root(was), line, params, "_meta");
    if (was_meta != JSON_ABSENT)
        same_members(was, was_meta, line, meta, "progressToken");
    json_free(was);
}

static void check_tree(const char *line, const struct ar_call *o)
{
    struct json_doc *doc;
    size_t method_len;
    assert_int_equal(json_parse(line, strlen(line), JSON_STRICT, 1000, &doc, NULL), 0);
    json_node root = json_root(doc);
    const char *method = json_string(doc, json_get(doc, root, "method"), &method_len);
    json_node params = json_get(doc, root, "params");
    int64_t id;
    assert_int_equal(json_count(doc, root), o->params || o->on_progress ? 4 : 3);
    assert_string_equal(json_string(doc, json_get(doc, root, "jsonrpc"), NULL), "2.0");
    assert_true(json_int(doc, json_get(doc, root, "id"), 0, INT64_MAX, &id));
    assert_int_equal(id, CALL_ID);
    assert_non_null(method);
    assert_string_equal(method, o->method);
    assert_int_equal(method_len, strlen(o->method));
    if (o->on_progress)
        check_token(doc, params, o->params);
    json_free(doc);
}

/* The line as the relay sees it. */
static void check_envelope(const char *line, const struct ar_call *o)
{
    struct rpc_envelope env;
    uint64_t id;
    uint64_t token;
    rpc_scan_line(line, strlen(line), &env);
    assert_int_equal(env.fault, RPC_OK);
    assert_int_equal(env.kind, RPC_REQUEST);
    assert_true(rpc_parse_id(line + env.id.off, env.id.len, &id));
    assert_int_equal(id, CALL_ID);
    assert_true(rpc_string_is(line + env.method.off, env.method.len, o->method));
    assert_int_equal(span_found(env.params), o->params || o->on_progress);
    assert_int_equal(span_found(env.meta_token), !!o->on_progress);
    if (o->on_progress) {
        assert_true(rpc_parse_id(line + env.meta_token.off, env.meta_token.len, &token));
        assert_int_equal(token, CALL_ID);
    }
}

/* `tail`: what stands behind the method. */
static void writes(const char *params, bool progress, const char *tail)
{
    struct ar_call o = call_fixture_options("tools/call", params, progress);
    struct call *c = call_fixture_make(&o);
    char *line = call_fixture_line(c);
    char wanted[1024];
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"tools/call\"%s", CALL_ID, tail);
    assert_string_equal(line, wanted);
    check_envelope(line, &o);
    check_tree(line, &o);
    mem_free(line);
    call_free(c);
}

/* ---- without a token, with one ---- */

static void lines_without_a_token(void **state)
{
    (void)state;
    writes(NULL, false, "}");
    writes("{}", false, ",\"params\":{}}");
    writes("[]", false, ",\"params\":[]}");
    writes(" \t[1, {\"_meta\":{}}]\r\n", false, ",\"params\":[1, {\"_meta\":{}}]}");
    writes("{\"_meta\":{\"b\":1},\"a\":\"\\n\"}", false, ",\"params\":{\"_meta\":{\"b\":1},\"a\":\"\\n\"}}");
}

#define TOKEN "\"progressToken\":7"
#define META  "\"_meta\":{" TOKEN "}"

/* Where params have no _meta of their own, whatever looks like one. */
static void a_token_where_there_is_no_meta(void **state)
{
    (void)state;
    writes(NULL, true, ",\"params\":{" META "}}");
    writes("{}", true, ",\"params\":{" META "}}");
    writes(" { \t} ", true, ",\"params\":{" META " \t}}");
    writes("{\"a\":1}", true, ",\"params\":{" META ",\"a\":1}}");
    writes("{ \"a\":1}", true, ",\"params\":{" META ", \"a\":1}}");
    writes("{\"a\":{\"_meta\":{}}}", true, ",\"params\":{" META ",\"a\":{\"_meta\":{}}}}");
    writes("{\"a\":{\"_meta\":{\"progressToken\":1}}}", true,
           ",\"params\":{" META ",\"a\":{\"_meta\":{\"progressToken\":1}}}}");
    writes("{\"a\":[{\"_meta\":[]}]}", true, ",\"params\":{" META ",\"a\":[{\"_meta\":[]}]}}");
    writes("{\"a\":\"_meta\"}", true, ",\"params\":{" META ",\"a\":\"_meta\"}}");
    writes("{\"a\":\"\\\"_meta\\\":{\"}", true, ",\"params\":{" META ",\"a\":\"\\\"_meta\\\":{\"}}");
    writes("{\"_metadata\":{},\"meta\":{}}", true, ",\"params\":{" META ",\"_metadata\":{},\"meta\":{}}}");
    writes("{\"\\\\u005fmeta\":{}}", true, ",\"params\":{" META ",\"\\\\u005fmeta\":{}}}");
    writes("{\"progressToken\":1}", true, ",\"params\":{" META ",\"progressToken\":1}}");
}

static void a_token_in_the_meta_that_is_there(void **state)
{
    (void)state;
    writes("{\"_meta\":{}}", true, ",\"params\":{\"_meta\":{" TOKEN "}}}");
    writes("{\"_meta\" : { } }", true, ",\"params\":{\"_meta\" : {" TOKEN " } }}");
    writes("{\"_meta\":{\"b\":1}}", true, ",\"params\":{\"_meta\":{" TOKEN ",\"b\":1}}}");
    writes("{\"_meta\":{\"b\":1},\"a\":2}", true, ",\"params\":{\"_meta\":{" TOKEN ",\"b\":1},\"a\":2}}");
    writes("{\"a\":2,\"_meta\":{\"b\":1}}", true, ",\"params\":{\"a\":2,\"_meta\":{" TOKEN ",\"b\":1}}}");
    writes("{\"a\":2,\"_meta\":{},\"c\":3}", true, ",\"params\":{\"a\":2,\"_meta\":{" TOKEN "},\"c\":3}}");
    writes("{\"a\":{\"_meta\":{\"x\":1}},\"_meta\":{ \"b\":1}}", true,
           ",\"params\":{\"a\":{\"_meta\":{\"x\":1}},\"_meta\":{" TOKEN ", \"b\":1}}}");
    writes("{\"_meta\":{\"_meta\":{\"progressToken\":1}}}", true,
           ",\"params\":{\"_meta\":{" TOKEN ",\"_meta\":{\"progressToken\":1}}}}");
    writes("{\"a\":\"_meta\",\"_meta\":{\"b\":\"progressToken\"}}", true,
           ",\"params\":{\"a\":\"_meta\",\"_meta\":{" TOKEN ",\"b\":\"progressToken\"}}}");
    writes("{\"\\u005fmeta\":{}}", true, ",\"params\":{\"\\u005fmeta\":{" TOKEN "}}}");
    writes("{\"a\":1,\"_m\\u0065ta\":{\"b\":[]}}", true,
           ",\"params\":{\"a\":1,\"_m\\u0065ta\":{" TOKEN ",\"b\":[]}}}");
}

/* Every raw line end between tokens becomes one blank; escaped ones inside strings stay. */
static void raw_line_ends_become_blanks(void **state)
{
    (void)state;
    writes("\r\n{\r\n\"a\"\n:\r[1,\n2 ]\n,\"b\":\"x\\r\\ny\"\n}\r\n", false,
           ",\"params\":{  \"a\" : [1, 2 ] ,\"b\":\"x\\r\\ny\" }}");
    writes("[\n\n]", false, ",\"params\":[  ]}");
    writes("{\n}\n", true, ",\"params\":{" META " }}");
    writes("{\n\"a\":\"\\n\"}", true, ",\"params\":{" META ", \"a\":\"\\n\"}}");
    writes("\n{\"a\":1,\n\"_meta\"\n:\r{\n}\n}", true, ",\"params\":{\"a\":1, \"_meta\" : {" TOKEN " } }}");
    writes("{\"_meta\":{\r\"b\":1}}", true, ",\"params\":{\"_meta\":{" TOKEN ", \"b\":1}}}");
}

/* ---- methods, ids ---- */

static void a_method_is_escaped(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "\"",
        "\\",
        "a\"b\\c/d",
        "x\",\"params\":{\"y\":1},\"z\":\"",
        "x\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize",
        "\\u0069nitialize",
        "\\",
        "line\nend\r\n",
        "\t\b\f\x1f\x7f",
        "\x01\x02\x03\x04\x05\x06\x07\x0e\x1b",
        "\xc2\x80\xc3\xa9\xe2\x82\xac\xe2\x80\xa8\xef\xbf\xbf\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
        "sixteen bytes ..\"and behind",
        "relay/\"",
    };
    static const char *const params[] = {NULL, "{}", "{\"a\":1}", "{\"x\":0,\"_meta\":{\"b\":1}}"};
    for (size_t i = 0; i < COUNT(methods) * COUNT(params) * 2; i++) {
        struct ar_call o =
            call_fixture_options(methods[i / 2 / COUNT(params)], params[i / 2 % COUNT(params)], i % 2 != 0);
        struct call *c = call_fixture_make(&o);
        char *line = call_fixture_line(c);
        check_envelope(line, &o);
        check_tree(line, &o);
        mem_free(line);
        call_free(c);
    }
}

static void an_id_stands_twice_where_there_is_a_token(void **state)
{
    (void)state;
    static const uint64_t ids[] = {
        1, 9, 10, 99, 100, (UINT64_C(1) << 53) - 1, UINT64_C(10000000000000000000), UINT64_MAX};
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct ar_call o = call_fixture_options("m", "{\"a\":1}", true);
        struct call *c = call_fixture_make(&o);
        c->id = ids[i];
        char *line = call_fixture_line(c);
        char wanted[256];
        (void)snprintf(wanted, sizeof(wanted),
                       "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64
                       ",\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":%" PRIu64 "},\"a\":1}}",
                       ids[i], ids[i]);
        assert_string_equal(line, wanted);
        mem_free(line);
        call_free(c);
    }
}

/* ---- the frame limit ---- */

/* The smallest frame limit that `o` passes; every smaller one has to refuse it, every larger one to take it.
 */
static size_t frame_needed(const struct ar_call *o)
{
    size_t needed = 0;
    for (size_t limit = 0; limit < 1000; limit++) {
        struct call *c;
        fault_alloc_fail_at(0);
        int rc = call_fixture_try(o, limit, &c);
        if (rc == AR_OK) {
            needed = needed ? needed : limit;
            call_free(c);
            continue;
        }
        assert_int_equal(rc, AR_E_TOO_LARGE);
        assert_int_equal(needed, 0);
        assert_int_equal(fault_alloc_count(), 0); /* the limit is checked before anything is allocated */
    }
    assert_true(needed > 0);
    return needed;
}

/* The line with the longest id, its newline not counted. */
static size_t longest_line(const struct ar_call *o)
{
    struct call *c = call_fixture_make(o);
    c->id = UINT64_MAX;
    char *line = call_fixture_line(c);
    size_t len = strlen(line);
    mem_free(line);
    call_free(c);
    return len;
}

/* Exact where nothing has to be guessed; else never less than what may be sent, and little more. */
static void the_frame_limit_is_exact(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *params;
        bool progress;
        size_t slack;
    } cases[] = {
        {"m", NULL, false, 0},
        {"m", "{}", false, 0},
        {"tools/call", "{\"name\":\"a\",\"arguments\":[1,2,3]}", false, 0},
        {"m", NULL, true, 16},
        {"m", "{}", true, 20},
        {"m", "{\"a\":1}", true, 20},
        {"m", "{\"_meta\":{\"a\":1}}", true, 32},
        {"a\"b\x01", "{}", false, 2 * 5 + 4},
        {"\x01\x02\x1f", NULL, false, 0},
        {"\x01\x02\x1f", NULL, true, 16},
        {"\xc3\xa9", "[]", false, 10},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ar_call o = call_fixture_options(cases[i].method, cases[i].params, cases[i].progress);
        size_t needed = frame_needed(&o);
        size_t sent = longest_line(&o);
        assert_in_range(needed, sent, sent + cases[i].slack);
    }
}

/* A length that is too large is refused for what it says: nothing is read that does not stand there. */
static void lengths_beyond_all_bounds(void **state)
{
    (void)state;
    char *two = mem_dup("{}", 2);
    assert_non_null(two);
    for (int progress = 0; progress < 2; progress++) {
        struct ar_call o = call_fixture_options("m", two, progress != 0);
        struct call *c;
        for (size_t less = 0; less < 200; less++) {
            const size_t lens[] = {SIZE_MAX - less, SIZE_MAX / 2 - less, CALL_FRAME_MAX + 200 - less};
            for (size_t i = 0; i < COUNT(lens); i++) {
                o.params_len = lens[i];
                assert_int_equal(call_fixture_try(&o, CALL_FRAME_MAX, &c), AR_E_TOO_LARGE);
            }
        }
        o.params_len = SIZE_MAX; /* no limit allows what no size_t can say */
        assert_int_equal(call_fixture_try(&o, SIZE_MAX, &c), AR_E_TOO_LARGE);
        o.params_len = SIZE_MAX - 40;
        assert_int_equal(call_fixture_try(&o, SIZE_MAX, &c), AR_E_TOO_LARGE);
        o.params_len = 2;
        assert_int_equal(call_fixture_try(&o, SIZE_MAX, &c), AR_OK);
        call_free(c);
    }
    mem_free(two);
}

static void a_method_may_be_too_large(void **state)
{
    (void)state;
    const size_t len = 4096;
    char *method = mem_alloc(len + 1);
    assert_non_null(method);
    memset(method, 'm', len);
    method[len] = '\0';
    struct ar_call o = call_fixture_options(method, NULL, false);
    struct call *c;
    assert_int_equal(call_fixture_try(&o, len, &c), AR_E_TOO_LARGE);
    assert_int_equal(call_fixture_try(&o, 2 * len, &c), AR_OK);
    call_free(c);
    memset(method, '\x01', len); /* six bytes each in the line */
    assert_int_equal(call_fixture_try(&o, 6 * len, &c), AR_E_TOO_LARGE);
    assert_int_equal(call_fixture_try(&o, 7 * len, &c), AR_OK);
    call_free(c);
    mem_free(method);
}

/* ---- a buffer at its limit, memory at its end ---- */

static const struct written {
    const char *method;
    const char *params;
    bool progress;
} written[] = {
    {"m", NULL, false},
    {"m", "{\"a\":1}", false},
    {"m", NULL, true},
    {"m", "{\"a\":1}", true},
    {"m", "{\"_meta\":{}}", true},
    {"\"", NULL, false},
    {"\n\x01", "{\"a\":1}", false},
    {"a\"\xc3\xa9", "{\"_meta\":{}}", true},
};

/* Behind three bytes that were there before, two more being consumed already. */
static void prepare(struct buf *out, size_t max_bytes)
{
    buf_init(out, max_bytes);
    assert_int_equal(buf_append(out, "xxabc", 5), 0);
    buf_consume(out, 2);
}

static void holds_only_what_was_there(const struct buf *out)
{
    assert_int_equal(buf_len(out), 3);
    assert_memory_equal(buf_data(out), "abc", 3);
}

/* All or nothing at every limit. A call that passed a frame limit fits where there is room for such a frame
 * and its newline. */
static void all_or_nothing_at_the_buffers_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        struct ar_call o = call_fixture_options(written[i].method, written[i].params, written[i].progress);
        struct call *c = NULL;
        size_t frame = 0;
        while (call_fixture_try(&o, frame, &c) != AR_OK)
            frame++;
        c->id = UINT64_MAX;
        char *line = call_fixture_line(c);
        const size_t len = strlen(line);
        for (size_t room = 2; room < frame + 10; room++) {
            struct buf out;
            prepare(&out, 3 + room);
            int rc = call_write(c, &out);
            assert_int_equal(rc, room < frame + 1 ? ERR_TOO_LARGE : 0);
            if (rc == 0) {
                assert_int_equal(buf_len(&out), 3 + len + 1);
                assert_memory_equal(buf_data(&out) + 3, line, len);
                assert_int_equal(buf_data(&out)[3 + len], '\n');
                buf_truncate(&out, 3);
            }
            holds_only_what_was_there(&out);
            buf_done(&out);
        }
        mem_free(line);
        call_free(c);
    }
}

static int new_and_write(const struct ar_call *o, struct buf *out)
{
    struct call *c;
    int rc = call_fixture_try(o, CALL_FRAME_MAX, &c);
    if (rc != AR_OK)
        return rc;
    c->id = CALL_ID;
    rc = call_write(c, out);
    call_free(c);
    return rc;
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        struct ar_call o = call_fixture_options(written[i].method, written[i].params, written[i].progress);
        size_t failed = 0;
        for (size_t n = 1;; n++) {
            struct buf out;
            char full[254] =
                ""; /* with what was there before nearly all of the first storage: it has to grow */
            prepare(&out, CALL_FRAME_MAX);
            buf_clear(&out);
            assert_int_equal(buf_append(&out, full, sizeof(full)), 0);
            size_t live = fault_alloc_live();
            fault_alloc_fail_at(n);
            int rc = new_and_write(&o, &out);
            bool fired = fault_alloc_fired();
            fault_alloc_fail_at(0);
            assert_int_equal(fault_alloc_live(), live);
            assert_int_equal(buf_len(&out) == sizeof(full), fired);
            assert_memory_equal(buf_data(&out), full, sizeof(full));
            buf_done(&out);
            if (!fired) {
                assert_int_equal(rc, 0);
                break;
            }
            assert_int_equal(rc, n == 1 ? AR_E_NO_MEMORY : -ENOMEM);
            failed++;
        }
        assert_true(failed >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_without_a_token),
        cmocka_unit_test(a_token_where_there_is_no_meta),
        cmocka_unit_test(a_token_in_the_meta_that_is_there),
        cmocka_unit_test(raw_line_ends_become_blanks),
        cmocka_unit_test(a_method_is_escaped),
        cmocka_unit_test(an_id_stands_twice_where_there_is_a_token),
        cmocka_unit_test(the_frame_limit_is_exact),
        cmocka_unit_test(lengths_beyond_all_bounds),
        cmocka_unit_test(a_method_may_be_too_large),
        cmocka_unit_test(all_or_nothing_at_the_buffers_limit),
        cmocka_unit_test(the_nth_allocation_fails),
    };
    return cmocka_run_group_tests_name("client_call_lines", tests, call_fixture_set_up,
                                       call_fixture_tear_down);
}
