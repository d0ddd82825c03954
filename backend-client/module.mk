# libagentrelay. The archive of this module is for unit tests and our own programs; what users get is made by the Makefile's
# rules for build/lib from the same sources.
MODULES         += agentrelay
agentrelay_LIBS := mock_mcp mock wire base
agentrelay_SRC  := backend-client/src/address.c backend-client/src/reconnect.c backend-client/src/ladder.c \
                   backend-client/src/fault.c \
                   backend-client/src/snapshot.c backend-client/src/normalise.c backend-client/src/mock_view.c \
                   backend-client/src/call.c backend-client/src/engine.c backend-client/src/engine_agents.c \
                   backend-client/src/engine_answers.c backend-client/src/engine_calls.c \
                   backend-client/src/engine_frames.c backend-client/src/engine_health.c \
                   backend-client/src/engine_link.c backend-client/src/engine_owed.c backend-client/src/engine_open.c \
                   backend-client/src/engine_own.c backend-client/src/engine_queue.c \
                   backend-client/src/engine_reply.c backend-client/src/engine_show.c \
                   backend-client/src/link.c backend-client/src/resolve.c backend-client/src/probe.c backend-client/src/curl_api.c \
                   backend-client/src/client.c backend-client/src/inbox.c backend-client/src/options.c \
                   backend-client/src/names.c
