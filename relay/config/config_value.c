/* One value of the option table, from text (a flag, a variable) or from the file. A refusal names the correct
 * form: for "8MB", 8388608.
 */
#include "config/config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

/* A number with a unit, as people write it; the option has one fixed unit, and MB is ambiguous. */
struct suffix {
    const char *text;
    enum option_unit unit;
    uint64_t factor;
};

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define KIB       UINT64_C(1024)
#define MIB       (1024 * KIB)
#define GIB       (1024 * MIB)

static const struct suffix suffixes[] = {
    {"b", OPTION_BYTES, 1},        {"k", OPTION_BYTES, KIB},       {"kb", OPTION_BYTES, KIB},
    {"kib", OPTION_BYTES, KIB},    {"m", OPTION_BYTES, MIB},       {"mb", OPTION_BYTES, MIB},
    {"mib", OPTION_BYTES, MIB},    {"g", OPTION_BYTES, GIB},       {"gb", OPTION_BYTES, GIB},
    {"gib", OPTION_BYTES, GIB},    {"ms", OPTION_MS, 1},           {"s", OPTION_MS, SECOND_MS},
    {"sec", OPTION_MS, SECOND_MS}, {"m", OPTION_MS, MINUTE_MS},    {"min", OPTION_MS, MINUTE_MS},
    {"h", OPTION_MS, HOUR_MS},     {"d", OPTION_MS, 24 * HOUR_MS},
};

/* False when the text is not a number with a unit that fits. */
static bool with_suffix(const struct option *o, const char *text, uint64_t *ret_number)
{
    uint64_t number;
    size_t len = option_digits(text, &number);
    if (len == 0)
        return false;
    text += len;
    while (*text == ' ' || *text == '_')
        text++;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (suffixes[i].unit == o->unit && strcasecmp(suffixes[i].text, text) == 0)
            return !__builtin_mul_overflow(number, suffixes[i].factor, ret_number);
    }
    return false;
}

static const char *unit_name(const struct option *o)
{
    return o->unit == OPTION_BYTES ? " of bytes" : o->unit == OPTION_MS ? " of milliseconds" : "";
}

static void refuse_number(struct loader *l, const struct option *o, struct place at, const char *text)
{
    uint64_t number;
    if (with_suffix(o, text, &number))
        loader_problem(l, at, "is a plain number%s, not \"%.60s\"; write %" PRIu64, unit_name(o), text,
                       number);
    else
        loader_problem(l, at, "is a whole number%s, not \"%.60s\"; the default is %" PRIu64, unit_name(o),
                       text, o->number);
}

static void refuse_choice(struct loader *l, const struct option *o, struct place at, const char *text)
{
    char known[128] = "";
    for (size_t i = 0; o->choices[i]; i++) {
        size_t len = strlen(known);
        (void)snprintf(known + len, sizeof(known) - len, "%s%s", i > 0 ? ", " : "", o->choices[i]);
    }
    loader_problem(l, at, "is one of %s, not \"%.60s\"", known, text);
}

static void refuse(struct loader *l, const struct option *o, struct place at, enum option_fault fault,
                   const char *text)
{
    if (fault == OPTION_OUT_OF_RANGE)
        loader_problem(l, at, "is between %" PRIu64 " and %" PRIu64 ", not %s", o->min, o->max, text);
    else if (fault == OPTION_NOT_A_NUMBER)
        refuse_number(l, o, at, text);
    else if (fault == OPTION_NOT_A_CHOICE)
        refuse_choice(l, o, at, text);
    else if (fault == OPTION_EMPTY)
        loader_problem(l, at, "must not be empty");
}

static void set_string(struct loader *l, const struct option *o, struct server_config *server,
                       const char *text)
{
    char *copy = loader_strdup(l, text);
    if (!copy)
        return;
    config_option_clear(o, l->c, server);
    memcpy(config_option_place(o, l->c, server), &copy, sizeof(copy));
}

static bool is_variable_name(const char *text)
{
    return text[0] != '\0' && !strpbrk(text, "= \t,");
}

static void add_element(struct loader *l, const struct option *o, struct server_config *server,
                        struct place at, const char *text)
{
    if (o->type == OPTION_LISTEN)
        loader_add_listen(l, at, text);
    else if (is_variable_name(text))
        loader_add_name(l, config_option_place(o, l->c, server), text);
    else
        loader_problem(l, at, "takes names of variables, not \"%.60s\"", text);
}

void loader_set_text(struct loader *l, const struct option *o, struct server_config *server, struct place at,
                     const char *text)
{
    if (option_is_list(o))
        add_element(l, o, server, at, text);
    else if (o->type == OPTION_STRING && text[0] != '\0')
        set_string(l, o, server, text); /* a copy: option_set would borrow it */
    else
        refuse(l, o, at, option_set(o, config_option_place(o, l->c, server), text), text);
}

/* ---- from the file ---- */

static const char *raw_text(const struct loader *l, json_node node, int *ret_len)
{
    size_t len;
    const char *raw = json_raw(l->doc, node, &len);
    *ret_len = len < 60 ? (int)len : 60;
    return raw;
}

static void set_number_node(struct loader *l, const struct option *o, struct server_config *server,
                            struct place at, json_node node)
{
    int64_t number;
    int len;
    if (json_int(l->doc, node, 0, INT64_MAX, &number)) {
        char text[24];
        (void)snprintf(text, sizeof(text), "%" PRId64, number);
        loader_set_text(l, o, server, at, text);
        return;
    }
    const char *string = json_string(l->doc, node, NULL);
    uint64_t meant;
    size_t digits = string ? option_digits(string, &meant) : 0;
    if (digits > 0 && string[digits] == '\0') {
        loader_problem(l, at, "is a number; write %" PRIu64 " without the quotes", meant);
    } else if (string) {
        refuse_number(l, o, at, string);
    } else {
        const char *raw = raw_text(l, node, &len);
        loader_problem(l, at, "is a whole number%s between %" PRIu64 " and %" PRIu64 ", not %.*s",
                       unit_name(o), o->min, o->max, len, raw);
    }
}

static void set_list_node(struct loader *l, const struct option *o, struct server_config *server,
                          struct place at, json_node node)
{
    config_option_clear(o, l->c, server);
    bool is_array = json_type(l->doc, node) == JSON_ARRAY;
    for (json_node item = is_array ? json_first(l->doc, node) : node; item != JSON_ABSENT;
         item = is_array ? json_next(l->doc, item) : JSON_ABSENT) {
        struct place item_at = place_in_file(l, item, at.subject);
        const char *string = json_string(l->doc, item, NULL);
        if (!string)
            loader_problem(l, item_at, "is a list of strings; write [\"...\"]");
        else
            add_element(l, o, server, item_at, string);
    }
}

void loader_set_node(struct loader *l, const struct option *o, struct server_config *server, struct place at,
                     json_node node)
{
    if (o->type == OPTION_UINT) {
        set_number_node(l, o, server, at, node);
        return;
    }
    if (option_is_list(o)) {
        set_list_node(l, o, server, at, node);
        return;
    }
    const char *string = json_string(l->doc, node, NULL);
    if (string) {
        loader_set_text(l, o, server, at, string);
        return;
    }
    int len;
    const char *raw = raw_text(l, node, &len);
    loader_problem(l, at, "is a string%s%s%s, not %.*s", o->choices ? ", as \"" : "",
                   o->choices ? o->choices[0] : "", o->choices ? "\"" : "", len, raw);
}

/* ---- defaults ---- */

void config_option_clear(const struct option *o, struct config *c, struct server_config *server)
{
    if (o->type == OPTION_LISTEN) {
        for (size_t i = 0; i < c->listen_count; i++)
            listen_entry_done(&c->listen[i]);
        mem_free(c->listen);
        c->listen = NULL;
        c->listen_count = 0;
    } else if (o->type == OPTION_NAMES) {
        char ***names = config_option_place(o, c, server);
        names_free(*names);
        *names = NULL;
    } else if (o->type == OPTION_STRING) {
        char **string = config_option_place(o, c, server);
        mem_free(*string);
        *string = NULL;
    }
}

void loader_set_default(struct loader *l, const struct option *o, struct server_config *server)
{
    struct place at = {"default", 0, o->key};
    if (o->type == OPTION_UINT)
        (void)option_set_number(o, config_option_place(o, l->c, server), o->number); /* in its own range */
    else if (o->choices)
        loader_set_text(l, o, server, at, o->choices[o->number]);
    else if (o->text)
        loader_set_text(l, o, server, at, o->text);
}
