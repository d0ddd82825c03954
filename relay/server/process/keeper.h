/* The interface between the relay and its keepers.
 *
 *   agent-relay-keeper [-n SOFT_NOFILE] [-d DIR] -- COMMAND [ARG...]
 *
 * Descriptors 0, 1 and 2 become the command's; descriptor 3 is one end of a stream socket pair, the lifeline:
 * the other end is held by the relay alone, so its end of file means that the relay has ended. The keeper
 * writes the command's pid there, in decimal and with a newline, once. The environment is the command's.
 *
 * Exit status: the command's own; when it died by a signal, the keeper dies by the same one. 127: the command
 * was not found, 126: it, its folder or a process was not available; standard error has the reason.
 */
#ifndef PROCESS_KEEPER_H
#define PROCESS_KEEPER_H

#include <signal.h>

#define KEEPER_PROGRAM "agent-relay-keeper"
/* The name in process lists: `pkill agent-relay` must not end relay and keepers together, or a child's
 * descendants would have no process left that ends them. */
#define KEEPER_TITLE       "mcp-keeper"
#define KEEPER_LIFELINE_FD 3

/* SIGTERM to the command's process group. */
#define KEEPER_SIGNAL_TERM SIGTERM
/* SIGKILL to everything that came from the command; the keeper ends when nothing is left. */
#define KEEPER_SIGNAL_KILL SIGUSR1

/* After the relay's death: the command's stdin has ended at once; SIGTERM after one of these, SIGKILL
 * after two. */
#define KEEPER_ORPHAN_MS 1000

#define KEEPER_EXIT_CANNOT_RUN 126
#define KEEPER_EXIT_NOT_FOUND  127

#endif
