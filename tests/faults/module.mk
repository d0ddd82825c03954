NODE_TESTS += tests/faults/links.test.mjs
