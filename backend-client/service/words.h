/* Words of others (a server's, the relay's, a request's) for people to read. Whatever goes in, what comes out
 * is valid UTF-8 on one line, free of what could drive a terminal or turn the order of the text: control
 * characters (C0, C1, DEL), line and paragraph separators and bidirectional controls become blanks (several
 * one), bytes that are no UTF-8 become U+FFFD. What is too long is cut at a character's edge and marked with
 * "...". Pure.
 */
#ifndef SERVICE_WORDS_H
#define SERVICE_WORDS_H

#include <stddef.h>

/* `into` has `size` bytes, 8 or more, the NUL included, and does not overlap `bytes`. */
void words_clean(char *into, size_t size, const char *bytes, size_t len);
/* Likewise, but of what is too long the end is kept: the end of a log says why. */
void words_clean_end(char *into, size_t size, const char *bytes, size_t len);

#endif
