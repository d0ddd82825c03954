/* How long from a program's start until its standard error says "listening"? Taken outside Node, whose own
 * spawning costs more than what is measured. The program is then told to stop, and must.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

extern char **environ;

static pid_t spawn(char **command, int stderr_fd)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
    errno = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
    if (errno != 0)
        load_die(command[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* Reads until the word is there; false when the program ended, or took longer than the timeout, before. */
static bool heard_listening(int fd, uint64_t timeout_ms)
{
    char text[16384];
    size_t len = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (len < sizeof(text) - 1 && poll(&p, 1, (int)timeout_ms) == 1) {
        ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, "listening"))
            return true;
    }
    text[len] = '\0';
    fprintf(stderr, "%s", text);
    return false;
}

int load_start(const struct load_options *options)
{
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) != 0)
        load_die("pipe2");
    uint64_t started_at = load_clock_ns();
    pid_t pid = spawn(options->command, ends[1]);
    close(ends[1]);
    bool heard = heard_listening(ends[0], options->timeout_ms);
    uint64_t took = load_clock_ns() - started_at;
    kill(pid, SIGTERM);
    if (waitpid(pid, &status, 0) != pid)
        load_die("waitpid");
    uint64_t stopped = load_clock_ns() - started_at - took;
    errno = 0;
    if (!heard)
        load_die("it never said that it listens");
    printf("{\"ms\":%.3f,\"stopMs\":%.3f}\n", (double)took / 1e6, (double)stopped / 1e6);
    return 0;
}
