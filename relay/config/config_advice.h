/* Advice on servers that can be started, but perhaps not as meant. */
#ifndef CONFIG_CONFIG_ADVICE_H
#define CONFIG_CONFIG_ADVICE_H

#include "config/config.h"

/* Why a part of the server may outlive its child, as words to put behind its name: it runs in a container,
 * on another machine, or as the child of another daemon. A static text; NULL: nothing of the kind is known. */
const char *config_outside_tree(const struct server_config *s);

/* For `check`: appends a note for each command that is not found, each folder that is not there, and each
 * server of which a part is outside the process tree. `c` is not changed. Looks at the file system: not for
 * the loop. -ENOMEM. */
MUSTCHECK int config_advise(struct config *c, char *const *environ, struct buf *report);

#endif
