/* The conversation. Purpose: engine_talk.h. Each step is taken only where it is possible: a link that is gone
 * says nothing, a call that is complete is not answered.
 */
#include "tests/unit/backend-client/engine/engine_script.h"

#include <stdio.h>
#include <string.h>

struct ar_options talk_options(void)
{
    struct ar_options o = kit_options();
    o.in_flight_max = 4;
    o.queue_max_calls = 6;
    o.stale_max_ms = 5000;
    return o;
}

static void up(struct kit *kit)
{
    if (kit->connecting)
        kit_up(kit);
}

static void ask(struct kit *kit, enum ar_policy policy, bool idempotent, bool progress, uint32_t deadline_ms)
{
    (void)kit_ask(kit, &(struct kit_ask){.method = policy == AR_MOCK ? "agents/list" : NULL,
                                         .params = progress ? "{\"name\":\"x\"}" : NULL,
                                         .policy = policy,
                                         .deadline_ms = deadline_ms,
                                         .idempotent = idempotent,
                                         .progress = progress});
}

static void ask_one_of_each(struct kit *kit)
{
    ask(kit, AR_WAIT, false, false, 20000);
    ask(kit, AR_WAIT, true, true, 20000);
    ask(kit, AR_FAIL_FAST, false, true, 20000);
    ask(kit, AR_MOCK, false, false, 20000);
    (void)kit_ask(kit, &(struct kit_ask){.method = "relay/status", .policy = AR_WAIT, .deadline_ms = 20000});
}

/* The first call that the peer holds; 0: none. */
static uint64_t first_held(const struct kit *kit)
{
    for (size_t i = 0; i < kit->line_count; i++) {
        if (kit->lines[i].call_id > 0)
            return kit->lines[i].call_id;
    }
    return 0;
}

static void answer_some(struct kit *kit)
{
    kit_pump(kit);
    if (first_held(kit) > 0)
        kit_answer(kit, first_held(kit));
    if (first_held(kit) > 0) {
        kit_sayf(
            kit,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu}}",
            (unsigned long long)first_held(kit));
    }
    if (first_held(kit) > 0)
        kit_answer_relay_error(kit, first_held(kit), true, false, 700);
    if (first_held(kit) > 0)
        kit_answer_error(kit, first_held(kit), -32000);
    kit_pump(kit);
}

static void speak_of_this_and_that(struct kit *kit)
{
    kit_say(kit, "{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"ping\"}");
    kit_say(kit, "{\"jsonrpc\":\"2.0\",\"id\":\"s2\",\"method\":\"roots/list\"}");
    kit_say(kit, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\",\"params\":{\"id\":\"x\"}}");
    kit_say(kit, "{\"jsonrpc\":\"2.0\",\"id\":424242,\"result\":{}}");
    kit_say(kit, "no message");
    kit_pump(kit);
}

void talk(struct kit *kit)
{
    kit->script.call = KIT_SILENT;
    kit_start(kit);
    ask_one_of_each(kit);
    up(kit);
    answer_some(kit);
    ask_one_of_each(kit);
    ask_one_of_each(kit);
    answer_some(kit);
    speak_of_this_and_that(kit);
    kit_advance(kit, 2500);
    answer_some(kit);
    engine_notify(&kit->engine, "notifications/x", "{}", 2);
    kit_cancel(kit, 6);
    kit->script.agents = kit_other_agents;
    kit_advance(kit, 2500);
    ask(kit, AR_FAIL_FAST, false, false, 300);
    kit_advance(kit, 301);
    if (kit->linked)
        kit_lose(kit);
    ask_one_of_each(kit);
    if (!kit->closed)
        engine_probe(&kit->engine, 0, "connection refused", kit->now_ms);
    kit_advance(kit, 7000);
    if (kit->connecting)
        kit_refuse(kit);
    kit_back_to_live(kit);
    answer_some(kit);
    kit->script.list = KIT_DOWN;
    kit_advance(kit, 4000);
    kit->script.list = KIT_UNKNOWN;
    kit->script.tool = KIT_GOOD;
    kit_advance(kit, 6000);
    answer_some(kit);
    kit->script.list = KIT_GOOD;
}

void talk_settle(struct kit *kit)
{
    for (int i = 0; i < 100 && kit->outstanding > 0 && !kit->closed; i++) {
        kit_back_to_live(kit);
        kit_pump(kit);
        while (first_held(kit) > 0)
            kit_answer(kit, first_held(kit));
        kit_advance(kit, 1000);
    }
    KIT_REQUIRE(kit->outstanding == 0, "%llu calls never end", (unsigned long long)kit->outstanding);
    KIT_REQUIRE(kit->completed == kit->calls_made, "%llu completions of %llu calls",
                (unsigned long long)kit->completed, (unsigned long long)kit->calls_made);
}
