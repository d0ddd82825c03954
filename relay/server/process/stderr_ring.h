/* The end of a child's standard error: a ring of 64 KiB, and the same bytes cut into lines for the log. Pure.
 *
 * The ring is allocated when the first byte comes and grows to its full size; out of memory, it keeps its
 * size.
 */
#ifndef PROCESS_STDERR_RING_H
#define PROCESS_STDERR_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As much as one default pipe holds: a burst that a child can write without being read. */
#define STDERR_RING_BYTES ((size_t)64 << 10)
/* A longer line is logged in pieces of this size. */
#define STDERR_LINE_BYTES ((size_t)1 << 10)

struct stderr_ring;

/* One line without its end (LF or CRLF), or a piece of one; never empty; borrowed for the call. */
typedef void stderr_line_cb(void *data, const char *line, size_t len);

struct stderr_ring {
    char *bytes; /* owned */
    size_t cap;
    size_t end; /* where the next byte goes */
    size_t len; /* bytes kept */
    uint64_t total_bytes;
    stderr_line_cb *on_line;
    void *data; /* for on_line; borrowed */
    char *line; /* owned, STDERR_LINE_BYTES; NULL before the first byte */
    size_t line_len;
};

/* `on_line` may be NULL. */
void stderr_ring_init(struct stderr_ring *r, stderr_line_cb *on_line, void *data);
void stderr_ring_done(struct stderr_ring *r);
/* Calls on_line for every line that it completes. */
void stderr_ring_add(struct stderr_ring *r, const char *bytes, size_t len);
/* Calls on_line for the line that has begun. */
void stderr_ring_flush(struct stderr_ring *r);
/* Writes the last bytes, at most `max` - 1, as valid UTF-8 (other bytes become '?') and a NUL; a sequence
 * that the cut went through is left out. Returns the length. */
size_t stderr_ring_tail(const struct stderr_ring *r, char *ret_text, size_t max);

#endif
