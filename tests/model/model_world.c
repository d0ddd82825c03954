/* The random numbers, the requests' book and the checks that hold after every step. */
#include "tests/model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world w;
struct seen seen;

uint64_t rnd(uint64_t below)
{
    w.rng ^= w.rng << 13;
    w.rng ^= w.rng >> 7;
    w.rng ^= w.rng << 17;
    return (w.rng >> 11) % below;
}

bool chance(unsigned percent)
{
    return rnd(100) < percent;
}

_Noreturn void model_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "%s:%d: seed %llu, step %llu: %s: %s\n", file, line, (unsigned long long)w.seed,
            (unsigned long long)w.steps, condition, text);
    fail_msg("%s:%d: step %llu: %s: %s", file, line, (unsigned long long)w.steps, condition, text);
    abort();
}

bool model_send_fails(void)
{
    return w.failing && rnd(2000) == 0;
}

/* ---- lines ---- */

size_t line_join(const struct message *message, char out[LINE_MAX_BYTES])
{
    size_t len = 0;
    const struct part *parts = message->parts;
    for (size_t i = 0; i < message->part_count; i++) {
        CHECK(len + parts[i].len < LINE_MAX_BYTES, "a line of more than %d bytes", LINE_MAX_BYTES);
        if (parts[i].len > 0)
            memcpy(out + len, parts[i].bytes, parts[i].len);
        len += parts[i].len;
    }
    out[len] = '\0';
    return len;
}

void line_check_kind(const struct message *message, const struct rpc_envelope *env, const char *line)
{
    static const enum rpc_kind kinds[] = {
        [MESSAGE_REQUEST] = RPC_REQUEST,
        [MESSAGE_NOTIFICATION] = RPC_NOTIFICATION,
        [MESSAGE_RESULT] = RPC_RESULT,
        [MESSAGE_ERROR] = RPC_ERROR,
    };
    CHECK(kinds[message->kind] == env->kind, "sent as kind %d: %s", (int)message->kind, line);
    CHECK(!message->about == (message->about_len == 0), "%zu bytes of no id: %s", message->about_len, line);
    if (message->about && (env->kind == RPC_RESULT || env->kind == RPC_ERROR))
        CHECK(message->about_len == env->id.len &&
                  memcmp(message->about, line + env->id.off, env->id.len) == 0,
              "about another request: %s", line);
}

uint64_t line_number(const char *line, const char *key)
{
    char quoted[64];
    int n = snprintf(quoted, sizeof(quoted), "\"%s\":", key);
    const char *at = strstr(line, quoted);
    if (!at || at[n] < '0' || at[n] > '9')
        return UINT64_MAX;
    return strtoull(at + n, NULL, 10);
}

bool line_has(const char *line, const char *text)
{
    return strstr(line, text);
}

/* ---- requests ---- */

struct req *req_of(uint64_t serial)
{
    struct req *r = &w.reqs[serial % REQS];
    return r->serial == serial ? r : NULL;
}

struct req *req_new(struct client *c, enum kind kind)
{
    uint64_t serial = ++w.last_serial;
    struct req *r = &w.reqs[serial % REQS];
    CHECK(r->state != REQ_OUT, "the book is too small");
    memset(r, 0, sizeof(*r));
    r->serial = serial;
    r->client = c->index;
    r->client_generation = c->generation;
    r->kind = kind;
    r->at_ms = w.now_ms;
    r->state = REQ_OUT;
    CHECK(c->out_count < OUT_MAX, "client %d has too many out", c->index);
    c->out[c->out_count++] = serial;
    w.out++;
    return r;
}

struct req *req_by_id(struct client *c, const char *id, size_t len)
{
    for (size_t i = 0; i < c->out_count; i++) {
        struct req *r = req_of(c->out[i]);
        if (r && strlen(r->id) == len && memcmp(r->id, id, len) == 0)
            return r;
    }
    return NULL;
}

void req_leave(struct req *r, enum req_state to)
{
    struct client *c = &w.clients[r->client];
    CHECK(r->state == REQ_OUT, "request %llu is not out", (unsigned long long)r->serial);
    r->state = to;
    w.out--;
    for (size_t i = 0; i < c->out_count; i++) {
        if (c->out[i] == r->serial) {
            c->out[i] = c->out[--c->out_count];
            return;
        }
    }
    CHECK(false, "request %llu is not in its client's list", (unsigned long long)r->serial);
}

/* ---- after every step ---- */

struct server_limits world_limits(void)
{
    return (struct server_limits){
        .sharing = w.sharing,
        .log_messages = LOG_MESSAGES_BROADCAST,
        .max_in_flight = 10,
        .max_waiting = 40,
        .session_waiting_bytes = 1500,
        .timeout_ms = 3000,
        .timeout_max_ms = 20000,
    };
}

/* A client's requests that a child saw, and answers to which are still owed: nobody holds more than the rule
 * allows. */
static void check_upstream(void *data, struct upstream *upstream)
{
    struct upstream_stats stats;
    const struct server_limits limits = world_limits();
    size_t *in_flight = data;
    upstream_get_stats(upstream, &stats);
    CHECK(stats.in_flight <= limits.max_in_flight, "%zu in flight", stats.in_flight);
    CHECK(stats.waiting <= limits.max_waiting + CLIENTS * OUT_MAX, "%zu waiting", stats.waiting);
    CHECK(stats.abandoned <= 4096, "%zu abandoned", stats.abandoned);
    CHECK(stats.waiting > 0 || stats.waiting_bytes == 0, "%zu bytes of nothing", stats.waiting_bytes);
    seen.waited += stats.waiting > 0;
    peers_check(upstream);
    *in_flight += stats.in_flight + stats.waiting;
}

/* While nobody asks, the child is subscribed to what somebody wants, and to nothing else. */
static void check_subscriptions(void)
{
    const struct child *ch = &w.children[0];
    if (w.sharing != SHARING_SHARED || w.failing || ch->state != CHILD_READY || ch->full)
        return;
    for (int uri = 0; uri < URIS; uri++) {
        bool wanted = false;
        bool sure = true;
        for (int i = 0; i < CLIENTS; i++) {
            const struct client *c = &w.clients[i];
            wanted = wanted || (c->open && c->member[uri] == MEMBER_YES);
            sure = sure && !(c->open && c->member[uri] == MEMBER_UNSURE);
            for (size_t k = 0; k < c->out_count; k++) {
                const struct req *r = req_of(c->out[k]);
                sure = sure && !((r->kind == K_SUBSCRIBE || r->kind == K_UNSUBSCRIBE) && r->uri == uri);
            }
        }
        CHECK(!sure || wanted == ch->subscribed[uri], "u:%d: wanted %d, subscribed %d", uri, wanted,
              ch->subscribed[uri]);
    }
}

/* What the router still has belongs to clients that are open; a client whose link it gave up is owed nothing.
 */
void world_check(void)
{
    size_t owed = 0;
    size_t held = 0;
    size_t pending = router_pending(w.router);
    for (int i = 0; i < CLIENTS; i++) {
        client_check(&w.clients[i]);
        owed += w.clients[i].hung_up ? 0 : w.clients[i].out_count;
    }
    route_server_each_upstream(w.server, check_upstream, &held);
    CHECK(pending >= owed && pending <= w.out, "%zu pending, %zu owed, %zu out", pending, owed, w.out);
    CHECK(held >= pending, "%zu in upstreams, %zu pending", held, pending);
    CHECK(router_next_deadline(w.router) > w.now_ms, "something was due");
    check_subscriptions();
}
