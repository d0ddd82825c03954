/* A link on which the relay has never said a word, and the attempt beside it.
 *
 * A relay that is stopped (SIGSTOP, docker pause) still accepts connections: its kernel does. Such a link is kept,
 * since the relay answers what it has waiting first when it runs again. But what accepted the connection may be a
 * proxy that has lost its relay, and would hold it for ever: so a second attempt runs beside it, which asks for a
 * ping and nothing else. Whichever is answered first is the link.
 *
 * Happy path: a deadline of the peer's has passed without a byte on this link, and the peer's system has all that was
 * sent -> engine_stand_still: degraded, kept -> a byte -> engine_moves_again, as if it had just come up. Or the second
 * attempt gets a byte -> engine_second_answered (engine.c): it takes the first one's place.
 *
 * Failure modes: the peer's host has vanished: the kernel's keep-alive, or what it does not acknowledge, ends the link
 * as any other. The second attempt fails: another after the back-off; it is silent too: another after
 * dead_after_ms, so that a relay that stands still for long does not collect connections.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine_internal.h"

bool engine_stand_still(struct engine *e, const struct fault *why, uint64_t now_ms)
{
    if (e->link != ENGINE_INITIALIZING || e->heard || !e->ops->is_held(e))
        return false;
    e->stands_still = true;
    e->counters.relay = AR_REACH_DOWN;
    e->second_at_ms = now_ms + reconnect_next_ms(&e->reconnect);
    engine_note_fault(e, why, now_ms);
    engine_go_down(e, now_ms);
    engine_calls_not_live(e, now_ms);
    return true;
}

/* What was asked is answered from now on: the relay has only now begun to read. */
void engine_moves_again(struct engine *e, uint64_t now_ms)
{
    e->heard = true;
    if (!e->stands_still)
        return;
    e->stands_still = false;
    e->second_at_ms = UINT64_MAX;
    e->requests.init.at_ms = now_ms;
    e->requests.ping.at_ms = now_ms;
    e->ops->second(e, false);
}

void engine_second_tick(struct engine *e, uint64_t now_ms)
{
    if (!e->stands_still || e->second_at_ms > now_ms)
        return;
    e->second_at_ms = now_ms + e->options.dead_after_ms;
    e->counters.attempts++;
    e->ops->second(e, true);
}

size_t engine_second_line(struct engine *e, char line[ENGINE_SECOND_LINE])
{
    e->second_ping = e->next_request_id++;
    int len = snprintf(line, ENGINE_SECOND_LINE,
                       "{\"jsonrpc\":\"2.0\",\"id\":\"" ENGINE_ID_PREFIX "%" PRIu64
                       "\",\"method\":\"relay/ping\"}\n",
                       e->second_ping);
    return (size_t)len;
}

void engine_second_failed(struct engine *e, uint64_t now_ms)
{
    if (e->stands_still)
        e->second_at_ms = now_ms + reconnect_next_ms(&e->reconnect);
}
