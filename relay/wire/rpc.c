/* The envelope scan over wire/scan: which members are routing keys, where their values stand, and what kind
 * of message they make together.
 *
 * Happy path: feed -> on_key asks for the routing keys' values -> on_value notes their spans -> end
 * classifies. Failure modes: a fault of the text is the scanner's; one of the message (a routing key twice,
 * an id that is an object) is noted and the scan goes on, so that the id behind it is known and a later fault
 * of the text is still found.
 */
#include "wire/rpc.h"

#include <assert.h>
#include <string.h>

#include "wire/rpc_fast.h"

enum field {
    F_NONE,
    F_JSONRPC,
    F_ID,
    F_METHOD,
    F_PARAMS,
    F_RESULT,
    F_ERROR,
    F_META,
    F_REQUEST_ID,
    F_URI,
    F_TASK_ID,
    F_LEVEL,
    F_TASK,
    F_PARAM_TOKEN,
    F_META_TOKEN,
    F_RELATED_TASK,
    F_COUNT,
};

enum { LEVEL_ROOT = 1, LEVEL_PARAMS = 2, LEVEL_META = 3 };

static const struct field_info {
    const char *key;
    uint8_t len;
    uint8_t level;
    uint8_t how;      /* enum scan_how */
    uint16_t span_at; /* in struct rpc_scan */
} fields[F_COUNT] = {
#define FIELD(level_, key_, how_, member_)                                                                   \
    {                                                                                                        \
        .key = (key_), .len = sizeof(key_) - 1, .level = (level_), .how = (how_),                            \
        .span_at = offsetof(struct rpc_scan, member_)                                                        \
    }
    [F_JSONRPC] = FIELD(LEVEL_ROOT, "jsonrpc", SCAN_TEXT, jsonrpc),
    [F_ID] = FIELD(LEVEL_ROOT, "id", SCAN_SPAN, env.id),
    [F_METHOD] = FIELD(LEVEL_ROOT, "method", SCAN_SPAN, env.method),
    [F_PARAMS] = FIELD(LEVEL_ROOT, "params", SCAN_INSIDE, env.params),
    [F_RESULT] = FIELD(LEVEL_ROOT, "result", SCAN_SPAN, env.result),
    [F_ERROR] = FIELD(LEVEL_ROOT, "error", SCAN_SPAN, env.error),
    [F_META] = FIELD(LEVEL_PARAMS, "_meta", SCAN_INSIDE, env.meta),
    [F_REQUEST_ID] = FIELD(LEVEL_PARAMS, "requestId", SCAN_SPAN, env.request_id),
    [F_URI] = FIELD(LEVEL_PARAMS, "uri", SCAN_SPAN, env.uri),
    [F_TASK_ID] = FIELD(LEVEL_PARAMS, "taskId", SCAN_SPAN, env.task_id),
    [F_LEVEL] = FIELD(LEVEL_PARAMS, "level", SCAN_SPAN, env.level),
    [F_TASK] = FIELD(LEVEL_PARAMS, "task", SCAN_SPAN, env.task),
    [F_PARAM_TOKEN] = FIELD(LEVEL_PARAMS, "progressToken", SCAN_SPAN, env.param_token),
    [F_META_TOKEN] = FIELD(LEVEL_META, "progressToken", SCAN_SPAN, env.meta_token),
    [F_RELATED_TASK] = FIELD(LEVEL_META, "io.modelcontextprotocol/related-task", SCAN_SPAN, env.related_task),
#undef FIELD
};

/* The table is sorted by level: where each begins. */
static const uint8_t level_begin[] = {0, F_JSONRPC, F_META, F_META_TOKEN, F_COUNT};

static_assert(sizeof("io.modelcontextprotocol/related-task") - 1 <= SCAN_TEXT_BYTES, "the longest key fits");
static_assert((int)LEVEL_META < (int)SCAN_LEVELS, "the scanner watches that far");
static_assert(F_COUNT <= 32, "rpc_scan.seen has a bit for each");

static void complain(struct rpc_scan *s, enum rpc_fault fault, size_t at)
{
    if (s->fault != RPC_OK)
        return;
    s->fault = fault;
    s->fault_at = at;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal but for case. Two characters that are not ASCII fold to s and k (U+017F, U+212A); the scanner keeps
 * 0xff for all that are not, and that has to do for them. */
static bool is_lookalike(const struct scan *json, const struct field_info *info)
{
    if (json->text_len != info->len)
        return false;
    for (size_t i = 0; i < info->len; i++) {
        char wanted = lower(info->key[i]);
        char c = lower(json->text[i]);
        if (c != wanted && !(c == '\xff' && (wanted == 's' || wanted == 'k')))
            return false;
    }
    return true;
}

static enum field find_field(const struct scan *json, bool *ret_exact)
{
    unsigned level = scan_level(json);
    for (unsigned f = level_begin[level]; f < level_begin[level + 1]; f++) {
        *ret_exact = scan_text_is(json, fields[f].key, fields[f].len);
        if (*ret_exact || is_lookalike(json, &fields[f]))
            return f;
    }
    return F_NONE;
}

static void on_key(struct rpc_scan *s)
{
    bool exact;
    enum field f = find_field(&s->json, &exact);
    uint32_t bit = UINT32_C(1) << f;
    if (f == F_NONE)
        return;
    if (!exact) {
        complain(s, RPC_LOOKALIKE_KEY, s->json.at - 1);
        return;
    }
    if ((s->seen & bit) == 0) {
        s->seen |= bit;
        scan_want(&s->json, (uint8_t)f, fields[f].how);
        return;
    }
    complain(s, RPC_DUPLICATE_KEY, s->json.at - 1);
    if (f == F_ID) {
        s->env.id = (struct span){0};
        s->env.id_null = s->env.id_is_int = false;
    }
}

static bool is_container(char first)
{
    return first == '{' || first == '[';
}

/* Illegal types are noted as such and get no span. */
static bool value_is_legal(struct rpc_scan *s, enum field f, const struct scan_member *m)
{
    switch (f) {
    case F_ID:
        s->env.id_null = m->first == 'n';
        s->env.id_is_int = m->integer;
        if (!is_container(m->first) && m->first != 't' && m->first != 'f')
            return true;
        complain(s, RPC_BAD_ID, m->at);
        return false;
    case F_METHOD:
        if (m->first == '"')
            return true;
        complain(s, RPC_BAD_METHOD, m->at);
        return false;
    case F_PARAMS:
        s->bad_params = !is_container(m->first);
        return true;
    case F_JSONRPC:
        s->is_2_0 = m->first == '"' && scan_text_is(&s->json, "2.0", 3);
        return true;
    default:
        return true;
    }
}

static void on_value(struct rpc_scan *s)
{
    struct scan_member *m = scan_member(&s->json);
    enum field f = m->tag;
    m->tag = F_NONE;
    if (!value_is_legal(s, f, m))
        return;
    struct span *span = (struct span *)(void *)((char *)s + fields[f].span_at);
    *span = (struct span){.off = m->at, .len = m->end - m->at};
}

void rpc_scan_init(struct rpc_scan *s)
{
    memset(s, 0, sizeof(*s));
    scan_init(&s->json, true, false);
}

void rpc_scan_feed(struct rpc_scan *s, const char *bytes, size_t len)
{
    enum scan_event event;
    while ((event = scan_next(&s->json, &bytes, &len)) != SCAN_MORE) {
        if (event == SCAN_KEY)
            on_key(s);
        else
            on_value(s);
    }
}

/* ---- what it is ---- */

/* RPC_INVALID: the members make no message. */
static enum rpc_kind message_kind(const struct rpc_envelope *env)
{
    bool id = span_found(env->id);
    bool result = span_found(env->result);
    bool error = span_found(env->error);
    if (span_found(env->method)) {
        if (result || error)
            return RPC_INVALID;
        return id ? RPC_REQUEST : RPC_NOTIFICATION;
    }
    if (result == error)
        return RPC_INVALID;
    if (error)
        return RPC_ERROR;
    return id && !env->id_null ? RPC_RESULT : RPC_INVALID;
}

static void classify_object(struct rpc_scan *s)
{
    struct rpc_envelope *env = &s->env;
    size_t len = s->json.at;
    env->kind = message_kind(env);
    if (!s->is_2_0)
        complain(s, RPC_NOT_2_0, span_found(s->jsonrpc) ? s->jsonrpc.off : len);
    if (s->bad_params && span_found(env->method))
        complain(s, RPC_BAD_PARAMS, env->params.off);
    if (env->kind == RPC_INVALID)
        complain(s, RPC_BAD_MESSAGE, len);
}

void rpc_scan_end(struct rpc_scan *s, struct rpc_envelope *ret_env)
{
    struct rpc_envelope *env = &s->env;
    char root = s->json.members[0].first;
    enum scan_fault text_fault = scan_end(&s->json);
    if (text_fault != SCAN_OK) {
        s->fault = (enum rpc_fault)text_fault;
        s->fault_at = s->json.fault_at;
    } else if (root == '{') {
        classify_object(s);
    } else if (root == '[') {
        env->kind = RPC_BATCH;
    } else {
        complain(s, RPC_NOT_OBJECT, s->json.members[0].at);
    }
    env->has_method = (s->seen >> F_METHOD & 1) != 0;
    env->fault = s->fault;
    env->fault_at = s->fault_at;
    if (env->fault != RPC_OK)
        env->kind = RPC_INVALID;
    *ret_env = *env;
}

void rpc_scan_line(const char *bytes, size_t len, struct rpc_envelope *ret_env)
{
    struct rpc_scan s;
    if (rpc_fast_line(bytes, len, ret_env))
        return;
    rpc_scan_init(&s);
    rpc_scan_feed(&s, bytes, len);
    rpc_scan_end(&s, ret_env);
}

bool rpc_scan_is_blank(const struct rpc_scan *s)
{
    return scan_is_blank(&s->json);
}

struct span rpc_scan_id(const struct rpc_scan *s)
{
    const struct scan_member *m = &s->json.members[LEVEL_ROOT];
    if (m->tag == F_ID && m->begun && !is_container(m->first))
        return (struct span){.off = m->at, .len = s->json.at - m->at};
    return s->env.id;
}

enum rpc_fault rpc_check_json(const char *bytes, size_t len, size_t *ret_fault_at)
{
    struct scan json;
    scan_init(&json, false, true);
    enum scan_event event = scan_next(&json, &bytes, &len);
    assert(event == SCAN_MORE);
    (void)event;
    enum scan_fault fault = scan_end(&json);
    if (fault != SCAN_OK && ret_fault_at)
        *ret_fault_at = json.fault_at;
    return (enum rpc_fault)fault;
}

bool rpc_is_strict_json(const char *bytes, size_t len)
{
    return rpc_check_json(bytes, len, NULL) == RPC_OK;
}

/* ---- faults ---- */

int rpc_fault_code(enum rpc_fault fault)
{
    return fault <= RPC_TRUNCATED ? -32700 : -32600;
}

const char *rpc_fault_text(enum rpc_fault fault)
{
    switch (fault) {
    case RPC_OK:
        return "no fault";
    case RPC_BAD_JSON:
        return "not valid JSON";
    case RPC_BAD_UTF8:
        return "not valid UTF-8";
    case RPC_TOO_DEEP:
        return "nested too deeply";
    case RPC_TRUNCATED:
        return "ends inside its JSON value";
    case RPC_DUPLICATE_KEY:
        return "a routing key stands twice";
    case RPC_LOOKALIKE_KEY:
        return "a key differs from a routing key in case alone";
    case RPC_BAD_ID:
        return "id is neither string, number nor null";
    case RPC_BAD_METHOD:
        return "method is not a string";
    case RPC_NOT_OBJECT:
        return "not a JSON object";
    case RPC_NOT_2_0:
        return "jsonrpc is not the string 2.0";
    case RPC_BAD_PARAMS:
        return "params is neither object nor array";
    case RPC_BAD_MESSAGE:
        return "neither request, notification nor response";
    }
    return "unknown fault";
}
