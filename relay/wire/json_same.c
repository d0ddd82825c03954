/* Two trees side by side: numbers by value, strings decoded, arrays in order, objects by key in either direction.
 *
 * Failure modes: no JSON, too many values or no memory: what is the same byte for byte is equal, nothing else is.
 */
#include "wire/json_same.h"

#include <string.h>

#include "wire/json.h"
#include "wire/number.h"
#include "wire/rpc.h"

/* Objects are searched key by key, so that a text of so many keys costs some ten milliseconds at the most. */
#define VALUES_MAX 8192

struct value {
    struct json_doc *doc;
    json_node node;
};

static bool values_equal(struct value a, struct value b);

static bool strings_equal(struct value a, struct value b)
{
    size_t a_len, b_len;
    const char *x = json_raw(a.doc, a.node, &a_len);
    const char *y = json_raw(b.doc, b.node, &b_len);
    return rpc_string_equal(x, a_len, y, b_len);
}

static bool numbers_equal(struct value a, struct value b)
{
    size_t a_len, b_len;
    const char *x = json_raw(a.doc, a.node, &a_len);
    const char *y = json_raw(b.doc, b.node, &b_len);
    return number_equal(x, a_len, y, b_len);
}

static bool arrays_equal(struct value a, struct value b)
{
    a.node = json_first(a.doc, a.node);
    b.node = json_first(b.doc, b.node);
    while (a.node != JSON_ABSENT && b.node != JSON_ABSENT) {
        if (!values_equal(a, b))
            return false;
        a.node = json_next(a.doc, a.node);
        b.node = json_next(b.doc, b.node);
    }
    return a.node == b.node;
}

/* The value under this key; the last one, if there are several. */
static struct value find(struct value object, struct value key)
{
    struct value found = {object.doc, JSON_ABSENT};
    struct value other = {object.doc, json_first(object.doc, object.node)};
    for (; other.node != JSON_ABSENT; other.node = json_next(other.doc, other.node))
        if (strings_equal(key, other))
            found.node = json_value(other.doc, other.node);
    return found;
}

/* Every member of `a` is in `b`. Of members with one key only the last counts: each value is compared once. */
static bool members_within(struct value a, struct value b)
{
    struct value key = {a.doc, json_first(a.doc, a.node)};
    for (; key.node != JSON_ABSENT; key.node = json_next(key.doc, key.node)) {
        struct value mine = {a.doc, json_value(key.doc, key.node)};
        struct value other = find(b, key);
        if (find(a, key).node != mine.node)
            continue;
        if (other.node == JSON_ABSENT || !values_equal(mine, other))
            return false;
    }
    return true;
}

/* Every key of `b` is in `a`. */
static bool keys_within(struct value b, struct value a)
{
    struct value key = {b.doc, json_first(b.doc, b.node)};
    for (; key.node != JSON_ABSENT; key.node = json_next(key.doc, key.node))
        if (find(a, key).node == JSON_ABSENT)
            return false;
    return true;
}

static bool values_equal(struct value a, struct value b)
{
    enum json_type type = json_type(a.doc, a.node);
    if (type != json_type(b.doc, b.node))
        return false;
    switch (type) {
    case JSON_OBJECT:
        return members_within(a, b) && keys_within(b, a);
    case JSON_ARRAY:
        return arrays_equal(a, b);
    case JSON_STRING:
        return strings_equal(a, b);
    case JSON_NUMBER:
        return numbers_equal(a, b);
    default:
        return true;
    }
}

bool json_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct json_doc *x = NULL;
    struct json_doc *y = NULL;

    if (a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0))
        return true;
    if (a_len == 0 || b_len == 0)
        return false;
    bool equal = json_parse(a, a_len, JSON_STRICT, VALUES_MAX, &x, NULL) == 0 &&
                 json_parse(b, b_len, JSON_STRICT, VALUES_MAX, &y, NULL) == 0 &&
                 values_equal((struct value){x, json_root(x)}, (struct value){y, json_root(y)});
    json_free(x);
    json_free(y);
    return equal;
}
