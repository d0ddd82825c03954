/* A link under test. Purpose and use: link_kit.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/backend-client/link/link_fixture.h"

struct link_fixture fixture;

static void act(enum act what)
{
    assert_int_equal(fixture.closed, 0);
    if (what == ACT_CLOSE || what == ACT_REOPEN)
        link_close(&fixture.link);
    if (what == ACT_REOPEN)
        link_open(&fixture.link);
    if (what == ACT_DONE)
        link_done(&fixture.link);
}

static void on_up(struct link_conn *l, const char *peer)
{
    assert_ptr_equal(l, &fixture.link);
    fixture.up++;
    (void)snprintf(fixture.peer, sizeof(fixture.peer), "%s", peer);
    act(fixture.in_up);
}

static void on_failed(struct link_conn *l, const struct fault *why, const char *peer)
{
    (void)l;
    fixture.failed++;
    (void)snprintf(fixture.fault, sizeof(fixture.fault), "%s", why->name);
    (void)snprintf(fixture.peer, sizeof(fixture.peer), "%s", peer);
    act(fixture.in_failed);
}

static void on_bytes(struct link_conn *l, const char *bytes, size_t len)
{
    (void)l;
    (void)bytes;
    fixture.bytes += len;
    act(fixture.in_bytes);
}

static void on_writable(struct link_conn *l)
{
    (void)l;
    fixture.writable++;
    act(fixture.in_writable);
}

static void on_lost(struct link_conn *l, const struct fault *why)
{
    (void)l;
    fixture.lost++;
    (void)snprintf(fixture.fault, sizeof(fixture.fault), "%s", why->name);
    act(fixture.in_lost);
}

static void on_closed(struct link_conn *l)
{
    (void)l;
    fixture.closed++;
}

const struct link_conn_ops link_fixture_ops = {on_up, on_failed, on_bytes, on_writable, on_lost, on_closed};

static void on_wake(uv_async_t *async)
{
    (void)async;
    link_wake(&fixture.link);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* ---- around each test ---- */

int link_fixture_set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fixture.listener = fixture.server = -1;
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    assert_int_equal(uv_async_init(&fixture.loop, &fixture.wake, on_wake), 0);
    assert_int_equal(uv_timer_init(&fixture.loop, &fixture.tick), 0);
    assert_int_equal(uv_timer_start(&fixture.tick, on_tick, 5, 5), 0);
    return 0;
}

void link_fixture_open_url(const char *url)
{
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(address_parse(url, &fixture.address, problem, sizeof(problem)), 0);
    link_init(&fixture.link, &fixture.loop, &fixture.wake, &link_fixture_ops, NULL, &fixture.address, 2000);
    link_open(&fixture.link);
    link_open(&fixture.link); /* again: nothing */
    assert_int_equal(fixture.up + fixture.failed, 0);
}

int link_fixture_tear_down(void **state)
{
    (void)state;
    link_done(&fixture.link);
    link_done(&fixture.link);
    link_close(&fixture.link);
    uv_close((uv_handle_t *)&fixture.wake, NULL);
    uv_close((uv_handle_t *)&fixture.tick, NULL);
    (void)uv_run(&fixture.loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture.closed, 1);
    assert_int_equal(uv_loop_close(&fixture.loop), 0);
    if (fixture.server >= 0)
        (void)close(fixture.server);
    if (fixture.listener >= 0)
        (void)close(fixture.listener);
    return 0;
}

void link_fixture_run_until(const unsigned *counter, unsigned value)
{
    for (int i = 0; i < ITERATIONS_MAX && *counter < value; i++)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    assert_int_equal(*counter, value);
}

void link_fixture_iterate(int count)
{
    for (int i = 0; i < count; i++)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
}

/* ---- a server by hand ---- */

static uint16_t listen_here(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    fixture.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fixture.listener, 16), 0);
    assert_int_equal(getsockname(fixture.listener, (struct sockaddr *)&a, &size), 0);
    return ntohs(a.sin_port);
}

void link_fixture_open(void)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "127.0.0.1:%u", (unsigned)listen_here());
    link_fixture_open_url(url);
}

static void accept_it(void)
{
    if (fixture.server >= 0)
        (void)close(fixture.server);
    fixture.server = accept4(fixture.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fixture.server >= 0);
}

void link_fixture_connect(void)
{
    link_fixture_open();
    link_fixture_run_until(&fixture.up, 1);
    accept_it();
}

void link_fixture_reset_server(void)
{
    const struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(fixture.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    (void)close(fixture.server);
    fixture.server = -1;
}
