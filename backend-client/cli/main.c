/* agent-relayctl: the command line, then one command.
 *
 * Exit codes: exit_code.h. Errors are printed on standard error as "agent-relayctl: ...".
 */
#include "base/program.h"
#include "backend-client/cli/commands.h"
#include "backend-client/cli/ctl.h"
#include "backend-client/cli/help.h"

static enum ctl_exit (*const runs[])(struct ctl *ctl) = {
    [CTL_STATUS] = cmd_status,   [CTL_PING] = cmd_ping,   [CTL_CALL] = cmd_call,
    [CTL_TOOLS] = cmd_tools,     [CTL_TOOL] = cmd_tool,   [CTL_AGENTS] = cmd_agents,
    [CTL_SERVERS] = cmd_servers, [CTL_WATCH] = cmd_watch,
};

/* ---- help ---- */

static enum ctl_exit write_text(struct ctl *ctl, int rc)
{
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    return ctl_flush(ctl) || !ctl->term.broken ? CTL_EXIT_OK : CTL_EXIT_ERROR;
}

static enum ctl_exit show_version(struct ctl *ctl)
{
    static const char text[] = "agent-relayctl " AGENT_RELAY_VERSION "\n";
    return write_text(ctl, buf_append(&ctl->out, text, sizeof(text) - 1));
}

static enum ctl_exit show_help_of(struct ctl *ctl, const char *name)
{
    const struct ctl_command *c = ctl_command_find(name);
    if (!c) {
        term_say(&ctl->term, "there is no command '%.40s'; see agent-relayctl --help", name);
        return CTL_EXIT_USAGE;
    }
    return write_text(ctl, help_write(&ctl->out, c));
}

static enum ctl_exit run(struct ctl *ctl)
{
    const struct ctl_args *args = ctl->args;
    if (ctl_given(args, CTL_FLAG_VERSION))
        return show_version(ctl);
    if (ctl_given(args, CTL_FLAG_HELP))
        return write_text(ctl, help_write(&ctl->out, args->command));
    if (args->command->verb == CTL_HELP)
        return args->operand_count > 0 ? show_help_of(ctl, args->operands[0])
                                       : write_text(ctl, help_write(&ctl->out, NULL));
    ctl->timeout_ms = args->timeout_ms > 0 ? args->timeout_ms : args->command->timeout_ms;
    return runs[args->command->verb](ctl);
}

int main(int argc, char **argv)
{
    struct ctl_args args = {.color = CTL_COLOR_AUTO};
    char problem[CTL_PROBLEM_SIZE];
    struct ctl ctl;
    if (program_begin(NULL) != 0)
        return CTL_EXIT_ERROR;
    bool json = ctl_args_want_json(argc, argv);
    int rc = ctl_args_parse(argc, argv, &args, problem, sizeof(problem));
    if (rc != 0 && json)
        args.given = CTL_FLAG_BIT(JSON);
    ctl_init(&ctl, &args);
    enum ctl_exit code = rc != 0 ? ctl_refuse(&ctl, CTL_EXIT_USAGE, CTL_USAGE, problem) : run(&ctl);
    return (int)ctl_done(&ctl, code);
}
