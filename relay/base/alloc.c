/* The allocator table that all code of the project uses.
 *
 * Purpose: every allocation goes through `current`, so that a test can count allocations or make one fail. A
 * size of 0 becomes 1, so that NULL always and only means "out of memory".
 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static const struct allocator libc_allocator = {malloc, calloc, realloc, free};
static const struct allocator *current = &libc_allocator;

void mem_set(const struct allocator *table)
{
    current = table ? table : &libc_allocator;
}

const struct allocator *mem_get(void)
{
    return current;
}

void *mem_alloc(size_t size)
{
    return current->malloc(size ? size : 1);
}

void *mem_zalloc(size_t size)
{
    return current->calloc(1, size ? size : 1);
}

void *mem_realloc(void *p, size_t size)
{
    return current->realloc(p, size ? size : 1);
}

void *mem_dup(const void *bytes, size_t size)
{
    void *copy = mem_alloc(size);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}

char *mem_strndup(const char *bytes, size_t len)
{
    size_t size;
    if (!size_add(len, 1, &size))
        return NULL;
    char *copy = mem_alloc(size);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

char *mem_strdup(const char *string)
{
    return mem_strndup(string, strlen(string));
}

void mem_free(void *p)
{
    current->free(p);
}
