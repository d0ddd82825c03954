/* What a reload has to know: is this server still the same, and what did it ask for that needs a restart. */
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

bool server_config_equal(const struct server_config *a, const struct server_config *b)
{
    return same_string(a->name, b->name) && a->remote == b->remote && same_string(a->url, b->url) &&
           same_string(a->command, b->command) && same_names(a->args, b->args) && same_env(a, b) &&
           same_string(a->cwd, b->cwd) && a->disabled == b->disabled && same_string(a->problem, b->problem) &&
           a->sharing == b->sharing && a->log_broadcast == b->log_broadcast && a->eager == b->eager &&
           a->max_in_flight == b->max_in_flight && a->max_waiting == b->max_waiting &&
           a->timeout_ms == b->timeout_ms && a->timeout_max_ms == b->timeout_max_ms &&
           a->start_timeout_ms == b->start_timeout_ms && a->idle_timeout_ms == b->idle_timeout_ms &&
           same_names(a->inherit_env, b->inherit_env);
}

#define VALUE_MAX_BYTES ((size_t)64 << 10)

/* Two values that cannot be written out (no memory) count as different: a needless hint does less harm than
 * none. */
static bool same_value(const struct option *o, const struct config *now, const struct config *next)
{
    struct buf a;
    struct buf b;
    buf_init(&a, VALUE_MAX_BYTES);
    buf_init(&b, VALUE_MAX_BYTES);
    bool same = option_value_text(o, now, &now->defaults, &a) == 0 &&
                option_value_text(o, next, &next->defaults, &b) == 0 &&
                strcmp(buf_data(&a), buf_data(&b)) == 0;
    buf_done(&a);
    buf_done(&b);
    return same;
}

void config_restart_needed(const struct config *now, const struct config *next, struct buf *ret_names)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        if (o->reload || same_value(o, now, next))
            continue;
        int rc = buf_len(ret_names) > 0 ? buf_append(ret_names, ", ", 2) : 0;
        if (rc != 0 || buf_append(ret_names, o->key, strlen(o->key)) != 0)
            return; /* the names so far are hint enough */
    }
}
