/* Query parameters. A parameter that stands twice is refused: readers differ in which of the two they take.
 * */
#include "http/http_query.h"

#include <string.h>

#include "http/http_percent.h"
#include "wire/utf8.h"

static char next_byte(struct part *text)
{
    if (text->bytes[0] != '+')
        return http_percent_next(text);
    text->bytes++;
    text->len--;
    return ' ';
}

static bool decodes_to(struct part text, const char *name)
{
    for (; *name != '\0'; name++)
        if (text.len == 0 || next_byte(&text) != *name)
            return false;
    return text.len == 0;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool decode(struct part text, char *out, size_t size, size_t *ret_len)
{
    size_t len = 0;
    if (!http_percent_is_sound(text))
        return false;
    while (text.len > 0) {
        char c = next_byte(&text);
        if (len + 1 >= size || is_control(c))
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    *ret_len = len;
    return utf8_is_valid(out, len);
}

/* Takes "name=value" off the query; `ret_value` is empty where there is no sign. */
static bool next_pair(struct part *query, struct part *ret_name, struct part *ret_value)
{
    if (query->len == 0)
        return false;
    const char *begin = query->bytes;
    const char *end = memchr(begin, '&', query->len);
    size_t len = end ? (size_t)(end - begin) : query->len;
    const char *sign = memchr(begin, '=', len);
    size_t name_len = sign ? (size_t)(sign - begin) : len;
    size_t taken = end ? len + 1 : len;
    *ret_name = (struct part){begin, name_len};
    *ret_value = sign ? (struct part){sign + 1, len - name_len - 1} : (struct part){"", 0};
    query->bytes += taken;
    query->len -= taken;
    return true;
}

enum http_query_result http_query_find(struct part query, const char *name, char *out, size_t size,
                                       size_t *ret_len)
{
    struct part pair_name, pair_value, value = {"", 0};
    bool found = false;
    size_t len = 0;
    while (next_pair(&query, &pair_name, &pair_value)) {
        if (!decodes_to(pair_name, name))
            continue;
        if (found)
            return HTTP_QUERY_BAD;
        found = true;
        value = pair_value;
    }
    if (!found)
        return HTTP_QUERY_ABSENT;
    if (!decode(value, out, size, &len))
        return HTTP_QUERY_BAD;
    if (ret_len)
        *ret_len = len;
    return HTTP_QUERY_FOUND;
}
