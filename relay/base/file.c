/* Happy path: open without waiting -> make sure that it is a plain file -> read to its end.
 *
 * Failure modes: open of a FIFO waits for a writer, and read of a device for data: O_NONBLOCK prevents
 * both. Files below /proc are plain by their mode and may have nothing to read yet: -EAGAIN. A file that
 * grows while it is read, or has no end: the buffer's limit.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 4096

static int read_all(int fd, struct buf *into)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return ERR_NOT_A_FILE;
    for (;;) {
        char chunk[CHUNK_BYTES];
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        int rc = got < 0 ? -errno : buf_append(into, chunk, (size_t)got);
        if (rc != 0)
            return rc;
    }
}

int file_read(const char *path, struct buf *into)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENXIO ? ERR_NOT_A_FILE : -errno; /* a socket, or a device that is not there */
    int rc = read_all(fd, into);
    (void)close(fd);
    return rc;
}
