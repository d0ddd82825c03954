MODULES    += server
server_SRC := $(addprefix relay/server/,server.c server_apply.c server_info.c supervisor.c supervisor_end.c backoff.c child.c \
                child_spawn.c child_io.c child_stop.c child_env.c stderr_ring.c keeper_path.c reaper.c proc.c)

PROGRAMS               += agent-relay-keeper
agent-relay-keeper_SRC := relay/server/keeper.c relay/server/proc.c

# A child that leaves process trees behind.
TEST_PROGRAMS += forker
forker_SRC    := tests/faults/forker.c

# The router is a fake of its own: route is not linked. Fixture and server call each other.
TEST_FOLDERS       += server
server_TEST_LIBS   := fixture/common server fixture/server config log io wire base
server_TEST_LDLIBS := $(uv_libs) -lpthread
$(call unit_programs,server): | $(BIN)/agent-relay-keeper $(TESTBIN)/forker
