/* The line that shows how far a long call is. Pure: ctl_call.c draws it. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_MESSAGE_SIZE 512

struct progress {
    bool reported; /* some notification came */
    double done;
    double total; /* 0: not given */
    char message[PROGRESS_MESSAGE_SIZE];
};

/* Takes a notifications/progress' params. What it does not give keeps its last value; what is none is
 * ignored. */
void progress_take(struct progress *p, const char *params, size_t len);
/* The line, escaped and at most `columns` wide: percent (or the bare number), message, seconds. */
void progress_line(const struct progress *p, uint64_t elapsed_ms, size_t columns, char *out, size_t size);

#endif
