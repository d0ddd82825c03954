/* A table of text, its columns aligned by what they take on a screen. Cells are copied and sanitized when
 * they are set.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define TABLE_MAX_COLUMNS 12
#define TABLE_MAX_BYTES   ((size_t)64 << 20) /* of all cells together */

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_column {
    const char *title;
    enum table_align align;
    size_t max_columns; /* wider cells are cut, with an ellipsis; 0: never */
};

struct table_cell {
    size_t at; /* in `text` */
    size_t len;
    const char *color; /* an escape sequence, static; NULL: none */
};

struct table {
    const struct table_column *columns; /* borrowed */
    size_t column_count;
    struct buf text;  /* of all cells */
    struct buf cells; /* struct table_cell */
    int error;        /* the first failure */
};

void table_init(struct table *t, const struct table_column *columns, size_t column_count);
void table_done(struct table *t);
/* The next cell, from left to right, row after row. NULL: "-". */
void table_cell(struct table *t, const char *text);
void table_cell_len(struct table *t, const char *text, size_t len);
__attribute__((format(printf, 2, 3))) void table_cellf(struct table *t, const char *format, ...);
/* The cell set last is drawn so, where the table is drawn in color. */
void table_color(struct table *t, const char *color);
/* With its titles. `screen_columns` 0: lines may be of any length; else they are cut there. */
MUSTCHECK int table_write(struct table *t, bool color, size_t screen_columns, struct buf *out);

/* A line of a table of names for scripts: the name and a newline. A name that would have to be escaped is
 * none that a script could use, and NULL is none: both are left out. ERR_TOO_LARGE, -ENOMEM. */
MUSTCHECK int table_append_name(struct buf *out, const char *name, size_t len);

#endif
