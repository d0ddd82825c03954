/* Loading a configuration: defaults, then the file, the environment, the flags, each over the one before;
 * then the servers get their options, and the whole is checked.
 *
 * Failure modes: each problem is reported, and the load continues, so that one run names every problem; the
 * result is then discarded. Out of memory is kept until the end.
 */
#include "config/config_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config/config_check.h"

/* Far above any real file; an accidental path to a log must not fill memory. */
#define FILE_MAX_BYTES ((size_t)4 << 20)

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
        loader_note(l, (struct place){"agent-relay", 0, ""},
                    "no configuration is named: it serves the mock agents, which are invented");
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
        load_file_text(l, text, len);
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
    mem_free(l.workspace);
    mem_free(l.cwd);
    if (!l.no_memory && l.problems == 0) {
        *ret_config = c;
        return 0;
    }
    config_free(c);
    return l.no_memory ? -ENOMEM : ERR_SYNTAX;
}

int config_load(const struct config_args *args, struct buf *ret_report, struct config **ret_config)
{
    struct loader l = {.args = args, .report = ret_report};
    const char *path = find_config_path(&l);
    if (!path)
        return config_load_text(args, NULL, NULL, 0, ret_report, ret_config);
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    int rc = file_read(path, &text);
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
