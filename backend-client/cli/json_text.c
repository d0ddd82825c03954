/* The check is wire/scan's; this adds the place in lines and columns and the advice. The printer walks the
 * text once: it knows strings from everything else, and that is all it needs to know of JSON.
 */
#include "backend-client/cli/json_text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "wire/sanitize.h"
#include "wire/scan.h"

/* ---- checking ---- */

struct place {
    size_t line;
    size_t column; /* in characters */
};

/* Lines and columns count from 1. */
static struct place place_of(const char *text, size_t at)
{
    struct place p = {.line = 1, .column = 1};
    for (size_t i = 0; i < at; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            p.line++;
            p.column = 1;
        } else if ((c & 0xc0) != 0x80) {
            p.column++;
        }
    }
    return p;
}

/* The byte at `at` stands inside a string: an odd number of quotes that are not escaped comes before it. */
static bool stands_in_string(const char *text, size_t at)
{
    bool inside = false;
    for (size_t i = 0; i < at; i++) {
        if (inside && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            inside = !inside;
    }
    return inside;
}

static const char *reason(enum scan_fault fault, bool in_string)
{
    switch (fault) {
    case SCAN_BAD_UTF8:
        return "not UTF-8";
    case SCAN_TOO_DEEP:
        return "nested more than 128 levels deep";
    case SCAN_TRUNCATED:
        return "the text ends too early";
    default:
        return in_string ? "not allowed in a string" : "not JSON";
    }
}

static int explain(const char *text, size_t len, enum scan_fault fault, size_t at, char *problem, size_t size)
{
    bool in_string = stands_in_string(text, at);
    struct place p = place_of(text, at < len ? at : len);
    const char *advice = fault == SCAN_TOO_DEEP ? "make it flatter"
                         : fault == SCAN_BAD_UTF8
                             ? "save the text as UTF-8"
                             : json_advice(text, len, at, fault == SCAN_TRUNCATED, in_string);
    char near[48] = "";
    if (at < len) {
        char shown[32];
        size_t used;
        (void)sanitize_decode(text + at, len - at, &used);
        sanitize_copy(shown, sizeof(shown), text + at, used, SANITIZE_ESCAPE);
        (void)snprintf(near, sizeof(near), " at '%s'", shown);
    }
    (void)snprintf(problem, size, "line %zu, column %zu: %s%s; %s", p.line, p.column,
                   reason(fault, in_string), near, advice);
    return ERR_SYNTAX;
}

int json_text_check(const char *text, size_t len, char *problem, size_t problem_size)
{
    struct scan s;
    const char *bytes = text;
    size_t left = len;
    scan_init(&s, false, true);
    while (scan_next(&s, &bytes, &left) != SCAN_MORE)
        ;
    if (scan_is_blank(&s)) {
        (void)snprintf(problem, problem_size, "nothing but white space; write {} for an empty object");
        return ERR_SYNTAX;
    }
    enum scan_fault fault = scan_end(&s);
    if (fault == SCAN_OK)
        return 0;
    return explain(text, len, fault, s.fault_at, problem, problem_size);
}

/* ---- printing ---- */

struct printer {
    struct buf *out;
    enum json_layout layout;
    bool escaped;
    size_t depth;
    int error;
};

static void put(struct printer *p, const char *bytes, size_t len)
{
    if (p->error == 0)
        p->error = buf_append(p->out, bytes, len);
}

static void new_line(struct printer *p)
{
    if (p->layout != JSON_SPREAD)
        return;
    put(p, "\n", 1);
    for (size_t i = 0; i < p->depth; i++)
        put(p, "  ", 2);
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
    while (at < len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
        at++;
    return at;
}

/* A control character inside a string is C1, DEL or a sign of direction: JSON allows those unescaped. */
static void put_escape(struct printer *p, uint32_t c)
{
    char escape[16];
    int n = c < 0x10000 ? snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)c)
                        : snprintf(escape, sizeof(escape), "\\u%04x\\u%04x",
                                   (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
                                   (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
    put(p, escape, (size_t)n);
}

/* From the opening quote; returns where the text goes on. */
static size_t print_string(struct printer *p, const char *text, size_t len, size_t at)
{
    size_t from = at++;
    while (at < len && text[at] != '"') {
        size_t used = text[at] == '\\' && at + 1 < len ? 2 : 1;
        uint32_t c = used == 2 ? 0 : sanitize_decode(text + at, len - at, &used);
        if (p->escaped && c != 0 && sanitize_is_control(c)) {
            put(p, text + from, at - from);
            put_escape(p, c);
            from = at + used;
        }
        at += used;
    }
    at = at < len ? at + 1 : len;
    put(p, text + from, at - from);
    return at;
}

static size_t open_container(struct printer *p, const char *text, size_t len, size_t at)
{
    put(p, text + at, 1);
    size_t next = skip_blanks(text, len, at + 1);
    if (next < len && (text[next] == '}' || text[next] == ']')) {
        put(p, text + next, 1);
        return next + 1;
    }
    p->depth++;
    new_line(p);
    return next;
}

static size_t print_mark(struct printer *p, const char *text, size_t len, size_t at)
{
    switch (text[at]) {
    case '{':
    case '[':
        return open_container(p, text, len, at);
    case '}':
    case ']':
        p->depth -= p->depth > 0;
        new_line(p);
        put(p, text + at, 1);
        return at + 1;
    case ',':
        put(p, ",", 1);
        new_line(p);
        return at + 1;
    case ':':
        put(p, ": ", p->layout == JSON_SPREAD ? 2 : 1);
        return at + 1;
    default:
        put(p, text + at, 1);
        return at + 1;
    }
}

int json_text_print(struct buf *out, const char *text, size_t len, enum json_layout layout, bool escaped)
{
    struct printer p = {.out = out, .layout = layout, .escaped = escaped};
    size_t at = skip_blanks(text, len, 0);
    while (at < len && p.error == 0) {
        if (text[at] == '"')
            at = print_string(&p, text, len, at);
        else
            at = print_mark(&p, text, len, at);
        at = skip_blanks(text, len, at);
    }
    return p.error;
}
