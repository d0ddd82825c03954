/* Binding a Unix socket.
 *
 * Happy path: lock the folder (flock on its descriptor: no lock file is left behind), look who is there,
 * remove what is stale, make the socket private (fchmod before bind: the kernel creates the file with that
 * mode, so there is no moment at which others may connect), bind, listen, remember the file's inode, unlock.
 * Two relays starting at once pass through one after the other, and the second finds the first alive.
 *
 * Failure modes: somebody answers, or answers with a full backlog: in use. Not a socket: refused, nothing is
 * touched. The folder's lock is held by somebody for two seconds: refused, rather than to guess.
 */
#include "front/bind_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES   200
#define LOCK_WAIT_MS 10

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t len = strlen(path);
    if (len >= sizeof(ret_address->sun_path))
        return -ENAMETOOLONG;
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, len + 1);
    return 0;
}

/* The folder's descriptor, locked; closing it unlocks. */
static int lock_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof(folder))
        return -ENAMETOOLONG;
    memcpy(folder, path, len);
    folder[len] = '\0';
    const char *name = len > 0 ? folder : slash ? "/" : ".";
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_MS * 1000000L}, NULL);
    }
    int rc = -errno;
    close(fd);
    return rc;
}

/* 0: nobody answers there. */
static int probe(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : -errno;
    close(fd);
    if (rc == -ECONNREFUSED || rc == -ENOENT)
        return 0;
    /* Connected, or EAGAIN (a full backlog) and the like: not ours to take. */
    return rc == 0 || rc == -EAGAIN ? -EADDRINUSE : rc;
}

static int remove_stale(const char *path, const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ENOTSOCK;
    int rc = probe(address);
    if (rc != 0)
        return rc;
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int open_listening(const char *path, const struct sockaddr_un *address, struct bound *b)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    struct stat st;
    int rc = 0;
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        rc = -errno;
        goto fail_close;
    }
    if (listen(fd, SOMAXCONN) != 0 || lstat(path, &st) != 0) {
        rc = -errno;
        goto fail_unlink;
    }
    b->fd = fd;
    b->dev = st.st_dev;
    b->ino = st.st_ino;
    return 0;
fail_unlink:
    unlink(path);
fail_close:
    close(fd);
    return rc;
}

int bind_unix(const char *path, struct bound *ret_bound)
{
    struct sockaddr_un address;
    int rc = make_address(path, &address);
    if (rc != 0)
        return rc;
    int lock = lock_folder(path);
    if (lock < 0)
        return lock;
    struct bound b = {.fd = -1, .is_unix = true};
    (void)snprintf(b.address, sizeof(b.address), "unix:%s", path);
    rc = remove_stale(path, &address);
    if (rc == 0)
        rc = open_listening(path, &address, &b);
    close(lock);
    if (rc == 0)
        *ret_bound = b;
    return rc;
}

void bind_unix_release(const struct bound *b)
{
    const char *path = b->address + sizeof("unix:") - 1;
    /* Without the lock (somebody holds it for long) the look and the removal might straddle another relay's
     * start. */
    int lock = lock_folder(path);
    struct stat st;
    if (lock >= 0 && lstat(path, &st) == 0 && st.st_dev == b->dev && st.st_ino == b->ino)
        unlink(path);
    if (lock >= 0)
        close(lock);
}
