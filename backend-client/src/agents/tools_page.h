/* One page of a server's answer to tools/list: whether the tool that lists agents stands on it, how it may be
 * called, and where the next page begins. Pure.
 */
#ifndef CLIENT_TOOLS_PAGE_H
#define CLIENT_TOOLS_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The tool's name. */
#define TOOLS_PAGE_TOOL "agent_list"

struct tools_page {
    bool has_tool;
    bool filters; /* the tool's inputSchema has a property "filter", and allows "all" in it */
    bool more;    /* there is a next page: its params are written */
};

/* `result`: the JSON text of the result of tools/list. `next_params` gets the params of the request for the next
 * page where there is one. What is no list of tools has none: such an answer is a page without the tool, and the
 * last one. -ENOMEM; ERR_TOO_LARGE: more parts than a client reads, or a cursor longer than `next_params` may
 * be. */
MUSTCHECK int tools_page_read(const char *result, size_t len, struct buf *next_params,
                              struct tools_page *ret_page);

#endif
