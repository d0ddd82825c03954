/* A relay's answer to relay/status, as the commands status and servers show it. Pure. */
#ifndef CTL_STATUS_VIEW_H
#define CTL_STATUS_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "wire/json.h"

/* The server that sessions get at `address` (the default one, or its listener's own) does not work: it
 * keeps failing, or cannot run. A server without a request yet is not a fault. A draining relay is one: it
 * accepts no new clients. */
bool status_is_degraded(struct json_doc *doc, json_node status, const char *address);
/* The same of one server. */
bool status_server_fails(struct json_doc *doc, json_node server);
/* The lines of `status` about the relay: itself, that server, clients, others in trouble. */
MUSTCHECK int status_write_lines(struct buf *out, struct json_doc *doc, json_node status,
                                 const char *address);
/* "key         value\n", sanitized. */
__attribute__((format(printf, 3, 4))) MUSTCHECK int status_line(struct buf *out, const char *key,
                                                                const char *format, ...);

#endif
