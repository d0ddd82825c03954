/* SIGPIPE held off for a moment; purpose and use: pipe_guard.h. Nothing here can fail: the calls are given
 * signal sets of their own making.
 */
#include "pipe_guard.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

void pipe_guard_begin(struct pipe_guard *g)
{
    sigset_t set;
    (void)sigpending(&set);
    g->was_pending = sigismember(&set, SIGPIPE) == 1;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, &g->before);
}

void pipe_guard_end(const struct pipe_guard *g)
{
    sigset_t set;
    const struct timespec at_once = {0};
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    if (!g->was_pending)
        (void)sigtimedwait(&set, NULL, &at_once);
    (void)pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}
