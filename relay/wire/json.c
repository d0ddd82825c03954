/* JSON as a tree, over jsmn.
 *
 * Purpose: read small and rare texts. json_parse copies the text, turns JSONC into JSON on request, checks
 * with our own scanner that the copy is strict JSON, counts the tokens with jsmn, refuses too many, and only
 * then allocates and fills them. One backward pass over the parent links gives each node its first child and
 * its next sibling, so walking is O(1) a step.
 *
 * jsmn alone is not a check: in its strict mode it accepts 66 of the 188 texts of the public test suite that
 * are not JSON. It needs a byte after a bare number, so the copy ends in a newline of ours.
 *
 * Failure modes: not JSON (ERR_SYNTAX and the line), too deep (ERR_DEPTH), more tokens than allowed or above
 * 2 GiB (ERR_TOO_LARGE), no memory (-ENOMEM): nothing is left allocated. Accessors cannot fail: an absent
 * value, or one of another type, is JSON_ABSENT, NULL or false.
 */
#include "wire/json.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "base/alloc.h"
#include "wire/json_relaxed.h"
#include "wire/rpc.h"

struct node {
    json_node first;
    json_node next;
    bool decoded; /* its string is in doc->strings */
};

struct json_doc {
    char *text;    /* owned; len bytes, a newline, a NUL */
    char *strings; /* owned; decoded strings, each where its content starts in the text: it is never longer */
    size_t len;
    jsmntok_t *tokens; /* owned, count of them, in the order of the text */
    struct node *nodes;
    int count;
};

void json_free(struct json_doc *doc)
{
    if (!doc)
        return;
    mem_free(doc->text);
    mem_free(doc->strings);
    mem_free(doc->tokens);
    mem_free(doc->nodes);
    mem_free(doc);
}

/* ---- parsing ---- */

static unsigned line_at(const char *text, size_t offset)
{
    unsigned line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static int copy_text(struct json_doc *doc, const char *text, size_t len, unsigned flags)
{
    doc->text = mem_alloc(len + 2);
    doc->strings = mem_alloc(len + 1);
    if (!doc->text || !doc->strings)
        return -ENOMEM;
    if (len > 0)
        memcpy(doc->text, text, len);
    memcpy(doc->text + len, "\n", 2);
    doc->len = len;
    if (flags & JSON_RELAXED)
        json_relax(doc->text, len);
    return 0;
}

static int check_strict(const struct json_doc *doc, unsigned *ret_line)
{
    size_t fault_at;
    enum rpc_fault fault = rpc_check_json(doc->text, doc->len, &fault_at);
    if (fault == RPC_OK)
        return 0;
    if (ret_line)
        *ret_line = line_at(doc->text, fault_at < doc->len ? fault_at : doc->len);
    return fault == RPC_TOO_DEEP ? ERR_DEPTH : ERR_SYNTAX;
}

static int tokenize(struct json_doc *doc, size_t max_tokens)
{
    jsmn_parser parser;
    jsmn_init(&parser);
    int count = jsmn_parse(&parser, doc->text, doc->len + 1, NULL, 0);
    if (count < 1)
        return ERR_SYNTAX;
    size_t bytes, node_bytes;
    if ((size_t)count > max_tokens || !size_mul((size_t)count, sizeof(*doc->tokens), &bytes) ||
        !size_mul((size_t)count, sizeof(*doc->nodes), &node_bytes))
        return ERR_TOO_LARGE;
    doc->tokens = mem_alloc(bytes);
    doc->nodes = mem_alloc(node_bytes);
    if (!doc->tokens || !doc->nodes)
        return -ENOMEM;
    jsmn_init(&parser);
    doc->count = jsmn_parse(&parser, doc->text, doc->len + 1, doc->tokens, (unsigned)count);
    return doc->count == count ? 0 : ERR_SYNTAX;
}

/* From the back, so that the child met last is its parent's first, and the one met before it is its next
 * sibling. */
static void link_nodes(struct json_doc *doc)
{
    for (int i = 0; i < doc->count; i++)
        doc->nodes[i] = (struct node){.first = JSON_ABSENT, .next = JSON_ABSENT};
    for (int i = doc->count - 1; i > 0; i--) {
        int parent = doc->tokens[i].parent;
        assert(parent >= 0 && parent < i);
        doc->nodes[i].next = doc->nodes[parent].first;
        doc->nodes[parent].first = i;
    }
}

static int parse_into(struct json_doc *doc, const char *text, size_t len, unsigned flags, size_t max_tokens,
                      unsigned *ret_line)
{
    int rc = copy_text(doc, text, len, flags);
    if (rc == 0)
        rc = check_strict(doc, ret_line);
    if (rc == 0)
        rc = tokenize(doc, max_tokens);
    if (rc == 0)
        link_nodes(doc);
    return rc;
}

int json_parse(const char *text, size_t len, unsigned flags, size_t max_tokens, struct json_doc **ret_doc,
               unsigned *ret_line)
{
    if (len > INT_MAX - 2) /* jsmn counts in int */
        return ERR_TOO_LARGE;
    struct json_doc *doc = mem_zalloc(sizeof(*doc));
    if (!doc)
        return -ENOMEM;
    int rc = parse_into(doc, text, len, flags, max_tokens, ret_line);
    if (rc != 0) {
        json_free(doc);
        return rc;
    }
    *ret_doc = doc;
    return 0;
}

/* ---- walking ---- */

static const jsmntok_t *token_of(const struct json_doc *doc, json_node node)
{
    return node >= 0 && node < doc->count ? &doc->tokens[node] : NULL;
}

static bool is_key(const struct json_doc *doc, const jsmntok_t *token)
{
    return token->parent >= 0 && doc->tokens[token->parent].type == JSMN_OBJECT;
}

/* The node's bytes, quotes included. */
static const char *token_raw(const struct json_doc *doc, const jsmntok_t *token, size_t *ret_len)
{
    int quote = token->type == JSMN_STRING; /* jsmn's span leaves the quotes out */
    *ret_len = (size_t)(token->end - token->start) + 2 * (size_t)quote;
    return doc->text + token->start - quote;
}

json_node json_root(const struct json_doc *doc)
{
    (void)doc;
    return 0;
}

static enum json_type primitive_type(char first)
{
    switch (first) {
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

enum json_type json_type(const struct json_doc *doc, json_node node)
{
    const jsmntok_t *token = token_of(doc, node);
    if (!token)
        return JSON_NONE;
    switch (token->type) {
    case JSMN_OBJECT:
        return JSON_OBJECT;
    case JSMN_ARRAY:
        return JSON_ARRAY;
    case JSMN_STRING:
        return JSON_STRING;
    default:
        return primitive_type(doc->text[token->start]);
    }
}

size_t json_count(const struct json_doc *doc, json_node node)
{
    enum json_type type = json_type(doc, node);
    return type == JSON_OBJECT || type == JSON_ARRAY ? (size_t)doc->tokens[node].size : 0;
}

json_node json_first(const struct json_doc *doc, json_node container)
{
    enum json_type type = json_type(doc, container);
    return type == JSON_OBJECT || type == JSON_ARRAY ? doc->nodes[container].first : JSON_ABSENT;
}

json_node json_next(const struct json_doc *doc, json_node child)
{
    return token_of(doc, child) ? doc->nodes[child].next : JSON_ABSENT;
}

json_node json_value(const struct json_doc *doc, json_node key)
{
    const jsmntok_t *token = token_of(doc, key);
    return token && is_key(doc, token) ? doc->nodes[key].first : JSON_ABSENT;
}

json_node json_get(const struct json_doc *doc, json_node object, const char *key)
{
    json_node found = JSON_ABSENT;
    if (json_type(doc, object) != JSON_OBJECT)
        return found;
    for (json_node at = json_first(doc, object); at != JSON_ABSENT; at = json_next(doc, at)) {
        size_t len;
        const char *quoted = token_raw(doc, &doc->tokens[at], &len);
        if (rpc_string_is(quoted, len, key))
            found = json_value(doc, at);
    }
    return found;
}

const char *json_raw(const struct json_doc *doc, json_node node, size_t *ret_len)
{
    const jsmntok_t *token = token_of(doc, node);
    if (!token)
        return NULL;
    return token_raw(doc, token, ret_len);
}

unsigned json_line(const struct json_doc *doc, json_node node)
{
    const jsmntok_t *token = token_of(doc, node);
    return token ? line_at(doc->text, (size_t)token->start) : 0;
}

/* ---- values ---- */

const char *json_string(struct json_doc *doc, json_node node, size_t *ret_len)
{
    if (json_type(doc, node) != JSON_STRING)
        return NULL;
    char *out = doc->strings + doc->tokens[node].start;
    if (!doc->nodes[node].decoded) {
        size_t quoted_len;
        const char *quoted = token_raw(doc, &doc->tokens[node], &quoted_len);
        size_t decoded_len = rpc_decode_string(quoted, quoted_len, out, quoted_len - 2);
        assert(decoded_len <= quoted_len - 2);
        out[decoded_len] = '\0';
        /* A NUL inside would make the C string another one: such a string is shortened to nothing and refused
         * below. */
        if (memchr(out, '\0', decoded_len))
            return NULL;
        doc->nodes[node].decoded = true;
    }
    if (ret_len)
        *ret_len = strlen(out);
    return out;
}

/* |lexeme| as digits × 10^exponent, exactly: 1.50e1 is 15, 15e-1 is no whole number. */
static bool whole_number(const char *lexeme, size_t len, uint64_t *ret_magnitude)
{
    uint64_t digits = 0;
    int64_t exponent = 0;
    size_t zeros = 0; /* read, and not yet multiplied in: they may be trailing ones */
    bool fraction = false;
    size_t i = lexeme[0] == '-';
    for (; i < len && lexeme[i] != 'e' && lexeme[i] != 'E'; i++) {
        if (lexeme[i] == '.') {
            fraction = true;
            continue;
        }
        exponent -= fraction;
        unsigned digit = (unsigned)(lexeme[i] - '0');
        if (digit == 0) {
            zeros += digits != 0;
            continue;
        }
        for (; zeros > 0; zeros--) {
            if (__builtin_mul_overflow(digits, UINT64_C(10), &digits))
                return false;
        }
        if (__builtin_mul_overflow(digits, UINT64_C(10), &digits) ||
            __builtin_add_overflow(digits, digit, &digits))
            return false;
    }
    exponent += (int64_t)zeros;
    if (i < len) {
        bool negative = lexeme[++i] == '-';
        int64_t power = 0;
        for (i += lexeme[i] == '-' || lexeme[i] == '+'; i < len; i++)
            power = power > INT_MAX ? power : power * 10 + (lexeme[i] - '0');
        exponent += negative ? -power : power;
    }
    for (; digits != 0 && exponent > 0; exponent--) {
        if (__builtin_mul_overflow(digits, UINT64_C(10), &digits))
            return false;
    }
    if (digits != 0 && exponent < 0)
        return false;
    *ret_magnitude = digits;
    return true;
}

bool json_int(const struct json_doc *doc, json_node node, int64_t min, int64_t max, int64_t *ret_value)
{
    if (json_type(doc, node) != JSON_NUMBER)
        return false;
    size_t len;
    const char *lexeme = token_raw(doc, &doc->tokens[node], &len);
    uint64_t magnitude;
    if (!whole_number(lexeme, len, &magnitude))
        return false;
    bool negative = lexeme[0] == '-';
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    int64_t value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

bool json_double(const struct json_doc *doc, json_node node, double *ret_value)
{
    if (json_type(doc, node) != JSON_NUMBER)
        return false;
    /* The host may have set a locale with a decimal comma; glibc's "C" is a constant, so this costs nothing.
     */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return false;
    size_t len;
    double value = strtod_l(token_raw(doc, &doc->tokens[node], &len), NULL, plain);
    freelocale(plain);
    if (!isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

bool json_bool(const struct json_doc *doc, json_node node, bool *ret_value)
{
    enum json_type type = json_type(doc, node);
    if (type != JSON_TRUE && type != JSON_FALSE)
        return false;
    *ret_value = type == JSON_TRUE;
    return true;
}
