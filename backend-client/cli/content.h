/* A tool's result as text for a person. Pure. */
#ifndef CTL_CONTENT_H
#define CTL_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends the parts of `content`: texts as they are (sanitized for a terminal where `escaped`), each
 * ended by a newline; of anything else a line that says what it is. Where there is no content, the structured
 * content, or the whole result, as JSON. *ret_is_error: the tool says that it failed.
 * ERR_SYNTAX, ERR_TOO_LARGE, -ENOMEM. */
MUSTCHECK int content_print(struct buf *out, const char *result, size_t len, bool escaped,
                            bool *ret_is_error);

#endif
