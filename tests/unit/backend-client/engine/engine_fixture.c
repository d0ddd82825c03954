/* The shell around an engine under test: ops that record, a virtual clock, calls. Purpose and use:
 * engine_kit.h. The peer is engine_kit_peer.c. The kit's own memory comes from the C library, so that a
 * failing allocator fails the engine alone.
 */
#include "tests/unit/backend-client/engine/engine_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/backend-client/engine/engine_fixture_internal.h"

void (*kit_failed)(const char *file, int line);

void kit_complain(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: (%s): ", file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (kit_failed)
        kit_failed(file, line);
    abort();
}

void *kit_grow(void *array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return array;
    size_t more = *cap > 0 ? *cap * 2 : 64;
    while (more < need)
        more *= 2;
    void *grown = realloc(array, more * size);
    KIT_REQUIRE(grown, "no memory for the test itself");
    *cap = more;
    return grown;
}

void kit_trace(struct kit *kit, const char *format, ...)
{
    char text[512];
    va_list args;
    if (!kit->tracing)
        return;
    int n = snprintf(text, sizeof(text), "%llu ", (unsigned long long)(kit->now_ms - KIT_START_MS));
    va_start(args, format);
    (void)vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    va_end(args);
    size_t len = strlen(text);
    kit->trace = kit_grow(kit->trace, &kit->trace_cap, kit->trace_len + len + 2, 1);
    memcpy(kit->trace + kit->trace_len, text, len);
    kit->trace_len += len;
    kit->trace[kit->trace_len++] = '\n';
    kit->trace[kit->trace_len] = '\0';
}

/* ---- a run ---- */

struct ar_options kit_options(void)
{
    struct ar_options o;
    ar_options_init(&o);
    o.url = "relay:9500";
    o.client_name = "kit";
    o.client_version = "1";
    return o;
}

int kit_try_open(struct kit *kit, const struct ar_options *o)
{
    struct ar_options defaults = kit_options();
    char problem[AR_PROBLEM_SIZE] = "";
    memset(kit, 0, sizeof(*kit));
    kit->now_ms = KIT_START_MS;
    kit->script.agents = kit_agents;
    kit->say_at_most = kit->hear_at_most = kit->event_at_most = UINT64_MAX;
    kit->told = AR_CONNECTING;
    hash_seed(3, 4);
    int rc = engine_init(&kit->engine, &kit_ops, kit, o ? o : &defaults, "relay:9500", 7, kit->now_ms,
                         KIT_UNIX_MS, problem, sizeof(problem));
    kit->is_open = rc == 0;
    return rc;
}

void kit_open(struct kit *kit, const struct ar_options *o)
{
    int rc = kit_try_open(kit, o);
    KIT_REQUIRE(rc == 0, "engine_init: %d", rc);
}

void kit_close_engine(struct kit *kit)
{
    engine_close(&kit->engine, kit->now_ms);
    kit->closed = true;
    KIT_REQUIRE(kit->outstanding == 0, "%llu calls outlived the end", (unsigned long long)kit->outstanding);
    KIT_REQUIRE(!kit->connecting && !kit->linked, "a link outlived the end");
    KIT_REQUIRE(!kit->started || kit->last.state == AR_CLOSED, "closed, and %s was published last",
                kit_state_name(kit->last.state));
    KIT_REQUIRE(engine_due_ms(&kit->engine) == UINT64_MAX, "something is due after the end");
    kit_check(kit);
}

void kit_close(struct kit *kit)
{
    if (!kit->is_open)
        return;
    kit_close_engine(kit);
    engine_done(&kit->engine);
    ar_snapshot_release(kit->snapshot);
    kit->snapshot = NULL;
    kit->is_open = false;
    kit_peer_done(kit);
    free(kit->calls);
    free(kit->trace);
    kit->calls = NULL;
    kit->trace = NULL;
}

void kit_start(struct kit *kit)
{
    kit->started = true;
    engine_start(&kit->engine, kit->now_ms);
    KIT_REQUIRE(kit->publications > 0 && kit->last.state == AR_CONNECTING &&
                    kit->last.source == AR_SOURCE_MOCK,
                "the first snapshot");
    KIT_REQUIRE(kit->connecting, "no connection was asked for");
    kit_check(kit);
}

static struct fault fault_of(const char *name)
{
    struct fault f = {.suggestion = "look at the test"};
    (void)snprintf(f.name, sizeof(f.name), "%s", name);
    (void)snprintf(f.text, sizeof(f.text), "relay:9500: %s", name);
    return f;
}

void kit_up(struct kit *kit)
{
    KIT_REQUIRE(kit->connecting, "no attempt is under way");
    kit->connecting = false;
    kit->linked = true;
    kit->link++;
    kit_trace(kit, "up");
    engine_link_up(&kit->engine, "192.0.2.1:9500", kit->now_ms);
    kit_check(kit);
    kit_pump(kit);
}

void kit_refuse(struct kit *kit)
{
    struct fault why = fault_of("ECONNREFUSED");
    KIT_REQUIRE(kit->connecting, "no attempt is under way");
    kit->connecting = false;
    kit_trace(kit, "refused");
    engine_link_failed(&kit->engine, &why, "192.0.2.1:9500", kit->now_ms);
    kit_check(kit);
}

void kit_lose(struct kit *kit)
{
    struct fault why = fault_of("ECONNRESET");
    KIT_REQUIRE(kit->linked, "there is no link to lose");
    kit_peer_gone(kit);
    kit_trace(kit, "lost");
    engine_link_lost(&kit->engine, &why, kit->now_ms);
    kit_check(kit);
}

void kit_go_live(struct kit *kit, const struct ar_options *o)
{
    kit_open(kit, o);
    kit_start(kit);
    kit_up(kit);
    KIT_REQUIRE(kit->last.state == AR_LIVE, "%s, not live", kit_state_name(kit->last.state));
}

static void answer_what_is_held(struct kit *kit)
{
    static const char *const methods[] = {"initialize", "agents/list", "tools/call", "relay/ping"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        while (kit_find(kit, methods[i]))
            kit_answer_held(kit, methods[i], KIT_GOOD);
    }
}

void kit_back_to_live(struct kit *kit)
{
    uint64_t until_ms = kit->now_ms + 600000;
    struct kit_script script = kit->script;
    kit->script = (struct kit_script){.agents = script.agents, .call = script.call};
    kit->deaf = false;
    while (kit->last.state != AR_LIVE && !kit->closed) {
        if (kit->connecting)
            kit_up(kit);
        kit_pump(kit);
        answer_what_is_held(kit);
        uint64_t due_ms = engine_due_ms(&kit->engine);
        if (kit->last.state != AR_LIVE && !kit->connecting && !kit->closed) {
            KIT_REQUIRE(due_ms <= until_ms, "not live again in ten minutes");
            kit_until(kit, due_ms > kit->now_ms ? due_ms : kit->now_ms);
        }
    }
    kit->script = script;
}

/* ---- time ---- */

void kit_tick(struct kit *kit)
{
    engine_tick(&kit->engine, kit->now_ms);
    kit->ticks++;
    kit_check(kit);
    uint64_t due_ms = engine_due_ms(&kit->engine);
    KIT_REQUIRE(due_ms > kit->now_ms, "a tick at %llu leaves something due at %llu",
                (unsigned long long)kit->now_ms, (unsigned long long)due_ms);
    if (kit->last.source == AR_SOURCE_STALE && !kit->closed && kit->engine.options.stale_max_ms != AR_NEVER)
        KIT_REQUIRE(kit->now_ms - kit->last.taken_at_ms < kit->engine.options.stale_max_ms,
                    "stale agents are shown that are %llu ms old",
                    (unsigned long long)(kit->now_ms - kit->last.taken_at_ms));
}

void kit_until(struct kit *kit, uint64_t at_ms)
{
    uint64_t stood_at_ms = 0;
    unsigned standing = 0;
    kit_pump(kit);
    for (;;) {
        uint64_t due_ms = engine_due_ms(&kit->engine);
        if (due_ms > at_ms)
            break;
        if (due_ms > kit->now_ms)
            kit->now_ms = due_ms;
        standing = kit->now_ms == stood_at_ms ? standing + 1 : 0;
        stood_at_ms = kit->now_ms;
        KIT_REQUIRE(standing < 1000, "it spins");
        kit_tick(kit);
        kit_pump(kit);
    }
    kit->now_ms = at_ms;
}

void kit_advance(struct kit *kit, uint64_t ms)
{
    kit_until(kit, kit->now_ms + ms);
}

void kit_advance_ticking(struct kit *kit, uint64_t ms)
{
    uint64_t until_ms = kit->now_ms + ms;
    kit_pump(kit);
    for (;;) {
        do {
            kit_tick(kit);
            kit_pump(kit);
        } while (engine_due_ms(&kit->engine) <= kit->now_ms);
        if (kit->now_ms == until_ms)
            break;
        kit->now_ms++;
    }
}

void kit_leap(struct kit *kit, uint64_t ms)
{
    kit->now_ms += ms;
    kit_tick(kit);
}

uint64_t kit_random(uint64_t *state)
{
    /* splitmix64 */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
