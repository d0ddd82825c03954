/* A walk over text that the scan has found strict: a value's first byte determines its type and where it
 * ends.
 *
 * Failure modes: for any text, strict or not, no byte outside it is read; the walk stops at malformed text
 * and returns the members found so far.
 */
#include "wire/json_member.h"

#include <string.h>

#include "wire/text.h"

/* ---- the walk ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* Behind the string that begins at p, or end. */
static const char *skip_string(const char *p, const char *end)
{
    p = text_plain_end(p + 1, end);
    while (p < end && *p != '"') {
        if (*p == '\\' && p + 1 < end)
            p++;
        p = text_plain_end(p + 1, end);
    }
    return p < end ? p + 1 : end;
}

static const char *skip_container(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
            continue;
        }
        p++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return p;
    }
    return end;
}

/* Behind the value that begins at p. Strict JSON: its first byte determines its type. */
static const char *skip_value(const char *p, const char *end)
{
    if (*p == '"')
        return skip_string(p, end);
    if (*p == '{' || *p == '[')
        return skip_container(p, end);
    while (p < end && *p != ',' && *p != ']' && *p != '}' && !is_blank(*p))
        p++;
    return p;
}

/* ---- members ---- */

bool json_member_find(const char *object, size_t len, const char *key, struct span *ret_value)
{
    const char *end = object + len;
    const char *p = skip_space(object, end);
    bool found = false;
    if (p == end || *p != '{')
        return false;
    p = skip_space(p + 1, end);
    while (p < end && *p == '"') {
        const char *key_end = skip_string(p, end);
        bool wanted = rpc_string_is(p, (size_t)(key_end - p), key);
        p = skip_space(key_end, end);
        if (p < end && *p == ':')
            p = skip_space(p + 1, end);
        if (p == end)
            break;
        const char *value = p;
        p = skip_value(value, end);
        if (wanted) {
            *ret_value = (struct span){.off = (size_t)(value - object), .len = (size_t)(p - value)};
            found = true;
        }
        p = skip_space(p, end);
        if (p < end && *p == ',')
            p = skip_space(p + 1, end);
    }
    return found;
}

struct span json_member(const char *text, struct span object, const char *key)
{
    struct span found;
    if (!json_span_is_object(text, object) || !json_member_find(text + object.off, object.len, key, &found))
        return (struct span){0, 0};
    found.off += object.off;
    return found;
}

struct span json_submember(const char *text, struct span object, const char *key, const char *inner)
{
    return json_member(text, json_member(text, object, key), inner);
}

/* Where the key of this value begins. The key is a routing key, so it contains no quote. */
static size_t key_before(const char *text, size_t value_at)
{
    size_t at = value_at;
    while (text[at] != '"' || at == value_at)
        at--;
    do
        at--;
    while (text[at] != '"');
    return at;
}

/* With the comma after the member, or else the one before. */
struct span json_member_cut(const char *text, struct span object, struct span value)
{
    size_t from = key_before(text, value.off);
    size_t to = value.off + value.len;
    size_t end = object.off + object.len - 1;
    while (to < end && is_blank(text[to]))
        to++;
    if (text[to] == ',') {
        to++;
        while (to < end && is_blank(text[to]))
            to++;
    } else {
        while (from > object.off + 1 && is_blank(text[from - 1]))
            from--;
        if (text[from - 1] == ',')
            from--;
    }
    return (struct span){from, to - from};
}

size_t json_member_remove(char *text, size_t len, struct span object, const char *key)
{
    size_t lost = 0;
    struct span value;
    while (span_found(value = json_member(text, object, key))) {
        struct span cut = json_member_cut(text, object, value);
        memmove(text + cut.off, text + cut.off + cut.len, len - cut.off - cut.len);
        len -= cut.len;
        lost += cut.len;
        object.len -= cut.len;
    }
    return lost;
}

/* ---- elements ---- */

bool json_element_next(const char *array, size_t len, size_t *pos, struct span *ret_element)
{
    const char *end = array + len;
    const char *p = skip_space(array + *pos, end);
    if (p < end && (*p == '[' || *p == ','))
        p = skip_space(p + 1, end);
    if (p == end || *p == ']')
        return false;
    const char *after = skip_value(p, end);
    if (after == p)
        return false;
    *ret_element = (struct span){.off = (size_t)(p - array), .len = (size_t)(after - p)};
    *pos = (size_t)(after - array);
    return true;
}

/* ---- values ---- */

bool json_span_is_true(const char *text, struct span value)
{
    return value.len == 4 && memcmp(text + value.off, "true", 4) == 0;
}

bool json_span_is_object(const char *text, struct span value)
{
    return value.len >= 2 && text[value.off] == '{';
}

bool json_span_is_string(const char *text, struct span value)
{
    return value.len >= 2 && text[value.off] == '"';
}
