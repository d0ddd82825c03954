/* How random children live: they come up, shake hands, do something, die, come back. */
#include "tests/model/model.h"

#include <stdio.h>

/* ---- living ---- */

static void come_up(struct child *ch)
{
    struct upstream *upstream = ch->upstream;
    child_init(ch, ch->client);
    ch->upstream = upstream;
    ch->state = CHILD_UP;
    if (w.sharing == SHARING_PER_SESSION)
        ch->state = CHILD_READY;
    if (chance(50))
        upstream_starting(upstream);
    upstream_attach(upstream, &ch->link, w.now_ms);
}

void child_down(struct child *ch, uint64_t retry_in_ms)
{
    const struct outage why = {
        .state = "backing-off",
        .exited = true,
        .exit_status = 1,
        .stderr_tail = "last \"words\"\n",
        .stderr_len = 13,
        .retry_at_ms = retry_in_ms ? w.now_ms + retry_in_ms : 0,
    };
    ch->state = retry_in_ms && w.sharing == SHARING_SHARED ? CHILD_WANTED : CHILD_DOWN;
    if (chance(50))
        w.capabilities++;
    upstream_down(ch->upstream, &why, w.now_ms);
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *c = &w.clients[i];
        for (size_t k = 0; k < c->out_count && !c->hung_up; k++) {
            const struct req *r = req_of(c->out[k]);
            CHECK(!r->seen || (ch->client >= 0 && ch->client != i),
                  "request %llu was in flight and is out still", (unsigned long long)r->serial);
        }
    }
    for (uint64_t t = 0; t < TASKS; t++) {
        struct req *r = req_of(w.tasks[t].serial);
        if (r && (ch->client < 0 || ch->client == r->client))
            r->task_runs = false;
    }
    seen.deaths++;
}

static void shake_hands(struct child *ch)
{
    char line[256];
    (void)snprintf(line, sizeof(line),
                   "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"protocolVersion\":\"2025-11-25\","
                   "\"capabilities\":{\"tools\":{\"listChanged\":true},\"v\":%u}}}",
                   (unsigned long long)ch->handshake_id, w.capabilities / 8);
    ch->handshake_id = 0;
    ch->state = CHILD_READY;
    for (int i = 0; i < CLIENTS; i++)
        w.clients[i].expected_list_changes +=
            w.clients[i].open && w.clients[i].initialized && !w.clients[i].hung_up;
    bool first = w.handshakes++ == 0;
    child_say(ch, line);
    /* The first child changes nothing for anybody. */
    for (int i = 0; i < CLIENTS && first; i++)
        w.clients[i].expected_list_changes = 0;
}

void child_step(struct child *ch)
{
    if (!ch->upstream)
        return;
    if (ch->released) {
        if (chance(20)) {
            struct upstream *upstream = ch->upstream;
            ch->upstream = NULL;
            upstream_free(upstream);
        } else if (ch->kept_count > 0) {
            child_say(ch, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
        }
        return;
    }
    switch (ch->state) {
    case CHILD_WANTED:
        if (chance(20))
            come_up(ch);
        else if (chance(5))
            child_down(ch, chance(50) ? 700 : 0);
        break;
    case CHILD_UP:
        if (ch->closed || chance(3) || (ch->handshake_id == 0 && w.failing))
            child_down(ch, 300);
        else if (chance(30) && ch->handshake_id)
            shake_hands(ch);
        else if (chance(10))
            child_say(ch, "Server running on stdio");
        break;
    case CHILD_READY:
        if (ch->closed)
            child_down(ch, 300);
        else
            child_do(ch);
        break;
    default:
        break;
    }
}

struct child *child_for(struct upstream *upstream)
{
    if (w.sharing == SHARING_SHARED)
        return &w.children[0];
    struct child *ch = upstream_data(upstream);
    if (ch)
        return ch;
    for (size_t i = 0; i < CLIENTS * 2; i++) {
        if (!w.children[i].upstream) {
            child_init(&w.children[i], -1);
            return &w.children[i];
        }
    }
    return NULL;
}
