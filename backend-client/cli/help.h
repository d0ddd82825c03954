/* The help texts. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include "backend-client/cli/commands.h"
#include "base/buf.h"

/* Appends the overview, or (command not NULL) the help of one command. */
MUSTCHECK int help_write(struct buf *out, const struct ctl_command *command);

#endif
