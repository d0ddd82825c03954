/* The characters and lists of HTTP fields. Nothing can fail. */
#include "http/http_text.h"

#include <string.h>

/* 32 a row: 0 control bytes, 2 of values alone, 3 of tokens too. */
const uint8_t http_char_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    2, 3, 2, 3, 3, 3, 3, 3, 2, 2, 3, 3, 2, 3, 3, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2,
    2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 2, 3, 0,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};

bool http_text_is(struct part text, const char *lower)
{
    size_t i = 0;
    while (i < text.len && lower[i] != '\0' && http_lower(text.bytes[i]) == lower[i])
        i++;
    return i == text.len && lower[i] == '\0';
}

bool http_text_same(struct part a, struct part b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (http_lower(a.bytes[i]) != http_lower(b.bytes[i]))
            return false;
    return true;
}

bool http_text_ends_with(struct part text, const char *lower)
{
    size_t len = strlen(lower);
    return text.len >= len && http_text_is((struct part){text.bytes + text.len - len, len}, lower);
}

struct part http_text_trim(struct part text)
{
    while (text.len > 0 && http_is_blank(text.bytes[0])) {
        text.bytes++;
        text.len--;
    }
    while (text.len > 0 && http_is_blank(text.bytes[text.len - 1]))
        text.len--;
    return text;
}

bool http_text_number(struct part text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.len == 0 || text.len > 15)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.bytes[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* ---- lists ---- */

/* Bytes before the separator, or all. A backslash in a quoted string takes the next byte's meaning away. */
static size_t element_len(struct part list, char separator)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < list.len && (quoted || list.bytes[i] != separator); i++) {
        if (list.bytes[i] == '"')
            quoted = !quoted;
        else if (quoted && list.bytes[i] == '\\')
            i++;
    }
    return i < list.len ? i : list.len;
}

bool http_list_next(struct part *list, char separator, struct part *ret_element)
{
    while (list->len > 0) {
        size_t len = element_len(*list, separator);
        size_t taken = len < list->len ? len + 1 : len;
        struct part element = http_text_trim((struct part){list->bytes, len});
        list->bytes += taken;
        list->len -= taken;
        if (element.len > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool http_list_has(struct part list, const char *lower)
{
    struct part element;
    while (http_list_next(&list, ',', &element))
        if (http_text_is(element, lower))
            return true;
    return false;
}
