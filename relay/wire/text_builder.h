/* Text for people in a fixed buffer, built from fixed and untrusted text. For any input the buffer holds
 * valid UTF-8 on one line, NUL-terminated and sanitized (SANITIZE_BLANK; several blanks become one). Text
 * that does not fit is cut between characters and ends in "...". Pure; nothing can fail.
 */
#ifndef WIRE_TEXT_BUILDER_H
#define WIRE_TEXT_BUILDER_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct text_builder {
    char *text;  /* borrowed */
    size_t size; /* 8 or more, the NUL included */
    size_t len;
    bool full; /* it was cut: further text is ignored */
};

/* Begins an empty one. */
void text_builder_begin(struct text_builder *b, char *text, size_t size);
/* Continues the text in `text`, which was made here. */
void text_builder_resume(struct text_builder *b, char *text, size_t size);
void text_builder_add(struct text_builder *b, const char *words);
__attribute__((format(printf, 2, 3))) void text_builder_addf(struct text_builder *b, const char *format, ...);
__attribute__((format(printf, 2, 0))) void text_builder_addv(struct text_builder *b, const char *format,
                                                             va_list args);
/* Untrusted text, at most max_bytes (8 or more) of the buffer, without blanks at both ends. */
void text_builder_quote(struct text_builder *b, const char *bytes, size_t len, size_t max_bytes);
/* The same, but text that is too long keeps its end, "..." before it: the end of a log holds the reason. */
void text_builder_quote_end(struct text_builder *b, const char *bytes, size_t len, size_t max_bytes);
/* "250 ms", "1.5 s". */
void text_builder_add_duration(struct text_builder *b, uint64_t ms);
/* Shortens it to at most `len` bytes ("..." included, 8 or more); shorter text stays as it is. */
void text_builder_shorten(struct text_builder *b, size_t len);
/* How many bytes still fit. */
size_t text_builder_room(const struct text_builder *b);

#endif
