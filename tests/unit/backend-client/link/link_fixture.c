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

struct seen seen;

static void act(enum act what)
{
    assert_int_equal(seen.closed, 0);
    if (what == ACT_CLOSE || what == ACT_REOPEN)
        link_close(&seen.link);
    if (what == ACT_REOPEN)
        link_open(&seen.link);
    if (what == ACT_DONE)
        link_done(&seen.link);
}

static void on_up(struct link_conn *l, const char *peer)
{
    assert_ptr_equal(l, &seen.link);
    seen.up++;
    (void)snprintf(seen.peer, sizeof(seen.peer), "%s", peer);
    act(seen.in_up);
}

static void on_failed(struct link_conn *l, const struct fault *why, const char *peer)
{
    (void)l;
    seen.failed++;
    (void)snprintf(seen.fault, sizeof(seen.fault), "%s", why->name);
    (void)snprintf(seen.peer, sizeof(seen.peer), "%s", peer);
    act(seen.in_failed);
}

static void on_bytes(struct link_conn *l, const char *bytes, size_t len)
{
    (void)l;
    (void)bytes;
    seen.bytes += len;
    act(seen.in_bytes);
}

static void on_writable(struct link_conn *l)
{
    (void)l;
    seen.writable++;
    act(seen.in_writable);
}

static void on_lost(struct link_conn *l, const struct fault *why)
{
    (void)l;
    seen.lost++;
    (void)snprintf(seen.fault, sizeof(seen.fault), "%s", why->name);
    act(seen.in_lost);
}

static void on_closed(struct link_conn *l)
{
    (void)l;
    seen.closed++;
}

const struct link_conn_ops link_test_ops = {on_up, on_failed, on_bytes, on_writable, on_lost, on_closed};

static void on_wake(uv_async_t *async)
{
    (void)async;
    link_wake(&seen.link);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* ---- around each test ---- */

int link_set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    seen.listener = seen.server = -1;
    assert_int_equal(uv_loop_init(&seen.loop), 0);
    assert_int_equal(uv_async_init(&seen.loop, &seen.wake, on_wake), 0);
    assert_int_equal(uv_timer_init(&seen.loop, &seen.tick), 0);
    assert_int_equal(uv_timer_start(&seen.tick, on_tick, 5, 5), 0);
    return 0;
}

void open_url(const char *url)
{
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(address_parse(url, &seen.address, problem, sizeof(problem)), 0);
    link_init(&seen.link, &seen.loop, &seen.wake, &link_test_ops, NULL, &seen.address, 2000);
    link_open(&seen.link);
    link_open(&seen.link); /* again: nothing */
    assert_int_equal(seen.up + seen.failed, 0);
}

int link_tear_down(void **state)
{
    (void)state;
    link_done(&seen.link);
    link_done(&seen.link);
    link_close(&seen.link);
    uv_close((uv_handle_t *)&seen.wake, NULL);
    uv_close((uv_handle_t *)&seen.tick, NULL);
    (void)uv_run(&seen.loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(uv_loop_close(&seen.loop), 0);
    if (seen.server >= 0)
        (void)close(seen.server);
    if (seen.listener >= 0)
        (void)close(seen.listener);
    return 0;
}

void iterate_until(const unsigned *counter, unsigned value)
{
    for (int i = 0; i < ITERATIONS_MAX && *counter < value; i++)
        (void)uv_run(&seen.loop, UV_RUN_ONCE);
    assert_int_equal(*counter, value);
}

void iterate(int count)
{
    for (int i = 0; i < count; i++)
        (void)uv_run(&seen.loop, UV_RUN_ONCE);
}

/* ---- a server by hand ---- */

static uint16_t listen_here(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    seen.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(seen.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(seen.listener, 16), 0);
    assert_int_equal(getsockname(seen.listener, (struct sockaddr *)&a, &size), 0);
    return ntohs(a.sin_port);
}

void open_link(void)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "127.0.0.1:%u", (unsigned)listen_here());
    open_url(url);
}

static void accept_it(void)
{
    if (seen.server >= 0)
        (void)close(seen.server);
    seen.server = accept4(seen.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(seen.server >= 0);
}

void connect_it(void)
{
    open_link();
    iterate_until(&seen.up, 1);
    accept_it();
}

void reset_server(void)
{
    const struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(seen.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    (void)close(seen.server);
    seen.server = -1;
}
