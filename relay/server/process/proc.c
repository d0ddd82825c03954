/* The children of this process, from /proc.
 *
 * Happy path: /proc/self/task/TID/children of every thread, a line of pids each (a process that falls to a
 * subreaper is given to one of its threads, so all are read). Where the kernel lacks that file: the parent's
 * pid in each /proc/PID/stat.
 *
 * Failure modes: no /proc, or no descriptor left -> a negative errno value, and the caller decides. A process
 * that ends meanwhile is skipped.
 */
#include "server/process/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pid_list {
    pid_t *pids;
    size_t count;
    size_t max;
};

static void add_pid(struct pid_list *list, long pid)
{
    if (pid > 0 && pid <= INT_MAX && list->count < list->max)
        list->pids[list->count++] = (pid_t)pid;
}

/* Decimal pids separated by blanks, in chunks that may cut one. */
static int read_pids(int fd, struct pid_list *list)
{
    char chunk[4096];
    long pid = 0;
    ssize_t got;
    while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (chunk[i] >= '0' && chunk[i] <= '9') {
                pid = pid * 10 + (chunk[i] - '0');
                continue;
            }
            add_pid(list, pid);
            pid = 0;
        }
    }
    add_pid(list, pid);
    return got < 0 ? -errno : 0;
}

static int read_thread(int tasks_fd, const char *tid, struct pid_list *list)
{
    char path[NAME_MAX + sizeof("/children")];
    (void)snprintf(path, sizeof(path), "%s/children", tid);
    int fd = openat(tasks_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = read_pids(fd, list);
    (void)close(fd);
    return rc;
}

int proc_children_listed(pid_t *ret_pids, size_t max)
{
    struct pid_list list = {.pids = ret_pids, .max = max};
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return -errno;
    int threads = 0;
    int rc = 0;
    const struct dirent *entry;
    while ((entry = readdir(tasks))) {
        if (entry->d_name[0] == '.')
            continue;
        int seen = read_thread(dirfd(tasks), entry->d_name, &list);
        if (seen == 0)
            threads++;
        else
            rc = seen;
    }
    (void)closedir(tasks);
    /* A thread that ends meanwhile has passed its children to another one. */
    return threads > 0 ? (int)list.count : rc != 0 ? rc : -ENOENT;
}

/* "PID (any name, brackets and blanks included) STATE PPID ...": the name ends at the last bracket. */
static long parent_of(const char *pid)
{
    char path[sizeof("/proc//stat") + NAME_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    char text[512];
    ssize_t got = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (got <= 0)
        return -1;
    text[got] = '\0';
    const char *end = strrchr(text, ')');
    if (!end || strlen(end) < 5)
        return -1;
    return strtol(end + 4, NULL, 10);
}

int proc_children_scanned(pid_t *ret_pids, size_t max)
{
    struct pid_list list = {.pids = ret_pids, .max = max};
    DIR *all = opendir("/proc");
    if (!all)
        return -errno;
    const struct dirent *entry;
    while ((entry = readdir(all))) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == (long)getpid())
            add_pid(&list, strtol(entry->d_name, NULL, 10));
    }
    (void)closedir(all);
    return (int)list.count;
}

int proc_children(pid_t *ret_pids, size_t max)
{
    int n = proc_children_listed(ret_pids, max);
    return n >= 0 ? n : proc_children_scanned(ret_pids, max);
}
