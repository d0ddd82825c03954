/* The client's engine under a sequence of events that the input chooses: links come and go, the peer reads,
 * answers, sends nonsense and falls silent, calls are made and cancelled, time passes or leaps, memory fails
 * once, the end comes at any moment. What must hold is the engine fixture's to check at each step
 * (tests/unit/backend-client/engine/engine_fixture.h); at the end every call has its one completion, and no allocation is left.
 *
 * Each event is a byte, what it needs follows. The first byte chooses between a peer that the fixture follows
 * (all checks hold) and one that says raw bytes of the input (those checks are off that need to know what it
 * said).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"
#include "tests/unit/backend-client/engine/engine_script.h"
#include "tests/unit/common/fault_alloc.h"

#define MOST_TICKS  2000 /* of one input, so that none takes long */
#define MOST_EVENTS 500
#define MOST_CALLS  2000

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static struct engine_fixture fixture;

static unsigned take(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* ---- the user ---- */

static void ask(struct input *in)
{
    static const char *const methods[] = {NULL, "agents/list", "relay/status", "x"};
    static const char *const params[] = {NULL, "{}", "{\"a\":[1]}", "{\"_meta\":{}}"};
    static const uint32_t deadlines[] = {0, 1, 700, AR_NEVER};
    unsigned a = take(in);
    unsigned b = take(in);
    if (fixture.calls_made >= MOST_CALLS)
        return;
    (void)engine_fixture_submit(&fixture, &(struct call_spec){
                                              .method = methods[a % 4],
                                              .params = params[a / 4 % 4],
                                              .deadline_ms = deadlines[a / 16 % 4],
                                              .policy = (enum ar_policy)(b % 3),
                                              .idempotent = b & 4,
                                              .progress = b & 8,
                                          });
}

/* Params are bytes of the input. */
static void ask_raw(struct input *in)
{
    unsigned a = take(in);
    size_t left = (size_t)(in->end - in->at);
    size_t len = 1 + a / 4;
    if (len > left || fixture.calls_made >= MOST_CALLS)
        return;
    char *params = malloc(len);
    REQUIRE(params, "no memory for the test itself");
    memcpy(params, in->at, len);
    in->at += len;
    (void)engine_fixture_submit(&fixture, &(struct call_spec){
                                              .method = a & 1 ? "agents/list" : "x",
                                              .params = params,
                                              .params_len = len,
                                              .policy = AR_WAIT,
                                              .progress = a & 2,
                                              .may_be_refused = true,
                                          });
    free(params);
}

static void other_wishes(struct input *in)
{
    unsigned what = take(in);
    switch (what % 4) {
    case 0:
        engine_notify(&fixture.engine, "notifications/x", what & 4 ? "{\"a\":1}" : NULL, what & 4 ? 7 : 0);
        break;
    case 1:
        engine_probe(&fixture.engine, what & 4 ? 200 : 0, "no answer", fixture.now_ms);
        break;
    default:
        engine_fixture_cancel(&fixture, fixture.calls_made - what / 4 % 16);
        return;
    }
    engine_fixture_check(&fixture);
}

/* ---- the peer ---- */

static void answer(struct input *in)
{
    unsigned which = take(in);
    unsigned how = take(in);
    if (fixture.line_count == 0)
        return;
    const struct received_line *line = &fixture.lines[which % fixture.line_count];
    uint64_t id = line->call_id;
    if (!line->asks)
        return;
    if (id == 0) {
        char method[64];
        memcpy(method, line->method, sizeof(method));
        engine_fixture_answer_line(&fixture, method, (enum peer_reply)(how % 6));
    } else if (how % 4 == 0) {
        engine_fixture_answer_error(&fixture, id, -32601);
    } else if (how % 4 == 1) {
        engine_fixture_answer_relay_error(&fixture, id, how & 4, how & 8 && !(how & 4), how & 16 ? 3000 : 0);
    } else {
        engine_fixture_answer(&fixture, id);
    }
}

static void send_line(struct input *in)
{
    static const char *const texts[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\",\"params\":{\"id\":\"a\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"ping\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":5.5,\"method\":\"roots/list\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":123456789,\"result\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\\u0065\",\"params\":[1]}\n[]\n",
        "garbage\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\n \n\r\n",
        "{", /* spoils the line after it */
    };
    const char *text = texts[take(in) % (sizeof(texts) / sizeof(texts[0]))];
    engine_fixture_send_bytes(&fixture, text, strlen(text));
}

/* A length, and so many bytes of the input; or many of the same. */
static void send_raw(struct input *in)
{
    unsigned len = take(in);
    size_t left = (size_t)(in->end - in->at);
    if (!fixture.raw_peer || len >= 250) {
        char text[3000];
        memset(text, '[', sizeof(text));
        engine_fixture_send_bytes(&fixture, text, len * sizeof(text) / 255);
        return;
    }
    size_t n = len < left ? len : left;
    const char *bytes = (const char *)in->at;
    in->at += n;
    if (n > 0)
        engine_fixture_send_bytes(&fixture, bytes, n);
}

static void change_script(struct input *in)
{
    unsigned a = take(in);
    unsigned b = take(in);
    fixture.script = (struct peer_script){
        .init = (enum peer_reply)(a % 6),
        .list = (enum peer_reply)(a / 6 % 6),
        .tool = (enum peer_reply)(a / 36 % 6),
        .tools = b & 32   ? REPLY_UNKNOWN
                 : b & 16 ? REPLY_NONE
                          : REPLY_GOOD,
        .has_tool = b & 8,
        .ping = b & 1 ? REPLY_NONE : REPLY_GOOD,
        .call = b & 2 ? REPLY_NONE : (enum peer_reply)(b / 4 % 6),
        .agents = b & 128 ? engine_fixture_other_agents : engine_fixture_agents,
        .retry_after_ms = b & 64 ? 2500 : 0,
    };
}

/* ---- the network and time ---- */

static void change_link(struct input *in)
{
    unsigned how = take(in);
    if (fixture.connecting && how % 4 == 0)
        engine_fixture_refuse(&fixture);
    else if (fixture.connecting)
        engine_fixture_connect(&fixture);
    else if (fixture.linked && how % 4 == 0)
        engine_fixture_lose(&fixture);
    else
        fixture.chunk = how / 4;
}

static void pass_time(struct input *in)
{
    static const uint64_t spans[] = {0, 1, 10, 100, 500, 2000, 5000, 31000};
    unsigned how = take(in);
    uint64_t ms = spans[how % 8] + how / 8;
    if (how >= 250)
        engine_fixture_suspend(&fixture, 3600000);
    else
        engine_fixture_advance(&fixture, ms);
}

static void event(struct input *in)
{
    switch (take(in) % 12) {
    case 0:
    case 1:
        change_link(in);
        break;
    case 2:
        ask(in);
        break;
    case 3:
        if (fixture.raw_peer)
            ask_raw(in);
        else
            ask(in);
        break;
    case 4:
    case 5:
        answer(in);
        break;
    case 6:
        send_line(in);
        break;
    case 7:
        send_raw(in);
        break;
    case 8:
        change_script(in);
        break;
    case 9:
        fixture.not_reading = take(in) & 1;
        (void)engine_fixture_read(&fixture, take(in));
        break;
    case 10:
        other_wishes(in);
        break;
    default:
        pass_time(in);
        break;
    }
}

/* ---- a run ---- */

static struct ar_options options_from(unsigned a, unsigned b)
{
    static const uint32_t polls[] = {2000, 200, 60000, AR_NEVER};
    static const uint32_t stale[] = {30000, 0, 3000, AR_NEVER};
    struct ar_options o = engine_fixture_options();
    o.agents_poll_ms = polls[a % 4];
    o.stale_max_ms = stale[a / 4 % 4];
    o.mock_refresh_ms = a & 16 ? AR_NEVER : 20000; /* each one costs more than all else */
    o.in_flight_max = a & 32 ? 2 : 20;
    o.queue_max_calls = a & 64 ? 3 : 100;
    o.queue_max_bytes = a & 128 ? 50 : 10000;
    o.frame_max_bytes = b & 1 ? 1000 : 100000;
    o.heartbeat_ms = b & 2 ? 1000 : 5000;
    o.dead_after_ms = b & 2 ? 1500 : 10000;
    return o;
}

static void come_to_an_end(unsigned how)
{
    if (how & 1) {
        engine_fixture_close_engine(&fixture);
        engine_fixture_expect(&fixture,
                              engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT}),
                              AR_E_CLOSED, false);
    } else {
        /* A line begun would spoil the answers to come. */
        fixture.chunk = 0;
        fixture.script = (struct peer_script){.call = REPLY_NONE, .agents = engine_fixture_agents};
        if (fixture.linked)
            engine_fixture_lose(&fixture);
        engine_script_settle(&fixture);
        engine_fixture_back_to_live(&fixture);
    }
    engine_fixture_close(&fixture);
    REQUIRE(fixture.completed == fixture.calls_made, "calls are left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    unsigned mode = take(&in);
    unsigned a = take(&in);
    unsigned b = take(&in);
    unsigned fail_at = mode & 2 ? take(&in) : 0;
    struct ar_options o = options_from(a, b);
    fault_alloc_install();
    fault_alloc_fail_at(fail_at);
    if (engine_fixture_try_open(&fixture, &o) == 0) {
        fixture.raw_peer = mode & 1;
        fixture.out_of_memory = fail_at > 0;
        fixture.drops_lines = true;
        engine_fixture_start(&fixture);
        for (unsigned i = 0; i < MOST_EVENTS && in.at < in.end && fixture.ticks < MOST_TICKS; i++)
            event(&in);
        fault_alloc_fail_at(0);
        come_to_an_end(mode >> 2);
    }
    fault_alloc_fail_at(0);
    REQUIRE(fault_alloc_live() == 0, "%zu allocations are left", fault_alloc_live());
    return 0;
}
