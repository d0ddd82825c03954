/* A relay made of plain sockets on a thread of its own, for the tests of the client library: it answers what
 * a relay answers, and misbehaves as scripted. It allocates with the C library alone, so that a failing allocator
 * under test never hits it, and shares no code with the library.
 *
 *     struct peer *peer = peer_start(PEER_IP4);
 *     options.url = peer_url(peer);
 *     ...
 *     peer_drop_all(peer, true);            every connection is reset; the client comes back
 *     peer_stop(peer);
 *
 * Methods: initialize, agents/list, relay/ping are answered as by a relay with one agent, "a1", the library's own
 * tools/list with no tools; "hang" never;
 * "fail" with an error; "busy" with a retryable relay error; "progress" after one progress notification;
 * anything else with {"echo":PARAMS}.
 */
#ifndef TESTS_LINK_PEER_FIXTURE_H
#define TESTS_LINK_PEER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_family { PEER_IP4, PEER_IP6, PEER_UNIX };

enum peer_mode {
    PEER_SERVE,
    PEER_SILENT,      /* accepts and reads, never answers */
    PEER_NOT_READING, /* accepts and does not even read */
    PEER_CLOSE,       /* closes each new connection at once */
    PEER_RAW,         /* sends peer_set_raw's bytes to each new connection, then does as PEER_SILENT */
    PEER_RAW_CLOSE,   /* sends them, then closes */
    PEER_RAW_ANSWER,  /* serves, but calls get those bytes instead of an answer */
    PEER_UNAVAILABLE, /* a relay without its server: initialize gets SERVER_UNAVAILABLE */
    PEER_HTTP,        /* sends the raw bytes once a request's head has come, then closes */
};

struct peer; /* opaque */

/* Fails the test when it cannot be had. */
struct peer *peer_start(enum peer_family family);
void peer_stop(struct peer *p);
/* "127.0.0.1:40001", "[::1]:40001", "unix:/tmp/..."; stays while the peer does. */
const char *peer_url(const struct peer *p);
uint16_t peer_port(const struct peer *p);

/* These take effect before they return. */
void peer_set_mode(struct peer *p, enum peer_mode mode);
/* Borrowed until the next. */
void peer_set_raw(struct peer *p, const char *bytes, size_t len);
void peer_drop_all(struct peer *p, bool reset);
/* Closes, or opens again, the listening socket, at the same address. */
void peer_set_listening(struct peer *p, bool on);
/* A line to every connection; the newline is added. */
void peer_send(struct peer *p, const char *line);

/* Counters since the start. */
unsigned peer_accepted(const struct peer *p);
unsigned peer_open_now(const struct peer *p);
uint64_t peer_requests(const struct peer *p);      /* calls: without initialize, polls, pings */
uint64_t peer_notifications(const struct peer *p); /* without notifications/initialized */
uint64_t peer_cancels(const struct peer *p);       /* notifications/cancelled */

#endif
