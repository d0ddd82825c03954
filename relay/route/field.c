/* One walk over an object's members. The text is strict JSON, so a value ends where its brackets and quotes
 * do; every step is bounded by the span all the same, so a mistake upstream cannot lead outside it.
 */
#include "route/field.h"

#include <string.h>

struct walk {
    const char *text;
    size_t at;
    size_t end; /* of the object, its closing brace excluded */
};

struct member {
    struct span key;
    struct span value;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks_and_commas(struct walk *w)
{
    while (w->at < w->end && (is_blank(w->text[w->at]) || w->text[w->at] == ','))
        w->at++;
}

static void skip_string(struct walk *w)
{
    w->at++;
    while (w->at < w->end && w->text[w->at] != '"')
        w->at += w->text[w->at] == '\\' ? 2 : 1;
    w->at = w->at < w->end ? w->at + 1 : w->end;
}

static void skip_container(struct walk *w)
{
    size_t depth = 0;
    while (w->at < w->end) {
        char c = w->text[w->at];
        if (c == '"') {
            skip_string(w);
            continue;
        }
        w->at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return;
    }
}

static struct span skip_value(struct walk *w)
{
    size_t from = w->at;
    char c = w->at < w->end ? w->text[w->at] : 0;
    if (c == '"') {
        skip_string(w);
    } else if (c == '{' || c == '[') {
        skip_container(w);
    } else {
        while (w->at < w->end && w->text[w->at] != ',' && !is_blank(w->text[w->at]))
            w->at++;
    }
    return (struct span){from, w->at - from};
}

static bool next_member(struct walk *w, struct member *ret_member)
{
    skip_blanks_and_commas(w);
    if (w->at >= w->end || w->text[w->at] != '"')
        return false;
    ret_member->key = skip_value(w);
    while (w->at < w->end && (is_blank(w->text[w->at]) || w->text[w->at] == ':'))
        w->at++;
    ret_member->value = skip_value(w);
    return span_found(ret_member->value);
}

static bool begin(const char *text, struct span object, struct walk *ret_walk)
{
    if (!field_is_object(text, object))
        return false;
    *ret_walk = (struct walk){text, object.off + 1, object.off + object.len - 1};
    return true;
}

struct span field_get(const char *text, struct span object, const char *key)
{
    struct span found = {0, 0};
    struct walk w;
    struct member m;
    if (!begin(text, object, &w))
        return found;
    while (next_member(&w, &m)) {
        if (rpc_string_is(text + m.key.off, m.key.len, key))
            found = m.value;
    }
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

/* The bytes to cut so that the object stays well-formed: with the comma after the member, or else the one
 * before. */
static struct span cut_of(const char *text, struct span object, const struct member *m)
{
    size_t from = m->key.off;
    size_t to = m->value.off + m->value.len;
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
    struct walk w;
    struct member m;
    if (!begin(text, object, &w))
        return 0;
    while (next_member(&w, &m)) {
        if (!rpc_string_is(text + m.key.off, m.key.len, key))
            continue;
        struct span cut = cut_of(text, object, &m);
        memmove(text + cut.off, text + cut.off + cut.len, len - cut.off - cut.len);
        len -= cut.len;
        lost += cut.len;
        object.len -= cut.len;
        w.end -= cut.len;
        w.at = cut.off;
    }
    return lost;
}
