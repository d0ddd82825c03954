/* The comparison behind a reload: its effect on each server, and the options that wait for the next start.
 * Both follow from the `reload` column of the option table; a server's command and environment are compared
 * in addition.
 */
#include <string.h>

#include "base/alloc.h"
#include "config/config_internal.h"

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* NULL is an empty list. */
static bool same_names(char *const *a, char *const *b)
{
    size_t i = 0;
    for (; a && a[i]; i++) {
        if (!b || !b[i] || strcmp(a[i], b[i]) != 0)
            return false;
    }
    return !b || !b[i];
}

static bool same_env(const struct server_config *a, const struct server_config *b)
{
    if (a->env_count != b->env_count)
        return false;
    for (size_t i = 0; i < a->env_count; i++) {
        if (!same_string(a->env[i].name, b->env[i].name) || !same_string(a->env[i].value, b->env[i].value))
            return false;
    }
    return true;
}

static bool same_entry(const struct server_config *a, const struct server_config *b)
{
    return same_string(a->name, b->name) && a->remote == b->remote && same_string(a->url, b->url) &&
           same_string(a->command, b->command) && same_names(a->args, b->args) && same_env(a, b) &&
           same_string(a->cwd, b->cwd) && a->disabled == b->disabled && same_string(a->problem, b->problem);
}

static bool same_listen(const struct config *a, const struct config *b)
{
    bool same = a->listen_count == b->listen_count;
    for (size_t i = 0; same && i < a->listen_count; i++)
        same = strcmp(a->listen[i].text, b->listen[i].text) == 0;
    return same;
}

static bool same_value(const struct option *o, const struct config *now,
                       const struct server_config *now_server, const struct config *next,
                       const struct server_config *next_server)
{
    const void *a = config_option_value(o, now, now_server);
    const void *b = config_option_value(o, next, next_server);
    char *const *names[2];
    const char *strings[2];
    switch (o->type) {
    case OPTION_LISTEN:
        return same_listen(now, next);
    case OPTION_NAMES:
        memcpy(&names[0], a, sizeof(names[0]));
        memcpy(&names[1], b, sizeof(names[1]));
        return same_names(names[0], names[1]);
    case OPTION_STRING:
        memcpy(&strings[0], a, sizeof(strings[0]));
        memcpy(&strings[1], b, sizeof(strings[1]));
        return same_string(strings[0], strings[1]);
    default:
        return memcmp(a, b, option_size(o)) == 0;
    }
}

enum server_change server_config_change(const struct server_config *now, const struct server_config *next)
{
    enum server_change change = same_entry(now, next) ? SERVER_SAME : SERVER_RESTARTS_CHILD;
    OPTION_EACH(o, &config_options)
    {
        if (!o->per_server || same_value(o, NULL, now, NULL, next))
            continue;
        if (o->reload == OPTION_RESTARTS_CHILD)
            change = SERVER_RESTARTS_CHILD;
        else if (change == SERVER_SAME)
            change = SERVER_LIVE;
    }
    return change;
}

void config_restart_needed(const struct config *now, const struct config *next, struct buf *ret_names)
{
    OPTION_EACH(o, &config_options)
    {
        if (o->reload != OPTION_RESTARTS_RELAY || same_value(o, now, NULL, next, NULL))
            continue;
        int rc = buf_len(ret_names) > 0 ? buf_append(ret_names, ", ", 2) : 0;
        if (rc != 0 || buf_append(ret_names, o->key, strlen(o->key)) != 0)
            return; /* the list of names is cut short */
    }
}

static void swap_bytes(void *a, void *b, size_t len)
{
    char *x = a;
    char *y = b;
    for (size_t i = 0; i < len; i++) {
        char byte = x[i];
        x[i] = y[i];
        y[i] = byte;
    }
}

void config_keep_started(struct config *now, struct config *next)
{
    OPTION_EACH(o, &config_options)
    {
        if (o->reload != OPTION_RESTARTS_RELAY)
            continue;
        size_t index = config_option_index(o);
        swap_bytes(option_place(o, now), option_place(o, next), option_size(o));
        swap_bytes(&now->sources[index], &next->sources[index], sizeof(*now->sources));
        if (o->type == OPTION_LISTEN)
            swap_bytes(&now->listen_count, &next->listen_count, sizeof(now->listen_count));
    }
}
