/* Shared by the parts of a load: the report, and copies whose failure is kept in the load.
 *
 * A report line is "WHERE: error: SUBJECT TEXT". It quotes the user's text, cut at a limit and with control
 * characters replaced, since the report is read on a terminal. A report that outgrows its buffer is cut
 * short; problems are still counted.
 */
#include "config/config_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define REPORT_LINE_BYTES 1024

static void report_append(struct loader *l, const char *text, size_t len)
{
    int rc = buf_append(l->report, text, len);
    if (rc == -ENOMEM)
        l->no_memory = true;
}

static size_t written(int len, size_t cap)
{
    if (len < 0)
        return 0;
    return (size_t)len < cap ? (size_t)len : cap - 1;
}

__attribute__((format(printf, 4, 0))) static void
report_line(struct loader *l, struct place at, const char *kind, const char *format, va_list args)
{
    char line[REPORT_LINE_BYTES];
    size_t cap = sizeof(line) - 1; /* the newline */
    char number[16] = "";
    if (at.line > 0)
        (void)snprintf(number, sizeof(number), ":%u", at.line);
    size_t len = written(snprintf(line, cap, "%.300s%s: %s: %.200s%s", at.where, number, kind, at.subject,
                                  at.subject[0] != '\0' ? " " : ""),
                         cap);
    len += written(vsnprintf(line + len, cap - len, format, args), cap - len);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = '?';
    }
    line[len] = '\n';
    report_append(l, line, len + 1);
}

void loader_problem(struct loader *l, struct place at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_line(l, at, "error", format, args);
    va_end(args);
    l->problems++;
}

void loader_note(struct loader *l, struct place at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_line(l, at, "note", format, args);
    va_end(args);
}

struct place place_in_file(const struct loader *l, json_node node, const char *subject)
{
    return (struct place){l->c->file, json_line(l->doc, node), subject};
}

char *loader_strdup(struct loader *l, const char *string)
{
    char *copy = mem_strdup(string);
    if (!copy)
        l->no_memory = true;
    return copy;
}

void loader_add_name(struct loader *l, char ***list, const char *name)
{
    size_t count = 0;
    while (*list && (*list)[count])
        count++;
    char *copy = loader_strdup(l, name);
    char **longer = copy ? mem_realloc(*list, (count + 2) * sizeof(char *)) : NULL;
    if (!longer) {
        l->no_memory = true;
        mem_free(copy);
        return;
    }
    longer[count] = copy;
    longer[count + 1] = NULL;
    *list = longer;
}

void names_free(char **list)
{
    for (char **p = list; p && *p; p++)
        mem_free(*p);
    mem_free(list);
}
