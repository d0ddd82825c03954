/* The command line and the environment. argv is walked twice: for --config first, since the file is read
 * before the flags that override it.
 */
#include "config/config_internal.h"

#include <string.h>

#include "base/names.h"

#define ENV_PREFIX     "AGENT_RELAY_"
#define ENV_PREFIX_LEN (sizeof(ENV_PREFIX) - 1)

static struct option_walk walk_flags(const struct config_args *args)
{
    return (struct option_walk){.table = &config_flags, .argc = args->argc, .argv = args->argv};
}

const char *find_config_path(struct loader *l)
{
    const struct option *file = &config_flags.rows[0];
    const char *path = environ_find(l->args->environ, file->env, strlen(file->env));
    if (path && path[0] == '\0')
        path = NULL;
    struct option_walk walk = walk_flags(l->args);
    struct option_arg arg;
    while (option_next(&walk, &arg) && !walk.flags_ended) {
        if (arg.option == file && arg.value)
            path = arg.value;
    }
    return path;
}

char *const *find_command(const struct config_args *args)
{
    for (int i = 0; i < args->argc; i++) {
        if (strcmp(args->argv[i], "--") == 0)
            return &args->argv[i + 1];
    }
    return NULL;
}

/* The first value from a source replaces the list that a lower source has set. */
static void set_from(struct loader *l, const struct option *o, enum config_source source, struct place at,
                     const char *text)
{
    size_t index = config_option_index(o);
    if (!l->given[index])
        config_option_clear(o, l->c, &l->c->defaults);
    l->given[index] = true;
    l->c->sources[index] = source;
    loader_set_text(l, o, &l->c->defaults, at, text);
}

/* ---- the environment ---- */

static void set_list_from_environ(struct loader *l, const struct option *o, struct place at, const char *text)
{
    char element[512];
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        size_t from = strspn(text, " ");
        size_t to = len;
        while (to > from && text[to - 1] == ' ')
            to--;
        if (to > from && to - from < sizeof(element)) {
            memcpy(element, text + from, to - from);
            element[to - from] = '\0';
            set_from(l, o, CONFIG_ENV, at, element);
        } else if (to > from) {
            loader_problem(l, at, "has an element of more than %zu bytes", sizeof(element) - 1);
        }
        text += len + (text[len] == ',');
    }
}

/* Nothing else reports a misspelt variable; one that resembles no row of the table belongs to another
 * program. */
static void note_near_misses(struct loader *l)
{
    const char *known[OPTIONS_MAX + 1] = {NULL};
    for (size_t i = 0; i < config_flags.count; i++)
        known[i] = config_flags.rows[i].env + ENV_PREFIX_LEN;
    for (char *const *p = l->args->environ; p && *p; p++) {
        char name[OPTION_NAME_BYTES];
        size_t len = strcspn(*p, "=");
        if (strncmp(*p, ENV_PREFIX, ENV_PREFIX_LEN) != 0 || len >= sizeof(name))
            continue;
        memcpy(name, *p, len);
        name[len] = '\0';
        const char *near = nearest_name(name + ENV_PREFIX_LEN, known);
        if (near && strcmp(near, name + ENV_PREFIX_LEN) != 0)
            loader_note(l, (struct place){name, 0, ""},
                        "is not a variable of the relay; did you mean " ENV_PREFIX "%s?", near);
    }
}

void load_environ(struct loader *l)
{
    memset(l->given, 0, sizeof(l->given));
    for (size_t i = 0; i < config_options.count; i++) {
        const struct option *o = &config_options.rows[i];
        const char *text = environ_find(l->args->environ, o->env, strlen(o->env));
        struct place at = {o->env, 0, ""};
        if (!text || text[0] == '\0') /* a compose file passes a variable that is not set as an empty one */
            continue;
        if (option_is_list(o))
            set_list_from_environ(l, o, at, text);
        else
            set_from(l, o, CONFIG_ENV, at, text);
    }
    note_near_misses(l);
}

/* ---- flags ---- */

static void refuse_flag(struct loader *l, struct place at)
{
    const struct option *near = option_nearest_flag(&config_flags, at.where);
    if (near)
        loader_problem(l, at, "is not a flag; did you mean %s?", near->flag);
    else
        loader_problem(l, at, "is not a flag; --help lists them");
}

void load_flags(struct loader *l)
{
    struct option_walk walk = walk_flags(l->args);
    struct option_arg arg;
    memset(l->given, 0, sizeof(l->given));
    while (option_next(&walk, &arg) && !walk.flags_ended) {
        bool is_flag = arg.name[0] != '\0';
        struct place at = {is_flag ? arg.name : arg.word, 0, ""};
        if (!is_flag)
            loader_problem(l, at, "is not expected here; a command goes behind --");
        else if (arg.fault == OPTION_UNKNOWN)
            refuse_flag(l, at);
        else if (arg.fault != OPTION_FINE)
            loader_problem(l, at, "needs a value");
        else if (arg.option != &config_flags.rows[0])
            set_from(l, arg.option, CONFIG_FLAG, at, arg.value);
    }
    char *const *command = find_command(l->args);
    if (command && !command[0])
        loader_problem(l, (struct place){"--", 0, ""}, "is not followed by a command");
}
