/* Request methods. Nothing can fail. */
#include "http/http_method.h"

#include <stdio.h>
#include <string.h>

static const char *const names[HTTP_METHOD_COUNT] = {"",
#define X(name) #name,
                                                     HTTP_METHODS(X)
#undef X
};

enum http_method http_method_find(struct part text)
{
    for (unsigned i = 1; i < HTTP_METHOD_COUNT; i++)
        if (strlen(names[i]) == text.len && memcmp(names[i], text.bytes, text.len) == 0)
            return (enum http_method)i;
    return HTTP_METHOD_OTHER;
}

const char *http_method_text(enum http_method method)
{
    return names[method];
}

const char *http_method_list(unsigned methods, char out[HTTP_ALLOW_SIZE])
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 1; i < HTTP_METHOD_COUNT; i++) {
        if ((methods & 1U << i) == 0)
            continue;
        int n = snprintf(out + len, HTTP_ALLOW_SIZE - len, "%s%s", len > 0 ? ", " : "", names[i]);
        len += n > 0 ? (size_t)n : 0;
    }
    return out;
}
