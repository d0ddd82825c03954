EXAMPLES += backend-client/examples/ten_lines.c backend-client/examples/own_loop.c

CHECKS += scripts/check-symbols
