/* The command line and the environment. Flags are read twice: for --config first, since the file comes before
 * them in rank and has to be read before they can overrule it.
 */
#include "config/config_internal.h"

#include <string.h>

#define ENV_PREFIX "AGENT_RELAY_"
#define ENV_CONFIG "AGENT_RELAY_CONFIG"

/* One flag of the command line. */
struct flag {
    char name[OPTION_NAME_BYTES]; /* "--max-clients"; cut when longer */
    const char *value;            /* NULL: none was given */
    int next;                     /* where the following argument stands */
};

static bool is_end(const struct config_args *args, int i)
{
    return i >= args->argc || strcmp(args->argv[i], "--") == 0;
}

/* --name=value, --name value, -c value. False: the argument at `i` is no flag. */
static bool read_flag(const struct config_args *args, int i, struct flag *ret)
{
    const char *arg = args->argv[i];
    if (arg[0] != '-' || arg[1] == '\0')
        return false;
    size_t len = strcspn(arg, "=");
    ret->value = arg[len] == '=' ? arg + len + 1 : NULL;
    ret->next = i + 1;
    if (len >= sizeof(ret->name))
        len = sizeof(ret->name) - 1;
    memcpy(ret->name, arg, len);
    ret->name[len] = '\0';
    if (!ret->value && !is_end(args, i + 1) && strncmp(args->argv[i + 1], "--", 2) != 0) {
        ret->value = args->argv[i + 1];
        ret->next = i + 2;
    }
    return true;
}

static bool is_config_flag(const char *name)
{
    return strcmp(name, "--config") == 0 || strcmp(name, "-c") == 0;
}

const char *find_config_path(struct loader *l)
{
    const char *path = environ_find(l->args->environ, ENV_CONFIG, strlen(ENV_CONFIG));
    if (path && path[0] == '\0')
        path = NULL;
    struct flag flag;
    for (int i = 0; !is_end(l->args, i);) {
        bool is_flag = read_flag(l->args, i, &flag);
        if (is_flag && is_config_flag(flag.name) && flag.value)
            path = flag.value;
        i = is_flag ? flag.next : i + 1;
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

/* The first value from a source replaces what a lower one has put into a list. */
static void set_from(struct loader *l, const struct option *o, enum config_source source, struct place at,
                     const char *text)
{
    size_t index = option_index(o);
    if (!l->given[index])
        option_clear(o, l->c, &l->c->defaults);
    l->given[index] = true;
    l->c->sources[index] = source;
    option_set_text(l, o, &l->c->defaults, at, text);
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

/* A misspelt variable is silent otherwise; one that is like none of ours is somebody else's. */
static void note_near_misses(struct loader *l)
{
    char known[OPTION_NAME_BYTES];
    for (char *const *p = l->args->environ; p && *p; p++) {
        struct flag var = {0};
        size_t len = strcspn(*p, "=");
        if (strncmp(*p, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || len >= sizeof(var.name))
            continue;
        memcpy(var.name, *p, len);
        const char *own = var.name + strlen(ENV_PREFIX);
        if (strcmp(var.name, ENV_CONFIG) == 0)
            continue;
        for (size_t i = 0; i < option_count(); i++) {
            option_env_name(option_at(i), known);
            unsigned distance = name_distance(own, known + strlen(ENV_PREFIX));
            if (strcmp(var.name, known) == 0)
                break;
            if (name_is_near(own, distance))
                loader_note(l, (struct place){var.name, 0, ""},
                            "is not a variable of the relay; did you mean %s?", known);
        }
    }
}

void load_environ(struct loader *l)
{
    char name[OPTION_NAME_BYTES];
    memset(l->given, 0, sizeof(l->given));
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        option_env_name(o, name);
        const char *text = environ_find(l->args->environ, name, strlen(name));
        struct place at = {name, 0, ""};
        if (!text || text[0] == '\0') /* empty is how a compose file says "not set" */
            continue;
        if (option_is_list(o))
            set_list_from_environ(l, o, at, text);
        else
            set_from(l, o, CONFIG_ENV, at, text);
    }
    note_near_misses(l);
}

/* ---- flags ---- */

static const struct option *find_by_flag(const char *flag)
{
    char name[OPTION_NAME_BYTES];
    for (size_t i = 0; i < option_count(); i++) {
        option_flag_name(option_at(i), name);
        if (strcmp(name, flag) == 0)
            return option_at(i);
    }
    return NULL;
}

static void refuse_flag(struct loader *l, struct place at)
{
    char name[OPTION_NAME_BYTES];
    char best_name[OPTION_NAME_BYTES] = "--config";
    unsigned best = name_distance(at.where, best_name);
    for (size_t i = 0; i < option_count(); i++) {
        option_flag_name(option_at(i), name);
        unsigned distance = name_distance(at.where, name);
        if (distance < best) {
            best = distance;
            memcpy(best_name, name, sizeof(name));
        }
    }
    if (name_is_near(at.where, best))
        loader_problem(l, at, "is not a flag; did you mean %s?", best_name);
    else
        loader_problem(l, at, "is not a flag; --help lists them");
}

void load_flags(struct loader *l)
{
    struct flag flag;
    memset(l->given, 0, sizeof(l->given));
    for (int i = 0; !is_end(l->args, i); i = flag.next) {
        if (!read_flag(l->args, i, &flag)) {
            loader_problem(l, (struct place){l->args->argv[i], 0, ""},
                           "is not expected here; a command goes behind --");
            flag.next = i + 1;
            continue;
        }
        struct place at = {flag.name, 0, ""};
        const struct option *o = find_by_flag(flag.name);
        if (!o && !is_config_flag(flag.name)) {
            refuse_flag(l, at);
            flag.next = i + 1;
        } else if (!flag.value) {
            loader_problem(l, at, "needs a value");
        } else if (o) {
            set_from(l, o, CONFIG_FLAG, at, flag.value);
        }
    }
    char *const *command = find_command(l->args);
    if (command && !command[0])
        loader_problem(l, (struct place){"--", 0, ""}, "is not followed by a command");
}
