/* Shared by the config*.c files; included by them, their tests and the fuzz target alone. */
#ifndef CONFIG_CONFIG_INTERNAL_H
#define CONFIG_CONFIG_INTERNAL_H

#include "config/config.h"
#include "config/config_expand.h"
#include "config/config_options.h"
#include "wire/json.h"

/* More rows than the table will ever have; a test compares. */
#define OPTIONS_MAX 64

/* A load in progress. Failures are counted, not returned: every problem of a run is reported. */
struct loader {
    const struct config_args *args;
    struct config *c;     /* being filled */
    struct buf *report;   /* borrowed */
    struct json_doc *doc; /* the file, or NULL */
    char *workspace;      /* owned; what ${workspaceFolder} is: config_file.c. NULL: no file */
    char *cwd;            /* owned; the same for ${cwd} */
    unsigned problems;
    bool no_memory;          /* sticks; the load ends with -ENOMEM */
    bool given[OPTIONS_MAX]; /* per option: the first value of a list from this source has been seen */
};

/* Where a value was written (FILE:LINE, a flag, a variable), and its name there. */
struct place {
    const char *where;
    unsigned line;       /* 0: none */
    const char *subject; /* "relay.maxClients"; "" when `where` has it */
};

/* config_report.c */
__attribute__((format(printf, 3, 4))) void loader_problem(struct loader *l, struct place at,
                                                          const char *format, ...);
__attribute__((format(printf, 3, 4))) void loader_note(struct loader *l, struct place at, const char *format,
                                                       ...);
struct place place_in_file(const struct loader *l, json_node node, const char *subject);
/* Copies; NULL sets no_memory. */
char *loader_strdup(struct loader *l, const char *string);
/* Adds a copy to a NULL-terminated list; an empty list may be NULL. */
void loader_add_name(struct loader *l, char ***list, const char *name);
void names_free(char **list);

/* config_value.c: one value, from text (flag or variable) or from the file. Lists: one element is added. */
void loader_set_text(struct loader *l, const struct option *o, struct server_config *server, struct place at,
                     const char *text);
/* Lists: an array of strings, or one string; they replace the former value. */
void loader_set_node(struct loader *l, const struct option *o, struct server_config *server, struct place at,
                     json_node node);
void loader_set_default(struct loader *l, const struct option *o, struct server_config *server);
/* Empties a list or a text, and frees the old value. */
void config_option_clear(const struct option *o, struct config *c, struct server_config *server);

/* config_listen.c: NULL, or the problem; the correct form is then in `ret_hint`, which has
 * LISTEN_HINT_BYTES. */
#define LISTEN_HINT_BYTES 256
void loader_add_listen(struct loader *l, struct place at, const char *text);
void listen_entry_done(struct listen_entry *entry);

/* config_entry.c: the entry `node` of a block into `s`, which has its name; `subject`: "mcpServers.NAME".
 * What is wrong with it is noted and becomes the problem of `s`. */
void load_entry_fields(struct loader *l, struct server_config *s, json_node node, const char *subject);

/* config_file.c: parses the text; its options, and its servers unless a command is given. */
void load_file_text(struct loader *l, const char *text, size_t len);
/* config_hint.c: reports that the file has no server, and where some seem to stand. */
void report_no_servers(struct loader *l);

/* Longer command lines are shown cut. */
#define SHOWN_MAX_BYTES ((size_t)4 << 10)

/* config_servers.c */
void load_servers(struct loader *l);
/* The values of the per-server options: the relay-wide ones, then relay.servers.NAME. */
void load_server_options(struct loader *l);
void add_command_server(struct loader *l, const char *name, char *const *command);
void server_config_done(struct server_config *s);

/* config_args.c */
const char *find_config_path(struct loader *l);
void load_environ(struct loader *l);
void load_flags(struct loader *l);
/* The command behind `--`, or NULL. */
char *const *find_command(const struct config_args *args);

/* config.c: as config_load, with the file's text given. `text` NULL: no file. */
MUSTCHECK int config_load_text(const struct config_args *args, const char *file, const char *text, size_t len,
                               struct buf *ret_report, struct config **ret_config);

#endif
