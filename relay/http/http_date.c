/* HTTP's date. strftime would write the days in the locale's language. Nothing can fail. */
#include "http/http_date.h"

#include <stdio.h>
#include <time.h>

#define YEAR_10000_S UINT64_C(253402300800)

const char *http_date(uint64_t unix_seconds, char out[HTTP_DATE_SIZE])
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t at = (time_t)(unix_seconds < YEAR_10000_S ? unix_seconds : YEAR_10000_S - 1);
    struct tm t = {0};
    (void)gmtime_r(&at, &t);
    (void)snprintf(out, HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[(unsigned)t.tm_wday % 7],
                   (unsigned)t.tm_mday % 100, months[(unsigned)t.tm_mon % 12],
                   (unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100,
                   (unsigned)t.tm_sec % 100);
    return out;
}
