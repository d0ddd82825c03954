EXAMPLES += backend-client/examples/ten_lines.c backend-client/examples/own_loop.c
# In C++, built where there is a compiler for it (scripts/deps test installs one).
EXAMPLES += $(if $(shell command -v $(CXX)),backend-client/examples/one_call.cpp)

NODE_TESTS += tests/integration/library.test.mjs
CHECKS     += scripts/check-symbols
