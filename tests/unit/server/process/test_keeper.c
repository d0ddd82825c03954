/* The keeper as a program, started the way the relay starts it: pipes on 0 to 2, the lifeline on 3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/process/keeper.h"
#include "server/process/proc.h"
#include "tests/unit/server/process/process_fixture.h"

struct run {
    pid_t keeper;
    int in_fd;
    int out_fd;
    int err_fd;
    int lifeline_fd;
};

static void into(int fd, int target)
{
    if (dup2(fd, target) < 0)
        _exit(99);
}

/* `args` begins with the keeper's own options. */
static struct run start(const char *const *args)
{
    int in[2], out[2], err[2], life[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life), 0);
    char *argv[24] = {strdup("agent-relay-keeper")};
    for (size_t i = 0; i < 22 && args[i]; i++)
        argv[i + 1] = strdup(args[i]);
    const char *program = keeper_program();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        into(life[1], 20);
        into(in[0], 0);
        into(out[1], 1);
        into(err[1], 2);
        into(20, KEEPER_LIFELINE_FD);
        (void)execv(program, argv);
        _exit(98);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    (void)close(err[1]);
    (void)close(life[1]);
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    return (struct run){pid, in[1], out[0], err[0], life[0]};
}

static int finish(struct run *r)
{
    int status;
    assert_int_equal(waitpid(r->keeper, &status, 0), r->keeper);
    const int fds[] = {r->in_fd, r->out_fd, r->err_fd, r->lifeline_fd};
    for (size_t i = 0; i < 4; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    return status;
}

static size_t read_all(int fd, char *ret_text, size_t max)
{
    size_t len = 0;
    ssize_t got;
    while (len < max - 1 && (got = read(fd, ret_text + len, max - 1 - len)) > 0)
        len += (size_t)got;
    ret_text[len] = '\0';
    return len;
}

/* The first line of the forker's stdout: its descendants are there. */
static void await_forked(const struct run *r)
{
    char byte = 0;
    while (byte != '\n')
        assert_int_equal(read(r->out_fd, &byte, 1), 1);
}

static pid_t command_pid(const struct run *r)
{
    char text[32];
    ssize_t got = recv(r->lifeline_fd, text, sizeof(text) - 1, 0);
    assert_true(got > 1);
    assert_int_equal(text[got - 1], '\n');
    text[got] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

static void test_exits_as_the_command(void **state)
{
    (void)state;
    const char *exit5[] = {"--", "sh", "-c", "exit 5", NULL};
    struct run r = start(exit5);
    int status = finish(&r);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    static const char *const signals[] = {"TERM", "KILL", "SEGV", "USR1", "PIPE", "ABRT"};
    static const int numbers[] = {SIGTERM, SIGKILL, SIGSEGV, SIGUSR1, SIGPIPE, SIGABRT};
    for (size_t i = 0; i < 6; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "kill -%s $$", signals[i]);
        const char *args[] = {"--", "sh", "-c", text, NULL};
        r = start(args);
        status = finish(&r);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), numbers[i]);
        assert_false(WCOREDUMP(status));
    }
}

static void check_cannot_run(const char *const *args, int want_status, const char *want_text)
{
    struct run r = start(args);
    char text[8192];
    (void)read_all(r.err_fd, text, sizeof(text));
    int status = finish(&r);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want_status);
    if (!strstr(text, want_text))
        fail_msg("'%s' is not in '%s'", want_text, text);
}

static void test_says_why_it_cannot_run(void **state)
{
    (void)state;
    const char *unknown[] = {"--", "no-such-command-here", NULL};
    check_cannot_run(unknown, 127,
                     "agent-relay-keeper: cannot run 'no-such-command-here': not found in PATH=");
    const char *missing[] = {"--", "/no/such/file", NULL};
    check_cannot_run(missing, 127,
                     "agent-relay-keeper: cannot run '/no/such/file': No such file or directory\n");
    const char *no_program[] = {"--", "/etc/passwd", NULL};
    check_cannot_run(no_program, 126, "agent-relay-keeper: cannot run '/etc/passwd': Permission denied\n");
    const char *no_folder[] = {"-d", "/no/such/folder", "--", "true", NULL};
    check_cannot_run(no_folder, 126,
                     "cannot enter the folder '/no/such/folder': No such file or directory\n");
    const char *no_command[] = {"--", NULL};
    check_cannot_run(no_command, 2, "usage: agent-relay-keeper");
    const char *no_number[] = {"-n", "many", "--", "true", NULL};
    check_cannot_run(no_number, 2, "usage: agent-relay-keeper");
}

/* What the command sees: folder, limit, signals, a session of its own, and no descriptor beyond the three. */
static void test_surroundings(void **state)
{
    (void)state;
    assert_true(fcntl(STDIN_FILENO, F_DUPFD, 50) >= 50); /* inheritable */
    (void)signal(SIGPIPE, SIG_IGN);
    static const char script[] =
        "pwd; ulimit -n; ls /proc/$$/fd; cut -d' ' -f1,5,6 /proc/$$/stat; echo $$; exec grep -E '^Sig(Blk|Ign)' /proc/self/status";
    const char *args[] = {"-n", "77", "-d", "/usr", "--", "sh", "-c", script, NULL};
    struct run r = start(args);
    char text[4096];
    (void)read_all(r.out_fd, text, sizeof(text));
    pid_t pid = command_pid(&r);
    assert_int_equal(finish(&r), 0);
    char want[256];
    (void)snprintf(want, sizeof(want),
                   "/usr\n77\n0\n1\n2\n%d %d %d\n%d\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
                   pid, pid, pid, pid);
    assert_string_equal(text, want);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)close(50);
}

static bool has_exited(void *data)
{
    const pid_t *pid = data;
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == *pid;
}

/* When the command closes a pipe, its other end sees the end of file: no other process holds it. */
static void test_keeps_no_pipe(void **state)
{
    (void)state;
    const char *args[] = {"--", "sh", "-c", "exec >&- 2>&-; cat >/dev/null", NULL};
    struct run r = start(args);
    char text[64];
    assert_int_equal(read_all(r.out_fd, text, sizeof(text)), 0);
    assert_int_equal(read_all(r.err_fd, text, sizeof(text)), 0);
    assert_false(has_exited(&r.keeper));
    (void)close(r.in_fd);
    r.in_fd = -1;
    assert_int_equal(finish(&r), 0);
}

static struct run start_forker(const char *mark, const char *option, const char *option2)
{
    char copy[64];
    char program[4096];
    (void)snprintf(copy, sizeof(copy), "%s", mark);
    (void)snprintf(program, sizeof(program), "%s", forker_program());
    const char *args[] = {"--", program, copy, option, option2, NULL};
    struct run r = start(args);
    await_forked(&r);
    assert_int_equal(count_marked(mark), 5);
    return r;
}

static void test_command_exit_ends_all(void **state)
{
    (void)state;
    const char *mark = new_mark();
    struct run r = start_forker(mark, "exit=7", NULL);
    (void)close(r.in_fd);
    r.in_fd = -1;
    int status = finish(&r);
    assert_int_equal(count_marked(mark), 0); /* at once: the keeper goes last */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_command_killed_ends_all(void **state)
{
    (void)state;
    const char *mark = new_mark();
    struct run r = start_forker(mark, "stay", NULL);
    assert_int_equal(kill(command_pid(&r), SIGKILL), 0);
    int status = finish(&r);
    assert_int_equal(count_marked(mark), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_term_is_passed_on(void **state)
{
    (void)state;
    const char *mark = new_mark();
    struct run r = start_forker(mark, "stay", NULL);
    assert_int_equal(kill(r.keeper, KEEPER_SIGNAL_TERM), 0);
    int status = finish(&r);
    assert_int_equal(count_marked(mark), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void test_kill_order_ends_all(void **state)
{
    (void)state;
    const char *mark = new_mark();
    struct run r = start_forker(mark, "stay", "deaf");
    assert_int_equal(kill(r.keeper, KEEPER_SIGNAL_KILL), 0);
    int status = finish(&r);
    assert_int_equal(count_marked(mark), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Dead relay: SIGTERM after one second, so the polite one has ended then; the deaf one is killed after
 * two. */
static void test_lifeline_ends(void **state)
{
    (void)state;
    const char *mark = new_mark();
    struct run r = start_forker(mark, "stay", NULL);
    uint64_t since_ms = wall_ms();
    (void)close(r.lifeline_fd);
    r.lifeline_fd = -1;
    int status = finish(&r);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_true(wall_ms() - since_ms >= KEEPER_ORPHAN_MS - 1);
    assert_int_equal(count_marked(mark), 0);
    mark = new_mark();
    r = start_forker(mark, "stay", "deaf");
    since_ms = wall_ms();
    (void)close(r.lifeline_fd);
    r.lifeline_fd = -1;
    status = finish(&r);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(wall_ms() - since_ms >= 2 * KEEPER_ORPHAN_MS - 1);
    assert_int_equal(count_marked(mark), 0);
}

/* How often the process has gone to sleep. */
static unsigned long sleeps_of(pid_t pid)
{
    char path[64];
    char line[128];
    unsigned long sleeps = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
            sleeps = strtoul(line + 24, NULL, 10);
    }
    (void)fclose(f);
    return sleeps;
}

/* Stopped for longer than both waits, the keeper still gives the command the time after SIGTERM. */
static void test_stopped_keeper(void **state)
{
    (void)state;
    const char *mark = new_mark();
    struct run r = start_forker(mark, "stay", NULL);
    unsigned long sleeps = sleeps_of(r.keeper);
    (void)close(r.lifeline_fd);
    r.lifeline_fd = -1;
    while (sleeps_of(r.keeper) == sleeps) /* until it has taken notice, and waits */
        (void)poll(NULL, 0, 1);
    assert_int_equal(kill(r.keeper, SIGSTOP), 0);
    int status;
    assert_int_equal(waitpid(r.keeper, &status, WUNTRACED), r.keeper);
    assert_true(WIFSTOPPED(status));
    uint64_t since_ms = wall_ms();
    while (wall_ms() - since_ms < 3 * KEEPER_ORPHAN_MS)
        (void)poll(NULL, 0, KEEPER_ORPHAN_MS / 10);
    assert_int_equal(kill(r.keeper, SIGCONT), 0);
    status = finish(&r);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM); /* and not SIGKILL */
    assert_int_equal(count_marked(mark), 0);
}

/* The relay died before the keeper could check: the command must not even start. */
static void test_dead_before_the_start(void **state)
{
    (void)state;
    char file[] = "/tmp/test_keeper.XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    (void)close(fd);
    int life[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life), 0);
    (void)close(life[0]);
    const char *program = keeper_program();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        into(life[1], KEEPER_LIFELINE_FD);
        (void)execl(program, "agent-relay-keeper", "--", "rm", file, (char *)NULL);
        _exit(98);
    }
    (void)close(life[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), KEEPER_EXIT_CANNOT_RUN);
    assert_int_equal(unlink(file), 0);
}

/* kill -9 of the keeper: the kernel kills the command, its descendants fall to us. */
static void test_keeper_killed(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    const char *mark = new_mark();
    struct run r = start_forker(mark, "stay", "deaf");
    assert_int_equal(kill(r.keeper, SIGKILL), 0);
    int status = finish(&r);
    assert_true(WIFSIGNALED(status));
    pid_t orphans[16];
    int n;
    while ((n = proc_children(orphans, 16)) > 0) {
        assert_true(n <= 6); /* with the one in the middle of the double fork, which is not reaped */
        for (int i = 0; i < n; i++)
            assert_int_equal(kill(orphans[i], SIGKILL), 0);
        assert_true(waitpid(-1, NULL, 0) > 0);
    }
    assert_int_equal(n, 0);
    assert_int_equal(count_marked(mark), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static int compare_pids(const void *a, const void *b)
{
    return *(const pid_t *)a - *(const pid_t *)b;
}

static void test_both_ways_to_find_children(void **state)
{
    (void)state;
    pid_t listed[8], scanned[8], started[4];
    for (size_t i = 0; i < 4; i++) {
        started[i] = fork();
        assert_true(started[i] >= 0);
        if (started[i] == 0) {
            (void)pause();
            _exit(0);
        }
    }
    assert_int_equal(proc_children_scanned(scanned, 8), 4);
    int n = proc_children_listed(listed, 8);
    qsort(scanned, 4, sizeof(scanned[0]), compare_pids);
    qsort(started, 4, sizeof(started[0]), compare_pids);
    assert_memory_equal(scanned, started, sizeof(started));
    assert_int_equal(proc_children_scanned(scanned, 2), 2);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(kill(started[i], SIGKILL), 0);
        assert_int_equal(waitpid(started[i], NULL, 0), started[i]);
    }
    if (n == -ENOENT)
        skip(); /* this kernel was built without CONFIG_PROC_CHILDREN */
    assert_int_equal(n, 4);
    qsort(listed, 4, sizeof(listed[0]), compare_pids);
    assert_memory_equal(listed, started, sizeof(started));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exits_as_the_command),
        cmocka_unit_test(test_says_why_it_cannot_run),
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_keeps_no_pipe),
        cmocka_unit_test(test_command_exit_ends_all),
        cmocka_unit_test(test_command_killed_ends_all),
        cmocka_unit_test(test_term_is_passed_on),
        cmocka_unit_test(test_kill_order_ends_all),
        cmocka_unit_test(test_lifeline_ends),
        cmocka_unit_test(test_dead_before_the_start),
        cmocka_unit_test(test_stopped_keeper),
        cmocka_unit_test(test_keeper_killed),
        cmocka_unit_test(test_both_ways_to_find_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
