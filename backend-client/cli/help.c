/* Help, made from the tables of flags, commands and exit codes: what is not in a table is in no help either.
 */
#include "backend-client/cli/help.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/args.h"
#include "backend-client/cli/exit_code.h"

#define LINE_BYTES 600

struct help {
    struct buf *out;
    int error;
};

__attribute__((format(printf, 2, 3))) static void line(struct help *h, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (h->error == 0 && len > 0)
        h->error = buf_append(h->out, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

/* Longer than a line may be. */
static void lines(struct help *h, const char *text)
{
    if (h->error == 0)
        h->error = buf_append(h->out, text, strlen(text));
}

static void flag_lines(struct help *h, unsigned flags)
{
    static const struct option_layout layout = {.usage_width = 20};
    for (int i = 0; i < CTL_FLAG_COUNT_; i++)
        if ((flags & (1U << i)) && h->error == 0)
            h->error = option_help(ctl_flag((enum ctl_flag)i), &layout, h->out);
}

static void exit_lines(struct help *h)
{
    line(h, "\nExit codes:\n");
#define X(name, number, meaning) line(h, "  %3d  %s\n", number, meaning);
    CTL_EXITS(X)
#undef X
}

static void overview(struct help *h)
{
    const struct ctl_command *c;
    line(h, "agent-relayctl " AGENT_RELAY_VERSION ": ask an Agent Relay, and the agents behind it\n\n"
            "  agent-relayctl [FLAGS] COMMAND [OPERANDS]\n\nCommands:\n");
    for (size_t i = 0; (c = ctl_command_at(i)); i++)
        line(h, "  %-8s %s\n", c->name, c->summary);
    line(h, "\nFlags of every command:\n");
    flag_lines(h, CTL_EVERY_FLAG);
    line(h, "\nThe relay is at --relay, else at AGENT_CONTROL_URL, else at 127.0.0.1:9500.\n");
    exit_lines(h);
    line(h, "\nExample:\n  agent-relayctl status && agent-relayctl tool echo message=hello\n"
            "agent-relayctl help COMMAND explains each command, with its own flags and an example.\n");
}

static void about_command(struct help *h, const struct ctl_command *c)
{
    line(h, "agent-relayctl %s: %s\n\n  agent-relayctl [FLAGS] %s%s%s\n", c->name, c->summary, c->name,
         c->operands[0] ? " " : "", c->operands);
    if (c->details[0]) {
        line(h, "\n");
        lines(h, c->details);
    }
    if (c->flags != 0)
        line(h, "\nIts flags:\n");
    flag_lines(h, c->flags);
    line(h, "\nFlags of every command:\n");
    flag_lines(h, CTL_EVERY_FLAG);
    exit_lines(h);
    line(h, "\nExample:\n  ");
    lines(h, c->example);
    line(h, "\n");
}

int help_write(struct buf *out, const struct ctl_command *command)
{
    struct help h = {.out = out};
    if (command)
        about_command(&h, command);
    else
        overview(&h);
    return h.error;
}
