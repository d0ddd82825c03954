/* The engine at random: a peer, a user and a network that do anything at any time. What must hold is the
 * fixture's to check after every step (engine_fixture.h); here it is driven, and at the end of each run everything
 * has to come to a good end. ENGINE_SEED and ENGINE_STEPS in the environment set where it starts and how long
 * it goes.
 *
 * The second part proves engine_due_ms exact: the same run with a tick at every due moment, and with one
 * every millisecond, gives the same trace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"
#include "tests/unit/backend-client/engine/engine_script.h"
#include "tests/unit/common/fault_alloc.h"

static struct engine_fixture fixture;
static uint64_t draws;

static uint64_t draw(uint64_t below)
{
    return engine_fixture_random(&draws) % below;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static struct ar_options random_options(void)
{
    struct ar_options o = engine_fixture_options();
    o.in_flight_max = (uint32_t)(1 + draw(8));
    o.queue_max_calls = (uint32_t)(1 + draw(12));
    o.queue_max_bytes = 20 + draw(400);
    o.frame_max_bytes = 1000 + draw(3000);
    o.stale_max_ms = draw(4) == 0 ? 0 : (uint32_t)draw(20000);
    o.agents_poll_ms = draw(6) == 0 ? AR_NEVER : (uint32_t)(200 + draw(4000));
    o.mock_refresh_ms = draw(6) == 0 ? AR_NEVER : (uint32_t)(500 + draw(4000));
    o.heartbeat_ms = (uint32_t)(500 + draw(5000));
    o.dead_after_ms = o.heartbeat_ms + 500 + (uint32_t)draw(5000);
    o.backoff_cap_ms = (uint32_t)(1000 + draw(20000));
    o.call_timeout_ms = (uint32_t)(1 + draw(20000));
    return o;
}

/* ---- the user ---- */

static void ask_something(void)
{
    static const char *const methods[] = {NULL, "agents/list", "relay/status", "tools/list", "x/unheard-of"};
    static const char *const params[] = {NULL, "{}", "{\"name\":\"echo\",\"arguments\":{\"a\":1}}",
                                         "{\"_meta\":{}}", "{\"_meta\":{\"k\":1},\"z\":\"\\u20ac\"}"};
    static const uint32_t deadlines[] = {0, 1, 50, 3000, 60000};
    (void)engine_fixture_submit(&fixture, &(struct call_spec){
                                              .method = methods[draw(5)],
                                              .params = params[draw(5)],
                                              .policy = (enum ar_policy)draw(3),
                                              .deadline_ms = deadlines[draw(5)],
                                              .idempotent = draw(2),
                                              .progress = draw(3) == 0,
                                          });
}

static void cancel_something(void)
{
    uint64_t back = draw(20);
    engine_fixture_cancel(&fixture, fixture.calls_made > back ? fixture.calls_made - back : draw(100));
}

/* ---- the peer ---- */

static void answer_something(void)
{
    if (fixture.line_count == 0)
        return;
    const struct received_line *line = &fixture.lines[draw(fixture.line_count)];
    if (!line->asks)
        return;
    uint64_t id = line->call_id;
    if (id == 0) {
        static const enum peer_reply replies[] = {REPLY_GOOD,    REPLY_GOOD,        REPLY_GOOD,
                                                  REPLY_UNKNOWN, REPLY_UNAVAILABLE, REPLY_ERROR,
                                                  REPLY_UNUSABLE};
        char method[64];
        (void)snprintf(method, sizeof(method), "%s", line->method);
        engine_fixture_answer_line(&fixture, method, replies[draw(7)]);
        return;
    }
    switch (draw(6)) {
    case 0:
        engine_fixture_answer_error(&fixture, id, -32000);
        break;
    case 1:
        engine_fixture_answer_relay_error(&fixture, id, true, false, draw(2) ? (unsigned)draw(3000) : 0);
        break;
    case 2:
        engine_fixture_answer_relay_error(&fixture, id, false, draw(2), 0);
        break;
    default:
        engine_fixture_answer(&fixture, id);
        break;
    }
}

static void send_something(void)
{
    static const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\",\"params\":{\"id\":\"a\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"roots/list\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":123456789,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-1\",\"result\":{}}",
        "garbage",
        "\r",
        "",
    };
    switch (draw(8)) {
    case 0:
        engine_fixture_send_bytes(&fixture, "{", 1); /* spoils the line after it */
        break;
    case 1: {
        char text[5000];
        memset(text, '{', sizeof(text));
        engine_fixture_send_bytes(&fixture, text, 1 + draw(sizeof(text)));
        break;
    }
    case 2:
        engine_fixture_sendf(
            &fixture,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu}}",
            (unsigned long long)(fixture.calls_made + 1 - draw(fixture.calls_made < 10 ? 1 : 10)));
        break;
    default:
        engine_fixture_send(&fixture, lines[draw(sizeof(lines) / sizeof(lines[0]))]);
        break;
    }
}

/* Mostly well: else nothing would ever be live. */
static enum peer_reply some_reply(void)
{
    uint64_t n = draw(40);
    return n < 6 ? (enum peer_reply)n : draw(3) == 0 ? REPLY_NONE : REPLY_GOOD;
}

static void change_script(void)
{
    fixture.script = (struct peer_script){
        .init = some_reply(),
        .list = some_reply(),
        .tool = some_reply(),
        .ping = draw(5) ? REPLY_GOOD : REPLY_NONE,
        .call = draw(2) ? REPLY_NONE : some_reply(),
        .agents = draw(2) ? engine_fixture_agents : engine_fixture_other_agents,
        .retry_after_ms = draw(3) ? 0 : (unsigned)draw(4000),
    };
}

/* ---- the network ---- */

static void change_link(void)
{
    if (fixture.connecting && draw(3) == 0)
        engine_fixture_refuse(&fixture);
    else if (fixture.connecting)
        engine_fixture_connect(&fixture);
    else if (fixture.linked && draw(8) == 0)
        engine_fixture_lose(&fixture);
}

static void pass_time(bool ticking)
{
    static const uint64_t spans[] = {1, 20, 20, 300, 300, 2500, 12000};
    uint64_t ms = draw(spans[draw(7)] + 1);
    if (ticking)
        engine_fixture_advance_ticking(&fixture, ms);
    else
        engine_fixture_advance(&fixture, ms);
}

static void step(bool ticking, bool leaping)
{
    switch (draw(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        ask_something();
        break;
    case 4:
        cancel_something();
        break;
    case 5:
    case 6:
    case 7:
        answer_something();
        break;
    case 8:
        if (draw(4) == 0)
            send_something();
        break;
    case 9:
        if (draw(4) == 0)
            change_script();
        break;
    case 10:
    case 11:
        change_link();
        break;
    case 12:
        fixture.not_reading = draw(4) == 0;
        (void)engine_fixture_read(&fixture, draw(300));
        break;
    case 13:
        fixture.chunk = draw(3) ? 0 : 1 + draw(40);
        if (leaping && draw(50) == 0)
            engine_fixture_suspend(&fixture, draw(100000));
        break;
    case 14:
        engine_probe(&fixture.engine, draw(2) ? 200 : 0, "no answer", fixture.now_ms);
        engine_fixture_check(&fixture);
        break;
    default:
        pass_time(ticking);
        break;
    }
}

static void come_to_a_good_end(void)
{
    fixture.not_reading = false;
    fixture.chunk = 0;
    fixture.script.call = REPLY_NONE;
    engine_fixture_advance(&fixture, 1);
    if (draw(2)) {
        engine_script_settle(&fixture);
        engine_fixture_back_to_live(&fixture);
    }
    engine_fixture_close(&fixture);
    assert_int_equal(fixture.completed, fixture.calls_made);
    assert_int_equal(fault_alloc_live(), 0);
}

/* ---- the runs ---- */

static void anything_at_any_time(void **state)
{
    (void)state;
    uint64_t seed = setting("ENGINE_SEED", 1);
    uint64_t steps = setting("ENGINE_STEPS", 100000);
    uint64_t codes[16] = {0};
    uint64_t live_steps = 0;
    uint64_t done = 0;
    for (uint64_t run = 0; done < steps; run++) {
        draws = seed * 1000003 + run;
        struct ar_options o = random_options();
        fault_alloc_install();
        engine_fixture_open(&fixture, &o);
        fixture.drops_lines = true;
        engine_fixture_start(&fixture);
        uint64_t length = 200 + draw(3000);
        for (uint64_t i = 0; i < length; i++, done++) {
            step(false, true);
            live_steps += fixture.last.state == AR_LIVE;
        }
        engine_fixture_pump(&fixture);
        engine_script_settle(&fixture);
        for (uint64_t id = 1; id <= fixture.calls_made; id++)
            codes[-fixture.calls[id].code]++;
        come_to_a_good_end();
    }
    printf("%llu steps, %llu of them live\n", (unsigned long long)done, (unsigned long long)live_steps);
    for (int i = 0; i < 16; i++)
        printf("  %s %llu\n", ar_code_name(-i), (unsigned long long)codes[i]);
    /* It has looked at something. */
    assert_true(live_steps > done / 20);
    static const int met[] = {AR_OK,           AR_E_SERVER,          AR_E_TIMEOUT,
                              AR_E_CANCELLED,  AR_E_CONNECTION_LOST, AR_E_DEGRADED,
                              AR_E_QUEUE_FULL, AR_E_NOT_MOCKED};
    for (size_t i = 0; i < sizeof(met) / sizeof(met[0]) && steps >= 100000; i++)
        assert_true(codes[-met[i]] > 100);
}

/* The trace of a run of its own, to be freed. */
static char *trace_of(uint64_t seed, unsigned steps, bool ticking)
{
    draws = seed;
    struct ar_options o = random_options();
    engine_fixture_open(&fixture, &o);
    fixture.tracing = true;
    fixture.drops_lines = true;
    engine_fixture_start(&fixture);
    for (unsigned i = 0; i < steps; i++)
        step(ticking, false);
    char *trace = strdup(fixture.trace);
    assert_non_null(trace);
    engine_fixture_close(&fixture);
    return trace;
}

static void driven_by_due_ms_alone_it_does_what_it_does_ticked_every_ms(void **state)
{
    (void)state;
    uint64_t seed = setting("ENGINE_SEED", 1);
    size_t bytes = 0;
    for (uint64_t run = 0; run < 30; run++) {
        char *due = trace_of(seed * 7919 + run, 700, false);
        char *each = trace_of(seed * 7919 + run, 700, true);
        if (strcmp(due, each) != 0) {
            size_t at = 0;
            while (due[at] == each[at])
                at++;
            while (at > 0 && due[at - 1] != '\n')
                at--;
            fail_msg("run %llu differs: '%.160s' against '%.160s'", (unsigned long long)run, due + at,
                     each + at);
        }
        bytes += strlen(due);
        free(due);
        free(each);
    }
    assert_true(bytes > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_at_any_time),
        cmocka_unit_test(driven_by_due_ms_alone_it_does_what_it_does_ticked_every_ms),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_model", tests, NULL, NULL);
}
