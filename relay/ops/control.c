/* Dispatch: find the method in the table, check the session's permission, read the parameters, let the method
 * write its result, answer.
 *
 * Failure modes: the result outgrows OPS_REPLY_MAX_BYTES, or memory runs out -> TOO_LARGE or OVERLOADED for
 * this request, nothing else is touched.
 */
#include "ops/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/status.h"
#include "ops/views.h"
#include "wire/json.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

#define METHOD_MAX_BYTES 64
#define PARAMS_TOKENS    256

struct control_method {
    const char *name;
    enum session_permission needed;
    void (*write)(struct writer *w, const struct ops *o, const struct control_page *page, uint64_t now_ms);
};

static void write_ping(struct writer *w, const struct ops *o, const struct control_page *page,
                       uint64_t now_ms)
{
    (void)o, (void)page, (void)now_ms;
    write_object(w);
    write_member_int(w, "t", ops_wall_ms());
    write_object_end(w);
}

static const struct control_method methods[] = {
    {"relay/ping", SESSION_READ, write_ping},
    {"relay/status", SESSION_READ, status_write},
    {"relay/servers", SESSION_READ, status_write_servers},
    {"relay/clients", SESSION_ADMIN, views_write_clients},
    {"relay/inflight", SESSION_ADMIN, views_write_inflight},
};

static const struct control_method *find_method(const struct frame *frame)
{
    const struct span *m = &frame->env.method;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (rpc_string_is(frame->bytes + m->off, m->len, methods[i].name))
            return &methods[i];
    return NULL;
}

/* false: the member is there and is no whole number in [min, max]. */
static bool read_uint(const struct json_doc *doc, const char *key, int64_t min, int64_t max, int64_t *value)
{
    json_node node = json_get(doc, json_root(doc), key);
    return node == JSON_ABSENT || json_int(doc, node, min, max, value);
}

static bool read_page(const struct frame *frame, struct control_page *ret_page)
{
    int64_t after = 0;
    int64_t limit = OPS_PAGE_DEFAULT;
    const struct span *params = &frame->env.params;
    if (span_found(*params)) {
        struct json_doc *doc;
        if (json_parse(frame->bytes + params->off, params->len, JSON_STRICT, PARAMS_TOKENS, &doc, NULL) != 0)
            return false;
        bool good = json_type(doc, json_root(doc)) == JSON_OBJECT &&
                    read_uint(doc, "after", 0, INT64_MAX, &after) &&
                    read_uint(doc, "limit", 1, OPS_PAGE_MAX, &limit);
        json_free(doc);
        if (!good)
            return false;
    }
    *ret_page = (struct control_page){.after = (uint64_t)after, .limit = (size_t)limit};
    return true;
}

static void refuse_permission(struct route_session *s, const struct frame *frame,
                              enum session_permission needed)
{
    char data[64];
    (void)snprintf(data, sizeof(data), "\"needed\":\"%s\"", session_permission_name(needed));
    route_reply_error(s, frame, RPC_E_FORBIDDEN,
                      "This method is for admins: come over a Unix socket or from this machine", data);
}

static void answer(struct ops *o, struct route_session *s, const struct frame *frame,
                   const struct control_method *method, const struct control_page *page, uint64_t now_ms)
{
    struct writer w;
    buf_clear(&o->reply);
    writer_init(&w, &o->reply);
    method->write(&w, o, page, now_ms);
    int rc = writer_end(&w);
    if (rc == 0)
        route_reply_result(s, frame, buf_data(&o->reply), buf_len(&o->reply));
    else if (rc == ERR_TOO_LARGE)
        route_reply_error(s, frame, RPC_E_TOO_LARGE, "The answer is too large: ask for less with \"limit\"",
                          NULL);
    else
        route_reply_error(s, frame, RPC_E_OVERLOADED, "Out of memory", NULL);
    buf_clear(&o->reply);
    buf_trim(&o->reply, 0);
}

void control_handle(void *ops, struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    if (frame->env.kind != RPC_REQUEST)
        return;
    const struct control_method *method = find_method(frame);
    if (!method) {
        route_reply_error(s, frame, RPC_E_METHOD_NOT_FOUND, NULL, NULL);
        return;
    }
    const struct session *session = route_session_user(s);
    if (!session_may(session, method->needed)) {
        refuse_permission(s, frame, method->needed);
        return;
    }
    struct control_page page;
    if (!read_page(frame, &page)) {
        route_reply_error(s, frame, RPC_E_INVALID_PARAMS,
                          "params must be an object; \"after\" and \"limit\" whole numbers", NULL);
        return;
    }
    answer(ops, s, frame, method, &page, now_ms);
}
