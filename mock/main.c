/* agent-mock: mock agents as an MCP server on stdin and stdout.
 *
 *     agent-mock [--seed N] [--now TIME] [--at SECONDS] [--cast FILE]
 *
 * Purpose: read the command line, make the world, serve it. With --now the clock stands still, and then every
 * byte that is written follows from the options and from what was asked. Exit codes: 0 the input ended and
 * all is answered; 1 it cannot go on (output closed, no memory); 2 the command line or the cast is wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "mock/iso_time.h"
#include "mock/mcp.h"

#define CAST_MAX_BYTES ((size_t)4 << 20)
#define MAX_AGE_S      (UINT64_C(100) * 366 * 86400)

struct settings {
    uint64_t seed;
    bool clock_stands;
    uint64_t now_ms;
    uint64_t age_s;
    const char *cast_file;
};

static const char help[] =
    "Usage: agent-mock [OPTION]...\n"
    "Mock agents as an MCP server on stdin and stdout, one JSON-RPC message a line.\n"
    "\n"
    "  --seed N      another world for every number (default 1)\n"
    "  --now TIME    the clock stands still at this time (2026-01-31T12:00:00Z): output reproducible to the byte\n"
    "  --at SECONDS  the world began this many seconds ago (default 0)\n"
    "  --cast FILE   agents to begin with, in place of the built-in five (JSON, as mock/agents.json)\n"
    "  --help        this text\n"
    "  --version     the version\n"
    "\n"
    "Example: echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agents/list\"}' | agent-mock\n";

static int wrong(const char *option, const char *value, const char *should)
{
    fprintf(stderr, "agent-mock: %s %s: %s\n", option, value, should);
    return 2;
}

static int parse_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return ERR_SYNTAX;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return ERR_RANGE;
    *ret_value = value;
    return 0;
}

enum option_code { OPT_SEED = 1, OPT_NOW, OPT_AT, OPT_CAST, OPT_HELP, OPT_VERSION };

static const struct option options[] = {
    {"seed", required_argument, NULL, OPT_SEED},
    {"now", required_argument, NULL, OPT_NOW},
    {"at", required_argument, NULL, OPT_AT},
    {"cast", required_argument, NULL, OPT_CAST},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* -1: go on; else the exit code. */
static int take_option(struct settings *settings, int option)
{
    switch (option) {
    case OPT_SEED:
        return parse_number(optarg, UINT64_MAX, &settings->seed) == 0
                   ? -1
                   : wrong("--seed", optarg, "write a whole number");
    case OPT_NOW:
        settings->clock_stands = true;
        return iso_time_parse(optarg, &settings->now_ms) == 0
                   ? -1
                   : wrong("--now", optarg, "write a time from 1970 on, as 2026-01-31T12:00:00Z");
    case OPT_AT:
        return parse_number(optarg, MAX_AGE_S, &settings->age_s) == 0
                   ? -1
                   : wrong("--at", optarg, "write a number of seconds, at most a hundred years");
    case OPT_CAST:
        settings->cast_file = optarg;
        return -1;
    case OPT_HELP:
        fputs(help, stdout);
        return 0;
    case OPT_VERSION:
        puts("agent-mock " AGENT_RELAY_VERSION);
        return 0;
    default:
        fputs("Try agent-mock --help\n", stderr);
        return 2;
    }
}

static int read_options(int argc, char **argv, struct settings *settings)
{
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int done = take_option(settings, option);
        if (done >= 0)
            return done;
    }
    if (optind < argc)
        return wrong("argument", argv[optind], "there are only options; try agent-mock --help");
    return -1;
}

/* The whole file into `cast`, or a negative code. */
static int read_file(const char *path, struct buf *cast)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int rc = 0;
    while (rc == 0 && !feof(file)) {
        char *room;
        rc = buf_reserve(cast, 4096, &room);
        if (rc == 0) {
            buf_commit(cast, fread(room, 1, 4096, file));
            rc = ferror(file) ? -EIO : 0;
        }
    }
    fclose(file);
    return rc;
}

static int make_world(const struct settings *settings, uint64_t now_ms, struct mock **ret_mock)
{
    char problem[256] = "";
    struct buf cast;
    buf_init(&cast, CAST_MAX_BYTES);
    uint64_t age_ms = settings->age_s * 1000;
    struct mock_options world = {.seed = settings->seed, .start_ms = now_ms > age_ms ? now_ms - age_ms : 0};
    int rc = settings->cast_file ? read_file(settings->cast_file, &cast) : 0;
    if (rc == 0) {
        world.cast = settings->cast_file ? buf_data(&cast) : NULL;
        world.cast_len = buf_len(&cast);
        rc = mock_new(&world, ret_mock, problem, sizeof(problem));
    }
    if (rc != 0)
        fprintf(stderr, "agent-mock: %s: %s\n",
                settings->cast_file ? settings->cast_file : "the built-in cast",
                problem[0] ? problem : err_text(rc));
    buf_done(&cast);
    return rc;
}

static int serve(const struct settings *settings, struct mock *mock)
{
    struct mcp server;
    mcp_init(&server, mock);
    server.clock_stands = settings->clock_stands;
    server.fixed_now_ms = settings->now_ms;
    int rc = mcp_serve(&server, STDIN_FILENO, STDOUT_FILENO);
    mcp_done(&server);
    if (rc != 0)
        fprintf(stderr, "agent-mock: %s\n", err_text(rc));
    return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct settings settings = {.seed = 1};
    int done = read_options(argc, argv, &settings);
    if (done >= 0)
        return done;
    signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error of write */
    struct mcp clock = {.clock_stands = settings.clock_stands, .fixed_now_ms = settings.now_ms};
    struct mock *mock;
    if (make_world(&settings, mcp_now_ms(&clock), &mock) != 0)
        return 2;
    int code = serve(&settings, mock);
    mock_free(mock);
    return code;
}
