/* The inside of data is written once, when the child goes; only retryAfterMs depends on when somebody asks.
 */
#include "route/outage.h"

#include <stdio.h>

#include "base/alloc.h"
#include "route/state.h"
#include "route/stray_lines.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

static void write_outage(struct writer *w, const struct upstream *upstream, const struct outage *why,
                         bool was_ready)
{
    write_object(w);
    write_member_string(w, "server", upstream->server->name);
    write_member_string(w, "state", why->state ? why->state : "down");
    if (why->detail)
        write_member_string(w, "detail", why->detail);
    if (why->exited && why->term_signal)
        write_member_int(w, "signal", why->term_signal);
    else if (why->exited)
        write_member_int(w, "exitStatus", why->exit_status);
    if (why->stderr_tail) {
        write_key(w, "stderrTail");
        write_string(w, why->stderr_tail, why->stderr_len);
    }
    if (!was_ready)
        stray_lines_write(upstream, NULL, w);
    write_object_end(w);
}

static int code_of(const struct outage *why)
{
    return why->code ? why->code : RPC_E_SERVER_UNAVAILABLE;
}

/* What a failed start's standard output has in it may be the whole reason. */
static char *message_of(const struct upstream *upstream, const struct outage *why, bool was_ready)
{
    char text[1024];
    const char *strays = was_ready ? NULL : stray_lines_text(upstream);
    if (!why->detail && !strays)
        return NULL;
    (void)snprintf(text, sizeof(text), "%s: %s%s%s%s", rpc_error_message(code_of(why)),
                   why->detail ? why->detail : "", why->detail && strays ? "; " : "",
                   strays ? "its standard output " : "", strays ? strays : "");
    return mem_strdup(text);
}

void outage_note(struct upstream *upstream, const struct outage *why)
{
    struct writer w;
    bool was_ready = upstream->ready_reported; /* then its lines explain no failed start */
    buf_clear(&upstream->outage);
    upstream->outage_code = code_of(why);
    upstream->retry_at_ms = why->retry_at_ms;
    upstream->retry_after_ms = why->retry_after_ms;
    mem_free(upstream->outage_message);
    upstream->outage_message = message_of(upstream, why, was_ready);
    if (!upstream->server)
        return;
    writer_init(&w, &upstream->outage);
    write_outage(&w, upstream, why, was_ready);
    if (writer_end(&w))
        buf_clear(&upstream->outage);
}

struct refusal outage_refusal(struct upstream *upstream, uint64_t now_ms)
{
    struct buf *text = &upstream->router->scratch;
    struct refusal why = {.code = upstream->outage_code ? upstream->outage_code : RPC_E_SERVER_UNAVAILABLE,
                          .message = upstream->outage_message};
    size_t len = buf_len(&upstream->outage);
    char retry[48];

    if (len < 2)
        return why;
    why.members = buf_data(&upstream->outage) + 1;
    why.members_len = len - 2;
    if (!upstream->retry_at_ms && !upstream->retry_after_ms)
        return why;
    uint64_t wait_ms = upstream->retry_at_ms > now_ms ? upstream->retry_at_ms - now_ms : 0;
    if (!upstream->retry_at_ms)
        wait_ms = upstream->retry_after_ms;
    int n = snprintf(retry, sizeof(retry), ",\"retryAfterMs\":%llu", (unsigned long long)wait_ms);
    buf_clear(text);
    if (buf_append(text, why.members, why.members_len) || buf_append(text, retry, (size_t)n))
        return why;
    why.members = buf_data(text);
    why.members_len = buf_len(text);
    return why;
}

bool outage_is_short(const struct upstream *upstream, uint64_t now_ms)
{
    return upstream->retry_at_ms && upstream->retry_at_ms <= now_ms + OUTAGE_WAIT_MS;
}

void outage_done(struct upstream *upstream)
{
    buf_done(&upstream->outage);
    mem_free(upstream->outage_message);
    upstream->outage_message = NULL;
}
