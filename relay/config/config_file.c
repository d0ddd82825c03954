/* The configuration file: its text as JSON, then the relay's own options, then the servers.
 *
 * Failure modes: a text that is not JSON is one problem, reported with its line. A file that yields no
 * server is a problem too: whoever names one does not want the mock agents.
 */
#include "config/config_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/names.h"
#include "config/config_spellings.h"

#define FILE_MAX_TOKENS ((size_t)200000)

/* ---- options ---- */

static void load_relay_key(struct loader *l, json_node key)
{
    static const char *const extra[] = {"servers", NULL};
    const char *name = json_string(l->doc, key, NULL);
    json_node value = json_value(l->doc, key);
    if (!name || strcmp(name, extra[0]) == 0)
        return; /* the servers' options come last, see load_server_options */
    const struct option *o = config_option(name);
    if (!o) {
        const char *near = config_option_nearest(name, false);
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

/* ---- the text ---- */

/* Other tools keep their own keys at the top level: they are noted, and one that is near one of ours most
 * of all. */
static void note_top_keys(struct loader *l)
{
    json_node root = json_root(l->doc);
    for (json_node key = json_first(l->doc, root); key != JSON_ABSENT; key = json_next(l->doc, key)) {
        const char *name = json_string(l->doc, key, NULL);
        if (!name || is_known_root_key(name) || looks_like_entry(l->doc, json_value(l->doc, key)))
            continue;
        const char *near = nearest_name(name, root_keys);
        loader_note(l, place_in_file(l, key, ""), "the key \"%.60s\" means nothing here%s%s%s", name,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
}

/* Editors on Windows begin a text with a byte order mark. False: the text is not UTF-8, which is reported. */
static bool skip_mark(struct loader *l, const char **text, size_t *len)
{
    static const char utf8[] = "\xEF\xBB\xBF";
    if (*len >= 3 && memcmp(*text, utf8, 3) == 0) {
        *text += 3;
        *len -= 3;
    }
    if (*len < 2 || (memcmp(*text, "\xFF\xFE", 2) != 0 && memcmp(*text, "\xFE\xFF", 2) != 0))
        return true;
    loader_problem(l, (struct place){l->c->file, 1, ""}, "is written in UTF-16; save it as UTF-8");
    return false;
}

static bool parse(struct loader *l, const char *text, size_t len)
{
    unsigned line = 0;
    if (!skip_mark(l, &text, &len))
        return false;
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
    return rc == 0 && l->problems == 0;
}

/* ---- folders ---- */

/* What editors call the workspace: the file's folder, or the folder above when that is an editor's own, as
 * .vscode or .cursor. Cuts `path`, which is absolute, in place. */
static void cut_to_workspace(char *path)
{
    char *slash = strrchr(path, '/');
    *(slash == path ? slash + 1 : slash) = '\0';
    slash = strrchr(path, '/');
    if (slash[1] == '.')
        *(slash == path ? slash + 1 : slash) = '\0';
}

static void find_folders(struct loader *l)
{
    char folder[PATH_MAX];
    char path[PATH_MAX];
    const char *file = l->c->file;
    bool absolute = file && file[0] == '/';
    if (getcwd(folder, sizeof(folder)))
        l->cwd = loader_strdup(l, folder);
    if (!file || (!absolute && !l->cwd))
        return;
    int len = snprintf(path, sizeof(path), "%s%s%s", absolute ? "" : l->cwd, absolute ? "" : "/", file);
    if (len <= 0 || (size_t)len >= sizeof(path))
        return;
    cut_to_workspace(path);
    l->workspace = loader_strdup(l, path);
}

void load_file_text(struct loader *l, const char *text, size_t len)
{
    if (!parse(l, text, len))
        return;
    note_top_keys(l);
    load_relay(l);
    if (find_command(l->args))
        return;
    find_folders(l);
    if (!l->no_memory)
        load_servers(l);
    if (l->c->server_count == 0 && !l->no_memory)
        report_no_servers(l);
}
