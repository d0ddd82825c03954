MODULES   += front
front_SRC := $(addprefix relay/front/,sniff.c error_line.c peer.c hosts.c bind.c bind_unix.c ndjson.c connection_timeouts.c \
               connection_reading.c connection.c connection_sweep.c listener.c front.c)

# The router is a fake of its own: route is not linked.
TEST_FOLDERS      += front
front_TEST_LIBS   := fixture/common front session log io wire base
front_TEST_LDLIBS := $(uv_libs) -lpthread
