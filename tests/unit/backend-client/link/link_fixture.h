/* What the tests of the client's link share: a link on a loop, a server by hand, and what its callbacks reported.
 * Include after cmocka.h. A test fails when it leaves a handle behind.
 */
#ifndef TESTS_LINK_LINK_FIXTURE_H
#define TESTS_LINK_LINK_FIXTURE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent_relay.h"
#include "backend-client/src/link/link_internal.h"

#define ITERATIONS_MAX 4000 /* of 5 ms at most, by the tick */

enum act { ACT_NONE, ACT_CLOSE, ACT_REOPEN, ACT_DONE };

/* The link, and what happened to it. */
struct link_fixture {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t tick;
    struct link_conn link;
    struct address address;
    enum act in_up, in_failed, in_bytes, in_writable, in_lost;
    unsigned up, failed, writable, lost, closed;
    size_t bytes;
    char fault[40];
    char peer[LINK_PEER_SIZE];
    int listener;
    int server; /* the accepted side; -1: none */
};

extern struct link_fixture fixture;
extern const struct link_conn_ops link_fixture_ops;

/* A link to an address; nothing has happened yet when it returns. */
void link_fixture_open_url(const char *url);
/* To a listening socket of the test's; then also connected and accepted. */
void link_fixture_open(void);
void link_fixture_connect(void);
/* The accepted side is closed with a reset. */
void link_fixture_reset_server(void);
void link_fixture_iterate(int count);
/* Until the counter has just this value. */
void link_fixture_run_until(const unsigned *counter, unsigned value);

int link_fixture_set_up(void **state);
int link_fixture_tear_down(void **state);

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, link_fixture_set_up, link_fixture_tear_down)

#endif
