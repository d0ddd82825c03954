/* A run of bytes of a message. A message is sent as a list of parts, so that a replaced id costs no copy of the
 * rest. */
#ifndef BASE_PART_H
#define BASE_PART_H

#include <stddef.h>

struct part {
    const char *bytes; /* borrowed */
    size_t len;
};

/* A literal as a part. */
#define PART(text) ((struct part){(text), sizeof(text) - 1})

#endif
