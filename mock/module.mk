MODULES  += mock
mock_SRC := mock/world.c mock/cast.c mock/commands.c mock/motion.c mock/views.c mock/control_views.c mock/iso_time.c \
            $(OBJ)/mock/agents_json.c

# The default cast, made part of the library: bytes of agents.json as a C array. od and sed are POSIX.
$(OBJ)/mock/agents_json.c: mock/agents.json mock/module.mk
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q){ echo '/* Generated from mock/agents.json. */'; \
	  echo '#include "mock/world.h"'; \
	  echo 'const char mock_agents_json[] = {'; \
	  od -An -v -tx1 mock/agents.json | sed 's/  */ /g; s/ \(..\)/(char)0x\1,/g'; \
	  echo '};'; \
	  echo 'const size_t mock_agents_json_len = sizeof mock_agents_json;'; } >$@

# The server is a library too, so that its tests, and the client library, can call it without a process. What moves its bytes
# over descriptors is apart: the client library has none of that.
MODULES     += mock_mcp mock_serve
mock_serve_SRC := mock/mcp_serve.c
mock_mcp_SRC := mock/mcp_methods.c mock/mcp_tools.c mock/mcp_control.c mock/mcp_resources.c \
                mock/mcp_slow.c mock/mcp_reply.c mock/mcp_args.c

PROGRAMS        += agent-mock
agent-mock_SRC  := mock/main.c
agent-mock_LIBS := mock_serve mock_mcp mock wire base

UNIT_TESTS              += test_mock test_mock_commands
test_mock_SRC           := tests/unit/test_mock.c tests/unit/world_kit.c
test_mock_LIBS          := mock wire base
test_mock_commands_SRC  := tests/unit/test_mock_commands.c tests/unit/world_kit.c
test_mock_commands_LIBS := testkit mock wire base

UNIT_TESTS              += test_mock_mcp test_mock_tools test_mock_faults
test_mock_mcp_SRC       := tests/unit/test_mock_mcp.c tests/unit/mock_kit.c
test_mock_mcp_LIBS      := mock_serve mock_mcp mock wire base
test_mock_tools_SRC     := tests/unit/test_mock_tools.c tests/unit/mock_kit.c
test_mock_tools_LIBS    := mock_serve mock_mcp mock wire base
test_mock_faults_SRC    := tests/unit/test_mock_faults.c tests/unit/mock_kit.c
test_mock_faults_LIBS   := testkit mock_serve mock_mcp mock wire base
test_mock_faults_LDLIBS := -lpthread

# It runs the program, which therefore has to be there first.
UNIT_TESTS            += test_mock_program
test_mock_program_SRC := tests/unit/test_mock_program.c
$(TESTBIN)/test_mock_program: | $(BIN)/agent-mock
