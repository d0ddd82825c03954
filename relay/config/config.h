/* Configuration: one option table feeds the file, the environment, the flags, `agent-relay config`, --check,
 * --help and the README. flag > environment > file > default.
 *
 * A struct config is immutable once loaded: a reload makes a new one and compares.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log_level.h"

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENV, CONFIG_FLAG };
enum config_sharing { CONFIG_SHARED, CONFIG_PER_SESSION };
/* "shared", "perSession": the value in the file, status and logs. */
const char *config_sharing_name(enum config_sharing sharing);

/* ADDR or ADDR=SERVER. ADDR is host:port, [v6]:port, :port (every IPv4 interface), or unix:PATH. Port 0: any
 * free one. */
struct listen_entry {
    char *text; /* as written */
    char *host; /* NULL for a Unix socket */
    uint16_t port;
    char *path;   /* NULL for TCP */
    char *server; /* NULL: the default server */
};

struct env_entry {
    char *name;
    char *value;
};

/* An entry of the servers' block, with the options of relay.servers.NAME. References are expanded already,
 * and the variables of its envFile are in `env`. */
struct server_config {
    char *name;
    unsigned line; /* of the entry in the file; 0: it stands on the command line */
    bool remote;   /* an entry with a url: noted, not built in yet */
    char *url;     /* NULL when local, or it has a problem */
    char *command; /* NULL when remote, or it has a problem */
    char **args;   /* NULL-terminated, without the command; never NULL */
    char *shown;   /* the command line or url as written, ${VAR} unexpanded: safe for logs and status */
    struct env_entry *env;
    size_t env_count;
    char *cwd; /* NULL: the relay's */
    bool disabled;
    /* Why this entry cannot run (an unset ${VAR}, a member of the wrong type); its requests get it as their
     * error. NULL: none. */
    char *problem;
    /* relay.servers.NAME, each defaulting to the relay-wide option of the same name */
    enum config_sharing sharing;
    bool log_broadcast; /* logMessages: broadcast */
    bool eager;         /* start: "eager" | "lazy" (default lazy: the first request starts it) */
    uint64_t max_in_flight;
    uint64_t max_children;
    uint64_t max_waiting;
    uint64_t timeout_ms;
    uint64_t timeout_max_ms;
    uint64_t start_timeout_ms;
    uint64_t idle_timeout_ms; /* stop a child after so long without use; 0: never */
    char **inherit_env;       /* NULL-terminated names, beyond the standard list; never NULL */
};

struct config {
    char *file; /* path, or NULL */
    struct listen_entry *listen;
    size_t listen_count;
    char *default_server; /* the name of an entry of `servers`; never NULL (the first that is not disabled) */
    struct server_config *servers; /* at least one */
    size_t server_count;
    struct server_config defaults; /* the relay-wide values of per-server options; all else is unset */
    uint64_t max_clients;
    uint64_t max_clients_per_address; /* 0: half of max_clients */
    uint64_t max_frame_bytes;
    uint64_t max_id_bytes;
    uint64_t max_memory_bytes;
    uint64_t session_waiting_bytes;
    uint64_t client_out_bytes; /* closed above it: 64 MiB */
    uint64_t client_stall_ms;  /* closed when no byte has left for so long: 30 s */
    uint64_t frame_timeout_ms; /* a frame once begun must end within: 60 s */
    uint64_t drain_ms;
    uint64_t backoff_min_ms;    /* 250 */
    uint64_t backoff_max_ms;    /* 30,000 */
    uint64_t backoff_reset_ms;  /* 60,000 up resets it */
    uint64_t breaker_exits;     /* 5 ... */
    uint64_t breaker_window_ms; /* ... within 60,000 */
    uint64_t breaker_probe_ms;  /* 30,000 */
    uint64_t stop_grace_ms;     /* 2,000 after closing stdin, again after SIGTERM */
    enum log_level log_level;
    enum log_format log_format;
    char *pid_file;              /* NULL: none */
    enum config_source *sources; /* one per row of config_options, for `agent-relay config` */
};

/* The command line after `serve`, `config` or `check`: options, then perhaps `--` and a command. The verbs,
 * --help, --version and --check are main's and removed before. */
struct config_args {
    int argc;                /* program and verb removed */
    char **argv;             /* argv[argc] is NULL */
    char *const *environ;    /* NAME=VALUE, NULL-terminated */
    const char *program_dir; /* the folder to find agent-mock in: the executable's own */
};

/* Loads and checks everything. Problems (fatal) and notes (not) are appended to `ret_report`, one per
 * line, as "WHERE: error: ..." and "WHERE: note: ...", where WHERE is FILE:LINE, a flag or a variable; it
 * lists every problem of the run. 0 and *ret_config; ERR_SYNTAX when there was a problem (*ret_config is
 * not set); -ENOMEM. */
MUSTCHECK int config_load(const struct config_args *args, struct buf *ret_report, struct config **ret_config);
void config_free(struct config *c);
/* NULL: no such server. */
const struct server_config *config_server(const struct config *c, const char *name);
/* A Unix socket, localhost, 127.0.0.0/8 or ::1: not reachable from another machine. */
bool listen_entry_is_loopback(const struct listen_entry *entry);
/* `agent-relay config`: each effective value and where it came from. Environment values of servers are not
 * shown. */
void config_print(const struct config *c, FILE *out);
/* The part of --help that lists the options, and the README's table (markdown). */
void config_print_options(FILE *out, bool markdown);

/* How a reload from `now` to `next` affects the server, by the `reload` of the options that differ. */
enum server_change {
    SERVER_SAME,
    SERVER_LIVE,           /* limits: a running child stays */
    SERVER_RESTARTS_CHILD, /* the command or an option of its start differs: the child is restarted */
};
enum server_change server_config_change(const struct server_config *now, const struct server_config *next);
/* Names of options that differ and take effect at the next start of the relay only, comma separated, into
 * `ret_names`; empty when there are none. */
void config_restart_needed(const struct config *now, const struct config *next, struct buf *ret_names);
/* Swaps those options, so that `next` holds the values in force; `now` must then only be freed. */
void config_keep_started(struct config *now, struct config *next);

#endif
