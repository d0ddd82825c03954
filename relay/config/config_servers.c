/* The servers: the entries of the blocks that config_spellings.c lists, and the one made from a command
 * line.
 *
 * What is wrong with one entry is that entry's alone (config_entry.c). The one fault here that refuses the
 * file is a name that stands twice: whichever were taken, somebody would get the wrong server.
 */
#include "config/config_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "config/config_spellings.h"

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

/* ---- entries ---- */

/* A member that people put among the entries to explain them: "_comment", "//", "$schema". */
static bool is_remark(struct loader *l, const char *name, json_node node)
{
    enum json_type type = json_type(l->doc, node);
    return (type == JSON_STRING || type == JSON_ARRAY) &&
           (strchr("_/#$", name[0]) || strncasecmp(name, "comment", strlen("comment")) == 0);
}

static void remove_server(struct config *c, size_t index)
{
    server_config_done(&c->servers[index]);
    c->server_count--;
    memmove(&c->servers[index], &c->servers[index + 1], (c->server_count - index) * sizeof(*c->servers));
}

/* A name stands once. A disabled entry is in nobody's way: it gives place to its namesake. */
static void settle_namesake(struct loader *l, struct place at)
{
    struct config *c = l->c;
    size_t last = c->server_count - 1;
    size_t first = 0;
    while (strcmp(c->servers[first].name, c->servers[last].name) != 0)
        first++;
    if (first == last)
        return;
    if (!c->servers[first].disabled && !c->servers[last].disabled) {
        loader_problem(l, at, "has a second server \"%s\"; give each a name of its own",
                       c->servers[last].name);
        remove_server(c, last);
        return;
    }
    loader_note(l, at, "has \"%s\" twice, once disabled; the other one is taken", c->servers[last].name);
    remove_server(c, c->servers[last].disabled ? last : first);
}

static void load_entry(struct loader *l, const char *block, const char *name, json_node key, json_node node)
{
    struct place at = place_in_file(l, key, block);
    if (name && is_remark(l, name, node))
        return;
    if (!is_good_name(name)) {
        loader_note(
            l, at,
            "has a server whose name is empty, longer than %d bytes, or has = or a control character in it; it is left out",
            SERVER_NAME_MAX_BYTES);
        return;
    }
    struct server_config *s = add_server(l, name);
    if (!s)
        return;
    char subject[SERVER_NAME_MAX_BYTES + PLACE_NAME_BYTES + 2];
    (void)snprintf(subject, sizeof(subject), "%s%s%s", block, block[0] != '\0' ? "." : "", name);
    load_entry_fields(l, s, node, subject);
    settle_namesake(l, at);
}

/* ---- blocks ---- */

static bool is_full(struct loader *l, json_node node)
{
    if (l->c->server_count < SERVERS_MAX)
        return false;
    loader_note(l, place_in_file(l, node, ""), "has more than %d servers; those from here on are left out",
                SERVERS_MAX);
    return true;
}

/* {"NAME": {...}, ...} */
static void load_members(struct loader *l, const struct block_place *p, const char *block, json_node servers)
{
    for (json_node key = json_first(l->doc, servers); key != JSON_ABSENT; key = json_next(l->doc, key)) {
        json_node value = json_value(l->doc, key);
        if (p->loose && !looks_like_entry(l->doc, value))
            continue;
        if (is_full(l, key))
            return;
        load_entry(l, block, json_string(l->doc, key, NULL), key, value);
    }
}

/* [{"name": "NAME", ...}, ...] */
static void load_elements(struct loader *l, const char *block, json_node servers)
{
    static const char *const name_keys[] = {"name", "id", "key"};
    char numbered[32];
    unsigned number = 0;
    for (json_node it = json_first(l->doc, servers); it != JSON_ABSENT; it = json_next(l->doc, it)) {
        const char *name = NULL;
        for (size_t i = 0; i < sizeof(name_keys) / sizeof(name_keys[0]) && !name; i++)
            name = json_string(l->doc, json_get(l->doc, it, name_keys[i]), NULL);
        (void)snprintf(numbered, sizeof(numbered), "server-%u", ++number);
        if (is_full(l, it))
            return;
        load_entry(l, block, name && name[0] != '\0' ? name : numbered, it, it);
    }
}

static void load_block(struct loader *l, const struct block_place *p)
{
    char block[PLACE_NAME_BYTES];
    block_place_name(p, block);
    json_node servers = block_place_find(l->doc, p);
    enum json_type type = json_type(l->doc, servers);
    if (type == JSON_OBJECT)
        load_members(l, p, block, servers);
    else if (type == JSON_ARRAY && !p->loose)
        load_elements(l, block, servers);
    else if (servers != JSON_ABSENT && !p->loose)
        loader_note(l, place_in_file(l, servers, block),
                    "is an object; write {\"NAME\": {\"command\": \"...\"}}");
}

void load_servers(struct loader *l)
{
    for (size_t i = 0; i < block_place_count; i++) {
        if (!block_places[i].loose || l->c->server_count == 0)
            load_block(l, &block_places[i]);
    }
}

/* ---- a command ---- */

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
