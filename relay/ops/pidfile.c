/* Happy path: open (never through a symbolic link), lock, make sure that the name still is that of the locked
 * file, write.
 *
 * Failure modes: locked by another -> its id is read and reported. The file was removed between open and lock
 * (its owner just ended) -> once more from the start. The disk is full -> the write's error, and the file is
 * removed again.
 */
#include "ops/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define OPEN_TRIES 10

static pid_t read_holder(int fd)
{
    char text[32];
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    long pid = strtol(text, NULL, 10);
    return pid > 0 ? (pid_t)pid : 0;
}

static int write_pid(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0)
        return -errno;
    ssize_t put = pwrite(fd, text, (size_t)len, 0);
    if (put < 0)
        return -errno;
    return put == len ? 0 : -ENOSPC;
}

/* -EAGAIN: the name is that of another file by now. */
static int lock(int fd, const char *path, struct pidfile *p, pid_t *ret_holder)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return -errno;
        *ret_holder = read_holder(fd);
        return -EEXIST;
    }
    struct stat ours;
    struct stat named;
    if (fstat(fd, &ours) != 0)
        return -errno;
    if (lstat(path, &named) != 0 || named.st_dev != ours.st_dev || named.st_ino != ours.st_ino)
        return -EAGAIN;
    p->dev = ours.st_dev;
    p->ino = ours.st_ino;
    return 0;
}

static int open_locked(const char *path, struct pidfile *p, pid_t *ret_holder)
{
    int rc = -EAGAIN;
    for (int i = 0; i < OPEN_TRIES && rc == -EAGAIN; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
            return -errno;
        rc = lock(fd, path, p, ret_holder);
        if (rc == 0)
            p->fd = fd;
        else
            close(fd);
    }
    return rc;
}

int pidfile_open(struct pidfile *p, const char *path, pid_t *ret_holder)
{
    struct pidfile opened = {.fd = -1, .path = mem_strdup(path)};
    if (!opened.path)
        return -ENOMEM;
    pid_t holder = 0;
    int rc = open_locked(path, &opened, &holder);
    if (rc == 0) {
        rc = write_pid(opened.fd);
        if (rc == 0) {
            *p = opened;
            return 0;
        }
        unlink(path);
        close(opened.fd);
    } else if (rc == -EEXIST) {
        *ret_holder = holder;
    }
    mem_free(opened.path);
    return rc;
}

void pidfile_close(struct pidfile *p)
{
    if (p->fd < 0)
        return;
    struct stat named;
    if (lstat(p->path, &named) == 0 && named.st_dev == p->dev && named.st_ino == p->ino)
        unlink(p->path);
    close(p->fd);
    mem_free(p->path);
    *p = (struct pidfile){.fd = -1};
}
