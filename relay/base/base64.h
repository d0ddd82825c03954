/* Base64 (RFC 4648 4), with padding. Pure. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters that encode `len` bytes, without a NUL. */
#define BASE64_LEN(len) (((size_t)(len) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters and a NUL. */
void base64_encode(const void *bytes, size_t len, char *out);
bool base64_is_digit(char c);

#endif
