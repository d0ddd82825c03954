/* JSON as people type and read it: checked strictly before it is sent, compacted into one line, spread out
 * for reading. Values are never interpreted: numbers and escapes stay the bytes that they are.
 */
#ifndef CTL_JSON_TEXT_H
#define CTL_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* 0: strict JSON (RFC 8259, UTF-8, at most 128 levels). ERR_SYNTAX: `problem` says at which line and column,
 * what is wrong there and what to write. */
MUSTCHECK int json_text_check(const char *text, size_t len, char *problem, size_t problem_size);

enum json_layout {
    JSON_COMPACT, /* one line, no blanks */
    JSON_SPREAD,  /* a member or element a line, two blanks a level; short arrays and objects too */
};

/* Appends strict JSON (checked before, or come from the library) laid out so. `escaped`: characters that a
 * terminal might obey are written as \u escapes, which changes no value. */
MUSTCHECK int json_text_print(struct buf *out, const char *text, size_t len, enum json_layout layout,
                              bool escaped);

/* For json_text_check: what a person probably wanted to write where the text stopped being JSON. Static. */
const char *json_advice(const char *text, size_t len, size_t fault_at, bool truncated, bool in_string);

#endif
