/* A bounded byte queue: append at the end, consume from the front. Its maximum size is set at initialization.
 *
 * Growth doubles (from 256 bytes) up to `max`; consuming moves an offset, and the bytes are moved to the
 * front only when room is needed. Emptying keeps the storage; buf_trim frees it.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
    char *data;   /* owned */
    size_t start; /* first unread byte */
    size_t end;   /* one past the last */
    size_t cap;
    size_t max; /* unread bytes never exceed this */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}
/* Valid until the next append, reserve, trim or done. NULL only while nothing was ever stored. */
static inline char *buf_data(const struct buf *b)
{
    return b->data ? b->data + b->start : NULL;
}

/* ERR_TOO_LARGE when the unread bytes would pass `max`, -ENOMEM; the buffer is then unchanged. */
MUSTCHECK int buf_append(struct buf *b, const void *bytes, size_t len);
/* Makes room for `len` more bytes and returns where; the caller writes there and commits the count with
 * buf_commit.
 */
MUSTCHECK int buf_reserve(struct buf *b, size_t len, char **ret_room);
void buf_commit(struct buf *b, size_t len);
void buf_consume(struct buf *b, size_t len);
/* Shortens the unread bytes to `len` from the front (drops the tail). */
void buf_truncate(struct buf *b, size_t len);
static inline void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}
/* Gives back storage beyond twice what is used, when that is less than a quarter of it; best effort. */
void buf_shrink(struct buf *b);
/* Frees the storage when the buffer is empty and holds more than `keep_bytes`. */
void buf_trim(struct buf *b, size_t keep_bytes);

#endif
