/* The one line that a connection gets when it is refused or closed by the relay: a JSON-RPC error with id
 * null. */
#ifndef FRONT_REFUSAL_H
#define FRONT_REFUSAL_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/writer.h"

#define REFUSAL_MAX_BYTES ((size_t)16 << 10)

struct refusal {
    int code;            /* one of wire/rpc_error.h */
    const char *message; /* NULL: the code's own text */
    /* Writes further members of `data`; NULL: none. */
    void (*write_more)(struct writer *w, void *more_data);
    void *more_data;
};

/* Appends the message and its newline to `out`. -ENOMEM, ERR_TOO_LARGE: `out` then holds a torn text. */
MUSTCHECK int refusal_write(struct buf *out, const struct refusal *refusal);

#endif
