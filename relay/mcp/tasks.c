/* The table of an upstream's tasks, by decoded id. A task that cannot be recorded (no memory, an id too long, or
 * one that another session has already) has no owner: asking about it is refused.
 *
 * A child sends a task's first status before the answer that names the task: statuses of tasks that nobody owns
 * yet are kept for a short while in a bounded list, oldest first, with one deadline for its head; then dropped.
 */
#include "mcp/tasks.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "route/outbox.h"
#include "mcp/admission.h"
#include "route/replies.h"
#include "wire/rpc_error.h"
#include "wire/json_member.h"
#include "wire/writer.h"

static const char related_task[] = "io.modelcontextprotocol/related-task";

struct task {
    struct map_node node;     /* in upstream->protocol->tasks, by id */
    struct list session_node; /* owner->tasks */
    struct deadline deadline;
    struct upstream *upstream;
    struct route_session *owner;
    struct call
        *call;  /* in state TASK: holds the progress token; NULL once the task ended, or there is no token */
    bool ended; /* a terminal status was seen */
    uint64_t used_ms;
    size_t id_len;
    char id[]; /* decoded */
};

struct early_status {
    struct list node;
    struct block *block; /* holds this struct, and the frame behind it */
    uint64_t until_ms;
    struct frame frame;
};

struct task_id {
    size_t len; /* SIZE_MAX: no id */
    char bytes[TASK_ID_MAX];
};

static void read_id(const char *text, struct span at, struct task_id *ret_id)
{
    ret_id->len = json_span_is_string(text, at)
                      ? rpc_decode_string(text + at.off, at.len, ret_id->bytes, sizeof(ret_id->bytes))
                      : SIZE_MAX;
}

static bool is_task(const struct map_node *node, const void *key)
{
    const struct task_id *want = key;
    const struct task *t = CONST_CONTAINER_OF(node, struct task, node);
    return t->id_len == want->len && memcmp(t->id, want->bytes, want->len) == 0;
}

static struct task *find(const struct upstream *upstream, const struct task_id *id)
{
    if (id->len == SIZE_MAX || upstream->protocol->tasks.count == 0)
        return NULL;
    struct map_node *node = map_find(&upstream->protocol->tasks, hash_bytes(id->bytes, id->len), is_task, id);
    return node ? CONTAINER_OF(node, struct task, node) : NULL;
}

static struct task *find_at(const struct upstream *upstream, const char *text, struct span at)
{
    struct task_id id;
    read_id(text, at, &id);
    return find(upstream, &id);
}

/* ---- the life of a task ---- */

static void forget(struct task *t)
{
    struct call *c = t->call;
    map_remove(&t->upstream->protocol->tasks, &t->node);
    t->upstream->stats.tasks--;
    list_remove(&t->session_node);
    t->owner->protocol->task_count--;
    deadline_clear(t->upstream->router, &t->deadline);
    mem_free(t);
    if (c)
        call_close(c);
}

static void on_unused(struct deadline *d, uint64_t now_ms)
{
    struct task *t = CONTAINER_OF(d, struct task, deadline);
    uint64_t at = t->used_ms + TASK_KEEP_MS;
    if (at <= now_ms || deadline_set(t->upstream->router, d, at))
        forget(t);
}

static void touch(struct task *t, uint64_t now_ms)
{
    t->used_ms = now_ms;
    list_remove(&t->session_node);
    list_push_back(&t->owner->protocol->tasks, &t->session_node);
}

/* A terminal status ends the progress, not the ownership: the result is still to be fetched. */
static void end(struct task *t)
{
    struct call *c = t->call;
    t->ended = true;
    t->call = NULL;
    if (c)
        call_close(c);
}

static void see_status(struct task *t, const char *text, struct span status, uint64_t now_ms)
{
    static const char *const terminal[] = {"completed", "failed", "cancelled"};
    touch(t, now_ms);
    if (!json_span_is_string(text, status))
        return;
    for (size_t i = 0; i < sizeof(terminal) / sizeof(terminal[0]); i++) {
        if (rpc_string_is(text + status.off, status.len, terminal[i]))
            end(t);
    }
}

static struct task *task_new(struct call *c, const struct task_id *id, uint64_t now_ms)
{
    struct upstream *upstream = c->upstream;
    struct task *t = mem_zalloc(sizeof(*t) + id->len);
    if (!t)
        return NULL;
    t->upstream = upstream;
    t->owner = c->session;
    t->id_len = id->len;
    memcpy(t->id, id->bytes, id->len);
    heap_node_init(&t->deadline.node);
    t->deadline.expire = on_unused;
    list_init(&t->session_node);
    if (deadline_set(upstream->router, &t->deadline, now_ms + TASK_KEEP_MS)) {
        mem_free(t);
        return NULL;
    }
    if (map_add(&upstream->protocol->tasks, &t->node, hash_bytes(id->bytes, id->len))) {
        deadline_clear(upstream->router, &t->deadline);
        mem_free(t);
        return NULL;
    }
    upstream->stats.tasks++;
    t->owner->protocol->task_count++;
    touch(t, now_ms);
    return t;
}

static void forget_oldest(struct route_session *s)
{
    if (s->protocol->task_count >= TASKS_PER_SESSION)
        forget(CONTAINER_OF(s->protocol->tasks.next, struct task, session_node));
}

static void deliver_early_statuses(struct upstream *upstream, const char *id, size_t id_len, uint64_t now_ms);

/* true: the call is the task's now (and may be closed already). */
static bool created(struct call *c, const struct frame *answer, struct span task, uint64_t now_ms)
{
    bool kept = c->token_len > 0;
    struct upstream *upstream = c->upstream;
    struct route_session *owner = c->session;
    struct task_id id;
    read_id(answer->bytes, json_member(answer->bytes, task, "taskId"), &id);
    if (id.len == SIZE_MAX || find(upstream, &id))
        return false;
    forget_oldest(owner);
    struct task *t = task_new(c, &id, now_ms);
    if (!t)
        return false;
    if (kept) {
        call_move(c, CALL_TASK);
        t->call = c;
    }
    see_status(t, answer->bytes, json_member(answer->bytes, task, "status"), now_ms);
    deliver_early_statuses(upstream, id.bytes, id.len, now_ms);
    return kept;
}

/* ---- what passes ---- */

static struct span related_id(const char *text, struct span object)
{
    struct span meta = json_member(text, object, "_meta");
    return json_submember(text, meta, related_task, "taskId");
}

bool tasks_answered(struct call *c, const struct frame *answer, uint64_t now_ms)
{
    const struct span result = answer->env.result;
    struct task *t;
    if (answer->env.kind != RPC_RESULT)
        return false;
    switch (c->method) {
    case RPC_M_TOOLS_CALL:
        return c->is_task && created(c, answer, json_member(answer->bytes, result, "task"), now_ms);
    case RPC_M_TASKS_GET:
    case RPC_M_TASKS_CANCEL:
        t = find_at(c->upstream, answer->bytes, json_member(answer->bytes, result, "taskId"));
        if (t)
            see_status(t, answer->bytes, json_member(answer->bytes, result, "status"), now_ms);
        break;
    case RPC_M_TASKS_RESULT:
        t = find_at(c->upstream, answer->bytes, related_id(answer->bytes, result));
        if (t)
            end(t);
        break;
    default:
        break;
    }
    return false;
}

void tasks_refuse(struct route_session *s, const struct frame *frame)
{
    request_refuse(s, frame, RPC_E_INVALID_PARAMS, "Invalid params: no such task");
}

void tasks_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                   uint64_t now_ms)
{
    const struct task *t = find_at(s->upstream, frame->bytes, frame->env.task_id);
    if (t && t->owner == s)
        (void)request_submit(s, frame, method, now_ms);
    else
        tasks_refuse(s, frame);
}

static bool is_anothers(const struct route_session *s, const struct frame *frame, struct span id)
{
    const struct task *t = find_at(s->upstream, frame->bytes, id);
    return t && t->owner != s;
}

bool tasks_name_anothers(const struct route_session *s, const struct frame *frame)
{
    const struct rpc_envelope *env = &frame->env;
    if (s->upstream->protocol->tasks.count == 0)
        return false;
    return is_anothers(s, frame, env->task_id) || is_anothers(s, frame, env->task) ||
           is_anothers(s, frame, json_member(frame->bytes, env->task, "taskId")) ||
           is_anothers(s, frame, json_member(frame->bytes, env->related_task, "taskId"));
}

struct route_session *tasks_related_owner(const struct upstream *upstream, const struct frame *frame)
{
    const struct task *t =
        find_at(upstream, frame->bytes, json_member(frame->bytes, frame->env.related_task, "taskId"));
    return t ? t->owner : NULL;
}

struct route_session *tasks_status(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct task *t = find_at(upstream, frame->bytes, frame->env.task_id);
    if (!t)
        return NULL;
    see_status(t, frame->bytes, json_member(frame->bytes, frame->env.params, "status"), now_ms);
    return t->owner;
}

/* ---- statuses of tasks not known yet ---- */

static void drop_early(struct upstream *upstream, struct early_status *p)
{
    list_remove(&p->node);
    upstream->protocol->early_status_count--;
    block_pool_put(&upstream->router->blocks, p->block);
}

static struct early_status *oldest_early(struct upstream *upstream)
{
    return list_empty(&upstream->protocol->early_statuses)
               ? NULL
               : CONTAINER_OF(upstream->protocol->early_statuses.next, struct early_status, node);
}

static void on_early_over(struct deadline *d, uint64_t now_ms)
{
    struct upstream *upstream = CONTAINER_OF(d, struct upstream_protocol, early_status_deadline)->upstream;
    struct early_status *p;
    while ((p = oldest_early(upstream))) {
        if (p->until_ms > now_ms && deadline_set(upstream->router, d, p->until_ms) == 0)
            return;
        drop_early(upstream, p);
        upstream->stats.dropped_notifications++;
    }
}

void tasks_init(struct upstream *upstream)
{
    map_init(&upstream->protocol->tasks);
    list_init(&upstream->protocol->early_statuses);
    heap_node_init(&upstream->protocol->early_status_deadline.node);
    upstream->protocol->early_status_deadline.expire = on_early_over;
}

void tasks_keep_early_status(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct block *block = NULL;
    struct early_status *first = oldest_early(upstream);
    if (first && upstream->protocol->early_status_count >= EARLY_STATUS_MAX) {
        drop_early(upstream, first);
        upstream->stats.dropped_notifications++;
    }
    if (frame->len <= EARLY_STATUS_BYTES_MAX)
        block = block_pool_get(&upstream->router->blocks, sizeof(struct early_status) + frame->len);
    if (block && list_empty(&upstream->protocol->early_statuses) &&
        deadline_set(upstream->router, &upstream->protocol->early_status_deadline,
                     now_ms + EARLY_STATUS_MS)) {
        block_pool_put(&upstream->router->blocks, block);
        block = NULL;
    }
    if (!block) {
        upstream->stats.dropped_notifications++;
        return;
    }
    struct early_status *p = (struct early_status *)(void *)block->bytes;
    char *bytes = block->bytes + sizeof(*p);
    memcpy(bytes, frame->bytes, frame->len);
    *p = (struct early_status){.block = block, .until_ms = now_ms + EARLY_STATUS_MS, .frame = *frame};
    p->frame.bytes = bytes;
    list_push_back(&upstream->protocol->early_statuses, &p->node);
    upstream->protocol->early_status_count++;
}

static bool is_about(const struct early_status *p, const char *id, size_t id_len)
{
    char bytes[TASK_ID_MAX];
    const struct span at = p->frame.env.task_id;
    size_t len = rpc_decode_string(p->frame.bytes + at.off, at.len, bytes, sizeof(bytes));
    return len == id_len && memcmp(bytes, id, len) == 0;
}

static void deliver_early_statuses(struct upstream *upstream, const char *id, size_t id_len, uint64_t now_ms)
{
    LIST_EACH(node, next, &upstream->protocol->early_statuses)
    {
        struct early_status *p = CONTAINER_OF(node, struct early_status, node);
        if (!is_about(p, id, id_len))
            continue;
        struct route_session *owner = tasks_status(upstream, &p->frame, now_ms);
        if (owner)
            session_pass(owner, &p->frame, false);
        drop_early(upstream, p);
    }
}

/* ---- the end ---- */

/* A task cannot be cancelled with a notification. Best effort: the answer interests nobody. */
static void cancel_at_child(struct upstream *upstream, const char *id, size_t id_len, uint64_t now_ms)
{
    struct buf *text = &upstream->router->scratch;
    struct writer w;
    if (upstream->state != UPSTREAM_READY)
        return;
    struct call *c = call_open_own(upstream, RPC_M_TASKS_CANCEL, now_ms);
    buf_clear(text);
    writer_init(&w, text);
    write_object(&w);
    write_member_string(&w, "jsonrpc", "2.0");
    write_member_uint(&w, "id", c ? c->relay_id : calls_next_id(upstream));
    write_member_string(&w, "method", "tasks/cancel");
    write_key(&w, "params");
    write_object(&w);
    write_key(&w, "taskId");
    write_string(&w, id, id_len);
    write_object_end(&w);
    write_object_end(&w);
    if ((writer_end(&w) || outbox_enqueue_text(upstream, MESSAGE_REQUEST, buf_data(text), buf_len(text))) &&
        c)
        call_close(c);
}

void tasks_disown(struct upstream *upstream, const struct frame *answer, uint64_t now_ms)
{
    struct task_id id;
    read_id(answer->bytes, json_submember(answer->bytes, answer->env.result, "task", "taskId"), &id);
    if (id.len != SIZE_MAX && !find(upstream, &id))
        cancel_at_child(upstream, id.bytes, id.len, now_ms);
}

void tasks_leave(struct route_session *s, uint64_t now_ms)
{
    while (!list_empty(&s->protocol->tasks)) {
        struct task *t = CONTAINER_OF(s->protocol->tasks.next, struct task, session_node);
        if (!t->ended)
            cancel_at_child(t->upstream, t->id, t->id_len, now_ms);
        forget(t);
    }
}

void tasks_forget(struct upstream *upstream)
{
    const struct map *tasks = &upstream->protocol->tasks;
    struct map_node *node = map_next(tasks, NULL);
    struct early_status *p;
    while (node) {
        struct task *t = CONTAINER_OF(node, struct task, node);
        node = map_next(tasks, node);
        forget(t);
    }
    while ((p = oldest_early(upstream)))
        drop_early(upstream, p);
    deadline_clear(upstream->router, &upstream->protocol->early_status_deadline);
}
