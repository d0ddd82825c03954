/* A protocol that is a fake, on real connections over real sockets: when it is called, what it may ask, and
 * how the connection ends with it. The fake is chosen by the first byte '$'; it does what single letters say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "front/connection.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/front/front_fixture.h"

/* ---- the protocol ---- */

static const struct protocol_ops fake_protocol;

struct fake {
    struct protocol protocol;
    struct connection *connection;
    bool closing;
};

/* What happened to the fakes of a test; one struct, since a fake is freed by its connection. */
static struct {
    struct fake *last;
    size_t opened;
    size_t closing;
    size_t closed;
    size_t writable;
    size_t usage_calls;
    size_t trims;
    struct protocol_usage usage;
    size_t queued_at_sent; /* by the last on_sent */
    size_t flood_bytes;
    size_t take_max; /* bytes taken of a chunk; 0: all */
    int open_result;
    int write_result; /* of the last write */
    bool close_in_open;
    char got[256];
    size_t got_len;
} seen;

static struct fake *fake_of(struct protocol *p)
{
    return CONTAINER_OF(p, struct fake, protocol);
}

static void reply(struct connection *c, const char *text)
{
    const struct part parts[] = {{text, strlen(text)}, {".|", 2}};
    seen.write_result = connection_write(c, parts, 2, false);
}

static void flood(struct connection *c)
{
    char *bytes = mem_zalloc(seen.flood_bytes);
    assert_non_null(bytes);
    const struct part part = {bytes, seen.flood_bytes};
    seen.write_result = connection_write(c, &part, 1, false);
    mem_free(bytes);
}

static int on_open(const struct protocol_setup *setup, uint64_t now_ms, struct protocol **ret_protocol)
{
    assert_int_equal(now_ms, loop_now_ms(&loop));
    assert_string_equal(setup->server, "mock");
    seen.opened++;
    if (seen.open_result != 0)
        return seen.open_result;
    struct fake *f = mem_zalloc(sizeof(*f));
    assert_non_null(f);
    f->protocol.ops = &fake_protocol;
    f->connection = setup->connection;
    seen.last = f;
    if (seen.close_in_open) {
        reply(f->connection, "no");
        connection_close(f->connection, 0, "not today");
    }
    *ret_protocol = &f->protocol;
    return 0;
}

/* w: write; f: flood; p: pause; b, e: a message begins, ends; c: close with an error. */
static void obey(struct connection *c, char letter)
{
    switch (letter) {
    case 'w':
        reply(c, "w");
        break;
    case 'f':
        flood(c);
        break;
    case 'p':
        connection_pause(c);
        break;
    case 'b':
        connection_message_begun(c);
        break;
    case 'e':
        connection_message_ended(c);
        break;
    case 'c':
        connection_close(c, -31003, "letter %c", letter);
        break;
    default:
        break;
    }
}

static size_t on_bytes(struct protocol *p, const char *bytes, size_t len, uint64_t now_ms)
{
    assert_int_equal(now_ms, loop_now_ms(&loop));
    if (seen.take_max > 0 && len > seen.take_max)
        len = seen.take_max;
    for (size_t i = 0; i < len; i++) {
        if (seen.got_len < sizeof(seen.got) - 1)
            seen.got[seen.got_len++] = bytes[i];
        obey(fake_of(p)->connection, bytes[i]);
    }
    return len;
}

static void on_sent(struct protocol *p, size_t queued_bytes)
{
    assert_int_equal(connection_queued(fake_of(p)->connection), queued_bytes);
    seen.queued_at_sent = queued_bytes;
}

static void on_writable(struct protocol *p, uint64_t now_ms)
{
    (void)p, (void)now_ms;
    seen.writable++;
}

static void on_closing(struct protocol *p, uint64_t now_ms)
{
    (void)now_ms;
    assert_false(connection_is_open(fake_of(p)->connection));
    assert_false(fake_of(p)->closing);
    fake_of(p)->closing = true;
    reply(fake_of(p)->connection, "too late");
    assert_int_equal(seen.write_result, ERR_CLOSING);
    seen.closing++;
}

static void on_closed(struct protocol *p)
{
    seen.closed++;
    assert_true(fake_of(p)->closing);
    seen.last = NULL;
    mem_free(fake_of(p));
}

static int write_error(struct buf *out, int code, const char *message)
{
    char text[128];
    int len = snprintf(text, sizeof(text), "<%d %s>", code, message);
    return buf_append(out, text, (size_t)len);
}

static void get_usage(const struct protocol *p, struct protocol_usage *ret_usage)
{
    (void)p;
    seen.usage_calls++;
    *ret_usage = seen.usage;
}

static void trim(struct protocol *p)
{
    (void)p;
    seen.trims++;
}

static const struct protocol_ops fake_protocol = {.open = on_open,
                                                  .on_bytes = on_bytes,
                                                  .on_sent = on_sent,
                                                  .on_writable = on_writable,
                                                  .on_closing = on_closing,
                                                  .on_closed = on_closed,
                                                  .write_error = write_error,
                                                  .get_usage = get_usage,
                                                  .trim = trim};

static const struct sniff_row table[] = {
    {'$', '$', &fake_protocol, NULL},
    {0x00, 0xff, NULL, "say $"},
};

static int set_up_fake(void **state)
{
    memset(&seen, 0, sizeof(seen));
    int rc = set_up(state);
    front.spoken = table;
    return rc;
}

static int tear_down_fake(void **state)
{
    int rc = tear_down(state);
    assert_int_equal(seen.closing, seen.closed);
    return rc;
}

static bool has_text(struct peer *p, const char *text)
{
    read_some(p);
    p->in[p->got < sizeof(p->in) ? p->got : sizeof(p->in) - 1] = '\0';
    return strstr(p->in, text) != NULL;
}

/* ---- the beginning ---- */

static void test_bytes_reach_the_protocol_from_the_first_on(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, " \r\n");
    wait_for(a, sessions.connections == 1);
    say(a, "\t$12");
    wait_for(a, seen.opened == 1);
    say(a, "3w");
    wait_for(a, has_text(a, "|"));
    assert_says(a, "w.|");
    assert_memory_equal(seen.got + seen.got_len - 6, "\t$123w", 6);
    assert_int_equal(seen.queued_at_sent, 0);
}

static void test_what_is_not_spoken_gets_the_hint(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, "{}\n");
    wait_for(a, has_ended(a));
    assert_error(a, "PARSE_ERROR", -32700);
    assert_non_null(strstr(a->in, "say $"));
    assert_int_equal(seen.opened, 0);
}

static void test_a_protocol_that_does_not_open(void **state)
{
    (void)state;
    seen.open_result = -ENOMEM;
    struct peer *a = dial(0);
    say(a, "$w");
    wait_for(a, has_ended(a));
    assert_error(a, "OVERLOADED", -31003);
    assert_int_equal(seen.got_len, 0);
}

static void test_a_protocol_that_closes_when_it_opens(void **state)
{
    (void)state;
    seen.close_in_open = true;
    struct peer *a = dial(0);
    say(a, "$w");
    wait_for(a, has_ended(a) && seen.closed == 1);
    assert_says(a, "no.|");
    assert_int_equal(seen.got_len, 0);
}

static void test_a_connection_that_never_says_anything_is_told(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.frame_timeout_ms = 50;
    front_set_limits(&front, &limits);
    struct peer *mute = dial(0);
    struct peer *blank = dial(1);
    say(blank, "\n \n");
    wait_for(mute, has_ended(mute));
    wait_for(blank, has_ended(blank));
    assert_error(mute, "TIMEOUT", -31002);
    assert_error(blank, "TIMEOUT", -31002);
    assert_non_null(strstr(blank->in, "nothing was said within 50 ms"));
    assert_int_equal(seen.opened, 0);
}

/* ---- the end ---- */

static void test_the_last_error_is_the_protocols(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, "$wcw");
    wait_for(a, has_ended(a) && seen.closed == 1);
    assert_says(a, "w.|<-31003 letter c>");
    assert_int_equal(a->error, 0);
}

static void test_a_peer_that_goes_ends_the_protocol(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, "$");
    wait_for(a, seen.opened == 1);
    assert_int_equal(seen.closing, 0);
    hang_up(a);
    wait_for(NULL, seen.closed == 1);
}

static void test_a_queue_over_its_limit_ends_the_connection(void **state)
{
    (void)state;
    seen.flood_bytes = (size_t)3 << 20;
    struct peer *a = dial(0);
    say(a, "$ffffffffw"); /* what the kernel takes of them is no queue */
    wait_for(NULL, seen.closed == 1);
    assert_int_equal(seen.write_result, ERR_CLOSING);
}

static void test_an_end_with_a_full_queue_waits_for_the_reader(void **state)
{
    (void)state;
    seen.flood_bytes = (size_t)3 << 20;
    struct peer *a = dial(0);
    say(a, "$fc");
    wait_for(NULL, seen.closing == 1);
    size_t total = 0;
    while (!a->ended) {
        a->got = 0;
        turn(a);
        read_some(a);
        total += a->got;
    }
    assert_int_equal(a->error, 0);
    assert_int_equal(total, seen.flood_bytes + strlen("<-31003 letter c>"));
    wait_for(NULL, seen.closed == 1);
}

/* It reads on, so it gets what was queued for it, and then why that is all. */
static void test_a_reader_with_a_full_queue_is_told_why_it_ends(void **state)
{
    (void)state;
    seen.flood_bytes = (size_t)6 << 20;
    struct peer *a = dial(0);
    say(a, "$ffffw");
    wait_for(NULL, seen.write_result == ERR_CLOSING);
    char last[64] = "";
    while (!a->ended) {
        a->got = 0;
        turn(a);
        read_some(a);
        if (a->got > 60)
            (void)snprintf(last, sizeof(last), "%.*s", 60, a->in + a->got - 60);
    }
    assert_int_equal(a->error, 0);
    assert_non_null(strstr(last, "larger than its limit>"));
    wait_for(NULL, seen.closed == 1);
}

/* ---- memory ---- */

static void test_an_unread_queue_goes_when_memory_is_short(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.out_bytes = (size_t)64 << 20;
    front_set_limits(&front, &limits);
    seen.flood_bytes = (size_t)24 << 20; /* more than the kernel ever takes */
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    say(b, "$w");
    wait_for(b, has_text(b, "|"));
    say(a, "$f");
    wait_for(NULL, memory.queued_bytes > 0);
    assert_int_equal(memory.evictions, 0);
    memory_set_limit(&memory, (uint64_t)8 << 20);
    wait_for(NULL, seen.closed == 1);
    assert_int_equal(memory.evictions, 1);
    assert_int_equal(memory.queued_bytes, 0);
    say(b, "w");
    wait_for(b, has_text(b, "|w.|"));
}

/* One that sends on is stopped and goes on; one that begins a message and sends nothing more is told and goes. */
static void test_a_stalled_message_goes_when_memory_is_short(void **state)
{
    (void)state;
    seen.usage = (struct protocol_usage){.partial_bytes = 60 << 10, .held_bytes = 64 << 10};
    struct peer *a = dial(0);
    say(a, "$b");
    wait_for(NULL, memory.held_bytes > 0);
    memory_set_limit(&memory, 32 << 10);
    wait_for(a, has_ended(a) && seen.closed == 1);
    assert_says(a, "<-31003 memory is short, and a message of this client was begun and does not go on>");
    assert_int_equal(memory.evictions, 1);
}

/* ---- reading and back-pressure ---- */

static void test_what_a_protocol_leaves_comes_in_the_iterations_after(void **state)
{
    (void)state;
    seen.take_max = 1;
    struct peer *a = dial(0);
    say(a, "$12w34w");
    wait_for(a, has_text(a, "|w.|"));
    assert_memory_equal(seen.got, "$12w34w", 7);
    say(a, "5w");
    wait_for(a, has_text(a, "|w.|w.|"));
    say(a, "6c7");
    wait_for(a, has_ended(a) && seen.closed == 1);
    assert_memory_equal(seen.got, "$12w34w5w6c", 11);
    assert_int_equal(seen.got_len, 11);
}

static void test_what_a_protocol_leaves_waits_while_it_is_paused(void **state)
{
    (void)state;
    seen.take_max = 2;
    struct peer *a = dial(0);
    say(a, "$p12");
    wait_for(NULL, seen.got_len == 2);
    struct peer *b = dial(1);
    say(b, "$w");
    wait_for(b, has_text(b, "|"));
    assert_int_equal(seen.got_len, 4);
    struct connection *c = CONTAINER_OF(front.connections.next, struct connection, node);
    connection_resume(c);
    wait_for(NULL, seen.got_len == 6);
    assert_memory_equal(seen.got, "$p$w12", 6);
}

static void test_a_full_queue_stops_reading_until_half_is_out(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.out_bytes = (size_t)64 << 20;
    front_set_limits(&front, &limits);
    seen.flood_bytes = (size_t)24 << 20; /* more than the kernel ever takes */
    struct peer *a = dial(0);
    say(a, "$f");
    wait_for(NULL, seen.got_len == 2);
    const struct connection *c = seen.last->connection;
    assert_true(connection_queued(c) > CONNECTION_HIGH_BYTES);
    say(a, "1");
    for (int i = 0; i < 3; i++)
        turn(NULL);
    assert_int_equal(seen.got_len, 2);
    assert_int_equal(seen.writable, 0);
    while (seen.got_len == 2) {
        a->got = 0;
        turn(a);
        read_some(a);
    }
    assert_int_equal(seen.writable, 1);
    assert_true(connection_queued(c) <= CONNECTION_HIGH_BYTES / 2);
}

static void test_a_protocol_may_pause_reading(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, "$p1");
    wait_for(NULL, seen.got_len == 3);
    say(a, "2");
    for (int i = 0; i < 3; i++)
        turn(NULL);
    assert_int_equal(seen.got_len, 3);
    connection_resume(seen.last->connection);
    wait_for(NULL, seen.got_len == 4);
}

static void test_a_paused_peer_that_goes_is_noticed(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, "$p");
    wait_for(NULL, seen.got_len == 2);
    hang_up(a);
    wait_for(NULL, seen.closed == 1);
}

static void test_a_message_must_end_in_time(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.frame_timeout_ms = 50;
    front_set_limits(&front, &limits);
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    say(a, "$b");
    say(b, "$be");
    wait_for(a, has_ended(a));
    assert_says(a, "<-31002 a frame did not end within 50 ms: its newline is missing>");
    say(b, "w");
    wait_for(b, has_text(b, "w.|"));
}

/* ---- memory ---- */

/* However much happens in an iteration, the budget hears of it once, at its end. */
static void test_the_account_is_set_once_per_iteration(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    seen.usage = (struct protocol_usage){.partial_bytes = 100, .held_bytes = 1000};
    say(a, "$w");
    wait_for(a, has_text(a, "w.|"));
    assert_int_equal(seen.usage_calls, 1);
    assert_true(memory.held_bytes >= 1000);
    size_t before = seen.usage_calls;
    say(a, "wwwww");
    wait_for(a, has_text(a, "w.|w.|w.|w.|w.|w.|"));
    assert_int_equal(seen.usage_calls - before, 1);
}

static void test_a_message_under_way_is_accounted_at_once(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    seen.usage = (struct protocol_usage){.partial_bytes = 1 << 20, .held_bytes = 1 << 20};
    say(a, "$b");
    wait_for(a, seen.got_len == 2);
    assert_int_equal(memory.held_bytes, 1 << 20);
}

static void test_tight_memory_gives_buffers_back(void **state)
{
    (void)state;
    memory_set_limit(&memory, 10000);
    seen.usage = (struct protocol_usage){.held_bytes = 6000};
    struct peer *a = dial(0);
    say(a, "$b");
    wait_for(a, memory.held_bytes == 6000);
    say(a, "1");
    wait_for(a, seen.got_len == 3);
    assert_true(seen.trims > 0);
    say(a, "w");
    wait_for(a, has_text(a, "w.|"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_fake, tear_down_fake)
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_reach_the_protocol_from_the_first_on),
        TEST(test_what_is_not_spoken_gets_the_hint),
        TEST(test_a_protocol_that_does_not_open),
        TEST(test_a_protocol_that_closes_when_it_opens),
        TEST(test_the_last_error_is_the_protocols),
        TEST(test_a_peer_that_goes_ends_the_protocol),
        TEST(test_a_queue_over_its_limit_ends_the_connection),
        TEST(test_an_end_with_a_full_queue_waits_for_the_reader),
        TEST(test_a_connection_that_never_says_anything_is_told),
        TEST(test_a_reader_with_a_full_queue_is_told_why_it_ends),
        TEST(test_an_unread_queue_goes_when_memory_is_short),
        TEST(test_a_stalled_message_goes_when_memory_is_short),
        TEST(test_what_a_protocol_leaves_comes_in_the_iterations_after),
        TEST(test_what_a_protocol_leaves_waits_while_it_is_paused),
        TEST(test_a_full_queue_stops_reading_until_half_is_out),
        TEST(test_a_protocol_may_pause_reading),
        TEST(test_a_paused_peer_that_goes_is_noticed),
        TEST(test_a_message_must_end_in_time),
        TEST(test_the_account_is_set_once_per_iteration),
        TEST(test_a_message_under_way_is_accounted_at_once),
        TEST(test_tight_memory_gives_buffers_back),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
