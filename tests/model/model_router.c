/* The router against the model: random steps, every line checked, nothing left at the end.
 *
 *     build/tests/model_router [SEED [STEPS]]       or MODEL_SEED and MODEL_STEPS in the environment
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "mcp/mcp.h"
#include "tests/model/model.h"
#include "tests/unit/common/fault_alloc.h"

static uint64_t seed = 1;
static uint64_t steps = 1000000;

/* ---- the server ---- */

static void on_start(void *data, struct upstream *upstream)
{
    (void)data;
    struct child *ch = child_for(upstream);
    static const struct outage none = {.state = "down", .detail = "no more children"};
    if (!ch) {
        upstream_down(upstream, &none, w.now_ms);
        return;
    }
    ch->upstream = upstream;
    ch->state = CHILD_WANTED;
    upstream_set_data(upstream, ch);
    if (w.sharing == SHARING_PER_SESSION) {
        ch->client = w.speaking;
        w.clients[w.speaking].child = ch;
    }
}

static void on_ready(void *data, struct upstream *upstream)
{
    (void)data;
    (void)upstream;
}

static void on_failed(void *data, struct upstream *upstream, const char *reason)
{
    (void)data;
    CHECK(w.failing, "the handshake failed: %s", reason);
    w.children[0].handshake_id = 0;
    w.children[0].state = CHILD_UP;
    w.children[0].closed = true;
    (void)upstream;
}

static void on_release(void *data, struct upstream *upstream)
{
    (void)data;
    struct child *ch = upstream_data(upstream);
    if (!ch) {
        upstream_free(upstream);
        return;
    }
    ch->released = true;
    ch->client = -1;
}

static const struct server_ops server_ops = {on_start, on_ready, on_failed, on_release, NULL};

/* ---- a run ---- */

static void begin(enum sharing sharing, bool failing)
{
    static const struct router_options options = {.protocol = &mcp_protocol,
                                                  .relay_name = "r",
                                                  .relay_version = "1",
                                                  .max_id_bytes = 64,
                                                  .max_frame_bytes = 8388608};
    memset(&w, 0, sizeof(w));
    fault_alloc_install();
    hash_seed(seed, seed + 1);
    w.sharing = sharing;
    w.seed = seed;
    w.rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w.now_ms = 1000;
    const struct server_limits limits = world_limits();
    CHECK(router_new(&options, &w.router) == 0, "router_new");
    CHECK(route_server_add(w.router, "model", &limits, &server_ops, NULL, &w.server) == 0,
          "route_server_add");
    for (int i = 0; i < CLIENTS; i++)
        w.clients[i].index = i;
    child_init(&w.children[0], -1);
    w.children[0].upstream = route_server_upstream(w.server);
    w.failing = failing;
}

static struct child *any_child(void)
{
    size_t from = w.sharing == SHARING_SHARED ? 0 : rnd(CLIENTS * 2);
    for (size_t i = from; i < CLIENTS * 2; i++) {
        if (w.children[i].upstream)
            return &w.children[i];
    }
    return &w.children[0];
}

static void step(void)
{
    if (w.failing && rnd(10) == 0) {
        if (rnd(10) == 0)
            fault_alloc_fail_from(1 + rnd(8));
        else
            fault_alloc_fail_at(1 + rnd(8));
    }
    if (chance(55))
        client_step(&w.clients[rnd(CLIENTS)]);
    else
        child_step(any_child());
    if (chance(20))
        w.now_ms += rnd(100);
    router_tick(w.router, w.now_ms);
    seen.fired += w.failing && fault_alloc_fired();
    if (w.failing && (fault_alloc_fired() || rnd(20) == 0))
        fault_alloc_fail_at(0);
    world_check();
}

/* Everybody leaves, in either order; then there is nothing. */
static void end(void)
{
    struct upstream_stats stats;
    w.failing = false;
    fault_alloc_fail_at(0);
    bool child_first = chance(50);
    if (w.sharing == SHARING_SHARED && child_first && w.children[0].state != CHILD_DOWN)
        child_down(&w.children[0], 0);
    for (int i = 0; i < CLIENTS; i++) {
        if (w.clients[i].open)
            client_close(&w.clients[i]);
    }
    CHECK(w.out == 0 && router_pending(w.router) == 0, "%zu out, %zu pending", w.out,
          router_pending(w.router));
    if (w.sharing == SHARING_SHARED) {
        w.children[0].link.queued_bytes = 0;
        upstream_writable(route_server_upstream(w.server), w.now_ms);
        upstream_get_stats(route_server_upstream(w.server), &stats);
        CHECK(stats.in_flight == 0 && stats.waiting == 0 && stats.sessions == 0 && stats.subscriptions == 0 &&
                  stats.tasks == 0,
              "tables are not empty");
        w.now_ms += 120000;
        router_tick(w.router, w.now_ms);
        upstream_get_stats(route_server_upstream(w.server), &stats);
        CHECK(stats.abandoned == 0 && router_next_deadline(w.router) == ROUTE_NEVER,
              "something is remembered");
    }
    for (size_t i = 0; i < CLIENTS * 2 && w.sharing == SHARING_PER_SESSION; i++) {
        if (w.children[i].upstream)
            upstream_free(w.children[i].upstream);
    }
    route_server_remove(w.server, "over", w.now_ms);
    router_free(w.router);
    CHECK(fault_alloc_live() == 0, "%zu blocks were not freed", fault_alloc_live());
}

/* Each kind of thing must have happened, about once in a thousand steps; some are rarer. */
static void check_seen(enum sharing sharing, bool failing)
{
    uint64_t many = steps / 1000;
    print_message("# answers %llu, errors %llu, progress %llu, cancels %llu, late %llu, deaths %llu\n",
                  (unsigned long long)seen.answers, (unsigned long long)seen.errors,
                  (unsigned long long)seen.progress, (unsigned long long)seen.cancels,
                  (unsigned long long)seen.late, (unsigned long long)seen.deaths);
    print_message(
        "# questions %llu, updates %llu, list changes %llu, statuses %llu, id null %llu, failures %llu\n",
        (unsigned long long)seen.questions, (unsigned long long)seen.updates,
        (unsigned long long)seen.list_changes, (unsigned long long)seen.statuses,
        (unsigned long long)seen.nulls, (unsigned long long)seen.fired);
    print_message("# unavailable %llu, timed out %llu, overloaded %llu; steps with something waiting %llu\n",
                  (unsigned long long)seen.unavailable, (unsigned long long)seen.timeouts,
                  (unsigned long long)seen.overloads, (unsigned long long)seen.waited);
    print_message("# hosts without a request at the child passed over %llu times\n",
                  (unsigned long long)seen.passed_over);
    CHECK(seen.unavailable > many && seen.timeouts > many / 10 &&
              (seen.overloads > many / 10 || sharing == SHARING_PER_SESSION) && seen.waited > 10 * many,
          "too few refusals");
    CHECK(seen.answers > 50 * many && seen.errors > many && seen.progress > many && seen.cancels > many &&
              seen.late > many && seen.updates > many && seen.list_changes > many && seen.nulls > many &&
              seen.deaths > many / 10 && seen.statuses > many / 20,
          "the run saw too little");
    CHECK(sharing == SHARING_SHARED || seen.questions > many, "no questions");
    CHECK(!failing || seen.fired > many, "nothing failed");
    CHECK(sharing == SHARING_PER_SESSION || seen.passed_over > many / 10, "nobody had to wait for others");
}

/* With failures, many short worlds: a world that has lived for a while allocates nothing any more. */
static void run(enum sharing sharing, bool failing)
{
    uint64_t first_seed = seed;
    uint64_t life = failing ? 1000 : steps;
    memset(&seen, 0, sizeof(seen));
    print_message("# seed %llu, %llu steps\n", (unsigned long long)seed, (unsigned long long)steps);
    for (uint64_t done = 0; done < steps; done += life, seed++) {
        begin(sharing, failing);
        for (w.steps = 0; w.steps < life; w.steps++)
            step();
        end();
    }
    seed = first_seed;
    check_seen(sharing, failing);
}

static void shared(void **state)
{
    (void)state;
    run(SHARING_SHARED, false);
}

static void own(void **state)
{
    (void)state;
    run(SHARING_PER_SESSION, false);
}

static void shared_with_failures(void **state)
{
    (void)state;
    run(SHARING_SHARED, true);
}

static void own_with_failures(void **state)
{
    (void)state;
    run(SHARING_PER_SESSION, true);
}

static uint64_t setting(const char *argument, const char *variable, uint64_t otherwise)
{
    const char *text = argument ? argument : getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared),
        cmocka_unit_test(own),
        cmocka_unit_test(shared_with_failures),
        cmocka_unit_test(own_with_failures),
    };
    seed = setting(argc > 1 ? argv[1] : NULL, "MODEL_SEED", seed);
    steps = setting(argc > 2 ? argv[2] : NULL, "MODEL_STEPS", steps);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
