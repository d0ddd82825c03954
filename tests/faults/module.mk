NODE_TESTS += tests/faults/links.test.mjs tests/faults/standstill.test.mjs tests/faults/crowd_returns.test.mjs

# The client library under eight threads while its relay comes and goes; the long run is by hand.
TEST_PROGRAMS += client_storm
client_storm_SRC    := tests/faults/client_storm.c tests/unit/backend-client/link/peer_fixture.c
client_storm_LIBS   := agentrelay mock_mcp mock wire base
client_storm_LDLIBS := $(uv_libs) -lm -lpthread
NODE_TESTS += tests/faults/client_storm.test.mjs

# How soon clients are live again after an outage: a short form, and with RETURN_LONG=1 (make test-return) the long one.
TEST_PROGRAMS += client_return
client_return_SRC    := tests/faults/client_return.c
client_return_LIBS   := agentrelay mock_mcp mock wire base
client_return_LDLIBS := $(uv_libs) -lm -lpthread
NODE_TESTS += tests/faults/return.test.mjs

# Clients, processes and configurations that misbehave all at once, with an oracle; CHAOS_SECONDS=600 for the long form.
TEST_PROGRAMS += chaos_child
chaos_child_SRC := tests/faults/chaos_child.c
NODE_TESTS += tests/faults/chaos.test.mjs
