MODULES   += front
front_SRC := $(addprefix relay/front/,sniff.c refusal.c peer.c bind.c bind_unix.c listener.c client.c client_io.c \
               client_watch.c front.c)

# The router is a fake of its own: route is not linked.
TEST_FOLDERS      += front
front_TEST_LIBS   := fixture/common front session log io wire base
front_TEST_LDLIBS := $(uv_libs) -lpthread
