/* What a frame_reader gave, as text, one line per result, so that a test can compare whole runs:
 *
 *     request id=22+1 <{"jsonrpc":...}>
 *     invalid: not valid JSON id=0+0 <hello>
 *     too large 70 request int=1 id=<1>
 *     no memory<>
 */
#ifndef TESTS_WIRE_FRAME_SCRIPT_H
#define TESTS_WIRE_FRAME_SCRIPT_H

#include "wire/frame.h"

struct frame_script {
    char text[4096];
    size_t len;
};

void frame_script_clear(struct frame_script *out);
/* Any result but FRAME_MORE. */
void frame_script_note(struct frame_script *out, enum frame_result result, const struct frame *f);

#endif
