/* agent-mock: mock agents as an MCP server on stdin and stdout.
 *
 *     agent-mock [--seed N] [--now TIME] [--at SECONDS] [--agents FILE]
 *
 * Purpose: read the command line, make the world, serve it. With --now the clock is stopped, and every byte
 * of the output then follows from the options and the requests. Exit codes: 0 the input ended and every
 * request is answered; 1 failure while running (output closed, no memory); 2 the command line or the file of
 * --agents is wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/options.h"
#include "base/program.h"
#include "mock/iso_time.h"
#include "mock/mcp.h"

#define AGENTS_MAX_BYTES ((size_t)4 << 20)
#define HELP_MAX_BYTES   4096
#define MAX_AGE_S        (UINT64_C(100) * 366 * 86400)

struct settings {
    uint64_t seed;
    const char *now; /* as given; NULL: the clock runs */
    uint64_t now_ms; /* of `now` */
    uint64_t age_s;
    const char *agents_file;
};

#define ROW(name, placeholder, kind, field, most, write, about)                                              \
    {                                                                                                        \
        .flag = (name), .value = (placeholder), .type = (kind), .max = (most),                               \
        .offset = offsetof(struct settings, field), .expected = (write), .help = (about)                     \
    }

enum row { ROW_SEED, ROW_NOW, ROW_AT, ROW_AGENTS, ROW_AGENTS_FORMER, ROW_HELP, ROW_VERSION, ROW_COUNT };

static const struct option rows[ROW_COUNT] = {
    [ROW_SEED] = ROW("--seed", "N", OPTION_UINT, seed, UINT64_MAX, "a whole number",
                     "another world for every number (default 1)"),
    [ROW_NOW] =
        ROW("--now", "TIME", OPTION_STRING, now, 0, "a time from 1970 on, as 2026-01-31T12:00:00Z",
            "the clock is stopped at this time (2026-01-31T12:00:00Z): output reproducible to the byte"),
    [ROW_AT] =
        ROW("--at", "SECONDS", OPTION_UINT, age_s, MAX_AGE_S, "a number of seconds, at most a hundred years",
            "the world began this many seconds ago (default 0)"),
    [ROW_AGENTS] = ROW("--agents", "FILE", OPTION_STRING, agents_file, 0, NULL,
                       "agents to begin with, in place of the built-in five (JSON, as mock/agents.json)"),
    [ROW_AGENTS_FORMER] =
        ROW("--cast", "FILE", OPTION_STRING, agents_file, 0, NULL, "the former name of --agents"),
    [ROW_HELP] = {.flag = "--help", .help = "this text"},
    [ROW_VERSION] = {.flag = "--version", .help = "the version"},
};

static const struct option_table table = {rows, ROW_COUNT, "try agent-mock --help"};

static int print_help(void)
{
    static const struct option_layout layout = {.usage_width = 15};
    struct buf text;
    buf_init(&text, HELP_MAX_BYTES);
    int rc = option_help_table(&table, &layout, &text);
    printf("Usage: agent-mock [OPTION]...\n"
           "Mock agents as an MCP server on stdin and stdout, one JSON-RPC message a line.\n"
           "\n"
           "%.*s\n"
           "Example: echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agents/list\"}' | agent-mock\n",
           rc == 0 ? (int)buf_len(&text) : 0, rc == 0 ? buf_data(&text) : "");
    buf_done(&text);
    return rc == 0 ? 0 : 1;
}

static int print_version(void)
{
    puts("agent-mock " AGENT_RELAY_VERSION);
    return 0;
}

static int wrong(const struct option_arg *arg, enum option_fault fault)
{
    char problem[400];
    option_fault_text(&table, arg, fault, problem, sizeof(problem));
    fprintf(stderr, "agent-mock: %s\n", problem);
    return 2;
}

/* -1: continue; else the exit code. */
static int read_options(int argc, char **argv, struct settings *settings)
{
    struct option_walk walk = {.table = &table, .argc = argc - 1, .argv = argv + 1};
    struct option_arg arg;
    while (option_next(&walk, &arg)) {
        enum option_fault fault = option_take(&arg, settings);
        if (fault == OPTION_FINE && arg.option == &rows[ROW_NOW] &&
            iso_time_parse(arg.value, &settings->now_ms) != 0)
            fault = OPTION_REFUSED;
        if (fault != OPTION_FINE)
            return wrong(&arg, fault);
        if (arg.option == &rows[ROW_HELP])
            return print_help();
        if (arg.option == &rows[ROW_VERSION])
            return print_version();
    }
    return -1;
}

static int make_world(const struct settings *settings, uint64_t now_ms, struct mock **ret_mock)
{
    char problem[256] = "";
    struct buf agents;
    buf_init(&agents, AGENTS_MAX_BYTES);
    uint64_t age_ms = settings->age_s * 1000;
    struct mock_options world = {.seed = settings->seed, .start_ms = now_ms > age_ms ? now_ms - age_ms : 0};
    int rc = settings->agents_file ? file_read(settings->agents_file, &agents) : 0;
    if (rc == 0) {
        world.agents = settings->agents_file ? buf_data(&agents) : NULL;
        world.agents_len = buf_len(&agents);
        rc = mock_new(&world, ret_mock, problem, sizeof(problem));
    }
    if (rc != 0)
        fprintf(stderr, "agent-mock: %s: %s\n",
                settings->agents_file ? settings->agents_file : "the built-in agents",
                problem[0] ? problem : err_text(rc));
    buf_done(&agents);
    return rc;
}

static int serve(const struct settings *settings, struct mock *mock)
{
    struct mcp server;
    mcp_init(&server, mock);
    server.clock_is_fixed = settings->now != NULL;
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
    if (program_begin(NULL) != 0)
        return 1;
    int done = read_options(argc, argv, &settings);
    if (done >= 0)
        return program_end("agent-mock", done);
    struct mcp clock = {.clock_is_fixed = settings.now != NULL, .fixed_now_ms = settings.now_ms};
    struct mock *mock;
    if (make_world(&settings, mcp_now_ms(&clock), &mock) != 0)
        return 2;
    int code = serve(&settings, mock);
    mock_free(mock);
    return code;
}
