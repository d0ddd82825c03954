/* Walks over argv, and stores values. Error texts and --help are in options_text.c. */
#include "base/options.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/names.h"

/* ---- finding a row ---- */

const struct option *option_find_flag(const struct option_table *t, const char *flag, size_t len)
{
    OPTION_EACH(o, t)
    {
        if (o->flag && strlen(o->flag) == len && memcmp(o->flag, flag, len) == 0)
            return o;
    }
    return NULL;
}

const struct option *option_find_key(const struct option_table *t, const char *key)
{
    OPTION_EACH(o, t)
    {
        if (o->key && strcmp(o->key, key) == 0)
            return o;
    }
    return NULL;
}

const struct option *option_nearest_flag(const struct option_table *t, const char *flag)
{
    const struct option *best = NULL;
    unsigned nearest = UINT32_MAX;
    OPTION_EACH(o, t)
    {
        unsigned distance = o->flag ? name_distance(flag, o->flag) : UINT32_MAX;
        if (distance < nearest) {
            nearest = distance;
            best = o;
        }
    }
    return best && name_is_near(flag, nearest) ? best : NULL;
}

/* ---- values ---- */

size_t option_size(const struct option *o)
{
    static const size_t sizes[] = {[OPTION_UINT] = sizeof(uint64_t),   [OPTION_UINT32] = sizeof(uint32_t),
                                   [OPTION_CHOICE] = sizeof(unsigned), [OPTION_SWITCH] = sizeof(bool),
                                   [OPTION_STRING] = sizeof(char *),   [OPTION_NAMES] = sizeof(char **),
                                   [OPTION_LISTEN] = sizeof(void *)};
    return sizes[o->type];
}

size_t option_digits(const char *text, uint64_t *ret_number)
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

enum option_fault option_set_number(const struct option *o, void *place, uint64_t number)
{
    if (number < o->min || number > o->max)
        return OPTION_OUT_OF_RANGE;
    uint32_t small = (uint32_t)number;
    memcpy(place, o->type == OPTION_UINT32 ? (const void *)&small : &number, option_size(o));
    return OPTION_FINE;
}

static enum option_fault set_number(const struct option *o, void *place, const char *text)
{
    static const uint32_t never = UINT32_MAX;
    uint64_t number;
    size_t len = option_digits(text, &number);
    if (o->never && strcmp(text, "never") == 0) {
        memcpy(place, &never, sizeof(never));
        return OPTION_FINE;
    }
    return len > 0 && text[len] == '\0' ? option_set_number(o, place, number) : OPTION_NOT_A_NUMBER;
}

static enum option_fault set_choice(const struct option *o, void *place, const char *text)
{
    unsigned choice = 0;
    while (o->choices[choice] && strcmp(o->choices[choice], text) != 0 &&
           !(o->former && o->former[choice] && strcmp(o->former[choice], text) == 0))
        choice++;
    if (!o->choices[choice])
        return OPTION_NOT_A_CHOICE;
    bool on = choice != 0;
    memcpy(place, o->type == OPTION_SWITCH ? (const void *)&on : &choice, option_size(o));
    return OPTION_FINE;
}

enum option_fault option_set(const struct option *o, void *place, const char *text)
{
    assert(o->type != OPTION_BARE && !option_is_list(o)); /* lists are stored by the program itself */
    switch (o->type) {
    case OPTION_UINT:
    case OPTION_UINT32:
        return set_number(o, place, text);
    case OPTION_CHOICE:
    case OPTION_SWITCH:
        return set_choice(o, place, text);
    case OPTION_STRING:
        if (text[0] == '\0')
            return OPTION_EMPTY;
        if (o->accepts && !o->accepts(text))
            return OPTION_REFUSED;
        memcpy(place, &text, sizeof(text));
        return OPTION_FINE;
    case OPTION_BARE:
    case OPTION_NAMES:
    case OPTION_LISTEN:
        break;
    }
    return OPTION_REFUSED;
}

/* ---- argv ---- */

static void copy_name(struct option_arg *arg, const char *name, size_t len)
{
    if (len >= sizeof(arg->name))
        len = sizeof(arg->name) - 1;
    memcpy(arg->name, name, len);
    arg->name[len] = '\0';
}

static const struct option *find_letter(const struct option_table *t, char letter)
{
    OPTION_EACH(o, t)
    {
        if (o->letter != '\0' && o->letter == letter)
            return o;
    }
    return NULL;
}

static void read_flag(struct option_walk *w, struct option_arg *arg)
{
    const char *word = arg->word;
    size_t len = strcspn(word, "=");
    const struct option *o = NULL;
    if (word[1] == '-')
        o = option_find_flag(w->table, word, len);
    else if ((o = find_letter(w->table, word[1])))
        len = 2;
    copy_name(arg, word, len);
    arg->option = o;
    if (word[len] != '\0')
        arg->value = word + len + (word[len] == '=');
    if (!o)
        return;
    arg->fault = OPTION_FINE;
    if (o->type == OPTION_BARE) {
        arg->fault = arg->value ? OPTION_TAKES_NO_VALUE : OPTION_FINE;
    } else if (!arg->value) {
        bool has_value = w->at < w->argc && strncmp(w->argv[w->at], "--", 2) != 0;
        arg->fault = has_value ? OPTION_FINE : OPTION_NEEDS_VALUE;
        arg->value = has_value ? w->argv[w->at++] : NULL;
    }
}

bool option_next(struct option_walk *w, struct option_arg *ret_arg)
{
    *ret_arg = (struct option_arg){0};
    if (!w->flags_ended && w->at < w->argc && strcmp(w->argv[w->at], "--") == 0) {
        w->flags_ended = true;
        w->at++;
    }
    if (w->at >= w->argc)
        return false;
    ret_arg->word = w->argv[w->at++];
    ret_arg->fault = OPTION_UNKNOWN; /* an operand is reported so to a program that takes none */
    if (!w->flags_ended && ret_arg->word[0] == '-' && ret_arg->word[1] != '\0')
        read_flag(w, ret_arg);
    return true;
}

enum option_fault option_take(const struct option_arg *arg, void *structure)
{
    if (arg->fault != OPTION_FINE || arg->option->type == OPTION_BARE)
        return arg->fault;
    return option_set(arg->option, option_place(arg->option, structure), arg->value);
}

enum option_fault option_take_variable(const struct option *o, const char *value, void *structure,
                                       struct option_arg *ret_arg)
{
    *ret_arg = (struct option_arg){.option = o, .value = value};
    copy_name(ret_arg, o->env, strlen(o->env));
    return option_take(ret_arg, structure);
}
