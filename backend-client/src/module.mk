# Sources of the library beside those named in backend-client/module.mk, and its unit tests. A test of a pure file lists the
# files that it needs, so that it builds whatever the state of the rest.
agentrelay_SRC += backend-client/src/fault_rpc.c backend-client/src/sentence.c

# ---- address, back-off, ladder, faults, names
UNIT_TESTS += test_client_address test_client_reconnect test_client_ladder test_client_fault test_client_fault_rpc \
              test_client_fault_hostile test_client_sentence test_client_names
test_client_address_SRC    := tests/unit/test_client_address.c tests/unit/client_fault_kit.c backend-client/src/address.c \
                              backend-client/src/sentence.c
test_client_address_LIBS   := wire base
test_client_reconnect_SRC  := tests/unit/test_client_reconnect.c backend-client/src/reconnect.c
test_client_ladder_SRC     := tests/unit/test_client_ladder.c backend-client/src/ladder.c
fault_files := tests/unit/client_fault_kit.c backend-client/src/fault.c backend-client/src/fault_rpc.c \
               backend-client/src/sentence.c
test_client_fault_SRC      := tests/unit/test_client_fault.c $(fault_files)
test_client_fault_LIBS     := wire base
test_client_fault_LDLIBS   := $(uv_libs)
test_client_fault_rpc_SRC  := tests/unit/test_client_fault_rpc.c $(fault_files)
test_client_fault_rpc_LIBS := wire base
test_client_fault_hostile_SRC  := tests/unit/test_client_fault_hostile.c $(fault_files)
test_client_fault_hostile_LIBS := testkit wire base
test_client_sentence_SRC   := tests/unit/test_client_sentence.c tests/unit/client_fault_kit.c backend-client/src/sentence.c
test_client_sentence_LIBS  := wire base
test_client_names_SRC      := tests/unit/test_client_names.c backend-client/src/names.c

# ---- snapshots, the normaliser, the mock view
agentrelay_SRC += backend-client/src/snapshot_build.c backend-client/src/snapshot_set.c backend-client/src/normalise_agent.c \
                  backend-client/src/normalise_rules.c backend-client/src/normalise_value.c
snapshot_files  := backend-client/src/snapshot.c backend-client/src/snapshot_build.c backend-client/src/snapshot_set.c
normalise_files := $(snapshot_files) backend-client/src/normalise.c backend-client/src/normalise_agent.c \
                   backend-client/src/normalise_rules.c backend-client/src/normalise_value.c backend-client/src/sentence.c
agents_kit      := tests/unit/client_agents_kit.c

UNIT_TESTS += test_client_sets test_client_snapshot test_client_normalise test_client_normalise_values \
              test_client_normalise_hostile test_client_mock_view test_client_mock_view_faults
test_client_sets_SRC              := tests/unit/test_client_sets.c $(agents_kit) $(normalise_files)
test_client_sets_LIBS             := mock wire base
test_client_snapshot_SRC          := tests/unit/test_client_snapshot.c $(agents_kit) $(normalise_files)
test_client_snapshot_LIBS         := testkit mock wire base
test_client_snapshot_LDLIBS       := -lpthread
test_client_normalise_SRC         := tests/unit/test_client_normalise.c $(agents_kit) $(normalise_files)
test_client_normalise_LIBS        := mock_mcp mock wire base
test_client_normalise_values_SRC  := tests/unit/test_client_normalise_values.c $(agents_kit) $(normalise_files)
test_client_normalise_values_LIBS := mock wire base
test_client_normalise_hostile_SRC  := tests/unit/test_client_normalise_hostile.c $(agents_kit) $(normalise_files)
test_client_normalise_hostile_LIBS := testkit mock wire base
mock_view_files                   := backend-client/src/mock_view.c tests/unit/client_mock_kit.c $(agents_kit) $(normalise_files)
test_client_mock_view_SRC         := tests/unit/test_client_mock_view.c $(mock_view_files)
test_client_mock_view_LIBS        := mock_mcp mock wire base
test_client_mock_view_faults_SRC  := tests/unit/test_client_mock_view_faults.c $(mock_view_files)
test_client_mock_view_faults_LIBS := testkit mock_mcp mock wire base

FUZZERS += fuzz_normalise
fuzz_normalise_SRC  := tests/fuzz/fuzz_normalise.c $(normalise_files)
fuzz_normalise_LIBS := mock wire base

# ---- the shell: sockets, thread, inbox, probe
agentrelay_SRC += backend-client/src/link_open.c backend-client/src/client_turn.c backend-client/src/client_calls.c \
                  backend-client/src/client_view.c backend-client/src/probe_url.c backend-client/src/pipe_guard.c

# ---- the engine, against its contract: a virtual clock, a scripted peer
MODULES       += enginekit
enginekit_SRC := tests/unit/engine_kit.c tests/unit/engine_kit_ops.c tests/unit/engine_kit_calls.c \
                 tests/unit/engine_kit_peer.c tests/unit/engine_talk.c
engine_tests  := test_engine_start test_engine_ladder test_engine_server test_engine_agents test_engine_life \
                 test_engine_calls test_engine_queue test_engine_ends test_engine_hostile test_engine_garbage \
                 test_engine_cuts test_engine_slow test_engine_memory test_engine_model test_engine_bounds
UNIT_TESTS    += $(engine_tests)
FUZZERS       += fuzz_engine
$(foreach t,$(engine_tests),$(eval $(t)_SRC := tests/unit/$(t).c))
fuzz_engine_SRC := tests/fuzz/fuzz_engine.c
$(foreach t,$(engine_tests) fuzz_engine,$(eval $(t)_LIBS := enginekit testkit agentrelay mock_mcp mock wire base))
$(foreach t,$(engine_tests) fuzz_engine,$(eval $(t)_LDLIBS := $$(uv_libs) -lm))

# ---- the shell's tests: a real loop, a relay of plain sockets (peer_kit), a client both on its own thread and on a loop
MODULES       += clientkit
clientkit_SRC := tests/unit/client_kit.c tests/unit/peer_kit.c tests/unit/link_kit.c
client_tests  := test_client_inbox test_client_options test_client_link test_client_link_inside test_client_probe \
                 test_client_client test_client_close test_client_failures test_client_hostile test_client_threads
UNIT_TESTS    += $(client_tests)
$(foreach t,$(client_tests),$(eval $(t)_SRC := tests/unit/$(t).c))
$(foreach t,$(client_tests),$(eval $(t)_LIBS := clientkit testkit agentrelay mock_mcp mock wire base))
$(foreach t,$(client_tests),$(eval $(t)_LDLIBS := $$(uv_libs) -lm -lpthread))

# ---- calls
UNIT_TESTS += test_client_call test_client_call_lines
call_files                  := tests/unit/client_call_kit.c backend-client/src/call.c
test_client_call_SRC        := tests/unit/test_client_call.c $(call_files)
test_client_call_LIBS       := testkit wire base
test_client_call_lines_SRC  := tests/unit/test_client_call_lines.c $(call_files)
test_client_call_lines_LIBS := testkit wire base
