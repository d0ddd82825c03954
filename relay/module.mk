PROGRAMS += agent-relay
agent-relay_SRC    := relay/main.c relay/relay.c relay/reload.c relay/shutdown.c relay/signals.c
agent-relay_LIBS   := seed ops front session server mcp route config log io wire program base
agent-relay_LDLIBS := $(uv_libs) -lpthread
