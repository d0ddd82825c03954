# What the unit tests share: the allocator that fails where it is told to.
MODULES     += testkit
testkit_SRC := tests/unit/fault_alloc.c
