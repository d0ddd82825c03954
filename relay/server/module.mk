MODULES    += server
server_SRC := relay/server/server.c relay/server/server_apply.c relay/server/server_info.c relay/server/supervisor.c \
              relay/server/supervisor_end.c relay/server/backoff.c relay/server/child.c relay/server/child_spawn.c \
              relay/server/child_io.c relay/server/child_stop.c relay/server/child_env.c relay/server/stderr_ring.c \
              relay/server/keeper_path.c relay/server/reaper.c relay/server/proc.c

PROGRAMS               += agent-relay-keeper
agent-relay-keeper_SRC := relay/server/keeper.c relay/server/proc.c

# What the tests of this folder share.
MODULES       += serverkit
serverkit_SRC := tests/unit/server_kit.c tests/unit/server_fixture.c tests/unit/fake_lane.c

# A child that leaves process trees behind.
TEST_PROGRAMS += forker
forker_SRC    := tests/faults/forker.c

UNIT_TESTS            += test_backoff test_stderr_ring test_child_env test_keeper test_supervisor \
                         test_server_set test_server_reload test_child
test_backoff_SRC      := tests/unit/test_backoff.c
test_backoff_LIBS     := server base
test_stderr_ring_SRC  := tests/unit/test_stderr_ring.c
test_stderr_ring_LIBS := testkit server base
test_child_env_SRC    := tests/unit/test_child_env.c
test_child_env_LIBS   := testkit server base
test_keeper_SRC       := tests/unit/test_keeper.c
test_keeper_LIBS      := serverkit server core base
test_keeper_LDLIBS    := $(uv_libs)
test_supervisor_SRC    := tests/unit/test_supervisor.c
test_supervisor_LIBS   := serverkit server serverkit core wire base
test_supervisor_LDLIBS := $(uv_libs)
test_server_set_SRC    := tests/unit/test_server_set.c
test_server_set_LIBS   := testkit serverkit server serverkit core wire base
test_server_set_LDLIBS := $(uv_libs)
test_server_reload_SRC    := tests/unit/test_server_reload.c
test_server_reload_LIBS   := serverkit server serverkit core wire base
test_server_reload_LDLIBS := $(uv_libs)
test_child_SRC         := tests/unit/test_child.c
test_child_LIBS        := serverkit server core wire base
test_child_LDLIBS      := $(uv_libs)

# They start these.
$(TESTBIN)/test_child: | $(BIN)/agent-relay-keeper
$(TESTBIN)/test_server_reload: | $(BIN)/agent-relay-keeper
$(TESTBIN)/test_keeper $(TESTBIN)/test_supervisor $(TESTBIN)/test_server_set: | $(BIN)/agent-relay-keeper $(TESTBIN)/forker
