/* The engine at random: a peer, a user and a network that do anything at any time. What must hold is the
 * kit's to check after every step (engine_kit.h); here it is driven, and at the end of each run everything
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

static struct kit kit;
static uint64_t draws;

static uint64_t draw(uint64_t below)
{
    return kit_random(&draws) % below;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static struct ar_options random_options(void)
{
    struct ar_options o = kit_options();
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
    (void)kit_ask(&kit, &(struct kit_ask){
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
    kit_cancel(&kit, kit.calls_made > back ? kit.calls_made - back : draw(100));
}

/* ---- the peer ---- */

static void answer_something(void)
{
    if (kit.line_count == 0)
        return;
    const struct kit_line *line = &kit.lines[draw(kit.line_count)];
    if (!line->asks)
        return;
    uint64_t id = line->call_id;
    if (id == 0) {
        static const enum kit_mood moods[] = {KIT_GOOD, KIT_GOOD,  KIT_GOOD, KIT_UNKNOWN,
                                              KIT_DOWN, KIT_ERROR, KIT_ODD};
        char method[64];
        (void)snprintf(method, sizeof(method), "%s", line->method);
        kit_answer_held(&kit, method, moods[draw(7)]);
        return;
    }
    switch (draw(6)) {
    case 0:
        kit_answer_error(&kit, id, -32000);
        break;
    case 1:
        kit_answer_relay_error(&kit, id, true, false, draw(2) ? (unsigned)draw(3000) : 0);
        break;
    case 2:
        kit_answer_relay_error(&kit, id, false, draw(2), 0);
        break;
    default:
        kit_answer(&kit, id);
        break;
    }
}

static void say_something(void)
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
        kit_say_bytes(&kit, "{", 1); /* spoils the line after it */
        break;
    case 1: {
        char text[5000];
        memset(text, '{', sizeof(text));
        kit_say_bytes(&kit, text, 1 + draw(sizeof(text)));
        break;
    }
    case 2:
        kit_sayf(
            &kit,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu}}",
            (unsigned long long)(kit.calls_made + 1 - draw(kit.calls_made < 10 ? 1 : 10)));
        break;
    default:
        kit_say(&kit, lines[draw(sizeof(lines) / sizeof(lines[0]))]);
        break;
    }
}

/* Mostly well: else nothing would ever be live. */
static enum kit_mood some_mood(void)
{
    uint64_t n = draw(40);
    return n < 6 ? (enum kit_mood)n : draw(3) == 0 ? KIT_SILENT : KIT_GOOD;
}

static void change_mood(void)
{
    kit.script = (struct kit_script){
        .init = some_mood(),
        .list = some_mood(),
        .tool = some_mood(),
        .ping = draw(5) ? KIT_GOOD : KIT_SILENT,
        .call = draw(2) ? KIT_SILENT : some_mood(),
        .agents = draw(2) ? kit_agents : kit_other_agents,
        .retry_after_ms = draw(3) ? 0 : (unsigned)draw(4000),
    };
}

/* ---- the network ---- */

static void change_link(void)
{
    if (kit.connecting && draw(3) == 0)
        kit_refuse(&kit);
    else if (kit.connecting)
        kit_up(&kit);
    else if (kit.linked && draw(8) == 0)
        kit_lose(&kit);
}

static void pass_time(bool ticking)
{
    static const uint64_t spans[] = {1, 20, 20, 300, 300, 2500, 12000};
    uint64_t ms = draw(spans[draw(7)] + 1);
    if (ticking)
        kit_advance_ticking(&kit, ms);
    else
        kit_advance(&kit, ms);
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
            say_something();
        break;
    case 9:
        if (draw(4) == 0)
            change_mood();
        break;
    case 10:
    case 11:
        change_link();
        break;
    case 12:
        kit.deaf = draw(4) == 0;
        (void)kit_take(&kit, draw(300));
        break;
    case 13:
        kit.chunk = draw(3) ? 0 : 1 + draw(40);
        if (leaping && draw(50) == 0)
            kit_leap(&kit, draw(100000));
        break;
    case 14:
        engine_probe(&kit.engine, draw(2) ? 200 : 0, "no answer", kit.now_ms);
        kit_check(&kit);
        break;
    default:
        pass_time(ticking);
        break;
    }
}

static void come_to_a_good_end(void)
{
    kit.deaf = false;
    kit.chunk = 0;
    kit.script.call = KIT_SILENT;
    kit_advance(&kit, 1);
    if (draw(2)) {
        talk_settle(&kit);
        kit_back_to_live(&kit);
    }
    kit_close(&kit);
    assert_int_equal(kit.completed, kit.calls_made);
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
        kit_open(&kit, &o);
        kit.forgetful = true;
        kit_start(&kit);
        uint64_t length = 200 + draw(3000);
        for (uint64_t i = 0; i < length; i++, done++) {
            step(false, true);
            live_steps += kit.last.state == AR_LIVE;
        }
        kit_pump(&kit);
        talk_settle(&kit);
        for (uint64_t id = 1; id <= kit.calls_made; id++)
            codes[-kit.calls[id].code]++;
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
    kit_open(&kit, &o);
    kit.tracing = true;
    kit.forgetful = true;
    kit_start(&kit);
    for (unsigned i = 0; i < steps; i++)
        step(ticking, false);
    char *trace = strdup(kit.trace);
    assert_non_null(trace);
    kit_close(&kit);
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
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_model", tests, NULL, NULL);
}
