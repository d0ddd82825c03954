/* Starts a child's keeper.
 *
 * Happy path: three pipes and the lifeline -> the environment -> the keeper's arguments -> posix_spawn, with
 * the child's ends on 0 to 3. posix_spawn, since a fork copies the page tables of a large relay (40 ms for 1
 * GB) and this does not. Pipes, since a socket pair breaks children that open /dev/stdin and holds little.
 *
 * Failure modes: no descriptors, no memory, no process, no keeper: the negative errno value, and everything
 * is undone. A pipe that cannot be enlarged (unprivileged users have a quota) works as it is.
 */
#include "server/process/child_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/process/child_env.h"
#include "server/process/keeper.h"

/* Holds the answers of one loop iteration; the kernel's default of 64 KiB halves the throughput. */
#define PIPE_BYTES (256 << 10)

enum { IN, OUT, ERR, LIFELINE, PAIRS };

/* ours[i] stays, theirs[i] becomes the keeper's descriptor i. */
struct pairs {
    int ours[PAIRS];
    int theirs[PAIRS];
};

static void close_fds(int *fds)
{
    for (int i = 0; i < PAIRS; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

/* The keeper's descriptors are put in place one after the other: none may have a number that another one
 * will get. */
static int lift(int *fd)
{
    if (*fd > KEEPER_LIFELINE_FD)
        return 0;
    int higher = fcntl(*fd, F_DUPFD_CLOEXEC, KEEPER_LIFELINE_FD + 1);
    if (higher < 0)
        return -errno;
    (void)close(*fd);
    *fd = higher;
    return 0;
}

static int open_pair(struct pairs *p, int i)
{
    int fds[2];
    int rc = i == LIFELINE ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : pipe2(fds, O_CLOEXEC);
    if (rc != 0)
        return -errno;
    if (i != LIFELINE)
        (void)fcntl(fds[0], F_SETPIPE_SZ, PIPE_BYTES);
    p->theirs[i] = fds[i == IN ? 0 : 1];
    p->ours[i] = fds[i == IN ? 1 : 0];
    rc = lift(&p->theirs[i]);
    return rc != 0 ? rc : lift(&p->ours[i]);
}

static int open_pairs(struct pairs *ret_pairs)
{
    struct pairs p = {{-1, -1, -1, -1}, {-1, -1, -1, -1}};
    for (int i = 0; i < PAIRS; i++) {
        int rc = open_pair(&p, i);
        if (rc != 0) {
            close_fds(p.ours);
            close_fds(p.theirs);
            return rc;
        }
    }
    *ret_pairs = p;
    return 0;
}

/* KEEPER_TITLE [-n N] [-d DIR] -- COMMAND ARG... NULL; the strings are borrowed. */
static char **make_args(const struct child_spec *spec, char *soft_nofile)
{
    const struct server_config *config = spec->instance.config;
    size_t count = 0;
    while (config->args && config->args[count])
        count++;
    static char title[] = KEEPER_TITLE, n[] = "-n", d[] = "-d", end[] = "--";
    char **args = mem_alloc((count + 8) * sizeof(*args));
    if (!args)
        return NULL;
    size_t i = 0;
    args[i++] = title;
    if (spec->soft_nofile > 0) {
        args[i++] = n;
        args[i++] = soft_nofile;
    }
    if (config->cwd) {
        args[i++] = d;
        args[i++] = config->cwd;
    }
    args[i++] = end;
    args[i++] = config->command;
    for (size_t k = 0; k < count; k++)
        args[i++] = config->args[k];
    args[i] = NULL;
    return args;
}

/* The keeper begins with every signal blocked, so that none ends it before it has looked around, in a session
 * of its own, so that a terminal's Ctrl-C is the relay's alone. */
static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t all;
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attr, &all);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attr, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attr,
                                      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    return rc;
}

static int set_actions(posix_spawn_file_actions_t *actions, const struct pairs *p)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < PAIRS; i++)
        rc = posix_spawn_file_actions_adddup2(actions, p->theirs[i], i);
    return rc;
}

/* posix_spawn and its functions return positive errno values. */
static int spawn_keeper(const char *keeper, const struct pairs *p, char **args, char **env, pid_t *ret_pid)
{
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    int rc = posix_spawnattr_init(&attr);
    if (rc != 0)
        return -rc;
    rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        goto out_attr;
    rc = set_attributes(&attr);
    if (rc == 0)
        rc = set_actions(&actions, p);
    if (rc == 0)
        rc = posix_spawn(ret_pid, keeper, &actions, &attr, args, env);
    (void)posix_spawn_file_actions_destroy(&actions);
out_attr:
    (void)posix_spawnattr_destroy(&attr);
    return -rc;
}

int child_spawn(const struct child_spec *spec, struct child_process *ret_process)
{
    struct pairs p;
    int rc = open_pairs(&p);
    if (rc != 0)
        return rc;
    char soft_nofile[32];
    (void)snprintf(soft_nofile, sizeof(soft_nofile), "%llu", (unsigned long long)spec->soft_nofile);
    char **env = NULL;
    char **args = make_args(spec, soft_nofile);
    rc = args ? child_env_make(spec->instance.config, spec->environ, &env) : -ENOMEM;
    pid_t pid = 0;
    if (rc == 0)
        rc = spawn_keeper(spec->keeper, &p, args, env, &pid);
    mem_free(env);
    mem_free(args);
    close_fds(p.theirs);
    if (rc != 0) {
        close_fds(p.ours);
        return rc;
    }
    *ret_process = (struct child_process){.keeper_pid = pid,
                                          .in_fd = p.ours[IN],
                                          .out_fd = p.ours[OUT],
                                          .err_fd = p.ours[ERR],
                                          .lifeline_fd = p.ours[LIFELINE]};
    return 0;
}
