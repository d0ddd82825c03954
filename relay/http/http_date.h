/* A point in wall-clock time as HTTP writes it (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". Pure. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdint.h>

#define HTTP_DATE_SIZE 30

/* Seconds since 1970, up to the year 9999. Returns `out`. */
const char *http_date(uint64_t unix_seconds, char out[HTTP_DATE_SIZE]);

#endif
