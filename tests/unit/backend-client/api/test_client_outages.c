/* Outages in which something answers the knock: a relay that stands still behind its open port, a proxy that has lost
 * its relay, a name server that says nothing. The client finds its way back from each by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/backend-client/api/client_fixture.h"

static void open_to(struct client_fixture *f, enum peer_mode mode)
{
    f->peer = peer_start(PEER_IP4);
    peer_set_mode(f->peer, mode);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.heartbeat_ms = 20;
    f->options.dead_after_ms = 40;
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_degraded);
}

static bool tried_five_times(struct client_fixture *f)
{
    return client_fixture_health(f).attempts >= 5;
}

/* Nothing is read: it lies in the socket of a process that is stopped. */
static void a_relay_that_stands_still_is_found_again(void **state)
{
    struct client_fixture *f = *state;
    open_to(f, PEER_NOT_READING);
    assert_string_equal(client_fixture_health(f).last_error_name, "RELAY_SILENT");
    client_fixture_run_until(f, tried_five_times);
    assert_int_equal(client_fixture_health(f).links, 1); /* the first is kept */
    peer_set_mode(f->peer, PEER_SERVE);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_in_range(client_fixture_health(f).links, 1, 2);
}

/* What the first link sent is lost for ever; only a new one is answered. */
static void a_link_into_nowhere_is_left_for_one_that_is_answered(void **state)
{
    struct client_fixture *f = *state;
    open_to(f, PEER_SILENT);
    client_fixture_run_until(f, tried_five_times);
    assert_int_equal(client_fixture_health(f).links, 1);
    peer_set_mode(f->peer, PEER_SERVE);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(client_fixture_health(f).links, 2);
    assert_int_equal(client_fixture_health(f).bad_frames, 0);
    assert_int_equal(client_fixture_call(f, "echo", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
}

static void closed_beside_a_link_that_stands_still(void **state)
{
    struct client_fixture *f = *state;
    open_to(f, PEER_NOT_READING);
    client_fixture_run_until(f, tried_five_times);
    client_fixture_close(f);
}

static bool four_look_ups_hang(struct client_fixture *f)
{
    (void)f;
    return client_fixture_dns_waiting() >= 4;
}

/* Each attempt asks anew, while the look-ups before it still hang, and closing waits for none of them. */
static void a_look_up_that_hangs_is_left(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_use_quick_options(f, "hang.test:9500");
    f->options.connect_timeout_ms = 10;
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_degraded);
    assert_string_equal(client_fixture_health(f).last_error_name, "ETIMEDOUT");
    client_fixture_run_until(f, four_look_ups_hang);
    client_fixture_close(f);
    assert_true(client_fixture_dns_waiting() >= 4);
    client_fixture_dns_release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TESTS(a_relay_that_stands_still_is_found_again),
        CLIENT_TESTS(a_link_into_nowhere_is_left_for_one_that_is_answered),
        CLIENT_TESTS(closed_beside_a_link_that_stands_still),
        CLIENT_TESTS(a_look_up_that_hangs_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
