/* How many columns a terminal gives to a text. Pure; by a table of its own, so that it needs no locale. */
#ifndef CTL_WIDTH_H
#define CTL_WIDTH_H

#include <stddef.h>
#include <stdint.h>

/* 0 (combining marks, joiners), 1 or 2 (East Asian wide ones, emoji). */
unsigned width_of_char(uint32_t c);
/* Of a text that sanitize_append made with SANITIZE_ESCAPE: no control characters. */
size_t width_of_text(const char *text, size_t len);
/* The length in bytes of the longest beginning that is at most `columns` wide. */
size_t width_cut(const char *text, size_t len, size_t columns);

#endif
