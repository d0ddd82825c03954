/* Reads a small file whole, and never waits: whatever is no plain file is refused, so that a FIFO or a
 * device in a file's place stops nobody. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/* Appends the file's bytes to `into`. ERR_NOT_A_FILE (a folder, FIFO, socket or device), ERR_TOO_LARGE
 * (more than `into` may hold), -ENOMEM, or the negative errno value of open or read; -EAGAIN: a file of the
 * kernel's that has nothing to read yet. On failure `into` has an arbitrary part. */
MUSTCHECK int file_read(const char *path, struct buf *into);

#endif
