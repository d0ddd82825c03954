/* The per-server options: each server starts from the relay-wide values, then relay.servers.NAME overrides them.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_internal.h"

static void inherit(struct loader *l, const struct option *o, struct server_config *s)
{
    const void *from = config_option_value(o, l->c, &l->c->defaults);
    void *to = config_option_place(o, l->c, s);
    if (o->type == OPTION_NAMES) {
        char *const *names;
        memcpy(&names, from, sizeof(names));
        for (; names && *names; names++)
            loader_add_name(l, to, *names);
        return;
    }
    memcpy(to, from, option_size(o));
}

static struct server_config *find_server(struct config *c, const char *name)
{
    for (size_t i = 0; i < c->server_count; i++) {
        if (strcmp(c->servers[i].name, name) == 0)
            return &c->servers[i];
    }
    return NULL;
}

static void load_option(struct loader *l, struct server_config *s, json_node key)
{
    char subject[256];
    const char *name = json_string(l->doc, key, NULL);
    (void)snprintf(subject, sizeof(subject), "relay.servers.%.128s.%.60s", s->name, name ? name : "?");
    struct place at = place_in_file(l, key, subject);
    const struct option *o = name ? config_option(name) : NULL;
    if (o && o->per_server) {
        loader_set_node(l, o, s, at, json_value(l->doc, key));
        return;
    }
    if (o) {
        loader_problem(l, at, "holds for all servers; write it under relay");
        return;
    }
    const char *near = name ? config_option_nearest(name, true) : NULL;
    loader_note(l, at, "means nothing%s%s%s", near ? "; did you mean \"" : "", near ? near : "",
                near ? "\"?" : "");
}

static void load_entry(struct loader *l, json_node key)
{
    char subject[256];
    const char *name = json_string(l->doc, key, NULL);
    (void)snprintf(subject, sizeof(subject), "relay.servers.%.128s", name ? name : "?");
    struct place at = place_in_file(l, key, subject);
    struct server_config *s = name ? find_server(l->c, name) : NULL;
    json_node options = json_value(l->doc, key);
    if (json_type(l->doc, options) != JSON_OBJECT) {
        loader_problem(l, at, "is an object; write {\"sharing\": \"perSession\"}");
    } else if (!s) {
        /* A problem and not a note: an option that is silently not applied, sharing above all, would be
         * worse. */
        loader_problem(l, at, "names no server of this file");
    } else {
        for (json_node o = json_first(l->doc, options); o != JSON_ABSENT; o = json_next(l->doc, o))
            load_option(l, s, o);
    }
}

/* Readers of inherit_env need not check for NULL. */
static void fill_empty_lists(struct loader *l)
{
    for (size_t i = 0; i < l->c->server_count; i++) {
        struct server_config *s = &l->c->servers[i];
        if (!s->inherit_env)
            s->inherit_env = mem_zalloc(sizeof(char *));
        if (!s->inherit_env)
            l->no_memory = true;
    }
}

static void load_overrides(struct loader *l)
{
    json_node relay = json_get(l->doc, json_root(l->doc), "relay");
    json_node servers = json_get(l->doc, relay, "servers");
    if (servers != JSON_ABSENT && json_type(l->doc, servers) != JSON_OBJECT) {
        loader_problem(l, place_in_file(l, servers, "relay.servers"),
                       "is an object; write {\"NAME\": {\"sharing\": \"perSession\"}}");
        return;
    }
    for (json_node key = json_first(l->doc, servers); key != JSON_ABSENT; key = json_next(l->doc, key))
        load_entry(l, key);
}

void load_server_options(struct loader *l)
{
    for (size_t i = 0; i < l->c->server_count; i++) {
        OPTION_EACH(o, &config_options)
        {
            if (o->per_server)
                inherit(l, o, &l->c->servers[i]);
        }
    }
    if (l->doc && !find_command(l->args))
        load_overrides(l);
    fill_empty_lists(l);
}
