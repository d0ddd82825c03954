/* The envelope scan against jansson as the oracle, and against itself in other chunks.
 *
 * Input: one byte that seeds the cuts, then the text. Checked:
 * - strict JSON by us is JSON to jansson and the reverse, but for what is known to differ (excused, below);
 * - one shot, cut pieces and single bytes give the same envelope;
 * - every span stands in the text, is strict JSON and equals what jansson finds under that key;
 * - strings decode alike, batches and objects take apart alike.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/common/strict_json.h"
#include "wire/rpc.h"
#include "wire/json_member.h"
#include "wire/json_same.h"
#include "wire/line_split.h"
#include "wire/rpc_keys.h"
#include "wire/stray.h"

/* Not assert: these must fail with NDEBUG too. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
    const char *bytes;
    size_t len;
};

static bool same_envelope(const struct rpc_envelope *a, const struct rpc_envelope *b)
{
    size_t spans = offsetof(struct rpc_envelope, id);
    return a->kind == b->kind && a->fault == b->fault && a->fault_at == b->fault_at &&
           a->id_null == b->id_null && a->has_method == b->has_method && a->is_notice == b->is_notice &&
           a->id_is_int == b->id_is_int &&
           memcmp((const char *)a + spans, (const char *)b + spans, sizeof(*a) - spans) == 0;
}

/* Each piece is a copy of its own, so that a sanitizer sees any look beyond it. */
static void feed_copy(struct rpc_scan *s, const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    CHECK(copy);
    memcpy(copy, bytes, len);
    rpc_scan_feed(s, copy, len);
    free(copy);
}

static void scan_in_pieces(struct text t, unsigned seed, size_t max_piece, struct rpc_envelope *ret_env)
{
    struct rpc_scan s;
    rpc_scan_init(&s);
    for (size_t at = 0; at < t.len;) {
        seed = seed * 1103515245U + 12345U;
        size_t n = 1 + (seed >> 16) % max_piece;
        if (n > t.len - at)
            n = t.len - at;
        feed_copy(&s, t.bytes + at, n);
        at += n;
    }
    rpc_scan_end(&s, ret_env);
}

/* What jansson refuses for reasons of its own: numbers it cannot hold, NUL in a key, lone surrogates. */
static bool excused(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           strstr(error->text, "invalid Unicode '\\u");
}

static json_t *oracle_parse(struct text t, json_error_t *ret_error)
{
    return json_loadb(t.bytes, t.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, ret_error);
}

/* What jansson accepts and we do not: more levels, and anything at all behind a NUL that follows the value.
 */
static void check_verdict(struct text t, enum rpc_fault fault, size_t fault_at, const json_t *tree,
                          const json_error_t *error)
{
    if (fault == RPC_OK)
        CHECK(tree || excused(error));
    else
        CHECK(!tree || fault == RPC_TOO_DEEP || (fault_at < t.len && t.bytes[fault_at] == '\0'));
}

static void check_equal(struct text t, const json_t *expected)
{
    json_error_t error;
    CHECK(is_strict_json(t.bytes, t.len));
    json_t *tree = oracle_parse(t, &error);
    CHECK(tree && json_equal(tree, expected));
    json_decref(tree);
}

static void check_string(struct text t, const json_t *expected)
{
    size_t cap = json_string_length(expected);
    char *decoded = malloc(cap > 0 ? cap : 1);
    CHECK(decoded);
    CHECK(rpc_decode_string(t.bytes, t.len, decoded, cap) == cap);
    CHECK(memcmp(decoded, json_string_value(expected), cap) == 0);
    if (!memchr(decoded, '\0', cap))
        CHECK(rpc_string_is(t.bytes, t.len, json_string_value(expected)));
    free(decoded);
}

/* What is null counts as absent, unless `null_too`. */
static void check_span(struct text t, struct span span, const json_t *object, const char *key, bool null_too)
{
    const json_t *expected = json_object_get(object, key);
    if (json_is_null(expected) && !null_too)
        expected = NULL;
    CHECK(span_found(span) == !!expected);
    if (!expected)
        return;
    CHECK(span.off < t.len && span.len <= t.len - span.off);
    struct text value = {t.bytes + span.off, span.len};
    check_equal(value, expected);
    if (json_is_string(expected))
        check_string(value, expected);
}

static bool null_counts(enum rpc_key key, const struct rpc_envelope *env)
{
    return key == RPC_KEY_ID || (key == RPC_KEY_RESULT && env->kind == RPC_RESULT);
}

static void check_spans(struct text t, const struct rpc_envelope *env, const json_t *root)
{
    const json_t *params = json_object_get(root, "params");
    const json_t *meta = json_object_get(params, "_meta");
#define X(id_, name_, member_, how_, case_rule_)                                                             \
    check_span(t, env->member_, root, name_, null_counts(RPC_KEY_##id_, env));
    RPC_ROOT_KEYS(X)
#undef X
#define X(id_, name_, member_, how_, case_rule_) check_span(t, env->member_, params, name_, false);
    RPC_PARAMS_KEYS(X)
#undef X
#define X(id_, name_, member_, how_, case_rule_) check_span(t, env->member_, meta, name_, false);
    RPC_META_KEYS(X)
#undef X
}

static void check_batch(struct text t, const json_t *array)
{
    size_t pos = 0;
    size_t count = 0;
    struct span element;
    while (json_element_next(t.bytes, t.len, &pos, &element)) {
        CHECK(element.off < t.len && element.len <= t.len - element.off);
        check_equal((struct text){t.bytes + element.off, element.len}, json_array_get(array, count));
        count++;
    }
    CHECK(count == json_array_size(array));
}

static void check_members(struct text t, json_t *object)
{
    const char *key;
    json_t *value;
    int count = 0;
    json_object_foreach(object, key, value)
    {
        struct span span;
        CHECK(json_member_find(t.bytes, t.len, key, &span));
        check_equal((struct text){t.bytes + span.off, span.len}, value);
        if (++count == 16)
            break;
    }
    struct span span;
    if (!json_object_get(object, "no such key"))
        CHECK(!json_member_find(t.bytes, t.len, "no such key", &span));
}

/* Any bytes at all: these must come back, having read nothing outside. */
static void try_pieces_on_anything(struct text t)
{
    char out[32];
    size_t pos = 0;
    struct span span;
    uint64_t id;
    while (json_element_next(t.bytes, t.len, &pos, &span))
        CHECK(span.len > 0 && span.off + span.len <= t.len);
    if (json_member_find(t.bytes, t.len, "a", &span))
        CHECK(span.off + span.len <= t.len);
    size_t decoded = rpc_decode_string(t.bytes, t.len, out, sizeof(out));
    CHECK(decoded <= sizeof(out) || decoded == SIZE_MAX);
    (void)rpc_method(t.bytes, t.len);
    uint64_t spelled;
    bool found = rpc_parse_spelled_id(t.bytes, t.len, &spelled);
    if (rpc_parse_id(t.bytes, t.len, &id))
        CHECK(found && spelled == id);
    struct line_split split;
    struct frame part;
    bool whole;
    line_split_init(&split, t.bytes, t.len);
    while (line_split_next(&split, &part, &whole)) {
        CHECK(part.bytes >= t.bytes && part.len > 0 && part.bytes + part.len <= t.bytes + t.len);
        CHECK(!whole || rpc_check_json(part.bytes, part.len, NULL) == RPC_OK);
    }
    CHECK(strlen(stray_text(stray_look(t.bytes, t.len))) > 0);
    CHECK(json_same(t.bytes, t.len, t.bytes, t.len));
    if (rpc_parse_id(t.bytes, t.len, &id))
        CHECK(is_strict_json(t.bytes, t.len) && id < UINT64_C(1) << 53);
}

static void check_text(struct text t, unsigned seed)
{
    struct rpc_envelope env;
    struct rpc_envelope other;
    rpc_scan_line(t.bytes, t.len, &env);
    scan_in_pieces(t, seed, 1 + seed % 40, &other);
    CHECK(same_envelope(&env, &other));
    scan_in_pieces(t, seed, 1, &other);
    CHECK(same_envelope(&env, &other));
    CHECK((env.kind == RPC_INVALID) == (env.fault != RPC_OK) && env.fault_at <= t.len);

    size_t fault_at = 0;
    enum rpc_fault fault = rpc_check_json(t.bytes, t.len, &fault_at);
    bool text_fault = env.fault != RPC_OK && rpc_fault_code(env.fault) == -32700;
    if (!memchr(t.bytes, '\n', t.len))
        CHECK(text_fault ? env.fault == fault && env.fault_at == fault_at : fault == RPC_OK);
    else
        CHECK(text_fault || fault == RPC_OK);

    json_error_t error;
    json_t *tree = oracle_parse(t, &error);
    check_verdict(t, fault, fault_at, tree, &error);
    if (tree && !text_fault) {
        if (env.kind == RPC_BATCH)
            check_batch(t, tree);
        else if (env.kind != RPC_INVALID)
            check_spans(t, &env, tree);
        if (json_is_object(tree))
            check_members(t, tree);
    }
    json_decref(tree);
    try_pieces_on_anything(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    json_object_seed(1); /* the same run for the same input */
    char *bytes = malloc(size);
    CHECK(bytes);
    memcpy(bytes, data + 1, size - 1);
    check_text((struct text){bytes, size - 1}, data[0]);
    free(bytes);
    return 0;
}
