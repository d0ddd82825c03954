/* Shared by the files that implement child.h. */
#ifndef PROCESS_CHILD_INTERNAL_H
#define PROCESS_CHILD_INTERNAL_H

#include "server/process/child.h"

/* The parent's ends of a child's pipes, and its keeper. */
struct child_process {
    pid_t keeper_pid;
    int in_fd; /* written */
    int out_fd;
    int err_fd;
    int lifeline_fd;
};

/* child_spawn.c: starts the keeper. A negative errno value; nothing is left then. */
MUSTCHECK int child_spawn(const struct child_spec *spec, struct child_process *ret_process);

/* child_io.c */
void child_io_init(struct child *c, const struct child_spec *spec);
/* Takes the three descriptors over, all or none. */
MUSTCHECK int child_io_open(struct child *c, const struct child_process *p);
/* Reads what the pipes hold, without waiting for their end. */
void child_io_drain(struct child *c);
void child_io_done(struct child *c);
void child_io_leave_memory(struct child *c);

/* child_stop.c */
/* The one mover. The phase ends deadline_ms from now; 0: it has no deadline. */
void child_move(struct child *c, enum child_phase to, uint64_t deadline_ms);
void child_on_time(struct timer *t);
/* The child can serve no more: on_lost follows after CHILD_LOST_MS, unless it exits. `why` is static. */
void child_note_lost(struct child *c, const char *why);

/* child.c */
void child_handle_closed(struct child *c);

#endif
