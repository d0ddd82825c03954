/* One whole JSON-RPC message on its way out of the router, with what its receiver would otherwise have to scan it
 * for. Everything in it is borrowed for the call that it is passed to. */
#ifndef ROUTE_MESSAGE_H
#define ROUTE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/part.h"

enum message_kind { MESSAGE_REQUEST, MESSAGE_NOTIFICATION, MESSAGE_RESULT, MESSAGE_ERROR };

struct message {
    const struct part *parts;
    size_t part_count;
    enum message_kind kind;
    /* The client's own raw id of the request that the message belongs to: the one that is answered, that progress is
     * reported for, that is dispatched or cancelled, or during which a server asks its client. NULL: it belongs to
     * none, or to which one is not known. */
    const char *about;
    size_t about_len;
    bool droppable; /* progress and log messages: a link whose peer reads too slowly may drop it */
};

#endif
