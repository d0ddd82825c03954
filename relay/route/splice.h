/* Sending a message with some of its spans replaced, as parts: the bytes around them are never touched. */
#ifndef ROUTE_SPLICE_H
#define ROUTE_SPLICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "route/link.h"
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
/* The parts that splice_send would send; returns how many. They borrow from everything. */
size_t splice_parts(const char *text, size_t len, struct splice *splices, size_t count,
                    struct link_part parts[SPLICE_PARTS_MAX]);
/* The spans must not overlap; at most SPLICE_MAX, in any order (they are sorted in place). The link's own
 * verdict. */
MUSTCHECK int splice_send(struct link *link, const char *text, size_t len, struct splice *splices,
                          size_t count);

#endif
