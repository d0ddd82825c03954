/* The conversation. Purpose: engine_script.h. Each step is taken only where it is possible: a link that is gone
 * says nothing, a call that is complete is not answered.
 */
#include "tests/unit/backend-client/engine/engine_script.h"

#include <stdio.h>
#include <string.h>

struct ar_options engine_script_options(void)
{
    struct ar_options o = engine_fixture_options();
    o.in_flight_max = 4;
    o.queue_max_calls = 6;
    o.stale_max_ms = 5000;
    return o;
}

static void up(struct engine_fixture *f)
{
    if (f->connecting)
        engine_fixture_connect(f);
}

static void ask(struct engine_fixture *f, enum ar_policy policy, bool idempotent, bool progress,
                uint32_t deadline_ms)
{
    (void)engine_fixture_submit(f, &(struct call_spec){.method = policy == AR_MOCK ? "agents/list" : NULL,
                                                       .params = progress ? "{\"name\":\"x\"}" : NULL,
                                                       .policy = policy,
                                                       .deadline_ms = deadline_ms,
                                                       .idempotent = idempotent,
                                                       .progress = progress});
}

static void ask_one_of_each(struct engine_fixture *f)
{
    ask(f, AR_WAIT, false, false, 20000);
    ask(f, AR_WAIT, true, true, 20000);
    ask(f, AR_FAIL_FAST, false, true, 20000);
    ask(f, AR_MOCK, false, false, 20000);
    (void)engine_fixture_submit(
        f, &(struct call_spec){.method = "relay/status", .policy = AR_WAIT, .deadline_ms = 20000});
}

/* The first call that the peer holds; 0: none. */
static uint64_t first_held(const struct engine_fixture *f)
{
    for (size_t i = 0; i < f->line_count; i++) {
        if (f->lines[i].call_id > 0)
            return f->lines[i].call_id;
    }
    return 0;
}

static void answer_some(struct engine_fixture *f)
{
    engine_fixture_pump(f);
    if (first_held(f) > 0)
        engine_fixture_answer(f, first_held(f));
    if (first_held(f) > 0) {
        engine_fixture_sendf(
            f,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu}}",
            (unsigned long long)first_held(f));
    }
    if (first_held(f) > 0)
        engine_fixture_answer_relay_error(f, first_held(f), true, false, 700);
    if (first_held(f) > 0)
        engine_fixture_answer_error(f, first_held(f), -32000);
    engine_fixture_pump(f);
}

static void send_various_messages(struct engine_fixture *f)
{
    engine_fixture_send(f, "{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"ping\"}");
    engine_fixture_send(f, "{\"jsonrpc\":\"2.0\",\"id\":\"s2\",\"method\":\"roots/list\"}");
    engine_fixture_send(f, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\",\"params\":{\"id\":\"x\"}}");
    engine_fixture_send(f, "{\"jsonrpc\":\"2.0\",\"id\":424242,\"result\":{}}");
    engine_fixture_send(f, "no message");
    engine_fixture_pump(f);
}

void engine_script_run(struct engine_fixture *f)
{
    f->script.call = REPLY_NONE;
    engine_fixture_start(f);
    ask_one_of_each(f);
    up(f);
    answer_some(f);
    ask_one_of_each(f);
    ask_one_of_each(f);
    answer_some(f);
    send_various_messages(f);
    engine_fixture_advance(f, 2500);
    answer_some(f);
    engine_notify(&f->engine, "notifications/x", "{}", 2);
    engine_fixture_cancel(f, 6);
    f->script.agents = engine_fixture_other_agents;
    engine_fixture_advance(f, 2500);
    ask(f, AR_FAIL_FAST, false, false, 300);
    engine_fixture_advance(f, 301);
    if (f->linked)
        engine_fixture_lose(f);
    ask_one_of_each(f);
    if (!f->closed)
        engine_probe(&f->engine, 0, "connection refused", f->now_ms);
    engine_fixture_advance(f, 7000);
    if (f->connecting)
        engine_fixture_refuse(f);
    engine_fixture_back_to_live(f);
    answer_some(f);
    f->script.list = REPLY_UNAVAILABLE;
    engine_fixture_advance(f, 4000);
    f->script.list = REPLY_UNKNOWN;
    f->script.has_tool = true;
    f->script.tool = REPLY_GOOD;
    engine_fixture_advance(f, 6000);
    answer_some(f);
    f->script.list = REPLY_GOOD;
}

void engine_script_settle(struct engine_fixture *f)
{
    for (int i = 0; i < 100 && f->outstanding > 0 && !f->closed; i++) {
        engine_fixture_back_to_live(f);
        engine_fixture_pump(f);
        while (first_held(f) > 0)
            engine_fixture_answer(f, first_held(f));
        engine_fixture_advance(f, 1000);
    }
    REQUIRE(f->outstanding == 0, "%llu calls never end", (unsigned long long)f->outstanding);
    REQUIRE(f->completed == f->calls_made, "%llu completions of %llu calls", (unsigned long long)f->completed,
            (unsigned long long)f->calls_made);
}
