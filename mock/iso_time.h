/* Points in time as people and JSON write them: 2026-11-20T14:10:05.123Z. UTC only. */
#ifndef MOCK_ISO_TIME_H
#define MOCK_ISO_TIME_H

#include <stdint.h>

#include "base/err.h"

#define ISO_TIME_SIZE 32

/* Always 24 characters and a NUL; beyond the year 9999: its last millisecond. */
void iso_time_format(uint64_t unix_ms, char ret_text[ISO_TIME_SIZE]);
/* Takes YYYY-MM-DDTHH:MM:SS, an optional fraction (cut to milliseconds), and Z or nothing. ERR_SYNTAX,
 * ERR_RANGE (before 1970, or a day that does not exist). */
MUSTCHECK int iso_time_parse(const char *text, uint64_t *ret_unix_ms);

#endif
