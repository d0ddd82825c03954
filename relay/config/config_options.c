/* The option table. The reason of a limit is in the help of its row, or beside the row. */
#include "config/config_options.h"

#include <assert.h>
#include <string.h>

#include "base/log_level.h"
#include "base/names.h"

#define MINUTE_MS UINT64_C(60000)
#define DAY_MS    (UINT64_C(1440) * MINUTE_MS)
#define KIB       UINT64_C(1024)
#define MIB       (KIB * KIB)
#define GIB       (MIB * KIB)

static const char *const sharing_names[] = {"shared", "perSession", NULL};
static const char *const former_sharing_names[] = {NULL, "session"};
static const char *const log_messages_names[] = {"drop", "broadcast", NULL};
static const char *const start_names[] = {"lazy", "eager", NULL};

_Static_assert(CONFIG_SHARED == 0 && CONFIG_PER_SESSION == 1, "sharing_names follows the enum");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "a choice is stored as unsigned");
_Static_assert(sizeof(enum config_sharing) == sizeof(unsigned), "a choice is stored as unsigned");

/* A number, a choice or a text for the relay; a number or a word for each server. `key` is the name in the
 * file; the flag and the variable spell the same words. */
#define NAMES(name, flag_words, env_words)                                                                   \
    .key = (name), .flag = "--" flag_words, .env = "AGENT_RELAY_" env_words
#define RELAY_NUMBER(key, flag, env, field, units, low, high, initial, effect, words)                        \
    {                                                                                                        \
        NAMES(key, flag, env), .type = OPTION_UINT, .unit = (units), .reload = (effect),                     \
                               .offset = offsetof(struct config, field), .min = (low), .max = (high),        \
                               .number = (initial), .help = (words)                                          \
    }
#define SERVER_NUMBER(key, flag, env, field, units, low, high, initial, words)                               \
    {                                                                                                        \
        NAMES(key, flag, env), .type = OPTION_UINT, .unit = (units), .per_server = true,                     \
                               .reload = OPTION_LIVE, .offset = offsetof(struct server_config, field),       \
                               .min = (low), .max = (high), .number = (initial), .help = (words)             \
    }
#define RELAY_CHOICE(key, flag, env, field, names, initial, words)                                           \
    {                                                                                                        \
        NAMES(key, flag, env), .type = OPTION_CHOICE, .reload = OPTION_LIVE,                                 \
                               .offset = offsetof(struct config, field), .number = (initial),                \
                               .choices = (names), .help = (words)                                           \
    }
#define SERVER_WORD(key, flag, env, kind, field, names, effect, words)                                       \
    {                                                                                                        \
        NAMES(key, flag, env), .type = (kind), .per_server = true, .reload = (effect),                       \
                               .offset = offsetof(struct server_config, field), .choices = (names),          \
                               .help = (words)                                                               \
    }
#define RELAY_TEXT(key, flag, env, kind, field, initial, effect, words)                                      \
    {                                                                                                        \
        NAMES(key, flag, env), .type = (kind), .reload = (effect), .offset = offsetof(struct config, field), \
                               .text = (initial), .help = (words)                                            \
    }

/* The first row is no option of the file: it names the file. */
static const struct option rows[] = {
    {.flag = "--config",
     .letter = 'c',
     .env = "AGENT_RELAY_CONFIG",
     .type = OPTION_STRING,
     .value = "FILE",
     .reload = OPTION_RESTARTS_RELAY,
     .help = "The configuration file: JSON, comments and trailing commas allowed."},
    RELAY_TEXT(
        "listen", "listen", "LISTEN", OPTION_LISTEN, listen, "127.0.0.1:9500", OPTION_RESTARTS_RELAY,
        "Where clients connect: HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH, each with =SERVER to bind it to that server instead of the default one."),
    RELAY_TEXT("defaultServer", "default-server", "DEFAULT_SERVER", OPTION_STRING, default_server, NULL,
               OPTION_LIVE, "The server of a listener that names none. Unset: the first one."),
    {NAMES("sharing", "sharing", "SHARING"), .type = OPTION_CHOICE, .per_server = true,
     .reload = OPTION_RESTARTS_CHILD, .offset = offsetof(struct server_config, sharing),
     .choices = sharing_names, .former = former_sharing_names,
     .help = "shared: one child for all sessions. perSession: a child for each."},
    SERVER_WORD("start", "start", "START", OPTION_SWITCH, eager, start_names, OPTION_LIVE,
                "lazy: a shared child starts with the first request. eager: with the relay."),
    SERVER_WORD("logMessages", "log-messages", "LOG_MESSAGES", OPTION_SWITCH, log_broadcast,
                log_messages_names, OPTION_RESTARTS_CHILD,
                "Whether a shared child's notifications/message are dropped or sent to all clients."),
    {NAMES("inheritEnv", "inherit-env", "INHERIT_ENV"), .type = OPTION_NAMES, .per_server = true,
     .reload = OPTION_RESTARTS_CHILD, .offset = offsetof(struct server_config, inherit_env),
     .help =
         "Variables that children inherit beyond the standard ones (HOME, PATH, LANG, proxies, CA files ...)."},
    SERVER_NUMBER("maxInFlight", "max-in-flight", "MAX_IN_FLIGHT", max_in_flight, OPTION_NO_UNIT, 1, 1000000,
                  512, "Requests a child works on at once."),
    SERVER_NUMBER("maxWaiting", "max-waiting", "MAX_WAITING", max_waiting, OPTION_NO_UNIT, 0, 1000000, 4096,
                  "Requests that may wait for a child; beyond it they are answered OVERLOADED."),
    SERVER_NUMBER(
        "maxChildren", "max-children", "MAX_CHILDREN", max_children, OPTION_NO_UNIT, 1, 1000000, 256,
        "Children of a perSession server at once; beyond them sessions are answered OVERLOADED. One host or user leaves an eighth to others."),
    SERVER_NUMBER("startTimeoutMs", "start-timeout-ms", "START_TIMEOUT_MS", start_timeout_ms, OPTION_MS, 100,
                  DAY_MS, 30000, "A child must answer initialize within this time."),
    SERVER_NUMBER("timeoutMs", "timeout-ms", "TIMEOUT_MS", timeout_ms, OPTION_MS, 1, DAY_MS, MINUTE_MS,
                  "A request without answer or progress for so long is answered TIMEOUT."),
    SERVER_NUMBER("timeoutMaxMs", "timeout-max-ms", "TIMEOUT_MAX_MS", timeout_max_ms, OPTION_MS, 1,
                  30 * DAY_MS, 10 * MINUTE_MS,
                  "A request is answered TIMEOUT after this time, whatever progress it makes."),
    SERVER_NUMBER("idleTimeoutMs", "idle-timeout-ms", "IDLE_TIMEOUT_MS", idle_timeout_ms, OPTION_MS, 0,
                  30 * DAY_MS, 0, "A child unused for so long is stopped until it is needed. 0: never."),
    RELAY_NUMBER("maxClients", "max-clients", "MAX_CLIENTS", max_clients, OPTION_NO_UNIT, 1, 1000000, 20000,
                 OPTION_LIVE, "Connections at once; further ones are answered OVERLOADED and closed."),
    RELAY_NUMBER(
        "maxClientsPerAddress", "max-clients-per-address", "MAX_CLIENTS_PER_ADDRESS", max_clients_per_address,
        OPTION_NO_UNIT, 0, 1000000, 0, OPTION_LIVE,
        "Connections from one address (IPv6: from one /64) at once; further ones are answered OVERLOADED and closed. 0: half of maxClients, but 8 at least. Unix sockets are not counted."),
    RELAY_NUMBER("maxFrameBytes", "max-frame-bytes", "MAX_FRAME_BYTES", max_frame_bytes, OPTION_BYTES, KIB,
                 GIB, 8 * MIB, OPTION_RESTARTS_RELAY,
                 "The longest message, both ways. Many servers exit on lines over 10 MiB."),
    RELAY_NUMBER("maxIdBytes", "max-id-bytes", "MAX_ID_BYTES", max_id_bytes, OPTION_BYTES, 64, MIB, 16 * KIB,
                 OPTION_RESTARTS_RELAY, "The longest request id or progress token."),
    RELAY_NUMBER("sessionWaitingBytes", "session-waiting-bytes", "SESSION_WAITING_BYTES",
                 session_waiting_bytes, OPTION_BYTES, KIB, GIB, MIB, OPTION_RESTARTS_RELAY,
                 "Bytes that a session may have waiting; above it the relay stops reading from it."),
    RELAY_NUMBER("clientOutBytes", "client-out-bytes", "CLIENT_OUT_BYTES", client_out_bytes, OPTION_BYTES,
                 2 * MIB, 16 * GIB, 64 * MIB, OPTION_RESTARTS_RELAY,
                 "A client that leaves more than this unread is closed."),
    RELAY_NUMBER("clientStallMs", "client-stall-ms", "CLIENT_STALL_MS", client_stall_ms, OPTION_MS, 100,
                 DAY_MS, 30000, OPTION_LIVE,
                 "A client that takes no byte for so long, while some wait, is closed."),
    RELAY_NUMBER("frameTimeoutMs", "frame-timeout-ms", "FRAME_TIMEOUT_MS", frame_timeout_ms, OPTION_MS, 100,
                 DAY_MS, MINUTE_MS, OPTION_LIVE, "A connection must begin to speak, and a message once begun must end, within this time."),
    RELAY_NUMBER("maxMemoryBytes", "max-memory-bytes", "MAX_MEMORY_BYTES", max_memory_bytes, OPTION_BYTES,
                 MIB, 1024 * GIB, 512 * MIB, OPTION_LIVE,
                 "All buffers together; above it, unfinished messages pause, and clients that do not read, or do not go on with a message, are closed, largest first."),
    RELAY_NUMBER("drainMs", "drain-ms", "DRAIN_MS", drain_ms, OPTION_MS, 0, 10 * MINUTE_MS, 3000, OPTION_LIVE,
                 "How long a stop waits for requests in flight."),
    RELAY_NUMBER("stopGraceMs", "stop-grace-ms", "STOP_GRACE_MS", stop_grace_ms, OPTION_MS, 0, 10 * MINUTE_MS,
                 2000, OPTION_LIVE,
                 "How long a child may take to exit after its stdin closed, and again after SIGTERM."),
    RELAY_NUMBER("backoffMinMs", "backoff-min-ms", "BACKOFF_MIN_MS", backoff_min_ms, OPTION_MS, 1, DAY_MS,
                 250, OPTION_LIVE,
                 "The wait before a child that died is started again; doubles with each failure."),
    RELAY_NUMBER("backoffMaxMs", "backoff-max-ms", "BACKOFF_MAX_MS", backoff_max_ms, OPTION_MS, 1, DAY_MS,
                 30000, OPTION_LIVE, "The longest such wait."),
    RELAY_NUMBER("backoffResetMs", "backoff-reset-ms", "BACKOFF_RESET_MS", backoff_reset_ms, OPTION_MS, 1,
                 DAY_MS, MINUTE_MS, OPTION_LIVE, "A child up for so long starts over with the shortest one."),
    RELAY_NUMBER(
        "breakerExits", "breaker-exits", "BREAKER_EXITS", breaker_exits, OPTION_NO_UNIT, 1, 1000, 5,
        OPTION_LIVE,
        "Unexpected exits within breakerWindowMs that open the breaker: requests then fail at once."),
    RELAY_NUMBER("breakerWindowMs", "breaker-window-ms", "BREAKER_WINDOW_MS", breaker_window_ms, OPTION_MS, 1,
                 DAY_MS, MINUTE_MS, OPTION_LIVE, "The window of breakerExits."),
    RELAY_NUMBER("breakerProbeMs", "breaker-probe-ms", "BREAKER_PROBE_MS", breaker_probe_ms, OPTION_MS, 1,
                 DAY_MS, 30000, OPTION_LIVE, "How often a child is tried while the breaker is open."),
    RELAY_CHOICE("logLevel", "log-level", "LOG_LEVEL", log_level, log_level_names, LOG_INFO,
                 "The least level that is logged, to stderr."),
    RELAY_CHOICE("logFormat", "log-format", "LOG_FORMAT", log_format, log_format_names, LOG_LOGFMT,
                 "How log lines look."),
    RELAY_TEXT("pidFile", "pid-file", "PID_FILE", OPTION_STRING, pid_file, NULL, OPTION_RESTARTS_RELAY,
               "A file that holds the relay's process id while it runs."),
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

const struct option_table config_flags = {rows, ROW_COUNT, NULL};
const struct option_table config_options = {rows + 1, ROW_COUNT - 1, NULL};

const char *config_sharing_name(enum config_sharing sharing)
{
    return sharing_names[sharing];
}

const char *config_option_nearest(const char *name, bool per_server)
{
    const char *keys[ROW_COUNT + 2] = {NULL};
    size_t count = 0;
    OPTION_EACH(o, &config_options)
    {
        if (!per_server || o->per_server)
            keys[count++] = o->key;
    }
    if (!per_server)
        keys[count] = "servers";
    return nearest_name(name, keys);
}

void *config_option_place(const struct option *o, struct config *c, struct server_config *server)
{
    return option_place(o, o->per_server ? (void *)server : (void *)c);
}

const void *config_option_value(const struct option *o, const struct config *c,
                                const struct server_config *server)
{
    return (o->per_server ? (const char *)server : (const char *)c) + o->offset;
}

static int listen_text(const struct config *c, struct buf *out)
{
    int rc = 0;
    for (size_t i = 0; i < c->listen_count && rc == 0; i++) {
        rc = i > 0 ? buf_append(out, ",", 1) : 0;
        rc = rc == 0 ? buf_append(out, c->listen[i].text, strlen(c->listen[i].text)) : rc;
    }
    return rc;
}

int config_option_text(const struct option *o, const struct config *c, const struct server_config *server,
                       struct buf *ret_text)
{
    buf_clear(ret_text);
    int rc = o->type == OPTION_LISTEN ? listen_text(c, ret_text)
                                      : option_text(o, config_option_value(o, c, server), ret_text);
    return rc != 0 ? rc : buf_append(ret_text, "", 1);
}
