/* The handshake of a shared child: the relay's own initialize, run once per process, and what follows from
 * its answer.
 */
#ifndef MCP_HANDSHAKE_H
#define MCP_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

/* The newest revision that still has a handshake. */
#define HANDSHAKE_PROTOCOL "2025-11-25"

/* Sends initialize. May end in ops->handshake_failed. */
void handshake_begin(struct upstream *upstream, uint64_t now_ms);
/* Is this the id of the initialize under way? */
bool handshake_is(const struct upstream *upstream, const struct frame *frame);
/* Its answer: result, error, or a line that fails the scan. */
void handshake_answer(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
/* Its answer was over the size limit. */
void handshake_too_large(struct upstream *upstream);
void init_cache_done(struct init_cache *cache);

#endif
