/* Percent-encoding. Nothing is decoded twice. */
#include "http/http_percent.h"

#include "wire/text.h"

/* The byte that the escape at the text's beginning means, or -1. */
static int escape_value(struct part text)
{
    if (text.len < 3 || text.bytes[0] != '%')
        return -1;
    int high = text_hex(text.bytes[1]);
    int low = text_hex(text.bytes[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool http_percent_is_sound(struct part text)
{
    for (; text.len > 0; text.bytes++, text.len--)
        if (text.bytes[0] == '%' && escape_value(text) <= 0)
            return false;
    return true;
}

char http_percent_next(struct part *text)
{
    int value = escape_value(*text);
    size_t used = value < 0 ? 1 : 3;
    char c = value < 0 ? text->bytes[0] : (char)value;
    text->bytes += used;
    text->len -= used;
    return c;
}

bool http_percent_decode(struct part text, char *out, size_t size, size_t *ret_len)
{
    size_t len = 0;
    if (!http_percent_is_sound(text))
        return false;
    while (text.len > 0) {
        if (len + 1 >= size)
            return false;
        out[len++] = http_percent_next(&text);
    }
    if (len >= size)
        return false;
    out[len] = '\0';
    *ret_len = len;
    return true;
}
