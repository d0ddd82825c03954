/* What the engine itself writes: its own requests, notifications, and the answers to the peer's requests.
 *
 * Happy path: the parts of a line are appended to `out`, and queued_total with them. The ids of its own
 * requests are the strings "ar-1", "ar-2" ..., which no call's number meets.
 *
 * Failure modes: no memory, or no room (a peer that asks much and reads nothing): the line is not there, not
 * a part of it, and the caller learns it by the return value, where it matters.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine_internal.h"
#include "wire/rpc.h"
#include "wire/text.h"
#include "wire/writer.h"

static void write_member_text(struct writer *w, const char *key, const char *json, size_t len)
{
    if (json)
        write_member_raw(w, key, json, len);
}

/* The line that `w` has written is over; what it wrote stands behind `before` bytes. */
static int end_line(struct engine *e, struct writer *w, size_t before)
{
    write_object_end(w);
    int rc = writer_end(w);
    if (rc == 0)
        rc = buf_append(&e->out, "\n", 1);
    if (rc == 0)
        e->queued_total += buf_len(&e->out) - before;
    else
        buf_truncate(&e->out, before);
    return rc;
}

static void begin_line(struct engine *e, struct writer *w)
{
    writer_init(w, &e->out);
    write_object(w);
    write_member_string(w, "jsonrpc", "2.0");
}

uint64_t engine_send_request(struct engine *e, const char *method, const char *params, size_t params_len)
{
    struct writer w;
    char id[32];
    uint64_t number = e->next_request_id;
    size_t before = buf_len(&e->out);
    (void)snprintf(id, sizeof(id), ENGINE_ID_PREFIX "%" PRIu64, number);
    begin_line(e, &w);
    write_member_string(&w, "id", id);
    write_member_string(&w, "method", method);
    write_member_text(&w, "params", params, params_len);
    if (end_line(e, &w, before) != 0)
        return 0;
    e->next_request_id++;
    return number;
}

int engine_send_notification(struct engine *e, const char *method, const char *params, size_t params_len)
{
    struct writer w;
    size_t before = buf_len(&e->out);
    begin_line(e, &w);
    write_member_string(&w, "method", method);
    write_member_text(&w, "params", params, params_len);
    return end_line(e, &w, before);
}

void engine_send_cancelled(struct engine *e, const char *id)
{
    struct writer w;
    size_t before = buf_len(&e->out);
    begin_line(e, &w);
    write_member_string(&w, "method", "notifications/cancelled");
    write_key(&w, "params");
    write_object(&w);
    write_member_raw(&w, "requestId", id, strlen(id));
    write_member_string(&w, "reason", "the caller no longer waits");
    write_object_end(&w);
    int rc = end_line(e, &w, before);
    (void)rc; /* the server then works on for a call that is over */
}

void engine_send_reply(struct engine *e, const char *id, size_t id_len, const char *key, const char *json)
{
    struct writer w;
    size_t before = buf_len(&e->out);
    if (before >= ENGINE_OUT_HIGH_BYTES)
        return;
    begin_line(e, &w);
    write_member_raw(&w, "id", id, id_len);
    write_member_raw(&w, key, json, strlen(json));
    int rc = end_line(e, &w, before);
    (void)rc; /* then it is left without an answer */
}

void engine_notify(struct engine *e, const char *method, const char *params, size_t params_len)
{
    if (e->link != ENGINE_READY || buf_len(&e->out) >= ENGINE_OUT_HIGH_BYTES ||
        params_len > e->options.frame_max_bytes)
        return;
    int rc = engine_send_notification(e, method, params, params_len);
    (void)rc; /* notifications promise nothing */
}

uint64_t engine_request_number(const char *id, size_t len)
{
    static const char prefix[] = "\"" ENGINE_ID_PREFIX;
    const size_t skip = sizeof(prefix) - 1;
    uint64_t number;
    if (len < skip + 2 || memcmp(id, prefix, skip) != 0 || id[len - 1] != '"')
        return 0;
    return rpc_parse_id(id + skip, len - skip - 1, &number) ? number : 0;
}
