/* The command line of agent-relayctl, taken apart. Pure: it prints nothing and reads no environment.
 *
 *     agent-relayctl [FLAGS] COMMAND [FLAGS] [OPERANDS]
 *
 * Flags may stand anywhere before "--"; --flag=value and --flag value are the same. A lone "-" and whatever
 * follows "--" are operands.
 */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/err.h"

/* X(member, name, help, word for its value or NULL). The order is the help's. */
#define CTL_FLAGS(X)                                                                                         \
    X(RELAY, "--relay", "where the relay is: host:port, tcp://host:port, unix:PATH (AGENT_CONTROL_URL)",     \
      "URL")                                                                                                 \
    X(TIMEOUT, "--timeout", "the longest it may take, in milliseconds (5000; call and tool: 30000)", "MS")   \
    X(JSON, "--json", "one JSON document; the watching commands: one a line", NULL)                          \
    X(COLOR, "--color", "auto (on a terminal, unless NO_COLOR is set), always or never", "WHEN")             \
    X(POLICY, "--policy", "while the relay does not answer: fail, wait (till --timeout) or mock", "POLICY")  \
    X(NO_START, "--no-start", "only look: do not make the relay start its server", NULL)                     \
    X(COUNT, "--count", "how many round trips (5)", "N")                                                     \
    X(INTERVAL, "--interval", "milliseconds from one to the next (200)", "MS")                               \
    X(WATCH, "--watch", "go on, and show each change, until interrupted", NULL)                              \
    X(NAMES, "--names", "the names alone, one a line", NULL)                                                 \
    X(HELP, "--help", "what this command does, with an example", NULL)                                       \
    X(VERSION, "--version", "the version", NULL)

enum ctl_flag {
#define X(member, name, help, value) CTL_FLAG_##member,
    CTL_FLAGS(X)
#undef X
        CTL_FLAG_COUNT_
};
#define CTL_FLAG_BIT(member) (1U << CTL_FLAG_##member)

struct ctl_flag_info {
    const char *name;
    const char *help;
    const char *value; /* NULL: it takes none */
    char letter;       /* -n; 0: none */
};
const struct ctl_flag_info *ctl_flag_info(enum ctl_flag flag);

enum ctl_color { CTL_COLOR_AUTO, CTL_COLOR_ALWAYS, CTL_COLOR_NEVER };

struct ctl_command;

struct ctl_args {
    const struct ctl_command *command; /* NULL: none was named */
    unsigned given;                    /* bits of enum ctl_flag */
    const char *relay;                 /* NULL: not given. Strings are borrowed from argv */
    uint32_t timeout_ms;               /* 0: the command's own */
    enum ctl_color color;
    enum ar_policy policy; /* AR_FAIL_FAST */
    uint32_t count;        /* 5 */
    uint32_t interval_ms;  /* 200 */
    char **operands;       /* in argv, which is put in order for that */
    size_t operand_count;
};

#define CTL_PROBLEM_SIZE 400

/* 0, or ERR_SYNTAX with what is wrong and what to write in `problem`. `argv` (of main) is reordered. With
 * --help or --version given, nothing else is required of the line. */
MUSTCHECK int ctl_args_parse(int argc, char **argv, struct ctl_args *ret_args, char *problem,
                             size_t problem_size);

/* --json stands on the line, as far as that can be told of a line that is wrong. Before ctl_args_parse, which
 * moves argv about. */
bool ctl_args_want_json(int argc, char *const *argv);

static inline bool ctl_given(const struct ctl_args *args, enum ctl_flag flag)
{
    return (args->given & (1U << flag)) != 0;
}

#endif
