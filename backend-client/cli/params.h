/* The params of a request: JSON from the command line, standard input or a file, or an object made of pairs. */
#ifndef CTL_PARAMS_H
#define CTL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define PARAMS_MAX_BYTES ((size_t)8 << 20) /* the relay's own limit of a frame */

/* ERR_SYNTAX for a method that cannot be called, with why, and what to do instead, in `problem`. */
MUSTCHECK int params_check_method(const char *method, char *problem, size_t problem_size);

/* Operands as a tool's arguments are pairs, not one JSON text. */
bool params_are_pairs(char *const *operands, size_t count);

/* Appends the checked JSON text that `operand` names, in one line: inline JSON, "-" (read from `stdin_fd`),
 * or "@FILE". `object_only`: an array is refused as well. ERR_SYNTAX, ERR_TOO_LARGE, -errno of reading,
 * -ENOMEM; `problem` says what and where. */
MUSTCHECK int params_read(struct buf *out, const char *operand, bool object_only, int stdin_fd, char *problem,
                          size_t problem_size);
enum params_type {
    PARAMS_TEXT = 0, /* VALUE is a string */
    PARAMS_JSON = 1, /* VALUE is JSON as it stands */
};
/* What KEY=VALUE means; ERR_SYNTAX with `problem`. `value` NULL: KEY:=JSON, and only the key is to be checked. */
typedef int params_type_cb(const char *key, const char *value, void *data, char *problem,
                           size_t problem_size);

/* Appends {"key":"value","key":JSON,...} made of KEY=VALUE and KEY:=JSON. `type` NULL: values are strings.
 * Likewise. */
MUSTCHECK int params_from_pairs(struct buf *out, char *const *pairs, size_t count, params_type_cb *type,
                                void *data, char *problem, size_t problem_size);

#endif
