/* The options of agent-backend.
 *
 * Purpose: a table of name, variable, kind, place and range; the environment is read first, then the flags.
 * What an option means together with others (a dead peer's time must be longer than the heartbeat's) is the
 * library's to check. Failure modes: an unknown flag, a missing or bad value: the first one is said, in
 * words.
 */
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

#define DEFAULT_LISTEN "127.0.0.1:8080"
#define DAY_MS         86400000u

enum kind { KIND_TEXT, KIND_ORIGIN, KIND_MS, KIND_MS_OR_NEVER };

static const struct option {
    const char *flag;
    const char *variable;
    const char *member; /* as the library names it */
    enum kind kind;
    uint32_t min;
    size_t offset; /* in struct settings: a const char *, or a uint32_t */
    const char *help;
} options[] = {
#define TEXT(flag, variable, member, help)                                                                   \
    {                                                                                                        \
        flag, variable, #member, KIND_TEXT, 0, offsetof(struct settings, member), help                       \
    }
#define ORIGIN(flag, variable, member, help)                                                                 \
    {                                                                                                        \
        flag, variable, #member, KIND_ORIGIN, 0, offsetof(struct settings, member), help                     \
    }
#define MS(flag, variable, min, member, help)                                                                \
    {                                                                                                        \
        flag, variable, #member, KIND_MS, min, offsetof(struct settings, client.member), help                \
    }
#define MS_OR_NEVER(flag, variable, min, member, help)                                                       \
    {                                                                                                        \
        flag, variable, #member, KIND_MS_OR_NEVER, min, offsetof(struct settings, client.member), help       \
    }
    TEXT("--listen", "AGENT_BACKEND_LISTEN", listen,
         "HOST:PORT to serve on; 0.0.0.0:8080 for all interfaces, port 0 for any (" DEFAULT_LISTEN ")"),
    TEXT("--relay", "AGENT_CONTROL_URL", client.url,
         "where the relay is: HOST:PORT, tcp://HOST:PORT or unix:PATH (127.0.0.1:9500)"),
    TEXT("--health-url", "AGENT_HEALTH_URL", client.health_url,
         "http address that tells whether the relay's container is well (none)"),
    ORIGIN("--allow-origin", "AGENT_BACKEND_ALLOW_ORIGIN", allow_origin,
           "the origin under which a proxy shows this service, such as https://agents.example.org (none)"),
    MS("--stale-max-ms", "AGENT_STALE_MAX_MS", 0, stale_max_ms, "how old agents may be shown, marked stale"),
    MS("--poll-ms", "AGENT_POLL_MS", 1, agents_poll_ms, "how often the agents are asked for"),
    MS("--poll-timeout-ms", "AGENT_POLL_TIMEOUT_MS", 1, agents_timeout_ms,
       "without an answer for so long, the server counts as down"),
    MS_OR_NEVER("--mock-refresh-ms", "AGENT_MOCK_REFRESH_MS", 1, mock_refresh_ms,
                "how often mock agents move"),
    MS("--connect-timeout-ms", "AGENT_CONNECT_TIMEOUT_MS", 1, connect_timeout_ms, "for each address"),
    MS("--init-timeout-ms", "AGENT_INIT_TIMEOUT_MS", 1, init_timeout_ms,
       "for initialize: the relay may be starting its server"),
    MS("--backoff-base-ms", "AGENT_BACKOFF_BASE_MS", 1, backoff_base_ms, "reconnecting: the first step"),
    MS("--backoff-cap-ms", "AGENT_BACKOFF_CAP_MS", 1, backoff_cap_ms, "reconnecting: the longest step"),
    MS("--backoff-stable-ms", "AGENT_BACKOFF_STABLE_MS", 0, backoff_stable_ms,
       "live for so long, and the next loss starts at the first step"),
    MS("--heartbeat-ms", "AGENT_HEARTBEAT_MS", 1, heartbeat_ms, "of silence, and the relay is asked"),
    MS("--dead-after-ms", "AGENT_DEAD_AFTER_MS", 1, dead_after_ms, "of silence, and the link is given up"),
    MS("--call-timeout-ms", "AGENT_CALL_TIMEOUT_MS", 1, call_timeout_ms,
       "for what a request asks of the relay"),
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* ---- values ---- */

static int set_ms(struct settings *s, const struct option *o, const char *name, const char *value,
                  char *problem)
{
    char *end;
    uint32_t *place = (uint32_t *)(void *)((char *)s + o->offset);
    if (o->kind == KIND_MS_OR_NEVER && strcmp(value, "never") == 0) {
        *place = AR_NEVER;
        return 0;
    }
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    bool digits = value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0;
    if (digits && number >= o->min && number <= DAY_MS) {
        *place = (uint32_t)number;
        return 0;
    }
    (void)snprintf(problem, SETTINGS_PROBLEM_SIZE,
                   "%s is \"%.60s\"; write milliseconds from %" PRIu32 " to %u%s", name, value, o->min,
                   DAY_MS, o->kind == KIND_MS_OR_NEVER ? ", or never" : "");
    return -1;
}

/* What a browser would never send is a setting that does nothing. */
static int set_origin(const char **place, const char *name, const char *value, char *problem)
{
    if (guard_is_origin(value)) {
        *place = value;
        return 0;
    }
    (void)snprintf(
        problem, SETTINGS_PROBLEM_SIZE,
        "%s is \"%.100s\"; write the origin as a browser shows it, scheme://host[:port] with nothing "
        "behind it and without the scheme's own port, such as https://agents.example.org",
        name, value);
    return -1;
}

static int set_value(struct settings *s, const struct option *o, const char *name, const char *value,
                     char *problem)
{
    const char **text = (const char **)(void *)((char *)s + o->offset);
    switch (o->kind) {
    case KIND_TEXT:
        *text = value;
        return 0;
    case KIND_ORIGIN:
        return set_origin(text, name, value, problem);
    case KIND_MS:
    case KIND_MS_OR_NEVER:
    default:
        return set_ms(s, o, name, value, problem);
    }
}

static int read_environment(struct settings *s, settings_env_cb *env, char *problem)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *value = env(options[i].variable);
        if (value && value[0] != '\0' && set_value(s, &options[i], options[i].variable, value, problem) != 0)
            return -1;
    }
    return 0;
}

/* ---- flags ---- */

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

/* `len`: the flag's, without "=value". */
static const struct option *find_option(const char *word, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].flag) == len && strncmp(options[i].flag, word, len) == 0)
            return &options[i];
    return NULL;
}

/* The argument at *at, and its value behind it where it takes one. */
static int read_flag(struct settings *s, int argc, char *const *argv, int *at, char *problem)
{
    const char *word = argv[*at];
    const char *value = strchr(word, '=');
    const struct option *o = find_option(word, value ? (size_t)(value - word) : strlen(word));
    if (!o) {
        (void)snprintf(problem, SETTINGS_PROBLEM_SIZE,
                       "there is no option \"%.60s\"; agent-backend --help lists all", word);
        return -1;
    }
    if (value)
        value++;
    else if (*at + 1 < argc)
        value = argv[++*at];
    if (value && value[0] != '\0')
        return set_value(s, o, o->flag, value, problem);
    (void)snprintf(problem, SETTINGS_PROBLEM_SIZE, "%s needs a value: %s", o->flag, o->help);
    return -1;
}

int settings_read(struct settings *s, int argc, char *const *argv, settings_env_cb *env,
                  enum settings_verb *ret_verb, char problem[SETTINGS_PROBLEM_SIZE])
{
    *s = (struct settings){.listen = DEFAULT_LISTEN};
    ar_options_init(&s->client);
    s->client.client_name = "agent-backend";
    s->client.client_version = ar_version();
    *ret_verb = SETTINGS_SERVE;
    for (int i = 0; i < argc; i++) /* they work also where the environment is wrong */
        if (find_verb(argv[i], ret_verb) && (*ret_verb == SETTINGS_HELP || *ret_verb == SETTINGS_VERSION))
            return 0;
    if (read_environment(s, env, problem) != 0)
        return -1;
    for (int i = 0; i < argc; i++)
        if (!find_verb(argv[i], ret_verb) && read_flag(s, argc, argv, &i, problem) != 0)
            return -1;
    return 0;
}

/* ---- in words ---- */

/* The option whose member's name is the `len` bytes at `word`. One-word members ("url") are words of the
 * language, too: they are meant where they stand first, before a colon. */
static const struct option *find_member(const char *word, size_t len, bool first)
{
    if (!memchr(word, '_', len) && !(first && word[len] == ':'))
        return NULL;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *dot = strrchr(options[i].member, '.');
        const char *member = dot ? dot + 1 : options[i].member;
        if (strlen(member) == len && strncmp(member, word, len) == 0)
            return &options[i];
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
    struct settings preset = {.listen = DEFAULT_LISTEN};
    ar_options_init(&preset.client);
    fprintf(
        out,
        "agent-backend %s: agents over HTTP; live while the relay answers, then stale, then mock, always marked so\n\n"
        "  agent-backend [serve] [FLAGS]      serve the API, the events and the page\n"
        "  agent-backend health [FLAGS]       ask the one that serves there: exit 0 when it answers\n"
        "  agent-backend --help | --version\n\n"
        "Each flag may also stand in the environment; the flag wins.\n\n",
        ar_version());
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        fprintf(out, "  %-21s %-27s %s", o->flag, o->variable, o->help);
        if (o->kind == KIND_MS || o->kind == KIND_MS_OR_NEVER)
            fprintf(out, " (%" PRIu32 ")",
                    *(const uint32_t *)(const void *)((const char *)&preset + o->offset));
        fputc('\n', out);
    }
    fputs(
        "\nSIGTERM and SIGINT end it in order. Exit codes: 0 ended in order; 1 failed; 2 usage; 3 cannot listen.\n",
        out);
}
