/* What link.c and link_open.c share. */
#ifndef CLIENT_LINK_INTERNAL_H
#define CLIENT_LINK_INTERNAL_H

#include "link.h"

/* Closes the socket and what watches it; the attempt may go on with another. */
void link_drop_socket(struct link_conn *l);
/* That, and everything else that an attempt or a link holds. The phase is the caller's to set. */
void link_release(struct link_conn *l);
/* The socket's pending error, negative; 0: none. Reading it clears it. */
int link_socket_error(const struct link_conn *l);
/* The socket is connected: watch it for what a link that is up needs. A libuv code on failure. */
MUSTCHECK int link_watch_up(struct link_conn *l);
/* The socket is its own peer. */
MUSTCHECK bool link_is_self(const struct link_conn *l);
/* The timer fires with the next loop iteration. */
void link_schedule(struct link_conn *l);
/* LINK_BREAKING, from the loop. */
void link_report_broken(struct link_conn *l);

#endif
