/* The file that names the running process. Locked while the process lives, so that a stale one is
 * recognised, and a second relay with the same file does not start.
 */
#ifndef OPS_PIDFILE_H
#define OPS_PIDFILE_H

#include <sys/types.h>

#include "base/err.h"

struct pidfile {
    int fd;     /* holds the lock; -1: there is none */
    char *path; /* owned */
    dev_t dev;
    ino_t ino;
};

/* Writes this process's id. -EEXIST: a living process holds it, *ret_holder is its id (0: unknown); -ENOMEM;
 * a negative errno. On failure there is nothing to undo. */
MUSTCHECK int pidfile_open(struct pidfile *p, const char *path, pid_t *ret_holder);
/* Removes the file if it is still the one that pidfile_open made. Idempotent; legal on a zeroed struct with
 * fd -1. */
void pidfile_close(struct pidfile *p);

#endif
