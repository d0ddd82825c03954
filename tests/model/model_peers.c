/* Fairness among the hosts that the clients come from: looks into the router's books of an upstream. */
#include <string.h>

#include "route/outbox.h"
#include "route/state.h"
#include "tests/model/model.h"

/* A burst of each of the other hosts, and no more. */
#define PASSED_OVER_MAX (SCHEDULER_BURST * (HOSTS - 1))

static unsigned host_of(const struct route_peer *p)
{
    return p->key.bytes[15];
}

/* It may have any slot that is free. */
static bool is_entitled(const struct route_peer *p)
{
    return p->in_flight + p->abandoned == 0 && list_linked(&p->queued.entry.node);
}

typedef void peer_cb(const struct route_peer *p, unsigned data);

static void each_peer(const struct upstream *upstream, peer_cb *on_peer, unsigned data)
{
    for (const struct map_node *node = map_next(&upstream->peers, NULL); node;
         node = map_next(&upstream->peers, node))
        on_peer(CONST_CONTAINER_OF(node, struct route_peer, node), data);
}

static void pass_over(const struct route_peer *p, unsigned served)
{
    unsigned host = host_of(p);
    if (host == served || !is_entitled(p)) {
        w.passed_over[host] = 0;
        return;
    }
    w.passed_over[host]++;
    seen.passed_over++;
    CHECK(w.passed_over[host] <= PASSED_OVER_MAX, "host %u was passed over %u times", host,
          w.passed_over[host]);
}

void peers_note_dispatch(const struct child *ch, int client)
{
    if (w.sharing == SHARING_SHARED)
        each_peer(ch->upstream, pass_over, (unsigned)client % HOSTS);
}

static void check_peer(const struct route_peer *p, unsigned unused)
{
    size_t sessions = 0;
    size_t in_flight = 0;
    size_t abandoned = 0;
    size_t waiting = 0;
    size_t bytes = 0;
    (void)unused;
    for (const struct list *node = p->upstream->sessions.next; node != &p->upstream->sessions;
         node = node->next) {
        const struct route_session *s = CONST_CONTAINER_OF(node, struct route_session, upstream_node);
        if (s->peer != p)
            continue;
        sessions++;
        in_flight += s->in_flight;
        abandoned += s->abandoned;
        waiting += s->waiting;
        bytes += s->waiting_bytes;
    }
    CHECK(p->sessions == sessions && p->in_flight == in_flight && p->abandoned >= abandoned &&
              p->waiting == waiting && p->waiting_bytes == bytes,
          "host %u: %zu sessions, %zu in flight, %zu waiting", host_of(p), p->sessions, p->in_flight,
          p->waiting);
    CHECK(p->sessions > 0 || p->abandoned > 0, "host %u is gone and remembered", host_of(p));
    if (!is_entitled(p))
        w.passed_over[host_of(p)] = 0;
}

void peers_check(struct upstream *upstream)
{
    each_peer(upstream, check_peer, 0);
    bool takes = upstream->state == UPSTREAM_READY && !upstream->draining && !upstream->link_closing &&
                 upstream_has_room(upstream) && outbox_is_empty(upstream);
    CHECK(!takes || w.failing || !fair_queue_next(upstream), "a slot is free for somebody who waits");
}
