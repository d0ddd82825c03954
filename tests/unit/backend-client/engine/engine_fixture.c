/* The I/O driver of an engine under test: ops that record, a virtual clock, calls. Purpose and use:
 * engine_fixture.h. The peer is engine_fixture_peer.c. The fixture's own memory comes from the C library, so that a
 * failing allocator fails the engine alone.
 */
#include "tests/unit/backend-client/engine/engine_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/backend-client/engine/engine_fixture_internal.h"

void (*engine_fixture_on_failure)(const char *file, int line);

void engine_fixture_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: (%s): ", file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (engine_fixture_on_failure)
        engine_fixture_on_failure(file, line);
    abort();
}

void *engine_fixture_grow(void *array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return array;
    size_t more = *cap > 0 ? *cap * 2 : 64;
    while (more < need)
        more *= 2;
    void *grown = realloc(array, more * size);
    REQUIRE(grown, "no memory for the test itself");
    *cap = more;
    return grown;
}

void engine_fixture_trace(struct engine_fixture *f, const char *format, ...)
{
    char text[512];
    va_list args;
    if (!f->tracing)
        return;
    int n = snprintf(text, sizeof(text), "%llu ", (unsigned long long)(f->now_ms - ENGINE_FIXTURE_START_MS));
    va_start(args, format);
    (void)vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    va_end(args);
    size_t len = strlen(text);
    f->trace = engine_fixture_grow(f->trace, &f->trace_cap, f->trace_len + len + 2, 1);
    memcpy(f->trace + f->trace_len, text, len);
    f->trace_len += len;
    f->trace[f->trace_len++] = '\n';
    f->trace[f->trace_len] = '\0';
}

/* ---- a run ---- */

struct ar_options engine_fixture_options(void)
{
    struct ar_options o;
    ar_options_init(&o);
    o.url = "relay:9500";
    o.client_name = "fixture";
    o.client_version = "1";
    return o;
}

int engine_fixture_try_open(struct engine_fixture *f, const struct ar_options *o)
{
    struct ar_options defaults = engine_fixture_options();
    char problem[AR_PROBLEM_SIZE] = "";
    memset(f, 0, sizeof(*f));
    f->now_ms = ENGINE_FIXTURE_START_MS;
    f->script.agents = engine_fixture_agents;
    f->send_at_most = f->receive_at_most = f->event_at_most = UINT64_MAX;
    f->reported = AR_CONNECTING;
    hash_seed(3, 4);
    int rc = engine_init(&f->engine, &engine_fixture_ops, f, o ? o : &defaults, "relay:9500", 7, f->now_ms,
                         ENGINE_FIXTURE_START_UNIX_MS, problem, sizeof(problem));
    f->is_open = rc == 0;
    return rc;
}

void engine_fixture_open(struct engine_fixture *f, const struct ar_options *o)
{
    int rc = engine_fixture_try_open(f, o);
    REQUIRE(rc == 0, "engine_init: %d", rc);
}

void engine_fixture_close_engine(struct engine_fixture *f)
{
    engine_close(&f->engine, f->now_ms);
    f->closed = true;
    REQUIRE(f->outstanding == 0, "%llu calls outlived the end", (unsigned long long)f->outstanding);
    REQUIRE(!f->connecting && !f->linked, "a link outlived the end");
    REQUIRE(!f->started || f->last.state == AR_CLOSED, "closed, and %s was published last",
            engine_fixture_state_name(f->last.state));
    REQUIRE(engine_due_ms(&f->engine) == UINT64_MAX, "something is due after the end");
    engine_fixture_check(f);
}

void engine_fixture_close(struct engine_fixture *f)
{
    if (!f->is_open)
        return;
    engine_fixture_close_engine(f);
    engine_done(&f->engine);
    ar_snapshot_release(f->snapshot);
    f->snapshot = NULL;
    f->is_open = false;
    engine_fixture_peer_done(f);
    free(f->calls);
    free(f->trace);
    f->calls = NULL;
    f->trace = NULL;
}

void engine_fixture_start(struct engine_fixture *f)
{
    f->started = true;
    engine_start(&f->engine, f->now_ms);
    REQUIRE(f->publications > 0 && f->last.state == AR_CONNECTING && f->last.source == AR_SOURCE_MOCK,
            "the first snapshot");
    REQUIRE(f->connecting, "no connection was asked for");
    engine_fixture_check(f);
}

static struct fault fault_of(const char *name)
{
    struct fault f = {.suggestion = "look at the test"};
    (void)snprintf(f.name, sizeof(f.name), "%s", name);
    (void)snprintf(f.text, sizeof(f.text), "relay:9500: %s", name);
    return f;
}

void engine_fixture_connect(struct engine_fixture *f)
{
    REQUIRE(f->connecting, "no attempt is under way");
    f->connecting = false;
    f->linked = true;
    f->link++;
    engine_fixture_trace(f, "up");
    engine_link_up(&f->engine, "192.0.2.1:9500", f->now_ms);
    engine_fixture_check(f);
    engine_fixture_pump(f);
}

void engine_fixture_second_answers(struct engine_fixture *f)
{
    char line[ENGINE_SECOND_LINE];
    REQUIRE(f->second, "there is no second attempt");
    size_t len = engine_second_line(&f->engine, line);
    REQUIRE(len > 0 && len < sizeof(line) && line[len - 1] == '\n', "no line: %s", line);
    char answer[ENGINE_SECOND_LINE + 64];
    (void)snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":\"ar-%llu\",\"result\":{}}",
                   (unsigned long long)f->engine.second_ping);
    engine_fixture_peer_reset(f);
    f->second = false;
    f->linked = true;
    f->link++;
    REQUIRE(engine_second_answered(&f->engine, "10.0.0.2:9500", f->now_ms), "it is not wanted");
    engine_fixture_check(f);
    engine_fixture_send(f, answer);
    engine_fixture_pump(f);
}

void engine_fixture_refuse(struct engine_fixture *f)
{
    struct fault why = fault_of("ECONNREFUSED");
    REQUIRE(f->connecting, "no attempt is under way");
    f->connecting = false;
    engine_fixture_trace(f, "refused");
    engine_link_failed(&f->engine, &why, "192.0.2.1:9500", f->now_ms);
    engine_fixture_check(f);
}

void engine_fixture_lose(struct engine_fixture *f)
{
    struct fault why = fault_of("ECONNRESET");
    REQUIRE(f->linked, "there is no link to lose");
    engine_fixture_peer_reset(f);
    engine_fixture_trace(f, "lost");
    engine_link_lost(&f->engine, &why, f->now_ms);
    engine_fixture_check(f);
}

void engine_fixture_open_live(struct engine_fixture *f, const struct ar_options *o)
{
    engine_fixture_open(f, o);
    engine_fixture_start(f);
    engine_fixture_connect(f);
    REQUIRE(f->last.state == AR_LIVE, "%s, not live", engine_fixture_state_name(f->last.state));
}

static void answer_what_is_held(struct engine_fixture *f)
{
    static const char *const methods[] = {"initialize", "tools/list", "agents/list", "tools/call",
                                          "relay/ping"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        while (engine_fixture_find_line(f, methods[i]))
            engine_fixture_answer_line(f, methods[i], REPLY_GOOD);
    }
}

void engine_fixture_back_to_live(struct engine_fixture *f)
{
    uint64_t until_ms = f->now_ms + 600000;
    struct peer_script script = f->script;
    f->script = (struct peer_script){.agents = script.agents, .call = script.call};
    f->not_reading = false;
    while (f->last.state != AR_LIVE && !f->closed) {
        if (f->connecting)
            engine_fixture_connect(f);
        engine_fixture_pump(f);
        answer_what_is_held(f);
        uint64_t due_ms = engine_due_ms(&f->engine);
        if (f->last.state != AR_LIVE && !f->connecting && !f->closed) {
            REQUIRE(due_ms <= until_ms, "not live again in ten minutes");
            engine_fixture_until(f, due_ms > f->now_ms ? due_ms : f->now_ms);
        }
    }
    f->script = script;
}

/* ---- time ---- */

void engine_fixture_tick(struct engine_fixture *f)
{
    engine_tick(&f->engine, f->now_ms);
    f->ticks++;
    engine_fixture_check(f);
    uint64_t due_ms = engine_due_ms(&f->engine);
    REQUIRE(due_ms > f->now_ms, "a tick at %llu leaves something due at %llu", (unsigned long long)f->now_ms,
            (unsigned long long)due_ms);
    if (f->last.source == AR_SOURCE_STALE && !f->closed && f->engine.options.stale_max_ms != AR_NEVER)
        REQUIRE(f->now_ms - f->last.taken_at_ms < f->engine.options.stale_max_ms,
                "stale agents are shown that are %llu ms old",
                (unsigned long long)(f->now_ms - f->last.taken_at_ms));
}

void engine_fixture_until(struct engine_fixture *f, uint64_t at_ms)
{
    uint64_t stood_at_ms = 0;
    unsigned standing = 0;
    engine_fixture_pump(f);
    for (;;) {
        uint64_t due_ms = engine_due_ms(&f->engine);
        if (due_ms > at_ms)
            break;
        if (due_ms > f->now_ms)
            f->now_ms = due_ms;
        standing = f->now_ms == stood_at_ms ? standing + 1 : 0;
        stood_at_ms = f->now_ms;
        REQUIRE(standing < 1000, "it spins");
        engine_fixture_tick(f);
        engine_fixture_pump(f);
    }
    f->now_ms = at_ms;
}

void engine_fixture_advance(struct engine_fixture *f, uint64_t ms)
{
    engine_fixture_until(f, f->now_ms + ms);
}

void engine_fixture_advance_ticking(struct engine_fixture *f, uint64_t ms)
{
    uint64_t until_ms = f->now_ms + ms;
    engine_fixture_pump(f);
    for (;;) {
        do {
            engine_fixture_tick(f);
            engine_fixture_pump(f);
        } while (engine_due_ms(&f->engine) <= f->now_ms);
        if (f->now_ms == until_ms)
            break;
        f->now_ms++;
    }
}

void engine_fixture_suspend(struct engine_fixture *f, uint64_t ms)
{
    f->now_ms += ms;
    engine_fixture_tick(f);
}

uint64_t engine_fixture_random(uint64_t *state)
{
    /* splitmix64 */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
