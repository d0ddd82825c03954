/* Media types and Accept. Nothing can fail. */
#include "http/http_accept.h"

#include <string.h>

#include "http/http_text.h"

enum specificity { NO_MATCH, ANY, ANY_SUBTYPE, EXACT };

/* Without its parameters. */
static struct part essence(struct part value)
{
    struct part type = {"", 0};
    (void)http_list_next(&value, ';', &type);
    return type;
}

bool http_media_type_is(struct part value, const char *type)
{
    return http_text_is(essence(value), type);
}

bool http_head_has_type(const struct http_head *head, const char *type)
{
    struct part value;
    return http_head_field(head, HTTP_FIELD_CONTENT_TYPE, &value) && http_media_type_is(value, type);
}

/* ---- Accept ---- */

static enum specificity match(struct part range, const char *type)
{
    const char *slash = strchr(type, '/');
    size_t main_len = slash ? (size_t)(slash - type) + 1 : 0;
    if (http_text_is(range, type))
        return EXACT;
    if (http_text_is(range, "*/*"))
        return ANY;
    if (range.len == main_len + 1 && range.bytes[main_len] == '*' &&
        http_text_same((struct part){range.bytes, main_len}, (struct part){type, main_len}))
        return ANY_SUBTYPE;
    return NO_MATCH;
}

/* 0, 1, or one of them with up to three digits behind a point (RFC 9110 12.4.2), in thousandths; -1:
 * malformed. */
static int parse_quality(struct part text)
{
    int quality = 0;
    if (text.len == 0 || text.len > 5 || (text.bytes[0] != '0' && text.bytes[0] != '1') ||
        (text.len > 1 && text.bytes[1] != '.'))
        return -1;
    for (size_t i = 2; i < 5; i++) {
        char digit = i < text.len ? text.bytes[i] : '0';
        if (digit < '0' || digit > '9')
            return -1;
        quality = quality * 10 + (digit - '0');
    }
    quality += text.bytes[0] == '1' ? 1000 : 0;
    return quality <= 1000 ? quality : -1;
}

/* The q of a range's parameters; 1000 where it has none. */
static int quality_of(struct part params)
{
    struct part param;
    while (http_list_next(&params, ';', &param))
        if (param.len >= 2 && http_lower(param.bytes[0]) == 'q' && param.bytes[1] == '=')
            return parse_quality((struct part){param.bytes + 2, param.len - 2});
    return 1000;
}

struct verdict {
    enum specificity best;
    int quality;
};

/* One range with its parameters. Of two that are as specific the last decides. */
static void consider(struct verdict *v, struct part element, const char *type)
{
    struct part rest = element;
    struct part range;
    if (!http_list_next(&rest, ';', &range))
        return;
    enum specificity how = match(range, type);
    if (how == NO_MATCH || how < v->best)
        return;
    int quality = quality_of(rest);
    v->best = how;
    v->quality = quality > 0 ? quality : 0;
}

static struct verdict judge(const struct http_head *head, const char *type)
{
    struct verdict v = {NO_MATCH, 0};
    struct part list, element;
    for (unsigned cursor = 0; http_head_each(head, HTTP_FIELD_ACCEPT, &cursor, &list);)
        while (http_list_next(&list, ',', &element))
            consider(&v, element, type);
    return v;
}

unsigned http_accept_quality(const struct http_head *head, const char *type)
{
    if (head->first[HTTP_FIELD_ACCEPT] == 0)
        return 1000;
    return (unsigned)judge(head, type).quality;
}

bool http_accept_names(const struct http_head *head, const char *type)
{
    struct verdict v = judge(head, type);
    return v.best == EXACT && v.quality > 0;
}
