/* The Unix half of bind.h: a socket file of mode 0600 that is never taken from somebody alive. */
#ifndef FRONT_BIND_UNIX_H
#define FRONT_BIND_UNIX_H

#include "front/bind.h"

/* As bind_entry, for one path. -EADDRINUSE: somebody answers there; -ENOTSOCK: it is no socket; -EAGAIN:
 * another process held the folder's lock all the time. */
MUSTCHECK int bind_unix(const char *path, struct bound *ret_bound);
void bind_unix_release(const struct bound *b);

#endif
