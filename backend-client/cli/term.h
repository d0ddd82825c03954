/* Standard output and standard error: bounded writes that never keep the program from exiting.
 *
 * Writing waits for a slow reader, but never longer than until a signal comes, and on standard error for
 * TERM_PATIENCE_MS; a reader that is gone ends the output quietly. The progress line on standard error is
 * taken away before anything else is written.
 */
#ifndef CTL_TERM_H
#define CTL_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "backend-client/cli/args.h"

#define TERM_GREEN  "\x1b[32m"
#define TERM_YELLOW "\x1b[33m"
#define TERM_RED    "\x1b[31m"
#define TERM_DIM    "\x1b[2m"
#define TERM_RESET  "\x1b[0m"

#define TERM_PATIENCE_MS 1000 /* how long a message waits for the reader of standard error */

struct term {
    bool out_tty;
    bool err_tty; /* and one that knows escape sequences */
    bool color;   /* on standard output */
    bool broken;  /* the reader of standard output has closed it, or it cannot be written */
    bool failed;  /* the latter, and it was reported */
    bool drawn;   /* a progress line is shown on standard error */
    bool unheard; /* standard error was not read when we last waited for it */
    int out_fd;   /* standard output and standard error, where possible through descriptions of our own */
    int err_fd;
    int signal_fd; /* readable when SIGINT or SIGTERM came; -1: not caught yet. Owned by ctl.c */
};

void term_init(struct term *t, enum ctl_color color);
/* 0; -EPIPE (`broken` is set: say nothing); -EINTR: a signal waits; else -errno of writing, said already. */
MUSTCHECK int term_out(struct term *t, const char *bytes, size_t len);
/* A line on standard error: "agent-relayctl: ...", sanitized. */
__attribute__((format(printf, 2, 3))) void term_say(struct term *t, const char *format, ...);
/* Draws the progress line, or takes it away (NULL). Nothing where standard error is no terminal. */
void term_progress(struct term *t, const char *line);
/* Columns and rows of the terminal at `fd`; 0: it is none. */
size_t term_columns(int fd);
size_t term_rows(int fd);
/* The reader of standard output has closed it. */
bool term_reader_gone(void);

#endif
