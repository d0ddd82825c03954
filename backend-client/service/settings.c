/* The options of agent-backend.
 *
 * Purpose: the table; the environment is read first, then the flags. Whether options fit together (dead_after_ms
 * must be longer than heartbeat_ms) is for the library to check. Failure modes: an unknown flag, a missing or a
 * bad value: the first one is reported, with what to write instead.
 */
#include "settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "guard.h"

#define DEFAULT_LISTEN "127.0.0.1:8080"
#define DAY_MS         86400000u
#define HELP_MAX_BYTES 8192
#define HELD_MIN_BYTES ((uint64_t)1 << 20)
#define HELD_MAX_BYTES ((uint64_t)1 << 40)
#define HELD_BYTES     ((uint64_t)256 << 20) /* fifty lists of ten thousand agents */

#define TEXT(flag_, env_, member, help_)                                                                     \
    {                                                                                                        \
        .flag = (flag_), .env = (env_), .key = #member, .type = OPTION_STRING,                               \
        .offset = offsetof(struct settings, member), .help = (help_)                                         \
    }
#define MS(flag_, env_, low, member, help_, ...)                                                             \
    {                                                                                                        \
        .flag = (flag_), .env = (env_), .key = #member, .type = OPTION_UINT32, .unit = OPTION_MS,            \
        .min = (low), .max = DAY_MS, .offset = offsetof(struct settings, client.member), .help = (help_),    \
        __VA_ARGS__                                                                                          \
    }

static const struct option rows[] = {
    TEXT("--listen", "AGENT_BACKEND_LISTEN", listen,
         "HOST:PORT to serve on; 0.0.0.0:8080 for all interfaces, port 0 for any (" DEFAULT_LISTEN ")"),
    TEXT("--relay", "AGENT_CONTROL_URL", client.url,
         "where the relay is: HOST:PORT, tcp://HOST:PORT or unix:PATH (127.0.0.1:9500)"),
    TEXT("--health-url", "AGENT_HEALTH_URL", client.health_url,
         "http address that answers whether the relay's container is well (none)"),
    /* A setting that no browser sends as an Origin would do nothing. */
    {.flag = "--allow-origin",
     .env = "AGENT_BACKEND_ALLOW_ORIGIN",
     .key = "allow_origin",
     .type = OPTION_STRING,
     .accepts = guard_is_origin,
     .expected =
         "the origin as a browser shows it, scheme://host[:port] with nothing behind it and without the scheme's own port, such as https://agents.example.org",
     .offset = offsetof(struct settings, allow_origin),
     .help = "the origin under which a proxy shows this service, such as https://agents.example.org (none)"},
    {.flag = "--held-max-bytes",
     .env = "AGENT_BACKEND_HELD_MAX_BYTES",
     .key = "held_max_bytes",
     .type = OPTION_UINT,
     .unit = OPTION_BYTES,
     .min = HELD_MIN_BYTES,
     .max = HELD_MAX_BYTES,
     .offset = offsetof(struct settings, held_max_bytes),
     .help = "what answers and events that are still being read may hold, all together"},
    MS("--stale-max-ms", "AGENT_STALE_MAX_MS", 0, stale_max_ms, "how old agents may be shown, marked stale"),
    MS("--poll-ms", "AGENT_POLL_MS", 1, agents_poll_ms, "how often the agents are requested"),
    MS("--poll-timeout-ms", "AGENT_POLL_TIMEOUT_MS", 1, agents_timeout_ms,
       "without an answer for so long, the server counts as down"),
    MS("--mock-refresh-ms", "AGENT_MOCK_REFRESH_MS", 1, mock_refresh_ms, "how often mock agents move",
       .never = true),
    MS("--connect-timeout-ms", "AGENT_CONNECT_TIMEOUT_MS", 1, connect_timeout_ms, "for each address"),
    MS("--init-timeout-ms", "AGENT_INIT_TIMEOUT_MS", 1, init_timeout_ms,
       "for initialize: the relay may be starting its server"),
    MS("--backoff-base-ms", "AGENT_BACKOFF_BASE_MS", 1, backoff_base_ms, "reconnecting: the first step"),
    MS("--backoff-cap-ms", "AGENT_BACKOFF_CAP_MS", 1, backoff_cap_ms, "reconnecting: the longest step"),
    MS("--backoff-stable-ms", "AGENT_BACKOFF_STABLE_MS", 0, backoff_stable_ms,
       "live for so long, and the next loss starts at the first step"),
    MS("--heartbeat-ms", "AGENT_HEARTBEAT_MS", 1, heartbeat_ms, "silence after which the relay is pinged"),
    MS("--dead-after-ms", "AGENT_DEAD_AFTER_MS", 1, dead_after_ms,
       "silence after which the connection is closed"),
    MS("--call-timeout-ms", "AGENT_CALL_TIMEOUT_MS", 1, call_timeout_ms, "for each call to the relay"),
};

static const struct option_table table = {rows, sizeof(rows) / sizeof(rows[0]),
                                          "agent-backend --help lists all"};

/* ---- reading ---- */

static bool find_verb(const char *word, enum settings_verb *ret)
{
    static const struct {
        const char *word;
        enum settings_verb verb;
    } verbs[] = {{"serve", SETTINGS_SERVE},     {"health", SETTINGS_CHECK},     {"--health", SETTINGS_CHECK},
                 {"help", SETTINGS_HELP},       {"--help", SETTINGS_HELP},      {"-h", SETTINGS_HELP},
                 {"version", SETTINGS_VERSION}, {"--version", SETTINGS_VERSION}};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(word, verbs[i].word) == 0) {
            *ret = verbs[i].verb;
            return true;
        }
    }
    return false;
}

static int refuse(const struct option_arg *arg, enum option_fault fault, char *problem)
{
    option_fault_text(&table, arg, fault, problem, SETTINGS_PROBLEM_SIZE);
    return -1;
}

static int read_environment(struct settings *s, settings_env_cb *env, char *problem)
{
    struct option_arg arg;
    OPTION_EACH(o, &table)
    {
        const char *value = env(o->env);
        bool is_set = value && value[0] != '\0';
        enum option_fault fault = is_set ? option_take_variable(o, value, s, &arg) : OPTION_FINE;
        if (fault != OPTION_FINE)
            return refuse(&arg, fault, problem);
    }
    return 0;
}

static int read_flags(struct settings *s, int argc, char *const *argv, enum settings_verb *ret_verb,
                      char *problem)
{
    struct option_walk walk = {.table = &table, .argc = argc, .argv = argv};
    struct option_arg arg;
    while (option_next(&walk, &arg)) {
        if (find_verb(arg.word, ret_verb))
            continue;
        enum option_fault fault = option_take(&arg, s);
        if (fault != OPTION_FINE)
            return refuse(&arg, fault, problem);
    }
    return 0;
}

int settings_read(struct settings *s, int argc, char *const *argv, settings_env_cb *env,
                  enum settings_verb *ret_verb, char problem[SETTINGS_PROBLEM_SIZE])
{
    *s = (struct settings){.listen = DEFAULT_LISTEN, .held_max_bytes = HELD_BYTES};
    ar_options_init(&s->client);
    s->client.client_name = "agent-backend";
    s->client.client_version = ar_version();
    *ret_verb = SETTINGS_SERVE;
    for (int i = 0; i < argc; i++) /* they work also where the environment is wrong */
        if (find_verb(argv[i], ret_verb) && (*ret_verb == SETTINGS_HELP || *ret_verb == SETTINGS_VERSION))
            return 0;
    if (read_environment(s, env, problem) != 0)
        return -1;
    return read_flags(s, argc, argv, ret_verb, problem);
}

/* ---- texts ---- */

/* The option whose member's name is the `len` bytes at `word`. One-word members ("url") are words of the
 * language, too: they are meant where they stand first, before a colon. */
static const struct option *find_member(const char *word, size_t len, bool first)
{
    if (!memchr(word, '_', len) && !(first && word[len] == ':'))
        return NULL;
    OPTION_EACH(o, &table)
    {
        const char *dot = strrchr(o->key, '.');
        const char *member = dot ? dot + 1 : o->key;
        if (strlen(member) == len && strncmp(member, word, len) == 0)
            return o;
    }
    return NULL;
}

void settings_name_flags(const char *text, char problem[SETTINGS_PROBLEM_SIZE])
{
    size_t used = 0;
    problem[0] = '\0';
    while (*text != '\0' && used < SETTINGS_PROBLEM_SIZE) {
        size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
        const struct option *o = find_member(text, len, used == 0);
        len = len > 0 ? len : 1;
        used += (size_t)snprintf(problem + used, SETTINGS_PROBLEM_SIZE - used, "%.*s", o ? 64 : (int)len,
                                 o ? o->flag : text);
        text += len;
    }
}

void settings_print_help(FILE *out)
{
    struct settings preset = {.listen = DEFAULT_LISTEN, .held_max_bytes = HELD_BYTES};
    ar_options_init(&preset.client);
    const struct option_layout layout = {.usage_width = 21, .env_width = 27, .defaults = &preset};
    struct buf text;
    buf_init(&text, HELP_MAX_BYTES);
    int rc = option_help_table(&table, &layout, &text);
    fprintf(
        out,
        "agent-backend %s: agents over HTTP; live while the relay answers, then stale, then mock, always marked so\n\n"
        "  agent-backend [serve] [FLAGS]      serve the API, the events and the page\n"
        "  agent-backend health [FLAGS]       ask the one that serves there: exit 0 when it answers\n"
        "  agent-backend --help | --version\n\n"
        "Each flag may also stand in the environment; the flag wins.\n\n"
        "%.*s\n"
        "SIGTERM and SIGINT end it in order. Exit codes: 0 ended in order; 1 failed; 2 usage; 3 cannot listen.\n",
        ar_version(), rc == 0 ? (int)buf_len(&text) : 0, rc == 0 ? buf_data(&text) : "");
    buf_done(&text);
}
