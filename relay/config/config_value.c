/* One value of the option table, from text (a flag, a variable) or from the file. What is refused is said
 * with what to write instead: "8MB" is answered with 8388608.
 */
#include "config/config_internal.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

/* A number with a unit, as people write it; the file has one unit per option, and no guess about MB. */
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

/* The digits at the start of `text`; returns how many bytes they take, 0 when there are none or too many. */
static size_t parse_digits(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t len = 0;
    for (; isdigit((unsigned char)text[len]); len++) {
        if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[len] - '0'), &number))
            return 0;
    }
    *ret_number = number;
    return len;
}

/* The whole text is a number. */
static bool is_number(const char *text, uint64_t *ret_number)
{
    *ret_number = 0;
    size_t len = parse_digits(text, ret_number);
    return len > 0 && text[len] == '\0';
}

/* False when the text is not a number with a unit that fits. */
static bool with_suffix(const struct option *o, const char *text, uint64_t *ret_number)
{
    uint64_t number;
    size_t len = parse_digits(text, &number);
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

static void set_number(struct loader *l, const struct option *o, struct server_config *server,
                       struct place at, uint64_t number)
{
    if (number < o->min || number > o->max)
        loader_problem(l, at, "is between %" PRIu64 " and %" PRIu64 ", not %" PRIu64, o->min, o->max, number);
    else
        memcpy(option_place(o, l->c, server), &number, sizeof(number));
}

static void set_choice(struct loader *l, const struct option *o, struct server_config *server,
                       struct place at, const char *text)
{
    char known[128] = "";
    unsigned choice = 0;
    assert(o->choices);
    for (; o->choices[choice]; choice++) {
        if (strcmp(o->choices[choice], text) == 0)
            break;
        size_t len = strlen(known);
        (void)snprintf(known + len, sizeof(known) - len, "%s%s", len > 0 ? ", " : "", o->choices[choice]);
    }
    if (!o->choices[choice]) {
        loader_problem(l, at, "is one of %s, not \"%.60s\"", known, text);
        return;
    }
    bool on = choice != 0;
    if (o->type == OPTION_SWITCH)
        memcpy(option_place(o, l->c, server), &on, sizeof(on));
    else
        memcpy(option_place(o, l->c, server), &choice, sizeof(choice));
}

static void set_string(struct loader *l, const struct option *o, struct server_config *server,
                       const char *text)
{
    char *copy = loader_strdup(l, text);
    char **string = option_place(o, l->c, server);
    if (!copy)
        return;
    mem_free(*string);
    *string = copy;
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
        loader_add_name(l, option_place(o, l->c, server), text);
    else
        loader_problem(l, at, "takes names of variables, not \"%.60s\"", text);
}

void option_set_text(struct loader *l, const struct option *o, struct server_config *server, struct place at,
                     const char *text)
{
    uint64_t number;
    switch (o->type) {
    case OPTION_UINT:
        if (is_number(text, &number))
            set_number(l, o, server, at, number);
        else
            refuse_number(l, o, at, text);
        break;
    case OPTION_CHOICE:
    case OPTION_SWITCH:
        set_choice(l, o, server, at, text);
        break;
    case OPTION_STRING:
        if (text[0] == '\0')
            loader_problem(l, at, "must not be empty");
        else
            set_string(l, o, server, text);
        break;
    case OPTION_NAMES:
    case OPTION_LISTEN:
        add_element(l, o, server, at, text);
        break;
    }
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
        set_number(l, o, server, at, (uint64_t)number);
        return;
    }
    const char *string = json_string(l->doc, node, NULL);
    uint64_t meant;
    if (string && is_number(string, &meant)) {
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
    option_clear(o, l->c, server);
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

void option_set_node(struct loader *l, const struct option *o, struct server_config *server, struct place at,
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
        option_set_text(l, o, server, at, string);
        return;
    }
    int len;
    const char *raw = raw_text(l, node, &len);
    loader_problem(l, at, "is a string%s%s%s, not %.*s", o->choices ? ", as \"" : "",
                   o->choices ? o->choices[0] : "", o->choices ? "\"" : "", len, raw);
}

/* ---- defaults ---- */

void option_clear(const struct option *o, struct config *c, struct server_config *server)
{
    if (o->type == OPTION_LISTEN) {
        for (size_t i = 0; i < c->listen_count; i++)
            listen_entry_done(&c->listen[i]);
        mem_free(c->listen);
        c->listen = NULL;
        c->listen_count = 0;
    } else if (o->type == OPTION_NAMES) {
        char ***names = option_place(o, c, server);
        names_free(*names);
        *names = NULL;
    }
}

void option_set_default(struct loader *l, const struct option *o, struct server_config *server)
{
    struct place at = {"default", 0, o->key};
    if (o->type == OPTION_UINT)
        set_number(l, o, server, at, o->number);
    else if (o->choices)
        set_choice(l, o, server, at, o->choices[o->number]);
    else if (o->text)
        option_set_text(l, o, server, at, o->text);
}
