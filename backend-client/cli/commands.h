/* What agent-relayctl can do: one table for the command line, the help and the tests. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include <stddef.h>
#include <stdint.h>

enum ctl_verb {
    CTL_STATUS,
    CTL_PING,
    CTL_CALL,
    CTL_TOOLS,
    CTL_TOOL,
    CTL_AGENTS,
    CTL_SERVERS,
    CTL_WATCH,
    CTL_HELP,
};

struct ctl_command {
    enum ctl_verb verb;
    const char *name;
    const char *operands; /* as the usage line shows them */
    const char *summary;
    const char *details; /* lines, each ended by a newline */
    const char *example; /* a command line, and behind a newline what it does */
    unsigned flags;      /* those that only some commands take: bits of enum ctl_flag */
    size_t operands_min;
    size_t operands_max;
    uint32_t timeout_ms; /* where --timeout says none */
};

#define CTL_OPERANDS_ANY SIZE_MAX

/* NULL: there is none of that name, or at that index. */
const struct ctl_command *ctl_command_find(const char *name);
const struct ctl_command *ctl_command_at(size_t index);
/* The command that was probably meant, by nearest_name. NULL: none is near. */
const struct ctl_command *ctl_command_like(const char *name);

#endif
