/* The lines of an upstream's child that were no messages: how many, what they look like, and the first ones, for errors
 * that nothing else explains (TIMEOUT, a start that failed).
 *
 * Whose lines are they? Of a shared child's lines one that came before the child was ready, or while one session alone
 * had requests in flight, may be quoted: the former to all, the latter to that session. Another one is counted and
 * described, not quoted, since it may hold what belongs to somebody else. */
#ifndef ROUTE_STRAY_LINES_H
#define ROUTE_STRAY_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/stray.h"
#include "wire/writer.h"

struct route_session;
struct upstream;

/* Notes a line; counts it as invalid. Out of memory: it is counted. */
void stray_lines_note(struct upstream *upstream, enum stray look, const char *line, size_t len);
/* A new child. */
void stray_lines_forget(struct upstream *upstream);
/* Was there a line that looked so? */
bool stray_lines_has(const struct upstream *upstream, enum stray look);
/* What "its standard output" does, to follow these words; NULL: there was no such line. Static. */
const char *stray_lines_text(const struct upstream *upstream);
/* Members of an error's data, where there was such a line: stdoutStray (how many), stdoutLooksLike, stdoutLines (those
 * that `s` may see; NULL: that everybody may). */
void stray_lines_write(const struct upstream *upstream, const struct route_session *s, struct writer *w);

#endif
