/* Structured logs: one line per event, logfmt or JSON, to a descriptor, written by one thread of its own.
 * Logging never blocks the loop: lines go into a bounded ring; when it is full they are dropped and counted,
 * and the count is logged as soon as there is room. Payloads appear at debug level only; secrets never.
 *
 *   LOG(LOG_INFO, "child exited", F_STR("server", name), F_INT("status", status));
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log_level.h"

enum log_field_type {
    LOG_FIELD_END,
    LOG_FIELD_STR,
    LOG_FIELD_BYTES,
    LOG_FIELD_INT,
    LOG_FIELD_UINT,
    LOG_FIELD_BOOL
};

struct log_field {
    enum log_field_type type;
    const char *key;
    const char *str; /* STR: NUL-terminated, NULL shown as empty; BYTES: len bytes, made valid UTF-8 */
    size_t len;
    int64_t i;
    uint64_t u;
};

#define F_STR(k, v)      ((struct log_field){.type = LOG_FIELD_STR, .key = (k), .str = (v)})
#define F_BYTES(k, v, n) ((struct log_field){.type = LOG_FIELD_BYTES, .key = (k), .str = (v), .len = (n)})
#define F_INT(k, v)      ((struct log_field){.type = LOG_FIELD_INT, .key = (k), .i = (int64_t)(v)})
#define F_UINT(k, v)     ((struct log_field){.type = LOG_FIELD_UINT, .key = (k), .u = (uint64_t)(v)})
#define F_BOOL(k, v)     ((struct log_field){.type = LOG_FIELD_BOOL, .key = (k), .u = (v)})
#define F_END            ((struct log_field){.type = LOG_FIELD_END})

/* Bytes of lines waiting for the writer; beyond it a slow reader loses lines; the loop never waits. */
#define LOG_RING_BYTES ((size_t)1 << 20)

/* Starts the writer thread. `fd` is borrowed until log_close. Before log_open, and after log_close, lines
 * are dropped silently. -ENOMEM, -EBUSY (an earlier writer is blocked), or pthread_create's code. SIGPIPE
 * must be ignored by the process. */
MUSTCHECK int log_open(int fd, enum log_level level, enum log_format format);
/* Writes out what is queued (for at most a second: a blocked reader must not hold an exit) and ends the
 * thread. */
void log_close(void);
/* Level and format may change at any time (reload). */
void log_set(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
/* Lines lost since log_open: no room, or the descriptor refused them. */
uint64_t log_dropped(void);
/* `fields` ends with F_END. Any thread. */
void log_line(enum log_level level, const char *event, const struct log_field *fields);

/* LOG(level, event, fields...): the fields are evaluated only when the level is on; there may be none. */
#define LOG(level, ...) LOG_WITH_END(level, __VA_ARGS__, F_END)
#define LOG_WITH_END(level, event, ...)                                                                      \
    do {                                                                                                     \
        if (log_enabled(level))                                                                              \
            log_line((level), (event), (const struct log_field[]){__VA_ARGS__});                             \
    } while (0)

#endif
