/* A table: cells are gathered first, then the columns' widths are known and the lines are written. The last
 * column is not padded, so that lines do not end in blanks.
 *
 * Failure: no memory, or more than TABLE_MAX_BYTES; kept, and returned by table_write.
 */
#include "backend-client/cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/width.h"
#include "wire/sanitize.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define RESET    "\x1b[0m"
#define GAP      2

void table_init(struct table *t, const struct table_column *columns, size_t column_count)
{
    assert(column_count <= TABLE_MAX_COLUMNS);
    *t = (struct table){.columns = columns, .column_count = column_count};
    buf_init(&t->text, TABLE_MAX_BYTES);
    buf_init(&t->cells, TABLE_MAX_BYTES);
}

void table_done(struct table *t)
{
    buf_done(&t->text);
    buf_done(&t->cells);
}

/* ---- filling ---- */

void table_cell_len(struct table *t, const char *text, size_t len)
{
    struct table_cell cell = {.at = buf_len(&t->text)};
    if (t->error == 0)
        t->error = sanitize_append(&t->text, text, len, SANITIZE_ESCAPE);
    cell.len = buf_len(&t->text) - cell.at;
    if (t->error == 0)
        t->error = buf_append(&t->cells, &cell, sizeof(cell));
}

void table_cell(struct table *t, const char *text)
{
    const char *shown = text && text[0] ? text : "-";
    table_cell_len(t, shown, strlen(shown));
}

void table_cellf(struct table *t, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    table_cell(t, text);
}

static struct table_cell *cell_at(struct table *t, size_t index)
{
    return (struct table_cell *)(void *)buf_data(&t->cells) + index;
}

static size_t cell_count(const struct table *t)
{
    return buf_len(&t->cells) / sizeof(struct table_cell);
}

void table_color(struct table *t, const char *color)
{
    size_t count = cell_count(t);
    if (count > 0)
        cell_at(t, count - 1)->color = color;
}

/* ---- drawing ---- */

struct draw {
    struct table *t;
    struct buf *out;
    bool color;
    size_t left; /* columns of this line */
    size_t widths[TABLE_MAX_COLUMNS];
    int error;
};

static void put(struct draw *d, const char *bytes, size_t len)
{
    if (d->error == 0)
        d->error = buf_append(d->out, bytes, len);
}

static void put_blanks(struct draw *d, size_t count)
{
    static const char blanks[] = "                                ";
    if (count > d->left)
        count = d->left;
    d->left -= count;
    while (count > 0) {
        size_t part = count < sizeof(blanks) - 1 ? count : sizeof(blanks) - 1;
        put(d, blanks, part);
        count -= part;
    }
}

/* At most `columns` of it; *ret_width is what it took. */
static void put_cut(struct draw *d, const char *text, size_t len, size_t columns, size_t *ret_width)
{
    size_t width = width_of_text(text, len);
    if (columns > d->left)
        columns = d->left;
    if (width <= columns) {
        put(d, text, len);
    } else if (columns > 0) {
        len = width_cut(text, len, columns - 1);
        put(d, text, len);
        put(d, ELLIPSIS, strlen(ELLIPSIS));
        width = width_of_text(text, len) + 1;
    } else {
        width = 0;
    }
    d->left -= width;
    *ret_width = width;
}

static void put_cell(struct draw *d, size_t column, const char *text, size_t len, const char *color)
{
    size_t width = d->widths[column];
    bool last = column + 1 == d->t->column_count;
    size_t own = width_of_text(text, len);
    size_t pad = own < width ? width - own : 0;
    size_t took = 0;
    if (d->t->columns[column].align == TABLE_RIGHT)
        put_blanks(d, pad);
    if (color && d->color)
        put(d, color, strlen(color));
    put_cut(d, text, len, width, &took);
    if (color && d->color)
        put(d, RESET, strlen(RESET));
    if (d->t->columns[column].align == TABLE_LEFT && !last)
        put_blanks(d, pad);
    if (!last)
        put_blanks(d, GAP);
}

static size_t column_width(struct table *t, size_t column)
{
    size_t width = strlen(t->columns[column].title);
    size_t max = t->columns[column].max_columns;
    for (size_t i = column; i < cell_count(t); i += t->column_count) {
        const struct table_cell *cell = cell_at(t, i);
        size_t own = width_of_text(buf_data(&t->text) + cell->at, cell->len);
        width = own > width ? own : width;
    }
    return max != 0 && width > max ? max : width;
}

static void put_row(struct draw *d, size_t first, size_t screen_columns)
{
    d->left = screen_columns == 0 ? SIZE_MAX : screen_columns;
    for (size_t c = 0; c < d->t->column_count; c++) {
        const struct table_cell *cell = cell_at(d->t, first + c);
        put_cell(d, c, buf_data(&d->t->text) + cell->at, cell->len, cell->color);
    }
    put(d, "\n", 1);
}

int table_write(struct table *t, bool color, size_t screen_columns, struct buf *out)
{
    struct draw d = {.t = t, .out = out, .color = color};
    if (t->error != 0)
        return t->error;
    assert(cell_count(t) % t->column_count == 0);
    for (size_t c = 0; c < t->column_count; c++)
        d.widths[c] = column_width(t, c);
    d.left = screen_columns == 0 ? SIZE_MAX : screen_columns;
    for (size_t c = 0; c < t->column_count; c++)
        put_cell(&d, c, t->columns[c].title, strlen(t->columns[c].title), NULL);
    put(&d, "\n", 1);
    for (size_t i = 0; i < cell_count(t); i += t->column_count)
        put_row(&d, i, screen_columns);
    return d.error;
}

int table_append_name(struct buf *out, const char *name, size_t len)
{
    if (!name || !sanitize_is_plain(name, len))
        return 0;
    int rc = buf_append(out, name, len);
    return rc != 0 ? rc : buf_append(out, "\n", 1);
}
