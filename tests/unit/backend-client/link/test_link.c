/* The client's link on a real loop, against plain sockets: what was received before the end is heard, what
 * the kernel does not take goes out later, and a socket that is connected to itself is refused. Names are the
 * client kit's (client_kit.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/backend-client/api/client_fixture.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/backend-client/link/link_fixture.h"

/* ---- a kernel that takes some, and then finds the link broken ---- */

static size_t takes_then_breaks; /* bytes; 0: the real one */
static bool broken;

/* In place of the C library's, for this program. */
ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    if (broken) {
        errno = ECONNRESET;
        return -1;
    }
    if (takes_then_breaks > 0 && (flags & MSG_NOSIGNAL) != 0) {
        len = takes_then_breaks;
        broken = true;
    }
    return sendto(fd, bytes, len, flags, NULL, 0);
}

/* ---- connecting ---- */

static void test_connects(void **state)
{
    (void)state;
    connect_it();
    assert_string_equal(seen.peer, seen.address.text);
    assert_int_equal(send(seen.server, "hello", 5, 0), 5);
    for (int i = 0; i < ITERATIONS_MAX && seen.bytes < 5; i++)
        iterate(1);
    assert_int_equal(seen.bytes, 5);
    char got[8];
    assert_int_equal(link_send(&seen.link, "world", 5), 5);
    assert_int_equal(recv(seen.server, got, sizeof(got), 0), 5);
    assert_int_equal(seen.writable, 0);
}

static void test_refused(void **state)
{
    (void)state;
    open_link();
    (void)close(seen.listener);
    seen.listener = -1;
    iterate_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "ECONNREFUSED");
    assert_string_equal(seen.peer, seen.address.text);
    assert_int_equal(link_send(&seen.link, "x", 1), UV_ENOTCONN);
    iterate(3);
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
    iterate_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "EAI_NONAME");
    link_open(&seen.link);
    iterate_until(&seen.failed, 2);
    assert_int_equal(kit_dns_asked(), asked + 2);
}

static void test_no_such_path(void **state)
{
    (void)state;
    open_url("unix:/nonexistent/relay.sock");
    iterate_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "ENOENT");
    assert_string_equal(seen.peer, "unix:/nonexistent/relay.sock");
}

static void test_full_backlog_of_a_path(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char url[160];
    int waiting[8];
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/agent-relay-link-%d", (int)getpid());
    (void)snprintf(url, sizeof(url), "unix:%.100s", a.sun_path);
    seen.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(seen.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(seen.listener, 0), 0);
    for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[i], (struct sockaddr *)&a, sizeof(a));
    }
    open_url(url);
    iterate_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "EAGAIN");
    for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++)
        (void)close(waiting[i]);
    (void)unlink(a.sun_path);
}

/* The first SYN is dropped, since the queue is full; the second one, a second later, comes through while the
 * host's loop stands still, and the time-out is over by the time it runs again. */
static void test_connected_while_the_loop_stood_still(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    char url[64];
    int waiting[2];
    seen.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(seen.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(seen.listener, 0), 0);
    assert_int_equal(getsockname(seen.listener, (struct sockaddr *)&a, &size), 0);
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[i], (struct sockaddr *)&a, sizeof(a));
    }
    (void)snprintf(url, sizeof(url), "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    open_url(url);
    seen.link.connect_timeout_ms = 900;
    while (seen.link.phase != LINK_CONNECTING)
        iterate(1);
    for (size_t i = 0; i < 2; i++)
        (void)close(waiting[i]);
    struct pollfd connected = {.fd = seen.link.fd, .events = POLLOUT};
    int ready = 0;
    while (ready == 0) {
        int taken = accept4(seen.listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(taken >= 0);
        (void)close(taken);
        ready = poll(&connected, 1, 1);
    }
    while (uv_hrtime() / 1000000 < uv_now(&seen.loop) + 1000)
        assert_int_equal(poll(&connected, 1, 0), 1);
    iterate_until(&seen.up, 1);
    assert_int_equal(seen.failed, 0);
}

/* Binding the source port makes at once what chance makes now and then: both ends are one socket. That any
 * other connection passes, all the other tests show. */
static void test_connected_to_itself(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    char url[64];
    seen.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(seen.server, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(seen.server, (struct sockaddr *)&a, &size), 0);
    assert_int_equal(connect(seen.server, (struct sockaddr *)&a, sizeof(a)), 0);
    (void)snprintf(url, sizeof(url), "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(address_parse(url, &seen.address, problem, sizeof(problem)), 0);
    link_init(&seen.link, &seen.loop, &seen.wake, &link_test_ops, NULL, &seen.address, 2000);
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
    iterate_until(&seen.lost, 1);
    assert_string_equal(seen.fault, "EOF");
    iterate(3);
    assert_int_equal(seen.lost, 1);
}

static void test_reset(void **state)
{
    (void)state;
    connect_it();
    reset_server();
    iterate_until(&seen.lost, 1);
    assert_string_equal(seen.fault, "ECONNRESET");
}

/* What stands in front of a reset is heard first. */
static void test_answers_before_a_reset(void **state)
{
    (void)state;
    connect_it();
    assert_int_equal(send(seen.server, "answer", 6, 0), 6);
    reset_server();
    iterate_until(&seen.lost, 1);
    assert_int_equal(seen.bytes, 6);
}

/* A path says EPIPE to the first send already. SIGPIPE is at its default: a signal would end this program. */
static void test_sending_to_a_path_that_is_gone(void **state)
{
    (void)state;
    struct sigaction now;
    struct peer *peer = peer_start(PEER_UNIX);
    peer_set_mode(peer, PEER_SILENT);
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
    open_url(peer_url(peer));
    iterate_until(&seen.up, 1);
    while (peer_open_now(peer) == 0)
        iterate(1);
    peer_drop_all(peer, false);
    assert_int_equal(link_send(&seen.link, "x", 1), UV_EPIPE);
    iterate_until(&seen.lost, 1);
    peer_stop(peer);
}

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
    iterate_until(&seen.lost, 1);
    assert_int_equal(seen.bytes, 4); /* and what was there is heard */
}

/* A process that the host forked holds the socket as well: the peer sees the end all the same. */
static void test_end_while_another_holds_the_socket(void **state)
{
    (void)state;
    char got;
    connect_it();
    int other = dup(seen.link.fd);
    assert_true(other >= 0);
    link_close(&seen.link);
    assert_int_equal(recv(seen.server, &got, 1, 0), 0);
    (void)close(other);
}

/* What the kernel took before may be on its way: whoever asks whether a request may have run must know. */
static void test_breaking_half_way(void **state)
{
    (void)state;
    char got[8];
    connect_it();
    takes_then_breaks = 3;
    ssize_t sent = link_send(&seen.link, "hello", 5);
    takes_then_breaks = 0;
    broken = false;
    assert_int_equal(sent, 3);
    assert_int_equal(seen.lost, 0);
    assert_int_equal(link_send(&seen.link, "x", 1), UV_ENOTCONN);
    iterate_until(&seen.lost, 1);
    assert_string_equal(seen.fault, "ECONNRESET");
    assert_int_equal(recv(seen.server, got, sizeof(got), 0), 3);
}

static void test_short_writes(void **state)
{
    (void)state;
    static char block[64 << 10];
    connect_it();
    size_t total = 0;
    ssize_t sent = 0;
    do {
        sent = link_send(&seen.link, block, sizeof(block));
        assert_true(sent >= 0);
        total += (size_t)sent;
    } while ((size_t)sent == sizeof(block));
    assert_int_equal(link_send(&seen.link, block, 1), 0);
    iterate(3);
    assert_int_equal(seen.writable, 0);
    static char got[1 << 20];
    size_t read = 0;
    while (read < total) {
        ssize_t n = recv(seen.server, got, sizeof(got), 0);
        assert_true(n > 0);
        read += (size_t)n;
    }
    iterate_until(&seen.writable, 1);
    iterate(3);
    assert_int_equal(seen.writable, 1);
    assert_int_equal(link_send(&seen.link, block, 10), 10);
}

/* ---- no memory ---- */

static void test_without_memory(void **state)
{
    (void)state;
    fault_alloc_install();
    open_link();
    fault_alloc_fail_from(1);
    iterate_until(&seen.failed, 1);
    assert_string_equal(seen.fault, "ENOMEM");
    fault_alloc_fail_at(0);
    link_open(&seen.link);
    iterate_until(&seen.up, 1);
    seen.server = accept(seen.listener, NULL, NULL);
    assert_true(seen.server >= 0);
    char sent[10000] = {0};
    assert_int_equal(send(seen.server, sent, sizeof(sent), 0), sizeof(sent));
    fault_alloc_fail_from(1); /* the read buffer: a small one does */
    while (seen.bytes < sizeof(sent))
        iterate(1);
    fault_alloc_fail_at(0);
    assert_int_equal(seen.lost, 0);
    link_done(&seen.link);
    iterate_until(&seen.closed, 1);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(test_without_memory), /* first: the failing allocator is not for several threads */
        LINK_TEST(test_connects),
        LINK_TEST(test_refused),
        LINK_TEST(test_numeric_asks_nobody),
        LINK_TEST(test_name_is_asked_for_each_time),
        LINK_TEST(test_no_such_path),
        LINK_TEST(test_full_backlog_of_a_path),
        LINK_TEST(test_connected_while_the_loop_stood_still),
        LINK_TEST(test_connected_to_itself),
        LINK_TEST(test_peer_ends),
        LINK_TEST(test_reset),
        LINK_TEST(test_answers_before_a_reset),
        LINK_TEST(test_sending_to_a_path_that_is_gone),
        LINK_TEST(test_sending_to_one_who_is_gone),
        LINK_TEST(test_end_while_another_holds_the_socket),
        LINK_TEST(test_breaking_half_way),
        LINK_TEST(test_short_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
