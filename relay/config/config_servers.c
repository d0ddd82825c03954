/* The servers: mcpServers (or servers) blocks as other MCP tools write them, and the one made from a command
 * line.
 *
 * A wrong type is fatal: the block is broken. What this machine lacks (an unset variable) or what this relay
 * cannot do yet (a remote server) is that entry's problem: it is noted, its sessions are told, the others
 * run.
 */
#include "config/config_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* A name goes into log lines, paths of the status and listen entries. */
#define SERVER_NAME_MAX_BYTES 128
#define SERVERS_MAX           1000
#define SUBJECT_BYTES         256

/* One entry being read. */
struct entry {
    struct loader *l;
    struct server_config *s;
    json_node node;
    struct buf missing;          /* names of unset variables */
    char subject[SUBJECT_BYTES]; /* "mcpServers.memory" */
};

static const char *const entry_keys[] = {"type", "command", "args",    "env",      "cwd",
                                         "url",  "headers", "enabled", "disabled", NULL};

/* "mcpServers.memory.args", for a place; `ret_text` has SUBJECT_BYTES. */
static struct place field_place(const struct entry *e, json_node node, const char *field, char *ret_text)
{
    (void)snprintf(ret_text, SUBJECT_BYTES, "%.190s.%.60s", e->subject, field);
    return place_in_file(e->l, node, ret_text);
}

static void field_problem(struct entry *e, json_node node, const char *field, const char *what)
{
    char text[SUBJECT_BYTES];
    loader_problem(e->l, field_place(e, node, field, text), "%s", what);
}

static char *expand(struct entry *e, const char *text)
{
    char *expanded = expand_variables(e->l->args->environ, text, &e->missing);
    if (!expanded)
        e->l->no_memory = true;
    return expanded;
}

/* The expanded string of a field, NULL when it is absent or wrong (which is then reported). */
static char *string_field(struct entry *e, const char *field)
{
    json_node node = json_get(e->l->doc, e->node, field);
    if (node == JSON_ABSENT)
        return NULL;
    const char *string = json_string(e->l->doc, node, NULL);
    if (string && string[0] != '\0')
        return expand(e, string);
    field_problem(e, node, field, "is a string that is not empty");
    return NULL;
}

static void add_shown(struct entry *e, struct buf *shown, json_node node)
{
    const char *string = json_string(e->l->doc, node, NULL);
    if (!string)
        return;
    int rc = buf_len(shown) > 0 ? buf_append(shown, " ", 1) : 0;
    rc = rc == 0 ? buf_append(shown, string, strlen(string)) : rc;
    if (rc != 0 && rc != ERR_TOO_LARGE) /* a very long command line is shown cut */
        e->l->no_memory = true;
}

#define SHOWN_MAX_BYTES ((size_t)4 << 10)

/* As written, so that what ${VAR} stands for is not shown. */
static void set_shown(struct entry *e)
{
    struct buf shown;
    buf_init(&shown, SHOWN_MAX_BYTES);
    add_shown(e, &shown, json_get(e->l->doc, e->node, e->s->remote ? "url" : "command"));
    json_node args = json_get(e->l->doc, e->node, "args");
    for (json_node arg = json_first(e->l->doc, args); !e->s->remote && arg != JSON_ABSENT;
         arg = json_next(e->l->doc, arg))
        add_shown(e, &shown, arg);
    e->s->shown = mem_strndup(buf_len(&shown) > 0 ? buf_data(&shown) : "", buf_len(&shown));
    if (!e->s->shown)
        e->l->no_memory = true;
    buf_done(&shown);
}

/* ---- fields ---- */

static void read_args(struct entry *e)
{
    json_node args = json_get(e->l->doc, e->node, "args");
    if (args == JSON_ABSENT)
        return;
    if (json_type(e->l->doc, args) != JSON_ARRAY) {
        field_problem(e, args, "args", "is a list of strings; write [\"...\"]");
        return;
    }
    for (json_node arg = json_first(e->l->doc, args); arg != JSON_ABSENT; arg = json_next(e->l->doc, arg)) {
        const char *string = json_string(e->l->doc, arg, NULL);
        if (!string) {
            field_problem(e, arg, "args", "holds something that is not a string; write it in quotes");
            continue;
        }
        char *expanded = expand(e, string);
        if (expanded)
            loader_add_name(e->l, &e->s->args, expanded);
        mem_free(expanded);
    }
}

/* Other tools take "PORT": 8080, too. NULL: neither that nor a string. Newly allocated. */
static char *env_value(struct entry *e, json_node node)
{
    const char *string = json_string(e->l->doc, node, NULL);
    if (string)
        return expand(e, string);
    enum json_type type = json_type(e->l->doc, node);
    if (type != JSON_NUMBER && type != JSON_TRUE && type != JSON_FALSE)
        return NULL;
    size_t len;
    const char *raw = json_raw(e->l->doc, node, &len);
    char *copy = mem_strndup(raw, len);
    if (!copy)
        e->l->no_memory = true;
    return copy;
}

static void add_env(struct entry *e, const char *name, char *value)
{
    struct server_config *s = e->s;
    struct env_entry *longer = mem_realloc(s->env, (s->env_count + 1) * sizeof(*longer));
    if (longer)
        s->env = longer;
    char *copy = longer ? mem_strdup(name) : NULL;
    if (!copy) {
        e->l->no_memory = true;
        mem_free(value);
        return;
    }
    s->env[s->env_count++] = (struct env_entry){copy, value};
}

static void read_env(struct entry *e)
{
    json_node env = json_get(e->l->doc, e->node, "env");
    if (env == JSON_ABSENT)
        return;
    if (json_type(e->l->doc, env) != JSON_OBJECT) {
        field_problem(e, env, "env", "is an object; write {\"NAME\": \"value\"}");
        return;
    }
    for (json_node key = json_first(e->l->doc, env); key != JSON_ABSENT; key = json_next(e->l->doc, key)) {
        const char *name = json_string(e->l->doc, key, NULL);
        if (!name || name[0] == '\0' || strchr(name, '=')) {
            field_problem(e, key, "env", "holds a name that is empty, or has = or NUL in it");
            continue;
        }
        char *value = env_value(e, json_value(e->l->doc, key));
        if (value)
            add_env(e, name, value);
        else if (!e->l->no_memory)
            field_problem(e, key, "env", "holds a value that is not a string; write it in quotes");
    }
}

static void read_headers(struct entry *e)
{
    json_node headers = json_get(e->l->doc, e->node, "headers");
    if (headers != JSON_ABSENT && json_type(e->l->doc, headers) != JSON_OBJECT)
        field_problem(e, headers, "headers", "is an object; write {\"Name\": \"value\"}");
}

/* disabled: true and enabled: false mean the same. */
static void read_switch(struct entry *e, const char *field, bool disables)
{
    json_node node = json_get(e->l->doc, e->node, field);
    bool on;
    if (node == JSON_ABSENT)
        return;
    if (!json_bool(e->l->doc, node, &on))
        field_problem(e, node, field, "is true or false");
    else if (on == disables)
        e->s->disabled = true;
}

/* ---- the kind ---- */

static bool is_remote_type(const char *type)
{
    static const char *const types[] = {"http", "streamable-http", "streamableHttp", "sse", "ws", "websocket",
                                        NULL};
    for (size_t i = 0; types[i]; i++) {
        if (strcmp(types[i], type) == 0)
            return true;
    }
    return false;
}

/* `type`, or what the entry has; false: unusable, and reported. */
static bool read_kind(struct entry *e)
{
    struct json_doc *doc = e->l->doc;
    bool has_command = json_get(doc, e->node, "command") != JSON_ABSENT;
    bool has_url = json_get(doc, e->node, "url") != JSON_ABSENT;
    json_node node = json_get(doc, e->node, "type");
    const char *type = node != JSON_ABSENT ? json_string(doc, node, NULL) : has_command ? "stdio" : "http";
    e->s->remote = type && is_remote_type(type);
    if (!type || (!e->s->remote && strcmp(type, "stdio") != 0)) {
        field_problem(e, node, "type", "is one of stdio, http, streamable-http, sse, ws");
        return false;
    }
    if (e->s->remote ? has_url : has_command)
        return true;
    const char *what = "has neither a command nor a url; write \"command\": \"...\"";
    if (node != JSON_ABSENT)
        what = e->s->remote ? "has this type but no url" : "has this type but no command";
    loader_problem(e->l, place_in_file(e->l, e->node, e->subject), "%s", what);
    return false;
}

/* ---- an entry ---- */

static void note_unknown_keys(struct entry *e)
{
    for (json_node key = json_first(e->l->doc, e->node); key != JSON_ABSENT;
         key = json_next(e->l->doc, key)) {
        const char *name = json_string(e->l->doc, key, NULL);
        size_t i = 0;
        while (name && entry_keys[i] && strcmp(entry_keys[i], name) != 0)
            i++;
        if (entry_keys[i] && name)
            continue;
        const char *near = name ? nearest_name(name, entry_keys) : NULL;
        loader_note(e->l, place_in_file(e->l, key, e->subject),
                    "has a key that means nothing here: \"%.60s\"%s%s%s", name ? name : "?",
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
}

static void set_problem(struct entry *e, const char *what, const char *names, int names_len)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "%s%.*s", what, names_len, names);
    e->s->problem = loader_strdup(e->l, text);
    if (!e->s->disabled)
        loader_note(e->l, place_in_file(e->l, e->node, e->subject),
                    "%s; its sessions are told so, the rest runs", text);
}

static void find_problem(struct entry *e)
{
    size_t len = buf_len(&e->missing);
    if (e->s->remote)
        set_problem(e, "remote servers are not built in yet", "", 0);
    else if (len > 0)
        set_problem(e, "needs variables that are not set: ", buf_data(&e->missing), (int)len);
    else if (e->s->command && e->s->command[0] == '\0')
        set_problem(e, "its command is empty once its variables are put in", "", 0);
}

#define MISSING_MAX_BYTES 256

static void read_entry(struct entry *e)
{
    buf_init(&e->missing, MISSING_MAX_BYTES);
    read_switch(e, "disabled", true);
    read_switch(e, "enabled", false);
    if (read_kind(e)) {
        if (e->s->remote)
            e->s->url = string_field(e, "url");
        else
            e->s->command = string_field(e, "command");
        e->s->cwd = string_field(e, "cwd");
        read_args(e);
        read_env(e);
        read_headers(e);
        set_shown(e);
        find_problem(e);
    }
    note_unknown_keys(e);
    buf_done(&e->missing);
}

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
    struct entry e = {.l = l, .node = json_value(l->doc, key)};
    (void)snprintf(e.subject, sizeof(e.subject), "%s.%s", block, name);
    if (json_type(l->doc, e.node) != JSON_OBJECT) {
        loader_problem(l, place_in_file(l, key, e.subject), "is an object; write {\"command\": \"...\"}");
        return;
    }
    e.s = add_server(l, name);
    if (e.s)
        read_entry(&e);
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
