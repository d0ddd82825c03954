/* Where the keeper's program is. */
#ifndef PROCESS_KEEPER_PATH_H
#define PROCESS_KEEPER_PATH_H

#include "base/err.h"

/* Beside the relay's own executable (in `program_dir`), then in ../libexec/agent-relay. *ret_path is owned by
 * the caller (mem_free). ERR_NOT_FOUND, logged with both places; -ENOMEM. */
MUSTCHECK int keeper_path_find(const char *program_dir, char **ret_path);

#endif
