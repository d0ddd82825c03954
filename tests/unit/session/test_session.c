/* A session between router and transport: what passes straight through, what is kept and sent again, and what
 * a session without a transport looks like to the router.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/session/session_fixture.h"

static struct session *open_kept(void)
{
    struct session *s = open_on(&first);
    session_keep(s, OUT_MAX_BYTES, NOW_MS);
    return s;
}

static bool looks_slow(const struct session *s)
{
    return link_is_slow(&s->link);
}

/* ---- attached, nothing kept ---- */

static void test_messages_pass_straight_through(void **state)
{
    (void)state;
    struct session *s = open_on(&first);
    first.stuck = true;
    assert_int_equal(send_text("one") | send_text("two"), 0);
    assert_sent(&first, "one\ntwo\n");
    assert_int_equal(s->link.queued_bytes, 6);
    first.transport.queued_bytes = 2;
    session_sent(s);
    assert_int_equal(s->link.queued_bytes, 2);
    first.transport.queued_bytes = 0;
    session_writable(s, NOW_MS);
    assert_int_equal(s->link.queued_bytes, 0);
    assert_int_equal(fake_router.writable, 1);
}

static void test_a_message_that_is_lost_is_reported_to_the_router(void **state)
{
    (void)state;
    (void)open_on(&first);
    first.send_result = ERR_CLOSING;
    assert_int_equal(send_text("one"), ERR_CLOSING);
    assert_sent(&first, "");
}

static void test_frames_are_counted_and_handed_in(void **state)
{
    (void)state;
    struct session *s = open_on(&first);
    session_frame(s, &(struct frame){.bytes = "{}", .len = 2}, NOW_MS);
    session_frame(s, &(struct frame){.bytes = "{}", .len = 2}, NOW_MS);
    assert_int_equal(s->frames_in, 2);
    assert_int_equal(fake_router.frames, 2);
}

static void test_pause_resume_and_close_reach_the_transport(void **state)
{
    (void)state;
    struct session *s = open_on(&first);
    s->link.ops->pause(&s->link);
    assert_int_equal(first.pauses, 1);
    s->link.ops->resume(&s->link);
    assert_int_equal(first.resumes, 1);
    s->link.ops->close(&s->link, -31003, "too slow");
    assert_int_equal(first.closes, 1);
    assert_int_equal(first.close_code, -31003);
}

static void test_an_unknown_server_or_no_memory_leaves_nothing(void **state)
{
    (void)state;
    struct session_origin origin = {.family = SESSION_TCP};
    struct session *s;
    assert_int_equal(session_open(&set, &origin, &first.transport, "other", NOW_MS, &s), ERR_NOT_FOUND);
    for (size_t n = 1; n <= 2; n++) {
        fault_alloc_fail_at(n);
        assert_int_equal(session_open(&set, &origin, &first.transport, "mock", NOW_MS, &s), -ENOMEM);
        fault_alloc_fail_at(0);
    }
    assert_int_equal(set.count, 0);
}

/* ---- kept ---- */

static void test_kept_frames_count_as_queued_until_acknowledged(void **state)
{
    (void)state;
    struct session *s = open_kept();
    assert_int_equal(send_text("one") | send_text("two"), 0);
    assert_sent(&first, "one\ntwo\n");
    size_t both = s->link.queued_bytes;
    assert_true(both >= 6);
    assert_int_equal(session_acknowledge(s, 1, NOW_MS), 0);
    assert_int_equal(s->link.queued_bytes, both / 2);
    assert_int_equal(session_acknowledge(s, 2, NOW_MS), 0);
    assert_int_equal(s->link.queued_bytes, 0);
    assert_int_equal(session_acknowledge(s, 3, NOW_MS), ERR_RANGE);
    assert_int_equal(fake_router.writable, 0); /* it was never above the mark */
}

/* The transport holds a window; the rest exists once, in the out queue. */
static void test_the_window_bounds_what_a_transport_holds(void **state)
{
    (void)state;
    struct session *s = open_kept();
    first.stuck = true;
    size_t half = SESSION_WINDOW_BYTES / 2;
    for (int i = 0; i < 6; i++)
        assert_int_equal(send_bytes(half), 0);
    assert_int_equal(first.transport.queued_bytes, SESSION_WINDOW_BYTES);
    assert_int_equal(s->out.taken, 2);
    first.transport.queued_bytes = half;
    session_sent(s);
    assert_int_equal(s->out.taken, 3);
    first.transport.queued_bytes = 0;
    session_writable(s, NOW_MS);
    assert_int_equal(s->out.taken, 5);
    assert_int_equal(fake_router.writable, 0);
}

static void test_acknowledgements_make_the_router_send_again(void **state)
{
    (void)state;
    struct session *s = open_kept();
    size_t quarter = SESSION_HIGH_BYTES / 4;
    for (int i = 0; i < 5; i++)
        assert_int_equal(send_bytes(quarter), 0);
    assert_true(looks_slow(s));
    assert_int_equal(session_acknowledge(s, 2, NOW_MS), 0);
    assert_false(looks_slow(s));
    assert_int_equal(fake_router.writable, 0); /* not before half of the mark */
    assert_int_equal(session_acknowledge(s, 4, NOW_MS), 0);
    assert_int_equal(fake_router.writable, 1);
    assert_int_equal(session_acknowledge(s, 5, NOW_MS), 0);
    assert_int_equal(fake_router.writable, 1);
}

static void test_a_detached_session_looks_like_a_slow_reader(void **state)
{
    (void)state;
    struct session *s = open_kept();
    session_detach(s);
    assert_true(looks_slow(s));
    assert_int_equal(send_text("meanwhile"), 0);
    assert_true(looks_slow(s));
    assert_sent(&first, "");
}

static void test_a_new_transport_gets_exactly_the_rest(void **state)
{
    (void)state;
    struct session *s = open_kept();
    assert_int_equal(send_text("1") | send_text("2") | send_text("3"), 0);
    assert_int_equal(session_acknowledge(s, 1, NOW_MS), 0);
    session_detach(s);
    assert_int_equal(send_text("4"), 0);
    assert_sent(&first, "1\n2\n3\n");
    assert_int_equal(session_attach(s, &second.transport, 2, NOW_MS),
                     0); /* 2 had come, its acknowledgement had not */
    assert_sent(&second, "3\n4\n");
    assert_int_equal(fake_router.writable, 1); /* it may be given calls again */
    assert_false(looks_slow(s));
    assert_int_equal(send_text("5"), 0);
    assert_sent(&second, "5\n");
    assert_int_equal(session_acknowledge(s, 5, NOW_MS), 0);
    assert_int_equal(s->link.queued_bytes, 0);
    assert_sent(&first, "");
}

static void test_a_cut_in_the_middle_of_a_replay(void **state)
{
    (void)state;
    struct session *s = open_kept();
    session_detach(s);
    size_t half = SESSION_WINDOW_BYTES / 2;
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_bytes(half), 0);
    second.stuck = true;
    assert_int_equal(session_attach(s, &second.transport, 0, NOW_MS), 0);
    assert_int_equal(s->out.taken, 2);
    session_detach(s);
    assert_int_equal(session_attach(s, &first.transport, 1, NOW_MS), 0);
    assert_int_equal(s->out.taken, 3);
    assert_int_equal(s->out.acknowledged, 1);
}

static void test_a_count_that_cannot_be_attaches_nothing(void **state)
{
    (void)state;
    struct session *s = open_kept();
    assert_int_equal(send_text("1") | send_text("2"), 0);
    assert_int_equal(session_acknowledge(s, 1, NOW_MS), 0);
    session_detach(s);
    assert_int_equal(session_attach(s, &second.transport, 3, NOW_MS), ERR_RANGE);
    assert_int_equal(session_attach(s, &second.transport, 0, NOW_MS), ERR_RANGE);
    assert_true(looks_slow(s));
    assert_sent(&second, "");
    assert_int_equal(session_attach(s, &second.transport, 1, NOW_MS), 0);
    assert_sent(&second, "2\n");
}

static void test_a_pause_outlives_the_transport(void **state)
{
    (void)state;
    struct session *s = open_kept();
    s->link.ops->pause(&s->link);
    session_detach(s);
    assert_int_equal(session_attach(s, &second.transport, 0, NOW_MS), 0);
    assert_int_equal(second.pauses, 1);
    session_detach(s);
    s->link.ops->resume(&s->link);
    assert_int_equal(session_attach(s, &first.transport, 0, NOW_MS), 0);
    assert_int_equal(first.pauses, 1);
    assert_int_equal(first.resumes, 0);
}

/* Its transport holds a window only, and would never pause by itself. */
static void test_a_client_that_acknowledges_nothing_is_not_read(void **state)
{
    (void)state;
    struct session *s = open_kept();
    size_t quarter = SESSION_HIGH_BYTES / 4;
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_bytes(quarter), 0);
    assert_int_equal(first.pauses, 0);
    assert_int_equal(send_bytes(quarter), 0);
    assert_int_equal(first.pauses, 1);
    assert_int_equal(send_bytes(quarter), 0);
    assert_int_equal(first.pauses, 1);
    s->link.ops->pause(&s->link);
    s->link.ops->resume(&s->link); /* the router's wish is not all */
    assert_int_equal(first.resumes, 0);
    assert_int_equal(session_acknowledge(s, 2, NOW_MS), 0);
    assert_int_equal(first.resumes, 0); /* not before half of the mark */
    assert_int_equal(session_acknowledge(s, 4, NOW_MS), 0);
    assert_int_equal(first.resumes, 1);
}

/* ---- the memory budget ---- */

static struct loop loop;
static struct memory memory;

static struct session *open_counted(uint64_t limit_bytes)
{
    assert_int_equal(loop_init(&loop), 0);
    memory_init(&memory, &loop, limit_bytes);
    set.memory = &memory;
    return open_kept();
}

static void close_counted(struct session *s)
{
    session_close(s, NOW_MS);
    assert_int_equal(memory.held_bytes, 0);
    memory_done(&memory);
    assert_int_equal(loop_done(&loop), 0);
    set.memory = NULL;
}

static void test_kept_frames_are_in_the_budget(void **state)
{
    (void)state;
    struct session *s = open_counted(16 << 20);
    assert_int_equal(send_bytes(100000), 0);
    assert_true(memory.queued_bytes >= 100000);
    session_detach(s);
    assert_int_equal(send_bytes(100000), 0);
    assert_true(memory.queued_bytes >= 200000);
    assert_int_equal(session_attach(s, &second.transport, 2, NOW_MS), ERR_RANGE);
    assert_int_equal(session_attach(s, &second.transport, 1, NOW_MS), 0);
    assert_int_equal(session_acknowledge(s, 2, NOW_MS), 0);
    assert_int_equal(memory.queued_bytes, 0);
    close_counted(s);
}

static void test_who_is_away_goes_when_memory_is_short(void **state)
{
    (void)state;
    struct session *s = open_counted(150000);
    assert_int_equal(send_bytes(100000), 0);
    session_detach(s);
    assert_int_equal(send_bytes(100000), 0);
    loop_run(&loop);
    assert_int_equal(memory.evictions, 1);
    assert_int_equal(memory.held_bytes, 0);
    assert_int_equal(send_text("more"), ERR_CLOSING);
    assert_int_equal(session_attach(s, &second.transport, 0, NOW_MS), ERR_CLOSING);
    close_counted(s);
}

static void test_who_acknowledges_nothing_is_told_when_memory_is_short(void **state)
{
    (void)state;
    struct session *s = open_counted(150000);
    first.stuck = true;
    s->received_at_ms = 0;
    assert_true(loop_now_ms(&loop) > 2000); /* the machine has run for so long */
    assert_int_equal(send_bytes(200000), 0);
    loop_run(&loop);
    assert_int_equal(first.closes, 1);
    assert_int_equal(first.close_code, -31003);
    assert_int_equal(memory.held_bytes, 0);
    close_counted(s);
}

static void test_a_session_that_the_router_ended_stays_away(void **state)
{
    (void)state;
    struct session *s = open_kept();
    session_detach(s);
    s->link.ops->close(&s->link, 0, "the server was removed");
    assert_int_equal(send_text("late"), ERR_CLOSING);
    assert_int_equal(session_attach(s, &second.transport, 0, NOW_MS), ERR_CLOSING);
    assert_int_equal(second.closes, 0);
}

static void test_a_frame_that_cannot_be_kept_is_reported_to_the_router(void **state)
{
    (void)state;
    struct session *s = open_kept();
    assert_int_equal(send_bytes(OUT_MAX_BYTES), ERR_TOO_LARGE);
    fault_alloc_fail_at(2); /* the first is the message of send_bytes itself */
    assert_int_equal(send_bytes(100), -ENOMEM);
    fault_alloc_fail_at(0);
    assert_int_equal(s->out.appended, 0);
}

/* A send that fails is not taken: the next transport gets the frame. */
static void test_a_frame_that_the_transport_lost_is_sent_again(void **state)
{
    (void)state;
    struct session *s = open_kept();
    first.send_result = ERR_CLOSING;
    assert_int_equal(send_text("1"), 0);
    session_detach(s);
    assert_int_equal(session_attach(s, &second.transport, 0, NOW_MS), 0);
    assert_sent(&second, "1\n");
}

static void test_traffic_is_summed_over_connections(void **state)
{
    (void)state;
    struct session *s = open_kept();
    uint64_t in;
    uint64_t out;
    first.bytes_in = 10;
    first.bytes_out = 20;
    session_detach(s);
    first.bytes_in = 0;
    second.bytes_in = 1;
    second.bytes_out = 2;
    assert_int_equal(session_attach(s, &second.transport, 0, NOW_MS), 0);
    session_get_traffic(s, &in, &out);
    assert_true(in == 11 && out == 22);
    session_set_traffic(&set, &in, &out);
    assert_true(in == 11 && out == 22);
    session_close(s, NOW_MS);
    session_set_traffic(&set, &in, &out);
    assert_true(in == 11 && out == 22);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, session_set_up, session_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_messages_pass_straight_through),
        TEST(test_a_message_that_is_lost_is_reported_to_the_router),
        TEST(test_frames_are_counted_and_handed_in),
        TEST(test_pause_resume_and_close_reach_the_transport),
        TEST(test_an_unknown_server_or_no_memory_leaves_nothing),
        TEST(test_kept_frames_count_as_queued_until_acknowledged),
        TEST(test_the_window_bounds_what_a_transport_holds),
        TEST(test_acknowledgements_make_the_router_send_again),
        TEST(test_a_detached_session_looks_like_a_slow_reader),
        TEST(test_a_new_transport_gets_exactly_the_rest),
        TEST(test_a_cut_in_the_middle_of_a_replay),
        TEST(test_a_count_that_cannot_be_attaches_nothing),
        TEST(test_a_pause_outlives_the_transport),
        TEST(test_a_client_that_acknowledges_nothing_is_not_read),
        TEST(test_kept_frames_are_in_the_budget),
        TEST(test_who_is_away_goes_when_memory_is_short),
        TEST(test_who_acknowledges_nothing_is_told_when_memory_is_short),
        TEST(test_a_session_that_the_router_ended_stays_away),
        TEST(test_a_frame_that_cannot_be_kept_is_reported_to_the_router),
        TEST(test_a_frame_that_the_transport_lost_is_sent_again),
        TEST(test_traffic_is_summed_over_connections),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
