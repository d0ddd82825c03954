/* agent-backend: the hub of the event stream. A reader always gets the newest, never goes back, and costs no
 * more for standing still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/service/hub.h"
#include "tests/unit/common/fault_alloc.h"

struct connection {
    bool suspended;
    unsigned resumes;
};

static void on_suspend(void *data)
{
    struct connection *c = data;
    assert_false(c->suspended);
    c->suspended = true;
}

static void on_resume(void *data)
{
    struct connection *c = data;
    assert_true(c->suspended); /* anything else is undefined in libmicrohttpd */
    c->suspended = false;
    c->resumes++;
}

static const struct hub_ops ops = {.suspend = on_suspend, .resume = on_resume};
static struct budget budget;
static struct hub *hub;
static struct connection connection;
static char got[4096];
static uint64_t now_ms;

static void publish(enum hub_kind kind, uint64_t version, const char *json)
{
    assert_int_equal(hub_publish(hub, kind, version, json, strlen(json)), 0);
}

static struct hub_reader *join(const char *json)
{
    struct hub_reader *reader;
    struct hub_first first = {.stamp = hub_stamp(hub), .version = 1, .json = json, .len = strlen(json)};
    connection = (struct connection){0};
    assert_int_equal(hub_join(hub, &connection, now_ms, &first, &reader), 0);
    return reader;
}

/* Everything up to the suspension, or the end; in pieces of `max`. */
static const char *drain(struct hub_reader *reader, size_t max)
{
    size_t len = 0;
    ssize_t n;
    while ((n = hub_read(reader, now_ms, got + len, max)) > 0)
        len += (size_t)n;
    got[len] = '\0';
    assert_true(n == HUB_END || connection.suspended);
    return got;
}

static void the_first_event_comes_at_once(void **state)
{
    (void)state;
    struct hub_reader *reader = join("{\"a\":1}");
    assert_string_equal(drain(reader, 5), "retry: 1000\nid: 1\nevent: agents\ndata: {\"a\":1}\n\n");
    publish(HUB_AGENTS, 2, "{}");
    assert_int_equal(connection.resumes, 1);
    assert_string_equal(drain(reader, 1), "id: 2\nevent: agents\ndata: {}\n\n");
    hub_leave(reader);
}

static void a_reader_that_is_behind_gets_the_newest(void **state)
{
    (void)state;
    struct hub_reader *reader = join("0");
    (void)drain(reader, 64);
    size_t live = fault_alloc_live();
    for (uint64_t version = 2; version < 1000; version++) {
        char json[32];
        (void)snprintf(json, sizeof(json), "%d", (int)version);
        publish(HUB_AGENTS, version, json);
    }
    assert_in_range(fault_alloc_live(), live, live + 1);
    assert_int_equal(connection.resumes, 1);
    assert_string_equal(drain(reader, 64), "id: 999\nevent: agents\ndata: 999\n\n");
    hub_leave(reader);
}

static void an_event_is_never_torn(void **state)
{
    (void)state;
    struct hub_reader *reader = join("\"first\"");
    char head[8];
    assert_int_equal(hub_read(reader, now_ms, head, 5), 5);
    publish(HUB_AGENTS, 2, "\"second\"");
    publish(HUB_AGENTS, 3, "\"third\"");
    assert_string_equal(drain(reader, 7),
                        ": 1000\nid: 1\nevent: agents\ndata: \"first\"\n\nid: 3\nevent: agents\n"
                        "data: \"third\"\n\n");
    hub_leave(reader);
}

static void a_reader_never_goes_back(void **state)
{
    (void)state;
    struct hub_reader *reader = join("0");
    (void)drain(reader, 64);
    publish(HUB_HEALTH, 1, "\"old\"");
    publish(HUB_AGENTS, 2, "\"agents\"");
    assert_string_equal(drain(reader, 64), "id: 2\nevent: agents\ndata: \"agents\"\n\n");
    publish(HUB_AGENTS, 3, "\"agents\"");
    publish(HUB_HEALTH, 3, "\"new\"");
    assert_string_equal(drain(reader, 64),
                        "id: 3\nevent: agents\ndata: \"agents\"\n\nid: 3\nevent: health\ndata: \"new\"\n\n");
    hub_leave(reader);
    /* Nothing from before it came either. */
    reader = join("1");
    assert_null(strstr(drain(reader, 64), "health"));
    hub_leave(reader);
}

static void nothing_between_stamp_and_join_is_lost(void **state)
{
    (void)state;
    struct hub_reader *reader;
    connection = (struct connection){0};
    struct hub_first first = {.stamp = hub_stamp(hub), .version = 4, .json = "\"older\"", .len = 7};
    publish(HUB_AGENTS, 5, "\"newer\"");
    assert_int_equal(hub_join(hub, &connection, now_ms, &first, &reader), 0);
    assert_non_null(strstr(drain(reader, 64), "\"newer\""));
    hub_leave(reader);
}

static void who_hears_nothing_gets_a_comment(void **state)
{
    (void)state;
    struct hub_reader *reader = join("0");
    (void)drain(reader, 64);
    hub_keep_alive(hub);
    assert_string_equal(drain(reader, 64), ": still here\n\n");
    hub_keep_alive(hub);
    publish(HUB_AGENTS, 2, "1");
    assert_string_equal(drain(reader, 64), "id: 2\nevent: agents\ndata: 1\n\n");
    hub_leave(reader);
}

static void who_joins_together_shares_the_first_event(void **state)
{
    (void)state;
    struct hub_reader *one = join("\"first\"");
    struct hub_reader *two;
    size_t live = fault_alloc_live();
    now_ms += HUB_SHARE_MS;
    assert_int_equal(hub_join(hub, &connection, now_ms, NULL, &two), 0);
    assert_int_equal(fault_alloc_live(), live + 1); /* the reader */
    assert_string_equal(drain(two, 64), "retry: 1000\nid: 1\nevent: agents\ndata: \"first\"\n\n");
    connection = (struct connection){0};
    assert_string_equal(drain(one, 64), "retry: 1000\nid: 1\nevent: agents\ndata: \"first\"\n\n");
    hub_leave(one);
    hub_leave(two);
    assert_int_equal(hub_join(hub, &connection, now_ms + 1, NULL, &two), ERR_NOT_FOUND);
    publish(HUB_HEALTH, 1, "\"newer\"");
    assert_int_equal(hub_join(hub, &connection, now_ms, NULL, &two), ERR_NOT_FOUND);
    assert_int_equal(hub_reader_count(hub), 0);
}

static void who_takes_too_long_over_one_event_is_ended(void **state)
{
    (void)state;
    char byte;
    struct hub_reader *reader = join("\"first\"");
    assert_int_equal(hub_read(reader, now_ms + HUB_EVENT_MAX_MS, &byte, 1), 1);
    assert_int_equal(hub_read(reader, now_ms + HUB_EVENT_MAX_MS + 1, &byte, 1), HUB_END);
    hub_leave(reader);
    reader = join("0");
    (void)drain(reader, 64);
    now_ms += HUB_EVENT_MAX_MS + 1; /* waiting for an event is not reading one */
    publish(HUB_AGENTS, 2, "1");
    assert_string_equal(drain(reader, 1), "id: 2\nevent: agents\ndata: 1\n\n");
    hub_leave(reader);
}

/* Each stands still in another old event; the budget holds two of them beside the newest. */
static void the_slowest_readers_are_ended_for_room(void **state)
{
    static char json[300001];
    struct hub_reader *readers[6];
    char byte;
    (void)state;
    memset(json, '1', sizeof(json) - 1);
    for (size_t i = 0; i < 6; i++) {
        now_ms++;
        assert_true(hub_has_room(hub));
        readers[i] = join(json);
        assert_int_equal(hub_read(readers[i], now_ms, &byte, 1), 1);
        publish(HUB_AGENTS, i + 2, "{}");
        assert_in_range(atomic_load(&budget.used), 0, budget.max);
    }
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(hub_read(readers[i], now_ms, &byte, 1), i < 3 ? HUB_END : 1);
    for (size_t i = 0; i < 6; i++)
        hub_leave(readers[i]);
}

static void no_first_event_is_made_without_room(void **state)
{
    (void)state;
    publish(HUB_AGENTS, 1, "{}");
    assert_true(hub_has_room(hub));
    size_t taken = budget.max - atomic_load(&budget.used);
    assert_true(budget_take(&budget, taken));
    assert_false(budget_take(&budget, 1));
    assert_false(hub_has_room(hub));
    budget_give(&budget, 100);
    assert_true(hub_has_room(hub));
    budget_give(&budget, taken - 100);
}

static void closing_ends_readers_after_their_event(void **state)
{
    (void)state;
    struct hub_reader *reader = join("\"first\"");
    char head[8];
    assert_int_equal(hub_read(reader, now_ms, head, 5), 5);
    hub_close(hub);
    assert_string_equal(drain(reader, 64), ": 1000\nid: 1\nevent: agents\ndata: \"first\"\n\n");
    assert_false(connection.suspended);
    assert_int_equal(hub_reader_count(hub), 1);
    hub_leave(reader);
    assert_int_equal(hub_reader_count(hub), 0);
}

static void without_memory(void **state)
{
    (void)state;
    struct hub_reader *reader = join("0");
    (void)drain(reader, 64);
    publish(HUB_AGENTS, 2, "\"kept\"");
    fault_alloc_fail_at(1);
    assert_int_not_equal(hub_publish(hub, HUB_AGENTS, 3, "\"lost\"", 6), 0);
    assert_non_null(strstr(drain(reader, 64), "\"kept\""));
    hub_leave(reader);
    const struct hub_first first = {.version = 1, .json = "0", .len = 1};
    for (size_t n = 1; n <= 2; n++) {
        size_t live = fault_alloc_live();
        fault_alloc_fail_at(n);
        assert_int_not_equal(hub_join(hub, &connection, now_ms, &first, &reader), 0);
        assert_int_equal(fault_alloc_live(), live);
    }
    fault_alloc_fail_at(0);
}

static int make(void **state)
{
    (void)state;
    fault_alloc_install();
    budget_init(&budget, 1 << 20);
    return hub_new(&ops, &budget, &hub);
}

static int end(void **state)
{
    (void)state;
    hub_free(hub);
    assert_int_equal(fault_alloc_live(), 0);
    assert_int_equal(atomic_load(&budget.used), 0);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_event_comes_at_once),
        TEST(a_reader_that_is_behind_gets_the_newest),
        TEST(an_event_is_never_torn),
        TEST(a_reader_never_goes_back),
        TEST(nothing_between_stamp_and_join_is_lost),
        TEST(who_hears_nothing_gets_a_comment),
        TEST(who_joins_together_shares_the_first_event),
        TEST(who_takes_too_long_over_one_event_is_ended),
        TEST(the_slowest_readers_are_ended_for_room),
        TEST(no_first_event_is_made_without_room),
        TEST(closing_ends_readers_after_their_event),
        TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
