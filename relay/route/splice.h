/* Sending a message with some of its spans replaced, as parts: the bytes around them are never touched. */
#ifndef ROUTE_SPLICE_H
#define ROUTE_SPLICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/part.h"
#include "wire/rpc.h"

#define SPLICE_MAX 3
/* Decimal digits of the largest uint64_t. */
#define ID_TEXT_MAX 20

struct splice {
    struct span at; /* len 0: nothing to replace, skipped */
    const char *bytes;
    size_t len;
};

/* Writes `id` in decimal, without a NUL; returns the length. */
size_t id_print(uint64_t id, char out[ID_TEXT_MAX]);
#define SPLICE_PARTS_MAX (2 * SPLICE_MAX + 1)
/* The text with its spans replaced, as parts that borrow from everything; returns how many. The spans must not
 * overlap; at most SPLICE_MAX, in any order (they are sorted in place). */
size_t splice_parts(const char *text, size_t len, struct splice *splices, size_t count,
                    struct part parts[SPLICE_PARTS_MAX]);

#endif
