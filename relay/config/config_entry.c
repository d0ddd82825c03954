/* One entry of a block of servers, as MCP tools write them.
 *
 * Happy path: switches -> kind (local command or remote) -> command and arguments, or url -> folder,
 * variables -> what cannot be filled in.
 *
 * Failure modes: a member of the wrong type, a kind that nobody knows, a reference without a value, a
 * remote server (which this relay does not support yet): each is that entry's alone. It is noted, requests
 * to the server get it as their error, and the other servers run.
 */
#include "config/config_entry.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/names.h"

/* ---- members ---- */

/* {"command": {"path", "args", "env"}} of Zed, {"transport": {"type", "command", ...}} of Continue. */
static void find_objects(struct entry *e)
{
    json_node transport = json_get(e->l->doc, e->node, "transport");
    json_node command = json_get(e->l->doc, e->node, "command");
    bool is_transport = json_type(e->l->doc, transport) == JSON_OBJECT;
    bool is_command = json_type(e->l->doc, command) == JSON_OBJECT;
    e->objects[0] = e->node;
    e->objects[1] = is_transport ? transport : JSON_ABSENT;
    e->objects[2] = is_command ? command : JSON_ABSENT;
}

/* The command: a string, a list that begins with it, or the path of an object. */
static json_node find_command_node(const struct entry *e)
{
    json_node node = entry_find(e, KEY_COMMAND);
    return node != JSON_ABSENT ? node : json_get(e->l->doc, e->objects[2], "path");
}

/* The expanded string of a member, NULL when it is absent or no string (then a fault). */
static char *string_member(struct entry *e, enum entry_key key, json_node node)
{
    if (node == JSON_ABSENT)
        return NULL;
    const char *string = json_string(e->l->doc, node, NULL);
    if (string)
        return entry_expand(e, key, string);
    entry_fault(e, node, entry_key_name(key), "is a string");
    return NULL;
}

/* disabled: true and enabled: false mean the same. */
static void read_switch(struct entry *e, enum entry_key key, bool disables)
{
    json_node node = entry_find(e, key);
    bool on;
    if (node == JSON_ABSENT)
        return;
    if (!switch_word(e->l->doc, node, &on))
        entry_fault(e, node, entry_key_name(key), "is true or false");
    else if (on == disables)
        e->s->disabled = true;
}

/* ---- the command ---- */

static void add_argument(struct entry *e, json_node node)
{
    if (json_type(e->l->doc, node) == JSON_NULL)
        return;
    char *arg = entry_scalar(e, KEY_ARGS, node);
    if (arg)
        loader_add_name(e->l, &e->s->args, arg);
    else if (!e->l->no_memory)
        entry_fault(e, node, "args", "holds something that is not a string; write it in quotes");
    mem_free(arg);
}

/* ["npx", "-y", ...] */
static void read_command_list(struct entry *e, json_node list)
{
    json_node first = json_first(e->l->doc, list);
    e->s->command = string_member(e, KEY_COMMAND, first);
    if (first == JSON_ABSENT)
        entry_fault(e, list, "command", "is an empty list");
    for (json_node it = json_next(e->l->doc, first); first != JSON_ABSENT && it != JSON_ABSENT;
         it = json_next(e->l->doc, it))
        add_argument(e, it);
}

static void read_command(struct entry *e)
{
    json_node command = find_command_node(e);
    json_node args = entry_find(e, KEY_ARGS);
    if (json_type(e->l->doc, command) == JSON_ARRAY)
        read_command_list(e, command);
    else
        e->s->command = string_member(e, KEY_COMMAND, command);
    if (args != JSON_ABSENT && json_type(e->l->doc, args) != JSON_ARRAY) {
        entry_fault(e, args, "args", "is a list of strings; write [\"...\"]");
        return;
    }
    for (json_node arg = json_first(e->l->doc, args); arg != JSON_ABSENT; arg = json_next(e->l->doc, arg))
        add_argument(e, arg);
}

static void add_shown(struct entry *e, struct buf *shown, json_node node)
{
    if (json_type(e->l->doc, node) == JSON_ARRAY) {
        for (json_node it = json_first(e->l->doc, node); it != JSON_ABSENT; it = json_next(e->l->doc, it))
            add_shown(e, shown, it);
        return;
    }
    size_t len = 0;
    const char *text = json_string(e->l->doc, node, &len);
    if (!text && (json_type(e->l->doc, node) == JSON_NUMBER))
        text = json_raw(e->l->doc, node, &len);
    if (!text)
        return;
    int rc = buf_len(shown) > 0 ? buf_append(shown, " ", 1) : 0;
    rc = rc == 0 ? buf_append(shown, text, len) : rc;
    if (rc != 0 && rc != ERR_TOO_LARGE) /* a very long command line is shown cut */
        e->l->no_memory = true;
}

/* As written, so that the value of ${VAR} is not shown. */
static void set_shown(struct entry *e)
{
    struct buf shown;
    buf_init(&shown, SHOWN_MAX_BYTES);
    if (e->s->remote) {
        add_shown(e, &shown, entry_find(e, KEY_URL));
    } else {
        add_shown(e, &shown, find_command_node(e));
        add_shown(e, &shown, entry_find(e, KEY_ARGS));
    }
    e->s->shown = mem_strndup(buf_len(&shown) > 0 ? buf_data(&shown) : "", buf_len(&shown));
    if (!e->s->shown)
        e->l->no_memory = true;
    buf_done(&shown);
}

/* ---- the kind ---- */

/* `type`, or inferred from the entry's members. */
static void read_kind(struct entry *e)
{
    bool has_command = find_command_node(e) != JSON_ABSENT;
    bool has_url = entry_find(e, KEY_URL) != JSON_ABSENT;
    json_node node = entry_find(e, KEY_TYPE);
    const char *type = json_string(e->l->doc, node, NULL);
    enum entry_kind kind = type ? entry_kind_of(type) : has_url && !has_command ? ENTRY_REMOTE : ENTRY_STDIO;
    e->s->remote = kind == ENTRY_REMOTE;
    if (kind == ENTRY_UNKNOWN || (node != JSON_ABSENT && !type))
        entry_fault(e, node, "type", "is %s%.40s%s, and none of stdio, http, streamable-http, sse, ws",
                    type ? "\"" : "", type ? type : "no string", type ? "\"" : "");
    else if (!has_command && !has_url)
        entry_fault(e, e->node, "", "has neither a command nor a url; write \"command\": \"...\"");
    else if (e->s->remote ? !has_url : !has_command)
        entry_fault(e, node, "type", "is \"%.40s\", but there is no %s", type ? type : "",
                    e->s->remote ? "url" : "command");
}

/* ---- an entry ---- */

static void note_unknown_keys(struct entry *e)
{
    for (json_node key = json_first(e->l->doc, e->node); key != JSON_ABSENT;
         key = json_next(e->l->doc, key)) {
        const char *name = json_string(e->l->doc, key, NULL);
        if (name && is_entry_key(name))
            continue;
        const char *near = name ? nearest_name(name, entry_keys) : NULL;
        loader_note(e->l, place_in_file(e->l, key, e->subject),
                    "has a key that means nothing here: \"%.60s\"%s%s%s", name ? name : "?",
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
}

static void check_headers(struct entry *e)
{
    json_node headers = entry_find(e, KEY_HEADERS);
    bool empty_list = json_type(e->l->doc, headers) == JSON_ARRAY && json_count(e->l->doc, headers) == 0;
    if (headers != JSON_ABSENT && json_type(e->l->doc, headers) != JSON_OBJECT && !empty_list)
        entry_fault(e, headers, "headers", "is an object; write {\"Name\": \"value\"}");
}

/* What is known only once all of it was read. */
static void find_problem(struct entry *e)
{
    char text[ENTRY_PROBLEM_BYTES];
    const char *names = buf_data(&e->missing);
    int len = (int)buf_len(&e->missing);
    if (e->s->problem)
        return;
    if (e->s->remote) {
        (void)snprintf(text, sizeof(text), "remote servers are not built in yet");
    } else if (len > 0) {
        bool asked = memmem(names, (size_t)len, "input:", strlen("input:"));
        (void)snprintf(text, sizeof(text), "needs variables that are not set: %.*s%s", len, names,
                       asked ? " (an editor asks for input:...; write ${env:NAME} in its place)" : "");
    } else if (e->s->command && e->s->command[0] == '\0') {
        (void)snprintf(text, sizeof(text), "its command is empty once its variables are put in");
    } else {
        return;
    }
    entry_set_problem(e, text);
    if (!e->s->disabled)
        loader_note(e->l, place_in_file(e->l, e->node, e->subject), "%s" ENTRY_TELLS_ITS_SESSIONS, text);
}

static void read_members(struct entry *e)
{
    find_objects(e);
    read_switch(e, KEY_DISABLED, true);
    read_switch(e, KEY_ENABLED, false);
    read_kind(e);
    if (e->s->remote)
        e->s->url = string_member(e, KEY_URL, entry_find(e, KEY_URL));
    else
        read_command(e);
    e->s->cwd = string_member(e, KEY_CWD, entry_find(e, KEY_CWD));
    entry_read_env(e);
    check_headers(e);
    find_problem(e);
    if (!e->s->disabled)
        note_unknown_keys(e);
}

#define MISSING_MAX_BYTES 256

void load_entry_fields(struct loader *l, struct server_config *s, json_node node, const char *subject)
{
    struct entry e = {
        .l = l, .s = s, .node = node, .objects = {JSON_ABSENT, JSON_ABSENT, JSON_ABSENT}, .subject = subject};
    enum json_type type = json_type(l->doc, node);
    s->line = json_line(l->doc, node);
    buf_init(&e.missing, MISSING_MAX_BYTES);
    if (type == JSON_OBJECT) {
        read_members(&e);
    } else if (type == JSON_NULL) {
        s->disabled = true; /* as many tools remove an entry */
        loader_note(l, place_in_file(l, node, subject), "is null: it counts as disabled");
    } else {
        entry_fault(&e, node, "", "is an object; write {\"command\": \"...\"}");
    }
    set_shown(&e);
    buf_done(&e.missing);
}
