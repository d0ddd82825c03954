MODULES   += route
route_SRC := $(addprefix relay/route/,router.c server.c session.c upstream.c upstream_frames.c session_frames.c requests.c calls.c \
               deadline.c scheduler.c replies.c outbox.c splice.c block_pool.c outage.c views.c handshake.c initialize.c \
               log_levels.c subscriptions.c tasks.c server_requests.c elicitations.c)

TEST_FOLDERS    += route
route_TEST_LIBS := fixture/common route wire base

FUZZERS          += fuzz_router
fuzz_router_SRC  := tests/fuzz/fuzz_router.c
fuzz_router_LIBS := route wire base
