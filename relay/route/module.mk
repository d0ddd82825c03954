MODULES   += route
route_SRC := relay/route/router.c relay/route/server.c relay/route/session.c relay/route/lane.c \
             relay/route/lane_frames.c relay/route/session_frames.c relay/route/requests.c relay/route/calls.c \
             relay/route/clock.c relay/route/turns.c relay/route/replies.c relay/route/child_out.c relay/route/splice.c \
             relay/route/store.c relay/route/field.c relay/route/outage.c relay/route/views.c \
             relay/route/handshake.c relay/route/initialize.c relay/route/levels.c relay/route/subscriptions.c \
             relay/route/tasks.c relay/route/parked.c relay/route/questions.c relay/route/elicitations.c

route_kit   := tests/unit/route_kit.c
route_tests := test_route_calls test_route_ends test_route_handshake test_route_shared test_route_tasks \
               test_route_own test_route_turns test_route_memory test_route_field
UNIT_TESTS  += $(route_tests)
$(foreach t,$(route_tests),$(eval $(t)_SRC := tests/unit/$(t).c $(route_kit)))
$(foreach t,$(route_tests),$(eval $(t)_LIBS := testkit route wire base))

FUZZERS += fuzz_router
fuzz_router_SRC  := tests/fuzz/fuzz_router.c
fuzz_router_LIBS := route wire base
