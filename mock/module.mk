MODULES  += mock
mock_SRC := mock/world.c mock/initial_agents.c mock/commands.c mock/motion.c mock/views.c mock/control_views.c mock/iso_time.c \
            $(OBJ)/mock/agents_json.c

# The default initial agents, made part of the library: bytes of agents.json as a C array. od and sed are POSIX.
$(OBJ)/mock/agents_json.c: mock/agents.json mock/module.mk
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q){ echo '/* Generated from mock/agents.json. */'; \
	  echo '#include "mock/world.h"'; \
	  echo 'const char mock_agents_json[] = {'; \
	  od -An -v -tx1 mock/agents.json | sed 's/  */ /g; s/ \(..\)/(char)0x\1,/g'; \
	  echo '};'; \
	  echo 'const size_t mock_agents_json_len = sizeof(mock_agents_json);'; } >$@

# The server is a library too, so that its tests, and the client library, can call it without a process. What moves its bytes
# over descriptors is apart: the client library has none of that.
MODULES     += mock_mcp mock_serve
mock_serve_SRC := mock/mcp_serve.c
mock_mcp_SRC := mock/mcp_methods.c mock/mcp_tools.c mock/mcp_control.c mock/mcp_resources.c \
                mock/mcp_slow.c mock/mcp_reply.c mock/mcp_args.c

PROGRAMS        += agent-mock
agent-mock_SRC  := mock/main.c
agent-mock_LIBS := mock_serve mock_mcp mock wire program base

TEST_FOLDERS     += mock
mock_TEST_LIBS   := fixture/common mock_serve mock_mcp mock wire base
mock_TEST_LDLIBS := -lpthread
# It runs the program, which therefore has to be there first.
$(TESTBIN)/unit/mock/test_program: | $(BIN)/agent-mock
