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

/* Locks and empties the file, and reserves room for the id. -EEXIST: a living process holds it, *ret_holder
 * is its id (0: it has not written it yet); ERR_NOT_A_FILE; ERR_TYPE: it holds something else than a
 * process id; -ELOOP: it is a symbolic link; -ENOMEM; another negative errno. On failure there is nothing
 * to undo, and a file that is no pid file is as it was. */
MUSTCHECK int pidfile_open(struct pidfile *p, const char *path, pid_t *ret_holder);
/* Writes this process's id. A negative errno: pidfile_close may follow. */
MUSTCHECK int pidfile_write(struct pidfile *p);
/* Removes the file if it is still the one that pidfile_open made. Idempotent; legal on a zeroed struct with
 * fd -1. */
void pidfile_close(struct pidfile *p);

#endif
