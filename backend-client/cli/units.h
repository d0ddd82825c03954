/* Figures for people. Pure. */
#ifndef CTL_UNITS_H
#define CTL_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define UNITS_SIZE 32

/* "850 ms", "3.2 s", "4 min 5 s", "2 h 3 min", "5 d 6 h". `out` has UNITS_SIZE bytes and is returned. */
const char *units_span(uint64_t ms, char *out);

#endif
