/* The JSON objects in a line that is no JSON text: behind a prefix, before other text, several side by side, or cut
 * off by the next one. Pure.
 *
 *   [12:00:01] {"jsonrpc":"2.0","id":1,"result":{}} done     one object, and text
 *   {"jsonrpc":"2.0","id":1,"res{"jsonrpc":"2.0","id":2}     a broken one, and a whole one inside or behind it
 */
#ifndef WIRE_LINE_SPLIT_H
#define WIRE_LINE_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/frame.h"

struct line_split {
    const char *bytes; /* borrowed */
    size_t len;
    size_t at; /* what stands before it is split */
    size_t
        budget;  /* bytes that may still be scanned: a line of nothing but braces must not cost its square */
    bool broken; /* an object began and did not end: what follows may stand inside it */
    bool has_text; /* printable text stands outside of the objects; escape sequences of terminals are none */
};

void line_split_init(struct line_split *s, const char *bytes, size_t len);
/* The next object, in order. `ret_frame` is scanned; it borrows from the line. *ret_whole: strict JSON to its end, else
 * the frame is the rest of the line from its brace on, with what the scan has found in it. false: there is none. */
bool line_split_next(struct line_split *s, struct frame *ret_frame, bool *ret_whole);

/* Behind the escape sequences of terminals, control characters, blanks and byte order marks at the begin of the text.
 */
size_t line_skip_escapes(const char *bytes, size_t len);

#endif
