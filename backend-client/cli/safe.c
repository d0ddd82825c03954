/* Harmless text: character by character; what clean_is_control names is written as an escape. */
#include "backend-client/cli/safe.h"

#include <stdio.h>
#include <string.h>

#include "wire/clean.h"

bool safe_is_clean(const char *text, size_t len)
{
    for (size_t at = 0, used; at < len; at += used)
        if (clean_is_control(clean_decode(text + at, len - at, &used)))
            return false;
    return len > 0;
}

/* The escape for a control character; returns its length. */
static size_t show(uint32_t c, char out[12])
{
    int len;
    if (c == '\n' || c == '\t' || c == '\r')
        len = snprintf(out, 12, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (c < 0x80)
        len = snprintf(out, 12, "\\x%02x", (unsigned)c);
    else
        len = snprintf(out, 12, "\\u{%x}", (unsigned)c);
    return (size_t)len;
}

/* What stands for the character at `text`: itself, or an escape made in `room`. */
static const char *translate(const char *text, size_t len, enum safe_lines lines, char room[12],
                             size_t *ret_used, size_t *ret_len)
{
    uint32_t c = clean_decode(text, len, ret_used);
    bool kept = lines == SAFE_KEEP_LINES && (c == '\n' || c == '\t');
    *ret_len = *ret_used;
    if (c == 0xfffd) {
        *ret_len = 3;
        return "\xef\xbf\xbd";
    }
    if (kept || !clean_is_control(c))
        return text;
    *ret_len = show(c, room);
    return room;
}

/* How many bytes from here on stand for themselves: printable ASCII. */
static size_t plain_run(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= 0x20 && text[n] < 0x7f)
        n++;
    return n;
}

int safe_append(struct buf *b, const char *text, size_t len, enum safe_lines lines)
{
    while (len > 0) {
        char room[12];
        size_t used;
        size_t put;
        size_t plain = plain_run(text, len);
        int rc = buf_append(b, text, plain);
        text += plain;
        len -= plain;
        if (rc != 0 || len == 0)
            return rc;
        const char *what = translate(text, len, lines, room, &used, &put);
        rc = buf_append(b, what, put);
        if (rc != 0)
            return rc;
        text += used;
        len -= used;
    }
    return 0;
}

void safe_copy(char *out, size_t size, const char *text, size_t len)
{
    size_t at = 0;
    while (len > 0) {
        char room[12];
        size_t used;
        size_t put;
        const char *what = translate(text, len, SAFE_ONE_LINE, room, &used, &put);
        if (put >= size - at)
            break;
        memcpy(out + at, what, put);
        at += put;
        text += used;
        len -= used;
    }
    out[at] = '\0';
}

int safe_append_name(struct buf *b, const char *name, size_t len)
{
    if (!name || !safe_is_clean(name, len))
        return 0;
    int rc = buf_append(b, name, len);
    return rc != 0 ? rc : buf_append(b, "\n", 1);
}
