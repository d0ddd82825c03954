# agent-relayctl: the client tool. What is pure in it is a module of its own, so that its tests need no program.
MODULES     += relayctl
relayctl_SRC := backend-client/cli/args.c backend-client/cli/commands.c backend-client/cli/help.c \
                backend-client/cli/json_text.c backend-client/cli/json_advice.c backend-client/cli/params.c \
                backend-client/cli/arguments.c \
                backend-client/cli/width.c backend-client/cli/table.c \
                backend-client/cli/exit_code.c backend-client/cli/outage_text.c backend-client/cli/ping_stats.c backend-client/cli/progress.c \
                backend-client/cli/content.c backend-client/cli/units.c \
                backend-client/cli/status_view.c

PROGRAMS              += agent-relayctl
agent-relayctl_SRC    := backend-client/cli/main.c backend-client/cli/ctl.c backend-client/cli/ctl_call.c backend-client/cli/ctl_report.c \
                         backend-client/cli/term.c backend-client/cli/direct_status.c \
                         backend-client/cli/cmd_status.c backend-client/cli/cmd_ping.c backend-client/cli/cmd_call.c \
                         backend-client/cli/cmd_tools.c backend-client/cli/cmd_agents.c \
                         backend-client/cli/agents_view.c \
                         backend-client/cli/cmd_servers.c backend-client/cli/cmd_watch.c
agent-relayctl_LIBS   := relayctl agentrelay mock_mcp mock wire program base
agent-relayctl_LDLIBS := $(uv_libs) -lm -lpthread

TEST_FOLDERS                 += backend-client/cli
backend-client/cli_TEST_LIBS := relayctl fixture/common wire base

NODE_TESTS += tests/integration/relayctl.test.mjs tests/integration/relayctl_views.test.mjs \
              tests/integration/relayctl_shell.test.mjs tests/integration/relayctl_arguments.test.mjs
