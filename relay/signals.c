/* Signals are read from a descriptor, since a handler of the loop's would not say who has sent one.
 *
 * SIGHUP has two meanings: "read the configuration again", from kill; and "the terminal is gone", from the
 * kernel, or from a shell that passes its own on to its jobs. The sender tells them apart: the kernel, or a
 * shell that this process descends from, while the terminal is no longer there. Someone who types `kill
 * -HUP` in that shell has the terminal before them; a relay that outlived its terminal gets it from
 * elsewhere.
 *
 * Failure mode: no descriptor -> signals_open fails, and the relay does not start.
 */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "log/log.h"

const int signals_held[] = {SIGHUP, SIGTERM, SIGINT, 0};

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

/* "PID (any name, brackets and blanks included) STATE PPID PGRP SESSION ..." */
static bool read_parent(pid_t pid, pid_t *ret_parent, pid_t *ret_session)
{
    char path[48];
    struct buf stat;
    buf_init(&stat, 4096);
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int rc = file_read(path, &stat);
    rc = rc == 0 ? buf_append(&stat, "", 1) : rc;
    const char *name_end = rc == 0 ? strrchr(buf_data(&stat), ')') : NULL;
    long parent = 0, session = 0;
    bool read = name_end && sscanf(name_end, ") %*c %ld %*d %ld", &parent, &session) == 2;
    buf_done(&stat);
    *ret_parent = (pid_t)parent;
    *ret_session = (pid_t)session;
    return read;
}

static void find_ancestors(struct signals *s)
{
    pid_t own = getsid(0);
    pid_t session = own;
    pid_t next;
    for (pid_t pid = getppid(); pid > 0 && s->ancestor_count < SIGNALS_ANCESTORS_MAX; pid = next) {
        if (!read_parent(pid, &next, &session) || session != own)
            return;
        s->ancestors[s->ancestor_count++] = pid;
    }
}

static bool is_ancestor(const struct signals *s, pid_t pid)
{
    for (size_t i = 0; i < s->ancestor_count; i++) {
        if (s->ancestors[i] == pid)
            return true;
    }
    return false;
}

static bool is_terminal_end(const struct signals *s, const struct signalfd_siginfo *info)
{
    if (s->ignores_ends)
        return false;
    if (info->ssi_code == SI_KERNEL)
        return true;
    return s->had_terminal && is_ancestor(s, (pid_t)info->ssi_pid) && !has_terminal();
}

static void end_at_once(struct relay *relay)
{
    relay_abort(relay);
    LOG(LOG_WARN, "a second signal: ending at once");
    log_close();
    _exit(RELAY_EXIT_FAILURE);
}

static void take(struct signals *s, const struct signalfd_siginfo *info)
{
    bool serving = s->relay->phase == RELAY_SERVING;
    if (info->ssi_signo != SIGHUP) {
        if (!serving)
            end_at_once(s->relay);
        relay_drain(s->relay);
    } else if (!is_terminal_end(s, info)) {
        relay_reload(s->relay);
    } else if (serving) { /* a shell and the kernel may both send one */
        LOG(LOG_INFO, "the terminal is gone");
        relay_drain(s->relay);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct signals *s = poll->data;
    struct signalfd_siginfo info;
    (void)status;
    (void)events;
    while (read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        take(s, &info);
}

static bool is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static int open_descriptor(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (const int *number = signals_held; *number != 0; number++)
        sigaddset(&set, *number);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int watch(struct signals *s)
{
    int rc = uv_poll_init(&s->relay->loop.uv, &s->poll, s->fd);
    if (rc != 0) {
        (void)close(s->fd);
        s->fd = -1;
        return rc;
    }
    s->poll.data = s;
    rc = uv_poll_start(&s->poll, UV_READABLE, on_readable);
    if (rc != 0)
        signals_close(s);
    return rc;
}

int signals_open(struct signals *s, struct relay *relay)
{
    *s = (struct signals){.relay = relay,
                          .fd = open_descriptor(),
                          .ignores_ends = is_ignored(SIGHUP),
                          .had_terminal = has_terminal()};
    if (s->had_terminal)
        find_ancestors(s);
    return s->fd < 0 ? s->fd : watch(s);
}

/* libuv stops to watch the descriptor within uv_close. */
void signals_close(struct signals *s)
{
    if (s->fd < 0)
        return;
    uv_close((uv_handle_t *)&s->poll, NULL);
    (void)close(s->fd);
    s->fd = -1;
}
