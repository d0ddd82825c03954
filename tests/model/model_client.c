/* Random clients: what they say, and what they may hear. */
#include "tests/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/rpc_error.h"

/* Few ids and tokens, so that clients collide with one another and with themselves. */
static const char *const ids[] = {"0",     "1",
                                  "2",     "3",
                                  "4",     "5",
                                  "6",     "7",
                                  "\"0\"", "\"1\"",
                                  "1.0",   "-1",
                                  "1e0",   "9007199254740993",
                                  "\"\"",  "\"a\\u0020b\""};
#define IDS (sizeof(ids) / sizeof(ids[0]))

/* ---- hearing ---- */

static void hear_membership(struct client *c, const struct req *r, bool is_result)
{
    enum member *m = &c->member[r->uri];
    if (r->kind == K_SUBSCRIBE && is_result)
        *m = MEMBER_YES;
    else if (r->kind == K_UNSUBSCRIBE)
        *m = is_result ? MEMBER_NO : MEMBER_UNSURE;
    else if (r->kind == K_SUBSCRIBE && *m == MEMBER_YES)
        *m = MEMBER_UNSURE;
}

static void hear_relay_error(struct client *c, const struct req *r, const char *line)
{
    const char *at = strstr(line, "\"code\":");
    int code = (int)strtol(at + 7, NULL, 10);
    bool sent = line_has(line, "\"sent\":true");
    CHECK(sent == r->seen, "sent is wrong: %s", line);
    CHECK(!line_has(line, "\"retryable\":true") || !sent, "%s", line);
    switch (code) {
    case RPC_E_TIMEOUT:
        CHECK(w.now_ms - r->at_ms >= 3000, "too early after %d ms: %s", (int)(w.now_ms - r->at_ms), line);
        seen.timeouts++;
        break;
    case RPC_E_SERVER_UNAVAILABLE:
        seen.unavailable++;
        break;
    case RPC_E_OVERLOADED:
        seen.overloads++;
        break;
    case RPC_E_BAD_REPLY:
    case RPC_E_TOO_LARGE:
        break;
    case RPC_E_METHOD_NOT_FOUND:
        CHECK(r->kind == K_LIST || r->kind == K_DISCOVER || r->kind == K_RELAY || r->kind == K_LEVEL, "%s",
              line);
        break;
    case RPC_E_INVALID_PARAMS:
        CHECK(w.sharing == SHARING_SHARED && !sent, "%s",
              line); /* it names a task that is not the client's */
        break;
    default:
        CHECK(false, "client %d: %s", c->index, line);
    }
    seen.errors++;
}

static void hear_answer(struct client *c, const struct rpc_envelope *env, const char *line)
{
    struct req *r = req_by_id(c, line + env->id.off, env->id.len);
    CHECK(r, "client %d has nothing out under this id: %s", c->index, line);
    uint64_t serial = line_number(line, "x");
    bool relay = line_has(line, "\"relay\":true");
    if (serial != UINT64_MAX) {
        CHECK(serial == r->serial, "client %d asked %llu: %s", c->index, (unsigned long long)r->serial, line);
        CHECK(r->seen, "answered before it was asked: %s", line);
    }
    if (relay)
        hear_relay_error(c, r, line);
    if (r->kind == K_INITIALIZE && env->kind == RPC_RESULT) {
        c->initialize_answered = true;
        c->batches = line_has(line, "\"protocolVersion\":\"2025-03-26\"");
    }
    if (r->kind == K_SUBSCRIBE || r->kind == K_UNSUBSCRIBE)
        hear_membership(c, r, env->kind == RPC_RESULT);
    seen.answers++;
    req_leave(r, REQ_DONE);
}

static void hear_progress(struct client *c, const struct rpc_envelope *env, const char *line)
{
    struct req *r = req_of(line_number(line, "x"));
    CHECK(r, "progress for nothing: %s", line);
    CHECK(r->client == c->index && r->client_generation == c->generation, "progress for client %d: %s",
          r->client, line);
    CHECK(r->state == REQ_OUT || r->task_runs, "progress after the answer: %s", line);
    CHECK(strlen(r->token) == env->param_token.len &&
              memcmp(r->token, line + env->param_token.off, env->param_token.len) == 0,
          "token %s: %s", r->token, line);
    seen.progress++;
}

static void hear_notification(struct client *c, const struct rpc_envelope *env, const char *line)
{
    switch (rpc_method(line + env->method.off, env->method.len)) {
    case RPC_M_N_PROGRESS:
        hear_progress(c, env, line);
        break;
    case RPC_M_N_TOOLS_CHANGED:
        CHECK(c->expected_list_changes > 0, "client %d: %s", c->index, line);
        c->expected_list_changes--;
        seen.list_changes++;
        break;
    case RPC_M_N_RESOURCES_UPDATED:
        CHECK(c->expected_updates > 0 || c->may_get_updates, "client %d: %s", c->index, line);
        if (c->expected_updates > 0)
            c->expected_updates--;
        seen.updates++;
        break;
    case RPC_M_N_TASK_STATUS: {
        struct req *r = req_of(w.tasks[line_number(line, "n") % TASKS].serial);
        CHECK(r && r->client == c->index && r->client_generation == c->generation, "client %d: %s", c->index,
              line);
        seen.statuses++;
        break;
    }
    case RPC_M_N_CANCELLED:
        CHECK(w.sharing == SHARING_PER_SESSION, "%s", line);
        break;
    case RPC_M_N_MESSAGE:
        CHECK(c->initialized || w.sharing == SHARING_PER_SESSION, "%s", line);
        break;
    default:
        CHECK(false, "client %d: %s", c->index, line);
    }
}

static void hear_question(struct client *c, const struct rpc_envelope *env, const char *line)
{
    uint64_t id;
    CHECK(w.sharing == SHARING_PER_SESSION, "a question on a shared child: %s", line);
    CHECK(rpc_parse_id(line + env->id.off, env->id.len, &id), "%s", line);
    uint64_t mark = line_number(line, "q");
    CHECK(mark / 1000000 == (uint64_t)c->index, "client %d was asked another's question: %s", c->index, line);
    if (c->server_request_count < ASKED) {
        c->questions[c->server_request_count].id = id;
        c->questions[c->server_request_count++].mark = mark;
    }
    seen.questions++;
}

static int hear(struct link *link, const struct message *message)
{
    struct client *c = (struct client *)(void *)link;
    char line[LINE_MAX_BYTES];
    struct rpc_envelope env;
    if (c->hung_up)
        return ERR_CLOSING;
    if (model_send_fails())
        return -12;
    size_t len = line_join(message, line);
    CHECK(c->open, "client %d is closed: %s", c->index, line);
    rpc_scan_line(line, len, &env);
    CHECK(env.kind != RPC_INVALID && env.kind != RPC_BATCH, "not a message: %s", line);
    line_check_kind(message, &env, line);
    if (env.kind == RPC_NOTIFICATION) {
        hear_notification(c, &env, line);
    } else if (env.kind == RPC_REQUEST) {
        hear_question(c, &env, line);
    } else if (env.id_null) {
        CHECK(c->null_errors > 0, "client %d: %s", c->index, line);
        c->null_errors--;
        seen.nulls++;
    } else {
        hear_answer(c, &env, line);
    }
    return 0;
}

static void on_pause(struct link *link)
{
    (void)link;
}

static void on_close(struct link *link, int code, const char *reason)
{
    struct client *c = (struct client *)(void *)link;
    (void)code;
    CHECK(reason && reason[0], "a close without a reason");
    c->hung_up = true;
}

static const struct link_ops client_ops = {hear, on_pause, on_pause, on_close, NULL};

void client_check(struct client *c)
{
    if (!c->open || c->hung_up)
        return;
    bool lossy = w.failing;
    CHECK(c->null_errors == 0, "client %d is owed %u errors", c->index, c->null_errors);
    CHECK(lossy || c->expected_list_changes == 0, "client %d missed a list_changed", c->index);
    CHECK(lossy || c->expected_updates == 0, "client %d missed an update", c->index);
    c->expected_list_changes = 0;
    c->expected_updates = 0;
    c->may_get_updates = false;
}

/* ---- saying ---- */

void client_open(struct client *c)
{
    int index = c->index;
    unsigned generation = c->generation;
    memset(c, 0, sizeof(*c));
    c->index = index;
    c->generation = generation + 1;
    c->link.ops = &client_ops;
    c->link.high_bytes = LINK_HIGH_BYTES;
    const struct peer_key key = {.kind = PEER_ADDRESS, .bytes = {[15] = (unsigned char)(index % HOSTS)}};
    c->open = route_session_open(w.router, "model", &c->link, &key, c, w.now_ms, &c->s) == 0;
    CHECK(c->open || w.failing, "cannot open");
}

void client_close(struct client *c)
{
    struct route_session *s = c->s;
    while (c->out_count > 0)
        req_leave(req_of(c->out[0]), REQ_CANCELLED);
    if (c->child)
        c->child->client = -1;
    c->open = false;
    c->s = NULL;
    route_session_close(s, w.now_ms);
}

void client_say(struct client *c, const char *line)
{
    size_t len = strlen(line);
    /* Exactly as large as the line, so that a sanitizer sees a read past its end. */
    char *bytes = malloc(len);
    CHECK(bytes, "no memory for the model");
    memcpy(bytes, line, len);
    struct frame frame = {.bytes = bytes, .len = len};
    rpc_scan_line(bytes, len, &frame.env);
    w.speaking = c->index;
    route_session_frame(c->s, &frame, w.now_ms);
    free(bytes);
}

static const char *pick_id(void)
{
    return ids[rnd(IDS)];
}

/* One request as text; its id may be taken, which owes an error with id null. 0: taken by one after `since`,
 * of which nobody knows yet whether it will be answered at once. */
static size_t compose(struct client *c, uint64_t since, char *out, size_t cap)
{
    static const char *const methods[] = {
        [K_PLAIN] = "tools\\/call",
        [K_PING] = "ping",
        [K_INITIALIZE] = "initialize",
        [K_LEVEL] = "logging/setLevel",
        [K_SUBSCRIBE] = "resources/subscribe",
        [K_UNSUBSCRIBE] = "resources/unsubscribe",
        [K_TASK] = "tools/call",
        [K_TASK_GET] = "tasks/get",
        [K_LIST] = "tasks/list",
        [K_DISCOVER] = "server/discover",
        [K_RELAY] = "relay/nothing",
    };
    static const char *const versions[] = {"2025-03-26", "2025-11-25", "2026-07-28", "2024-11-05"};
    const char *id = pick_id();
    enum kind kind = chance(60) ? K_PLAIN : (enum kind)rnd(K_KINDS);
    const struct req *other = req_by_id(c, id, strlen(id));
    bool taken = other;
    if (taken && other->serial > since)
        return 0;
    struct req none = {.kind = kind};
    struct req *r = taken ? &none : req_new(c, kind);
    if (taken && !c->hung_up)
        c->null_errors++;
    (void)snprintf(r->id, sizeof(r->id), "%s", id);
    if (chance(50))
        (void)snprintf(r->token, sizeof(r->token), "%s", pick_id());
    r->uri = (int)rnd(URIS);
    char meta[96] = "";
    if (r->token[0])
        (void)snprintf(meta, sizeof(meta), "\"_meta\":{\"progressToken\":%s},", r->token);
    int n = snprintf(
        out, cap,
        chance(50)
            ? "{\"jsonrpc\":\"2.0\",\"id\":%1$s,\"method\":\"%2$s\",\"params\":{%3$s\"uri\":\"u:%4$"
              "d\",\"level\":\"%5$s\",\"taskId\":\"t%6$llu\",%7$s\"protocolVersion\":\"%8$s\",\"x\":%9$llu}}"
            : "{\"params\":{\"uri\":\"u:%4$d\",\"x\":%9$llu,\"taskId\":\"t%6$llu\",%7$s%3$s\"level\":"
              "\"%5$s\",\"protocolVersion\":\"%8$s\"},\"method\":\"%2$s\",\"id\":%1$s,\"jsonrpc\":\"2.0\"}",
        id, methods[kind], meta, r->uri, chance(50) ? "debug" : "error",
        (unsigned long long)(w.last_task - rnd(TASKS / 2 < w.last_task ? TASKS / 2 : w.last_task + 1)),
        kind == K_TASK ? "\"task\":{}," : "", versions[rnd(4)], (unsigned long long)r->serial);
    return (size_t)n;
}

static void say_request(struct client *c)
{
    char line[LINE_MAX_BYTES];
    if (c->out_count + 4 > OUT_MAX)
        return;
    (void)compose(c, UINT64_MAX, line, sizeof(line));
    client_say(c, line);
}

static void say_batch(struct client *c)
{
    char line[LINE_MAX_BYTES];
    size_t len = 1;
    uint64_t since = w.last_serial;
    if (c->out_count + 8 > OUT_MAX)
        return;
    bool allowed = c->batches;
    if (!allowed) {
        c->null_errors += !c->hung_up;
        client_say(c, "[{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"x\"}]");
        return;
    }
    line[0] = '[';
    for (uint64_t i = 0, n = 1 + rnd(4); i < n; i++) {
        size_t n_bytes = compose(c, since, line + len, sizeof(line) - len - 2);
        if (n_bytes > 0)
            line[len + n_bytes] = ',';
        len += n_bytes > 0 ? n_bytes + 1 : 0;
    }
    line[len - 1] = ']';
    line[len] = '\0';
    client_say(c, line);
}

static void say_cancel(struct client *c)
{
    char line[256];
    const char *id = pick_id();
    struct req *r = req_by_id(c, id, strlen(id));
    bool cancels = r && r->kind != K_INITIALIZE && !c->hung_up;
    if (cancels) {
        if (r->kind == K_SUBSCRIBE || r->kind == K_UNSUBSCRIBE)
            c->member[r->uri] = MEMBER_UNSURE;
        req_leave(r, REQ_CANCELLED);
        seen.cancels++;
    }
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/cancelled\",\"params\":{\"reason\":\"r\",\"requestId\":%s}}",
        id);
    client_say(c, line);
}

static void say_nonsense(struct client *c)
{
    static const char *const lines[] = {"{\"jsonrpc\":\"2.0\",\"id\":",
                                        "nonsense",
                                        "{}",
                                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}",
                                        "\"\xff\"",
                                        "[]"};
    c->null_errors += !c->hung_up;
    client_say(c, lines[rnd(sizeof(lines) / sizeof(lines[0]))]);
}

static void say_notification(struct client *c)
{
    static const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/custom\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":77777,\"result\":{}}",
    };
    if (chance(30)) {
        c->initialized = true;
        client_say(c, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        return;
    }
    client_say(c, lines[rnd(sizeof(lines) / sizeof(lines[0]))]);
}

static void say_too_large(struct client *c)
{
    const char *id = pick_id();
    if (req_by_id(c, id, strlen(id)) || c->out_count + 1 > OUT_MAX)
        return;
    struct req *r = req_new(c, K_PLAIN);
    (void)snprintf(r->id, sizeof(r->id), "%s", id);
    struct frame frame = {.bytes = id, .len = 9000000, .oversize = true};
    frame.env.id = (struct span){0, strlen(id)};
    frame.env.method = (struct span){100, 3};
    frame.env.has_method = true;
    route_session_frame(c->s, &frame, w.now_ms);
}

static void answer_question(struct client *c)
{
    char line[256];
    size_t i = rnd(c->server_request_count);
    unsigned long long id = c->questions[i].id;
    unsigned long long mark = c->questions[i].mark;
    if (chance(80))
        (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"q\":%llu}}", id,
                       mark);
    else
        (void)snprintf(
            line, sizeof(line),
            "{\"id\":%llu,\"error\":{\"code\":1,\"message\":\"\",\"data\":{\"q\":%llu}},\"jsonrpc\":\"2.0\"}",
            id, mark);
    c->questions[i] = c->questions[--c->server_request_count];
    client_say(c, line);
    if (chance(10))
        client_say(c, line); /* twice: the second is to nothing */
}

static void toggle_slow(struct client *c)
{
    c->slow = !c->slow;
    c->link.queued_bytes = c->slow ? c->link.high_bytes + 1 : 0;
    if (!c->slow)
        route_session_writable(c->s, w.now_ms);
}

void client_step(struct client *c)
{
    uint64_t what = rnd(1000);
    if (!c->open) {
        if (what < 300)
            client_open(c);
    } else if (c->hung_up ? what < 300 : what < 4) {
        client_close(c);
    } else if (c->slow ? what < 200 : what < 8) {
        toggle_slow(c);
    } else if (what < 600) {
        say_request(c);
    } else if (what < 640) {
        say_batch(c);
    } else if (what < 760) {
        say_cancel(c);
    } else if (what < 800) {
        say_nonsense(c);
    } else if (what < 850) {
        say_notification(c);
    } else if (what < 860) {
        say_too_large(c);
    } else if (c->server_request_count > 0) {
        answer_question(c);
    }
}
