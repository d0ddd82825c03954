/* Random children: they answer out of order, late, twice, badly or never; write invalid lines; ask; die and come back.
 */
#include "tests/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- hearing ---- */

static void keep(struct child *ch, uint64_t relay_id, uint64_t serial)
{
    if (ch->kept_count == KEPT)
        memmove(&ch->kept[0], &ch->kept[1], sizeof(ch->kept[0]) * --ch->kept_count);
    ch->kept[ch->kept_count].relay_id = relay_id;
    ch->kept[ch->kept_count].serial = serial;
    ch->kept[ch->kept_count++].settled = false;
}

static void hear_request(struct child *ch, const struct rpc_envelope *env, const char *line)
{
    uint64_t id;
    enum rpc_method method = rpc_method(line + env->method.off, env->method.len);
    uint64_t serial = line_number(line, "x");
    CHECK(rpc_parse_id(line + env->id.off, env->id.len, &id) && id > 0, "%s", line);
    for (size_t i = 0; i < ch->kept_count; i++)
        CHECK(ch->kept[i].relay_id != id, "an id was used twice: %s", line);
    uint64_t uri = env->uri.len > 3 ? (uint64_t)(line[env->uri.off + 3] - '0') : 0;
    if (method == RPC_M_SUBSCRIBE || method == RPC_M_UNSUBSCRIBE)
        ch->subscribed[uri] = method == RPC_M_SUBSCRIBE;
    if (serial == UINT64_MAX) {
        if (method == RPC_M_INITIALIZE)
            ch->handshake_id = id;
        else
            CHECK(method == RPC_M_SUBSCRIBE || method == RPC_M_UNSUBSCRIBE || method == RPC_M_SET_LEVEL ||
                      method == RPC_M_TASKS_CANCEL,
                  "the relay's own: %s", line);
        return;
    }
    struct req *r = req_of(serial);
    CHECK(r && r->state == REQ_OUT, "a request that is not out: %s", line);
    CHECK(!r->seen, "sent twice: %s", line);
    CHECK(ch->client < 0 || ch->client == r->client, "client %d at another's child: %s", r->client, line);
    CHECK(r->token[0] == '\0' || line_number(line, "progressToken") == id, "%s", line);
    CHECK(w.sharing == SHARING_PER_SESSION || (method != RPC_M_PING && method != RPC_M_INITIALIZE &&
                                               method != RPC_M_TASKS_LIST && method != RPC_M_SET_LEVEL),
          "not for a shared child: %s", line);
    CHECK(method != RPC_M_DISCOVER && method != RPC_M_RELAY, "%s", line);
    r->seen = true;
    r->relay_id = id;
    keep(ch, id, serial);
    peers_note_dispatch(ch, r->client);
}

static void hear_cancel(struct child *ch, const char *line)
{
    uint64_t id = line_number(line, "requestId");
    for (size_t i = 0; i < ch->kept_count; i++) {
        if (ch->kept[i].relay_id != id)
            continue;
        struct req *r = req_of(ch->kept[i].serial);
        /* A time-out answers the client first; the client is gone, or it cancelled. */
        CHECK(!r || r->state != REQ_OUT || w.clients[r->client].hung_up, "cancelled, but it is out: %s",
              line);
        CHECK(!r || r->kind != K_INITIALIZE, "initialize was cancelled: %s", line);
        if (chance(50))
            ch->kept[i].settled = true;
        return;
    }
}

static void hear_reply(struct child *ch, const struct rpc_envelope *env, const char *line)
{
    int id = (int)strtol(line + env->id.off, NULL, 10);
    if (w.sharing == SHARING_SHARED) {
        CHECK(ch->refusals > 0, "%s", line);
        ch->refusals--;
        return;
    }
    uint64_t mark = line_number(line, "q");
    for (size_t i = 0; i < ASKED; i++) {
        if (!ch->asked[i].open || ch->asked[i].id != id)
            continue;
        if (mark == UINT64_MAX || mark == ch->asked[i].mark) {
            ch->asked[i].open = false;
            return;
        }
    }
    CHECK(false, "an answer to no question: %s", line);
}

static int hear(struct link *link, const struct message *message)
{
    struct child *ch = (struct child *)(void *)link;
    char line[LINE_MAX_BYTES];
    struct rpc_envelope env;
    if (ch->closed)
        return ERR_CLOSING;
    if (model_send_fails())
        return -12;
    size_t len = line_join(message, line);
    CHECK(ch->state == CHILD_UP || ch->state == CHILD_READY, "a child that is gone is told %s", line);
    rpc_scan_line(line, len, &env);
    line_check_kind(message, &env, line);
    switch (env.kind) {
    case RPC_REQUEST:
        hear_request(ch, &env, line);
        break;
    case RPC_NOTIFICATION:
        if (line_has(line, "cancelled"))
            hear_cancel(ch, line);
        break;
    case RPC_RESULT:
    case RPC_ERROR:
        hear_reply(ch, &env, line);
        break;
    default:
        CHECK(false, "not a message: %s", line);
    }
    return 0;
}

static void on_pause(struct link *link)
{
    (void)link;
}

static void on_close(struct link *link, int code, const char *reason)
{
    (void)code;
    (void)reason;
    ((struct child *)(void *)link)->closed = true;
}

static const struct link_ops child_ops = {hear, on_pause, on_pause, on_close, NULL};

/* ---- saying ---- */

void child_init(struct child *ch, int client)
{
    memset(ch, 0, sizeof(*ch));
    ch->link.ops = &child_ops;
    ch->link.high_bytes = LINK_HIGH_BYTES;
    ch->client = client;
}

void child_say(struct child *ch, const char *line)
{
    size_t len = strlen(line);
    char *bytes = malloc(len);
    CHECK(bytes, "no memory for the model");
    memcpy(bytes, line, len);
    struct frame frame = {.bytes = bytes, .len = len};
    rpc_scan_line(bytes, len, &frame.env);
    upstream_frame(ch->upstream, &frame, w.now_ms);
    upstream_writable(ch->upstream, w.now_ms);
    free(bytes);
}

static void note_task(struct req *r, char *more, size_t cap)
{
    uint64_t number = ++w.last_task;
    struct req *old = req_of(w.tasks[number % TASKS].serial);
    if (old)
        old->task_runs = false; /* the book forgets it: no progress will be sent for it */
    w.tasks[number % TASKS].serial = r->serial;
    w.tasks[number % TASKS].ended = false;
    r->task_runs = true;
    (void)snprintf(more, cap, ",\"task\":{\"taskId\":\"t%llu\",\"status\":\"working\"}",
                   (unsigned long long)number);
}

static void compose_answer(struct child *ch, struct req *r, uint64_t relay_id, uint64_t serial, char *out,
                           size_t cap)
{
    char more[128] = "";
    unsigned long long id = relay_id;
    unsigned long long x = serial;
    bool refuses = chance(15);
    if (r && r->kind == K_TASK && r->state == REQ_OUT && !refuses)
        note_task(r, more, sizeof(more));
    if (r && r->kind == K_INITIALIZE)
        (void)snprintf(more, sizeof(more), ",\"protocolVersion\":\"%s\"",
                       chance(50) ? "2025-03-26" : "2025-11-25");
    if (refuses && r && (r->kind == K_SUBSCRIBE || r->kind == K_UNSUBSCRIBE)) {
        /* Repeated to those who wait for the same: it bears no serial. What it changed is taken back. */
        (void)snprintf(out, cap,
                       "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":-1,\"message\":\"m\"}}", id);
        if (r->state == REQ_OUT)
            ch->subscribed[r->uri] = r->kind == K_UNSUBSCRIBE;
    } else if (refuses)
        (void)snprintf(
            out, cap,
            "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":-1,\"message\":\"m\",\"data\":{\"x\":%llu}}}",
            id, x);
    else if (chance(50))
        (void)snprintf(out, cap, "{\"result\":{\"x\":%llu%s},\"jsonrpc\":\"2.0\",\"id\":%llu}", x, more, id);
    else
        (void)snprintf(out, cap, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"id\":5,\"x\":%llu%s}}", id,
                       x, more);
}

/* Before the answer that names the task, as real servers do. */
static void tell_early_status(struct child *ch)
{
    char line[256];
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"t%llu\",\"n\":%llu}}",
        (unsigned long long)w.last_task, (unsigned long long)w.last_task);
    child_say(ch, line);
}

/* Answers one that it remembers; whether the client hears of it depends on whether it is still out. */
static void answer(struct child *ch, size_t i)
{
    char line[512];
    uint64_t relay_id = ch->kept[i].relay_id;
    uint64_t serial = ch->kept[i].serial;
    struct req *r = req_of(serial);
    bool out = r && r->state == REQ_OUT && r->relay_id == relay_id;
    struct client *c = r ? &w.clients[r->client] : NULL;
    uint64_t before = seen.answers;
    if (!r)
        return;
    compose_answer(ch, r, relay_id, serial, line, sizeof(line));
    if (r->task_runs && out && chance(30))
        tell_early_status(ch);
    ch->kept[i].settled = true;
    child_say(ch, line);
    if (out)
        CHECK(r->state == REQ_DONE || c->hung_up, "not delivered: %s", line);
    else
        seen.late++;
    CHECK(out || seen.answers == before || w.failing, "delivered: %s", line);
    if (chance(20) && (ch->state == CHILD_READY))
        child_say(ch, line);
    if (chance(70) && i < ch->kept_count)
        memmove(&ch->kept[i], &ch->kept[i + 1], sizeof(ch->kept[0]) * (--ch->kept_count - i));
}

static void progress(struct child *ch)
{
    char line[256];
    size_t i = rnd(ch->kept_count);
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"x\":%llu,\"progressToken\":%llu}}",
        (unsigned long long)ch->kept[i].serial, (unsigned long long)ch->kept[i].relay_id);
    const struct req *r = req_of(ch->kept[i].serial);
    if (!r)
        return;
    const struct client *c = &w.clients[r->client];
    uint64_t before = seen.progress;
    bool due =
        r->state == REQ_OUT && r->relay_id == ch->kept[i].relay_id && r->token[0] && !c->slow && !c->hung_up;
    child_say(ch, line);
    CHECK(!due || seen.progress == before + 1 || w.failing, "progress was not passed on: %s", line);
}

static void invalid_lines(struct child *ch)
{
    static const char *const lines[] = {
        "Server running on stdio",
        "}",
        "[]",
        "{\"jsonrpc\":\"2.0\"}",
        "",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":999999999,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unknown\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":0}}"};
    /* An unknown notification passes on an own child; the model's clients know none. */
    size_t count = sizeof(lines) / sizeof(lines[0]);
    const char *line = lines[rnd(count)];
    if (!line_has(line, "unknown") || w.sharing == SHARING_SHARED)
        child_say(ch, line);
}

static void spoil(struct child *ch)
{
    char line[256];
    size_t i = rnd(ch->kept_count);
    struct req *r = req_of(ch->kept[i].serial);
    bool out = r && r->state == REQ_OUT && r->relay_id == ch->kept[i].relay_id;
    int n = snprintf(line, sizeof(line), "%llu", (unsigned long long)ch->kept[i].relay_id);
    if (chance(50)) {
        struct frame frame = {.bytes = line, .len = 9000000, .oversize = true};
        frame.env.id = (struct span){0, (size_t)n};
        upstream_frame(ch->upstream, &frame, w.now_ms);
        upstream_writable(ch->upstream, w.now_ms);
    } else {
        (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":tru}",
                       (unsigned long long)ch->kept[i].relay_id);
        child_say(ch, line);
    }
    CHECK(!out || r->state == REQ_DONE || w.clients[r->client].hung_up, "a spoilt answer was not told");
    ch->kept[i].settled = true;
}

static void tell_list_changed(struct child *ch)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &w.clients[i];
        if (c->open && !c->hung_up && (w.sharing == SHARING_SHARED ? c->initialized : ch->client == i))
            c->expected_list_changes++;
    }
    child_say(ch, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
}

static void tell_updated(struct child *ch)
{
    char line[160];
    int uri = (int)rnd(URIS);
    bool under = chance(30);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &w.clients[i];
        if (!c->open || c->hung_up)
            continue;
        bool unsure = c->member[uri] == MEMBER_UNSURE;
        for (size_t k = 0; k < c->out_count; k++) {
            const struct req *r = req_of(c->out[k]);
            unsure = unsure || ((r->kind == K_UNSUBSCRIBE || r->kind == K_SUBSCRIBE) && r->uri == uri);
        }
        c->may_get_updates = unsure || w.sharing == SHARING_PER_SESSION;
        if (!c->may_get_updates && c->member[uri] == MEMBER_YES)
            c->expected_updates++;
    }
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"\\u0075:%d%s\"}}",
        uri, under ? "/x" : "");
    child_say(ch, line);
}

static void tell_status(struct child *ch)
{
    char line[256];
    if (w.last_task == 0)
        return;
    uint64_t number = w.last_task - rnd(w.last_task < TASKS / 2 ? w.last_task : TASKS / 2);
    struct req *r = req_of(w.tasks[number % TASKS].serial);
    bool ends = chance(30);
    if (!r || (ch->client >= 0 &&
               (ch->client != r->client || w.clients[ch->client].generation != r->client_generation)))
        return;
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"t%llu\",\"n\":%llu,\"status\":\"%s\"}}",
        (unsigned long long)number, (unsigned long long)number, ends ? "completed" : "working");
    child_say(ch, line);
    if (ends)
        r->task_runs = false;
}

static void ask(struct child *ch)
{
    char line[256];
    size_t slot = rnd(ASKED);
    if (ch->asked[slot].open)
        return;
    int id = (int)rnd(10);
    for (size_t i = 0; i < ASKED; i++) {
        if (ch->asked[i].open && ch->asked[i].id == id)
            return;
    }
    uint64_t mark = (ch->client >= 0 ? (uint64_t)ch->client : 0) * 1000000 + ++w.last_mark % 1000000;
    if (w.sharing == SHARING_SHARED) {
        ch->refusals++;
    } else {
        ch->asked[slot].open = true;
        ch->asked[slot].id = id;
        ch->asked[slot].mark = mark;
    }
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{\"q\":%llu,\"_meta\":{\"progressToken\":0}}}",
        id, chance(20) ? "ping" : "sampling/createMessage", (unsigned long long)mark);
    child_say(ch, line);
    if (w.sharing == SHARING_SHARED)
        CHECK(ch->refusals == 0 || ch->full || w.failing, "the child was not answered");
}

static void toggle_full(struct child *ch)
{
    ch->full = !ch->full;
    ch->link.queued_bytes = ch->full ? ch->link.high_bytes : 0;
    if (!ch->full)
        upstream_writable(ch->upstream, w.now_ms);
}

static void tell_message(struct child *ch)
{
    child_say(
        ch, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"warning\"}}");
}

void child_do(struct child *ch)
{
    uint64_t what = rnd(1000);
    bool busy = ch->kept_count > 0;
    if (ch->full ? what < 300 : what < 10)
        toggle_full(ch);
    else if (what < 14)
        child_down(ch, chance(50) ? 500 : chance(50) ? 5000 : 0);
    else if (what < 500 && busy)
        answer(ch, rnd(ch->kept_count));
    else if (what < 700 && busy)
        progress(ch);
    else if (what < 720 && busy)
        spoil(ch);
    else if (what < 760)
        invalid_lines(ch);
    else if (what < 780)
        tell_list_changed(ch);
    else if (what < 850)
        tell_updated(ch);
    else if (what < 900)
        tell_status(ch);
    else if (what < 950)
        ask(ch);
    else
        tell_message(ch);
}
