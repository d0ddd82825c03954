/* What the server offers, asked for by an exchange before it calls a tool.
 *
 * Happy path: the list is known, or tools/list is asked for, page by page, and kept for the exchanges that
 * follow. Two that ask at once both get their own. Failure modes: no answer: the exchange fails with the reason,
 * and nothing was done; a server that has no tools/list, or whose answer holds no list of tools: x->tools stays
 * NULL, and the tool is called as the oldest of these servers want it; more pages than PAGES_MAX, or the same
 * page again: those that came count.
 */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/rpc_error.h"

#define PAGES_MAX        200
#define PARAMS_MAX_BYTES ((size_t)256 << 10)

struct tools_request {
    struct tool_list *list; /* as far as it came; owned */
    struct buf cursor;      /* JSON text of the next page's; empty: the first */
    uint64_t epoch;         /* of the cache, when it was asked */
    unsigned pages;
    enum ar_policy policy;
    exchange_tools_cb *then;
};

static void request_free(struct tools_request *r)
{
    if (!r)
        return;
    tool_list_release(r->list);
    buf_done(&r->cursor);
    mem_free(r);
}

void exchange_forget_tools(struct exchange *x)
{
    request_free(x->asking);
    tool_list_release(x->tools);
    x->asking = NULL;
    x->tools = NULL;
}

/* ---- ends ---- */

/* With `list` (owned), or NULL: the server has none. */
static void finish(struct exchange *x, struct tool_list *list)
{
    exchange_tools_cb *then = x->asking->then;
    x->tools = list;
    request_free(x->asking);
    x->asking = NULL;
    then(x);
}

/* ---- asking ---- */

static void on_page(struct exchange *x, const struct ar_reply *reply);

static int write_params(const struct tools_request *r, struct buf *params)
{
    struct writer w;
    writer_init(&w, params);
    write_object(&w);
    if (buf_len(&r->cursor) > 0)
        write_member_raw(&w, "cursor", buf_data(&r->cursor), buf_len(&r->cursor));
    write_object_end(&w);
    return writer_end(&w);
}

static void ask(struct exchange *x)
{
    struct buf params;
    buf_init(&params, PARAMS_MAX_BYTES);
    if (write_params(x->asking, &params) == 0)
        exchange_request(x, "tools/list", &params, x->asking->policy, true, on_page);
    else
        exchange_refuse_memory(x, false);
    buf_done(&params);
}

/* Another page is to be asked for: there is a cursor, and not the one that was just used. */
static bool goes_on(const struct tools_request *r, const struct buf *cursor)
{
    bool same = buf_len(cursor) == buf_len(&r->cursor) && buf_len(cursor) > 0 &&
                memcmp(buf_data(cursor), buf_data(&r->cursor), buf_len(cursor)) == 0;
    return buf_len(cursor) > 0 && !same && r->pages < PAGES_MAX;
}

static void take_page(struct exchange *x, const struct ar_reply *reply)
{
    struct tools_request *r = x->asking;
    struct buf cursor;
    buf_init(&cursor, PARAMS_MAX_BYTES / 2);
    int rc = tool_list_add_page(r->list, reply->result, reply->result_len, &cursor);
    r->pages++;
    bool more = rc == 0 && goes_on(r, &cursor);
    if (more) {
        buf_done(&r->cursor);
        r->cursor = cursor;
        ask(x);
        return;
    }
    buf_done(&cursor);
    if (rc == -ENOMEM) {
        exchange_refuse_memory(x, false);
        return;
    }
    struct tool_list *list = rc == 0 || tool_list_count(r->list) > 0 ? tool_list_retain(r->list) : NULL;
    if (list && reply->source == AR_SOURCE_LIVE)
        tool_cache_keep(&x->service->tools, list, r->epoch);
    finish(x, list);
}

/* Asking for tools changes nothing at the server: the caller may repeat its request. */
static void refuse(struct exchange *x, const struct ar_reply *reply)
{
    struct ar_reply harmless = *reply;
    struct ar_health health;
    struct failure f;
    harmless.may_have_run = false;
    exchange_health(x, &health);
    failure_from_reply(&f, &harmless, &health);
    exchange_refuse(x, &f);
}

static void on_page(struct exchange *x, const struct ar_reply *reply)
{
    bool unknown =
        reply->code == AR_E_SERVER && !reply->from_relay && reply->error_code == RPC_E_METHOD_NOT_FOUND;
    if (reply->code == AR_OK)
        take_page(x, reply);
    else if (unknown)
        finish(x, NULL);
    else
        refuse(x, reply);
}

void exchange_get_tools(struct exchange *x, enum ar_policy policy, exchange_tools_cb *then)
{
    struct ar_health health;
    uint64_t epoch;
    exchange_health(x, &health);
    struct tool_list *known = tool_cache_take(&x->service->tools, &epoch);
    if (known && health.state == AR_LIVE) {
        x->tools = known;
        then(x);
        return;
    }
    tool_list_release(known);
    x->asking = mem_zalloc(sizeof(*x->asking));
    if (!x->asking || tool_list_new(&x->asking->list) != 0) {
        exchange_refuse_memory(x, false);
        return;
    }
    x->asking->epoch = epoch;
    x->asking->policy = policy;
    x->asking->then = then;
    buf_init(&x->asking->cursor, PARAMS_MAX_BYTES / 2);
    ask(x);
}

/* ---- choosing ---- */

const char *exchange_choose_tool(const struct exchange *x, const char *what, const char *const *names,
                                 struct failure *ret_failure)
{
    struct ar_health health;
    if (!x->tools)
        return names[0];
    for (size_t i = 0; names[i]; i++)
        if (tool_list_has(x->tools, names[i]))
            return names[i];
    exchange_health(x, &health);
    failure_from_missing(ret_failure, what, names, x->tools, &health);
    return NULL;
}
