/* The children of this process, read from /proc. Shared by the relay and the keeper, so it allocates
 * nothing. */
#ifndef PROCESS_PROC_H
#define PROCESS_PROC_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Writes the pids of this process's own children (zombies included) to `ret_pids`, at most `max`. Returns
 * how many; a negative errno value when /proc cannot be read. More than `max` are not an error: call it
 * again when some were reaped. Exact as long as no child is reaped meanwhile; one that is added meanwhile
 * may be missing. */
int proc_children(pid_t *ret_pids, size_t max);

/* The two ways of proc_children: the kernel's own list per thread (missing where the kernel was built without
 * CONFIG_PROC_CHILDREN: -ENOENT), or a scan of every process. */
int proc_children_listed(pid_t *ret_pids, size_t max);
int proc_children_scanned(pid_t *ret_pids, size_t max);

#endif
