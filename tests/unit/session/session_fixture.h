/* One session between a router and transports that are both fakes, without a loop. session_set_up and
 * session_tear_down go around each test; the latter proves that nothing is left.
 */
#ifndef TESTS_SESSION_SESSION_FIXTURE_H
#define TESTS_SESSION_SESSION_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/session.h"

/* A transport that writes each message, with a '\n' behind it, to `text`. */
struct fake_transport {
    struct transport transport;
    char text[4096];
    size_t len;
    uint64_t bytes_in;
    uint64_t bytes_out;
    bool stuck; /* what it takes stays queued */
    int send_result;
    size_t pauses;
    size_t resumes;
    size_t closes;
    int close_code;
};

/* What the session did to the router. */
struct fake_router {
    size_t opened;
    size_t closed;
    size_t frames;
    size_t writable;
    struct link *link; /* of the session that was opened last */
};

extern struct fake_router fake_router;
extern struct session_set set;
extern struct fake_transport first;
extern struct fake_transport second;

#define NOW_MS        UINT64_C(1000)
#define OUT_MAX_BYTES ((size_t)4 << 20)

int session_set_up(void **state);
int session_tear_down(void **state);

/* Opens a session on `t` for the server "mock". */
struct session *open_on(struct fake_transport *t);
/* As the router sends one message, in two parts. */
int send_text(const char *text);
/* One that is `len` bytes long. */
int send_bytes(size_t len);
/* What the transport was given since the last time. */
void assert_sent(struct fake_transport *t, const char *expected);

#endif
