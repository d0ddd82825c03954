/* The servers: the entries of the mcpServers and servers blocks, and the one made from a command line. */
#include "config/config_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* A name appears in log lines, status paths and listen entries. */
#define SERVER_NAME_MAX_BYTES 128
#define SERVERS_MAX           1000

/* A new last server with a copy of the name, or NULL. */
static struct server_config *add_server(struct loader *l, const char *name)
{
    struct config *c = l->c;
    struct server_config *longer = mem_realloc(c->servers, (c->server_count + 1) * sizeof(*longer));
    if (!longer) {
        l->no_memory = true;
        return NULL;
    }
    c->servers = longer;
    struct server_config *s = &c->servers[c->server_count];
    *s = (struct server_config){.name = mem_strdup(name), .args = mem_zalloc(sizeof(char *))};
    if (!s->name || !s->args) {
        l->no_memory = true;
        server_config_done(s);
        return NULL;
    }
    c->server_count++;
    return s;
}

static bool is_good_name(const char *name)
{
    size_t len = 0;
    for (; name && name[len] != '\0'; len++) {
        if ((unsigned char)name[len] < 0x20 || name[len] == 0x7F || name[len] == '=' ||
            len >= SERVER_NAME_MAX_BYTES)
            return false;
    }
    return len > 0;
}

static void load_entry(struct loader *l, const char *block, json_node key)
{
    const char *name = json_string(l->doc, key, NULL);
    struct place at = place_in_file(l, key, block);
    if (!is_good_name(name)) {
        loader_problem(
            l, at,
            "has a server whose name is empty, longer than %d bytes, or has = or a control character in it",
            SERVER_NAME_MAX_BYTES);
        return;
    }
    if (config_server(l->c, name)) {
        loader_problem(l, at, "has a second server \"%s\"; give each a name of its own", name);
        return;
    }
    char subject[SERVER_NAME_MAX_BYTES + 32];
    json_node node = json_value(l->doc, key);
    (void)snprintf(subject, sizeof(subject), "%s.%s", block, name);
    if (json_type(l->doc, node) != JSON_OBJECT) {
        loader_problem(l, place_in_file(l, key, subject), "is an object; write {\"command\": \"...\"}");
        return;
    }
    struct server_config *s = add_server(l, name);
    if (s)
        load_entry_fields(l, s, node, subject);
}

static void load_block(struct loader *l, const char *block)
{
    json_node servers = json_get(l->doc, json_root(l->doc), block);
    if (servers == JSON_ABSENT)
        return;
    if (json_type(l->doc, servers) != JSON_OBJECT) {
        loader_problem(l, place_in_file(l, servers, block),
                       "is an object; write {\"NAME\": {\"command\": \"...\"}}");
        return;
    }
    if (json_count(l->doc, servers) > SERVERS_MAX) {
        loader_problem(l, place_in_file(l, servers, block), "has more than %d servers", SERVERS_MAX);
        return;
    }
    for (json_node key = json_first(l->doc, servers); key != JSON_ABSENT; key = json_next(l->doc, key))
        load_entry(l, block, key);
}

void load_servers(struct loader *l)
{
    load_block(l, "mcpServers");
    load_block(l, "servers");
}

static void join(struct loader *l, char *const *words, char **ret_text)
{
    struct buf text;
    buf_init(&text, SHOWN_MAX_BYTES);
    int rc = 0;
    for (char *const *w = words; *w && rc == 0; w++) {
        rc = w != words ? buf_append(&text, " ", 1) : 0;
        rc = rc == 0 ? buf_append(&text, *w, strlen(*w)) : rc;
    }
    char *joined = rc == 0 || rc == ERR_TOO_LARGE
                       ? mem_strndup(buf_len(&text) > 0 ? buf_data(&text) : "", buf_len(&text))
                       : NULL;
    if (!joined)
        l->no_memory = true;
    *ret_text = joined;
    buf_done(&text);
}

void add_command_server(struct loader *l, const char *name, char *const *command)
{
    struct server_config *s = add_server(l, name);
    if (!s)
        return;
    s->command = loader_strdup(l, command[0]);
    for (char *const *arg = command + 1; *arg; arg++)
        loader_add_name(l, &s->args, *arg);
    join(l, command, &s->shown);
}

void server_config_done(struct server_config *s)
{
    mem_free(s->name);
    mem_free(s->url);
    mem_free(s->command);
    names_free(s->args);
    mem_free(s->shown);
    for (size_t i = 0; i < s->env_count; i++) {
        mem_free(s->env[i].name);
        mem_free(s->env[i].value);
    }
    mem_free(s->env);
    mem_free(s->cwd);
    mem_free(s->problem);
    names_free(s->inherit_env);
}
