/* Every call has one completion, and the right one: each policy, for the server and for the relay itself, in
 * each state of the client, to each end that a call can come to. What is expected is computed from the
 * contract (engine.h), not from the engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

enum where { CONNECTING, REFUSED, LOST, OPENING, READY, SERVER_DOWN, LIVE, CLOSED, WHERES };
enum kind { FAST, WAITING, MOCKING, IDEMPOTENT, KINDS };
enum end {
    ANSWER,
    ERROR,     /* of the server */
    RETRYABLE, /* the relay's: not sent, try again */
    UNSENT,    /* the relay's: not sent, do not try again */
    FINAL,     /* the relay's: sent, lost */
    DEADLINE,  /* after it was sent */
    DEADLINE_UNSENT,
    CANCEL,
    CANCEL_UNSENT,
    LOST_UNSENT, /* no byte of it had left */
    LOST_PART,   /* all but its newline had left */
    LOST_SENT,
    CLOSE,
    CLOSE_UNSENT,
    CLOSE_PART,
    ENDS
};

static const char *const where_names[] = {"connecting", "refused",     "lost", "opening",
                                          "ready",      "server down", "live", "closed"};
static const char *const kind_names[] = {"fail fast", "wait", "mock", "wait, idempotent"};
static const char *const end_names[] = {"answer",        "error",        "retryable",       "unsent",
                                        "final",         "deadline",     "deadline unsent", "cancel",
                                        "cancel unsent", "lost unsent",  "lost part",       "lost sent",
                                        "close",         "close unsent", "close part"};

static void go_to(enum where where)
{
    if (where == LIVE || where == LOST || where == CLOSED) {
        engine_fixture_open_live(&fixture, NULL);
    } else {
        engine_fixture_open(&fixture, NULL);
        engine_fixture_start(&fixture);
    }
    fixture.script.call = REPLY_NONE;
    switch (where) {
    case REFUSED:
        engine_fixture_refuse(&fixture);
        break;
    case LOST:
        engine_fixture_lose(&fixture);
        break;
    case OPENING:
        fixture.script.init = REPLY_NONE;
        engine_fixture_connect(&fixture);
        break;
    case READY:
        fixture.script.list = REPLY_NONE;
        engine_fixture_connect(&fixture);
        break;
    case SERVER_DOWN:
        fixture.script.list = REPLY_UNAVAILABLE;
        engine_fixture_connect(&fixture);
        break;
    case CLOSED:
        engine_fixture_close_engine(&fixture);
        break;
    default:
        break;
    }
}

static uint64_t ask(enum kind kind, bool to_relay)
{
    static const enum ar_policy policies[] = {AR_FAIL_FAST, AR_WAIT, AR_MOCK, AR_WAIT};
    return engine_fixture_submit(&fixture, &(struct call_spec){
                                               .method = to_relay ? "relay/status" : "agents/list",
                                               .policy = policies[kind],
                                               .deadline_ms = 9000,
                                               .idempotent = kind == IDEMPOTENT,
                                           });
}

/* The mock knows no relay/ method. */
static void expect_mocked(uint64_t id, bool to_relay)
{
    if (to_relay)
        engine_fixture_expect(&fixture, id, AR_E_NOT_MOCKED, false);
    else
        engine_fixture_expect_ok(&fixture, id, AR_SOURCE_MOCK);
}

static bool sent_at_once(enum where where, bool to_relay)
{
    return where == LIVE || (to_relay && (where == OPENING || where == READY || where == SERVER_DOWN));
}

/* Not sent, and not to wait. */
static void expect_refused_at_once(uint64_t id, enum where where, enum kind kind, bool to_relay)
{
    if (where == CLOSED)
        engine_fixture_expect(&fixture, id, AR_E_CLOSED, false);
    else if (kind == FAST)
        engine_fixture_expect(&fixture, id, AR_E_DEGRADED, false);
    else
        expect_mocked(id, to_relay);
}

static void expect_held_again_and_answered(uint64_t id)
{
    engine_fixture_expect_open(&fixture, id);
    fixture.script.init = fixture.script.list = REPLY_GOOD;
    engine_fixture_back_to_live(&fixture);
    engine_fixture_advance(&fixture, 5000);
    engine_fixture_expect_open(&fixture, id);
    assert_true(engine_fixture_call_is_held(&fixture, id));
    engine_fixture_answer(&fixture, id);
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
}

static void expect_timeout_at_9000(uint64_t id)
{
    uint64_t at_ms = fixture.calls[id].began_at_ms + 9000;
    engine_fixture_until(&fixture, at_ms - 1);
    engine_fixture_expect_open(&fixture, id);
    engine_fixture_until(&fixture, at_ms);
    assert_true(fixture.calls[id].done);
    assert_int_equal(fixture.calls[id].code, AR_E_TIMEOUT);
    assert_int_equal(fixture.calls[id].elapsed_ms, 9000);
}

static void lose_it(uint64_t id, enum end end, enum kind kind, bool to_relay)
{
    bool ran = end == LOST_SENT;
    engine_fixture_lose(&fixture);
    if (kind == IDEMPOTENT || (kind == WAITING && !ran))
        expect_held_again_and_answered(id);
    else if (kind == MOCKING && !ran)
        expect_mocked(id, to_relay);
    else
        engine_fixture_expect(&fixture, id, AR_E_CONNECTION_LOST, ran);
}

static void answer_it(uint64_t id, enum end end, enum kind kind, bool to_relay)
{
    switch (end) {
    case ANSWER:
        engine_fixture_answer(&fixture, id);
        engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
        break;
    case ERROR:
        engine_fixture_answer_error(&fixture, id, -32042);
        engine_fixture_expect(&fixture, id, AR_E_SERVER, true);
        assert_int_equal(fixture.calls[id].error_code, -32042);
        assert_string_equal(fixture.calls[id].message, "it \u00e9rrs");
        assert_string_equal(fixture.calls[id].error_data, "{\"why\":[1]}");
        break;
    case RETRYABLE:
        engine_fixture_answer_relay_error(&fixture, id, true, false, 500);
        if (kind == FAST)
            engine_fixture_expect(&fixture, id, AR_E_SERVER, false);
        else if (kind == MOCKING)
            expect_mocked(id, to_relay);
        else
            expect_held_again_and_answered(id);
        break;
    default:
        engine_fixture_answer_relay_error(&fixture, id, false, end == FINAL, 0);
        engine_fixture_expect(&fixture, id, AR_E_SERVER, end == FINAL);
        assert_int_equal(fixture.calls[id].error_code, -31001);
        break;
    }
}

/* Whether something that had not left in time counts as run is the engine's to say as long as it is true: the
 * fixture fails the test if it comes to the peer later after all. */
static void end_it(uint64_t id, enum end end, enum kind kind, bool to_relay)
{
    uint64_t cancelled = fixture.methods_received[METHOD_CANCELLED];
    bool seen = fixture.calls[id].seen > 0;
    switch (end) {
    case DEADLINE:
    case DEADLINE_UNSENT:
        expect_timeout_at_9000(id);
        assert_true(!seen || fixture.calls[id].may_have_run);
        break;
    case CANCEL:
    case CANCEL_UNSENT:
        engine_fixture_cancel(&fixture, id);
        assert_int_equal(fixture.calls[id].code, AR_E_CANCELLED);
        assert_true(!seen || fixture.calls[id].may_have_run);
        break;
    case LOST_UNSENT:
    case LOST_PART:
    case LOST_SENT:
        lose_it(id, end, kind, to_relay);
        return;
    case CLOSE:
    case CLOSE_UNSENT:
    case CLOSE_PART:
        engine_fixture_close_engine(&fixture);
        engine_fixture_expect(&fixture, id, AR_E_CLOSED, end == CLOSE);
        return;
    default:
        answer_it(id, end, kind, to_relay);
        return;
    }
    fixture.not_reading = false;
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.methods_received[METHOD_CANCELLED] - cancelled, to_relay ? 0 : 1);
}

static bool is_unsent(enum end end)
{
    return end == DEADLINE_UNSENT || end == CANCEL_UNSENT || end == LOST_UNSENT || end == LOST_PART ||
           end == CLOSE_UNSENT || end == CLOSE_PART;
}

/* A call that waits ends at once, or is sent in its time and then ends as one that was in flight. */
static void end_waiting(uint64_t id, enum end end, enum kind kind, bool to_relay)
{
    engine_fixture_expect_open(&fixture, id);
    assert_int_equal(engine_fixture_health(&fixture).waiting, 1);
    if (end == DEADLINE_UNSENT) {
        expect_timeout_at_9000(id);
        assert_false(fixture.calls[id].may_have_run);
    } else if (end == CANCEL_UNSENT) {
        engine_fixture_cancel(&fixture, id);
        engine_fixture_expect(&fixture, id, AR_E_CANCELLED, false);
    } else if (end == CLOSE_UNSENT || end == CLOSE_PART) {
        engine_fixture_close_engine(&fixture);
        engine_fixture_expect(&fixture, id, AR_E_CLOSED, false);
    } else if (is_unsent(end)) {
        if (fixture.linked)
            engine_fixture_lose(&fixture);
        expect_held_again_and_answered(id);
    } else {
        engine_fixture_back_to_live(&fixture);
        engine_fixture_pump(&fixture);
        assert_true(engine_fixture_call_is_held(&fixture, id));
        end_it(id, end, kind, to_relay);
    }
}

static void play(enum where where, enum kind kind, enum end end, bool to_relay)
{
    go_to(where);
    fixture.not_reading = is_unsent(end) && sent_at_once(where, to_relay);
    uint64_t id = ask(kind, to_relay);
    engine_fixture_pump(&fixture);
    if (where == CLOSED || (!sent_at_once(where, to_relay) && (kind == FAST || kind == MOCKING))) {
        expect_refused_at_once(id, where, kind, to_relay);
    } else if (!sent_at_once(where, to_relay)) {
        end_waiting(id, end, kind, to_relay);
    } else {
        if (end == LOST_PART || end == CLOSE_PART)
            (void)engine_fixture_read(&fixture, buf_len(&fixture.engine.out) - 1);
        engine_fixture_expect_open(&fixture, id);
        assert_int_equal(engine_fixture_health(&fixture).in_flight, 1);
        assert_int_equal(fixture.calls[id].seen, is_unsent(end) ? 0 : 1);
        end_it(id, end, kind, to_relay);
    }
    assert_int_equal(fixture.outstanding, 0);
    engine_fixture_close(&fixture);
    assert_int_equal(fixture.completed, 1);
}

static void play_all(enum where where)
{
    for (int kind = 0; kind < KINDS; kind++) {
        for (int end = 0; end < ENDS; end++) {
            for (int to_relay = 0; to_relay < 2; to_relay++) {
                printf("%s / %s / %s / %s\n", where_names[where], kind_names[kind], end_names[end],
                       to_relay ? "relay" : "server");
                play(where, (enum kind)kind, (enum end)end, to_relay);
            }
        }
    }
}

static void while_connecting(void **state)
{
    (void)state;
    play_all(CONNECTING);
}

static void while_refused(void **state)
{
    (void)state;
    play_all(REFUSED);
}

static void while_lost(void **state)
{
    (void)state;
    play_all(LOST);
}

static void while_opening(void **state)
{
    (void)state;
    play_all(OPENING);
}

static void while_ready_and_not_yet_live(void **state)
{
    (void)state;
    play_all(READY);
}

static void while_the_server_is_down(void **state)
{
    (void)state;
    play_all(SERVER_DOWN);
}

static void while_live(void **state)
{
    (void)state;
    play_all(LIVE);
}

static void after_the_end(void **state)
{
    (void)state;
    play_all(CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_connecting),
        cmocka_unit_test(while_refused),
        cmocka_unit_test(while_lost),
        cmocka_unit_test(while_opening),
        cmocka_unit_test(while_ready_and_not_yet_live),
        cmocka_unit_test(while_the_server_is_down),
        cmocka_unit_test(while_live),
        cmocka_unit_test(after_the_end),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_calls", tests, NULL, NULL);
}
