/* Figures for people. Pure. */
#ifndef CTL_UNITS_H
#define CTL_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define UNITS_SIZE 32

/* "850 ms", "3.2 s", "4 min 5 s", "2 h 3 min", "5 d 6 h". `out` has UNITS_SIZE bytes and is returned. */
const char *units_span(uint64_t ms, char *out);
/* "0.04 ms", "3.127 ms", "12.3 ms", "850 ms": at most three places, and no zeros at the end. Likewise. */
const char *units_ms(double ms, char *out);
/* Rounded to microseconds, for a document: further digits are not significant. `ms` from 0 to a day or so. */
double units_round_ms(double ms);

#endif
