/* A front on a real loop with real sockets and a fake router, for tests. set_up and tear_down go around each
 * test; tear_down proves that every handle, session and allocation is gone.
 *
 * The peer is a plain socket of the test. wait_for turns the loop until something has happened; nothing waits
 * for time.
 */
#ifndef TESTS_FRONT_FRONT_FIXTURE_H
#define TESTS_FRONT_FRONT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/front.h"
#include "tests/unit/front/fake_route.h"

#define PATIENCE_MS 20000

struct peer {
    int fd;
    char in[512 << 10];
    size_t got;
    bool ended;
    int error;
};

extern struct loop loop;
extern struct memory memory;
extern struct session_set sessions;
extern struct front front;
extern struct peer peers[3];
extern size_t turns;

/* A frame as a peer says it. */
#define CALL(method) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\"}\n"

int set_up(void **state);
int tear_down(void **state);
/* What set_up starts with; front_set_limits takes others. */
struct front_limits usual_limits(void);

/* One turn of the loop; it waits for the loop's own events, or for bytes to `p` (may be NULL). */
void turn(const struct peer *p);
/* Turns the loop until `done` says so; fails the test when it never does. */
#define wait_for(p, done)                                                                                    \
    do {                                                                                                     \
        uint64_t give_up = uv_hrtime() / 1000000 + PATIENCE_MS;                                              \
        while (!(done)) {                                                                                    \
            assert_true(uv_hrtime() / 1000000 < give_up);                                                    \
            turn(p);                                                                                         \
        }                                                                                                    \
    } while (0)

/* Connects peers[i]. */
struct peer *dial(size_t i);
void say(struct peer *p, const char *text);
void hang_up(struct peer *p);
void read_some(struct peer *p);
bool has_lines(struct peer *p, size_t count);
bool has_ended(struct peer *p);
/* All that it got so far. */
void assert_says(struct peer *p, const char *expected);
/* One error line with id null and no more. */
void assert_error(struct peer *p, const char *name, int code);

#endif
