/* Invariants: members > 0 exactly when the child is (or, after a restart, will be) subscribed for us. A
 * subscribe is under way only while there is no member; an unsubscribe only while there is one, who sent it.
 * Calls queue only behind one that is under way. Without members and calls the entry goes.
 *
 * Memory for the membership is had before anything is sent, so that a success can always be kept. What the
 * child has to get from the relay itself (unsubscribe when the last one went, subscribe again after a
 * restart) is a mark on the entry, so that any number of them takes no memory and none is lost when the link
 * has no room.
 */
#include "mcp/subscriptions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "route/outbox.h"
#include "route/replies.h"
#include "mcp/admission.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

struct sub {
    struct map_node node; /* in upstream->protocol->subs, by URI */
    struct upstream *upstream;
    struct list members; /* subscriber.sub_node */
    size_t member_count;
    struct call *active;          /* the request under way; NULL: none */
    struct list queue;            /* HELD calls, by upstream_node */
    struct deferred_send pending; /* linked while `unsent` is a request */
    uint64_t own_id;        /* of the relay's own subscribe that a new child has not answered yet; 0: none */
    enum rpc_method unsent; /* SUBSCRIBE or UNSUBSCRIBE, which the child has still to get; OTHER: none */
    size_t uri_len;
    char uri[]; /* decoded */
};

struct subscriber {
    struct list sub_node;
    struct list session_node;
    struct sub *sub; /* NULL: not a member yet */
    struct route_session *session;
};

struct uri {
    const char *bytes;
    size_t len;
};

static bool send_pending(struct deferred_send *d, uint64_t now_ms);
static void forget_pending(struct deferred_send *d);

/* ---- the table ---- */

static bool is_uri(const struct map_node *node, const void *key)
{
    const struct uri *want = key;
    const struct sub *sub = CONST_CONTAINER_OF(node, struct sub, node);
    return sub->uri_len == want->len && memcmp(sub->uri, want->bytes, want->len) == 0;
}

static struct sub *find(const struct upstream *upstream, struct uri uri)
{
    struct map_node *node = map_find(&upstream->protocol->subs, hash_bytes(uri.bytes, uri.len), is_uri, &uri);
    return node ? CONTAINER_OF(node, struct sub, node) : NULL;
}

static struct sub *add(struct upstream *upstream, struct uri uri)
{
    struct sub *sub = mem_alloc(sizeof(*sub) + uri.len);
    if (!sub)
        return NULL;
    memset(sub, 0, sizeof(*sub));
    sub->upstream = upstream;
    list_init(&sub->members);
    list_init(&sub->queue);
    list_init(&sub->pending.node);
    sub->pending.send = send_pending;
    sub->pending.forget = forget_pending;
    sub->unsent = RPC_M_OTHER;
    sub->uri_len = uri.len;
    memcpy(sub->uri, uri.bytes, uri.len);
    if (map_add(&upstream->protocol->subs, &sub->node, hash_bytes(uri.bytes, uri.len))) {
        mem_free(sub);
        return NULL;
    }
    upstream->stats.subscriptions++;
    return sub;
}

/* The answer to its own subscribe, if one is to come, concerns nobody any more. */
static void forget_own(struct sub *sub)
{
    char id[ID_TEXT_MAX];
    struct call *c = sub->own_id ? calls_find(sub->upstream, id, id_print(sub->own_id, id)) : NULL;
    sub->own_id = 0;
    if (!c || c->sub != sub)
        return;
    c->on_settled = NULL;
    c->sub = NULL;
}

static void drop_if_empty(struct sub *sub)
{
    if (sub->member_count > 0 || sub->active || !list_empty(&sub->queue) || sub->unsent != RPC_M_OTHER)
        return;
    forget_own(sub);
    map_remove(&sub->upstream->protocol->subs, &sub->node);
    sub->upstream->stats.subscriptions--;
    mem_free(sub);
}

/* Looks along the shorter list. */
static struct subscriber *member(const struct sub *sub, const struct route_session *s)
{
    if (s->protocol->subscription_count < sub->member_count) {
        for (struct list *node = s->protocol->subscriptions.next; node != &s->protocol->subscriptions;
             node = node->next) {
            struct subscriber *m = CONTAINER_OF(node, struct subscriber, session_node);
            if (m->sub == sub)
                return m;
        }
        return NULL;
    }
    for (struct list *node = sub->members.next; node != &sub->members; node = node->next) {
        struct subscriber *m = CONTAINER_OF(node, struct subscriber, sub_node);
        if (m->session == s)
            return m;
    }
    return NULL;
}

static struct subscriber *subscriber_new(struct route_session *s)
{
    struct subscriber *m = mem_zalloc(sizeof(*m));
    if (!m)
        return NULL;
    list_init(&m->sub_node);
    list_init(&m->session_node);
    m->session = s;
    return m;
}

static void join(struct sub *sub, struct subscriber *m)
{
    m->sub = sub;
    list_push_back(&sub->members, &m->sub_node);
    list_push_back(&m->session->protocol->subscriptions, &m->session_node);
    sub->member_count++;
    m->session->protocol->subscription_count++;
}

static void subscriber_free(struct subscriber *m)
{
    if (!m)
        return;
    if (m->sub) {
        m->sub->member_count--;
        m->session->protocol->subscription_count--;
        list_remove(&m->sub_node);
        list_remove(&m->session_node);
    }
    mem_free(m);
}

/* ---- what the child has still to get ---- */

static int compose(struct sub *sub, uint64_t id, struct buf *text)
{
    struct writer w;
    buf_clear(text);
    writer_init(&w, text);
    write_object(&w);
    write_member_string(&w, "jsonrpc", "2.0");
    write_member_uint(&w, "id", id);
    write_member_string(&w, "method",
                        sub->unsent == RPC_M_SUBSCRIBE ? "resources/subscribe" : "resources/unsubscribe");
    write_key(&w, "params");
    write_object(&w);
    write_key(&w, "uri");
    write_string(&w, sub->uri, sub->uri_len);
    write_object_end(&w);
    write_object_end(&w);
    return writer_end(&w);
}

/* A new child's answer to a subscription that its clients had. They cannot be told that it is lost but by the end of
 * their connection: then they ask again, and get the refusal. */
static void on_own_settled(struct call *c, enum call_outcome outcome, const struct frame *answer)
{
    struct sub *sub = c->sub;
    (void)answer;
    c->sub = NULL;
    sub->own_id = 0;
    if (outcome != CALL_REFUSED)
        return;
    LIST_EACH(node, next, &sub->members)
    {
        session_hang_up(CONTAINER_OF(node, struct subscriber, sub_node)->session, RPC_E_SERVER_UNAVAILABLE,
                        "the server was started again and refused a subscription that this client has");
    }
}

/* `c` NULL: there was no memory for it, and the answer will not be known. */
static void watch_own(struct sub *sub, struct call *c)
{
    if (!c || c->method != RPC_M_SUBSCRIBE)
        return;
    forget_own(sub);
    c->on_settled = on_own_settled;
    c->sub = sub;
    sub->own_id = c->relay_id;
}

static bool send_own(struct sub *sub, uint64_t now_ms)
{
    struct upstream *upstream = sub->upstream;
    struct buf *text = &upstream->router->scratch;
    struct call *c = call_open_own(upstream, sub->unsent, now_ms);
    if (compose(sub, c ? c->relay_id : calls_next_id(upstream), text) == 0 &&
        upstream_send_text(upstream, MESSAGE_REQUEST, buf_data(text), buf_len(text)) == 0) {
        watch_own(sub, c);
        return true;
    }
    if (c)
        call_close(c);
    return false;
}

static void clear_pending(struct sub *sub)
{
    sub->unsent = RPC_M_OTHER;
    list_remove(&sub->pending.node);
}

static void forget_pending(struct deferred_send *d)
{
    struct sub *sub = CONTAINER_OF(d, struct sub, pending);
    clear_pending(sub);
    drop_if_empty(sub);
}

static bool send_pending(struct deferred_send *d, uint64_t now_ms)
{
    if (!send_own(CONTAINER_OF(d, struct sub, pending), now_ms))
        return false;
    forget_pending(d);
    return true;
}

/* Sent when there is room. A child that has not seen the subscribe yet need not see the unsubscribe; one that is
 * not ready gets everything when it is. */
static void send_later(struct sub *sub, enum rpc_method method)
{
    if (sub->upstream->state != UPSTREAM_READY)
        return;
    if (sub->unsent == RPC_M_SUBSCRIBE && method == RPC_M_UNSUBSCRIBE) {
        clear_pending(sub);
        return;
    }
    sub->unsent = method;
    if (!list_linked(&sub->pending.node))
        list_push_back(&sub->upstream->deferred_sends, &sub->pending.node);
}

void subscriptions_restore(struct upstream *upstream)
{
    for (struct map_node *node = map_next(&upstream->protocol->subs, NULL); node;
         node = map_next(&upstream->protocol->subs, node)) {
        struct sub *sub = CONTAINER_OF(node, struct sub, node);
        if (sub->member_count > 0)
            send_later(sub, RPC_M_SUBSCRIBE);
    }
}

/* ---- one step for one request ---- */

/* The call is watched until its outcome is known; the spare membership goes along. */
static void on_settled(struct call *c, enum call_outcome outcome, const struct frame *answer);

static void watch(struct call *c, struct sub *sub, struct subscriber **spare)
{
    c->on_settled = on_settled;
    c->sub = sub;
    c->subscriber = *spare;
    *spare = NULL;
}

static void unwatch(struct call *c)
{
    c->on_settled = NULL;
    c->sub = NULL;
    subscriber_free(c->subscriber);
    c->subscriber = NULL;
}

static void say_done(struct call *c)
{
    call_reply_raw(c, MESSAGE_RESULT, "{}", 2);
}

/* Can it be answered without the child, as things stand? Then its effect happens here. */
static bool settle_here(struct sub *sub, struct route_session *s, enum rpc_method method,
                        struct subscriber **spare)
{
    struct subscriber *m = member(sub, s);
    if (method == RPC_M_SUBSCRIBE) {
        if (sub->member_count == 0)
            return false;
        if (!m) {
            join(sub, *spare);
            *spare = NULL;
        }
        return true;
    }
    if (m && sub->member_count == 1)
        return false;
    subscriber_free(m);
    return true;
}

/* Lets the queue move until one has to ask the child. `refusal`: the error that settles those who asked for
 * the same. */
static void advance(struct sub *sub, const struct frame *refusal)
{
    struct list *node;
    while (!sub->active && (node = list_pop_front(&sub->queue))) {
        struct call *c = CONTAINER_OF(node, struct call, upstream_node);
        if (refusal && c->method == RPC_M_SUBSCRIBE) {
            const struct span error = refusal->env.error;
            call_reply_raw(c, MESSAGE_ERROR, refusal->bytes + error.off, error.len);
        } else if (settle_here(sub, c->session, c->method, &c->subscriber)) {
            say_done(c);
        } else {
            sub->active = c;
            scheduler_enqueue(c);
            return;
        }
        unwatch(c);
        call_close(c);
    }
    drop_if_empty(sub);
}

static void settle_subscribe(struct sub *sub, struct call *c, enum call_outcome outcome)
{
    if (outcome == CALL_ANSWERED) {
        join(sub, c->subscriber);
        c->subscriber = NULL;
    } else if (outcome == CALL_LOST && c->state == CALL_IN_FLIGHT) {
        send_later(sub, RPC_M_UNSUBSCRIBE);
    }
}

static void settle_unsubscribe(struct sub *sub, struct call *c, enum call_outcome outcome)
{
    if (outcome == CALL_REFUSED || (outcome == CALL_LOST && c->state != CALL_IN_FLIGHT))
        return;
    subscriber_free(member(sub, c->session));
    if (outcome == CALL_LOST)
        send_later(sub, RPC_M_UNSUBSCRIBE);
}

static void on_settled(struct call *c, enum call_outcome outcome, const struct frame *answer)
{
    struct sub *sub = c->sub;
    if (sub->active != c) {
        list_remove(&c->upstream_node);
        unwatch(c);
        drop_if_empty(sub);
        return;
    }
    sub->active = NULL;
    if (c->method == RPC_M_SUBSCRIBE)
        settle_subscribe(sub, c, outcome);
    else
        settle_unsubscribe(sub, c, outcome);
    unwatch(c);
    advance(sub, c->method == RPC_M_SUBSCRIBE && outcome == CALL_REFUSED ? answer : NULL);
}

/* ---- requests ---- */

static void ask(struct sub *sub, struct route_session *s, const struct frame *frame, enum rpc_method method,
                struct subscriber **spare, uint64_t now_ms)
{
    struct call *c = request_submit(s, frame, method, now_ms);
    if (c) {
        watch(c, sub, spare);
        sub->active = c;
    }
    drop_if_empty(sub);
}

/* Behind the one that is under way. */
static void queue(struct sub *sub, struct route_session *s, const struct frame *frame, enum rpc_method method,
                  struct subscriber **spare, uint64_t now_ms)
{
    struct call *c;
    if (!request_admit(s, frame, now_ms))
        return;
    if (call_open(s, frame, method, now_ms, &c)) {
        request_no_memory(s, frame);
        return;
    }
    if (scheduler_keep(c, frame)) {
        call_close(c);
        request_no_memory(s, frame);
        return;
    }
    call_move(c, CALL_HELD);
    list_push_back(&sub->queue, &c->upstream_node);
    watch(c, sub, spare);
}

static void handle(struct sub *sub, struct route_session *s, const struct frame *frame,
                   enum rpc_method method, struct subscriber **spare, uint64_t now_ms)
{
    const struct span id = frame->env.id;
    if (sub->active)
        queue(sub, s, frame, method, spare, now_ms);
    else if (settle_here(sub, s, method, spare))
        reply_raw(s, frame->bytes + id.off, id.len, MESSAGE_RESULT, "{}", 2);
    else
        ask(sub, s, frame, method, spare, now_ms);
}

static void request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                    struct uri uri, uint64_t now_ms)
{
    struct subscriber *spare = NULL;
    struct sub *sub = find(s->upstream, uri);
    if (!sub && method == RPC_M_UNSUBSCRIBE) {
        const struct span id = frame->env.id;
        reply_raw(s, frame->bytes + id.off, id.len, MESSAGE_RESULT, "{}", 2);
        return;
    }
    if (method == RPC_M_SUBSCRIBE) {
        spare = subscriber_new(s);
        if (spare && !sub)
            sub = add(s->upstream, uri);
        if (!spare || !sub) {
            subscriber_free(spare);
            request_no_memory(s, frame);
            return;
        }
    }
    handle(sub, s, frame, method, &spare, now_ms);
    subscriber_free(spare);
}

void subscriptions_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                           uint64_t now_ms)
{
    char text[160];
    char bytes[SUB_URI_MAX];
    const struct span at = frame->env.uri;
    if (!span_found(at) || frame->bytes[at.off] != '"') {
        /* Not ours to judge: the child says what is wrong with it. */
        (void)request_submit(s, frame, method, now_ms);
        return;
    }
    size_t len = rpc_decode_string(frame->bytes + at.off, at.len, bytes, sizeof(bytes));
    if (len == SIZE_MAX) {
        (void)snprintf(text, sizeof(text), "the uri is longer than %zu bytes", SUB_URI_MAX);
        request_refuse(s, frame, RPC_E_INVALID_PARAMS, text);
    } else if (method == RPC_M_SUBSCRIBE && s->protocol->subscription_count >= SUBS_PER_SESSION) {
        (void)snprintf(text, sizeof(text), "this session has %d subscriptions already", SUBS_PER_SESSION);
        request_refuse(s, frame, RPC_E_OVERLOADED, text);
    } else {
        request(s, frame, method, (struct uri){bytes, len}, now_ms);
    }
}

/* ---- updates ---- */

static struct sub *find_members(const struct upstream *upstream, struct uri uri)
{
    struct sub *sub = find(upstream, uri);
    return sub && sub->member_count > 0 ? sub : NULL;
}

/* Does a part of the URI begin at `at`, so that what stands before it may be subscribed? */
static bool is_part(struct uri uri, size_t at)
{
    char next = uri.bytes[at];
    return next == '/' || next == '?' || next == '#' || uri.bytes[at - 1] == '/';
}

/* The subscription of the longest prefix: one look-up per part. */
static struct sub *longest_over(const struct upstream *upstream, struct uri uri)
{
    unsigned looked = 0;
    for (size_t at = uri.len; at-- > 1 && looked < SUB_PARTS_MAX;) {
        if (!is_part(uri, at))
            continue;
        struct sub *sub = find_members(upstream, (struct uri){uri.bytes, at});
        if (sub)
            return sub;
        looked++;
    }
    return NULL;
}

static struct sub *subscribed(const struct upstream *upstream, const struct frame *frame)
{
    char bytes[SUB_URI_MAX];
    const struct span at = frame->env.uri;
    size_t len = rpc_decode_string(frame->bytes + at.off, at.len, bytes, sizeof(bytes));
    if (len == SIZE_MAX)
        return NULL;
    const struct uri uri = {bytes, len};
    struct sub *sub = find_members(upstream, uri);
    if (sub || upstream->protocol->subs.count == 0)
        return sub;
    return longest_over(upstream, uri);
}

void subscriptions_updated(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                           uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    struct sub *sub = subscribed(upstream, frame);
    if (!sub) {
        upstream->stats.dropped_notifications++;
        return;
    }
    LIST_EACH(node, next, &sub->members)
    {
        session_pass(CONTAINER_OF(node, struct subscriber, sub_node)->session, frame, false);
    }
}

void subscriptions_leave(struct route_session *s)
{
    struct list *node;
    while ((node = list_pop_front(&s->protocol->subscriptions))) {
        struct subscriber *m = CONTAINER_OF(node, struct subscriber, session_node);
        struct sub *sub = m->sub;
        subscriber_free(m);
        if (sub->member_count == 0 && !sub->active)
            send_later(sub, RPC_M_UNSUBSCRIBE);
        drop_if_empty(sub);
    }
}
