/* The life of a lane: children come and go, the lane and who waits in it stay.
 *
 * Happy path: (a request) -> lane_wanted -> ops->start -> lane_starting -> lane_attach -> [handshake] ->
 * READY -> ... -> lane_down or lane_idle. What each failure does to the requests stands at lane_down.
 */
#include "route/lane.h"

#include <assert.h>

#include "base/alloc.h"
#include "route/child_out.h"
#include "route/elicitations.h"
#include "route/handshake.h"
#include "route/levels.h"
#include "route/outage.h"
#include "route/parked.h"
#include "route/questions.h"
#include "route/replies.h"
#include "route/requests.h"
#include "route/subscriptions.h"
#include "route/tasks.h"
#include "wire/rpc_error.h"

/* An outage's text: state, detail and 2 KiB of stderr, each byte of which may become six. */
#define OUTAGE_BYTES_MAX ((size_t)64 << 10)

static void init_lists(struct lane *lane)
{
    list_init(&lane->server_node);
    list_init(&lane->sessions);
    list_init(&lane->in_flight);
    list_init(&lane->abandoned);
    list_init(&lane->tasks_running);
    list_init(&lane->own);
    list_init(&lane->init_held);
    list_init(&lane->owed);
    list_init(&lane->subs_owed);
    list_init(&lane->question_list);
    list_init(&lane->elicitation_list);
}

struct lane *lane_new(struct route_server *server)
{
    struct lane *lane = mem_zalloc(sizeof(*lane));
    if (!lane)
        return NULL;
    init_lists(lane);
    lane->router = server->router;
    lane->server = server;
    lane->sharing = server->limits.sharing;
    lane->told_level = LEVEL_NONE;
    map_init(&lane->calls);
    map_init(&lane->subs);
    map_init(&lane->tasks);
    map_init(&lane->questions);
    map_init(&lane->elicitations);
    turns_init(&lane->turns);
    parked_init(lane);
    buf_init(&lane->outage, OUTAGE_BYTES_MAX);
    list_push_back(&server->lanes, &lane->server_node);
    return lane;
}

void lane_free(struct lane *lane)
{
    assert(list_empty(&lane->sessions));
    lane_forget_child(lane, NULL, 0);
    list_remove(&lane->server_node);
    map_done(&lane->calls);
    map_done(&lane->subs);
    map_done(&lane->tasks);
    map_done(&lane->questions);
    map_done(&lane->elicitations);
    init_cache_done(&lane->cache);
    outage_done(lane);
    mem_free(lane);
}

void lane_move(struct lane *lane, enum lane_state to)
{
#define TO(state) (1U << (state))
    static const unsigned allowed[] = {
        [LANE_IDLE] = TO(LANE_IDLE) | TO(LANE_STARTING) | TO(LANE_HANDSHAKE) | TO(LANE_READY) | TO(LANE_DOWN),
        [LANE_STARTING] =
            TO(LANE_STARTING) | TO(LANE_HANDSHAKE) | TO(LANE_READY) | TO(LANE_DOWN) | TO(LANE_IDLE),
        [LANE_HANDSHAKE] = TO(LANE_READY) | TO(LANE_DOWN) | TO(LANE_IDLE),
        [LANE_READY] = TO(LANE_DOWN) | TO(LANE_IDLE),
        [LANE_DOWN] = TO(LANE_DOWN) | TO(LANE_STARTING) | TO(LANE_HANDSHAKE) | TO(LANE_READY) | TO(LANE_IDLE),
    };
#undef TO
    assert(allowed[lane->state] & (1U << to));
    lane->state = to;
    lane->stats.ready = to == LANE_READY;
}

/* ---- starting ---- */

static void start(struct lane *lane)
{
    lane_move(lane, LANE_STARTING);
    lane->in_start = true;
    lane->server->ops->start(lane->server->data, lane);
    lane->in_start = false;
}

bool lane_wanted(struct lane *lane, uint64_t now_ms)
{
    switch (lane->state) {
    case LANE_STARTING:
    case LANE_HANDSHAKE:
    case LANE_READY:
        return true;
    case LANE_DOWN:
        if (lane->retry_at_ms)
            return outage_is_short(lane, now_ms);
        break;
    case LANE_IDLE:
        break;
    }
    start(lane);
    return lane->state != LANE_DOWN || outage_is_short(lane, now_ms);
}

void lane_starting(struct lane *lane)
{
    if (!lane->released)
        lane_move(lane, LANE_STARTING);
}

void lane_attach(struct lane *lane, struct link *child, uint64_t now_ms)
{
    if (lane->released)
        return;
    assert(!lane->child);
    lane->child = child;
    lane->child_closing = false;
    lane->draining = false;
    lane->proven = false;
    if (lane_is_shared(lane)) {
        lane_move(lane, LANE_HANDSHAKE);
        handshake_begin(lane, now_ms);
    } else {
        lane_move(lane, LANE_READY);
        turns_pump(lane, now_ms);
    }
}

void lane_writable(struct lane *lane, uint64_t now_ms)
{
    turns_pump(lane, now_ms);
}

void lane_drain(struct lane *lane)
{
    lane->draining = true;
}

void lane_undrain(struct lane *lane, uint64_t now_ms)
{
    lane->draining = false;
    turns_pump(lane, now_ms);
}

size_t lane_pending(const struct lane *lane)
{
    return lane->stats.in_flight;
}

/* ---- ending ---- */

static void close_all(struct list *calls)
{
    while (!list_empty(calls))
        call_close(CONTAINER_OF(calls->next, struct call, lane_node));
}

void lane_forget_child(struct lane *lane, const struct refusal *why, uint64_t now_ms)
{
    lane->child = NULL;
    lane->child_closing = false;
    lane->proven = false;
    lane->handshake_id = 0;
    child_forget_owed(lane);
    while (!list_empty(&lane->in_flight))
        call_fail(CONTAINER_OF(lane->in_flight.next, struct call, lane_node), why);
    close_all(&lane->abandoned);
    close_all(&lane->own);
    tasks_forget(lane);
    close_all(&lane->tasks_running);
    parked_forget(lane);
    elicitations_forget(lane);
    questions_forget(lane, now_ms);
}

/* Held calls first: a call in a queue that ends may move a held one up. */
void lane_fail_waiting(struct lane *lane, const struct refusal *why)
{
    LIST_EACH(node, next, &lane->sessions)
    {
        session_fail_held(CONTAINER_OF(node, struct route_session, lane_node), why);
    }
    LIST_EACH(node, next, &lane->sessions)
    {
        session_fail_waiting(CONTAINER_OF(node, struct route_session, lane_node), why);
    }
}

static void hang_up_all(struct lane *lane, const char *reason)
{
    LIST_EACH(node, next, &lane->sessions)
    {
        session_hang_up(CONTAINER_OF(node, struct route_session, lane_node), RPC_E_SERVER_UNAVAILABLE,
                        reason);
    }
}

/* A start that failed, and the end of an own child, answer all that waits; else a restart that is near is
 * waited for. */
void lane_down(struct lane *lane, const struct outage *why, uint64_t now_ms)
{
    if (lane->released)
        return;
    bool start_failed = lane->state == LANE_STARTING || lane->state == LANE_HANDSHAKE;
    lane_move(lane, LANE_DOWN);
    outage_note(lane, why);
    const struct refusal refusal = outage_refusal(lane, now_ms);
    lane_forget_child(lane, &refusal, now_ms);
    if (start_failed || !lane_is_shared(lane) || !outage_is_short(lane, now_ms))
        lane_fail_waiting(lane, &refusal);
    if (!lane_is_shared(lane) && !lane->in_start)
        hang_up_all(lane, refusal.message ? refusal.message : "the server's process is gone");
}

void lane_idle(struct lane *lane)
{
    static const struct refusal none = {.code = RPC_E_SERVER_UNAVAILABLE};
    if (lane->released)
        return;
    lane_move(lane, LANE_IDLE);
    lane_forget_child(lane, &none, 0);
    if (lane->stats.waiting > 0 && !lane->draining)
        start(lane);
}

void lane_release(struct lane *lane, bool server_goes, uint64_t now_ms)
{
    struct route_server *server = lane->server;
    lane->released = true;
    lane_move(lane, LANE_DOWN);
    lane_forget_child(lane, NULL, now_ms);
    if (server_goes) {
        list_remove(&lane->server_node);
        lane->server = NULL;
    }
    server->ops->release(server->data, lane);
}

/* ---- looking ---- */

void lane_set_data(struct lane *lane, void *data)
{
    lane->data = data;
}

void *lane_data(const struct lane *lane)
{
    return lane->data;
}

struct route_server *lane_server(const struct lane *lane)
{
    return lane->server;
}

void lane_get_stats(const struct lane *lane, struct lane_stats *ret_stats)
{
    *ret_stats = lane->stats;
    ret_stats->subscriptions = subscriptions_count(lane);
    ret_stats->tasks = tasks_count(lane);
}
