/* Writing to people and pipes.
 *
 * A pipe is written in pieces of at most PIPE_BUF bytes, each after poll has said that there is room: such a
 * write never blocks, so a signal is noticed while the reader stands still. (Standard output is shared with
 * other programs, so it is not ours to make non-blocking.)
 */
#include "backend-client/cli/term.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend-client/cli/safe.h"
#include "backend-client/cli/width.h"

#define SAY_BYTES 2048

static bool is_smart(int fd)
{
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && kind[0] && strcmp(kind, "dumb") != 0;
}

void term_init(struct term *t, enum ctl_color color)
{
    const char *no_color = getenv("NO_COLOR");
    bool wanted = !(no_color && no_color[0]) && is_smart(STDOUT_FILENO);
    *t = (struct term){.out_tty = isatty(STDOUT_FILENO), .err_tty = is_smart(STDERR_FILENO), .signal_fd = -1};
    t->color = color == CTL_COLOR_ALWAYS || (color == CTL_COLOR_AUTO && wanted);
}

size_t term_columns(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool term_reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

/* ---- standard output ---- */

/* Until there is room, or a signal. */
static int wait_for_room(const struct term *t)
{
    struct pollfd fds[2] = {{.fd = STDOUT_FILENO, .events = POLLOUT}, {.fd = t->signal_fd, .events = POLLIN}};
    int rc;
    do
        rc = poll(fds, 2, -1);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return -errno;
    return (fds[1].revents & POLLIN) ? -EINTR : 0;
}

static int fail_output(struct term *t, int rc)
{
    t->broken = true;
    t->failed = rc != -EPIPE;
    if (t->failed)
        term_say(t, "cannot write to standard output: %s", strerror(-rc));
    return rc;
}

int term_out(struct term *t, const char *bytes, size_t len)
{
    if (t->broken)
        return -EPIPE;
    if (len > 0)
        term_progress(t, NULL);
    while (len > 0) {
        int rc = wait_for_room(t);
        if (rc == -EINTR)
            return rc;
        ssize_t n = rc == 0 ? write(STDOUT_FILENO, bytes, len < PIPE_BUF ? len : PIPE_BUF) : -1;
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return fail_output(t, rc != 0 ? rc : -errno);
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* ---- standard error ---- */

/* What cannot be said there cannot be said anywhere. */
static void write_err(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

void term_say(struct term *t, const char *format, ...)
{
    static const char prefix[] = "agent-relayctl: ";
    char raw[SAY_BYTES];
    char text[SAY_BYTES + sizeof prefix];
    va_list list;
    va_start(list, format);
    vsnprintf(raw, sizeof raw, format, list);
    va_end(list);
    term_progress(t, NULL);
    memcpy(text, prefix, sizeof prefix);
    safe_copy(text + sizeof prefix - 1, sizeof text - sizeof prefix, raw, strlen(raw));
    size_t len = strlen(text);
    text[len] = '\n';
    write_err(text, len + 1);
}

void term_progress(struct term *t, const char *line)
{
    char text[SAY_BYTES];
    if (!t->err_tty || (!line && !t->drawn))
        return;
    int len = snprintf(text, sizeof text, "\r%s\x1b[K", line ? line : "");
    if (len > 0 && (size_t)len < sizeof text)
        write_err(text, (size_t)len);
    t->drawn = line != NULL;
}
