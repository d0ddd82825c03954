/* Base64: three bytes become four characters. Nothing can fail. */
#include "base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t len, char *out)
{
    const uint8_t *p = bytes;
    for (; len > 0; p += 3, out += 4) {
        size_t n = len < 3 ? len : 3;
        uint32_t group = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
        out[0] = digits[group >> 18];
        out[1] = digits[group >> 12 & 63];
        out[2] = n > 1 ? digits[group >> 6 & 63] : '=';
        out[3] = n > 2 ? digits[group & 63] : '=';
        len -= n;
    }
    *out = '\0';
}

bool base64_is_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}
