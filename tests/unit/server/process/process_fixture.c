#include "tests/unit/server/process/process_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_MS 60000

uint64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t time_scale(void)
{
    const char *text = getenv("TEST_TIME_SCALE");
    unsigned long scale = text ? strtoul(text, NULL, 10) : 1;
    return scale > 0 && scale < 100 ? scale : 1;
}

static void on_tick(uv_timer_t *t)
{
    (void)t;
}

static void on_tick_closed(uv_handle_t *tick)
{
    free(tick);
}

/* Nothing more happens on the loop once the condition holds: the tick is closed by the next iteration,
 * whichever call runs it. */
void run_until(struct loop *loop, condition_cb *condition, void *data)
{
    uint64_t end_ms = wall_ms() + LIMIT_MS * time_scale();
    uv_timer_t *tick = malloc(sizeof(*tick)); /* so that an iteration ends even without an event */
    assert_non_null(tick);
    assert_int_equal(uv_timer_init(&loop->uv, tick), 0);
    assert_int_equal(uv_timer_start(tick, on_tick, 5, 5), 0);
    bool held = condition(data);
    while (!held && wall_ms() < end_ms) {
        (void)uv_run(&loop->uv, UV_RUN_ONCE);
        held = condition(data);
    }
    uv_close((uv_handle_t *)tick, on_tick_closed);
    assert_true(held);
}

void wait_until(condition_cb *condition, void *data)
{
    uint64_t end_ms = wall_ms() + LIMIT_MS * time_scale();
    while (!condition(data)) {
        assert_true(wall_ms() < end_ms);
        (void)usleep(2000);
    }
}

const char *new_mark(void)
{
    static char mark[64];
    static unsigned serial;
    (void)snprintf(mark, sizeof(mark), "mark-%d-%u-%llu", (int)getpid(), ++serial,
                   (unsigned long long)wall_ms());
    return mark;
}

/* Reads a file of /proc; the length, 0 when the process has ended. */
static size_t read_proc(const char *pid, const char *name, char *ret_text, size_t max)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, ret_text, max - 1);
    (void)close(fd);
    ret_text[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

/* An argument of its own; the keeper, which shows the command's arguments after "--", does not count. */
static bool has_argument(const char *args, size_t len, const char *mark)
{
    bool found = false;
    for (size_t i = 0; i < len; i += strlen(args + i) + 1) {
        if (strcmp(args + i, "--") == 0)
            return false;
        found = found || strcmp(args + i, mark) == 0;
    }
    return found;
}

static bool is_marked(const char *pid, const char *mark, pid_t *ret_parent)
{
    char args[8192];
    char stat[512];
    size_t len = read_proc(pid, "cmdline", args, sizeof(args));
    if (len == 0 || !has_argument(args, len, mark) || read_proc(pid, "stat", stat, sizeof(stat)) == 0)
        return false;
    const char *end = strrchr(stat, ')');
    if (!end || end[2] == 'Z' || end[2] == 'X')
        return false;
    *ret_parent = (pid_t)strtol(end + 4, NULL, 10);
    return true;
}

static size_t find_marked(const char *mark, pid_t parent, pid_t *ret_first)
{
    DIR *all = opendir("/proc");
    assert_non_null(all);
    size_t count = 0;
    size_t seen = 0;
    const struct dirent *entry;
    while ((entry = readdir(all))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        seen++;
        pid_t its_parent;
        if (!is_marked(entry->d_name, mark, &its_parent) || (parent != 0 && its_parent != parent))
            continue;
        if (count++ == 0)
            *ret_first = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    (void)closedir(all);
    assert_true(seen > 0);
    return count;
}

size_t count_marked(const char *mark)
{
    pid_t first = 0;
    return find_marked(mark, 0, &first);
}

bool none_marked(void *mark)
{
    return count_marked(mark) == 0;
}

pid_t find_marked_child(const char *mark, pid_t parent)
{
    pid_t first = 0;
    (void)find_marked(mark, parent, &first);
    return first;
}

size_t open_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    assert_non_null(all);
    size_t count = 0;
    while (readdir(all))
        count++;
    (void)closedir(all);
    return count;
}

const char *tests_dir(void)
{
    static char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    assert_true(len > 0);
    path[len] = '\0';
    /* Under valgrind /proc/self/exe is valgrind's own idea of it, and right. TESTS/unit/FOLDER/test_x. */
    char *below = NULL;
    for (char *at = path; (at = strstr(at, "/unit/")); at++)
        below = at;
    assert_non_null(below);
    *below = '\0';
    return path;
}

static const char *join(char *ret_path, const char *dir, const char *name)
{
    int len = snprintf(ret_path, PATH_MAX, "%s/%s", dir, name);
    assert_true(len > 0 && len < PATH_MAX);
    return ret_path;
}

const char *bin_dir(void)
{
    static char path[PATH_MAX];
    return join(path, tests_dir(), "../bin");
}

const char *keeper_program(void)
{
    static char path[PATH_MAX];
    return join(path, bin_dir(), "agent-relay-keeper");
}

const char *forker_program(void)
{
    static char path[PATH_MAX];
    return join(path, tests_dir(), "forker");
}
