/* agent-relay: the command line, the signals, the exit code.
 *
 * SIGHUP reloads. SIGTERM and SIGINT drain; a second one ends at once. Everything else is in relay.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/map.h"
#include "config/config.h"
#include "log/log.h"
#include "relay.h"

#define REPORT_MAX_BYTES ((size_t)1 << 20)

extern char **environ;

enum verb { VERB_SERVE, VERB_CONFIG, VERB_CHECK, VERB_OPTIONS, VERB_HELP, VERB_VERSION, VERB_UNKNOWN };

struct signals {
    struct relay *relay;
    uv_signal_t handles[3];
};

/* ---- the command line ---- */

static void print_help(FILE *out)
{
    fputs(
        "agent-relay " AGENT_RELAY_VERSION ": lets any number of clients share MCP servers\n"
        "\n"
        "  agent-relay [serve] [FLAGS] [-- COMMAND ARG...]   serve what the configuration names, or that one command\n"
        "  agent-relay config [FLAGS]                        print each option's value and where it came from\n"
        "  agent-relay check [FLAGS]                         check the configuration and exit (also: serve --check)\n"
        "  agent-relay options                               the options as a Markdown table\n"
        "  agent-relay --help | --version\n"
        "\n"
        "Without any configuration it listens on 127.0.0.1:9500 and serves the mock agents.\n"
        "SIGHUP reads the configuration again; SIGTERM and SIGINT drain, a second one ends at once.\n"
        "Exit codes: 0 ended in order; 1 failed; 2 usage or configuration; 3 cannot listen, or running already.\n"
        "\n",
        out);
    config_print_options(out, false);
}

static enum verb find_verb(const char *word)
{
    static const struct {
        const char *word;
        enum verb verb;
    } verbs[] = {{"serve", VERB_SERVE},     {"config", VERB_CONFIG},     {"check", VERB_CHECK},
                 {"options", VERB_OPTIONS}, {"help", VERB_HELP},         {"--help", VERB_HELP},
                 {"-h", VERB_HELP},         {"--version", VERB_VERSION}, {"version", VERB_VERSION}};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(word, verbs[i].word) == 0)
            return verbs[i].verb;
    return VERB_UNKNOWN;
}

/* Takes --check, --help and --version out of the flags; what follows "--" belongs to the command. */
static enum verb take_verb_flags(struct config_args *args, enum verb verb)
{
    int kept = 0;
    int i = 0;
    for (; i < args->argc && strcmp(args->argv[i], "--") != 0; i++) {
        if (strcmp(args->argv[i], "--check") == 0)
            verb = VERB_CHECK;
        else if (find_verb(args->argv[i]) == VERB_HELP && args->argv[i][0] == '-')
            verb = VERB_HELP;
        else if (strcmp(args->argv[i], "--version") == 0)
            verb = VERB_VERSION;
        else
            args->argv[kept++] = args->argv[i];
    }
    for (; i < args->argc; i++)
        args->argv[kept++] = args->argv[i];
    args->argc = kept;
    args->argv[kept] = NULL;
    return verb;
}

static enum verb read_arguments(int argc, char **argv, struct config_args *ret_args)
{
    *ret_args = (struct config_args){.argc = argc - 1, .argv = argv + 1, .environ = environ};
    enum verb verb = VERB_SERVE;
    if (argc > 1 && argv[1][0] != '-') {
        verb = find_verb(argv[1]);
        ret_args->argc--;
        ret_args->argv++;
    }
    return argc > 0 ? take_verb_flags(ret_args, verb) : verb;
}

/* The folder of this executable; "." when the kernel does not say. */
static const char *find_program_dir(char *out, size_t cap)
{
    ssize_t len = readlink("/proc/self/exe", out, cap - 1);
    if (len <= 0)
        return ".";
    out[len] = '\0';
    char *slash = strrchr(out, '/');
    if (!slash)
        return ".";
    *(slash == out ? slash + 1 : slash) = '\0';
    return out;
}

static int load(const struct config_args *args, struct config **ret_config)
{
    struct buf report;
    buf_init(&report, REPORT_MAX_BYTES);
    int rc = config_load(args, &report, ret_config);
    if (buf_len(&report) > 0)
        fwrite(buf_data(&report), 1, buf_len(&report), stderr);
    else if (rc != 0)
        fprintf(stderr, "agent-relay: %s\n", err_text(rc));
    buf_done(&report);
    return rc;
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *s = handle->data;
    if (number == SIGHUP) {
        relay_reload(s->relay);
    } else if (s->relay->phase == RELAY_SERVING) {
        relay_drain(s->relay);
    } else {
        relay_abort(s->relay);
        LOG(LOG_WARN, "a second signal: ending at once");
        log_close();
        _exit(RELAY_EXIT_FAILURE);
    }
}

static void on_stopped(void *data)
{
    struct signals *s = data;
    for (size_t i = 0; i < sizeof(s->handles) / sizeof(s->handles[0]); i++)
        uv_close((uv_handle_t *)&s->handles[i], NULL);
}

static int catch_signals(struct signals *s, struct relay *relay)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
    int rc = 0;
    s->relay = relay;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        s->handles[i].data = s;
        rc |= uv_signal_init(&relay->loop.uv, &s->handles[i]);
        rc |= uv_signal_start(&s->handles[i], on_signal, numbers[i]);
    }
    return rc;
}

/* ---- serving ---- */

static int finish(struct relay *relay, enum relay_exit code)
{
    if (code == RELAY_EXIT_OK)
        relay_free(relay);
    else
        relay_abort(relay);
    return (int)code;
}

static int say_failure(const struct relay_error *error)
{
    log_close(); /* first: its lines come before */
    fprintf(stderr, "agent-relay: %s\n", error->text);
    return (int)error->exit;
}

/* The signals are caught before the relay is visible to any process that could send one. */
static int serve(const struct config_args *args, struct config *config)
{
    struct signals signals;
    struct relay_error error;
    struct relay *relay;
    struct relay_options options = {
        .args = args, .config = config, .on_stopped = on_stopped, .data = &signals};
    if (relay_new(&options, &relay, &error) != 0)
        return say_failure(&error);
    if (catch_signals(&signals, relay) != 0)
        abort(); /* three handles on a fresh loop */
    if (relay_start(relay, &error) != 0) {
        relay_free(relay);
        return say_failure(&error);
    }
    int code = finish(relay, relay_run(relay));
    log_close();
    return code;
}

static int open_log_and_serve(const struct config_args *args, struct config *config)
{
    int rc = log_open(STDERR_FILENO, config->log_level, config->log_format);
    if (rc == 0)
        return serve(args, config);
    fprintf(stderr, "agent-relay: cannot start the log: %s\n", err_text(rc));
    config_free(config);
    return RELAY_EXIT_FAILURE;
}

static void say_good(const struct config *config)
{
    size_t broken = 0;
    for (size_t i = 0; i < config->server_count; i++)
        broken += !config->servers[i].disabled && config->servers[i].problem;
    if (broken > 0)
        printf("the configuration is good, but %zu of %zu servers cannot start\n", broken,
               config->server_count);
    else
        puts("the configuration is good");
}

static int run(enum verb verb, const struct config_args *args)
{
    struct config *config;
    int rc = load(args, &config);
    if (rc != 0)
        return rc == -ENOMEM ? RELAY_EXIT_FAILURE : RELAY_EXIT_USAGE;
    if (verb == VERB_SERVE)
        return open_log_and_serve(args, config);
    if (verb == VERB_CONFIG)
        config_print(config, stdout);
    else
        say_good(config);
    config_free(config);
    return RELAY_EXIT_OK;
}

/* A closed 0, 1 or 2 would become the number of a socket, which would then get the output meant for the
 * terminal. */
static int fill_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 ? -1 : close(fd);
}

/* Large buffers come and go as messages do. From the kernel directly they grow without a copy and, once
 * freed, are no longer resident; in the heap they would leave holes. */
#define LARGE_BYTES (512 << 10)

int main(int argc, char **argv)
{
    const struct allocator *a = mem_get();
    char program_dir[4096];
    struct config_args args;
    if (fill_standard_files() != 0)
        return RELAY_EXIT_FAILURE;
    if (uv_replace_allocator(a->malloc, a->realloc, a->calloc, a->free) != 0)
        return RELAY_EXIT_FAILURE;
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    signal(SIGPIPE, SIG_IGN);
    hash_seed_random();
    enum verb verb = read_arguments(argc, argv, &args);
    args.program_dir = find_program_dir(program_dir, sizeof(program_dir));
    switch (verb) {
    case VERB_HELP:
        print_help(stdout);
        return RELAY_EXIT_OK;
    case VERB_VERSION:
        puts("agent-relay " AGENT_RELAY_VERSION);
        return RELAY_EXIT_OK;
    case VERB_OPTIONS:
        config_print_options(stdout, true);
        return RELAY_EXIT_OK;
    case VERB_UNKNOWN:
        fprintf(stderr, "agent-relay: there is no '%s'; see agent-relay --help\n", argv[1]);
        return RELAY_EXIT_USAGE;
    default:
        return run(verb, &args);
    }
}
