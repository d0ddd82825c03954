/* Parses the command line of agent-relayctl. Pure: it prints nothing and reads no environment.
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
#include "base/options.h"

/* The order is the help's. */
enum ctl_flag {
    CTL_FLAG_RELAY,
    CTL_FLAG_TIMEOUT,
    CTL_FLAG_JSON,
    CTL_FLAG_COLOR,
    CTL_FLAG_POLICY,
    CTL_FLAG_NO_START,
    CTL_FLAG_COUNT,
    CTL_FLAG_INTERVAL,
    CTL_FLAG_WATCH,
    CTL_FLAG_NAMES,
    CTL_FLAG_HELP,
    CTL_FLAG_VERSION,
    CTL_FLAG_COUNT_
};
#define CTL_FLAG_BIT(member) (1U << CTL_FLAG_##member)

/* Those that every command takes. */
#define CTL_EVERY_FLAG                                                                                       \
    (CTL_FLAG_BIT(RELAY) | CTL_FLAG_BIT(TIMEOUT) | CTL_FLAG_BIT(COLOR) | CTL_FLAG_BIT(HELP) |                \
     CTL_FLAG_BIT(VERSION))
const struct option *ctl_flag(enum ctl_flag flag);

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

/* 0, or ERR_SYNTAX with the fault and the correct form in `problem`. `argv` (of main) is reordered. With
 * --help or --version given, nothing else is required of the line. */
MUSTCHECK int ctl_args_parse(int argc, char **argv, struct ctl_args *ret_args, char *problem,
                             size_t problem_size);

/* True when --json stands before any "--", also on a line that is wrong. To be called before ctl_args_parse,
 * which reorders argv. */
bool ctl_args_want_json(int argc, char *const *argv);

static inline bool ctl_given(const struct ctl_args *args, enum ctl_flag flag)
{
    return (args->given & (1U << flag)) != 0;
}

#endif
