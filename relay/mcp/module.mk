MODULES += mcp
mcp_SRC := $(addprefix relay/mcp/,mcp.c methods.c strays.c client_messages.c client_methods.c upstream_messages.c upstream_methods.c \
             admission.c initialize.c handshake.c subscriptions.c tasks.c server_requests.c log_levels.c elicitations.c)

FUZZERS          += fuzz_router
fuzz_router_SRC  := tests/fuzz/fuzz_router.c
fuzz_router_LIBS := mcp route wire base

TEST_FOLDERS  += mcp
mcp_TEST_LIBS := fixture/route fixture/common mcp route wire base
