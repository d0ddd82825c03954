/* What the tests of the client library's shell share: a client on a thread of its own or on a loop of the
 * test's, and what its callbacks told.
 *
 *     kit_open(kit);                       from cmocka's state: KIT_TESTS runs each test both ways
 *     kit_until(kit, kit_is_live);
 *     kit_close(kit);                      and nothing is left: no handle, no allocation, no descriptor
 *
 * Include after cmocka.h. getaddrinfo is this kit's in every program that links it: names of the set
 * "hang.test", "both.test" ... behave as they are called, everything else goes to the C library.
 */
#ifndef TESTS_API_CLIENT_FIXTURE_H
#define TESTS_API_CLIENT_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent_relay.h"
#include "tests/unit/backend-client/link/peer_fixture.h"

/* In which callback to close. */
enum close_in {
    CLOSE_NEVER,
    CLOSE_IN_STATE,
    CLOSE_IN_AGENTS,
    CLOSE_IN_NOTIFICATION,
    CLOSE_IN_REPLY,
    CLOSE_IN_PROGRESS,
};

#define CODES_MAX 16 /* -code is an index below it */

struct kit {
    bool host; /* the test's loop, run by kit_until */
    uv_loop_t loop;
    uv_timer_t tick; /* so that an iteration ends even when nothing happens */
    struct ar_options options;
    struct ar_client *client; /* NULL: closed */
    struct peer *peer;        /* NULL: none */
    unsigned descriptors;     /* at the set-up */
    atomic_int close_in;      /* enum close_in */
    bool keep_replies;        /* the last reply's result is kept in last_result */

    atomic_int state; /* the last one told */
    atomic_uint states[4];
    atomic_uint agents[3]; /* on_agents, by source */
    atomic_uint notifications;
    atomic_uint progress;
    atomic_uint replies;
    atomic_uint codes[CODES_MAX];
    atomic_uint mocked; /* replies from the mock */
    atomic_uint may_have_run;
    atomic_bool closed;
    atomic_bool late; /* a callback came after on_closed */
    char last_result[256];
    char last_message[256];
};

typedef bool kit_condition(struct kit *k);

/* Options that make everything quick: back-off 1 to 20 ms, polls each 20 ms. */
void kit_quick(struct kit *k, const char *url);
/* With k->options; fails the test when it is refused. */
void kit_open(struct kit *k);
/* A peer of its own and a client that is live. */
void kit_open_live(struct kit *k);
/* Waits, or runs the loop, until it holds; at most 20 s (times TEST_TIME_SCALE), then the test fails. */
void kit_until(struct kit *k, kit_condition *condition);
/* Runs the loop without waiting (host), or gives the thread a moment: for what must not happen. */
void kit_iterations(struct kit *k, int count);
/* ar_close (and, on a thread, ar_close_wait), till everything is over. */
void kit_close(struct kit *k);
/* Waits for a close that was begun elsewhere. */
void kit_await_closed(struct kit *k);
/* A call whose completion is counted in k. AR_OK or ar_call's code. */
int kit_call(struct kit *k, const char *method, enum ar_policy policy, uint32_t deadline_ms,
             uint64_t *ret_id);
struct ar_health kit_health(struct kit *k);
/* Its source. */
enum ar_source kit_source(struct kit *k);

bool kit_is_live(struct kit *k);
bool kit_is_degraded(struct kit *k);
bool kit_is_stale(struct kit *k);
bool kit_is_mock(struct kit *k);
bool kit_is_closed(struct kit *k);

/* Open descriptors of this process. */
unsigned kit_descriptors(void);

/* Names under test: "hang.test" is not answered until kit_dns_release, "both.test" has ::1 and 127.0.0.1,
 * "none.test" does not exist. How often a name was asked for, and how many are waiting. */
void kit_dns_release(void);
unsigned kit_dns_asked(void);
unsigned kit_dns_waiting(void);

int kit_set_up(void **state);
int kit_tear_down(void **state);

/* cmocka's initial states. */
extern bool kit_on_thread;
extern bool kit_on_host;
#define KIT_TEST(name, where)                                                                                \
    cmocka_unit_test_prestate_setup_teardown(name, kit_set_up, kit_tear_down, &(where))
#define KIT_TESTS(name) KIT_TEST(name, kit_on_thread), KIT_TEST(name, kit_on_host)

#endif
