/* Happy path: open (never through a symbolic link), lock, make sure that the name still is that of the
 * locked file, empty it, reserve its room; and, once the relay serves, write.
 *
 * Failure modes: locked by another -> its id is read and reported. The file was removed between open and
 * lock (its owner just ended) -> once more from the start. A path that was meant for something else, as
 * /dev/null or a letter -> refused before a byte of it is lost. The disk is full -> the reservation's
 * error, and the file is removed again; the write needs no room any more.
 */
#include "ops/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define OPEN_TRIES     10
#define PID_TEXT_BYTES 32

/* The id that the file begins with. 0: it is empty; -1: it holds something else. */
static pid_t read_holder(int fd)
{
    char text[32];
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    char *end = text;
    long pid = strtol(text, &end, 10);
    return end != text && pid > 0 && pid <= INT_MAX ? (pid_t)pid : -1;
}

/* Blocks are reserved beyond the file's end, so that it stays empty. Not every file system can: then the
 * write finds out. */
static int make_room(int fd)
{
    if (ftruncate(fd, 0) != 0)
        return -errno;
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PID_TEXT_BYTES) != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return -errno;
    return 0;
}

int pidfile_write(struct pidfile *p)
{
    char text[PID_TEXT_BYTES];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    ssize_t put = pwrite(p->fd, text, (size_t)len, 0);
    if (put < 0)
        return -errno;
    return put == len ? 0 : -ENOSPC;
}

/* -EAGAIN: the name is that of another file by now. */
static int lock(int fd, const char *path, struct pidfile *p, pid_t *ret_holder)
{
    struct stat ours;
    struct stat named;
    if (fstat(fd, &ours) != 0)
        return -errno;
    if (!S_ISREG(ours.st_mode))
        return ERR_NOT_A_FILE;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        return -errno;
    pid_t holder = read_holder(fd);
    if (holder < 0)
        return ERR_TYPE;
    if (!locked) {
        *ret_holder = holder;
        return -EEXIST;
    }
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
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
        if (fd < 0)
            return errno == ENXIO ? ERR_NOT_A_FILE : -errno; /* a socket, or a device that is not there */
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
        rc = make_room(opened.fd);
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
