# libagentrelay. The archive of this module is for unit tests and our own programs; what users get is made by the Makefile's
# rules for build/lib from the same sources.
MODULES         += agentrelay
agentrelay_LIBS := mock_mcp mock wire base
agentrelay_SRC  := $(addprefix backend-client/src/, \
  api/client.c api/client_calls.c api/client_close.c api/client_loop.c api/client_view.c api/inbox.c api/options.c \
  engine/engine.c engine/engine_agents.c engine/engine_answers.c engine/engine_calls.c engine/engine_frames.c \
  engine/engine_health.c engine/engine_link.c engine/engine_second.c engine/engine_deadlines.c engine/engine_initialize.c engine/engine_requests.c \
  engine/engine_queue.c engine/engine_reply.c engine/engine_publish.c engine/call.c engine/reconnect.c engine/fallback.c \
  link/link.c link/link_open.c link/resolve.c link/address.c link/probe.c link/probe_url.c link/curl_api.c \
  link/pipe_guard.c \
  agents/snapshot.c agents/snapshot_build.c agents/snapshot_set.c agents/normalise.c agents/normalise_agent.c \
  agents/normalise_rules.c agents/normalise_value.c agents/mock_view.c agents/tools_page.c \
  errors/fault.c errors/fault_rpc.c errors/relay_error.c errors/reply_error.c errors/names.c)

# The tests of the engine drive it with a virtual clock and a scripted peer; those of link and api with a real loop and a relay
# of plain sockets (link/peer_fixture).
client_test_folders := $(addprefix backend-client/,api engine link agents errors)
TEST_FOLDERS        += $(client_test_folders)
client_test_libs    := $(addprefix fixture/,$(client_test_folders) common) agentrelay mock_mcp mock wire base
$(foreach f,$(client_test_folders),$(eval $(f)_TEST_LIBS := $(client_test_libs)))
$(foreach f,$(client_test_folders),$(eval $(f)_TEST_LDLIBS := $$(uv_libs) -lm -lpthread))

FUZZERS               += fuzz_normalise fuzz_engine
fuzz_normalise_SRC    := tests/fuzz/fuzz_normalise.c
fuzz_normalise_LIBS   := agentrelay mock_mcp mock wire base
fuzz_normalise_LDLIBS := $(uv_libs) -lm -lpthread
fuzz_engine_SRC       := tests/fuzz/fuzz_engine.c
fuzz_engine_LIBS      := $(addprefix fixture/,backend-client/engine common) agentrelay mock_mcp mock wire base
fuzz_engine_LDLIBS    := $(uv_libs) -lm -lpthread
