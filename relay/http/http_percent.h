/* Percent-encoding (RFC 3986 2.1). Pure. */
#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/part.h"

/* Every % begins an escape of two hexadecimal digits, and none of them means the byte 0. */
bool http_percent_is_sound(struct part text);
/* Takes the next decoded byte off the text, which is not empty; a % that begins no escape is itself. */
char http_percent_next(struct part *text);
/* Decodes into `out`, which gets a NUL behind it; a decoded NUL is not taken. false: malformed, or with its
 * NUL longer than `size`. */
bool http_percent_decode(struct part text, char *out, size_t size, size_t *ret_len);

#endif
