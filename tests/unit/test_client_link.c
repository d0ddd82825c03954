/* The client's link on a real loop, against plain sockets: what was received before the end is heard, what
 * the kernel does not take goes out later, every callback may close, reopen or end it, and a socket that is
 * connected to itself is refused. Names are the kit's (client_kit.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend-client/src/link_internal.h"
#include "tests/unit/client_kit.h"
#include "tests/unit/fault_alloc.h"

#define TURNS_MAX 4000 /* of 5 ms at most, by the tick */

enum act { ACT_NONE, ACT_CLOSE, ACT_REOPEN, ACT_DONE };

struct seen {
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

static struct seen seen;

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
    (void)snprintf(seen.peer, sizeof seen.peer, "%s", peer);
    act(seen.in_up);
}

static void on_failed(struct link_conn *l, const struct fault *why, const char *peer)
{
    (void)l;
    seen.failed++;
    (void)snprintf(seen.fault, sizeof seen.fault, "%s", why->name);
    (void)snprintf(seen.peer, sizeof seen.peer, "%s", peer);
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
    (void)snprintf(seen.fault, sizeof seen.fault, "%s", why->name);
    act(seen.in_lost);
}

static void on_closed(struct link_conn *l)
{
    (void)l;
    seen.closed++;
}

static const struct link_conn_ops ops = {on_up, on_failed, on_bytes, on_writable, on_lost, on_closed};

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

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    fault_alloc_install();
    seen.listener = seen.server = -1;
    assert_int_equal(uv_loop_init(&seen.loop), 0);
    assert_int_equal(uv_async_init(&seen.loop, &seen.wake, on_wake), 0);
    assert_int_equal(uv_timer_init(&seen.loop, &seen.tick), 0);
    assert_int_equal(uv_timer_start(&seen.tick, on_tick, 5, 5), 0);
    return 0;
}

static void open_url(const char *url)
{
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(address_parse(url, &seen.address, problem, sizeof problem), 0);
    link_init(&seen.link, &seen.loop, &seen.wake, &ops, NULL, &seen.address, 2000);
    link_open(&seen.link);
    link_open(&seen.link); /* again: nothing */
    assert_int_equal(seen.up + seen.failed, 0);
}

static int tear_down(void **state)
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
    assert_int_equal(fault_alloc_live(), 0);
    if (seen.server >= 0)
        (void)close(seen.server);
    if (seen.listener >= 0)
        (void)close(seen.listener);
    return 0;
}

static void turns_until(const unsigned *counter, unsigned value)
{
    for (int i = 0; i < TURNS_MAX && *counter < value; i++)
        (void)uv_run(&seen.loop, UV_RUN_ONCE);
    assert_int_equal(*counter, value);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        (void)uv_run(&seen.loop, UV_RUN_ONCE);
}

/* ---- a server by hand ---- */

static uint16_t listen_here(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    seen.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(seen.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(seen.listener, 16), 0);
    assert_int_equal(getsockname(seen.listener, (struct sockaddr *)&a, &size), 0);
    return ntohs(a.sin_port);
}

static void open_link(void)
{
    char url[64];
    (void)snprintf(url, sizeof url, "127.0.0.1:%u", (unsigned)listen_here());
    open_url(url);
}

static void accept_it(void)
{
    if (seen.server >= 0)
        (void)close(seen.server);
    seen.server = accept4(seen.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(seen.server >= 0);
}

static void connect_it(void)
{
    open_link();
    turns_until(&seen.up, 1);
    accept_it();
}

static void reset_server(void)
{
    const struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(seen.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    (void)close(seen.server);
    seen.server = -1;
}

/* ---- connecting ---- */

static void test_connects(void **state)
{
    (void)state;
    connect_it();
    assert_string_equal(seen.peer, seen.address.text);
    assert_int_equal(send(seen.server, "hello", 5, 0), 5);
    for (int i = 0; i < TURNS_MAX && seen.bytes < 5; i++)
        turns(1);
    assert_int_equal(seen.bytes, 5);
    char got[8];
    assert_int_equal(link_send(&seen.link, "world", 5), 5);
    assert_int_equal(recv(seen.server, got, sizeof got, 0), 5);
    assert_int_equal(seen.writable, 0);
}

static void test_refused(void **state)
{
    (void)state;
    open_link();
    (void)close(seen.listener);
    seen.listener = -1;
    turns_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "ECONNREFUSED");
    assert_string_equal(seen.peer, seen.address.text);
    assert_int_equal(link_send(&seen.link, "x", 1), UV_ENOTCONN);
    turns(3);
    assert_int_equal(seen.failed, 1);
}

/* A numeric host needs nobody to be asked. */
static void test_numeric_asks_nobody(void **state)
{
    (void)state;
    unsigned asked = kit_dns_asked();
    connect_it();
    assert_int_equal(kit_dns_asked(), asked);
}

static void test_name_is_asked_for_each_time(void **state)
{
    (void)state;
    open_url("none.test:1");
    unsigned asked = kit_dns_asked();
    turns_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "EAI_NONAME");
    link_open(&seen.link);
    turns_until(&seen.failed, 2);
    assert_int_equal(kit_dns_asked(), asked + 2);
}

static void test_no_such_path(void **state)
{
    (void)state;
    open_url("unix:/nonexistent/relay.sock");
    turns_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "ENOENT");
    assert_string_equal(seen.peer, "unix:/nonexistent/relay.sock");
}

static void test_full_backlog_of_a_path(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char url[160];
    int waiting[8];
    (void)snprintf(a.sun_path, sizeof a.sun_path, "/tmp/agent-relay-link-%d", (int)getpid());
    (void)snprintf(url, sizeof url, "unix:%.100s", a.sun_path);
    seen.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(seen.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(seen.listener, 0), 0);
    for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[i], (struct sockaddr *)&a, sizeof a);
    }
    open_url(url);
    turns_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "EAGAIN");
    for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++)
        (void)close(waiting[i]);
    (void)unlink(a.sun_path);
}

/* Binding the source port makes at once what chance makes now and then: both ends are one socket. That any
 * other connection passes, all the other tests show. */
static void test_connected_to_itself(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    char url[64];
    seen.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(seen.server, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(seen.server, (struct sockaddr *)&a, &size), 0);
    assert_int_equal(connect(seen.server, (struct sockaddr *)&a, sizeof a), 0);
    (void)snprintf(url, sizeof url, "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(address_parse(url, &seen.address, problem, sizeof problem), 0);
    link_init(&seen.link, &seen.loop, &seen.wake, &ops, NULL, &seen.address, 2000);
    seen.link.fd = dup(seen.server);
    assert_true(link_is_self(&seen.link));
    (void)close(seen.link.fd);
    seen.link.fd = -1;
}

/* ---- the end ---- */

static void test_peer_ends(void **state)
{
    (void)state;
    connect_it();
    (void)close(seen.server);
    seen.server = -1;
    turns_until(&seen.lost, 1);
    assert_string_equal(seen.fault, "EOF");
    turns(3);
    assert_int_equal(seen.lost, 1);
}

static void test_reset(void **state)
{
    (void)state;
    connect_it();
    reset_server();
    turns_until(&seen.lost, 1);
    assert_string_equal(seen.fault, "ECONNRESET");
}

/* What stands in front of a reset is heard first. */
static void test_answers_before_a_reset(void **state)
{
    (void)state;
    connect_it();
    assert_int_equal(send(seen.server, "answer", 6, 0), 6);
    reset_server();
    turns_until(&seen.lost, 1);
    assert_int_equal(seen.bytes, 6);
}

/* SIGPIPE is at its default: a signal would end this program. */
static void test_sending_to_one_who_is_gone(void **state)
{
    (void)state;
    connect_it();
    assert_int_equal(send(seen.server, "last", 4, 0), 4);
    reset_server();
    ssize_t sent = link_send(&seen.link, "x", 1);
    if (sent >= 0)
        sent = link_send(&seen.link, "x", 1);
    assert_true(sent < 0);
    assert_int_equal(seen.lost, 0); /* never inside the call */
    assert_int_equal(link_send(&seen.link, "x", 1), UV_ENOTCONN);
    turns_until(&seen.lost, 1);
    assert_int_equal(seen.bytes, 4); /* and what was there is heard */
}

static void test_short_writes(void **state)
{
    (void)state;
    static char block[64 << 10];
    connect_it();
    size_t total = 0;
    ssize_t sent = 0;
    do {
        sent = link_send(&seen.link, block, sizeof block);
        assert_true(sent >= 0);
        total += (size_t)sent;
    } while ((size_t)sent == sizeof block);
    assert_int_equal(link_send(&seen.link, block, 1), 0);
    turns(3);
    assert_int_equal(seen.writable, 0);
    static char got[1 << 20];
    size_t read = 0;
    while (read < total) {
        ssize_t n = recv(seen.server, got, sizeof got, 0);
        assert_true(n > 0);
        read += (size_t)n;
    }
    turns_until(&seen.writable, 1);
    turns(3);
    assert_int_equal(seen.writable, 1);
    assert_int_equal(link_send(&seen.link, block, 10), 10);
}

/* ---- inside every callback ---- */

static void check_in_up(enum act what)
{
    seen.in_up = what;
    open_link();
    turns_until(&seen.up, 1);
    turns(5);
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
    assert_true(send(seen.server, flood, sizeof flood, MSG_DONTWAIT) > 0);
    for (int i = 0; i < TURNS_MAX && seen.bytes == 0; i++)
        turns(1);
    size_t first = seen.bytes;
    assert_true(first > 0 && first <= LINK_READ_BYTES);
    turns(3);
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
    turns_until(&seen.up, 2);
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
    turns_until(&seen.lost, 1);
}

static void test_reopen_in_lost(void **state)
{
    (void)state;
    check_in_lost(ACT_REOPEN);
    turns_until(&seen.up, 2);
}

static void test_done_in_lost(void **state)
{
    (void)state;
    check_in_lost(ACT_DONE);
    turns_until(&seen.closed, 1);
}

static void test_reopen_in_failed(void **state)
{
    (void)state;
    seen.in_failed = ACT_REOPEN;
    open_url("unix:/nonexistent/relay.sock");
    turns_until(&seen.failed, 5);
}

static void test_done_in_failed(void **state)
{
    (void)state;
    seen.in_failed = ACT_DONE;
    open_url("none.test:1");
    turns_until(&seen.closed, 1);
}

/* ---- while a name is being resolved ---- */

static void await_name(void)
{
    for (int i = 0; i < TURNS_MAX && kit_dns_waiting() == 0; i++)
        turns(1);
    assert_int_equal(kit_dns_waiting(), 1);
}

static void test_done_while_resolving(void **state)
{
    (void)state;
    open_url("hang.test:9500");
    await_name();
    link_done(&seen.link);
    turns_until(&seen.closed, 1);
    assert_int_equal(kit_dns_waiting(), 1); /* still: the loop did not wait for it */
    kit_dns_release();
    while (fault_alloc_live() > 0) /* the request frees itself, on its thread */
        (void)usleep(1000);
}

static void test_close_and_open_while_resolving(void **state)
{
    (void)state;
    open_url("hang.test:9500");
    await_name();
    link_close(&seen.link);
    link_open(&seen.link);
    for (int i = 0; i < TURNS_MAX && kit_dns_waiting() < 2; i++)
        turns(1);
    kit_dns_release();
    turns_until(&seen.failed, 1); /* the second's, alone */
    assert_string_equal(seen.fault, "EAI_AGAIN");
    turns(3);
    assert_int_equal(seen.failed, 1);
    while (fault_alloc_live() > 1) /* the read buffer never was: only what the link itself may hold */
        (void)usleep(1000);
}

/* ---- no memory ---- */

static void test_without_memory(void **state)
{
    (void)state;
    open_link();
    fault_alloc_fail_from(1);
    turns_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "ENOMEM");
    fault_alloc_fail_at(2); /* the read buffer */
    link_open(&seen.link);
    turns_until(&seen.failed, 2);
    fault_alloc_fail_at(0);
    link_open(&seen.link);
    turns_until(&seen.up, 1);
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(test_connects),
        LINK_TEST(test_refused),
        LINK_TEST(test_numeric_asks_nobody),
        LINK_TEST(test_name_is_asked_for_each_time),
        LINK_TEST(test_no_such_path),
        LINK_TEST(test_full_backlog_of_a_path),
        LINK_TEST(test_connected_to_itself),
        LINK_TEST(test_peer_ends),
        LINK_TEST(test_reset),
        LINK_TEST(test_answers_before_a_reset),
        LINK_TEST(test_sending_to_one_who_is_gone),
        LINK_TEST(test_short_writes),
        LINK_TEST(test_close_in_up),
        LINK_TEST(test_reopen_in_up),
        LINK_TEST(test_done_in_up),
        LINK_TEST(test_close_in_bytes),
        LINK_TEST(test_reopen_in_bytes),
        LINK_TEST(test_done_in_bytes),
        LINK_TEST(test_reopen_in_lost),
        LINK_TEST(test_done_in_lost),
        LINK_TEST(test_reopen_in_failed),
        LINK_TEST(test_done_in_failed),
        LINK_TEST(test_done_while_resolving),
        LINK_TEST(test_close_and_open_while_resolving),
        LINK_TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
