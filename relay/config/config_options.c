/* The option table and what can be asked of it. Each limit's reason stands at its row, or in the help that
 * users read. */
#include "config/config_options.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_MS UINT64_C(60000)
#define DAY_MS    (UINT64_C(1440) * MINUTE_MS)
#define KIB       UINT64_C(1024)
#define MIB       (KIB * KIB)
#define GIB       (MIB * KIB)

static const char *const sharing_names[] = {"shared", "session", NULL};
static const char *const log_messages_names[] = {"drop", "broadcast", NULL};
static const char *const start_names[] = {"lazy", "eager", NULL};
static const char *const level_names[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const format_names[] = {"logfmt", "json", NULL};

_Static_assert(CONFIG_SHARED == 0 && CONFIG_SESSION == 1, "sharing_names follows the enum");
_Static_assert(LOG_DEBUG == 0 && LOG_OFF == 4, "level_names follows the enum");
_Static_assert(LOG_LOGFMT == 0 && LOG_JSON == 1, "format_names follows the enum");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "a choice is stored as unsigned");
_Static_assert(sizeof(enum config_sharing) == sizeof(unsigned), "a choice is stored as unsigned");

/* A number for the relay, a number for each server; likewise words. `reload`: yes or no. */
#define yes true
#define no  false
#define RELAY_NUMBER(name, field, units, low, high, initial, takes, words)                                   \
    {                                                                                                        \
        .key = (name), .type = OPTION_UINT, .unit = (units), .reload = (takes),                              \
        .offset = offsetof(struct config, field), .min = (low), .max = (high), .number = (initial),          \
        .help = (words)                                                                                      \
    }
#define SERVER_NUMBER(name, field, units, low, high, initial, words)                                         \
    {                                                                                                        \
        .key = (name), .type = OPTION_UINT, .unit = (units), .per_server = true, .reload = true,             \
        .offset = offsetof(struct server_config, field), .min = (low), .max = (high), .number = (initial),   \
        .help = (words)                                                                                      \
    }
#define RELAY_CHOICE(name, field, names, initial, words)                                                     \
    {                                                                                                        \
        .key = (name), .type = OPTION_CHOICE, .reload = true, .offset = offsetof(struct config, field),      \
        .number = (initial), .choices = (names), .help = (words)                                             \
    }
#define SERVER_WORD(name, kind, field, names, words)                                                         \
    {                                                                                                        \
        .key = (name), .type = (kind), .per_server = true, .reload = true,                                   \
        .offset = offsetof(struct server_config, field), .choices = (names), .help = (words)                 \
    }
#define RELAY_TEXT(name, kind, field, initial, takes, words)                                                 \
    {                                                                                                        \
        .key = (name), .type = (kind), .reload = (takes), .offset = offsetof(struct config, field),          \
        .text = (initial), .help = (words)                                                                   \
    }

static const struct option table[] = {
    RELAY_TEXT(
        "listen", OPTION_LISTEN, listen, "127.0.0.1:9500", no,
        "Where clients connect: HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH, each with =SERVER to lead to that server instead of the default one."),
    RELAY_TEXT("defaultServer", OPTION_STRING, default_server, NULL, yes,
               "The server of a listener that names none. Unset: the first one."),
    SERVER_WORD("sharing", OPTION_CHOICE, sharing, sharing_names,
                "shared: one child for all sessions. session: a child for each."),
    SERVER_WORD("start", OPTION_SWITCH, eager, start_names,
                "lazy: a shared child starts with the first request. eager: with the relay."),
    SERVER_WORD("logMessages", OPTION_SWITCH, log_broadcast, log_messages_names,
                "What becomes of a shared child's notifications/message."),
    {.key = "inheritEnv",
     .type = OPTION_NAMES,
     .per_server = true,
     .reload = true,
     .offset = offsetof(struct server_config, inherit_env),
     .help =
         "Variables that children inherit beyond the standard ones (HOME, PATH, LANG, proxies, CA files ...)."},
    SERVER_NUMBER("maxInFlight", max_in_flight, OPTION_NO_UNIT, 1, 1000000, 512,
                  "Requests a child works on at once."),
    SERVER_NUMBER("maxWaiting", max_waiting, OPTION_NO_UNIT, 0, 1000000, 4096,
                  "Requests that may wait for a child; beyond it they are answered OVERLOADED."),
    SERVER_NUMBER("startTimeoutMs", start_timeout_ms, OPTION_MS, 100, DAY_MS, 30000,
                  "A child must have answered initialize within it."),
    SERVER_NUMBER("timeoutMs", timeout_ms, OPTION_MS, 1, DAY_MS, MINUTE_MS,
                  "A request without answer or progress for so long is answered TIMEOUT."),
    SERVER_NUMBER("timeoutMaxMs", timeout_max_ms, OPTION_MS, 1, 30 * DAY_MS, 10 * MINUTE_MS,
                  "The same, whatever progress it makes."),
    SERVER_NUMBER("idleTimeoutMs", idle_timeout_ms, OPTION_MS, 0, 30 * DAY_MS, 0,
                  "A child unused for so long is stopped until it is needed. 0: never."),
    RELAY_NUMBER("maxClients", max_clients, OPTION_NO_UNIT, 1, 1000000, 20000, yes,
                 "Connections at once; further ones wait in the kernel's queue."),
    RELAY_NUMBER("maxFrameBytes", max_frame_bytes, OPTION_BYTES, KIB, GIB, 8 * MIB, no,
                 "The longest message, both ways. Many servers exit on lines over 10 MiB."),
    RELAY_NUMBER("maxIdBytes", max_id_bytes, OPTION_BYTES, 64, MIB, 16 * KIB, no,
                 "The longest request id or progress token."),
    RELAY_NUMBER("sessionWaitingBytes", session_waiting_bytes, OPTION_BYTES, KIB, GIB, MIB, no,
                 "What a session may have waiting; beyond it its reading pauses."),
    RELAY_NUMBER("clientOutBytes", client_out_bytes, OPTION_BYTES, 2 * MIB, 16 * GIB, 64 * MIB, no,
                 "A client that leaves more than this unread is closed."),
    RELAY_NUMBER("clientStallMs", client_stall_ms, OPTION_MS, 100, DAY_MS, 30000, yes,
                 "A client that takes no byte for so long, while some wait, is closed."),
    RELAY_NUMBER("frameTimeoutMs", frame_timeout_ms, OPTION_MS, 100, DAY_MS, MINUTE_MS, yes,
                 "A message once begun must end within it."),
    RELAY_NUMBER("maxMemoryBytes", max_memory_bytes, OPTION_BYTES, MIB, 1024 * GIB, 512 * MIB, yes,
                 "All buffers together; above it, reading of the largest unfinished messages pauses."),
    RELAY_NUMBER("drainMs", drain_ms, OPTION_MS, 0, 10 * MINUTE_MS, 3000, yes,
                 "How long a stop waits for what is in flight."),
    RELAY_NUMBER("stopGraceMs", stop_grace_ms, OPTION_MS, 0, 10 * MINUTE_MS, 2000, yes,
                 "How long a child may take to exit after its stdin closed, and again after SIGTERM."),
    RELAY_NUMBER("backoffMinMs", backoff_min_ms, OPTION_MS, 1, DAY_MS, 250, yes,
                 "The wait before a child that died is started again; doubles with each failure."),
    RELAY_NUMBER("backoffMaxMs", backoff_max_ms, OPTION_MS, 1, DAY_MS, 30000, yes, "The longest such wait."),
    RELAY_NUMBER("backoffResetMs", backoff_reset_ms, OPTION_MS, 1, DAY_MS, MINUTE_MS, yes,
                 "A child up for so long starts over with the shortest one."),
    RELAY_NUMBER("breakerExits", breaker_exits, OPTION_NO_UNIT, 1, 1000, 5, yes,
                 "So many unasked exits within breakerWindowMs, and requests fail at once."),
    RELAY_NUMBER("breakerWindowMs", breaker_window_ms, OPTION_MS, 1, DAY_MS, MINUTE_MS, yes,
                 "The window of breakerExits."),
    RELAY_NUMBER("breakerProbeMs", breaker_probe_ms, OPTION_MS, 1, DAY_MS, 30000, yes,
                 "How often a child in that state is tried."),
    RELAY_CHOICE("logLevel", log_level, level_names, LOG_INFO, "The least level that is logged, to stderr."),
    RELAY_CHOICE("logFormat", log_format, format_names, LOG_LOGFMT, "How log lines look."),
    RELAY_TEXT("pidFile", OPTION_STRING, pid_file, NULL, no,
               "A file that holds the relay's process id while it runs."),
};

size_t option_count(void)
{
    return sizeof(table) / sizeof(table[0]);
}

const struct option *option_at(size_t index)
{
    assert(index < option_count());
    return &table[index];
}

size_t option_index(const struct option *o)
{
    return (size_t)(o - table);
}

const struct option *option_find(const char *key)
{
    for (size_t i = 0; i < option_count(); i++) {
        if (strcmp(table[i].key, key) == 0)
            return &table[i];
    }
    return NULL;
}

/* ---- names ---- */

/* camelCase to words: each upper-case letter starts one. */
static void spell(const char *prefix, const char *key, char mark, bool upper, char *ret_name)
{
    size_t len = strlen(prefix);
    memcpy(ret_name, prefix, len);
    for (const char *p = key; *p != '\0'; p++) {
        assert(len + 3 < OPTION_NAME_BYTES);
        if (isupper((unsigned char)*p))
            ret_name[len++] = mark;
        ret_name[len++] = (char)(upper ? toupper((unsigned char)*p) : tolower((unsigned char)*p));
    }
    ret_name[len] = '\0';
}

void option_flag_name(const struct option *o, char *ret_name)
{
    spell("--", o->key, '-', false, ret_name);
}

void option_env_name(const struct option *o, char *ret_name)
{
    spell("AGENT_RELAY_", o->key, '_', true, ret_name);
}

#define DISTANCE_NAME_MAX 64

static size_t plain_name(const char *name, char *ret_plain)
{
    size_t len = 0;
    for (; *name != '\0' && len < DISTANCE_NAME_MAX; name++) {
        if (*name != '-' && *name != '_')
            ret_plain[len++] = (char)tolower((unsigned char)*name);
    }
    return len;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Levenshtein, one row at a time. */
unsigned name_distance(const char *a, const char *b)
{
    char x[DISTANCE_NAME_MAX];
    char y[DISTANCE_NAME_MAX];
    size_t x_len = plain_name(a, x);
    size_t y_len = plain_name(b, y);
    unsigned row[DISTANCE_NAME_MAX + 1];
    for (unsigned j = 0; j <= y_len; j++)
        row[j] = j;
    for (size_t i = 0; i < x_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < y_len; j++) {
            unsigned above = row[j + 1];
            row[j + 1] = smaller(smaller(above, row[j]) + 1, diagonal + (x[i] != y[j]));
            diagonal = above;
        }
    }
    return row[y_len];
}

bool name_is_near(const char *name, unsigned distance)
{
    size_t len = strlen(name);
    return distance <= (len < 5 ? 1 : len < 9 ? 2 : 3);
}

const char *nearest_name(const char *name, const char *const *known)
{
    const char *best_name = NULL;
    unsigned best = UINT32_MAX;
    for (; *known; known++) {
        unsigned distance = name_distance(name, *known);
        if (distance < best) {
            best = distance;
            best_name = *known;
        }
    }
    return best_name && name_is_near(name, best) ? best_name : NULL;
}

/* ---- values ---- */

void *option_place(const struct option *o, struct config *c, struct server_config *server)
{
    return (o->per_server ? (char *)server : (char *)c) + o->offset;
}

static int put_joined(struct buf *out, const char *text, bool *first)
{
    int rc = *first ? 0 : buf_append(out, ",", 1);
    *first = false;
    return rc != 0 ? rc : buf_append(out, text, strlen(text));
}

static int names_text(char *const *names, struct buf *out)
{
    int rc = 0;
    bool first = true;
    for (; names && *names && rc == 0; names++)
        rc = put_joined(out, *names, &first);
    return rc;
}

static int listen_text(const struct config *c, struct buf *out)
{
    int rc = 0;
    bool first = true;
    for (size_t i = 0; i < c->listen_count && rc == 0; i++)
        rc = put_joined(out, c->listen[i].text, &first);
    return rc;
}

static int number_text(uint64_t number, struct buf *out)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, number);
    return buf_append(out, text, (size_t)len);
}

static int value_text(const struct option *o, const struct config *c, const struct server_config *server,
                      struct buf *out)
{
    const char *place = (o->per_server ? (const char *)server : (const char *)c) + o->offset;
    uint64_t number;
    unsigned choice;
    bool on;
    char *const *names;
    const char *string;
    switch (o->type) {
    case OPTION_UINT:
        memcpy(&number, place, sizeof(number));
        return number_text(number, out);
    case OPTION_CHOICE:
        memcpy(&choice, place, sizeof(choice));
        return buf_append(out, o->choices[choice], strlen(o->choices[choice]));
    case OPTION_SWITCH:
        memcpy(&on, place, sizeof(on));
        return buf_append(out, o->choices[on], strlen(o->choices[on]));
    case OPTION_STRING:
        memcpy(&string, place, sizeof(string));
        return string ? buf_append(out, string, strlen(string)) : 0;
    case OPTION_NAMES:
        memcpy(&names, place, sizeof(names));
        return names_text(names, out);
    case OPTION_LISTEN:
        return listen_text(c, out);
    }
    return 0;
}

int option_value_text(const struct option *o, const struct config *c, const struct server_config *server,
                      struct buf *ret_text)
{
    buf_clear(ret_text);
    int rc = value_text(o, c, server, ret_text);
    return rc != 0 ? rc : buf_append(ret_text, "", 1);
}
