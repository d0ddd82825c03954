/* The answer is the child's own result, byte for byte, but for the id, the protocolVersion and the capability logging.
 * The revision is the one that the client asked for when it is a known one and not newer than the child's, else the
 * child's (which a client that cannot speak it will refuse by itself). Logging is left out where the relay drops the
 * messages.
 */
#include "mcp/initialize.h"

#include <string.h>

#include "base/alloc.h"
#include "route/replies.h"
#include "mcp/admission.h"
#include "mcp/log_levels.h"
#include "wire/json_member.h"

/* Names longer than this are cut: they are shown, not used. */
#define NAME_MAX_BYTES 256

/* A session that has this much waiting sends no second initialize. They take none of the upstream's waiting
 * places, since a crowd may come while a child starts; so each session's are bounded. */
#define HELD_MAX 8

static const char *const known[] = {"2024-10-07", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};

static void copy_version(const char *text, struct span from, char to[PROTOCOL_MAX])
{
    size_t n = json_span_is_string(text, from)
                   ? rpc_decode_string(text + from.off, from.len, to, PROTOCOL_MAX - 1)
                   : 0;
    to[n == SIZE_MAX ? 0 : n] = '\0';
}

/* NULL when it is no string, too long, or there is no memory: then it is not shown. */
static char *copy_name(const char *text, struct span from)
{
    char name[NAME_MAX_BYTES];
    if (!json_span_is_string(text, from))
        return NULL;
    size_t n = rpc_decode_string(text + from.off, from.len, name, sizeof(name));
    return n == SIZE_MAX || memchr(name, '\0', n) ? NULL : mem_strndup(name, n);
}

/* Remembers who the client says it is and which revision it asked for. */
static void note(struct route_session *s, const struct frame *frame)
{
    const struct span params = frame->env.params;
    struct span info = json_member(frame->bytes, params, "clientInfo");
    copy_version(frame->bytes, json_member(frame->bytes, params, "protocolVersion"),
                 s->protocol->requested_version);
    mem_free(s->client_name);
    mem_free(s->client_version);
    s->client_name = copy_name(frame->bytes, json_member(frame->bytes, info, "name"));
    s->client_version = copy_name(frame->bytes, json_member(frame->bytes, info, "version"));
}

/* Revisions are dates: the older one is the smaller string. */
static const char *negotiate(const struct init_cache *cache, const char *asked)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], asked) == 0 && strcmp(asked, cache->protocol) <= 0)
            return known[i];
    }
    return NULL;
}

/* `c`: the call that waited for it, or NULL. */
static void answer(struct route_session *s, struct call *c, const char *id, size_t id_len)
{
    const struct init_cache *cache = &s->upstream->protocol->cache;
    const char *chosen = negotiate(cache, s->protocol->requested_version);
    struct part version = {cache->result + cache->version.off, cache->version.len};
    char quoted[PROTOCOL_MAX + 2];

    if (chosen) {
        size_t n = strlen(chosen);
        quoted[0] = '"';
        memcpy(quoted + 1, chosen, n); // NOLINT(bugprone-not-null-terminated-result): a part has a length
        quoted[n + 1] = '"';
        version = (struct part){quoted, n + 2};
    }
    struct splice splices[] = {
        {cache->version, version.bytes, version.len},
        {log_levels_are_offered(s->upstream) ? (struct span){0} : cache->logging_cut, "", 0},
    };
    struct part parts[SPLICE_PARTS_MAX + 4] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        PART(",\"result\":"),
    };
    size_t count = 3 + splice_parts(cache->result, cache->len, splices, 2, parts + 3);
    parts[count++] = PART("}");
    memcpy(s->revision, chosen ? chosen : cache->protocol, strlen(chosen ? chosen : cache->protocol) + 1);
    s->protocol->initialize_answered = true;
    const struct message message = {
        .parts = parts,
        .part_count = count,
        .kind = MESSAGE_RESULT,
        .about = id,
        .about_len = id_len,
    };
    if (c)
        call_send(c, &message);
    else
        session_send(s, &message);
}

void initialize_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms)
{
    struct call *c;
    note(s, frame);
    if (s->upstream->protocol->cache.result) {
        answer(s, NULL, frame->bytes + frame->env.id.off, frame->env.id.len);
        return;
    }
    if (!request_reaches(s, frame, now_ms))
        return;
    /* The server may have answered the start with a whole handshake. */
    if (s->upstream->protocol->cache.result) {
        answer(s, NULL, frame->bytes + frame->env.id.off, frame->env.id.len);
        return;
    }
    if (s->waiting >= HELD_MAX || call_open(s, frame, method, now_ms, &c)) {
        request_no_memory(s, frame);
        return;
    }
    call_move(c, CALL_HELD);
    list_push_back(&s->upstream->protocol->init_held, &c->upstream_node);
}

void initialize_pass(struct route_session *s, const struct frame *frame, enum rpc_method method,
                     uint64_t now_ms)
{
    note(s, frame);
    (void)request_submit(s, frame, method, now_ms);
}

void initialize_answer_held(struct upstream *upstream)
{
    struct list *node;
    while ((node = list_pop_front(&upstream->protocol->init_held))) {
        struct call *c = CONTAINER_OF(node, struct call, upstream_node);
        if (c->method == RPC_M_SET_LEVEL)
            log_levels_answer_held(c);
        else
            answer(c->session, c, c->id, c->id_len);
        call_close(c);
    }
}

void initialize_passed(struct route_session *s, const struct frame *frame)
{
    if (frame->env.kind != RPC_RESULT)
        return;
    copy_version(frame->bytes, json_member(frame->bytes, frame->env.result, "protocolVersion"), s->revision);
    s->protocol->initialize_answered = true;
}

bool initialize_has_batches(const struct route_session *s)
{
    return strcmp(s->revision, "2025-03-26") == 0;
}
