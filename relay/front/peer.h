/* The other end of a connection: its address as text, and whether it is this machine. Pure, except for
 * peer_of. */
#ifndef FRONT_PEER_H
#define FRONT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "session/session.h"

/* "127.0.0.1:9500", "[::1]:9500"; "?" for another family. */
void peer_format(const struct sockaddr *address, char *out, size_t cap);
/* 127.0.0.0/8, ::1, and 127.0.0.0/8 mapped into IPv6. */
bool peer_is_loopback(const struct sockaddr *address);
/* The same for all connections of one host: an IPv4 address, mapped into IPv6 or not; the /64 of an IPv6 address, which
 * is what one host is given; a link-local address as it is, with its scope. */
struct peer_key peer_key_of(const struct sockaddr *address);
/* Who is at the other end of an accepted socket; `address` as accept gave it. */
void peer_of(int fd, const struct sockaddr *address, struct session_origin *ret_origin);

#endif
