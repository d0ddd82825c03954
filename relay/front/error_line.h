/* The one line that a connection gets when the relay refuses or closes it: a JSON-RPC error with id null. */
#ifndef FRONT_ERROR_LINE_H
#define FRONT_ERROR_LINE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/writer.h"

#define ERROR_LINE_MAX_BYTES ((size_t)16 << 10)

struct error_line {
    int code;            /* one of wire/rpc_error.h */
    const char *message; /* NULL: the code's own text */
    /* Writes further members of `data`; NULL: none. */
    void (*write_more)(struct writer *w, void *more_data);
    void *more_data;
};

/* Appends the message and its newline to `out`. -ENOMEM, ERR_TOO_LARGE: `out` then holds a torn text. */
MUSTCHECK int error_line_write(struct buf *out, const struct error_line *line);

#endif
