/* JSONC to JSON, in place.
 *
 * Purpose: one pass over the text that keeps strings, blanks comments, and remembers the last significant
 * byte. A closing bracket blanks the last significant byte where that is a comma which follows a value.
 * Failure modes: none; malformed text is left for the strict scanner.
 */
#include "wire/json_relaxed.h"

#include <string.h>

#define NOWHERE ((size_t)-1)

static void blank(char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (text[i] != '\n' && text[i] != '\r')
            text[i] = ' ';
    }
}

/* One past the comment that starts at `at`, or `at` when none starts there or it has no end. */
static size_t comment_end(const char *text, size_t len, size_t at)
{
    if (len - at < 2 || text[at] != '/')
        return at;
    if (text[at + 1] == '/') {
        const char *newline = memchr(text + at, '\n', len - at);
        return newline ? (size_t)(newline - text) : len;
    }
    if (text[at + 1] != '*')
        return at;
    for (size_t i = at + 2; i + 1 < len; i++) {
        if (text[i] == '*' && text[i + 1] == '/')
            return i + 2;
    }
    return at;
}

/* One past the string that starts at `at`. */
static size_t string_end(const char *text, size_t len, size_t at)
{
    for (size_t i = at + 1; i < len; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '"')
            return i + 1;
    }
    return len;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int ends_value(char c)
{
    return c != '[' && c != '{' && c != ',' && c != ':';
}

void json_relax(char *text, size_t len)
{
    size_t last = NOWHERE;   /* the last significant byte */
    size_t before = NOWHERE; /* the one before it */
    size_t at = 0;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        blank(text, 0, 3);
    while (at < len) {
        size_t end = comment_end(text, len, at);
        if (end != at || is_blank(text[at])) {
            blank(text, at, end);
            at = end != at ? end : at + 1;
            continue;
        }
        if ((text[at] == ']' || text[at] == '}') && last != NOWHERE && text[last] == ',' &&
            before != NOWHERE && ends_value(text[before]))
            text[last] = ' ';
        size_t next = text[at] == '"' ? string_end(text, len, at) : at + 1;
        before = last;
        last = next - 1;
        at = next;
    }
}
