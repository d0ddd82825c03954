/* The client's link, closed, reopened and ended inside each of its callbacks, and while a name is being
 * resolved (client_kit.h has the names).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "tests/unit/backend-client/api/client_fixture.h"
#include "tests/unit/backend-client/link/link_fixture.h"

/* ---- inside every callback ---- */

static void check_in_up(enum act what)
{
    fixture.in_up = what;
    link_fixture_open();
    link_fixture_run_until(&fixture.up, 1);
    link_fixture_iterate(5);
}

static void close_in_up(void **state)
{
    (void)state;
    check_in_up(ACT_CLOSE);
    assert_int_equal(fixture.up, 1);
    assert_int_equal(fixture.lost, 0);
}

static void reopen_in_up(void **state)
{
    (void)state;
    check_in_up(ACT_REOPEN);
    assert_true(fixture.up > 1);
}

static void done_in_up(void **state)
{
    (void)state;
    check_in_up(ACT_DONE);
    assert_int_equal(fixture.closed, 1);
}

static void check_in_bytes(enum act what)
{
    fixture.in_bytes = what;
    link_fixture_connect();
    static char flood[512 << 10];
    assert_true(send(fixture.server, flood, sizeof(flood), MSG_DONTWAIT) > 0);
    for (int i = 0; i < ITERATIONS_MAX && fixture.bytes == 0; i++)
        link_fixture_iterate(1);
    size_t first = fixture.bytes;
    assert_true(first > 0 && first <= LINK_READ_BYTES);
    link_fixture_iterate(3);
    assert_int_equal(fixture.bytes, first); /* not one more from the link that was closed */
}

static void close_in_bytes(void **state)
{
    (void)state;
    check_in_bytes(ACT_CLOSE);
}

static void reopen_in_bytes(void **state)
{
    (void)state;
    check_in_bytes(ACT_REOPEN);
    link_fixture_run_until(&fixture.up, 2);
}

static void done_in_bytes(void **state)
{
    (void)state;
    check_in_bytes(ACT_DONE);
    assert_int_equal(fixture.closed, 1);
}

static void check_in_lost(enum act what)
{
    fixture.in_lost = what;
    link_fixture_connect();
    link_fixture_reset_server();
    link_fixture_run_until(&fixture.lost, 1);
}

static void reopen_in_lost(void **state)
{
    (void)state;
    check_in_lost(ACT_REOPEN);
    link_fixture_run_until(&fixture.up, 2);
}

static void done_in_lost(void **state)
{
    (void)state;
    check_in_lost(ACT_DONE);
    link_fixture_run_until(&fixture.closed, 1);
}

static void reopen_in_failed(void **state)
{
    (void)state;
    fixture.in_failed = ACT_REOPEN;
    link_fixture_open_url("unix:/nonexistent/relay.sock");
    link_fixture_run_until(&fixture.failed, 5);
}

static void done_in_failed(void **state)
{
    (void)state;
    fixture.in_failed = ACT_DONE;
    link_fixture_open_url("none.test:1");
    link_fixture_run_until(&fixture.closed, 1);
}

/* ---- while a name is being resolved ---- */

static void await_name(void)
{
    for (int i = 0; i < ITERATIONS_MAX && client_fixture_dns_waiting() == 0; i++)
        link_fixture_iterate(1);
    assert_int_equal(client_fixture_dns_waiting(), 1);
}

static void done_while_resolving(void **state)
{
    (void)state;
    link_fixture_open_url("hang.test:9500");
    await_name();
    link_done(&fixture.link);
    link_fixture_run_until(&fixture.closed, 1);
    assert_int_equal(client_fixture_dns_waiting(), 1); /* still: the loop did not wait for it */
    client_fixture_dns_release();
}

static void close_and_open_while_resolving(void **state)
{
    (void)state;
    link_fixture_open_url("hang.test:9500");
    await_name();
    link_close(&fixture.link);
    link_open(&fixture.link);
    for (int i = 0; i < ITERATIONS_MAX && client_fixture_dns_waiting() < 2; i++)
        link_fixture_iterate(1);
    client_fixture_dns_release();
    link_fixture_run_until(&fixture.failed, 1); /* the second's, alone */
    assert_string_equal(fixture.fault, "EAI_AGAIN");
    link_fixture_iterate(3);
    assert_int_equal(fixture.failed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(close_in_up),    LINK_TEST(reopen_in_up),         LINK_TEST(done_in_up),
        LINK_TEST(close_in_bytes), LINK_TEST(reopen_in_bytes),      LINK_TEST(done_in_bytes),
        LINK_TEST(reopen_in_lost), LINK_TEST(done_in_lost),         LINK_TEST(reopen_in_failed),
        LINK_TEST(done_in_failed), LINK_TEST(done_while_resolving), LINK_TEST(close_and_open_while_resolving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
