/* Loading a configuration: defaults, then the file, the environment, the flags, each over the one before;
 * then the servers get their options, and the whole is checked.
 *
 * Failure modes: each problem is reported, and the load continues, so that one run names every problem; the
 * result is then discarded. A text that is not JSON is one problem, reported with its line. Out of memory is
 * kept until the end.
 */
#include "config/config_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/names.h"
#include "config/config_check.h"

/* Far above any real file; an accidental path to a log must not fill memory. */
#define FILE_MAX_BYTES  ((size_t)4 << 20)
#define FILE_MAX_TOKENS ((size_t)200000)

/* ---- the file ---- */

static void load_relay_key(struct loader *l, json_node key)
{
    static const char *const extra[] = {"servers", NULL};
    const char *name = json_string(l->doc, key, NULL);
    if (!name || strcmp(name, extra[0]) == 0)
        return; /* the servers' options come last, see load_server_options */
    const struct option *o = config_option(name);
    if (!o) {
        const char *near = nearest_option(name, false);
        loader_note(l, place_in_file(l, key, "relay"), "has a key that means nothing: \"%.60s\"%s%s%s", name,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        return;
    }
    char subject[OPTION_NAME_BYTES + 8];
    (void)snprintf(subject, sizeof(subject), "relay.%s", o->key);
    size_t index = config_option_index(o);
    if (l->given[index])
        loader_problem(l, place_in_file(l, key, subject), "occurs twice; keep one");
    l->given[index] = true;
    l->c->sources[index] = CONFIG_FILE;
    json_node value = json_value(l->doc, key);
    loader_set_node(l, o, &l->c->defaults, place_in_file(l, value, subject), value);
}

static void load_relay(struct loader *l)
{
    json_node relay = json_get(l->doc, json_root(l->doc), "relay");
    memset(l->given, 0, sizeof(l->given));
    if (relay != JSON_ABSENT && json_type(l->doc, relay) != JSON_OBJECT) {
        loader_problem(l, place_in_file(l, relay, "relay"), "is an object; write {\"listen\": [\"...\"]}");
        return;
    }
    for (json_node key = json_first(l->doc, relay); key != JSON_ABSENT; key = json_next(l->doc, key))
        load_relay_key(l, key);
}

/* Other tools keep their own keys at the top level: only a key that is near one of ours is noted. */
static void note_top_keys(struct loader *l)
{
    static const char *const known[] = {"mcpServers", "servers", "relay", NULL};
    json_node root = json_root(l->doc);
    for (json_node key = json_first(l->doc, root); key != JSON_ABSENT; key = json_next(l->doc, key)) {
        const char *name = json_string(l->doc, key, NULL);
        const char *near = name ? nearest_name(name, known) : NULL;
        if (name && (!near || strcmp(near, name) != 0))
            loader_note(l, place_in_file(l, key, ""), "the key \"%.60s\" means nothing here%s%s%s", name,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
}

static void load_text(struct loader *l, const char *text, size_t len)
{
    unsigned line = 0;
    int rc = json_parse(text, len, JSON_RELAXED, FILE_MAX_TOKENS, &l->doc, &line);
    struct place at = {l->c->file, line, ""};
    if (rc == -ENOMEM)
        l->no_memory = true;
    else if (rc == ERR_SYNTAX)
        loader_problem(l, at,
                       "from here on it is not JSON; look for a missing comma, quote or bracket before it");
    else if (rc != 0)
        loader_problem(l, at, "%s", err_text(rc));
    else if (json_type(l->doc, json_root(l->doc)) != JSON_OBJECT)
        loader_problem(l, at, "is an object; write {\"mcpServers\": {...}}");
    if (rc != 0 || l->problems > 0)
        return;
    note_top_keys(l);
    load_relay(l);
    if (!find_command(l->args))
        load_servers(l);
}

/* ---- servers ---- */

#define COMMAND_SERVER "default"
#define MOCK_SERVER    "mock"

/* In this program's folder, else found in PATH. */
static void add_mock_server(struct loader *l)
{
    char path[4096];
    const char *folder = l->args->program_dir;
    int len = folder ? snprintf(path, sizeof(path), "%s/agent-mock", folder) : -1;
    bool beside = len > 0 && (size_t)len < sizeof(path) && access(path, X_OK) == 0;
    char plain[] = "agent-mock";
    char *command[] = {beside ? path : plain, NULL};
    add_command_server(l, MOCK_SERVER, command);
}

static void add_other_servers(struct loader *l)
{
    char *const *command = find_command(l->args);
    size_t index = config_option_index(config_option("defaultServer"));
    if (command && command[0]) {
        add_command_server(l, COMMAND_SERVER, command);
        if (l->c->sources[index] ==
            CONFIG_FILE) { /* it names one of the file's servers, which are left out */
            mem_free(l->c->default_server);
            l->c->default_server = NULL;
            l->c->sources[index] = CONFIG_DEFAULT;
        }
    } else if (l->c->server_count == 0 && l->problems == 0) {
        add_mock_server(l);
    }
}

/* ---- all of it ---- */

static void load_defaults(struct loader *l)
{
    l->c->sources = mem_zalloc(config_options.count * sizeof(*l->c->sources));
    if (!l->c->sources) {
        l->no_memory = true;
        return;
    }
    OPTION_EACH(o, &config_options)
    loader_set_default(l, o, &l->c->defaults);
}

static void load_all(struct loader *l, const char *text, size_t len)
{
    load_defaults(l);
    if (!l->no_memory && text)
        load_text(l, text, len);
    if (l->no_memory)
        return;
    load_environ(l);
    load_flags(l);
    add_other_servers(l);
    if (!l->no_memory)
        load_server_options(l);
    if (!l->no_memory)
        check_config(l);
}

int config_load_text(const struct config_args *args, const char *file, const char *text, size_t len,
                     struct buf *ret_report, struct config **ret_config)
{
    struct config *c = mem_zalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    struct loader l = {.args = args, .c = c, .report = ret_report};
    if (file)
        c->file = loader_strdup(&l, file);
    if (!l.no_memory)
        load_all(&l, text, len);
    json_free(l.doc);
    if (!l.no_memory && l.problems == 0) {
        *ret_config = c;
        return 0;
    }
    config_free(c);
    return l.no_memory ? -ENOMEM : ERR_SYNTAX;
}

/* 0, or a negative number; `into` must then be discarded. */
static int read_file(const char *path, struct buf *into)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int rc = 0;
    for (;;) {
        char chunk[4096];
        size_t got = fread(chunk, 1, sizeof(chunk), file);
        if (got > 0)
            rc = buf_append(into, chunk, got);
        if (rc != 0 || got == 0)
            break;
    }
    if (rc == 0 && ferror(file))
        rc = errno != 0 ? -errno : -EIO;
    (void)fclose(file); /* only read */
    return rc;
}

int config_load(const struct config_args *args, struct buf *ret_report, struct config **ret_config)
{
    struct loader l = {.args = args, .report = ret_report};
    const char *path = find_config_path(&l);
    if (!path)
        return config_load_text(args, NULL, NULL, 0, ret_report, ret_config);
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    int rc = read_file(path, &text);
    if (rc == 0) {
        rc = config_load_text(args, path, buf_len(&text) > 0 ? buf_data(&text) : "", buf_len(&text),
                              ret_report, ret_config);
    } else if (rc != -ENOMEM) {
        loader_problem(&l, (struct place){path, 0, ""}, "cannot be read: %s", err_text(rc));
        rc = l.no_memory ? -ENOMEM : ERR_SYNTAX;
    }
    buf_done(&text);
    return rc;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    OPTION_EACH(o, &config_options)
    config_option_clear(o, c, &c->defaults);
    for (size_t i = 0; i < c->server_count; i++)
        server_config_done(&c->servers[i]);
    mem_free(c->servers);
    mem_free(c->file);
    mem_free(c->sources);
    mem_free(c);
}

const struct server_config *config_server(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->server_count; i++) {
        if (strcmp(c->servers[i].name, name) == 0)
            return &c->servers[i];
    }
    return NULL;
}
