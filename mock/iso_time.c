/* ISO 8601 to Unix milliseconds and back.
 *
 * Purpose: print and read the one form that JSON messages use. The civil calendar is the C library's
 * (gmtime_r, timegm), and a date that does not exist is detected by converting back. Failure modes:
 * ERR_SYNTAX, ERR_RANGE; nothing is written then.
 */
#include "mock/iso_time.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#define LAST_MS UINT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

void iso_time_format(uint64_t unix_ms, char ret_text[ISO_TIME_SIZE])
{
    uint64_t ms = unix_ms > LAST_MS ? LAST_MS : unix_ms;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(ret_text, ISO_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(ret_text + len, ISO_TIME_SIZE - len, ".%03uZ", (unsigned)(ms % 1000));
}

/* Matches a digit where the pattern has a 'd', the same character elsewhere. */
static int matches(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++) {
        if (*pattern == 'd' ? !isdigit((unsigned char)*text) : *text != *pattern)
            return 0;
    }
    return 1;
}

static int number(const char *digits, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

static int parse_fraction(const char *text, uint64_t *ret_ms)
{
    uint64_t ms = 0, weight = 100;
    if (*text == '.') {
        if (!isdigit((unsigned char)text[1]))
            return ERR_SYNTAX;
        for (text++; isdigit((unsigned char)*text); text++, weight /= 10)
            ms += weight * (uint64_t)(*text - '0');
    }
    if (*text == 'Z')
        text++;
    if (*text != '\0')
        return ERR_SYNTAX;
    *ret_ms = ms;
    return 0;
}

int iso_time_parse(const char *text, uint64_t *ret_unix_ms)
{
    uint64_t ms;
    if (!matches(text, "dddd-dd-ddTdd:dd:dd"))
        return ERR_SYNTAX;
    int rc = parse_fraction(text + 19, &ms);
    if (rc != 0)
        return rc;
    struct tm tm = {.tm_year = number(text, 4) - 1900,
                    .tm_mon = number(text + 5, 2) - 1,
                    .tm_mday = number(text + 8, 2),
                    .tm_hour = number(text + 11, 2),
                    .tm_min = number(text + 14, 2),
                    .tm_sec = number(text + 17, 2)};
    struct tm given = tm;
    time_t seconds = timegm(&tm);
    if (seconds < 0 || tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
        tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
        return ERR_RANGE;
    *ret_unix_ms = (uint64_t)seconds * 1000 + ms;
    return 0;
}
