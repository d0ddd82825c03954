/* JSON with comments and trailing commas (JSONC), as people write configuration files, made into plain JSON
 * of the same length: each byte that JSON does not know becomes a blank, so every offset and line stays what
 * it was.
 */
#ifndef WIRE_JSON_RELAXED_H
#define WIRE_JSON_RELAXED_H

#include <stddef.h>

/* In place. Blanks out a byte order mark at the start, comments to the end of their line, comments between
 * slash-star and star-slash, and a trailing comma (only blanks and comments between it and the closing
 * bracket). Text that is still not JSON (an unended comment, a lone comma) stays unchanged, and the strict
 * scanner refuses it with its position. */
void json_relax(char *text, size_t len);

#endif
