/* The parameters of a request's query: name=value&name=value. Pure. */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/part.h"

enum http_query_result {
    HTTP_QUERY_ABSENT,
    HTTP_QUERY_FOUND,
    HTTP_QUERY_BAD, /* twice, malformed, not valid UTF-8, with a control character, or longer than `size` */
};

/* The value of the parameter, decoded (+ is a space) and NUL-terminated into `out` of `size` (1 or more)
 * bytes; a name without = has an empty one. Names are compared decoded. `ret_len` may be NULL. */
enum http_query_result http_query_find(struct part query, const char *name, char *out, size_t size,
                                       size_t *ret_len);

#endif
