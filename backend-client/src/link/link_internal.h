/* What link.c and link_open.c share. */
#ifndef CLIENT_LINK_INTERNAL_H
#define CLIENT_LINK_INTERNAL_H

#include "link.h"

/* Closes the socket and what watches it; the attempt may go on with another. */
void link_drop_socket(struct link_conn *l);
/* The socket's pending error, negative; 0: none. Reading it clears it. */
int link_socket_error(const struct link_conn *l);
/* The socket is connected: watch it for what a link that is up needs. A libuv code on failure. */
MUSTCHECK int link_watch_up(struct link_conn *l);
/* The socket is its own peer. */
MUSTCHECK bool link_is_self(const struct link_conn *l);
/* The one place where the phase changes; asserts that the move is allowed. */
void link_move(struct link_conn *l, enum link_phase to);

#endif
