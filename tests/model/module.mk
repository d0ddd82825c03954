# The router against an oracle: random clients, random children, a million steps each. MODEL_SEED and MODEL_STEPS in the
# environment (or as arguments) set both.
UNIT_TESTS += model_router
model_router_SRC  := tests/model/model_router.c tests/model/model_peers.c tests/model/model_client.c tests/model/model_child.c \
                     tests/model/model_child_life.c tests/model/model_world.c
model_router_LIBS := fixture/common mcp route wire base
