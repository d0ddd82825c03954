/* The program agent-mock itself, run as a child: reproducible to the byte, its options, its exit codes, and
 * its manners on a pipe. The program is looked for beside this test: bin/agent-mock of the same build. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char program[4096];

#define MAX_WORDS 16

/* The child's side: its descriptors are set, then it becomes the program. */
static void become(const char *options, int in, int out, bool with_stderr)
{
    static char words[1000];
    char *argv[MAX_WORDS + 2] = {program};
    size_t count = 1;
    (void)snprintf(words, sizeof(words), "%s", options);
    for (char *at = words; *at && count <= MAX_WORDS;) {
        argv[count++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    int null = open("/dev/null", O_WRONLY);
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(with_stderr ? out : null, 2) == 2)
        execv(program, argv);
    _exit(127);
}

static int exit_code(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Runs agent-mock with the options (words between single blanks) and `input` on stdin; what comes on stdout
 * (and stderr, when asked) into `ret_out`. */
static int run(const char *options, const char *input, bool with_stderr, char *ret_out, size_t size)
{
    int in = memfd_create("in", MFD_CLOEXEC), result = memfd_create("out", MFD_CLOEXEC);
    assert_true(in >= 0 && result >= 0);
    assert_int_equal(write(in, input, strlen(input)), strlen(input));
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become(options, in, result, with_stderr);
    int code = exit_code(pid);
    ssize_t len = pread(result, ret_out, size - 1, 0);
    assert_true(len >= 0);
    ret_out[len] = '\0';
    close(in);
    close(result);
    return code;
}

static char out[200000], again[200000];

/* Calls that run at once, with steps that fall together. */
#define SLOW(id, steps, ms)                                                                                  \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                        \
    ",\"method\":\"tools/call\",\"params\":{\"name\":\"slow\",\"arguments\":{\"steps\":" steps               \
    ",\"stepMs\":" ms "},\"_meta\":{\"progressToken\":" id "}}}\n"

static const char session[] =
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"coder\"}}}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"task_orchestrate\",\"arguments\":{\"task\":\"t\"}}}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"agent_list\"}}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/"
    "call\",\"params\":{\"name\":\"slow\",\"arguments\":{\"steps\":3,\"stepMs\":2},\"_meta\":{\"progressToken\":0}}}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"tools/call\",\"params\":{\"name\":\"visualization.snapshot\"}}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"metrics.get\"}}\n" SLOW(
        "8", "2", "3") SLOW("9", "3", "2") SLOW("10", "1", "0");

static void two_runs_give_the_same_bytes(void **state)
{
    (void)state;
    static const char options[] = "--seed 42 --now 2026-01-01T00:05:00Z --at 300";
    assert_int_equal(run(options, session, true, out, sizeof(out)), 0);
    assert_int_equal(run(options, session, true, again, sizeof(again)), 0);
    assert_true(strlen(out) > 10000);
    assert_string_equal(out, again);
    assert_int_equal(
        run("--seed 43 --now 2026-01-01T00:05:00Z --at 300", session, true, again, sizeof(again)), 0);
    assert_string_not_equal(out, again);
    assert_int_equal(run("--seed 42 --now 2026-01-01T00:05:00Z", session, true, again, sizeof(again)), 0);
    assert_string_not_equal(out, again);
}

/* Written down once: no machine, compiler or sanitizer may give another. */
static void the_bytes_are_known(void **state)
{
    (void)state;
    assert_int_equal(
        run("--seed 42 --now 2026-01-01T00:05:00Z --at 300",
            "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"agents/list\",\"params\":{\"type\":\"coder\"}}\n",
            true, out, sizeof(out)),
        0);
    assert_string_equal(
        out,
        "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"agents\":[{\"id\":\"coder-001\",\"type\":"
        "\"coder\",\"name\":\"Code "
        "Developer\",\"status\":\"active\",\"activity\":\"Looking for a bug\",\"health\":86,\"capabilities\":[\"implementation\",\"refactoring\",\"debugging\"],\"swarmId\":\"swarm_1767225600000_tu2wvqz6z\",\"createdAt\":\"2026-01-01T00:00:00.000Z\",\"lastActivity\":\"2026-01-01T00:04:58.729Z\",\"metrics\":{\"tasksCompleted\":35,\"tasksActive\":1,\"tasksFailed\":2,\"successRate\":0.946,\"cpuUsage\":0.416,\"memoryUsage\":0.702,\"workload\":0.514,\"tokens\":45926},\"source\":\"mock\",\"mock\":true}],\"mock\":true}}\n");
}

static void without_now_the_clock_runs(void **state)
{
    (void)state;
    assert_int_equal(
        run("", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agents/list\"}\n", true, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "coordinator-001"));
    assert_null(strstr(out, "1970-01-01"));
}

static void options_are_checked(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"--seed", "agent-mock: --seed needs a value: --seed N"},
        {"--seed x", "agent-mock: --seed is \"x\"; write a whole number"},
        {"--seed -1", "agent-mock: --seed is \"-1\"; write a whole number"},
        {"--seed 18446744073709551616", "write a whole number"},
        {"--now today", "agent-mock: --now is \"today\"; write a time"},
        {"--at 1.5", "agent-mock: --at is \"1.5\"; write a number of seconds"},
        {"--at 99999999999", "write a number of seconds"},
        {"--nonsense", "agent-mock: there is no flag --nonsense; try agent-mock --help"},
        {"--sed 1", "agent-mock: there is no flag --sed; did you mean --seed?"},
        {"word", "agent-mock: \"word\" is not expected here; try agent-mock --help"},
        {"--agents /no/such/file", "agent-mock: /no/such/file: No such file or directory"},
        {"--cast /no/such/file", "agent-mock: /no/such/file: No such file or directory"},
        {"--agents /etc/passwd", "agent-mock: /etc/passwd: line 1: not well-formed"},
        {"--agents /dev/null", "agent-mock: /dev/null: not a plain file"},
        {"--agents /", "agent-mock: /: "},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(run(bad[i][0], "", true, out, sizeof(out)), 2);
        if (!strstr(out, bad[i][1]))
            fail_msg("%s said: %s", bad[i][0], out);
        assert_int_equal(run(bad[i][0], "", false, out, sizeof(out)), 2);
        assert_string_equal(out, ""); /* nothing on stdout, where only messages belong */
    }
    assert_int_equal(run("--help", "", false, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "--seed N"));
    assert_int_equal(run("--version", "", false, out, sizeof(out)), 0);
    assert_int_equal(strncmp(out, "agent-mock ", 11), 0);
    assert_int_equal(run("--seed 18446744073709551615", "", true, out, sizeof(out)), 0);
    assert_string_equal(out, "");
}

static void a_cast_from_a_file(void **state)
{
    (void)state;
    char options[200], file[] = "/tmp/agent-mock-cast-XXXXXX";
    static const char cast[] = "// one\n{\"agents\":[{\"id\":\"x-1\",\"name\":\"X\",\"type\":\"poet\",}]}\n";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, cast, sizeof(cast) - 1), sizeof(cast) - 1);
    close(fd);
    (void)snprintf(options, sizeof(options), "--agents %s", file);
    int code =
        run(options, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agents/list\"}\n", true, out, sizeof(out));
    unlink(file);
    assert_int_equal(code, 0);
    assert_non_null(strstr(out, "\"type\":\"poet\""));
    assert_null(strstr(out, "coder"));
}

/* Answers come while the input is still open, and the program ends when it closes. */
static void answers_at_once_on_a_pipe(void **state)
{
    (void)state;
    int in[2], answers[2];
    static const char ping[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    char line[200];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(answers), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(in[1]);
        close(answers[0]);
        become("", in[0], answers[1], true);
    }
    close(in[0]);
    close(answers[1]);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(write(in[1], ping, sizeof(ping) - 1), sizeof(ping) - 1);
        ssize_t got = read(answers[0], line, sizeof(line) - 1);
        assert_true(got > 0);
        line[got] = '\0';
        assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    }
    close(in[1]);
    assert_int_equal(read(answers[0], line, sizeof(line)), 0);
    assert_int_equal(exit_code(pid), 0);
    close(answers[0]);
}

static int find_program(void)
{
    char self[3000];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len < 0)
        return -errno;
    self[len] = '\0';
    (void)snprintf(program, sizeof(program), "%s/../../../bin/agent-mock", dirname(self));
    return access(program, X_OK) == 0 ? 0 : -errno;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_runs_give_the_same_bytes), cmocka_unit_test(the_bytes_are_known),
        cmocka_unit_test(without_now_the_clock_runs),   cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_cast_from_a_file),           cmocka_unit_test(answers_at_once_on_a_pipe),
    };
    if (find_program() != 0) {
        fprintf(stderr, "%s: not there; build it first\n", program);
        return 1;
    }
    return cmocka_run_group_tests_name("agent-mock", tests, NULL, NULL);
}
