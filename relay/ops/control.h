/* The control methods: JSON-RPC requests whose method begins with relay/, on every front.
 *
 *   relay/ping       {} -> {"t": milliseconds since 1970}
 *   relay/status     {} -> status.h
 *   relay/servers    {} -> status.h
 *   relay/clients    {"after"?, "limit"?} -> views.h    (admin)
 *   relay/inflight   {"limit"?} -> views.h              (admin)
 *
 * A method above the session's permission gets FORBIDDEN with `needed`; an unknown method -32601; params of
 * the wrong shape -32602. None of them shows payloads, arguments or environment values.
 */
#ifndef OPS_CONTROL_H
#define OPS_CONTROL_H

#include "ops/ops.h"
#include "wire/frame.h"

/* Parameters that the views share; the list above names those that each method takes. */
struct control_page {
    uint64_t after; /* ids up to this are left out; 0: none */
    size_t limit;   /* 1 .. OPS_PAGE_MAX */
};

/* router_options.on_control; `ops` is a struct ops. Notifications are ignored. */
void control_handle(void *ops, struct route_session *s, const struct frame *frame, uint64_t now_ms);

#endif
