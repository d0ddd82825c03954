/* The command line. One walk over argv: flags are read where they stand, everything else is an operand; the
 * first operand is the command. What a command does not take is refused by name, so that a flag is never
 * ignored in silence.
 */
#include "backend-client/cli/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend-client/cli/commands.h"

#define COUNT_MAX 1000000
#define MS_MAX    86400000 /* a day */
#define EVERY_FLAGS                                                                                          \
    (CTL_FLAG_BIT(RELAY) | CTL_FLAG_BIT(TIMEOUT) | CTL_FLAG_BIT(COLOR) | CTL_FLAG_BIT(HELP) |                \
     CTL_FLAG_BIT(VERSION))

static const struct ctl_flag_info flags[] = {
#define X(member, name_, help_, value_)                                                                      \
    [CTL_FLAG_##member] = {.name = (name_), .help = (help_), .value = (value_)},
    CTL_FLAGS(X)
#undef X
};

static const struct {
    char letter;
    enum ctl_flag flag;
} letters[] = {{'n', CTL_FLAG_COUNT}, {'i', CTL_FLAG_INTERVAL}, {'w', CTL_FLAG_WATCH}, {'h', CTL_FLAG_HELP}};

#define LETTER_COUNT (sizeof(letters) / sizeof(letters[0]))

const struct ctl_flag_info *ctl_flag_info(enum ctl_flag flag)
{
    static struct ctl_flag_info info; /* one thread asks */
    info = flags[flag];
    for (size_t i = 0; i < LETTER_COUNT; i++)
        if (letters[i].flag == flag)
            info.letter = letters[i].letter;
    return &info;
}

/* ---- what is being read ---- */

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

static int read_number(struct parse *p, enum ctl_flag flag, const char *text, uint32_t min, uint32_t max,
                       uint32_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min || value > max)
        return wrong(p, "%s %s: a whole number from %u to %u is needed", flags[flag].name, text, min, max);
    *ret = (uint32_t)value;
    return 0;
}

static int read_word(struct parse *p, enum ctl_flag flag, const char *text, const char *const words[3],
                     int *ret_index)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return wrong(p, "%s %s: write %s, %s or %s", flags[flag].name, text, words[0], words[1], words[2]);
}

static int read_policy(struct parse *p, const char *text)
{
    static const char *const words[3] = {"fail", "wait", "mock"};
    static const enum ar_policy policies[3] = {AR_FAIL_FAST, AR_WAIT, AR_MOCK};
    int index = 0;
    int rc = read_word(p, CTL_FLAG_POLICY, text, words, &index);
    if (rc == 0)
        p->args->policy = policies[index];
    return rc;
}

static int read_color(struct parse *p, const char *text)
{
    static const char *const words[3] = {"auto", "always", "never"};
    int index = 0;
    int rc = read_word(p, CTL_FLAG_COLOR, text, words, &index);
    if (rc == 0)
        p->args->color = (enum ctl_color)index;
    return rc;
}

static int take_value(struct parse *p, enum ctl_flag flag, const char *text)
{
    struct ctl_args *a = p->args;
    switch (flag) {
    case CTL_FLAG_RELAY:
        a->relay = text;
        return text[0] ? 0 : wrong(p, "--relay is empty: write host:port or unix:PATH");
    case CTL_FLAG_TIMEOUT:
        return read_number(p, flag, text, 1, MS_MAX, &a->timeout_ms);
    case CTL_FLAG_COUNT:
        return read_number(p, flag, text, 1, COUNT_MAX, &a->count);
    case CTL_FLAG_INTERVAL:
        return read_number(p, flag, text, 0, MS_MAX, &a->interval_ms);
    case CTL_FLAG_POLICY:
        return read_policy(p, text);
    case CTL_FLAG_COLOR:
        return read_color(p, text);
    default:
        return 0; /* takes no value */
    }
}

/* ---- one argument ---- */

/* CTL_FLAG_COUNT_: no such flag. */
static enum ctl_flag find_long(const char *arg, size_t len)
{
    for (int i = 0; i < CTL_FLAG_COUNT_; i++)
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, arg, len) == 0)
            return (enum ctl_flag)i;
    return CTL_FLAG_COUNT_;
}

static enum ctl_flag find_letter(char letter)
{
    for (size_t i = 0; i < LETTER_COUNT; i++)
        if (letters[i].letter == letter)
            return letters[i].flag;
    return CTL_FLAG_COUNT_;
}

/* Reads the flag at argv[i]; *ret_used is how many arguments it took. */
static int read_flag(struct parse *p, char **argv, int i, int argc, int *ret_used)
{
    const char *arg = argv[i];
    bool is_long = arg[1] == '-';
    size_t len = is_long ? strcspn(arg, "=") : 2;
    enum ctl_flag flag = is_long ? find_long(arg, len) : find_letter(arg[1]);
    if (flag == CTL_FLAG_COUNT_)
        return wrong(
            p,
            "there is no flag %.*s; see agent-relayctl --help, or write -- before an operand that begins with -",
            (int)(len < 60 ? len : 60), arg);
    const char *value = arg[len] == '=' ? arg + len + 1 : (!is_long && arg[2] ? arg + 2 : NULL);
    *ret_used = 1;
    p->args->given |= 1U << flag;
    if (!flags[flag].value)
        return value ? wrong(p, "%s takes no value", flags[flag].name) : 0;
    if (!value && i + 1 < argc) {
        value = argv[i + 1];
        *ret_used = 2;
    }
    if (!value)
        return wrong(p, "%s needs a value: %s %s", flags[flag].name, flags[flag].name, flags[flag].value);
    return take_value(p, flag, value);
}

/* Reads the flags and moves the operands to the front of argv. */
static int read_all(struct parse *p, int argc, char **argv, size_t *ret_operands)
{
    size_t kept = 0;
    bool flags_end = false;
    for (int i = 0; i < argc;) {
        int used = 1;
        if (!flags_end && strcmp(argv[i], "--") == 0) {
            flags_end = true;
        } else if (!flags_end && argv[i][0] == '-' && argv[i][1] != '\0') {
            int rc = read_flag(p, argv, i, argc, &used);
            if (rc != 0)
                return rc;
        } else {
            argv[kept++] = argv[i];
        }
        i += used;
    }
    *ret_operands = kept;
    return 0;
}

/* ---- the whole ---- */

static int check_flags(struct parse *p)
{
    const struct ctl_command *c = p->args->command;
    unsigned unknown = p->args->given & ~(EVERY_FLAGS | c->flags);
    for (int i = 0; i < CTL_FLAG_COUNT_; i++)
        if (unknown & (1U << i))
            return wrong(p, "%s is not for %s; see agent-relayctl %s --help", flags[i].name, c->name,
                         c->name);
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
    bool only_told = ctl_given(&args, CTL_FLAG_HELP) || ctl_given(&args, CTL_FLAG_VERSION);
    if (!only_told && !args.command)
        return wrong(&p, "which command? see agent-relayctl --help");
    if (!only_told)
        rc = check_flags(&p);
    if (!only_told && rc == 0)
        rc = check_operands(&p);
    if (rc == 0)
        *ret_args = args;
    return rc;
}

bool ctl_args_want_json(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], flags[CTL_FLAG_JSON].name) == 0)
            return true;
    return false;
}
