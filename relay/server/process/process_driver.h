/* The driver of local processes: each instance is a child under its keeper (child.h). */
#ifndef PROCESS_DRIVER_H
#define PROCESS_DRIVER_H

#include <stdint.h>

#include "io/loop.h"
#include "io/memory.h"
#include "server/driver.h"

struct process_driver_options {
    struct loop *loop;     /* borrowed until on_closed, like the next two */
    struct memory *memory; /* NULL: children's buffers are not counted */
    char *const *environ;  /* what children may inherit from; NULL: the process's own */
    uint64_t soft_nofile;  /* children's soft limit of descriptors; 0: the relay's */
    const char *
        program_dir; /* the keeper is looked for here, then in ../libexec/agent-relay; borrowed for the call */
};

/* Makes the process a subreaper and takes SIGCHLD. ERR_NOT_FOUND: no keeper, logged with the places looked
 * at; -ENOMEM; a negative errno or libuv code. */
MUSTCHECK int process_driver_open(const struct process_driver_options *options, struct driver **ret_driver);

#endif
