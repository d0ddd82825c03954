/* A server that answers nothing: reads requests, heads and bodies, out of a stream, and writes down what it
 * understood, so that a test can compare whole runs:
 *
 *     GET /path ? a=1 @ example.org:80 keep
 *     POST /mcp @ relay close <the body>
 *     400 There is no Host field.
 *     more
 *
 * "more": the stream ends inside a request; nothing behind the last line: it ends between two.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "http/http_head.h"

#define BODY_LIMIT 1000

/* In one chunk, in two cut at every byte, and byte by byte: always `expected`. */
void expect_run(const char *stream, const char *expected);
void expect_run_of(const char *stream, size_t len, const char *expected);
/* The status that ends the run, in any cuts; 0: none. */
unsigned refusal_of(const char *stream, size_t len);

/* Parses the head, a literal, which must be accepted; borrowed until the next call. */
const struct http_head *open_head(const char *text);

#endif
