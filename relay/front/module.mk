MODULES += front
front_SRC := relay/front/sniff.c relay/front/refusal.c relay/front/peer.c relay/front/bind.c relay/front/bind_unix.c \
             relay/front/listener.c relay/front/client.c relay/front/client_io.c relay/front/client_watch.c \
             relay/front/front.c

UNIT_TESTS += test_front_pure test_bind test_front
test_front_pure_SRC    := tests/unit/test_front_pure.c
test_front_pure_LIBS   := front wire base
test_bind_SRC          := tests/unit/test_bind.c
test_bind_LIBS         := front base
# The router is a fake of its own: route is not linked.
test_front_SRC         := tests/unit/test_front.c tests/unit/front_kit.c tests/unit/fake_route.c
test_front_LIBS        := testkit front session core wire base
test_front_LDLIBS      := $(uv_libs) -lpthread
