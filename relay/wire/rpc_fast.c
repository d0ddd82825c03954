/* A recursive descent over one frame with nothing to resume: the position in the grammar is the program
 * counter, so that a byte costs a compare and a jump and no state in memory.
 *
 * Happy path: root members -> those of params -> those of _meta, with a span for each routing key; every
 * other value is checked for strictness and skipped. Failure mode: the scan gives up (NULL).
 */
#include "wire/rpc_fast.h"

#include <string.h>

#include "wire/rpc_keys.h"
#include "wire/text.h"

struct line {
    const char *start;
    const char *end;
    struct rpc_envelope *env;
};

/* ---- values that are skipped ---- */

static bool is_unicode_escape(const char *p, const char *end)
{
    return end - p >= 6 && p[1] == 'u' && text_hex(p[2]) >= 0 && text_hex(p[3]) >= 0 && text_hex(p[4]) >= 0 &&
           text_hex(p[5]) >= 0;
}

/* A byte in a string, at p, that is not plain. */
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

/* p is behind the opening quote; returns the byte behind the closing one. */
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

static const char *skip_digits(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p > from ? p : NULL;
}

static const char *skip_number(const char *p, const char *end, bool *ret_integer)
{
    p += *p == '-';
    p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
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

/* Behind a key: to the value, of which there is a byte at least. */
static inline const char *skip_colon(const char *p, const char *end)
{
    if (end - p < 2 || *p++ != ':')
        return NULL;
    p += *p == ' ';
    return p < end ? p : NULL;
}

/* A key with its colon. */
static inline const char *skip_key(const char *p, const char *end)
{
    if (p == end || *p != '"')
        return NULL;
    p = skip_string(p + 1, end);
    return p ? skip_colon(p, end) : NULL;
}

/* Behind a comma, which one blank may follow. */
static inline const char *skip_comma(const char *p, const char *end)
{
    p++;
    return p < end && *p == ' ' ? p + 1 : p;
}

static inline const char *skip_scalar(const char *p, const char *end)
{
    bool integer;
    if (*p == '"')
        return skip_string(p + 1, end);
    if (*p == '-' || (*p >= '0' && *p <= '9'))
        return skip_number(p, end, &integer);
    return skip_word(p, end);
}

/* The containers open below the one that holds the value. */
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

/* Behind a value: closes the containers that end here. Returns where the next value begins, or (depth 0)
 * the end of the outermost. */
static inline const char *go_on(struct nest *n, const char *p, const char *end)
{
    while (n->depth > 0) {
        bool object = nest_in_object(n);
        if (p == end)
            return NULL;
        if (*p == ',') {
            p = skip_comma(p, end);
            return object ? skip_key(p, end) : p;
        }
        if (*p != (object ? '}' : ']'))
            return NULL;
        n->depth--;
        p++;
    }
    return p;
}

/* `above`: containers around the value. */
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

/* The key of this level that stands at *p in just these bytes, quotes included; moves *p behind it. With the length
 * known, a comparison is one or two instructions. */
static inline unsigned exact_key(const char **p, const char *end, unsigned level)
{
    size_t room = (size_t)(end - *p);
#define X(id_, name_, member_, how_, case_rule_)                                                             \
    if (room > sizeof(name_) && memcmp(*p, "\"" name_ "\"", sizeof(name_) + 1) == 0) {                       \
        *p += sizeof(name_) + 1;                                                                             \
        return RPC_KEY_##id_;                                                                                \
    }
    switch (level) {
    case RPC_LEVEL_ROOT:
        RPC_ROOT_KEYS(X)
        break;
    case RPC_LEVEL_PARAMS:
        RPC_PARAMS_KEYS(X)
        break;
    case RPC_LEVEL_META:
        RPC_META_KEYS(X)
        break;
    }
#undef X
    return RPC_KEY_NONE;
}

/* Setting 0x20 makes letters lower case, and makes a few other characters equal: enough to leave the
 * decision to the resumable scan. */
static bool is_near(const char *text, const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((text[i] | 0x20) != (name[i] | 0x20))
            return false;
    return true;
}

/* The text is a key of this level whose case matters, or close to one: the resumable scan decides. */
static inline bool is_unclear_key(unsigned level, const char *text, size_t len)
{
#define X(id_, name_, member_, how_, case_rule_)                                                             \
    if ((case_rule_) == RPC_CASE_REFUSED && len == sizeof(name_) - 1 && is_near(text, name_, len))           \
        return true;
    switch (level) {
    case RPC_LEVEL_ROOT:
        RPC_ROOT_KEYS(X)
        break;
    case RPC_LEVEL_PARAMS:
        RPC_PARAMS_KEYS(X)
        break;
    case RPC_LEVEL_META:
        RPC_META_KEYS(X)
        break;
    }
#undef X
    return false;
}

static const char *members(struct line *l, const char *p, unsigned level);

static const char *skip_id(struct line *l, const char *p)
{
    bool integer = false;
    l->env->id_null = *p == 'n';
    if (*p == '"')
        p = skip_string(p + 1, l->end);
    else if (*p == '-' || (*p >= '0' && *p <= '9'))
        p = skip_number(p, l->end, &integer);
    else
        p = *p == 'n' ? skip_word(p, l->end) : NULL;
    l->env->id_is_int = integer;
    return p;
}

/* The value of a routing key: some have a rule of their own. */
static const char *skip_routed(struct line *l, unsigned key, const char *p, unsigned level)
{
    switch (key) {
    case RPC_KEY_JSONRPC:
        return l->end - p >= 5 && memcmp(p, "\"2.0\"", 5) == 0 ? p + 5 : NULL;
    case RPC_KEY_ID:
        return skip_id(l, p);
    case RPC_KEY_METHOD:
        return *p == '"' ? skip_string(p + 1, l->end) : NULL;
    case RPC_KEY_PARAMS:
        if (*p == '{')
            return members(l, p, RPC_LEVEL_PARAMS);
        return *p == '[' ? skip_value(p, l->end, level) : NULL;
    case RPC_KEY_META:
        if (*p == '{')
            return members(l, p, RPC_LEVEL_META);
        break;
    }
    if (*p == 'n' && key != RPC_KEY_RESULT) /* null counts as absent: the resumable scan decides */
        return NULL;
    return skip_value(p, l->end, level);
}

/* A member whose key is no routing key. One with an escape may be one after all. */
static const char *skip_other_member(const char *p, const char *end, unsigned level)
{
    const char *text = p + 1;
    const char *text_end = text_plain_end(text, end);
    if (text_end == end || *text_end != '"' || is_unclear_key(level, text, (size_t)(text_end - text)))
        return NULL;
    p = skip_colon(text_end + 1, end);
    return p ? skip_value(p, end, level) : NULL;
}

/* One member, at its key's opening quote. */
static const char *member(struct line *l, const char *p, unsigned level)
{
    static const uint16_t span_at[RPC_KEY_COUNT] = {
#define X(id_, name_, member_, how_, case_rule_) [RPC_KEY_##id_] = offsetof(struct rpc_envelope, member_),
        RPC_KEYS(X)
#undef X
    };
    if (p == l->end || *p != '"')
        return NULL;
    unsigned key = exact_key(&p, l->end, level);
    if (key == RPC_KEY_NONE)
        return skip_other_member(p, l->end, level);
    p = skip_colon(p, l->end);
    if (!p)
        return NULL;
    struct span *span = (struct span *)(void *)((char *)l->env + span_at[key]);
    if (span->len != 0)
        return NULL; /* twice at its level */
    const char *from = p;
    p = skip_routed(l, key, p, level);
    if (p)
        *span = (struct span){(size_t)(from - l->start), (size_t)(p - from)};
    return p;
}

/* A watched object, at its brace; returns the byte behind it. */
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
        p = skip_comma(p, l->end);
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
    if (members(&l, bytes, RPC_LEVEL_ROOT) != l.end || !span_found(ret_env->jsonrpc))
        return false;
    ret_env->kind = kind_of(ret_env);
    ret_env->has_method = span_found(ret_env->method);
    return ret_env->kind != RPC_INVALID;
}
