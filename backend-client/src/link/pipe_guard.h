/* No SIGPIPE from what runs in between: for libraries that write with write(2) on a thread whose host has
 * SIGPIPE at its default. Blocks it for this thread, takes back one that was raised meanwhile, and restores
 * the mask. No disposition is ever changed.
 */
#ifndef CLIENT_PIPE_GUARD_H
#define CLIENT_PIPE_GUARD_H

#include <signal.h>
#include <stdbool.h>

struct pipe_guard {
    sigset_t before;
    bool was_pending; /* before already: not ours to take */
};

void pipe_guard_begin(struct pipe_guard *g);
void pipe_guard_end(const struct pipe_guard *g);

#endif
