/* ar_options and ar_open: defaults, structures of other versions, the environment, what is refused and how
 * it is said, and each allocation of an opening and a session failing once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend-client/src/api/options.h"
#include "tests/unit/backend-client/api/client_fixture.h"
#include "tests/unit/common/fault_alloc.h"

static char problem[AR_PROBLEM_SIZE];

static int plain_environment(void **state)
{
    (void)state;
    (void)unsetenv("AGENT_CONTROL_URL");
    (void)unsetenv("AGENT_HEALTH_URL");
    problem[0] = '\0';
    return 0;
}

/* ---- what is taken ---- */

static void fills_in_defaults(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(options_take(&o, NULL, problem, sizeof(problem)), AR_OK);
    assert_string_equal(o.address.text, "127.0.0.1:9500");
    assert_null(o.values.health_url);
    assert_string_equal(o.values.client_name, "libagentrelay");
    assert_string_equal(o.values.client_version, ar_version());
    assert_int_equal(o.values.mock_seed, 1);
    assert_int_equal(o.values.connect_timeout_ms, 5000);
    assert_int_equal(o.values.backoff_base_ms, 250);
    assert_true(fabs(o.values.backoff_factor - 2) < 1e-9);
    assert_int_equal(o.values.backoff_cap_ms, 2000);
    assert_int_equal(o.values.backoff_stable_ms, 60000);
    assert_int_equal(o.values.heartbeat_ms, 5000);
    assert_int_equal(o.values.dead_after_ms, 10000);
    assert_int_equal(o.values.init_timeout_ms, 30000);
    assert_int_equal(o.values.agents_poll_ms, 2000);
    assert_int_equal(o.values.agents_timeout_ms, 10000);
    assert_int_equal(o.values.stale_max_ms, 30000);
    assert_int_equal(o.values.mock_refresh_ms, 2000);
    assert_int_equal(o.values.call_timeout_ms, 30000);
    assert_int_equal(o.values.queue_max_calls, 1024);
    assert_int_equal(o.values.in_flight_max, 256);
    assert_int_equal(o.values.queue_max_bytes, 16 << 20);
    assert_int_equal(o.values.frame_max_bytes, 8 << 20);
    options_done(&o);
    options_done(&o);
}

static void reads_the_environment(void **state)
{
    (void)state;
    struct options o;
    struct ar_options given;
    ar_options_init(&given);
    (void)setenv("AGENT_CONTROL_URL", "relay:9501", 1);
    (void)setenv("AGENT_HEALTH_URL", "http://relay/health", 1);
    assert_int_equal(options_take(&o, &given, problem, sizeof(problem)), AR_OK);
    assert_string_equal(o.address.text, "relay:9501");
    assert_string_equal(o.values.health_url, "http://relay/health");
    options_done(&o);
    given.url = "unix:/run/relay.sock";
    given.health_url = "";
    assert_int_equal(options_take(&o, &given, problem, sizeof(problem)), AR_OK);
    assert_string_equal(o.address.text, "unix:/run/relay.sock");
    assert_null(o.values.health_url);
    options_done(&o);
    (void)setenv("AGENT_CONTROL_URL", "", 1);
    (void)setenv("AGENT_HEALTH_URL", "", 1);
    assert_int_equal(options_take(&o, NULL, problem, sizeof(problem)), AR_OK);
    assert_string_equal(o.address.text, "127.0.0.1:9500");
    assert_null(o.values.health_url);
    options_done(&o);
    (void)setenv("AGENT_CONTROL_URL", "nonsense://x", 1);
    assert_int_equal(options_take(&o, NULL, problem, sizeof(problem)), AR_E_INVALID);
    assert_non_null(strstr(problem, "AGENT_CONTROL_URL"));
}

/* Nothing of the caller's is looked at later. */
static void strings_are_copied(void **state)
{
    (void)state;
    struct options o;
    struct ar_options given;
    char name[] = "host";
    char url[] = "relay:1";
    ar_options_init(&given);
    given.client_name = name;
    given.url = url;
    assert_int_equal(options_take(&o, &given, problem, sizeof(problem)), AR_OK);
    memset(name, 'x', sizeof(name) - 1);
    memset(url, 'x', sizeof(url) - 1);
    assert_string_equal(o.values.client_name, "host");
    assert_string_equal(o.values.url, "relay:1");
    assert_string_equal(o.address.host, "relay");
    options_done(&o);
}

/* ---- structures of other versions ---- */

static void takes_structures_of_any_size(void **state)
{
    (void)state;
    struct options o;
    struct {
        struct ar_options o;
        char later[64];
    } newer;
    ar_options_init_sized(&newer.o, sizeof(newer));
    assert_int_equal(newer.o.size, sizeof(newer));
    assert_int_equal(newer.later[63], 0);
    newer.o.queue_max_calls = 7;
    assert_int_equal(options_take(&o, &newer.o, problem, sizeof(problem)), AR_OK);
    assert_int_equal(o.values.queue_max_calls, 7);
    assert_int_equal(o.values.size, sizeof(o.values));
    options_done(&o);

    struct ar_options older;
    memset(&older, 0xff, sizeof(older));
    size_t size = offsetof(struct ar_options, queue_max_calls);
    ar_options_init_sized(&older, size);
    assert_int_equal(older.size, size);
    assert_int_equal(older.queue_max_calls, UINT32_MAX); /* not touched */
    assert_int_equal(options_take(&o, &older, problem, sizeof(problem)), AR_OK);
    assert_int_equal(o.values.queue_max_calls, 1024);
    options_done(&o);

    older.size = 0;
    assert_int_equal(options_take(&o, &older, problem, sizeof(problem)), AR_E_INVALID);
    assert_non_null(strstr(problem, "ar_options_init"));
    older.size = SIZE_MAX;
    assert_int_equal(options_take(&o, &older, problem, sizeof(problem)), AR_E_INVALID);
    ar_options_init_sized(NULL, 100);
    ar_call_init_sized(NULL, 100);
    struct ar_call call;
    ar_call_init(&call);
    assert_int_equal(call.size, sizeof(call));
    assert_int_equal(call.policy, AR_FAIL_FAST);
}

/* ---- what is refused ---- */

#define REFUSED(member, value)                                                                               \
    do {                                                                                                     \
        struct options refused_options;                                                                      \
        struct ar_options refused;                                                                           \
        ar_options_init(&refused);                                                                           \
        refused.member = (value);                                                                            \
        problem[0] = '\0';                                                                                   \
        assert_int_equal(options_take(&refused_options, &refused, problem, sizeof(problem)), AR_E_INVALID);  \
        assert_non_null(strstr(problem, #member));                                                           \
    } while (0)

#define TAKEN(member, value)                                                                                 \
    do {                                                                                                     \
        struct options taken_options;                                                                        \
        struct ar_options taken;                                                                             \
        ar_options_init(&taken);                                                                             \
        taken.member = (value);                                                                              \
        assert_int_equal(options_take(&taken_options, &taken, problem, sizeof(problem)), AR_OK);             \
        options_done(&taken_options);                                                                        \
    } while (0)

static void checks_limits(void **state)
{
    (void)state;
    static char long_text[3000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    REFUSED(connect_timeout_ms, 0);
    REFUSED(connect_timeout_ms, 86400001);
    TAKEN(connect_timeout_ms, 1);
    TAKEN(connect_timeout_ms, 86400000);
    REFUSED(backoff_base_ms, 0);
    REFUSED(backoff_base_ms, 2001); /* above the cap */
    TAKEN(backoff_base_ms, 2000);
    REFUSED(backoff_cap_ms, 249);
    REFUSED(backoff_factor, 0.99);
    REFUSED(backoff_factor, NAN);
    REFUSED(backoff_factor, INFINITY);
    TAKEN(backoff_factor, 1);
    TAKEN(backoff_stable_ms, 0);
    REFUSED(heartbeat_ms, 0);
    REFUSED(dead_after_ms, 5000);
    TAKEN(dead_after_ms, 5001);
    REFUSED(init_timeout_ms, 0);
    REFUSED(agents_poll_ms, 0);
    TAKEN(agents_poll_ms, AR_NEVER);
    REFUSED(agents_timeout_ms, 0);
    TAKEN(stale_max_ms, 0);
    TAKEN(stale_max_ms, AR_NEVER);
    REFUSED(mock_refresh_ms, 0);
    TAKEN(mock_refresh_ms, AR_NEVER);
    REFUSED(call_timeout_ms, 0);
    TAKEN(call_timeout_ms, AR_NEVER);
    TAKEN(queue_max_calls, 0);
    REFUSED(in_flight_max, 0);
    TAKEN(in_flight_max, 1);
    REFUSED(frame_max_bytes, 4095);
    TAKEN(frame_max_bytes, 4096);
    TAKEN(queue_max_bytes, 0);
    TAKEN(queue_max_bytes, SIZE_MAX);
    REFUSED(client_name, long_text);
    REFUSED(client_version, long_text);
    REFUSED(health_url, long_text);
}

static int try_open(const struct ar_options *o)
{
    struct ar_client *client;
    int rc = ar_open(o, &client, problem, sizeof(problem));
    if (rc == AR_OK)
        assert_int_equal(ar_close_wait(client), AR_OK);
    return rc;
}

static void open_refuses(void **state)
{
    (void)state;
    struct ar_options o;
    uv_loop_t first; /* the process's first one keeps descriptors of libuv's own */
    assert_int_equal(uv_loop_init(&first), 0);
    assert_int_equal(uv_loop_close(&first), 0);
    unsigned descriptors = client_fixture_descriptors();
    ar_options_init(&o);
    o.url = "tls://relay:9500";
    assert_int_equal(try_open(&o), AR_E_INVALID);
    assert_non_null(strstr(problem, "not yet built in"));
    assert_ptr_equal(strstr(problem, "url: "), problem); /* which option it is about */
    o.url = "relay:1";
    o.health_url = "relay/health";
    assert_int_equal(try_open(&o), AR_E_INVALID);
    assert_non_null(strstr(problem, "http://"));
    assert_ptr_equal(strstr(problem, "health_url: "), problem);
    o.health_url = NULL;
    (void)setenv("AGENT_HEALTH_URL", "relay/health", 1);
    assert_int_equal(try_open(&o), AR_E_INVALID);
    assert_ptr_equal(strstr(problem, "AGENT_HEALTH_URL: "), problem);
    (void)unsetenv("AGENT_HEALTH_URL");
    o.mock_cast = "{\"agents\":";
    assert_int_equal(try_open(&o), AR_E_INVALID);
    assert_string_equal(problem, "mock_cast: line 1: not well-formed");
    struct ar_client *client;
    assert_int_equal(ar_open(&o, &client, NULL, 0), AR_E_INVALID);
    assert_int_equal(ar_open(NULL, NULL, problem, sizeof(problem)), AR_E_INVALID);
    assert_int_equal(ar_close_wait(NULL), AR_E_INVALID);
    ar_close(NULL, NULL, NULL);
    assert_int_equal(client_fixture_descriptors(), descriptors);
}

/* ---- no memory ---- */

static bool one_reply(struct client_fixture *f)
{
    return atomic_load(&f->replies) >= 1;
}

/* Opening on the host's loop, a session with a call, closing: each allocation fails once. What may be refused
 * is refused with nothing left; what was accepted completes; the client is live in the end. */
static void survives_without_memory(void **state)
{
    struct client_fixture *f = *state;
    size_t refused = 0;
    size_t n = 1;
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.health_url = "http://127.0.0.1:1/";
    fault_alloc_install();
    for (;; n++) {
        atomic_store(&f->replies, 0);
        atomic_store(&f->closed, false);
        fault_alloc_fail_at(n);
        int rc = ar_open(&f->options, &f->client, problem, sizeof(problem));
        if (rc != AR_OK) {
            assert_int_equal(rc, AR_E_NO_MEMORY);
            assert_true(fault_alloc_fired());
            assert_non_null(strstr(problem, "emory"));
            assert_int_equal(fault_alloc_live(), 0);
            f->client = NULL;
            refused++;
            continue;
        }
        client_fixture_run_until(f, client_fixture_is_live);
        rc = client_fixture_call(f, "echo", AR_WAIT, 0, NULL);
        if (rc == AR_OK)
            client_fixture_run_until(f, one_reply);
        else
            assert_int_equal(rc, AR_E_NO_MEMORY);
        int cancelled = ar_cancel(f->client, 1);
        assert_true(cancelled == AR_OK || cancelled == AR_E_NO_MEMORY || cancelled == AR_E_NOT_FOUND);
        int notified = ar_notify(f->client, "hello", NULL, 0);
        assert_true(notified == AR_OK || notified == AR_E_NO_MEMORY || notified == AR_E_DEGRADED);
        peer_drop_all(f->peer, true);
        client_fixture_run_until(f, client_fixture_is_degraded);
        client_fixture_run_until(f, client_fixture_is_live);
        client_fixture_close(f);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fault_alloc_fired())
            break;
    }
    assert_true(refused >= 3);
    assert_true(n > 20);
    fault_alloc_fail_at(0);
}

#define PLAIN_TEST(name) cmocka_unit_test_setup(name, plain_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(fills_in_defaults),
        PLAIN_TEST(reads_the_environment),
        PLAIN_TEST(strings_are_copied),
        PLAIN_TEST(takes_structures_of_any_size),
        PLAIN_TEST(checks_limits),
        PLAIN_TEST(open_refuses),
        CLIENT_TEST(survives_without_memory, client_fixture_on_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
