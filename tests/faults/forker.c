/* A child that leaves as much behind as it can: the cases of process trees that real wrappers make.
 *
 *   forker MARK [stay] [deaf] [exit=N]
 *
 * It starts four descendants, which do nothing, ignore SIGTERM and SIGHUP, and hold its pipes: a plain one,
 * one in a process group of its own, one in a session of its own, and one that daemonised by a double fork.
 * All show MARK in their command line, so that a test can look for survivors. When all four are there it
 * behaves as a small MCP server: it answers every request. At the end of its stdin it exits with N (0); with
 * `stay` it lives on; with `deaf` it ignores SIGTERM.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { PLAIN, GROUP, SESSION, DAEMON, KINDS };

static _Noreturn void linger(int tell_fd)
{
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)!write(tell_fd, "x", 1);
    for (;;)
        (void)pause();
}

static void start_descendant(enum kind kind, int tell_fd)
{
    pid_t pid = fork();
    if (pid < 0)
        exit(70);
    if (pid > 0) {
        if (kind == DAEMON &&
            waitpid(pid, NULL, 0) != pid) /* the one in between is gone before anybody counts */
            exit(70);
        return;
    }
    if (kind == GROUP)
        (void)setpgid(0, 0);
    if (kind == SESSION || kind == DAEMON)
        (void)setsid();
    if (kind == DAEMON && fork() != 0)
        _exit(0);
    linger(tell_fd);
}

static void start_all(void)
{
    int fds[2];
    if (pipe(fds) != 0)
        exit(70);
    for (enum kind kind = PLAIN; kind < KINDS; kind++)
        start_descendant(kind, fds[1]);
    char byte;
    for (int there = 0; there < KINDS; there++) {
        if (read(fds[0], &byte, 1) != 1)
            exit(70);
    }
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* The relay writes ids as plain integers. */
static void answer(const char *line)
{
    const char *id = strstr(line, "\"id\":");
    if (!id || !strstr(line, "\"method\":"))
        return;
    unsigned long long number = strtoull(id + 5, NULL, 10);
    if (strstr(line, "\"initialize\""))
        printf("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"protocolVersion\":\"2025-11-25\","
               "\"capabilities\":{},\"serverInfo\":{\"name\":\"forker\",\"version\":\"1\"}}}\n",
               number);
    else
        printf("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}\n", number);
    (void)fflush(stdout);
}

static bool has_option(int argc, char **argv, const char *name)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return false;
}

static int exit_status(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "exit=", 5) == 0)
            return (int)strtol(argv[i] + 5, NULL, 10);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (has_option(argc, argv, "deaf"))
        (void)signal(SIGTERM, SIG_IGN);
    start_all();
    printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/forked\"}\n");
    (void)fflush(stdout);
    static char line[65536];
    while (fgets(line, sizeof(line), stdin))
        answer(line);
    while (has_option(argc, argv, "stay"))
        (void)pause();
    return exit_status(argc, argv);
}
