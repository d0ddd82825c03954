/* Looks for the keeper at start, so that its absence is one clear line and not the failure of every child. */
#include "server/process/keeper_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"
#include "server/process/keeper.h"

static int join(char *ret_path, size_t max, const char *dir, const char *below)
{
    int len = snprintf(ret_path, max, "%s/%s" KEEPER_PROGRAM, dir, below);
    return len > 0 && (size_t)len < max ? 0 : -ENAMETOOLONG;
}

int keeper_path_find(const char *program_dir, char **ret_path)
{
    static const char *const below[] = {"", "../libexec/agent-relay/"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
        if (join(path, sizeof(path), program_dir, below[i]) != 0 || access(path, X_OK) != 0)
            continue;
        *ret_path = mem_strdup(path);
        return *ret_path ? 0 : -ENOMEM;
    }
    LOG(LOG_ERROR, KEEPER_PROGRAM " is missing: children cannot be watched over",
        F_STR("looked_in", program_dir), F_STR("and_below_it_in", below[1]));
    return ERR_NOT_FOUND;
}
