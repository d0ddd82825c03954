/* The allocator table that all code of the project uses.
 *
 * Every allocation of the project goes through a table of four functions, so that a test can count
 * allocations, or make the Nth one fail (wrapping malloc at link time does not work: the optimiser removes
 * malloc/free pairs). The daemon passes the same table to libuv with uv_replace_allocator.
 *
 * Not thread-safe to change: mem_set is called before any thread or allocation exists.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct allocator {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *p, size_t size);
    void (*free)(void *p);
};

/* Borrowed for the life of the program; NULL puts the C library's functions back. */
void mem_set(const struct allocator *table);
const struct allocator *mem_get(void);

/* NULL when out of memory, or for 0 bytes never: mem_alloc(0) gives a pointer that may be freed. */
MUSTCHECK void *mem_alloc(size_t size);
MUSTCHECK void *mem_zalloc(size_t size);
MUSTCHECK void *mem_realloc(void *p, size_t size);
MUSTCHECK void *mem_dup(const void *bytes, size_t size);
/* Copies `len` bytes and adds a NUL. */
MUSTCHECK char *mem_strndup(const char *bytes, size_t len);
MUSTCHECK char *mem_strdup(const char *string);
void mem_free(void *p);

/* false on overflow; *ret is then untouched. */
MUSTCHECK static inline bool size_add(size_t a, size_t b, size_t *ret)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

MUSTCHECK static inline bool size_mul(size_t a, size_t b, size_t *ret)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

#endif
