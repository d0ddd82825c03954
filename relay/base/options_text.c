/* Texts about options: values, faults, and --help. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"

/* A text being written; the first error sticks. */
struct sink {
    struct buf *out;
    int rc;
};

__attribute__((format(printf, 2, 3))) static void put(struct sink *s, const char *format, ...)
{
    char *room;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (s->rc == 0)
        s->rc = buf_reserve(s->out, (size_t)len + 1, &room);
    if (s->rc != 0)
        return;
    va_start(args, format);
    (void)vsnprintf(room, (size_t)len + 1, format, args);
    va_end(args);
    buf_commit(s->out, (size_t)len);
}

static void put_joined(struct sink *s, const char *const *words, const char *between)
{
    for (const char *const *word = words; word && *word; word++)
        put(s, "%s%s", word == words ? "" : between, *word);
}

/* ---- values ---- */

int option_text(const struct option *o, const void *place, struct buf *out)
{
    struct sink s = {out, 0};
    union {
        uint64_t number;
        uint32_t small;
        unsigned choice;
        bool on;
        const char *string;
        const char *const *names;
    } value = {0};
    memcpy(&value, place, option_size(o));
    switch (o->type) {
    case OPTION_UINT:
        put(&s, "%" PRIu64, value.number);
        break;
    case OPTION_UINT32:
        if (o->never && value.small == UINT32_MAX)
            put(&s, "never");
        else
            put(&s, "%" PRIu32, value.small);
        break;
    case OPTION_CHOICE:
        put(&s, "%s", o->choices[value.choice]);
        break;
    case OPTION_SWITCH:
        put(&s, "%s", o->choices[value.on]);
        break;
    case OPTION_STRING:
        put(&s, "%s", value.string ? value.string : "");
        break;
    case OPTION_NAMES:
        put_joined(&s, value.names, ",");
        break;
    case OPTION_BARE:
    case OPTION_LISTEN:
        break;
    }
    return s.rc;
}

/* ---- faults ---- */

/* The correct form of a value; a long text is cut. */
static void expected_text(const struct option *o, char *ret_text, size_t cap)
{
    static const char *const units[] = {"a whole number", "bytes", "milliseconds"};
    if (o->expected) {
        (void)snprintf(ret_text, cap, "%s", o->expected);
        return;
    }
    if (!o->choices) {
        (void)snprintf(ret_text, cap, "%s from %" PRIu64 " to %" PRIu64 "%s", units[o->unit], o->min, o->max,
                       o->never ? ", or never" : "");
        return;
    }
    size_t len = 0;
    for (size_t i = 0; o->choices[i] && len < cap; i++) {
        const char *between = i == 0 ? "" : o->choices[i + 1] ? ", " : " or ";
        len += (size_t)snprintf(ret_text + len, cap - len, "%s%s", between, o->choices[i]);
    }
}

static void unknown_text(const struct option_table *t, const struct option_arg *arg, char *ret_text,
                         size_t cap)
{
    const struct option *near = arg->name[0] != '\0' ? option_nearest_flag(t, arg->name) : NULL;
    if (near)
        (void)snprintf(ret_text, cap, "there is no flag %.60s; did you mean %s?", arg->name, near->flag);
    else if (arg->name[0] != '\0')
        (void)snprintf(ret_text, cap, "there is no flag %.60s; %s", arg->name, t->hint);
    else
        (void)snprintf(ret_text, cap, "\"%.60s\" is not expected here; %s", arg->word, t->hint);
}

void option_fault_text(const struct option_table *t, const struct option_arg *arg, enum option_fault fault,
                       char *ret_text, size_t cap)
{
    const struct option *o = arg->option;
    char expected[256];
    if (fault == OPTION_UNKNOWN) {
        unknown_text(t, arg, ret_text, cap);
    } else if (fault == OPTION_TAKES_NO_VALUE) {
        (void)snprintf(ret_text, cap, "%s takes no value", arg->name);
    } else if (fault == OPTION_EMPTY && o->expected) {
        (void)snprintf(ret_text, cap, "%s is empty: write %s", arg->name, o->expected);
    } else if (fault == OPTION_EMPTY || fault == OPTION_NEEDS_VALUE) {
        (void)snprintf(ret_text, cap, "%s needs a value: %s%s%s", arg->name, o->value ? o->flag : "",
                       o->value ? " " : "", o->value ? o->value : o->help);
    } else {
        expected_text(o, expected, sizeof(expected));
        (void)snprintf(ret_text, cap, "%s is \"%.100s\"; write %s", arg->name, arg->value, expected);
    }
}

/* ---- --help ---- */

static bool is_number(const struct option *o)
{
    return o->type == OPTION_UINT || o->type == OPTION_UINT32;
}

static void put_default(struct sink *s, const struct option *o)
{
    const char *text = o->choices ? o->choices[o->number] : o->text;
    if (is_number(o))
        put(s, "%" PRIu64, o->number);
    else
        put(s, "%s", text ? text : "-");
}

/* " One of a, b." or " 1 to 9.", and whether it may be repeated. */
static void put_limits(struct sink *s, const struct option *o)
{
    if (o->choices) {
        put(s, " One of ");
        put_joined(s, o->choices, ", ");
        put(s, ".");
    }
    if (is_number(o))
        put(s, " %" PRIu64 " to %" PRIu64 ".", o->min, o->max);
    if (option_is_list(o))
        put(s, " May be given several times; commas in the variable.");
}

static const char *placeholder(const struct option *o)
{
    static const char *const numbers[] = {"N", "BYTES", "MS"};
    static const char *const others[] = {[OPTION_CHOICE] = "WORD",
                                         [OPTION_SWITCH] = "WORD",
                                         [OPTION_STRING] = "TEXT",
                                         [OPTION_NAMES] = "NAME",
                                         [OPTION_LISTEN] = "ADDR[=SERVER]"};
    return is_number(o) ? numbers[o->unit] : others[o->type];
}

static void two_lines(struct sink *s, const struct option *o, const char *usage)
{
    put(s, "  %s   (%s%s", usage, o->env, o->key ? ", default " : "");
    if (o->key)
        put_default(s, o);
    put(s, ")\n      %s", o->help);
    put_limits(s, o);
    put(s, "\n");
}

static void one_line(struct sink *s, const struct option *o, const char *usage,
                     const struct option_layout *layout)
{
    put(s, "  %-*s ", layout->usage_width, usage);
    if (layout->env_width > 0)
        put(s, "%-*s ", layout->env_width, o->env);
    put(s, "%s", o->help);
    if (layout->defaults && is_number(o)) {
        put(s, " (");
        if (s->rc == 0)
            s->rc = option_text(o, (const char *)layout->defaults + o->offset, s->out);
        put(s, ")");
    }
    put(s, "\n");
}

int option_help(const struct option *o, const struct option_layout *layout, struct buf *out)
{
    struct sink s = {out, 0};
    char usage[80];
    char letter[8] = "";
    const char *value = o->value || !layout->two_lines ? o->value : placeholder(o);
    if (o->letter != '\0')
        (void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    (void)snprintf(usage, sizeof(usage), "%s%s%s%s", letter, o->flag, value ? " " : "", value ? value : "");
    if (layout->two_lines)
        two_lines(&s, o, usage);
    else
        one_line(&s, o, usage, layout);
    return s.rc;
}

int option_help_table(const struct option_table *t, const struct option_layout *layout, struct buf *out)
{
    int rc = 0;
    OPTION_EACH(o, t)
    rc = rc == 0 ? option_help(o, layout, out) : rc;
    return rc;
}

int option_markdown(const struct option *o, struct buf *out)
{
    static const char *const reloads[] = {[OPTION_LIVE] = "at once",
                                          [OPTION_RESTARTS_CHILD] = "restarts the child",
                                          [OPTION_RESTARTS_RELAY] = "needs a restart"};
    struct sink s = {out, 0};
    put(&s, "| `%s`%s | `%s` | `%s` | ", o->key, o->per_server ? " *" : "", o->flag, o->env);
    put_default(&s, o);
    put(&s, " | %s | %s", reloads[o->reload], o->help);
    put_limits(&s, o);
    put(&s, " |\n");
    return s.rc;
}
