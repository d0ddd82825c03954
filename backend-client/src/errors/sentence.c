/* The one place where words of peers become words for people.
 *
 * Purpose: error texts quote names, messages and log lines that others chose, and end up in terminals, logs
 * and web pages. Every addition goes character by character through `clean_next`, which lets through only
 * whole, harmless ones; nothing else writes to the text.
 *
 * Failure modes: no room: cut at a character's edge, "..." at the end, and the sentence is full. A format
 * that fails adds nothing.
 */
#include "sentence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/clean.h"
#include "wire/text.h"

#define ELLIPSIS     "..."
#define ELLIPSIS_LEN (sizeof(ELLIPSIS) - 1)

/* Ends the text with "..." at `limit` or before; everything up to `limit` is made here, so it is UTF-8. */
static void cut(struct sentence *s, size_t limit)
{
    size_t at = limit - ELLIPSIS_LEN;
    if (at > s->len)
        at = s->len;
    while (at > 0 && text_is_continuation(s->text[at]))
        at--;
    memcpy(s->text + at, ELLIPSIS, ELLIPSIS_LEN + 1);
    s->len = at + ELLIPSIS_LEN;
}

/* false: it did not fit below `limit`, and was cut. */
static bool put(struct sentence *s, const char *bytes, size_t len, size_t limit)
{
    while (len > 0) {
        struct clean_character c = clean_next(bytes, len);
        bytes += c.used;
        len -= c.used;
        if (c.bytes[0] == ' ' && s->len > 0 && s->text[s->len - 1] == ' ')
            continue;
        if (s->len + c.len > limit) {
            cut(s, limit);
            return false;
        }
        memcpy(s->text + s->len, c.bytes, c.len);
        s->len += c.len;
        s->text[s->len] = '\0';
    }
    return true;
}

void sentence_begin(struct sentence *s, char *text, size_t size)
{
    *s = (struct sentence){.text = text, .size = size};
    text[0] = '\0';
}

void sentence_resume(struct sentence *s, char *text, size_t size)
{
    *s = (struct sentence){.text = text, .size = size, .len = strlen(text)};
}

size_t sentence_room(const struct sentence *s)
{
    return s->full ? 0 : s->size - 1 - s->len;
}

static void add(struct sentence *s, const char *bytes, size_t len)
{
    if (!s->full)
        s->full = !put(s, bytes, len, s->size - 1);
}

void sentence_add(struct sentence *s, const char *words)
{
    add(s, words, strlen(words));
}

void sentence_addf(struct sentence *s, const char *format, ...)
{
    char words[512]; /* more than any sentence holds */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (n > 0)
        sentence_add(s, words);
}

/* ---- quoting ---- */

static bool is_edge_blank(char c)
{
    return (c >= 0 && c <= ' ') || c == 0x7f;
}

static void trim(const char **bytes, size_t *len)
{
    while (*len > 0 && is_edge_blank((*bytes)[0])) {
        ++*bytes;
        --*len;
    }
    while (*len > 0 && is_edge_blank((*bytes)[*len - 1]))
        --*len;
}

void sentence_quote(struct sentence *s, const char *bytes, size_t len, size_t max_bytes)
{
    trim(&bytes, &len);
    if (max_bytes >= sentence_room(s))
        add(s, bytes, len);
    else
        (void)put(s, bytes, len, s->len + max_bytes); /* cut or not, there is room behind it */
}

void sentence_quote_end(struct sentence *s, const char *bytes, size_t len, size_t max_bytes)
{
    trim(&bytes, &len);
    size_t room = sentence_room(s);
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
        sentence_add(s, ELLIPSIS);
        max_bytes = keep;
    }
    /* Bytes that are no UTF-8 take three each, so that the end may still have to be cut. */
    sentence_quote(s, bytes, len, max_bytes);
}

/* ---- the rest ---- */

void sentence_add_duration(struct sentence *s, uint64_t ms)
{
    if (ms < 1000)
        sentence_addf(s, "%u ms", (unsigned)ms);
    else if (ms % 1000 < 100)
        sentence_addf(s, "%llu s", (unsigned long long)(ms / 1000));
    else
        sentence_addf(s, "%llu.%u s", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000 / 100));
}

void sentence_shorten(struct sentence *s, size_t len)
{
    if (s->len > len)
        cut(s, len);
}
