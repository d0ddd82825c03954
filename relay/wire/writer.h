/* A JSON writer into a buffer. The writer places commas and colons; an error (no memory, over the buffer's
 * limit) sticks and is returned by writer_end, so a chain of calls needs one check. Misuse (a value without
 * its key, an unclosed container) is our bug and asserts.
 */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A bit per level, the root's included, in 64. Nothing of ours nests deeper than ten. */
#define WRITER_MAX_DEPTH 63

struct writer {
    struct buf *out;     /* borrowed */
    int error;           /* 0, or the first failure */
    unsigned depth;      /* open containers, at most WRITER_MAX_DEPTH */
    uint64_t has_member; /* one bit per level: a value was written there */
    uint64_t in_object;  /* one bit per level: an object (1) or an array (0) */
    bool after_key;
};

void writer_init(struct writer *w, struct buf *out);
/* 0, or the first error; the buffer then holds an incomplete text. Asserts that every container was closed. */
MUSTCHECK int writer_end(struct writer *w);

void write_object(struct writer *w);
void write_object_end(struct writer *w);
void write_array(struct writer *w);
void write_array_end(struct writer *w);
void write_key(struct writer *w, const char *key);
/* Invalid UTF-8 in the input becomes U+FFFD, so the output is always strict JSON. */
void write_string(struct writer *w, const char *bytes, size_t len);
void write_cstring(struct writer *w, const char *string);
void write_int(struct writer *w, int64_t value);
void write_uint(struct writer *w, uint64_t value);
/* Shortest form that reads back the same; not finite: null. */
void write_double(struct writer *w, double value);
void write_bool(struct writer *w, bool value);
void write_null(struct writer *w);
/* Bytes that are JSON already (an id, a payload): copied as they are. */
void write_raw(struct writer *w, const char *json, size_t len);

/* key and value in one call */
void write_member_string(struct writer *w, const char *key, const char *value); /* NULL: written as null */
void write_member_int(struct writer *w, const char *key, int64_t value);
void write_member_uint(struct writer *w, const char *key, uint64_t value);
void write_member_double(struct writer *w, const char *key, double value);
void write_member_bool(struct writer *w, const char *key, bool value);
void write_member_raw(struct writer *w, const char *key, const char *json, size_t len);

#endif
