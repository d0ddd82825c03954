/* A sentence for people in a fixed place, put together from words of ours and words of peers. Whatever goes
 * in, what stands there is always valid UTF-8, NUL-terminated, and free of what could drive a terminal or
 * turn the order of the text: control characters (C0, C1, DEL), line and paragraph separators and
 * bidirectional controls become blanks (several one), bytes that are no UTF-8 become U+FFFD. What is too long
 * is cut at a character's edge and ends in "...". Pure; nothing can fail.
 */
#ifndef CLIENT_SENTENCE_H
#define CLIENT_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sentence {
    char *text;  /* borrowed */
    size_t size; /* 8 or more, the NUL included */
    size_t len;
    bool full; /* it was cut: nothing is added any more */
};

/* Begins an empty one. */
void sentence_begin(struct sentence *s, char *text, size_t size);
/* Goes on with the text that stands in `text`, which was made here. */
void sentence_resume(struct sentence *s, char *text, size_t size);
void sentence_add(struct sentence *s, const char *words);
__attribute__((format(printf, 2, 3))) void sentence_addf(struct sentence *s, const char *format, ...);
/* Foreign words, at most max_bytes (8 or more) of the sentence, blanks at both ends dropped. */
void sentence_quote(struct sentence *s, const char *bytes, size_t len, size_t max_bytes);
/* Likewise, but of what is too long the end is kept, "..." before it: the end of a log says why. */
void sentence_quote_end(struct sentence *s, const char *bytes, size_t len, size_t max_bytes);
/* "250 ms", "1.5 s". */
void sentence_add_duration(struct sentence *s, uint64_t ms);
/* Shortens it to at most `len` bytes ("..." included, 8 or more); shorter ones stay as they are. */
void sentence_shorten(struct sentence *s, size_t len);
/* How many bytes still fit. */
size_t sentence_room(const struct sentence *s);

#endif
