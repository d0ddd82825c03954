/* A descent over one line with nothing to resume: where we are is the program counter, so that a byte costs a
 * compare and a jump and not a state in memory.
 *
 * Happy path: root members -> those of params -> those of _meta, with a span for each routing key; everything
 * else is skipped, and proved strict on the way. Failure mode: one, giving up (NULL).
 */
#include "wire/rpc_fast.h"

#include <string.h>

#include "wire/text.h"

enum { LEVEL_ROOT = 1, LEVEL_PARAMS = 2, LEVEL_META = 3 };

struct line {
    const char *start;
    const char *end;
    struct rpc_envelope *env;
    bool is_2_0;
};

/* ---- values that nobody asks about ---- */

static inline const char *skip_blank(const char *p, const char *end)
{
    return p < end && *p == ' ' ? p + 1 : p;
}

static bool is_unicode_escape(const char *p, const char *end)
{
    return end - p >= 6 && p[1] == 'u' && text_hex(p[2]) >= 0 && text_hex(p[3]) >= 0 && text_hex(p[4]) >= 0 &&
           text_hex(p[5]) >= 0;
}

/* What is not plain in a string, at p. */
static const char *skip_special(const char *p, const char *end)
{
    if (*p == '\\') {
        if (end - p >= 2 && text_escape(p[1]) != 0)
            return p + 2;
        return is_unicode_escape(p, end) ? p + 6 : NULL;
    }
    if ((unsigned char)*p < 0x80 || end - p < 4)
        return NULL;
    size_t n = text_sequence(p);
    return n > 0 ? p + n : NULL;
}

/* p stands behind the opening quote; gives the byte behind the closing one. */
static inline const char *skip_string(const char *p, const char *end)
{
    for (;;) {
        p = text_plain_end(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        p = skip_special(p, end);
        if (!p)
            return NULL;
    }
}

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
    if (!is_digit(p, end))
        return NULL;
    while (is_digit(p, end))
        p++;
    return p;
}

static const char *skip_number(const char *p, const char *end, bool *ret_integer)
{
    p += *p == '-';
    p = is_digit(p, end) && *p == '0' ? p + 1 : skip_digits(p, end);
    *ret_integer = true;
    if (p && p < end && *p == '.') {
        *ret_integer = false;
        p = skip_digits(p + 1, end);
    }
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        *ret_integer = false;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = skip_digits(p, end);
    }
    return p;
}

static const char *skip_word(const char *p, const char *end)
{
    if (end - p >= 4 && (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0))
        return p + 4;
    return end - p >= 5 && memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
}

/* A key with its colon, and the blank behind that. */
static inline const char *skip_key(const char *p, const char *end)
{
    if (p == end || *p != '"')
        return NULL;
    p = skip_string(p + 1, end);
    return p && p < end && *p == ':' ? skip_blank(p + 1, end) : NULL;
}

static inline const char *skip_scalar(const char *p, const char *end)
{
    bool integer;
    if (*p == '"')
        return skip_string(p + 1, end);
    if (*p == '-' || is_digit(p, end))
        return skip_number(p, end, &integer);
    return skip_word(p, end);
}

/* The containers open below the one that the value stands in. */
struct nest {
    uint64_t objects[RPC_MAX_DEPTH / 64];
    unsigned depth;
};

static inline bool nest_open(struct nest *n, bool object, unsigned limit)
{
    uint64_t bit = UINT64_C(1) << (n->depth % 64);
    if (n->depth == limit)
        return false;
    uint64_t *word = &n->objects[n->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    n->depth++;
    return true;
}

static inline bool nest_in_object(const struct nest *n)
{
    return (n->objects[(n->depth - 1) / 64] >> ((n->depth - 1) % 64)) & 1;
}

/* Behind a value: closes what ends here. Gives where the next value begins, or (depth 0) the end of the
 * outermost. */
static inline const char *go_on(struct nest *n, const char *p, const char *end)
{
    while (n->depth > 0) {
        bool object = nest_in_object(n);
        if (p == end)
            return NULL;
        if (*p == ',') {
            p = skip_blank(p + 1, end);
            return object ? skip_key(p, end) : p;
        }
        if (*p != (object ? '}' : ']'))
            return NULL;
        n->depth--;
        p++;
    }
    return p;
}

/* `above`: containers that the value stands in. */
static const char *skip_value(const char *p, const char *end, unsigned above)
{
    struct nest n = {.depth = 0};
    do {
        if (p == end)
            return NULL;
        bool object = *p == '{';
        if (!object && *p != '[') {
            p = skip_scalar(p, end);
        } else {
            if (!nest_open(&n, object, RPC_MAX_DEPTH - above))
                return NULL;
            p++;
            if (p < end && *p != (object ? '}' : ']')) {
                p = object ? skip_key(p, end) : p;
                if (!p)
                    return NULL;
                continue;
            }
        }
        if (!p)
            return NULL;
        p = go_on(&n, p, end);
    } while (p && n.depth > 0);
    return p;
}

/* ---- routing keys ---- */

struct key {
    const char *text;
    size_t len;
};

enum match { MATCH_NONE, MATCH_EXACT, MATCH_NEAR };

/* Equal lengths; those of up to eight bytes in two overlapping words. */
static inline bool same(const char *a, const char *b, size_t len)
{
    uint32_t words[4];
    if (len < 4 || len > 8)
        return memcmp(a, b, len) == 0;
    memcpy(&words[0], a, 4);
    memcpy(&words[1], b, 4);
    memcpy(&words[2], a + len - 4, 4);
    memcpy(&words[3], b + len - 4, 4);
    return words[0] == words[1] && words[2] == words[3];
}

/* Setting 0x20 makes letters lower case, and a few other characters equal: near enough to let the scanner
 * decide. */
static inline enum match match(struct key k, const char *name)
{
    if ((k.text[0] | 0x20) != (name[0] | 0x20))
        return MATCH_NONE;
    if (same(k.text, name, k.len))
        return MATCH_EXACT;
    for (size_t i = 1; i < k.len; i++)
        if ((k.text[i] | 0x20) != (name[i] | 0x20))
            return MATCH_NONE;
    return MATCH_NEAR;
}

struct field {
    const char *name;
    size_t span_at; /* in struct rpc_envelope */
};

/* By level and length; no two of a level and length begin alike, but for the case of that letter. */
static const struct field *find(unsigned level, struct key k, enum match *ret_match)
{
#define FIELD(name_, member_)                                                                                \
    {                                                                                                        \
        name_, offsetof(struct rpc_envelope, member_)                                                        \
    }
    static const struct field root2[] = {FIELD("id", id), {NULL, 0}};
    static const struct field root5[] = {FIELD("error", error), {NULL, 0}};
    static const struct field root6[] = {
        FIELD("method", method), FIELD("params", params), FIELD("result", result), {NULL, 0}};
    static const struct field params3[] = {FIELD("uri", uri), {NULL, 0}};
    static const struct field params4[] = {FIELD("task", task), {NULL, 0}};
    static const struct field params5[] = {FIELD("_meta", meta), FIELD("level", level), {NULL, 0}};
    static const struct field params6[] = {FIELD("taskId", task_id), {NULL, 0}};
    static const struct field params9[] = {FIELD("requestId", request_id), {NULL, 0}};
    static const struct field params13[] = {FIELD("progressToken", param_token), {NULL, 0}};
    static const struct field meta13[] = {FIELD("progressToken", meta_token), {NULL, 0}};
    static const struct field meta36[] = {FIELD("io.modelcontextprotocol/related-task", related_task),
                                          {NULL, 0}};
#undef FIELD
    static const struct field *const by_len[3][14] = {
        {[2] = root2, [5] = root5, [6] = root6},
        {[3] = params3, [4] = params4, [5] = params5, [6] = params6, [9] = params9, [13] = params13},
        {[13] = meta13},
    };
    const struct field *f = k.len < 14                           ? by_len[level - 1][k.len]
                            : level == LEVEL_META && k.len == 36 ? meta36
                                                                 : NULL;
    *ret_match = MATCH_NONE;
    for (; f && f->name; f++) {
        *ret_match = match(k, f->name);
        if (*ret_match != MATCH_NONE)
            return f;
    }
    return NULL;
}

static const char *members(struct line *l, const char *p, unsigned level);

static struct span *span_of(struct line *l, const struct field *f)
{
    return (struct span *)(void *)((char *)l->env + f->span_at);
}

/* The value of a root member that has rules of its own. */
static const char *root_value(struct line *l, const struct span *span, const char *p)
{
    if (span == &l->env->id) {
        bool integer = false;
        l->env->id_null = *p == 'n';
        if (*p == '"')
            p = skip_string(p + 1, l->end);
        else
            p = *p == 'n'                          ? skip_word(p, l->end)
                : *p == '-' || is_digit(p, l->end) ? skip_number(p, l->end, &integer)
                                                   : NULL;
        l->env->id_is_int = integer;
        return p;
    }
    if (span == &l->env->method)
        return *p == '"' ? skip_string(p + 1, l->end) : NULL;
    if (span == &l->env->params && *p == '{')
        return members(l, p, LEVEL_PARAMS);
    if (span == &l->env->params && *p != '[')
        return NULL;
    return skip_value(p, l->end, LEVEL_ROOT);
}

static const char *field_value(struct line *l, const struct field *f, const char *p, unsigned level)
{
    struct span *span = span_of(l, f);
    const char *from = p;
    if (span_found(*span))
        return NULL;
    if (level == LEVEL_ROOT)
        p = root_value(l, span, p);
    else if (span == &l->env->meta && *p == '{')
        p = members(l, p, LEVEL_META);
    else
        p = skip_value(p, l->end, level);
    if (p)
        *span = (struct span){(size_t)(from - l->start), (size_t)(p - from)};
    return p;
}

static const char *version_value(struct line *l, const char *p)
{
    if (l->is_2_0 || l->end - p < 5 || memcmp(p, "\"2.0\"", 5) != 0)
        return NULL;
    l->is_2_0 = true;
    return p + 5;
}

/* One member, at its key's opening quote. */
static const char *member(struct line *l, const char *p, unsigned level)
{
    if (p == l->end || *p != '"')
        return NULL;
    struct key k = {.text = p + 1};
    p = text_plain_end(p + 1, l->end);
    if (l->end - p < 3 || p[0] != '"' || p[1] != ':')
        return NULL;
    k.len = (size_t)(p - k.text);
    p = skip_blank(p + 2, l->end);
    if (p == l->end)
        return NULL;
    enum match how;
    if (level == LEVEL_ROOT && k.len == 7 && (how = match(k, "jsonrpc")) != MATCH_NONE)
        return how == MATCH_EXACT ? version_value(l, p) : NULL;
    const struct field *f = find(level, k, &how);
    if (!f)
        return skip_value(p, l->end, level);
    return how == MATCH_EXACT ? field_value(l, f, p, level) : NULL;
}

/* A watched object, at its brace; gives the byte behind it. */
static const char *members(struct line *l, const char *p, unsigned level)
{
    p++;
    if (p < l->end && *p == '}')
        return p + 1;
    for (;;) {
        p = member(l, p, level);
        if (!p || p == l->end)
            return NULL;
        if (*p == '}')
            return p + 1;
        if (*p != ',')
            return NULL;
        p = skip_blank(p + 1, l->end);
    }
}

/* ---- the line ---- */

static enum rpc_kind kind_of(const struct rpc_envelope *env)
{
    bool id = span_found(env->id);
    bool result = span_found(env->result);
    bool error = span_found(env->error);
    if (span_found(env->method))
        return result || error ? RPC_INVALID : id ? RPC_REQUEST : RPC_NOTIFICATION;
    if (result == error)
        return RPC_INVALID;
    return error ? RPC_ERROR : id && !env->id_null ? RPC_RESULT : RPC_INVALID;
}

bool rpc_fast_line(const char *bytes, size_t len, struct rpc_envelope *ret_env)
{
    struct line l = {.start = bytes, .end = bytes + len, .env = ret_env};
    if (len == 0 || bytes[0] != '{')
        return false;
    memset(ret_env, 0, sizeof(*ret_env));
    if (members(&l, bytes, LEVEL_ROOT) != l.end || !l.is_2_0)
        return false;
    ret_env->kind = kind_of(ret_env);
    ret_env->has_method = span_found(ret_env->method);
    return ret_env->kind != RPC_INVALID;
}
