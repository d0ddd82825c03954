/* One entry of a mcpServers (or servers) block, as other MCP tools write them.
 *
 * A field of the wrong type is a problem of the load: the block is broken. An unset variable, or a remote
 * server, which this relay does not support yet, disables that entry alone: it is noted, requests to the
 * server get it as their error, and the other servers run.
 */
#include "config/config_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/names.h"

#define SUBJECT_BYTES 256

/* One entry being read. */
struct entry {
    struct loader *l;
    struct server_config *s;
    json_node node;
    struct buf missing;  /* names of unset variables */
    const char *subject; /* "mcpServers.memory"; borrowed */
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

/* The expanded string of a field, NULL when it is absent or invalid (then reported). */
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

/* As written, so that the value of ${VAR} is not shown. */
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

/* `type`, or inferred from the entry's members; false: unusable, and reported. */
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
                    "%s; requests to it get this as their error, the other servers run", text);
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

void load_entry_fields(struct loader *l, struct server_config *s, json_node node, const char *subject)
{
    struct entry e = {.l = l, .s = s, .node = node, .subject = subject};
    buf_init(&e.missing, MISSING_MAX_BYTES);
    read_switch(&e, "disabled", true);
    read_switch(&e, "enabled", false);
    if (read_kind(&e)) {
        if (s->remote)
            s->url = string_field(&e, "url");
        else
            s->command = string_field(&e, "command");
        s->cwd = string_field(&e, "cwd");
        read_args(&e);
        read_env(&e);
        read_headers(&e);
        set_shown(&e);
        find_problem(&e);
    }
    note_unknown_keys(&e);
    buf_done(&e.missing);
}
