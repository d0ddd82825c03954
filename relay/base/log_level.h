/* The log's levels and formats. The names are those of the configuration and of the log lines. */
#ifndef BASE_LOG_LEVEL_H
#define BASE_LOG_LEVEL_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* By the enum's value; NULL-terminated. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

#endif
