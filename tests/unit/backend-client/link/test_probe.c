/* The health probe on a real loop, against an HTTP server of plain sockets that answers as scripted:
 * results, bounds, and closing at any moment. Names are resolved by client_fixture.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend-client/src/link/pipe_guard.h"
#include "backend-client/src/link/probe.h"
#include "backend-client/src/link/probe_url.h"
#include "base/alloc.h"
#include "tests/unit/backend-client/api/client_fixture.h"
#include "tests/unit/common/fault_alloc.h"

#define ITERATIONS_MAX 4000 /* of 5 ms at most, by the tick */

struct seen {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t tick;
    struct probe *probe;
    struct peer *peer;
    unsigned results;
    unsigned closed;
    bool close_inside;
    int status;
    char text[400];
};

static struct seen seen;

static void on_closed(void *data)
{
    assert_ptr_equal(data, &seen);
    seen.closed++;
}

static void on_result(void *data, int status, const char *text)
{
    assert_ptr_equal(data, &seen);
    assert_int_equal(seen.closed, 0);
    seen.results++;
    seen.status = status;
    (void)snprintf(seen.text, sizeof(seen.text), "%s", text);
    if (seen.close_inside) {
        probe_close(seen.probe, on_closed, &seen);
        seen.probe = NULL;
    }
}

static void on_wake(uv_async_t *async)
{
    (void)async;
    if (seen.probe)
        probe_wake(seen.probe);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(uv_loop_init(&seen.loop), 0);
    assert_int_equal(uv_async_init(&seen.loop, &seen.wake, on_wake), 0);
    assert_int_equal(uv_timer_init(&seen.loop, &seen.tick), 0);
    assert_int_equal(uv_timer_start(&seen.tick, on_tick, 5, 5), 0);
    seen.peer = peer_start(PEER_IP4);
    peer_set_mode(seen.peer, PEER_HTTP);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (seen.probe)
        probe_close(seen.probe, on_closed, &seen);
    uv_close((uv_handle_t *)&seen.wake, NULL);
    uv_close((uv_handle_t *)&seen.tick, NULL);
    (void)uv_run(&seen.loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(uv_loop_close(&seen.loop), 0);
    peer_stop(seen.peer);
    return 0;
}

static void make(const char *url)
{
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(
        probe_new(&seen.loop, &seen.wake, url, on_result, &seen, &seen.probe, problem, sizeof(problem)), 0);
}

static void make_for_peer(const char *host, const char *path)
{
    char url[200];
    (void)snprintf(url, sizeof(url), "http://%s:%u%s", host, (unsigned)peer_port(seen.peer), path);
    make(url);
}

static void await(unsigned results)
{
    for (int i = 0; i < ITERATIONS_MAX && seen.results < results; i++)
        (void)uv_run(&seen.loop, UV_RUN_ONCE);
    assert_int_equal(seen.results, results);
}

static void ask(void)
{
    unsigned before = seen.results;
    probe_start(seen.probe);
    probe_start(seen.probe); /* while one is under way: nothing */
    assert_int_equal(seen.results, before);
    await(before + 1);
}

static void answer(const char *text)
{
    peer_set_raw(seen.peer, text, strlen(text));
}

/* ---- results ---- */

static void reports_statuses(void **state)
{
    (void)state;
    make_for_peer("127.0.0.1", "/health");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ask();
    assert_int_equal(seen.status, 200);
    assert_string_equal(seen.text, "");
    answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    ask();
    assert_int_equal(seen.status, 503);
    answer("HTTP/1.1 404 Not Found\r\n\r\nby closing");
    ask();
    assert_int_equal(seen.status, 404);
    assert_int_equal(peer_requests(seen.peer), 3);
}

/* A redirect is an answer, not a way to somewhere else. */
static void follows_no_redirect(void **state)
{
    (void)state;
    make_for_peer("127.0.0.1", "/");
    answer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    ask();
    assert_int_equal(seen.status, 302);
    assert_int_equal(peer_requests(seen.peer), 1);
}

static void reports_a_refused_connection(void **state)
{
    (void)state;
    make_for_peer("127.0.0.1", "/health");
    peer_set_listening(seen.peer, false);
    ask();
    assert_int_equal(seen.status, 0);
    assert_non_null(strstr(seen.text, "connect"));
}

static void reports_an_answer_that_is_no_http(void **state)
{
    (void)state;
    make_for_peer("127.0.0.1", "/health");
    answer("SSH-2.0-OpenSSH_9.2\r\n");
    ask();
    assert_int_equal(seen.status, 0);
    assert_true(seen.text[0] != '\0');
    answer("");
    ask();
    assert_int_equal(seen.status, 0);
    assert_true(seen.text[0] != '\0');
}

static void a_silent_peer(void **state)
{
    (void)state;
    make_for_peer("127.0.0.1", "/health");
    peer_set_mode(seen.peer, PEER_SILENT);
    uint64_t from = uv_hrtime();
    ask();
    assert_int_equal(seen.status, 0);
    assert_non_null(strstr(seen.text, "no answer within 2000 ms"));
    assert_true(uv_hrtime() - from >= (uint64_t)(PROBE_TIMEOUT_MS - 100) * 1000000);
}

/* The status came; a body that does not end does not hide it. */
static void a_slow_body(void **state)
{
    (void)state;
    make_for_peer("127.0.0.1", "/health");
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome";
    peer_set_raw(seen.peer, head, strlen(head));
    peer_set_mode(seen.peer, PEER_RAW);
    ask();
    assert_int_equal(seen.status, 200);
}

static void a_large_body(void **state)
{
    (void)state;
    static char text[4 << 20];
    memset(text, 'x', sizeof(text));
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    for (size_t i = 0; head[i] != '\0'; i++)
        text[i] = head[i];
    make_for_peer("127.0.0.1", "/health");
    peer_set_raw(seen.peer, text, sizeof(text));
    ask();
    assert_int_equal(seen.status, 200);
}

static void an_endless_head(void **state)
{
    (void)state;
    static char text[4 << 20];
    memset(text, 'x', sizeof(text));
    static const char head[] = "HTTP/1.1 200 OK\r\nA: ";
    for (size_t i = 0; head[i] != '\0'; i++)
        text[i] = head[i];
    make_for_peer("127.0.0.1", "/health");
    peer_set_raw(seen.peer, text, sizeof(text));
    ask(); /* whatever the result: it comes */
}

/* ---- names ---- */

static void resolves_a_name(void **state)
{
    (void)state;
    make_for_peer("both.test", "/health"); /* ::1, where nothing listens, and 127.0.0.1 */
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    unsigned asked = client_fixture_dns_asked();
    ask();
    assert_int_equal(seen.status, 200);
    assert_int_equal(client_fixture_dns_asked(), asked + 1); /* by us, not by libcurl */
}

/* A dot at its end makes it another name, and is no reason to look it up again. */
static void resolves_a_name_with_a_dot(void **state)
{
    (void)state;
    make_for_peer("both.test.", "/health");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    unsigned asked = client_fixture_dns_asked();
    ask();
    assert_int_equal(seen.status, 200);
    assert_int_equal(client_fixture_dns_asked(), asked + 1);
}

static void reports_a_name_that_does_not_exist(void **state)
{
    (void)state;
    make_for_peer("none.test", "/health");
    ask();
    assert_int_equal(seen.status, 0);
    assert_non_null(strstr(seen.text, "none.test does not resolve"));
}

static void gives_up_a_name_that_hangs(void **state)
{
    (void)state;
    make_for_peer("hang.test", "/health");
    uint64_t longest = 0;
    probe_start(seen.probe);
    for (int i = 0; i < ITERATIONS_MAX && seen.results == 0; i++) {
        uint64_t from = uv_hrtime();
        (void)uv_run(&seen.loop, UV_RUN_ONCE);
        uint64_t took = uv_hrtime() - from;
        longest = took > longest ? took : longest;
    }
    assert_int_equal(seen.results, 1);
    assert_int_equal(seen.status, 0);
    assert_true(longest < UINT64_C(4000000000)); /* the loop went on */
    assert_int_equal(client_fixture_dns_waiting(), 1);
    client_fixture_dns_release();
}

/* ---- closing ---- */

static void close_now(void)
{
    probe_close(seen.probe, on_closed, &seen);
    seen.probe = NULL;
}

static void close_unused(void **state)
{
    (void)state;
    make("https://[::1]:8443/health");
    close_now();
    assert_int_equal(seen.closed, 1);
}

static void close_none(void **state)
{
    (void)state;
    probe_close(NULL, on_closed, &seen);
    assert_int_equal(seen.closed, 1);
}

/* At every loop iteration of a request. */
static void close_at_any_moment(void **state)
{
    (void)state;
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (int after = 0; after < 12; after++) {
        seen.closed = 0;
        make_for_peer("both.test", "/health");
        probe_start(seen.probe);
        for (int i = 0; i < after; i++)
            (void)uv_run(&seen.loop, UV_RUN_ONCE);
        unsigned results = seen.results;
        close_now();
        for (int i = 0; i < ITERATIONS_MAX && seen.closed == 0; i++)
            (void)uv_run(&seen.loop, UV_RUN_ONCE);
        assert_int_equal(seen.closed, 1);
        assert_int_equal(seen.results, results);
    }
}

static void closes_inside_the_callback(void **state)
{
    (void)state;
    make_for_peer("127.0.0.1", "/health");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    seen.close_inside = true;
    ask();
}

/* ---- no memory ---- */

static void survives_without_memory(void **state)
{
    (void)state;
    char problem[AR_PROBLEM_SIZE];
    fault_alloc_install();
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        int rc = probe_new(&seen.loop, &seen.wake, "http://127.0.0.1/", on_result, &seen, &seen.probe,
                           problem, sizeof(problem));
        if (!fault_alloc_fired()) {
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(fault_alloc_live(), 0);
    }
    close_now();
    seen.closed = 0;
    fault_alloc_fail_at(0);
    make_for_peer("127.0.0.1", "/health");
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        ask();
        if (!fault_alloc_fired())
            break;
        assert_int_equal(seen.status, 0);
    }
    assert_int_equal(seen.status, 200);
    fault_alloc_fail_at(0);
    close_now();
    for (int i = 0; i < ITERATIONS_MAX && seen.closed == 0; i++)
        (void)uv_run(&seen.loop, UV_RUN_ONCE);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

/* ---- addresses ---- */

static void checks_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *host; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        {"http://relay/health", "relay", 80},
        {"https://relay", "relay", 443},
        {"http://relay.:8080/a?b#c", "relay.", 8080},
        {"http://relay/a?mail=b@c", "relay", 80},
        {"http://127.0.0.1:9/", "127.0.0.1", 9},
        {"http://[::1]:65535/x", "::1", 65535},
        {"http://[fe80::1]", "fe80::1", 80},
        {"http://relay?x=/y", "relay", 80},
        {"relay/health", NULL, 0},
        {"ftp://relay/", NULL, 0},
        {"HTTP://relay/", NULL, 0},
        {"http://", NULL, 0},
        {"http:///x", NULL, 0},
        {"http://user:secret@relay/", NULL, 0},
        {"http://re lay/", NULL, 0},
        {"http://re\\lay/", NULL, 0},
        {"http://relay:0/", NULL, 0},
        {"http://relay:65536/", NULL, 0},
        {"http://relay:/", NULL, 0},
        {"http://relay:99999999999/", NULL, 0},
        {"http://relay:8x/", NULL, 0},
        {"http://[::1/", NULL, 0},
        {"http://[::1]x/", NULL, 0},
        {"http://r\xc3\xa9lais/", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct probe_url url;
        char problem[AR_PROBLEM_SIZE] = "";
        int rc = probe_url_parse(cases[i].url, &url, problem, sizeof(problem));
        assert_int_equal(rc, cases[i].host ? 0 : ERR_SYNTAX);
        if (!cases[i].host) {
            assert_non_null(strstr(problem, "write one such as"));
            assert_null(strstr(problem, "secret"));
            continue;
        }
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
    }
}

/* ---- SIGPIPE ---- */

static void guards_against_sigpipe(void **state)
{
    (void)state;
    struct pipe_guard g;
    sigset_t before;
    sigset_t after;
    memset(&before, 0, sizeof(before)); /* the kernel fills in less than all of it */
    memset(&after, 0, sizeof(after));
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    pipe_guard_begin(&g);
    assert_int_equal(raise(SIGPIPE), 0); /* at its default, this would end the program */
    pipe_guard_end(&g);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    /* One that was waiting before is the host's: it is still there afterwards. */
    sigset_t pipe;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    assert_int_equal(raise(SIGPIPE), 0);
    pipe_guard_begin(&g);
    pipe_guard_end(&g);
    sigset_t pending;
    (void)sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 1);
    const struct timespec at_once = {0};
    assert_int_equal(sigtimedwait(&pipe, NULL, &at_once), SIGPIPE);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

#define PROBE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_TEST(survives_without_memory), /* first: the failing allocator is not for several threads */
        PROBE_TEST(reports_statuses),
        PROBE_TEST(follows_no_redirect),
        PROBE_TEST(reports_a_refused_connection),
        PROBE_TEST(reports_an_answer_that_is_no_http),
        PROBE_TEST(a_silent_peer),
        PROBE_TEST(a_slow_body),
        PROBE_TEST(a_large_body),
        PROBE_TEST(an_endless_head),
        PROBE_TEST(resolves_a_name),
        PROBE_TEST(resolves_a_name_with_a_dot),
        PROBE_TEST(reports_a_name_that_does_not_exist),
        PROBE_TEST(gives_up_a_name_that_hangs),
        PROBE_TEST(close_unused),
        PROBE_TEST(close_none),
        PROBE_TEST(close_at_any_moment),
        PROBE_TEST(closes_inside_the_callback),
        cmocka_unit_test(checks_addresses),
        cmocka_unit_test(guards_against_sigpipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
