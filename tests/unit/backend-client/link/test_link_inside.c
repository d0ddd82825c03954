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
    seen.in_up = what;
    open_link();
    iterate_until(&seen.up, 1);
    iterate(5);
}

static void test_close_in_up(void **state)
{
    (void)state;
    check_in_up(ACT_CLOSE);
    assert_int_equal(seen.up, 1);
    assert_int_equal(seen.lost, 0);
}

static void test_reopen_in_up(void **state)
{
    (void)state;
    check_in_up(ACT_REOPEN);
    assert_true(seen.up > 1);
}

static void test_done_in_up(void **state)
{
    (void)state;
    check_in_up(ACT_DONE);
    assert_int_equal(seen.closed, 1);
}

static void check_in_bytes(enum act what)
{
    seen.in_bytes = what;
    connect_it();
    static char flood[512 << 10];
    assert_true(send(seen.server, flood, sizeof(flood), MSG_DONTWAIT) > 0);
    for (int i = 0; i < ITERATIONS_MAX && seen.bytes == 0; i++)
        iterate(1);
    size_t first = seen.bytes;
    assert_true(first > 0 && first <= LINK_READ_BYTES);
    iterate(3);
    assert_int_equal(seen.bytes, first); /* not one more from the link that was closed */
}

static void test_close_in_bytes(void **state)
{
    (void)state;
    check_in_bytes(ACT_CLOSE);
}

static void test_reopen_in_bytes(void **state)
{
    (void)state;
    check_in_bytes(ACT_REOPEN);
    iterate_until(&seen.up, 2);
}

static void test_done_in_bytes(void **state)
{
    (void)state;
    check_in_bytes(ACT_DONE);
    assert_int_equal(seen.closed, 1);
}

static void check_in_lost(enum act what)
{
    seen.in_lost = what;
    connect_it();
    reset_server();
    iterate_until(&seen.lost, 1);
}

static void test_reopen_in_lost(void **state)
{
    (void)state;
    check_in_lost(ACT_REOPEN);
    iterate_until(&seen.up, 2);
}

static void test_done_in_lost(void **state)
{
    (void)state;
    check_in_lost(ACT_DONE);
    iterate_until(&seen.closed, 1);
}

static void test_reopen_in_failed(void **state)
{
    (void)state;
    seen.in_failed = ACT_REOPEN;
    open_url("unix:/nonexistent/relay.sock");
    iterate_until(&seen.failed, 5);
}

static void test_done_in_failed(void **state)
{
    (void)state;
    seen.in_failed = ACT_DONE;
    open_url("none.test:1");
    iterate_until(&seen.closed, 1);
}

/* ---- while a name is being resolved ---- */

static void await_name(void)
{
    for (int i = 0; i < ITERATIONS_MAX && kit_dns_waiting() == 0; i++)
        iterate(1);
    assert_int_equal(kit_dns_waiting(), 1);
}

static void test_done_while_resolving(void **state)
{
    (void)state;
    open_url("hang.test:9500");
    await_name();
    link_done(&seen.link);
    iterate_until(&seen.closed, 1);
    assert_int_equal(kit_dns_waiting(), 1); /* still: the loop did not wait for it */
    kit_dns_release();
}

static void test_close_and_open_while_resolving(void **state)
{
    (void)state;
    open_url("hang.test:9500");
    await_name();
    link_close(&seen.link);
    link_open(&seen.link);
    for (int i = 0; i < ITERATIONS_MAX && kit_dns_waiting() < 2; i++)
        iterate(1);
    kit_dns_release();
    iterate_until(&seen.failed, 1); /* the second's, alone */
    assert_string_equal(seen.fault, "EAI_AGAIN");
    iterate(3);
    assert_int_equal(seen.failed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(test_close_in_up),          LINK_TEST(test_reopen_in_up),
        LINK_TEST(test_done_in_up),           LINK_TEST(test_close_in_bytes),
        LINK_TEST(test_reopen_in_bytes),      LINK_TEST(test_done_in_bytes),
        LINK_TEST(test_reopen_in_lost),       LINK_TEST(test_done_in_lost),
        LINK_TEST(test_reopen_in_failed),     LINK_TEST(test_done_in_failed),
        LINK_TEST(test_done_while_resolving), LINK_TEST(test_close_and_open_while_resolving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
