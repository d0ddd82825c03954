/* initialize, on each new link.
 *
 * Happy path: engine_initialize_send -> any result object -> notifications/initialized -> the first poll; or, where
 * there are no polls, live at once.
 *
 * Failure modes: a relay error that may be retried: asked again on the same link after the back-off. Any
 * other error, an answer that is none, or none in time: the link is dropped and the back-off goes on. No
 * memory for the request: likewise.
 */
#include <string.h>

#include "engine_internal.h"
#include "wire/writer.h"

#define PROTOCOL_VERSION "2025-11-25"
/* Names are the host's own; longer ones are refused by the options. */
#define CLIENT_INFO_MAX ((size_t)64 << 10)

static int write_params(const struct engine *e, struct buf *out)
{
    struct writer w;
    const char *version = e->options.client_version;
    writer_init(&w, out);
    write_object(&w);
    write_member_string(&w, "protocolVersion", PROTOCOL_VERSION);
    write_key(&w, "capabilities");
    write_object(&w);
    write_object_end(&w);
    write_key(&w, "clientInfo");
    write_object(&w);
    write_member_string(&w, "name", e->options.client_name ? e->options.client_name : "libagentrelay");
    write_member_string(&w, "version", version ? version : AGENT_RELAY_VERSION);
    write_object_end(&w);
    write_object_end(&w);
    return writer_end(&w);
}

void engine_initialize_send(struct engine *e, uint64_t now_ms)
{
    struct buf params;
    uint64_t id = 0;
    buf_init(&params, CLIENT_INFO_MAX);
    if (write_params(e, &params) == 0)
        id = engine_send_request(e, "initialize", buf_data(&params), buf_len(&params));
    buf_done(&params);
    if (id == 0) {
        engine_end_no_memory(e, now_ms);
        return;
    }
    engine_request_sent(e, &e->requests.init, id, now_ms);
    e->next_init_at_ms = UINT64_MAX;
}

static void initialized(struct engine *e, uint64_t now_ms)
{
    engine_move(e, ENGINE_READY, now_ms);
    if (engine_send_notification(e, "notifications/initialized", NULL, 0) != 0) {
        engine_end_no_memory(e, now_ms);
        return;
    }
    if (engine_polls(e))
        engine_agents_start(e, now_ms);
    else
        engine_go_live(e, NULL, NULL, now_ms);
}

static void refused(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    struct relay_error relay;
    struct fault why;
    relay_error_read(&relay, a->json, a->len);
    fault_rpc(&why, "initialize", &relay, e->address);
    if (!relay.retryable) {
        engine_end_link(e, &why, ENGINE_END_REFUSED, now_ms);
        return;
    }
    engine_server_down(e, &why, now_ms);
    uint64_t wait_ms = later(reconnect_next_ms(&e->again), relay.retry_after_ms);
    e->next_init_at_ms = now_ms + later(wait_ms, 1);
}

static void unusable(struct engine *e, const char *reason, uint64_t now_ms)
{
    struct fault why;
    fault_bad_answer(&why, "initialize", reason, e->address);
    engine_end_link(e, &why, ENGINE_END_REFUSED, now_ms);
}

void engine_initialize_answered(struct engine *e, const struct answer *a, uint64_t now_ms)
{
    e->requests.init.id = 0;
    switch (a->kind) {
    case ANSWER_RESULT:
        if (a->json[0] == '{')
            initialized(e, now_ms);
        else
            unusable(e, "the result is no object", now_ms);
        break;
    case ANSWER_ERROR:
        refused(e, a, now_ms);
        break;
    case ANSWER_BAD:
    case ANSWER_TOO_LARGE:
        unusable(e, answer_problem(a->kind), now_ms);
        break;
    }
}

void engine_initialize_timed_out(struct engine *e, uint64_t now_ms)
{
    struct fault why;
    fault_no_answer(&why, "initialize", now_ms - e->requests.init.at_ms, e->address);
    engine_end_link(e, &why, ENGINE_END_REFUSED, now_ms);
}
