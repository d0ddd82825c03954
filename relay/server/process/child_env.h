/* The environment of a child: a short list of the relay's own variables, those the entry inherits by name,
 * and the entry's own values on top. No other variable reaches the child: secrets stay in the relay.
 */
#ifndef PROCESS_CHILD_ENV_H
#define PROCESS_CHILD_ENV_H

#include "base/err.h"
#include "config/config.h"

/* `own` is the relay's environment (NAME=VALUE, NULL-terminated). *ret_env is NULL-terminated and owned by
 * the caller, one block: mem_free. -ENOMEM. */
MUSTCHECK int child_env_make(const struct server_config *config, char *const *own, char ***ret_env);

#endif
