/* The characters and lists of HTTP fields (RFC 9110 5.6). Pure.
 *
 * A piece of text is a struct part (base/part.h): bytes that are borrowed, not NUL-terminated.
 */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/part.h"

enum { HTTP_CHAR_TOKEN = 1, HTTP_CHAR_VALUE = 2 };
extern const uint8_t http_char_classes[256]; /* bits of the enum */

/* A character of a token: of methods and field names (tchar). */
static inline bool http_is_token_char(char c)
{
    return (http_char_classes[(unsigned char)c] & HTTP_CHAR_TOKEN) != 0;
}
/* A character of a field's value: visible, blank, tab, or above ASCII. */
static inline bool http_is_value_char(char c)
{
    return (http_char_classes[(unsigned char)c] & HTTP_CHAR_VALUE) != 0;
}
/* A space or a tab. */
static inline bool http_is_blank(char c)
{
    return c == ' ' || c == '\t';
}
/* Of a request target: visible ASCII. */
static inline bool http_is_visible(char c)
{
    return c > ' ' && c < 0x7f;
}
static inline char http_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The text is `lower` (lower-case ASCII), whatever its own letter case. */
bool http_text_is(struct part text, const char *lower);
/* Two texts, whatever their letter case. */
bool http_text_same(struct part a, struct part b);
bool http_text_ends_with(struct part text, const char *lower);
/* Without blanks at both ends. */
struct part http_text_trim(struct part text);
/* Digits alone, 1 to 15 of them, so that every sum of two such numbers fits. */
bool http_text_number(struct part text, uint64_t *ret_number);

/* Takes the next element off a list that is separated by `separator`; blanks around it and empty elements are
 * left out, and a separator in a quoted string separates nothing. false: there is none. */
bool http_list_next(struct part *list, char separator, struct part *ret_element);
/* The comma-separated list has this token, whatever its letter case. */
bool http_list_has(struct part list, const char *lower);

#endif
