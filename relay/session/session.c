/* Sessions, the link of each, and the set of them.
 *
 * session_open binds the link in the router first, so that a server that does not exist costs nothing; the
 * set is an intrusive list in the order of arrival, so that views need no sorting and adding cannot fail.
 *
 * Out, as long as nothing is kept: one call to the transport, which copies into its own queue. Kept: the
 * frame is copied into the out queue, and from there into the transport as far as its window is open; an
 * acknowledgement drops it. The transport's copy is bounded by the window and one frame.
 */
#include "session/session.h"

#include <assert.h>
#include <errno.h>

#include "base/alloc.h"
#include "wire/rpc_error.h"

/* An acknowledgement comes after 200 ms at the latest, so this is a client that does not read. */
#define KEPT_STALL_MS UINT64_C(1000)

/* ---- out: the link ---- */

static struct session *session_of(struct link *link)
{
    return CONTAINER_OF(link, struct session, link);
}

static void account(struct session *s)
{
    size_t held = s->kept ? out_queue_held_bytes(&s->out) : 0;
    if (!s->kept || !s->set->memory || s->ended)
        return;
    const struct memory_usage usage = {.queued_bytes = out_queue_bytes(&s->out) > 0 ? held : 0,
                                       .held_bytes = held};
    memory_set(s->set->memory, &s->memory, &usage);
}

/* What the router takes for the client's queue. A transport holds a window of a kept queue, so that it is never full
 * itself: its reading is paused from here. */
static void update_queued(struct session *s)
{
    size_t queued = s->kept ? out_queue_bytes(&s->out) : s->transport->queued_bytes;
    if (!s->transport && queued <= s->link.high_bytes)
        queued = s->link.high_bytes + 1;
    s->link.queued_bytes = queued;
    if (link_is_slow(&s->link))
        s->above_high = true;
    if (s->kept && s->transport && out_queue_bytes(&s->out) > s->link.high_bytes && !s->backed_up) {
        s->backed_up = true;
        s->transport->ops->pause(s->transport);
    }
    account(s);
}

/* Kept frames go to the transport as far as its window is open. A send that fails ends the connection, which
 * then detaches; the frame stays. */
static void hand_over(struct session *s)
{
    struct transport *t = s->transport;
    struct out_frame frame;
    while (t && t->queued_bytes < SESSION_WINDOW_BYTES && out_queue_next(&s->out, &frame)) {
        if (t->ops->send(t, &frame.message) != 0)
            return;
        out_queue_take(&s->out);
    }
}

static int on_send(struct link *link, const struct message *message)
{
    struct session *s = session_of(link);
    int rc;
    if (!s->kept) {
        rc = s->transport->ops->send(s->transport, message);
    } else {
        rc = s->ended ? ERR_CLOSING : out_queue_append(&s->out, message);
        if (rc == 0)
            hand_over(s);
    }
    if (rc == 0)
        update_queued(s);
    return rc;
}

static void on_pause(struct link *link)
{
    struct session *s = session_of(link);
    s->paused = true;
    if (s->transport)
        s->transport->ops->pause(s->transport);
}

static void on_resume(struct link *link)
{
    struct session *s = session_of(link);
    s->paused = false;
    if (s->transport && !s->backed_up)
        s->transport->ops->resume(s->transport);
}

static void on_close(struct link *link, int code, const char *reason)
{
    struct session *s = session_of(link);
    s->ended = true;
    if (s->transport)
        s->transport->ops->close(s->transport, code, reason);
}

static const struct link_ops link_ops = {
    .send = on_send, .pause = on_pause, .resume = on_resume, .close = on_close};

/* ---- life ---- */

int session_open(struct session_set *set, const struct session_origin *origin, struct transport *t,
                 const char *server, uint64_t now_ms, struct session **ret_session)
{
    struct session *s = mem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->link.ops = &link_ops;
    s->link.high_bytes = SESSION_HIGH_BYTES;
    s->link.max_bytes = set->max_out_bytes;
    s->link.full_bytes = set->full_out_bytes;
    s->transport = t;
    int rc = route_session_open(set->router, server, &s->link, &origin->key, s, now_ms, &s->route);
    if (rc != 0) {
        mem_free(s);
        return rc;
    }
    s->set = set;
    s->origin = *origin;
    s->permission = origin->local ? SESSION_ADMIN : SESSION_READ;
    s->id = set->next_id++;
    list_push_back(&set->sessions, &s->node);
    set->count++;
    *ret_session = s;
    return 0;
}

void session_close(struct session *s, uint64_t now_ms)
{
    struct session_set *set = s->set;
    uint64_t in;
    uint64_t out;
    route_session_close(s->route, now_ms);
    session_get_traffic(s, &in, &out);
    set->closed_bytes_in += in;
    set->closed_bytes_out += out;
    set->count--;
    list_remove(&s->node);
    if (s->kept && s->set->memory)
        memory_leave(s->set->memory, &s->memory);
    if (s->kept)
        out_queue_done(&s->out);
    mem_free(s);
}

/* ---- the transport's side ---- */

void session_frame(struct session *s, const struct frame *frame, uint64_t now_ms)
{
    s->frames_in++;
    route_session_frame(s->route, frame, now_ms);
}

void session_sent(struct session *s)
{
    if (s->kept)
        hand_over(s);
    else
        s->link.queued_bytes = s->transport->queued_bytes;
    if (s->link.holds_back)
        route_session_sent(s->route);
}

void session_writable(struct session *s, uint64_t now_ms)
{
    session_sent(s);
    if (!s->kept)
        route_session_writable(s->route, now_ms);
}

/* ---- outliving a connection ---- */

/* One that is away cannot take anything. */
static bool on_memory_is_stalled(struct memory_user *u)
{
    const struct session *s = CONTAINER_OF(u, struct session, memory);
    return !s->transport || loop_now_ms(s->set->memory->loop) - s->received_at_ms >= KEPT_STALL_MS;
}

static void on_memory_evict(struct memory_user *u)
{
    struct session *s = CONTAINER_OF(u, struct session, memory);
    memory_leave(s->set->memory, u);
    out_queue_drop(&s->out);
    on_close(&s->link, RPC_E_OVERLOADED,
             "memory is short, and what was sent to this client is not acknowledged");
}

void session_keep(struct session *s, size_t max_bytes, uint64_t now_ms)
{
    static const struct memory_ops memory_ops = {.evict = on_memory_evict,
                                                 .is_stalled = on_memory_is_stalled};
    assert(!s->kept);
    out_queue_init(&s->out, max_bytes);
    s->kept = true;
    s->link.max_bytes = max_bytes;
    s->received_at_ms = now_ms;
    if (s->set->memory)
        memory_join(s->set->memory, &s->memory, &memory_ops);
}

void session_detach(struct session *s)
{
    assert(s->kept && s->transport);
    s->bytes_in_gone += *s->transport->bytes_in;
    s->bytes_out_gone += *s->transport->bytes_out;
    s->transport = NULL;
    update_queued(s);
}

/* The queue is shorter: below half of the high mark the router may send again, as below a transport's low
 * mark. */
static void resume_sending(struct session *s, uint64_t now_ms)
{
    update_queued(s);
    if (!s->above_high || s->link.queued_bytes > s->link.high_bytes / 2)
        return;
    s->above_high = false;
    if (s->backed_up && s->transport && !s->paused)
        s->transport->ops->resume(s->transport);
    s->backed_up = false;
    route_session_writable(s->route, now_ms);
}

int session_attach(struct session *s, struct transport *t, uint64_t received, uint64_t now_ms)
{
    assert(s->kept && !s->transport);
    if (s->ended)
        return ERR_CLOSING;
    int rc = out_queue_acknowledge(&s->out, received);
    if (rc != 0)
        return rc;
    s->transport = t;
    s->received_at_ms = now_ms;
    out_queue_rewind(&s->out);
    if (s->paused || s->backed_up)
        t->ops->pause(t);
    hand_over(s);
    resume_sending(s, now_ms);
    return 0;
}

int session_acknowledge(struct session *s, uint64_t received, uint64_t now_ms)
{
    assert(s->kept && s->transport);
    int rc = out_queue_acknowledge(&s->out, received);
    if (rc != 0)
        return rc;
    s->received_at_ms = now_ms;
    if (out_queue_bytes(&s->out) == 0 && s->set->memory && memory_is_tight(s->set->memory))
        out_queue_trim(&s->out);
    resume_sending(s, now_ms);
    return 0;
}

/* ---- looking in ---- */

void session_get_traffic(const struct session *s, uint64_t *ret_bytes_in, uint64_t *ret_bytes_out)
{
    *ret_bytes_in = s->bytes_in_gone + (s->transport ? *s->transport->bytes_in : 0);
    *ret_bytes_out = s->bytes_out_gone + (s->transport ? *s->transport->bytes_out : 0);
}

bool session_may(const struct session *s, enum session_permission needed)
{
    return s->permission >= needed;
}

const char *session_family_name(enum session_family family)
{
    static const char *const names[] = {[SESSION_TCP] = "tcp", [SESSION_UNIX] = "unix"};
    return names[family];
}

const char *session_permission_name(enum session_permission permission)
{
    static const char *const names[] = {[SESSION_READ] = "read", [SESSION_ADMIN] = "admin"};
    return names[permission];
}

/* ---- the set ---- */

void session_set_init(struct session_set *set, struct router *router)
{
    *set = (struct session_set){.router = router, .next_id = 1};
    list_init(&set->sessions);
}

void session_set_done(struct session_set *set)
{
    assert(set->count == 0);
    set->router = NULL;
}

void session_set_traffic(const struct session_set *set, uint64_t *ret_bytes_in, uint64_t *ret_bytes_out)
{
    *ret_bytes_in = set->closed_bytes_in;
    *ret_bytes_out = set->closed_bytes_out;
    LIST_EACH(node, next, &set->sessions)
    {
        uint64_t in;
        uint64_t out;
        session_get_traffic(CONTAINER_OF(node, struct session, node), &in, &out);
        *ret_bytes_in += in;
        *ret_bytes_out += out;
    }
}
