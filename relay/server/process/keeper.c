/* agent-relay-keeper: runs one command for the relay and leaves no process behind. A subreaper shim, as
 * containerd's.
 *
 * Happy path: a session of its own and subreaper of all that the command starts -> fork and exec the command
 * (a session of its own, default signals, the relay's original descriptor limit, no descriptor above 2) ->
 * close the pipe ends, so that the command alone holds them -> wait until the command exits -> kill and reap
 * every descendant, those that daemonised or called setsid too, until none is left -> exit as the command
 * did.
 *
 * Failure modes:
 *  - the command cannot be run: the reason on its standard error, exit 127 (not found) or 126
 *  - SIGTERM (or INT, HUP, QUIT): passed on to the command's group as SIGTERM; SIGUSR1: everything is killed
 *    at once
 *  - the relay dies (the lifeline ends): the command's stdin has ended with it; SIGTERM after 1 s, SIGKILL
 *    1 s after that, however long the keeper itself was stopped meanwhile
 *  - the keeper is stopped, which its command may do: every signal of the relay's is followed by SIGCONT, and the
 *    kernel sends one when the relay dies
 *  - the relay is dead before the command was started: nothing is started
 *  - the keeper is killed: its children fall to the relay, which kills them. Relay and keeper killed in the
 *    same instant: the command gets SIGKILL from the kernel, its descendants live on
 *  - a descendant that may not be killed (another user's): waited for, 2 s, then left
 */
#include "server/process/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/process/proc.h"

/* Children killed in one round of the end; the rest is killed in the next. */
#define ROUND_MAX 256
/* A round of the end waits for a SIGCHLD, but not longer. */
#define ROUND_MS 20
/* Processes that may not be killed are left after this. */
#define GIVE_UP_MS 2000

struct keeper {
    const char *dir; /* NULL: stay */
    char **command;  /* NULL-terminated, borrowed from argv */
    bool set_nofile;
    rlim_t nofile; /* soft limit of descriptors for the command */
    pid_t pid;     /* of the command; also its process group and session */
    int status;    /* its wait status, once it is reaped */
    int signal_fd;
    bool relay_gone;
    bool term_sent;         /* for relay_gone */
    uint64_t step_began_ms; /* relay_gone: when the lifeline ended; term_sent: when SIGTERM was sent */
};

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static _Noreturn void fail(int status, const char *what, const char *name, const char *why)
{
    dprintf(STDERR_FILENO, KEEPER_PROGRAM ": %s '%s': %s\n", what, name, why);
    _exit(status);
}

static _Noreturn void usage(void)
{
    static const char text[] = "usage: " KEEPER_PROGRAM " [-n NOFILE] [-d DIR] -- COMMAND [ARG...]\n"
                               "It is started by agent-relay, with its lifeline on descriptor 3.\n";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(2);
}

static void parse_args(struct keeper *k, int argc, char **argv)
{
    int opt;
    while ((opt = getopt(argc, argv, "+n:d:")) != -1) {
        char *end = NULL;
        if (opt == 'd') {
            k->dir = optarg;
        } else if (opt == 'n') {
            k->nofile = (rlim_t)strtoull(optarg, &end, 10);
            k->set_nofile = true;
            if (end == optarg || *end != '\0')
                usage();
        } else {
            usage();
        }
    }
    k->command = argv + optind;
    if (optind >= argc || fcntl(KEEPER_LIFELINE_FD, F_GETFD) < 0)
        usage();
}

/* ---- the command's side of the fork ---- */

static void reset_signals(void)
{
    /* By system call: the C library refuses to touch the two signals it uses for threads, and
     * posix_spawn (make's, for one) leaves those ignored. All zero is the default action. */
    static const unsigned long by_default[8];
    for (int sig = 1; sig < NSIG; sig++)
        (void)syscall(SYS_rt_sigaction, sig, by_default, NULL,
                      (size_t)(NSIG - 1) / 8); /* not KILL and STOP */
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void reset_nofile(const struct keeper *k)
{
    struct rlimit limit;
    if (!k->set_nofile || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = k->nofile < limit.rlim_max ? k->nofile : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static _Noreturn void run_command(const struct keeper *k, pid_t keeper_pid)
{
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper_pid)
        _exit(KEEPER_EXIT_CANNOT_RUN); /* the keeper died before that took hold */
    closefrom(STDERR_FILENO + 1);
    reset_nofile(k);
    if (k->dir && chdir(k->dir) != 0)
        fail(KEEPER_EXIT_CANNOT_RUN, "cannot enter the folder", k->dir, strerror(errno));
    reset_signals();
    (void)execvp(k->command[0], k->command);
    int error = errno;
    const char *path = getenv("PATH");
    if (error == ENOENT && !strchr(k->command[0], '/')) {
        dprintf(STDERR_FILENO, KEEPER_PROGRAM ": cannot run '%s': not found in PATH=%s\n", k->command[0],
                path ? path : "");
        _exit(KEEPER_EXIT_NOT_FOUND);
    }
    fail(error == ENOENT ? KEEPER_EXIT_NOT_FOUND : KEEPER_EXIT_CANNOT_RUN, "cannot run", k->command[0],
         strerror(error));
}

/* ---- the keeper's side ---- */

/* From here on no signal ends the keeper half-way: the ones it handles are read from a descriptor. */
static void take_signals(struct keeper *k)
{
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    sigset_t wanted;
    sigemptyset(&wanted);
    static const int list[] = {SIGCHLD, KEEPER_SIGNAL_TERM, KEEPER_SIGNAL_KILL, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        sigaddset(&wanted, list[i]);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, it would lose us the exit status */
    k->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (k->signal_fd < 0)
        fail(KEEPER_EXIT_CANNOT_RUN, "cannot watch over", k->command[0], strerror(errno));
}

static bool lifeline_ended(void)
{
    char byte;
    ssize_t got = recv(KEEPER_LIFELINE_FD, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

static void start_command(struct keeper *k)
{
    if (lifeline_ended())
        _exit(KEEPER_EXIT_CANNOT_RUN);
    pid_t self = getpid();
    k->pid = fork();
    if (k->pid == 0)
        run_command(k, self);
    if (k->pid < 0)
        fail(KEEPER_EXIT_CANNOT_RUN, "cannot fork for", k->command[0], strerror(errno));
    char text[32];
    int len = snprintf(text, sizeof(text), "%d\n", (int)k->pid);
    (void)send(KEEPER_LIFELINE_FD, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The pipes belong to the command alone, and no file system is kept busy. */
static void release_files(void)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (null_fd < 0 || dup2(null_fd, fd) < 0)
            (void)close(fd);
    }
    if (null_fd > STDERR_FILENO)
        (void)close(null_fd);
    (void)!chdir("/");
}

static void signal_command(const struct keeper *k, int sig)
{
    /* Until the command has called setsid there is no such group; it is not reaped yet, so its pid is its
     * own. */
    if (kill(-k->pid, sig) != 0)
        (void)kill(k->pid, sig);
}

/* Reaps all but the command, which stays a zombie: its pid, which is its group's id, must not be reused
 * before the group was killed. True once it is one. */
static bool command_exited(const struct keeper *k)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return false;
        if (info.si_pid == k->pid)
            return true;
        (void)waitpid(info.si_pid, NULL, 0);
    }
}

/* True when everything must be killed now. */
static bool read_signals(struct keeper *k)
{
    struct signalfd_siginfo info;
    while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if ((int)info.ssi_signo == KEEPER_SIGNAL_KILL)
            return true;
        if (info.ssi_signo != SIGCHLD)
            signal_command(k, SIGTERM);
    }
    if (!k->relay_gone && lifeline_ended()) {
        k->relay_gone = true;
        k->step_began_ms = now_ms();
    }
    return false;
}

/* Milliseconds until the next step after the relay's death, -1 while it lives; 0 when everything must be
 * killed now. */
static int orphan_step(struct keeper *k)
{
    if (!k->relay_gone)
        return -1;
    uint64_t passed = now_ms() - k->step_began_ms;
    if (passed < KEEPER_ORPHAN_MS)
        return (int)(KEEPER_ORPHAN_MS - passed);
    if (k->term_sent)
        return 0;
    signal_command(k, SIGTERM);
    k->term_sent = true;
    k->step_began_ms = now_ms();
    return KEEPER_ORPHAN_MS;
}

/* Until the command has exited, or must be killed. Signals are read before the command is checked: a
 * SIGCHLD that came with them must not be lost. */
static void watch(struct keeper *k)
{
    for (;;) {
        if (read_signals(k) || command_exited(k))
            return;
        int wait_ms = orphan_step(k);
        if (wait_ms == 0)
            return;
        struct pollfd fds[2] = {{.fd = k->signal_fd, .events = POLLIN},
                                {.fd = k->relay_gone ? -1 : KEEPER_LIFELINE_FD, .events = POLLIN}};
        (void)poll(fds, 2, wait_ms);
    }
}

/* ---- the end ---- */

/* True while there are children. */
static bool reap_all(struct keeper *k)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0)
            return true;
        if (pid < 0)
            return false;
        if (pid == k->pid)
            k->status = status;
    }
}

/* Orphaned descendants become children of the keeper, so killing its own children again and again reaches
 * all of them. True when some could be killed, or none was listed yet. */
static bool kill_children(void)
{
    pid_t pids[ROUND_MAX];
    int n = proc_children(pids, ROUND_MAX);
    bool some = n == 0;
    for (int i = 0; i < n; i++) {
        if (kill(pids[i], SIGKILL) == 0)
            some = true;
    }
    return some;
}

/* False when the round passed without a signal. */
static bool wait_for_child(const struct keeper *k)
{
    struct pollfd p = {.fd = k->signal_fd, .events = POLLIN};
    (void)poll(&p, 1, ROUND_MS);
    struct signalfd_siginfo info;
    bool some = false;
    while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        some = true;
    return some;
}

/* Rounds are counted and not time: a keeper that was stopped has not waited. */
static void end_everything(struct keeper *k)
{
    signal_command(k, SIGKILL);
    int stuck_rounds = 0;
    while (reap_all(k)) {
        if (kill_children())
            stuck_rounds = 0;
        else if (stuck_rounds >= GIVE_UP_MS / ROUND_MS)
            return;
        if (!wait_for_child(k))
            stuck_rounds++;
    }
}

static _Noreturn void exit_like(int status)
{
    if (WIFSIGNALED(status)) {
        struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        reset_signals();
        (void)kill(getpid(), WTERMSIG(status));
        _exit(128 + WTERMSIG(status)); /* only a signal that does not end a process comes here */
    }
    _exit(WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    struct keeper k = {0};
    parse_args(&k, argc, argv);
    (void)prctl(PR_SET_NAME, KEEPER_TITLE);
    (void)prctl(PR_SET_PDEATHSIG, SIGCONT); /* a keeper that stands still sees the relay's death, too */
    closefrom(KEEPER_LIFELINE_FD + 1);
    (void)setsid(); /* fails when the relay has done it for us */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        fail(KEEPER_EXIT_CANNOT_RUN, "cannot watch over", k.command[0], strerror(errno));
    take_signals(&k);
    start_command(&k);
    release_files();
    watch(&k);
    end_everything(&k);
    exit_like(k.status);
}
