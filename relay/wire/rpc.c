/* The envelope scan over wire/scan: which members are routing keys, where their values are, and what kind of
 * message they make together.
 *
 * Happy path: feed -> on_key requests the routing keys' values -> on_value notes their spans -> end
 * classifies. Failure modes: a fault of the text is the scanner's; one of the message (a routing key twice,
 * an id that is an object) is noted and the scan goes on, so that an id behind it is found and a later fault
 * of the text is reported.
 */
#include "wire/rpc.h"

#include <assert.h>
#include <string.h>

#include "wire/rpc_fast.h"
#include "wire/rpc_keys.h"

static const struct key_info {
    const char *name;
    uint8_t len;
    uint8_t how;       /* enum scan_how */
    uint8_t case_rule; /* enum rpc_case_rule */
    uint16_t span_at;  /* in struct rpc_envelope */
} keys[RPC_KEY_COUNT] = {
#define X(id_, name_, member_, how_, case_rule_)                                                             \
    [RPC_KEY_##id_] = {.name = (name_),                                                                      \
                       .len = sizeof(name_) - 1,                                                             \
                       .how = (how_),                                                                        \
                       .case_rule = (case_rule_),                                                            \
                       .span_at = offsetof(struct rpc_envelope, member_)},
    RPC_KEYS(X)
#undef X
};

/* The table is sorted by level: where each begins. */
#define X(id_, name_, member_, how_, case_rule_) +1
enum {
    ROOT_BEGIN = RPC_KEY_NONE + 1,
    PARAMS_BEGIN = ROOT_BEGIN RPC_ROOT_KEYS(X),
    META_BEGIN = PARAMS_BEGIN RPC_PARAMS_KEYS(X),
};
#undef X
static const uint8_t level_begin[] = {0, ROOT_BEGIN, PARAMS_BEGIN, META_BEGIN, RPC_KEY_COUNT};

#define X(id_, name_, member_, how_, case_rule_)                                                             \
    static_assert(sizeof(name_) - 1 <= SCAN_TEXT_BYTES, "the scanner keeps keys whole");
RPC_KEYS(X)
#undef X
static_assert((int)RPC_LEVEL_META < (int)SCAN_LEVELS, "the scanner watches that far");
static_assert(RPC_KEY_COUNT <= 32, "rpc_scan.seen has a bit for each");
static_assert(offsetof(struct rpc_scan, json) == 0, "begin clears what stands behind it");

static void note_fault(struct rpc_scan *s, enum rpc_fault fault, size_t at)
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

/* Of equal lengths: equal but for case. Two characters that are not ASCII fold to s and k (U+017F,
 * U+212A); the scanner stores 0xff for every character that is not ASCII, so 0xff is taken as either of
 * them. */
static bool is_lookalike(const struct scan *json, const struct key_info *info)
{
    for (size_t i = 0; i < info->len; i++) {
        char wanted = lower(info->name[i]);
        char c = lower(json->text[i]);
        if (c != wanted && !(c == '\xff' && (wanted == 's' || wanted == 'k')))
            return false;
    }
    return true;
}

static enum rpc_key find_key(const struct scan *json, bool *ret_exact)
{
    unsigned level = scan_level(json);
    for (unsigned k = level_begin[level]; k < level_begin[level + 1]; k++) {
        if (json->text_len != keys[k].len)
            continue;
        *ret_exact = scan_text_is(json, keys[k].name, keys[k].len);
        if (*ret_exact || (keys[k].case_rule == RPC_CASE_REFUSED && is_lookalike(json, &keys[k])))
            return k;
    }
    return RPC_KEY_NONE;
}

static uint32_t bit_of(enum rpc_key key)
{
    return UINT32_C(1) << key;
}

static void on_key(struct rpc_scan *s)
{
    bool exact;
    enum rpc_key key = find_key(&s->json, &exact);
    uint32_t bit = bit_of(key);
    if (key == RPC_KEY_NONE)
        return;
    s->id_met = s->id_met || key == RPC_KEY_ID;
    if (!exact) {
        note_fault(s, RPC_LOOKALIKE_KEY, s->json.at - 1);
        return;
    }
    if ((s->seen & bit) == 0) {
        s->seen |= bit;
        scan_want(&s->json, (uint8_t)key, keys[key].how);
        return;
    }
    note_fault(s, RPC_DUPLICATE_KEY, s->json.at - 1);
    if (key == RPC_KEY_ID) {
        s->env.id = (struct span){0};
        s->env.id_null = s->env.id_is_int = false;
    }
}

static bool is_container(char first)
{
    return first == '{' || first == '[';
}

static bool is_met(const struct rpc_scan *s, enum rpc_key key)
{
    return (s->seen & ~s->nulls & bit_of(key)) != 0;
}

/* Illegal types are noted as such and get no span, nor does null. */
static bool value_is_legal(struct rpc_scan *s, enum rpc_key key, const struct scan_member *m)
{
    if (m->first == 'n' && key != RPC_KEY_ID) {
        s->nulls |= bit_of(key);
        return key == RPC_KEY_RESULT;
    }
    switch (key) {
    case RPC_KEY_ID:
        s->env.id_null = m->first == 'n';
        s->env.id_is_int = m->integer;
        if (!is_container(m->first) && m->first != 't' && m->first != 'f')
            return true;
        note_fault(s, RPC_BAD_ID, m->at);
        return false;
    case RPC_KEY_METHOD:
        if (m->first == '"')
            return true;
        note_fault(s, RPC_BAD_METHOD, m->at);
        return false;
    case RPC_KEY_PARAMS:
        s->bad_params = !is_container(m->first);
        return true;
    case RPC_KEY_JSONRPC:
        s->is_2_0 = m->first == '"' && scan_text_is(&s->json, "2.0", 3);
        return true;
    default:
        return true;
    }
}

static void on_value(struct rpc_scan *s)
{
    struct scan_member *m = scan_member(&s->json);
    enum rpc_key key = m->tag;
    m->tag = RPC_KEY_NONE;
    if (!value_is_legal(s, key, m))
        return;
    struct span *span = (struct span *)(void *)((char *)&s->env + keys[key].span_at);
    *span = (struct span){.off = m->at, .len = m->end - m->at};
}

static void begin(struct rpc_scan *s, bool newlines)
{
    const size_t own = offsetof(struct rpc_scan, env); /* scan_init clears json */
    memset((char *)s + own, 0, sizeof(*s) - own);
    scan_init(&s->json, true, newlines);
}

void rpc_scan_init(struct rpc_scan *s)
{
    begin(s, false);
}

void rpc_scan_init_message(struct rpc_scan *s)
{
    begin(s, true);
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
    if ((s->nulls & bit_of(RPC_KEY_RESULT)) && (span_found(env->error) || span_found(env->method)))
        env->result = (struct span){0};
    env->kind = message_kind(env);
    if (!s->is_2_0)
        note_fault(s, RPC_NOT_2_0, span_found(env->jsonrpc) ? env->jsonrpc.off : len);
    if (s->bad_params && span_found(env->method))
        note_fault(s, RPC_BAD_PARAMS, env->params.off);
    if (env->kind == RPC_INVALID)
        note_fault(s, RPC_BAD_MESSAGE, len);
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
        note_fault(s, RPC_NOT_OBJECT, s->json.members[0].at);
    }
    env->has_method = is_met(s, RPC_KEY_METHOD);
    env->fault = s->fault;
    env->fault_at = s->fault_at;
    if (env->fault != RPC_OK)
        env->kind = RPC_INVALID;
    env->is_notice = env->kind == RPC_INVALID && env->has_method && !s->id_met && scan_saw_all(&s->json);
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

bool rpc_scan_has_value(const struct rpc_scan *s)
{
    return scan_saw_all(&s->json) && is_container(s->json.members[0].first);
}

struct span rpc_scan_id(const struct rpc_scan *s)
{
    const struct scan_member *m = &s->json.members[RPC_LEVEL_ROOT];
    if (m->tag == RPC_KEY_ID && m->begun && !is_container(m->first))
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
