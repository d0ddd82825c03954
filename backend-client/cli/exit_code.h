/* Which exit code a command ends with. Pure. */
#ifndef CTL_EXIT_CODE_H
#define CTL_EXIT_CODE_H

#include "agent_relay.h"

/* X(name, number, meaning as the help and the manual page give it) */
#define CTL_EXITS(X)                                                                                         \
    X(CTL_EXIT_OK, 0, "live: what was asked was answered")                                                   \
    X(CTL_EXIT_ERROR, 1, "the server or the relay answered with an error, or the output cannot be written")  \
    X(CTL_EXIT_USAGE, 2, "the command line is wrong")                                                        \
    X(CTL_EXIT_DEGRADED, 3,                                                                                  \
      "degraded: the relay answers, its server does not; or what was shown is not live")                     \
    X(CTL_EXIT_UNREACHABLE, 4, "the relay cannot be reached, or was lost")                                   \
    X(CTL_EXIT_TIMEOUT, 5, "no answer within --timeout")                                                     \
    X(CTL_EXIT_INTERRUPTED, 130, "interrupted (143: terminated)")

enum ctl_exit {
#define X(name, number, meaning) name = (number),
    CTL_EXITS(X)
#undef X
};

/* How an answered or failed call ends the program. `health` is the client's at that time. */
enum ctl_exit exit_code_of_reply(const struct ar_reply *reply, const struct ar_health *health);
/* The client's state as an exit code: OK while live; DEGRADED when the relay answers and its server does
 * not, or not yet; TIMEOUT when there is a connection over which nothing came; UNREACHABLE when there is
 * none. */
enum ctl_exit exit_code_of_health(const struct ar_health *health);

#endif
