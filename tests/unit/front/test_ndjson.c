/* The NDJSON protocol on a connection that is a fake, without sockets or a loop: lines in, messages out, and
 * what it asks of its connection. Sessions are real, the router is a fake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "front/ndjson.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/front/fake_route.h"

#define NOW_MS        UINT64_C(1000)
#define CALL(method)  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\"}"
#define MAX_FRAME_LEN 200

/* ---- the connection ---- */

struct connection {
    char out[8192];
    size_t len;
    size_t queued_bytes;
    int write_result;
    bool closed;
    bool full; /* its peer does not read the answers */
    bool late; /* its host has had its time */
    int close_code;
    char close_reason[256];
    size_t pauses;
    size_t resumes;
    bool message_under_way;
};

static struct connection connection;
static struct session_set set;
static struct protocol *protocol;
static uint64_t bytes_in;
static uint64_t bytes_out;

static void put(const char *bytes, size_t len)
{
    assert_true(len < sizeof(connection.out) - connection.len);
    memcpy(connection.out + connection.len, bytes, len);
    connection.len += len;
}

int connection_write(struct connection *c, const struct part *parts, size_t count, bool newline)
{
    if (!connection_is_open(c))
        return ERR_CLOSING;
    if (c->write_result != 0)
        return c->write_result;
    for (size_t i = 0; i < count; i++)
        put(parts[i].bytes, parts[i].len);
    put("\n", newline);
    c->queued_bytes = c->len;
    return 0;
}

size_t connection_queued(const struct connection *c)
{
    return c->queued_bytes;
}

bool connection_is_open(const struct connection *c)
{
    return !c->closed;
}

bool connection_takes_more(const struct connection *c)
{
    return !c->closed && !c->full;
}

bool connection_has_time(const struct connection *c)
{
    return !c->late;
}

void connection_pause(struct connection *c)
{
    c->pauses++;
}

void connection_resume(struct connection *c)
{
    c->resumes++;
}

void connection_message_begun(struct connection *c)
{
    c->message_under_way = true;
}

void connection_message_ended(struct connection *c)
{
    c->message_under_way = false;
}

void connection_close(struct connection *c, int code, const char *format, ...)
{
    va_list args;
    if (c->closed)
        return;
    c->closed = true;
    c->close_code = code;
    va_start(args, format);
    (void)vsnprintf(c->close_reason, sizeof(c->close_reason), format, args);
    va_end(args);
}

/* ---- around a test ---- */

static int set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    fake_route_reset();
    connection = (struct connection){0};
    protocol = NULL;
    session_set_init(&set, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fault_alloc_fail_at(0);
    if (protocol) {
        protocol->ops->on_closing(protocol, NOW_MS);
        protocol->ops->on_closed(protocol);
    }
    session_set_done(&set);
    assert_int_equal(fake_route.opened, fake_route.closed);
    assert_int_equal(fault_alloc_live(), 0);
    return 0;
}

static int open_for(const char *server)
{
    static const struct session_origin origin = {.family = SESSION_TCP, .local = true, .peer = "127.0.0.1:1"};
    const struct protocol_setup setup = {.connection = &connection,
                                         .sessions = &set,
                                         .origin = &origin,
                                         .server = server,
                                         .bytes_in = &bytes_in,
                                         .bytes_out = &bytes_out,
                                         .max_frame_bytes = MAX_FRAME_LEN,
                                         .max_id_bytes = 64};
    return ndjson_protocol.open(&setup, NOW_MS, &protocol);
}

static void receive(const char *text)
{
    (void)protocol->ops->on_bytes(protocol, text, strlen(text), NOW_MS);
}

static void assert_out(const char *expected)
{
    connection.out[connection.len] = '\0';
    assert_string_equal(connection.out, expected);
}

static void assert_out_has(const char *text)
{
    connection.out[connection.len] = '\0';
    assert_non_null(strstr(connection.out, text));
}

/* ---- tests ---- */

static void test_each_message_is_a_line(void **state)
{
    (void)state;
    assert_int_equal(open_for("mock"), 0);
    assert_int_equal(protocol->session_id, 1);
    receive("\r\n \n" CALL("one") "\r\n" CALL("two") "\n");
    assert_out(CALL("one") "\n" CALL("two") "\n");
    assert_int_equal(fake_route.frames, 2);
    assert_int_equal(fake_route.last_link->queued_bytes, connection.len);
    assert_false(connection.message_under_way);
}

static void test_a_line_in_pieces_is_under_way(void **state)
{
    (void)state;
    struct protocol_usage usage;
    static const char line[] = CALL("pieces") "\n";
    assert_int_equal(open_for("mock"), 0);
    for (size_t i = 0; i + 1 < sizeof(line); i++) {
        assert_int_equal(connection.message_under_way, i > 0);
        receive((char[]){line[i], '\0'});
        protocol->ops->get_usage(protocol, &usage);
        assert_int_equal(usage.partial_bytes, line[i] == '\n' ? 0 : i + 1);
        assert_true(usage.held_bytes >= usage.partial_bytes);
    }
    assert_false(connection.message_under_way);
    assert_out(line);
    protocol->ops->trim(protocol);
    protocol->ops->get_usage(protocol, &usage);
    assert_int_equal(usage.held_bytes, 0);
}

static void test_blanks_end_no_message_and_begin_none(void **state)
{
    (void)state;
    assert_int_equal(open_for("mock"), 0);
    receive("  ");
    assert_true(connection.message_under_way);
    receive("\t\r\n");
    assert_false(connection.message_under_way);
    assert_int_equal(fake_route.frames, 0);
}

static void test_an_over_long_line_is_reported_as_one(void **state)
{
    (void)state;
    char line[MAX_FRAME_LEN + 64];
    (void)snprintf(line, sizeof(line), "{\"id\":1,%*s}\n", MAX_FRAME_LEN, "");
    assert_int_equal(open_for("mock"), 0);
    receive(line);
    receive(CALL("next") "\n");
    assert_int_equal(fake_route.oversize, 1);
    assert_out(CALL("next") "\n");
}

static void test_the_routers_wishes_reach_the_connection(void **state)
{
    (void)state;
    assert_int_equal(open_for("mock"), 0);
    receive(CALL("pause") "\n" CALL("same chunk") "\n");
    assert_int_equal(connection.pauses, 1);
    assert_out(CALL("same chunk") "\n");
    fake_route.last_link->ops->resume(fake_route.last_link);
    assert_int_equal(connection.resumes, 1);
    receive(CALL("close") "\n" CALL("too late") "\n");
    assert_out(CALL("same chunk") "\n" CALL("close") "\n");
    assert_int_equal(connection.close_code, 0);
    assert_string_equal(connection.close_reason, "told to");
    assert_int_equal(fake_route.frames, 3);
}

static void test_the_queue_is_what_the_router_sees(void **state)
{
    (void)state;
    assert_int_equal(open_for("mock"), 0);
    receive(CALL("x") "\n");
    assert_true(fake_route.last_link->queued_bytes > 0);
    protocol->ops->on_sent(protocol, 5);
    assert_int_equal(fake_route.last_link->queued_bytes, 5);
    protocol->ops->on_writable(protocol, NOW_MS);
    assert_int_equal(fake_route.writable, 1);
}

static void test_a_lost_message_is_reported(void **state)
{
    (void)state;
    assert_int_equal(open_for("mock"), 0);
    connection.write_result = ERR_CLOSING;
    receive(CALL("x") "\n");
    assert_int_equal(fake_route.send_result, ERR_CLOSING);
}

static void test_no_such_server(void **state)
{
    (void)state;
    fake_route.only_server = "other";
    assert_int_equal(open_for("mock"), 0);
    assert_out_has("\"code\":\"NO_SUCH_SERVER\"");
    assert_out_has("\"known\":[\"other\"]");
    assert_true(connection.closed);
    assert_int_equal(connection.close_code, 0); /* the line has said it */
    assert_string_equal(connection.close_reason, "no server named 'mock'");
    assert_int_equal(protocol->session_id, 0);
    receive(CALL("x") "\n");
    protocol->ops->on_sent(protocol, 0);
    assert_int_equal(fake_route.frames, 0);
}

static void test_no_default_server(void **state)
{
    (void)state;
    assert_int_equal(open_for(NULL), 0);
    assert_out_has("\"code\":\"NO_SUCH_SERVER\"");
    assert_string_equal(connection.close_reason, "no server named ''");
}

static void test_the_last_error_is_a_line(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(ndjson_protocol.write_error(&out, -31002, "too slow"), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_non_null(strstr(buf_data(&out), "\"code\":-31002,\"message\":\"too slow\""));
    assert_non_null(strstr(buf_data(&out), "}\n"));
    buf_done(&out);
}

/* The rest of a chunk stays with the connection, which gives it again. */
static void test_a_chunk_of_many_messages_is_taken_in_parts(void **state)
{
    (void)state;
    static char text[3 * PROTOCOL_MESSAGES_MAX * sizeof("{x")];
    assert_int_equal(open_for("mock"), 0);
    fake_route.mute = true;
    for (size_t i = 0; i < 3 * PROTOCOL_MESSAGES_MAX; i++)
        memcpy(text + 3 * i, "{x\n", 3);
    size_t part = 3 * (size_t)PROTOCOL_MESSAGES_MAX;
    for (size_t at = 0; at < 3 * part; at += part) {
        assert_int_equal(protocol->ops->on_bytes(protocol, text + at, 3 * part - at, NOW_MS), part);
        assert_int_equal(fake_route.frames, (at + part) / 3);
    }
    assert_false(connection.message_under_way);
}

/* Each connection moves on, whatever the others of its host do. */
static void test_one_message_is_taken_when_the_time_is_over(void **state)
{
    (void)state;
    static const char text[] = "{x\n{x\n";
    assert_int_equal(open_for("mock"), 0);
    fake_route.mute = true;
    connection.late = true;
    assert_int_equal(protocol->ops->on_bytes(protocol, text, 6, NOW_MS), 3);
    connection.late = false;
    assert_int_equal(protocol->ops->on_bytes(protocol, text, 6, NOW_MS), 6);
    assert_int_equal(fake_route.frames, 3);
}

static void test_no_message_is_taken_while_answers_are_unread(void **state)
{
    (void)state;
    static const char line[] = CALL("x") "\n";
    assert_int_equal(open_for("mock"), 0);
    connection.full = true;
    assert_int_equal(protocol->ops->on_bytes(protocol, line, sizeof(line) - 1, NOW_MS), 0);
    connection.full = false;
    assert_int_equal(protocol->ops->on_bytes(protocol, line, sizeof(line) - 1, NOW_MS), sizeof(line) - 1);
    assert_int_equal(fake_route.frames, 1);
}

/* A session is opened with all it needs, or nothing of it stays. */
static void test_every_allocation_of_open_may_fail(void **state)
{
    (void)state;
    size_t n = 1;
    for (;; n++) {
        fault_alloc_fail_at(n);
        int rc = open_for("mock");
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_null(protocol);
        assert_true(n < 10);
    }
    assert_false(fault_alloc_fired());
    assert_true(n > 2);
}

static void test_no_memory_for_a_line_costs_only_that_line(void **state)
{
    (void)state;
    assert_int_equal(open_for("mock"), 0);
    fault_alloc_fail_at(1);
    receive("{\"jsonrpc\":\"2.0\",");
    assert_true(fault_alloc_fired());
    fault_alloc_fail_at(0);
    receive("\"id\":1,\"method\":\"x\"}\n" CALL("next") "\n");
    assert_out_has("\"code\":\"OVERLOADED\"");
    assert_out_has(CALL("next") "\n");
    assert_int_equal(fake_route.frames, 1);
    assert_false(connection.closed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_each_message_is_a_line),
        TEST(test_a_line_in_pieces_is_under_way),
        TEST(test_blanks_end_no_message_and_begin_none),
        TEST(test_an_over_long_line_is_reported_as_one),
        TEST(test_the_routers_wishes_reach_the_connection),
        TEST(test_the_queue_is_what_the_router_sees),
        TEST(test_a_lost_message_is_reported),
        TEST(test_no_such_server),
        TEST(test_no_default_server),
        TEST(test_the_last_error_is_a_line),
        TEST(test_a_chunk_of_many_messages_is_taken_in_parts),
        TEST(test_no_message_is_taken_while_answers_are_unread),
        TEST(test_one_message_is_taken_when_the_time_is_over),
        TEST(test_every_allocation_of_open_may_fail),
        TEST(test_no_memory_for_a_line_costs_only_that_line),
    };
    return cmocka_run_group_tests_name("ndjson", tests, NULL, NULL);
}
