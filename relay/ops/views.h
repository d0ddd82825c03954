/* The answers of relay/clients and relay/inflight: connections and calls, for admins. */
#ifndef OPS_VIEWS_H
#define OPS_VIEWS_H

#include "ops/control.h"
#include "wire/writer.h"

/* {"clients":[{"id","peer","transport","permission","server","connectedMs","initialized","protocol",
 *   "client":{"name","version"},"inFlight","waiting","waitingBytes","queuedBytes","paused","requests",
 *   "droppedNotifications","bytesIn","bytesOut"}...],"total","next"?}
 * In order of id; `next` is there when more follow: the next page has "after" set to it. */
void views_write_clients(struct writer *w, const struct ops *o, const struct control_page *page,
                         uint64_t now_ms);

/* {"calls":[{"server","session"?,"relayId"?,"clientId"?,"method"?,"state","ageMs","deadlineInMs"?}...],"total"}
 * Up to `limit` of them, in no order. `session` is missing for abandoned calls and the relay's own,
 * `relayId` while a call waits, `clientId` where it is longer than 256 bytes. */
void views_write_inflight(struct writer *w, const struct ops *o, const struct control_page *page,
                          uint64_t now_ms);

#endif
