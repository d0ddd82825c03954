/* agent-relay: the command line, and the exit code. Signals are in signals.c, the relay is in relay.c. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/program.h"
#include "config/config.h"
#include "config/config_advice.h"
#include "log/log.h"
#include "relay.h"
#include "signals.h"

#define REPORT_MAX_BYTES ((size_t)1 << 20)

extern char **environ;

enum verb { VERB_SERVE, VERB_CONFIG, VERB_CHECK, VERB_OPTIONS, VERB_HELP, VERB_VERSION, VERB_UNKNOWN };

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
        "SIGHUP reads the configuration again; SIGTERM, SIGINT and the end of its terminal drain, a second SIGTERM or\n"
        "SIGINT ends at once.\n"
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

/* ---- serving ---- */

static void on_stopped(void *data)
{
    struct signals *signals = data;
    signals_close(signals);
}

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

static int serve(const struct config_args *args, struct config *config)
{
    struct signals signals;
    struct relay_error error;
    struct relay *relay;
    struct relay_options options = {
        .args = args, .config = config, .on_stopped = on_stopped, .data = &signals};
    if (relay_new(&options, &relay, &error) != 0)
        return say_failure(&error);
    int rc = signals_open(&signals, relay);
    if (rc != 0) {
        error.exit = RELAY_EXIT_FAILURE;
        (void)snprintf(error.text, sizeof(error.text), "cannot start: %s", err_text(rc));
    } else {
        rc = relay_start(relay, &error);
    }
    if (rc != 0) {
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

/* What would show at the first request only. */
static void print_advice(struct config *config)
{
    struct buf report;
    buf_init(&report, REPORT_MAX_BYTES);
    if (config_advise(config, environ, &report) == 0 && buf_len(&report) > 0)
        fwrite(buf_data(&report), 1, buf_len(&report), stderr);
    buf_done(&report);
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
    if (verb == VERB_CHECK)
        print_advice(config);
    if (verb == VERB_CHECK)
        say_good(config);
    else
        config_print(config, stdout);
    config_free(config);
    return RELAY_EXIT_OK;
}

/* Large buffers come and go as messages do. From the kernel directly they grow without a copy and, once
 * freed, are no longer resident; in the heap they would leave holes. */
#define LARGE_BYTES (512 << 10)

static int print(enum verb verb)
{
    if (verb == VERB_HELP)
        print_help(stdout);
    else if (verb == VERB_VERSION)
        puts("agent-relay " AGENT_RELAY_VERSION);
    else
        config_print_options(stdout, true);
    return RELAY_EXIT_OK;
}

int main(int argc, char **argv)
{
    const struct allocator *a = mem_get();
    char program_dir[4096];
    struct config_args args;
    if (program_begin(signals_held) != 0)
        return RELAY_EXIT_FAILURE;
    if (uv_replace_allocator(a->malloc, a->realloc, a->calloc, a->free) != 0)
        return RELAY_EXIT_FAILURE;
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    hash_seed_random();
    enum verb verb = read_arguments(argc, argv, &args);
    args.program_dir = find_program_dir(program_dir, sizeof(program_dir));
    if (verb == VERB_UNKNOWN) {
        fprintf(stderr, "agent-relay: there is no '%s'; see agent-relay --help\n", argv[1]);
        return RELAY_EXIT_USAGE;
    }
    if (verb == VERB_SERVE)
        return run(verb, &args);
    program_release_signals();
    bool reads = verb == VERB_CONFIG || verb == VERB_CHECK;
    return program_end("agent-relay", reads ? run(verb, &args) : print(verb));
}
