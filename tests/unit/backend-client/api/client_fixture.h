/* What the tests of the client library's API share: a client on a thread of its own or on a loop of the
 * test's, and what its callbacks reported.
 *
 *     client_fixture_open(f);                       from cmocka's state: CLIENT_TESTS runs each test both ways
 *     client_fixture_run_until(f, client_fixture_is_live);
 *     client_fixture_close(f);                      and nothing is left: no handle, no allocation, no descriptor
 *
 * Include after cmocka.h. getaddrinfo is this fixture's in every program that links it: names of the set
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

struct client_fixture {
    bool host; /* the test's loop, run by client_fixture_run_until */
    uv_loop_t loop;
    uv_timer_t tick; /* so that an iteration ends even when nothing happens */
    struct ar_options options;
    struct ar_client *client; /* NULL: closed */
    struct peer *peer;        /* NULL: none */
    unsigned descriptors;     /* at the set-up */
    atomic_int close_in;      /* enum close_in */
    bool keep_replies;        /* the last reply's result is kept in last_result */

    atomic_int state; /* the last one reported */
    atomic_uint states[4];
    atomic_uint agents[3]; /* on_agents, by source */
    atomic_uint notifications;
    atomic_uint progress;
    atomic_uint replies;
    atomic_uint codes[CODES_MAX];
    atomic_uint mocked; /* replies from the mock */
    atomic_uint may_have_run;
    atomic_bool wait_follows; /* ar_close, and ar_close_wait after it */
    atomic_bool closed;
    atomic_bool late; /* a callback came after on_closed */
    char last_result[256];
    char last_message[256];
};

typedef bool client_fixture_condition(struct client_fixture *f);

/* Options that make everything quick: back-off 1 to 20 ms, polls each 20 ms. */
void client_fixture_use_quick_options(struct client_fixture *f, const char *url);
/* With f->options; fails the test when it is refused. */
void client_fixture_open(struct client_fixture *f);
/* A peer of its own and a client that is live. */
void client_fixture_open_live(struct client_fixture *f);
/* Waits, or runs the loop, until it holds; at most 20 s (times TEST_TIME_SCALE), then the test fails. */
void client_fixture_run_until(struct client_fixture *f, client_fixture_condition *condition);
/* Runs the loop without waiting (host), or gives the thread a moment: for what must not happen. */
void client_fixture_iterations(struct client_fixture *f, int count);
/* ar_close (and, on a thread, ar_close_wait), till everything is over. */
void client_fixture_close(struct client_fixture *f);
/* Waits for a close that was begun elsewhere. */
void client_fixture_await_closed(struct client_fixture *f);
/* A call whose completion is counted in f. AR_OK or ar_call's code. */
int client_fixture_call(struct client_fixture *f, const char *method, enum ar_policy policy,
                        uint32_t deadline_ms, uint64_t *ret_id);
struct ar_health client_fixture_health(struct client_fixture *f);
/* Its source. */
enum ar_source client_fixture_source(struct client_fixture *f);

bool client_fixture_is_live(struct client_fixture *f);
bool client_fixture_is_degraded(struct client_fixture *f);
bool client_fixture_is_stale(struct client_fixture *f);
bool client_fixture_is_mock(struct client_fixture *f);
bool client_fixture_is_closed(struct client_fixture *f);

/* Open descriptors of this process. */
unsigned client_fixture_descriptors(void);

/* Names under test: "hang.test" is not answered until client_fixture_dns_release, "both.test" has ::1 and 127.0.0.1,
 * "none.test" does not exist. How often a name was asked for, and how many are waiting. */
void client_fixture_dns_release(void);
unsigned client_fixture_dns_asked(void);
unsigned client_fixture_dns_waiting(void);

int client_fixture_set_up(void **state);
int client_fixture_tear_down(void **state);

/* cmocka's initial states. */
extern bool client_fixture_on_thread;
extern bool client_fixture_on_host;
#define CLIENT_TEST(name, where)                                                                             \
    cmocka_unit_test_prestate_setup_teardown(name, client_fixture_set_up, client_fixture_tear_down, &(where))
#define CLIENT_TESTS(name)                                                                                   \
    CLIENT_TEST(name, client_fixture_on_thread), CLIENT_TEST(name, client_fixture_on_host)

#endif
