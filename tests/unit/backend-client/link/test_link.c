/* The client's link on a real loop, against plain sockets: what was received before the end is heard, what
 * the kernel does not take goes out later, and a socket that is connected to itself is refused. Names are the
 * client fixture's (client_fixture.h).
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
#include <sys/ioctl.h>
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

static void connects(void **state)
{
    (void)state;
    link_fixture_connect();
    assert_string_equal(fixture.peer, fixture.address.text);
    assert_int_equal(send(fixture.server, "hello", 5, 0), 5);
    for (int i = 0; i < ITERATIONS_MAX && fixture.bytes < 5; i++)
        link_fixture_iterate(1);
    assert_int_equal(fixture.bytes, 5);
    char got[8];
    assert_int_equal(link_send(&fixture.link, "world", 5), 5);
    assert_int_equal(recv(fixture.server, got, sizeof(got), 0), 5);
    assert_int_equal(fixture.writable, 0);
}

static void reports_a_refused_connection(void **state)
{
    (void)state;
    link_fixture_open();
    (void)close(fixture.listener);
    fixture.listener = -1;
    link_fixture_run_until(&fixture.failed, 1);
    assert_string_equal(fixture.fault, "ECONNREFUSED");
    assert_string_equal(fixture.peer, fixture.address.text);
    assert_int_equal(link_send(&fixture.link, "x", 1), UV_ENOTCONN);
    link_fixture_iterate(3);
    assert_int_equal(fixture.failed, 1);
}

/* As much as the kernel takes for a link that does not read. */
static size_t fill_the_socket(void)
{
    static char bytes[(size_t)1 << 20];
    size_t sent = 0;
    ssize_t n;
    while ((n = sendto(fixture.server, bytes, sizeof(bytes), MSG_DONTWAIT, NULL, 0)) > 0)
        sent += (size_t)n;
    return sent;
}

/* The loop stood still while more came than one event reads: all of it is there before anything is judged. The kernel
 * gives a link that reads fast more and more room. */
static void reads_all_that_is_pending(void **state)
{
    (void)state;
    const int one_event = 8 << 16;
    int waiting = 0;
    link_fixture_connect();
    for (int i = 0; i < 200 && waiting <= one_event; i++) {
        (void)fill_the_socket();
        assert_int_equal(ioctl(fixture.link.fd, FIONREAD, &waiting), 0);
        if (waiting <= one_event)
            link_fixture_iterate(1);
    }
    if (waiting <= one_event) {
        print_message("skipped: this kernel holds at most %d bytes for a link\n", waiting);
        skip();
    }
    size_t before = fixture.bytes;
    link_read_pending(&fixture.link);
    assert_true(fixture.bytes - before >= (size_t)waiting);
}

/* A numeric host needs no resolver. */
static void a_numeric_address_needs_no_resolver(void **state)
{
    (void)state;
    unsigned asked = client_fixture_dns_asked();
    link_fixture_connect();
    assert_int_equal(client_fixture_dns_asked(), asked);
}

static void name_is_asked_for_each_time(void **state)
{
    (void)state;
    link_fixture_open_url("none.test:1");
    unsigned asked = client_fixture_dns_asked();
    link_fixture_run_until(&fixture.failed, 1);
    assert_string_equal(fixture.fault, "EAI_NONAME");
    link_open(&fixture.link);
    link_fixture_run_until(&fixture.failed, 2);
    assert_int_equal(client_fixture_dns_asked(), asked + 2);
}

static void reports_a_path_that_is_not_there(void **state)
{
    (void)state;
    link_fixture_open_url("unix:/nonexistent/relay.sock");
    link_fixture_run_until(&fixture.failed, 1);
    assert_string_equal(fixture.fault, "ENOENT");
    assert_string_equal(fixture.peer, "unix:/nonexistent/relay.sock");
}

static void full_backlog_of_a_path(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char url[160];
    int waiting[8];
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/agent-relay-link-%d", (int)getpid());
    (void)snprintf(url, sizeof(url), "unix:%.100s", a.sun_path);
    fixture.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fixture.listener, 0), 0);
    for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[i], (struct sockaddr *)&a, sizeof(a));
    }
    link_fixture_open_url(url);
    link_fixture_run_until(&fixture.failed, 1);
    assert_string_equal(fixture.fault, "EAGAIN");
    for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++)
        (void)close(waiting[i]);
    (void)unlink(a.sun_path);
}

/* The first SYN is dropped, since the queue is full; the second one, a second later, comes through while the
 * host's loop stands still, and the time-out is over by the time it runs again. */
static void connected_while_the_loop_stood_still(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    char url[64];
    int waiting[2];
    fixture.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fixture.listener, 0), 0);
    assert_int_equal(getsockname(fixture.listener, (struct sockaddr *)&a, &size), 0);
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[i], (struct sockaddr *)&a, sizeof(a));
    }
    (void)snprintf(url, sizeof(url), "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    link_fixture_open_url(url);
    fixture.link.connect_timeout_ms = 900;
    while (fixture.link.phase != LINK_CONNECTING)
        link_fixture_iterate(1);
    for (size_t i = 0; i < 2; i++)
        (void)close(waiting[i]);
    struct pollfd connected = {.fd = fixture.link.fd, .events = POLLOUT};
    int ready = 0;
    while (ready == 0) {
        int taken = accept4(fixture.listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(taken >= 0);
        (void)close(taken);
        ready = poll(&connected, 1, 1);
    }
    while (uv_hrtime() / 1000000 < uv_now(&fixture.loop) + 1000)
        assert_int_equal(poll(&connected, 1, 0), 1);
    link_fixture_run_until(&fixture.up, 1);
    assert_int_equal(fixture.failed, 0);
}

/* Binding the source port makes at once what chance makes now and then: both ends are one socket. That any
 * other connection passes, all the other tests show. */
static void connected_to_itself(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    char url[64];
    fixture.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture.server, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fixture.server, (struct sockaddr *)&a, &size), 0);
    assert_int_equal(connect(fixture.server, (struct sockaddr *)&a, sizeof(a)), 0);
    (void)snprintf(url, sizeof(url), "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(address_parse(url, &fixture.address, problem, sizeof(problem)), 0);
    link_init(&fixture.link, &fixture.loop, &fixture.wake, &link_fixture_ops, NULL, &fixture.address, 2000);
    fixture.link.fd = dup(fixture.server);
    assert_true(link_is_self(&fixture.link));
    (void)close(fixture.link.fd);
    fixture.link.fd = -1;
}

/* ---- the end ---- */

static void reports_the_end_of_the_peer(void **state)
{
    (void)state;
    link_fixture_connect();
    (void)close(fixture.server);
    fixture.server = -1;
    link_fixture_run_until(&fixture.lost, 1);
    assert_string_equal(fixture.fault, "EOF");
    link_fixture_iterate(3);
    assert_int_equal(fixture.lost, 1);
}

static void reports_a_reset(void **state)
{
    (void)state;
    link_fixture_connect();
    link_fixture_reset_server();
    link_fixture_run_until(&fixture.lost, 1);
    assert_string_equal(fixture.fault, "ECONNRESET");
}

/* What stands in front of a reset is heard first. */
static void answers_before_a_reset(void **state)
{
    (void)state;
    link_fixture_connect();
    assert_int_equal(send(fixture.server, "answer", 6, 0), 6);
    link_fixture_reset_server();
    link_fixture_run_until(&fixture.lost, 1);
    assert_int_equal(fixture.bytes, 6);
}

/* A path says EPIPE to the first send already. SIGPIPE is at its default: a signal would end this program. */
static void sending_to_a_path_that_is_gone(void **state)
{
    (void)state;
    struct sigaction now;
    struct peer *peer = peer_start(PEER_UNIX);
    peer_set_mode(peer, PEER_SILENT);
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
    link_fixture_open_url(peer_url(peer));
    link_fixture_run_until(&fixture.up, 1);
    while (peer_open_now(peer) == 0)
        link_fixture_iterate(1);
    peer_drop_all(peer, false);
    assert_int_equal(link_send(&fixture.link, "x", 1), UV_EPIPE);
    link_fixture_run_until(&fixture.lost, 1);
    peer_stop(peer);
}

static void sending_to_a_peer_that_is_gone(void **state)
{
    (void)state;
    link_fixture_connect();
    assert_int_equal(send(fixture.server, "last", 4, 0), 4);
    link_fixture_reset_server();
    ssize_t sent = link_send(&fixture.link, "x", 1);
    if (sent >= 0)
        sent = link_send(&fixture.link, "x", 1);
    assert_true(sent < 0);
    assert_int_equal(fixture.lost, 0); /* never inside the call */
    assert_int_equal(link_send(&fixture.link, "x", 1), UV_ENOTCONN);
    link_fixture_run_until(&fixture.lost, 1);
    assert_int_equal(fixture.bytes, 4); /* and what was there is heard */
}

/* A process that the host forked holds the socket as well: the peer sees the end all the same. */
static void end_while_another_holds_the_socket(void **state)
{
    (void)state;
    char got;
    link_fixture_connect();
    int other = dup(fixture.link.fd);
    assert_true(other >= 0);
    link_close(&fixture.link);
    assert_int_equal(recv(fixture.server, &got, 1, 0), 0);
    (void)close(other);
}

/* What the kernel took before may be on its way: the engine needs it to know whether a request may have run. */
static void breaking_half_way(void **state)
{
    (void)state;
    char got[8];
    link_fixture_connect();
    takes_then_breaks = 3;
    ssize_t sent = link_send(&fixture.link, "hello", 5);
    takes_then_breaks = 0;
    broken = false;
    assert_int_equal(sent, 3);
    assert_int_equal(fixture.lost, 0);
    assert_int_equal(link_send(&fixture.link, "x", 1), UV_ENOTCONN);
    link_fixture_run_until(&fixture.lost, 1);
    assert_string_equal(fixture.fault, "ECONNRESET");
    assert_int_equal(recv(fixture.server, got, sizeof(got), 0), 3);
}

static void short_writes(void **state)
{
    (void)state;
    static char block[64 << 10];
    link_fixture_connect();
    size_t total = 0;
    ssize_t sent = 0;
    do {
        sent = link_send(&fixture.link, block, sizeof(block));
        assert_true(sent >= 0);
        total += (size_t)sent;
    } while ((size_t)sent == sizeof(block));
    assert_int_equal(link_send(&fixture.link, block, 1), 0);
    link_fixture_iterate(3);
    assert_int_equal(fixture.writable, 0);
    static char got[1 << 20];
    size_t read = 0;
    while (read < total) {
        ssize_t n = recv(fixture.server, got, sizeof(got), 0);
        assert_true(n > 0);
        read += (size_t)n;
    }
    link_fixture_run_until(&fixture.writable, 1);
    link_fixture_iterate(3);
    assert_int_equal(fixture.writable, 1);
    assert_int_equal(link_send(&fixture.link, block, 10), 10);
}

/* ---- no memory ---- */

static void survives_without_memory(void **state)
{
    (void)state;
    fault_alloc_install();
    link_fixture_open();
    fault_alloc_fail_from(1);
    link_fixture_run_until(&fixture.failed, 1);
    assert_string_equal(fixture.fault, "ENOMEM");
    fault_alloc_fail_at(0);
    link_open(&fixture.link);
    link_fixture_run_until(&fixture.up, 1);
    fixture.server = accept(fixture.listener, NULL, NULL);
    assert_true(fixture.server >= 0);
    char sent[10000] = {0};
    assert_int_equal(send(fixture.server, sent, sizeof(sent), 0), sizeof(sent));
    fault_alloc_fail_from(1); /* the read buffer: a small one does */
    while (fixture.bytes < sizeof(sent))
        link_fixture_iterate(1);
    fault_alloc_fail_at(0);
    assert_int_equal(fixture.lost, 0);
    link_done(&fixture.link);
    link_fixture_run_until(&fixture.closed, 1);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(survives_without_memory), /* first: the failing allocator is not for several threads */
        LINK_TEST(connects),
        LINK_TEST(reads_all_that_is_pending),
        LINK_TEST(reports_a_refused_connection),
        LINK_TEST(a_numeric_address_needs_no_resolver),
        LINK_TEST(name_is_asked_for_each_time),
        LINK_TEST(reports_a_path_that_is_not_there),
        LINK_TEST(full_backlog_of_a_path),
        LINK_TEST(connected_while_the_loop_stood_still),
        LINK_TEST(connected_to_itself),
        LINK_TEST(reports_the_end_of_the_peer),
        LINK_TEST(reports_a_reset),
        LINK_TEST(answers_before_a_reset),
        LINK_TEST(sending_to_a_path_that_is_gone),
        LINK_TEST(sending_to_a_peer_that_is_gone),
        LINK_TEST(end_while_another_holds_the_socket),
        LINK_TEST(breaking_half_way),
        LINK_TEST(short_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
