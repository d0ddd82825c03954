/* A bounded byte queue.
 *
 * Purpose: gather bytes at the end, take them from the front, never hold more than `max`. Room is made, in
 * this order, by space at the end, by moving the unread bytes to the front, by doubling the storage. Moving
 * is done only when at least half of the storage in use has been consumed, or when the storage may not grow,
 * so that a byte is moved a bounded number of times. Failure modes: over the maximum (ERR_TOO_LARGE) or out
 * of memory (-ENOMEM): the buffer is unchanged.
 */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"

#define BUF_FIRST_BYTES 256

void buf_init(struct buf *b, size_t max_bytes)
{
    b->data = NULL;
    b->start = 0;
    b->end = 0;
    b->cap = 0;
    b->max = max_bytes;
}

void buf_done(struct buf *b)
{
    mem_free(b->data);
    buf_init(b, b->max);
}

static void move_to_front(struct buf *b)
{
    if (b->start == 0)
        return;
    size_t len = buf_len(b);
    memmove(b->data, b->data + b->start, len);
    b->start = 0;
    b->end = len;
}

/* The storage for `need` unread bytes: doubled, but no more than max unless max itself is small. */
static size_t bigger_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
    while (cap < need) {
        if (!size_mul(cap, 2, &cap))
            return need;
    }
    return cap > b->max ? b->max : cap;
}

static int grow(struct buf *b, size_t need)
{
    size_t cap = bigger_cap(b, need);
    if (b->start == 0) {
        char *data = mem_realloc(b->data, cap);
        if (!data)
            return -ENOMEM;
        b->data = data;
        b->cap = cap;
        return 0;
    }
    char *data = mem_alloc(cap);
    if (!data)
        return -ENOMEM;
    size_t len = buf_len(b);
    assert(b->data);
    memcpy(data, b->data + b->start, len);
    mem_free(b->data);
    b->data = data;
    b->start = 0;
    b->end = len;
    b->cap = cap;
    return 0;
}

/* The end has fewer than `len` free bytes; `need` bytes in all are within the limit. */
static int make_room(struct buf *b, size_t need)
{
    bool fits = b->data && need <= b->cap;
    if (fits && (b->start >= buf_len(b) || b->cap >= b->max)) {
        move_to_front(b);
        return 0;
    }
    int rc = grow(b, fits ? b->cap + 1 : need);
    if (rc != 0 && fits) {
        move_to_front(b);
        return 0;
    }
    return rc;
}

int buf_reserve(struct buf *b, size_t len, char **ret_room)
{
    size_t used = buf_len(b);
    if (used > b->max || len > b->max - used)
        return ERR_TOO_LARGE;
    if (!b->data || b->cap - b->end < len) {
        int rc = make_room(b, used + len);
        if (rc != 0)
            return rc;
    }
    *ret_room = b->data + b->end;
    return 0;
}

void buf_commit(struct buf *b, size_t len)
{
    assert(len <= b->cap - b->end);
    b->end += len;
}

int buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return 0;
    char *room;
    int rc = buf_reserve(b, len, &room);
    if (rc != 0)
        return rc;
    memcpy(room, bytes, len);
    b->end += len;
    return 0;
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= buf_len(b));
    b->start += len;
    if (b->start == b->end)
        buf_clear(b);
}

void buf_truncate(struct buf *b, size_t len)
{
    assert(len <= buf_len(b));
    b->end = b->start + len;
    if (len == 0)
        buf_clear(b);
}

void buf_trim(struct buf *b, size_t keep_bytes)
{
    if (buf_len(b) != 0 || b->cap <= keep_bytes)
        return;
    mem_free(b->data);
    buf_init(b, b->max);
}

void buf_shrink(struct buf *b)
{
    size_t len = buf_len(b);
    if (len == 0) {
        buf_trim(b, 0);
        return;
    }
    if (len >= b->cap / 4 || b->cap <= BUF_FIRST_BYTES)
        return;
    move_to_front(b);
    size_t cap = 2 * len;
    char *data = mem_realloc(b->data, cap);
    if (!data)
        return; /* a smaller block may be refused, too: the larger one stays */
    b->data = data;
    b->cap = cap;
}
