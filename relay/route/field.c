/* Spans into a larger text, on rpc_member's walk. The text is strict JSON, so what stands before a value is
 * its key. */
#include "route/field.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span field_get(const char *text, struct span object, const char *key)
{
    struct span found;
    if (!field_is_object(text, object) || !rpc_member(text + object.off, object.len, key, &found))
        return (struct span){0, 0};
    found.off += object.off;
    return found;
}

struct span field_get2(const char *text, struct span object, const char *key, const char *inner)
{
    return field_get(text, field_get(text, object, key), inner);
}

bool field_true(const char *text, struct span value)
{
    return value.len == 4 && memcmp(text + value.off, "true", 4) == 0;
}

bool field_is_object(const char *text, struct span value)
{
    return value.len >= 2 && text[value.off] == '{';
}

bool field_is_string(const char *text, struct span value)
{
    return value.len >= 2 && text[value.off] == '"';
}

/* Where the key of this value begins. It is one of ours, so no quote stands inside it. */
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

/* The bytes to cut so that the object stays well-formed: with the comma after the member, or else the one
 * before. */
static struct span cut_of(const char *text, struct span object, struct span value)
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

size_t field_remove(char *text, size_t len, struct span object, const char *key)
{
    size_t lost = 0;
    struct span value;
    while (span_found(value = field_get(text, object, key))) {
        struct span cut = cut_of(text, object, value);
        memmove(text + cut.off, text + cut.off + cut.len, len - cut.off - cut.len);
        len -= cut.len;
        lost += cut.len;
        object.len -= cut.len;
    }
    return lost;
}
