/* The table of commands. All texts about a command are here; the tests compare the manual page and the
 * completion with it.
 */
#include "backend-client/cli/commands.h"

#include <string.h>

#include "backend-client/cli/args.h"
#include "base/names.h"

#define LIST_TIMEOUT_MS 5000
#define CALL_TIMEOUT_MS 30000

#define JSON_FLAG (CTL_FLAG_BIT(JSON))

static const struct ctl_command commands[] = {
    {.verb = CTL_STATUS,
     .name = "status",
     .operands = "",
     .summary = "Does the relay answer, and does the server behind it?",
     .details =
         "Exits 0 only when both do: it is meant for health checks. Asking makes the relay start a server\n"
         "that nobody has asked for yet, and waits for it up to --timeout; then the server itself is asked\n"
         "for its tools: one that has stopped answering is found so (3). With --no-start it only looks,\n"
         "and says \"up\": a server that has not been started yet is no fault then, one that keeps failing is.\n",
     .example = "agent-relayctl status --relay relay:9500 --timeout 2000\n"
                "exits 0 when agents can be had there, 3 or 4 when not",
     .flags = JSON_FLAG | CTL_FLAG_BIT(NO_START),
     .timeout_ms = LIST_TIMEOUT_MS},
    {.verb = CTL_PING,
     .name = "ping",
     .operands = "",
     .summary = "Measures round trips to the relay",
     .details =
         "Each is one relay/ping over the same connection; no server takes part in it. --timeout is for\n"
         "the connection, and for each round trip. Exits 3 when some were lost.\n",
     .example = "agent-relayctl ping -n 100 -i 10\n"
                "says how many came back, and the shortest, median, 99th percentile and longest",
     .flags = JSON_FLAG | CTL_FLAG_BIT(COUNT) | CTL_FLAG_BIT(INTERVAL),
     .timeout_ms = LIST_TIMEOUT_MS},
    {.verb = CTL_CALL,
     .name = "call",
     .operands = "METHOD [JSON | - | @FILE]",
     .summary = "Makes one JSON-RPC request and prints its result",
     .details =
         "JSON is the request's params, an object or an array; - reads it from standard input, @FILE from\n"
         "a file. Methods that begin with relay/ are answered by the relay itself.\n"
         "--json prints the result as it came, in one line.\n",
     .example = "agent-relayctl call agents/list '{\"status\":\"active\"}'\n"
                "asks the server for its active agents",
     .flags = JSON_FLAG | CTL_FLAG_BIT(POLICY),
     .operands_min = 1,
     .operands_max = 2,
     .timeout_ms = CALL_TIMEOUT_MS},
    {.verb = CTL_TOOLS,
     .name = "tools",
     .operands = "[NAME]",
     .summary = "Lists the server's tools",
     .details =
         "Arguments that a tool cannot do without are marked with *. With a name, only that tool; --names then\n"
         "prints the names of its arguments. Exits 1 when there is no such tool.\n",
     .example = "agent-relayctl tools --names\n"
                "prints one name a line, for scripts",
     .flags = JSON_FLAG | CTL_FLAG_BIT(NAMES),
     .operands_max = 1,
     .timeout_ms = LIST_TIMEOUT_MS},
    {.verb = CTL_TOOL,
     .name = "tool",
     .operands = "NAME [JSON | - | @FILE | KEY=VALUE... | KEY:=JSON...]",
     .summary = "Calls a tool and prints its result",
     .details =
         "The arguments are one JSON object (inline, - for standard input, @FILE for a file), or pairs:\n"
         "KEY=VALUE gives what the tool's schema asks for (a text, a number, true, false, a list, an object),\n"
         "KEY:=JSON any value. An unknown or missing argument is named before the tool is called.\n"
         "Texts are printed as they are (on a terminal, control characters are shown as \\x1b).\n"
         "--json prints the raw result in one line. Exits 1 when the tool says that it failed.\n",
     .example = "agent-relayctl tool agent_spawn type=coder 'capabilities:=[\"c\",\"sql\"]'\n"
                "spawns an agent with two capabilities",
     .flags = JSON_FLAG | CTL_FLAG_BIT(POLICY),
     .operands_min = 1,
     .operands_max = CTL_OPERANDS_ANY,
     .timeout_ms = CALL_TIMEOUT_MS},
    {.verb = CTL_AGENTS,
     .name = "agents",
     .operands = "",
     .summary = "Lists the agents",
     .details =
         "The first line says where they come from: live, stale (the last live ones) or mock (made up).\n"
         "--watch shows them again at each change, on a terminal as many as fit; --policy mock shows mock\n"
         "agents, marked and with exit code 3, when the relay does not answer.\n",
     .example = "agent-relayctl agents --watch\n"
                "draws the table again at every change, until Ctrl-C",
     .flags = JSON_FLAG | CTL_FLAG_BIT(WATCH) | CTL_FLAG_BIT(POLICY),
     .timeout_ms = LIST_TIMEOUT_MS},
    {.verb = CTL_SERVERS,
     .name = "servers",
     .operands = "[NAME...]",
     .summary = "Lists the relay's servers: state, process, load",
     .details = "With names, only those. Exits 1 when the relay has no server of such a name.\n",
     .example = "agent-relayctl servers --json\n"
                "prints what the relay knows of each server",
     .flags = JSON_FLAG | CTL_FLAG_BIT(NAMES),
     .operands_max = CTL_OPERANDS_ANY,
     .timeout_ms = LIST_TIMEOUT_MS},
    {.verb = CTL_WATCH,
     .name = "watch",
     .operands = "",
     .summary = "Shows changes of state and notifications as they come",
     .details =
         "Begins when the relay has answered or could not be reached, at the latest after --timeout, and\n"
         "goes on through outages until it is interrupted. --json prints one document a line.\n",
     .example = "agent-relayctl watch --json | jq -r 'select(.event==\"state\").state'\n"
                "follows the states alone",
     .flags = JSON_FLAG,
     .timeout_ms = LIST_TIMEOUT_MS},
    {.verb = CTL_HELP,
     .name = "help",
     .operands = "[COMMAND]",
     .summary = "Explains a command, or lists them",
     .details = "",
     .example = "agent-relayctl help tool\n"
                "is the same as agent-relayctl tool --help",
     .operands_max = 1},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct ctl_command *ctl_command_at(size_t index)
{
    return index < COMMAND_COUNT ? &commands[index] : NULL;
}

const struct ctl_command *ctl_command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const struct ctl_command *ctl_command_like(const char *name)
{
    const char *names[COMMAND_COUNT + 1] = {NULL};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *near = nearest_name(name, names);
    return near ? ctl_command_find(near) : NULL;
}
