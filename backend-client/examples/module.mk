EXAMPLES += backend-client/examples/ten_lines.c backend-client/examples/own_loop.c

NODE_TESTS += tests/integration/library.test.mjs
CHECKS     += scripts/check-symbols
