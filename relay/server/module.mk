MODULES    += server
server_SRC := $(addprefix relay/server/,server.c server_apply.c server_info.c supervisor.c supervisor_requests.c supervisor_events.c cause.c backoff.c server_peers.c drivers.c) \
              $(addprefix relay/server/process/,process_driver.c child.c child_spawn.c child_io.c child_stop.c child_env.c stderr_ring.c \
                keeper_path.c reaper.c proc.c)

PROGRAMS               += agent-relay-keeper
agent-relay-keeper_SRC := relay/server/process/keeper.c relay/server/process/proc.c

# A child that leaves process trees behind.
TEST_PROGRAMS += forker
forker_SRC    := tests/faults/forker.c

# The router is a fake of its own: route is not linked. Fixture and server call each other.
TEST_FOLDERS               += server server/process
server_TEST_LIBS           := fixture/server/process fixture/common server fixture/server config log io wire base
server_TEST_LDLIBS         := $(uv_libs) -lpthread
server/process_TEST_LIBS   := fixture/common server config log io wire base
server/process_TEST_LDLIBS := $(uv_libs) -lpthread
$(call unit_programs,server) $(call unit_programs,server/process): | $(BIN)/agent-relay-keeper $(TESTBIN)/forker
