MODULES     += session
session_SRC := $(addprefix relay/session/,out_queue.c session.c)

# The router is a fake of its own: route is not linked.
TEST_FOLDERS        += session
session_TEST_LIBS   := fixture/common session io wire base
session_TEST_LDLIBS := $(uv_libs) -lpthread
