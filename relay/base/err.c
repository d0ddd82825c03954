/* Error texts.
 *
 * Purpose: map any code that a function of ours returns to a text. Our own codes come from the table in
 * err.h; the rest of the negative numbers are errno values and get the C library's static description
 * (strerrordesc_np neither allocates, nor translates, nor shares a buffer, so any thread may call it). A
 * number in neither table is "unknown error": the caller always gets a string.
 */
#include "base/err.h"

#include <limits.h>
#include <string.h>

const char *err_text(int code)
{
    switch (code) {
    case 0:
        return "no error";
#define X(name, number, text)                                                                                \
    case name:                                                                                               \
        return text;
        ERR_CODES(X)
#undef X
    default:
        break;
    }
    if (code > 0 || code == INT_MIN)
        return "unknown error";
    const char *text = strerrordesc_np(-code);
    return text ? text : "unknown error";
}
