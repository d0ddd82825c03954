/* Who are the children of a process: read from /proc. Shared by the relay and the keeper, so it allocates
 * nothing.
 */
#ifndef PROCESS_PROC_H
#define PROCESS_PROC_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Writes the pids of this process's own children (zombies included) to `ret_pids`, at most `max`. Returns how
 * many; a negative errno value when /proc cannot be read. More than `max` are not an error: ask again when
 * some are gone. Exact as long as nobody reaps meanwhile; a child that joins meanwhile may be missing. */
int proc_children(pid_t *ret_pids, size_t max);

/* The two ways in which proc_children finds out: the kernel's own list per thread (missing where the kernel
 * was built without CONFIG_PROC_CHILDREN: -ENOENT), or a look at every process there is. */
int proc_children_listed(pid_t *ret_pids, size_t max);
int proc_children_scanned(pid_t *ret_pids, size_t max);

#endif
