/* The command line. One walk over argv stores the flags and keeps the operands; the first operand is the
 * command. A flag that the command does not take is refused by name: no flag is silently ignored.
 */
#include "backend-client/cli/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/commands.h"

#define COUNT_MAX 1000000
#define MS_MAX    86400000 /* a day */

static const char *const policies[] = {[AR_FAIL_FAST] = "fail", [AR_WAIT] = "wait", [AR_MOCK] = "mock", NULL};
static const char *const colors[] = {
    [CTL_COLOR_AUTO] = "auto", [CTL_COLOR_ALWAYS] = "always", [CTL_COLOR_NEVER] = "never", NULL};

_Static_assert(sizeof(enum ar_policy) == sizeof(unsigned) && sizeof(enum ctl_color) == sizeof(unsigned),
               "a choice is stored as unsigned");

#define BARE(name, short_name, about)                                                                        \
    {                                                                                                        \
        .flag = (name), .letter = (short_name), .type = OPTION_BARE, .help = (about)                         \
    }
#define CHOICE(name, field, words, placeholder, about)                                                       \
    {                                                                                                        \
        .flag = (name), .type = OPTION_CHOICE, .choices = (words),                                           \
        .offset = offsetof(struct ctl_args, field), .value = (placeholder), .help = (about)                  \
    }
#define NUMBER(name, short_name, field, low, high, placeholder, about)                                       \
    {                                                                                                        \
        .flag = (name), .letter = (short_name), .type = OPTION_UINT32, .min = (low), .max = (high),          \
        .offset = offsetof(struct ctl_args, field), .value = (placeholder), .help = (about)                  \
    }

static const struct option rows[] = {
    [CTL_FLAG_RELAY] = {.flag = "--relay",
                        .type = OPTION_STRING,
                        .offset = offsetof(struct ctl_args, relay),
                        .value = "URL",
                        .expected = "host:port or unix:PATH",
                        .help =
                            "where the relay is: host:port, tcp://host:port, unix:PATH (AGENT_CONTROL_URL)"},
    [CTL_FLAG_TIMEOUT] = NUMBER("--timeout", 0, timeout_ms, 1, MS_MAX, "MS",
                                "the longest it may take, in milliseconds (5000; call and tool: 30000)"),
    [CTL_FLAG_JSON] = BARE("--json", 0, "one JSON document; the watching commands: one a line"),
    [CTL_FLAG_COLOR] = CHOICE("--color", color, colors, "WHEN",
                              "auto (on a terminal, unless NO_COLOR is set), always or never"),
    [CTL_FLAG_POLICY] = CHOICE("--policy", policy, policies, "POLICY",
                               "while the relay does not answer: fail, wait (till --timeout) or mock"),
    [CTL_FLAG_NO_START] = BARE("--no-start", 0, "only look: do not make the relay start its server"),
    [CTL_FLAG_COUNT] = NUMBER("--count", 'n', count, 1, COUNT_MAX, "N", "how many round trips (5)"),
    [CTL_FLAG_INTERVAL] =
        NUMBER("--interval", 'i', interval_ms, 0, MS_MAX, "MS", "milliseconds from one to the next (200)"),
    [CTL_FLAG_WATCH] = BARE("--watch", 'w', "go on, and show each change, until interrupted"),
    [CTL_FLAG_NAMES] = BARE("--names", 0, "the names alone, one a line"),
    [CTL_FLAG_HELP] = BARE("--help", 'h', "what this command does, with an example"),
    [CTL_FLAG_VERSION] = BARE("--version", 0, "the version"),
};

static const struct option_table table = {
    rows, CTL_FLAG_COUNT_, "see agent-relayctl --help, or write -- before an operand that begins with -"};

const struct option *ctl_flag(enum ctl_flag flag)
{
    return &rows[flag];
}

/* A line being parsed. */
struct parse {
    struct ctl_args *args;
    char *problem;
    size_t problem_size;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct parse *p, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(p->problem, p->problem_size, format, list);
    va_end(list);
    return ERR_SYNTAX;
}

/* Stores the flags and moves the operands to the front of argv. */
static int read_all(struct parse *p, int argc, char **argv, size_t *ret_operands)
{
    struct option_walk walk = {.table = &table, .argc = argc, .argv = argv};
    struct option_arg arg;
    size_t kept = 0;
    while (option_next(&walk, &arg)) {
        if (arg.name[0] == '\0') {
            argv[kept++] = arg.word;
            continue;
        }
        enum option_fault fault = option_take(&arg, p->args);
        if (fault != OPTION_FINE) {
            option_fault_text(&table, &arg, fault, p->problem, p->problem_size);
            return ERR_SYNTAX;
        }
        p->args->given |= 1U << (arg.option - rows);
    }
    *ret_operands = kept;
    return 0;
}

static int check_flags(struct parse *p)
{
    const struct ctl_command *c = p->args->command;
    unsigned unknown = p->args->given & ~(CTL_EVERY_FLAG | c->flags);
    for (int i = 0; i < CTL_FLAG_COUNT_; i++)
        if (unknown & (1U << i))
            return wrong(p, "%s is not for %s; see agent-relayctl %s --help", rows[i].flag, c->name, c->name);
    return 0;
}

static int check_operands(struct parse *p)
{
    const struct ctl_command *c = p->args->command;
    if (p->args->operand_count < c->operands_min)
        return wrong(p, "%s needs more: agent-relayctl %s %s", c->name, c->name, c->operands);
    if (p->args->operand_count > c->operands_max)
        return wrong(p, "'%.80s' is too much: agent-relayctl %s%s%s", p->args->operands[c->operands_max],
                     c->name, c->operands[0] ? " " : "", c->operands);
    return 0;
}

static int name_command(struct parse *p, const char *name)
{
    p->args->command = ctl_command_find(name);
    if (p->args->command)
        return 0;
    const struct ctl_command *like = ctl_command_like(name);
    if (like)
        return wrong(p, "there is no command '%.40s'; is %s meant?", name, like->name);
    return wrong(p, "there is no command '%.40s'; see agent-relayctl --help", name);
}

int ctl_args_parse(int argc, char **argv, struct ctl_args *ret_args, char *problem, size_t problem_size)
{
    struct ctl_args args = {.policy = AR_FAIL_FAST, .count = 5, .interval_ms = 200};
    struct parse p = {.args = &args, .problem = problem, .problem_size = problem_size};
    size_t operands = 0;
    int rc = argc < 1 ? 0 : read_all(&p, argc - 1, argv + 1, &operands);
    if (rc == 0 && operands > 0)
        rc = name_command(&p, argv[1]);
    if (rc != 0)
        return rc;
    args.operands = operands > 0 ? argv + 2 : NULL;
    args.operand_count = operands > 0 ? operands - 1 : 0;
    bool only_shown = ctl_given(&args, CTL_FLAG_HELP) || ctl_given(&args, CTL_FLAG_VERSION);
    if (!only_shown && !args.command)
        return wrong(&p, "which command? see agent-relayctl --help");
    if (!only_shown)
        rc = check_flags(&p);
    if (!only_shown && rc == 0)
        rc = check_operands(&p);
    if (rc == 0)
        *ret_args = args;
    return rc;
}

bool ctl_args_want_json(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], rows[CTL_FLAG_JSON].flag) == 0)
            return true;
    return false;
}
