/* The id table of an upstream and the life of a call.
 *
 * Happy path: call_open -> (the scheduler sends it) -> IN_FLIGHT -> (answer) -> call_close. The call's struct comes from a free list,
 * its nodes stand inside it, so that in steady state nothing is allocated. Out of memory: call_open refuses
 * and nothing is left behind.
 */
#include "route/calls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "route/credit.h"
#include "route/outbox.h"
#include "route/deadline.h"
#include "route/replies.h"
#include "route/state.h"
#include "route/stray_lines.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

/* ---- the pool ---- */

static void on_expired(struct deadline *d, uint64_t now_ms);

static struct call *take(struct router *r)
{
    struct list *node = list_pop_front(&r->free_calls);
    struct call *c;
    if (node) {
        c = CONTAINER_OF(node, struct call, upstream_node);
        r->free_call_count--;
    } else {
        c = mem_alloc(sizeof(*c));
        if (!c)
            return NULL;
    }
    memset(c, 0, offsetof(struct call, text));
    list_init(&c->upstream_node);
    list_init(&c->session_node);
    heap_node_init(&c->deadline.node);
    c->deadline.expire = on_expired;
    c->router = r;
    c->id = c->text;
    return c;
}

static void give_back(struct router *r, struct call *c)
{
    c->state = CALL_CLOSED;
    if (r->free_call_count >= CALLS_KEPT) {
        mem_free(c);
        return;
    }
    list_push_front(&r->free_calls, &c->upstream_node);
    r->free_call_count++;
}

void calls_done(struct router *r)
{
    struct list *node;
    while ((node = list_pop_front(&r->free_calls)))
        mem_free(CONTAINER_OF(node, struct call, upstream_node));
    r->free_call_count = 0;
}

/* ---- the tables ---- */

struct client_id_key {
    const struct route_session *session;
    const char *id;
    size_t len;
};

static bool is_client_id(const struct map_node *node, const void *key)
{
    const struct client_id_key *want = key;
    const struct call *c = CONST_CONTAINER_OF(node, struct call, by_client_id);
    return c->session == want->session && c->id_len == want->len && memcmp(c->id, want->id, want->len) == 0;
}

static uint64_t client_id_hash(const struct route_session *s, const char *id, size_t len)
{
    return hash_bytes(id, len) ^ (s->serial * UINT64_C(0x9e3779b97f4a7c15));
}

struct call *calls_find_client(const struct route_session *s, const char *id, size_t len)
{
    const struct client_id_key key = {s, id, len};
    struct map_node *node = map_find(&s->router->client_ids, client_id_hash(s, id, len), is_client_id, &key);
    return node ? CONTAINER_OF(node, struct call, by_client_id) : NULL;
}

static bool is_relay_id(const struct map_node *node, const void *key)
{
    const uint64_t *want = key;
    return CONST_CONTAINER_OF(node, struct call, by_relay_id)->relay_id == *want;
}

/* Relay ids count up and are ours, so that they are their own best hash. */
struct call *calls_find(const struct upstream *upstream, const char *lexeme, size_t len)
{
    uint64_t id;
    if (!rpc_parse_spelled_id(lexeme, len, &id))
        return NULL;
    struct map_node *node = map_find(&upstream->calls, id, is_relay_id, &id);
    return node ? CONTAINER_OF(node, struct call, by_relay_id) : NULL;
}

uint64_t calls_next_id(struct upstream *upstream)
{
    return ++upstream->last_id;
}

int call_take_relay_id(struct call *c)
{
    c->relay_id = calls_next_id(c->upstream);
    int rc = map_add(&c->upstream->calls, &c->by_relay_id, c->relay_id);
    if (rc)
        c->relay_id = 0;
    return rc;
}

void call_drop_relay_id(struct call *c)
{
    if (c->relay_id)
        map_remove(&c->upstream->calls, &c->by_relay_id);
    c->relay_id = 0;
}

static int take_client_id(struct call *c)
{
    uint64_t hash = client_id_hash(c->session, c->id, c->id_len);
    int rc = map_add(&c->router->client_ids, &c->by_client_id, hash);
    if (rc == 0) {
        c->id_taken = true;
        c->router->pending++;
    }
    return rc;
}

static void free_client_id(struct call *c)
{
    if (!c->id_taken)
        return;
    map_remove(&c->router->client_ids, &c->by_client_id);
    c->id_taken = false;
    c->router->pending--;
}

/* ---- state ---- */

static void count_waiting(struct call *c, bool held_initialize)
{
    c->upstream->stats.waiting++;
    c->upstream->stats.waiting_bytes += c->frame_len;
    c->upstream->init_held_count += held_initialize;
    c->peer->waiting++;
    c->peer->waiting_bytes += c->frame_len;
    c->peer->init_held_count += held_initialize;
    c->session->waiting++;
    c->session->waiting_bytes += c->frame_len;
}

static void uncount_waiting(struct call *c, bool held_initialize)
{
    c->upstream->stats.waiting--;
    c->upstream->stats.waiting_bytes -= c->frame_len;
    c->upstream->init_held_count -= held_initialize;
    c->peer->waiting--;
    c->peer->waiting_bytes -= c->frame_len;
    c->peer->init_held_count -= held_initialize;
    c->session->waiting--;
    c->session->waiting_bytes -= c->frame_len;
}

static bool is_held_initialize(const struct call *c)
{
    return c->state == CALL_HELD && c->method == RPC_M_INITIALIZE;
}

static void leave_state(struct call *c)
{
    switch (c->state) {
    case CALL_NEW:
        return; /* in no list yet */
    case CALL_WAITING:
    case CALL_HELD:
        uncount_waiting(c, is_held_initialize(c));
        break;
    case CALL_IN_FLIGHT:
        c->upstream->stats.in_flight--;
        c->peer->in_flight--;
        c->session->in_flight--;
        credit_give_back(c);
        break;
    case CALL_ABANDONED:
        c->upstream->stats.abandoned--;
        if (c->session)
            c->session->abandoned--;
        peer_forget_abandoned(c->peer);
        break;
    default:
        break;
    }
    list_remove(&c->upstream_node);
    list_remove(&c->session_node);
}

static void enter_state(struct call *c, enum call_state to)
{
    struct upstream *upstream = c->upstream;
    struct route_session *s = c->session;
    c->state = to;
    if (s)
        list_push_back(to == CALL_WAITING ? &s->queue
                       : to == CALL_HELD  ? &s->held
                                          : &s->calls,
                       &c->session_node);
    switch (to) {
    case CALL_WAITING:
    case CALL_HELD:
        count_waiting(c, is_held_initialize(c));
        break;
    case CALL_IN_FLIGHT:
        upstream->stats.in_flight++;
        c->peer->in_flight++;
        s->in_flight++;
        credit_take(c);
        list_push_back(&upstream->in_flight, &c->upstream_node);
        break;
    case CALL_ABANDONED:
        assert(s);
        upstream->stats.abandoned++;
        c->peer->abandoned++;
        s->abandoned++;
        list_push_back(&upstream->abandoned, &c->upstream_node);
        break;
    case CALL_TASK:
        list_push_back(&upstream->tasks_running, &c->upstream_node);
        break;
    case CALL_OWN:
        list_push_back(&upstream->own, &c->upstream_node);
        break;
    default:
        break;
    }
}

static void drop_frame(struct call *c)
{
    if (!c->frame)
        return;
    block_pool_put(&c->router->blocks, c->frame);
    c->frame = NULL;
    c->frame_len = 0;
}

/* A call that is closed moves no more; call_close may come in any state. */
static bool may_move(enum call_state from, enum call_state to)
{
#define TO(state) (1U << (state))
    static const unsigned allowed[] = {
        [CALL_NEW] = TO(CALL_WAITING) | TO(CALL_HELD) | TO(CALL_IN_FLIGHT) | TO(CALL_OWN),
        [CALL_WAITING] = TO(CALL_IN_FLIGHT),
        [CALL_HELD] = TO(CALL_WAITING),
        [CALL_IN_FLIGHT] = TO(CALL_ABANDONED) | TO(CALL_TASK),
        [CALL_CLOSED] = 0,
    };
#undef TO
    return allowed[from] & (1U << to);
}

void call_move(struct call *c, enum call_state to)
{
    assert(may_move(c->state, to));
    leave_state(c);
    enter_state(c, to);
    if (to == CALL_IN_FLIGHT)
        drop_frame(c);
    if (to == CALL_ABANDONED || to == CALL_TASK) {
        free_client_id(c);
        deadline_clear(c->router, &c->deadline);
    }
    if (c->session)
        scheduler_update(c->session);
}

void call_close(struct call *c)
{
    struct router *r = c->router;
    struct route_session *s = c->session;
    leave_state(c);
    free_client_id(c);
    call_drop_relay_id(c);
    deadline_clear(r, &c->deadline);
    drop_frame(c);
    if (c->long_text)
        block_pool_put(&r->blocks, c->long_text);
    give_back(r, c);
    if (s)
        scheduler_update(s);
}

/* ---- opening ---- */

/* Id, token and method side by side, inline or in a block. */
static int copy_texts(struct call *c, const struct frame *frame)
{
    const struct rpc_envelope *env = &frame->env;
    struct span token = c->notification ? (struct span){0} : env->meta_token;
    size_t method_len = env->method.len < CALL_METHOD_BYTES ? env->method.len : CALL_METHOD_BYTES;
    size_t total;
    char *to = c->text;

    if (!size_add(env->id.len, token.len, &total) || !size_add(total, method_len, &total))
        return -ENOMEM;
    if (total > sizeof(c->text)) {
        c->long_text = block_pool_get(&c->router->blocks, total);
        if (!c->long_text)
            return -ENOMEM;
        to = c->long_text->bytes;
    }
    memcpy(to, frame->bytes + env->id.off, env->id.len);
    memcpy(to + env->id.len, frame->bytes + token.off, token.len);
    memcpy(to + env->id.len + token.len, frame->bytes + env->method.off, method_len);
    c->id = to;
    c->id_len = env->id.len;
    c->token_len = token.len;
    c->method_len = method_len;
    return 0;
}

int call_open(struct route_session *s, const struct frame *frame, enum rpc_method method, uint64_t now_ms,
              struct call **ret_call)
{
    struct call *c = take(s->router);
    if (!c)
        return -ENOMEM;
    c->session = s;
    c->peer = s->peer;
    c->upstream = s->upstream;
    c->link = s->link;
    c->method = method;
    c->id_at = frame->env.id;
    c->token_at = frame->env.meta_token;
    c->notification = frame->env.kind == RPC_NOTIFICATION;
    c->is_task = method == RPC_M_TOOLS_CALL && span_found(frame->env.task);

    int rc = copy_texts(c, frame);
    if (rc == 0 && !c->notification)
        rc = take_client_id(c);
    if (rc == 0 && !c->notification)
        rc = call_start_deadline(c, now_ms);
    if (rc) {
        call_close(c);
        return rc;
    }
    *ret_call = c;
    return 0;
}

struct call *call_open_own(struct upstream *upstream, enum rpc_method method, uint64_t now_ms)
{
    struct call *c = take(upstream->router);
    if (!c)
        return NULL;
    c->upstream = upstream;
    c->method = method;
    c->arrived_ms = now_ms;
    if (call_take_relay_id(c) || deadline_set(c->router, &c->deadline, now_ms + CALL_OWN_MS)) {
        call_close(c);
        return NULL;
    }
    call_move(c, CALL_OWN);
    return c;
}

/* ---- the end ---- */

void call_settle(struct call *c, enum call_outcome outcome, const struct frame *answer)
{
    if (!c->on_settled)
        return;
    void (*on_settled)(struct call *, enum call_outcome, const struct frame *) = c->on_settled;
    c->on_settled = NULL;
    on_settled(c, outcome, answer);
}

void call_fail(struct call *c, const struct refusal *why)
{
    if (!c->notification) {
        struct refusal answer = *why;
        answer.sent = c->state == CALL_IN_FLIGHT;
        call_reply_error(c, &answer);
    }
    call_settle(c, CALL_LOST, NULL);
    call_close(c);
}

/* The client's own words, with its reason, where they are short and there is room for them; else the relay's.
 * It waits for nothing but room. */
static void send_cancel(struct call *c, const struct frame *cancel)
{
    char id[ID_TEXT_MAX];
    size_t id_len = id_print(c->relay_id, id);
    struct part parts[SPLICE_PARTS_MAX] = {
        PART("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":"),
        {id, id_len},
        PART("}}"),
    };
    size_t count = 3;
    if (cancel && cancel->len <= CANCEL_BYTES_MAX && upstream_has_room(c->upstream)) {
        struct splice splice = {cancel->env.request_id, id, id_len};
        count = splice_parts(cancel->bytes, cancel->len, &splice, 1, parts);
    }
    (void)outbox_enqueue(c->upstream, &(struct message){.parts = parts,
                                                        .part_count = count,
                                                        .kind = MESSAGE_NOTIFICATION,
                                                        .about = c->id,
                                                        .about_len = c->id_len});
}

/* Nothing will be restored any more; what is left is for who looks. */
static void forget_texts(struct call *c)
{
    size_t method_at = c->id_len + c->token_len;
    size_t id_len = c->id_len;
    const char *text = c->id;
    if (!c->long_text)
        return;
    if (id_len + c->method_len > sizeof(c->text)) {
        memcpy(c->text, "null", 4);
        id_len = 4;
    } else {
        memcpy(c->text, text, id_len);
    }
    memcpy(c->text + id_len, text + method_at, c->method_len);
    c->id = c->text;
    c->id_len = id_len;
    c->token_len = 0;
    block_pool_put(&c->router->blocks, c->long_text);
    c->long_text = NULL;
}

static void forget_oldest_abandoned(struct upstream *upstream)
{
    if (upstream->stats.abandoned > CALL_ABANDONED_MAX)
        call_close(CONTAINER_OF(upstream->abandoned.next, struct call, upstream_node));
}

void call_cancel(struct call *c, const struct frame *cancel, uint64_t now_ms)
{
    if (c->state != CALL_IN_FLIGHT) {
        call_settle(c, CALL_LOST, NULL);
        call_close(c);
        return;
    }
    /* An initialize must not be cancelled (MCP); its late answer is dropped all the same. */
    if (c->method != RPC_M_INITIALIZE)
        send_cancel(c, cancel);
    call_settle(c, CALL_LOST, NULL);
    call_move(c, CALL_ABANDONED);
    forget_texts(c);
    struct upstream *upstream = c->upstream;
    if (deadline_set(c->router, &c->deadline, now_ms + CALL_ABANDONED_MS))
        call_close(c);
    forget_oldest_abandoned(upstream);
}

void calls_fail_held(struct route_session *s, const struct refusal *why)
{
    while (!list_empty(&s->held))
        call_fail(CONTAINER_OF(s->held.next, struct call, session_node), why);
}

void calls_fail_waiting(struct route_session *s, const struct refusal *why)
{
    calls_fail_held(s, why);
    while (!list_empty(&s->queue))
        call_fail(CONTAINER_OF(s->queue.next, struct call, session_node), why);
}

/* ---- time ---- */

/* Beside the time: what the child wrote that was no message, which may have been the answer. */
static void refuse_late(struct call *c, uint64_t after_ms)
{
    char message[512];
    struct buf *text = &c->router->scratch;
    const char *strays = stray_lines_text(c->upstream);
    struct refusal why = {.code = RPC_E_TIMEOUT, .sent = c->state == CALL_IN_FLIGHT};
    struct writer w;
    buf_clear(text);
    writer_init(&w, text);
    write_object(&w);
    write_member_uint(&w, "afterMs", after_ms);
    if (why.sent)
        stray_lines_write(c->upstream, c->session, &w);
    write_object_end(&w);
    if (writer_end(&w) == 0) { /* else data says less */
        why.members = buf_data(text) + 1;
        why.members_len = buf_len(text) - 2;
    }
    if (why.sent && strays) {
        (void)snprintf(message, sizeof(message), "%s; the server's standard output %s",
                       rpc_error_message(RPC_E_TIMEOUT), strays);
        why.message = message;
    }
    call_reply_error(c, &why);
}

static void time_out(struct call *c, uint64_t now_ms)
{
    refuse_late(c, now_ms - c->arrived_ms);
    call_cancel(c, NULL, now_ms);
}

/* Progress and requests of the child only move the clock; the heap learns of it here. */
static void on_expired(struct deadline *d, uint64_t now_ms)
{
    struct call *c = CONTAINER_OF(d, struct call, deadline);
    struct upstream *upstream = c->upstream;
    if (c->state == CALL_ABANDONED || c->state == CALL_OWN) {
        call_close(c);
    } else {
        uint64_t at = call_expires_at(c, now_ms);
        if (at > now_ms && (at == ROUTE_NEVER || deadline_set(c->router, d, at) == 0))
            return;
        time_out(c, now_ms);
    }
    scheduler_run(upstream, now_ms);
}
