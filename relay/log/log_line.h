/* One log line as text. Pure: the time comes in. */
#ifndef LOG_LOG_LINE_H
#define LOG_LOG_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "log/log.h"

/* The longest line, its newline included; and the longest value, in bytes of its source. */
#define LOG_LINE_MAX_BYTES  ((size_t)16 << 10)
#define LOG_VALUE_MAX_BYTES ((size_t)4 << 10)

/* ts, level and event, then the fields up to F_END, then a newline: always one line of printable UTF-8,
 * whatever the values hold. Over-long values end with U+2026; fields that no longer fit are left out and
 * the line gets truncated=true. `room` has LOG_LINE_MAX_BYTES; returns the length. `wall_ms` is since
 * 1970. */
size_t log_line_format(char *room, enum log_format format, int64_t wall_ms, enum log_level level,
                       const char *event, const struct log_field *fields);
/* "debug", "info", "warn", "error", "off". */
const char *log_level_name(enum log_level level);

#endif
