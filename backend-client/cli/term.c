/* Writing to people and pipes.
 *
 * Signals are blocked, so a write that waits would keep them out. The inherited descriptors are shared with
 * other programs and must stay blocking: terminals and pipes are opened once more for that. Where that is
 * refused, and for sockets, pieces of at most PIPE_BUF bytes are written after poll has said that there is
 * room, which blocks on no pipe and on no socket.
 */
#include "backend-client/cli/term.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/sanitize.h"
#include "backend-client/cli/width.h"

#define SAY_BYTES 2048
#define FULL_MS   20 /* a terminal may say that there is room and take nothing: not to spin then */

static bool is_smart(int fd)
{
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && kind[0] && strcmp(kind, "dumb") != 0;
}

/* The same terminal or pipe, non-blocking; `fd` itself where there is no such thing. Closed by the process's
 * end. */
static int reopen(int fd)
{
    char path[32];
    struct stat st;
    if (fstat(fd, &st) != 0 || !(isatty(fd) || S_ISFIFO(st.st_mode)))
        return fd;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return own < 0 ? fd : own;
}

void term_init(struct term *t, enum ctl_color color)
{
    const char *no_color = getenv("NO_COLOR");
    bool wanted = !(no_color && no_color[0]) && is_smart(STDOUT_FILENO);
    *t = (struct term){.out_tty = isatty(STDOUT_FILENO),
                       .err_tty = is_smart(STDERR_FILENO),
                       .signal_fd = -1,
                       .out_fd = reopen(STDOUT_FILENO),
                       .err_fd = reopen(STDERR_FILENO)};
    t->color = color == CTL_COLOR_ALWAYS || (color == CTL_COLOR_AUTO && wanted);
}

size_t term_columns(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

size_t term_rows(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

bool term_reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

/* ---- one piece ---- */

/* Until there is room, or a signal (-EINTR), or `patience_ms` have passed (-ETIMEDOUT; negative: never).
 * Where patience ends by itself, what there is room for is still said although a signal has come. */
static int wait_for_room(const struct term *t, int fd, int patience_ms)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT}, {.fd = t->signal_fd, .events = POLLIN}};
    int rc;
    do
        rc = poll(fds, 2, patience_ms);
    while (rc < 0 && errno == EINTR);
    if (rc <= 0)
        return rc < 0 ? -errno : -ETIMEDOUT;
    bool room = fds[0].revents != 0;
    return (fds[1].revents & POLLIN) && (patience_ms < 0 || !room) ? -EINTR : 0;
}

/* How many bytes were taken; 0: none this time. */
static ssize_t write_piece(const struct term *t, int fd, const char *bytes, size_t len, int patience_ms)
{
    int rc = wait_for_room(t, fd, patience_ms);
    if (rc != 0)
        return rc;
    ssize_t n = write(fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
    if (n >= 0 || errno == EINTR)
        return n >= 0 ? n : 0;
    if (errno != EAGAIN)
        return -errno;
    struct pollfd signal = {.fd = t->signal_fd, .events = POLLIN};
    return poll(&signal, 1, FULL_MS) > 0 ? -EINTR : 0;
}

/* ---- standard output ---- */

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
        ssize_t n = write_piece(t, t->out_fd, bytes, len, -1);
        if (n < 0)
            return n == -EINTR ? -EINTR : fail_output(t, (int)n);
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* ---- standard error ---- */

/* A message that cannot be written there is lost. After one time-out, later messages do not wait for the
 * reader. */
static void write_err(struct term *t, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write_piece(t, t->err_fd, bytes, len, t->unheard ? 0 : TERM_PATIENCE_MS);
        if (n < 0) {
            t->unheard = n == -ETIMEDOUT;
            return;
        }
        t->unheard = false;
        bytes += n;
        len -= (size_t)n;
    }
}

void term_say(struct term *t, const char *format, ...)
{
    static const char prefix[] = "agent-relayctl: ";
    char raw[SAY_BYTES];
    char text[SAY_BYTES + sizeof(prefix)];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(raw, sizeof(raw), format, list);
    va_end(list);
    term_progress(t, NULL);
    memcpy(text, prefix, sizeof(prefix));
    sanitize_copy(text + sizeof(prefix) - 1, sizeof(text) - sizeof(prefix), raw, strlen(raw),
                  SANITIZE_ESCAPE);
    size_t len = strlen(text);
    text[len] = '\n';
    write_err(t, text, len + 1);
}

void term_progress(struct term *t, const char *line)
{
    char text[SAY_BYTES];
    if (!t->err_tty || (!line && !t->drawn))
        return;
    int len = snprintf(text, sizeof(text), "\r%s\x1b[K", line ? line : "");
    if (len > 0 && (size_t)len < sizeof(text))
        write_err(t, text, (size_t)len);
    t->drawn = line;
}
