/* What every program does first and last: descriptors and signals as they must be, whatever its starter
 * left, and an exit code that counts lost output as a failure. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include "base/err.h"

/* Before anything else. Opens /dev/null where 0, 1 or 2 is closed, since a socket with such a number would
 * get what is meant for the terminal. Sets the signal mask to exactly `held` (ends with 0; NULL: none):
 * signals that the starter had blocked would never arrive, and those of `held` wait until the program takes
 * them. Ignores SIGPIPE and SIGXFSZ: a write fails instead. 0, or a negative errno value. */
MUSTCHECK int program_begin(const int *held);
/* No signal is held any more. */
void program_release_signals(void);
/* What main returns: `code`; but 1 in place of 0, with a line on standard error, when what was printed on
 * standard output went nowhere. */
int program_end(const char *name, int code);

#endif
