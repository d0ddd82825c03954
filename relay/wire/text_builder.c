/* Text for people, built from fixed and untrusted text.
 *
 * Purpose: error texts quote names, messages and log lines that peers chose, and end up in terminals, logs
 * and web pages. Every addition goes character by character through `sanitize_next`; nothing else writes to
 * the buffer.
 *
 * Failure modes: no room: the text is cut between characters, ends in "...", and is full. A format that
 * fails adds nothing.
 */
#include "wire/text_builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/sanitize.h"
#include "wire/text.h"

#define ELLIPSIS     "..."
#define ELLIPSIS_LEN (sizeof(ELLIPSIS) - 1)

/* Ends the text with "..." at `limit` or before; everything up to `limit` is made here, so it is UTF-8. */
static void cut(struct text_builder *b, size_t limit)
{
    size_t at = limit - ELLIPSIS_LEN;
    if (at > b->len)
        at = b->len;
    while (at > 0 && text_is_continuation(b->text[at]))
        at--;
    memcpy(b->text + at, ELLIPSIS, ELLIPSIS_LEN + 1);
    b->len = at + ELLIPSIS_LEN;
}

/* false: it did not fit below `limit`, and was cut. */
static bool put(struct text_builder *b, const char *bytes, size_t len, size_t limit)
{
    while (len > 0) {
        struct sanitized c = sanitize_next(bytes, len, SANITIZE_BLANK);
        bytes += c.used;
        len -= c.used;
        if (c.bytes[0] == ' ' && b->len > 0 && b->text[b->len - 1] == ' ')
            continue;
        if (b->len + c.len > limit) {
            cut(b, limit);
            return false;
        }
        memcpy(b->text + b->len, c.bytes, c.len);
        b->len += c.len;
        b->text[b->len] = '\0';
    }
    return true;
}

void text_builder_begin(struct text_builder *b, char *text, size_t size)
{
    *b = (struct text_builder){.text = text, .size = size};
    text[0] = '\0';
}

void text_builder_resume(struct text_builder *b, char *text, size_t size)
{
    *b = (struct text_builder){.text = text, .size = size, .len = strlen(text)};
}

size_t text_builder_room(const struct text_builder *b)
{
    return b->full ? 0 : b->size - 1 - b->len;
}

static void add(struct text_builder *b, const char *bytes, size_t len)
{
    if (!b->full)
        b->full = !put(b, bytes, len, b->size - 1);
}

void text_builder_add(struct text_builder *b, const char *words)
{
    add(b, words, strlen(words));
}

void text_builder_addv(struct text_builder *b, const char *format, va_list args)
{
    char words[1024]; /* more than any text that is built here holds */
    int n = vsnprintf(words, sizeof(words), format, args);
    if (n > 0)
        text_builder_add(b, words);
}

void text_builder_addf(struct text_builder *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_builder_addv(b, format, args);
    va_end(args);
}

/* ---- quoting ---- */

static void skip_blanks(const char **bytes, size_t *len)
{
    while (*len > 0) {
        struct sanitized c = sanitize_next(*bytes, *len, SANITIZE_BLANK);
        if (c.bytes[0] != ' ')
            break;
        *bytes += c.used;
        *len -= c.used;
    }
}

/* Blanks of one byte, of which there may be very many, so that they take no room below. */
static void drop_blank_end(const char *bytes, size_t *len)
{
    while (*len > 0 && ((unsigned char)bytes[*len - 1] <= ' ' || bytes[*len - 1] == 0x7f))
        --*len;
}

void text_builder_quote(struct text_builder *b, const char *bytes, size_t len, size_t max_bytes)
{
    size_t before = b->len;
    skip_blanks(&bytes, &len);
    drop_blank_end(bytes, &len);
    if (max_bytes >= text_builder_room(b))
        add(b, bytes, len);
    else
        (void)put(b, bytes, len, b->len + max_bytes); /* cut or not, there is room behind it */
    if (b->len > before && b->text[b->len - 1] == ' ')
        b->text[--b->len] = '\0';
}

void text_builder_quote_end(struct text_builder *b, const char *bytes, size_t len, size_t max_bytes)
{
    skip_blanks(&bytes, &len);
    drop_blank_end(bytes, &len);
    size_t room = text_builder_room(b);
    if (max_bytes > room)
        max_bytes = room;
    if (len > max_bytes && max_bytes > ELLIPSIS_LEN) {
        size_t keep = max_bytes - ELLIPSIS_LEN;
        bytes += len - keep;
        len = keep;
        while (len > 0 && text_is_continuation(bytes[0])) {
            bytes++;
            len--;
        }
        text_builder_add(b, ELLIPSIS);
        max_bytes = keep;
    }
    /* Bytes that are no UTF-8 take three each, so that the end may still have to be cut. */
    text_builder_quote(b, bytes, len, max_bytes);
}

/* ---- the rest ---- */

void text_builder_add_duration(struct text_builder *b, uint64_t ms)
{
    if (ms < 1000)
        text_builder_addf(b, "%u ms", (unsigned)ms);
    else if (ms % 1000 < 100)
        text_builder_addf(b, "%llu s", (unsigned long long)(ms / 1000));
    else
        text_builder_addf(b, "%llu.%u s", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000 / 100));
}

void text_builder_shorten(struct text_builder *b, size_t len)
{
    if (b->len > len)
        cut(b, len);
}
