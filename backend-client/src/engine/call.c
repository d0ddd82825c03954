/* One call: checked and copied on the caller's thread, written to the link on the engine's.
 *
 * Happy path: call_new proves the params strict JSON by scanning them inside an envelope of their own, so
 * that what passes is what the whole line will be, notes where a progress token can go in, and copies method
 * and params behind the structure, in one allocation. call_write makes room for the line once and prints it.
 *
 * Failure modes: arguments that cannot be sent are refused in call_new, with nothing left behind; what it
 * accepted can be written, but for memory and room in the buffer, and then nothing of it is in the buffer.
 */
#include "call.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/json_member.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"
#include "wire/text.h"
#include "wire/writer.h"

#define LINE_HEAD   "{\"jsonrpc\":\"2.0\",\"id\":"
#define LINE_METHOD ",\"method\":"
#define LINE_PARAMS ",\"params\":"
#define ID_TEXT_MAX 20 /* decimal digits of the largest uint64_t */
/* The longest of token_forms with its number. */
#define TOKEN_TEXT_MAX 64

/* What a scan of params stands in: the depth of the real line. */
#define PROBE_HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":"

struct token_form {
    const char *before;
    const char *after;
};

static const struct token_form token_forms[] = {
    [CALL_TOKEN_NONE] = {"", ""},
    [CALL_TOKEN_PARAMS] = {"{\"_meta\":{\"progressToken\":", "}}"},
    [CALL_TOKEN_META] = {"\"_meta\":{\"progressToken\":", "}"},
    [CALL_TOKEN_META_COMMA] = {"\"_meta\":{\"progressToken\":", "},"},
    [CALL_TOKEN_IN] = {"\"progressToken\":", ""},
    [CALL_TOKEN_IN_COMMA] = {"\"progressToken\":", ","},
};

/* ---- checking ---- */

static bool is_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        if ((unsigned char)text[i] < 0x80) {
            i++;
            continue;
        }
        char four[4] = {0}; /* text_sequence reads four bytes */
        memcpy(four, text + i, len - i < sizeof(four) ? len - i : sizeof(four));
        size_t sequence = text_sequence(four);
        if (sequence == 0)
            return false;
        i += sequence;
    }
    return true;
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Without the white space around it. */
static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_white((*text)[0])) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && is_white((*text)[*len - 1]))
        (*len)--;
}

/* Raw line ends may stand between tokens only, which has been proved when there are any. */
static void blank_line_ends(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    }
}

static bool next_is(const char *text, size_t len, size_t at, char wanted)
{
    while (at < len && is_white(text[at]))
        at++;
    return at < len && text[at] == wanted;
}

/* Where a progress token can stand in params: spans of `env` count from the envelope's start. */
static int place_token(struct call *c, const struct rpc_envelope *env, size_t head)
{
    if (env->kind != RPC_REQUEST || c->params[0] != '{')
        return AR_E_INVALID;
    if (!span_found(env->meta)) {
        struct span null_meta;
        if (json_member_find(c->params, c->params_len, "_meta", &null_meta))
            return AR_E_INVALID;
        c->token_at = 1;
        c->token = next_is(c->params, c->params_len, 1, '}') ? CALL_TOKEN_META : CALL_TOKEN_META_COMMA;
        return AR_OK;
    }
    size_t meta = env->meta.off - head;
    struct span token;
    if (c->params[meta] != '{' || json_member_find(c->params + meta, env->meta.len, "progressToken", &token))
        return AR_E_INVALID;
    c->token_at = meta + 1;
    c->token = next_is(c->params, c->params_len, meta + 1, '}') ? CALL_TOKEN_IN : CALL_TOKEN_IN_COMMA;
    return AR_OK;
}

/* Looks at the copy. A routing key that stands twice, or in the wrong case, is no fault here: the peer says
 * what it thinks of it. */
static int check_params(struct call *c)
{
    if (c->params_len == 0 || (c->params[0] != '{' && c->params[0] != '['))
        return AR_E_INVALID;
    struct rpc_scan scan;
    struct rpc_envelope env;
    const size_t head = sizeof(PROBE_HEAD) - 1;
    rpc_scan_init(&scan);
    rpc_scan_feed(&scan, PROBE_HEAD, head);
    rpc_scan_feed(&scan, c->params, c->params_len);
    rpc_scan_feed(&scan, "}", 1);
    rpc_scan_end(&scan, &env);
    bool whole = env.params.off == head && env.params.len == c->params_len;
    bool text_fault = env.fault != RPC_OK && rpc_fault_code(env.fault) == RPC_E_PARSE_ERROR;
    if (text_fault || !whole)
        return AR_E_INVALID;
    return c->on_progress ? place_token(c, &env, head) : AR_OK;
}

/* What params take in the line, at most. */
static size_t params_max(size_t params_len, bool token)
{
    size_t fixed = sizeof(LINE_PARAMS) - 1 + (token ? TOKEN_TEXT_MAX : 0);
    size_t sum;
    if (params_len == 0 && !token)
        return 0;
    return size_add(params_len, fixed, &sum) ? sum : SIZE_MAX;
}

/* The line's length without its newline, at most: with the longest id, and each byte of an unusual method
 * escaped. SIZE_MAX when it has none. */
static size_t line_max(const char *method, size_t method_len, size_t params_len, bool token)
{
    size_t sum = sizeof(LINE_HEAD) - 1 + ID_TEXT_MAX + sizeof(LINE_METHOD) - 1 + 2 + 1; /* quotes, brace */
    bool plain = text_plain_end(method, method + method_len) == method + method_len;
    size_t method_bytes;
    if (!size_mul(method_len, plain ? 1 : 6, &method_bytes) || !size_add(sum, method_bytes, &sum) ||
        !size_add(sum, params_max(params_len, token), &sum))
        return SIZE_MAX;
    return sum;
}

/* ---- making ---- */

static struct call *allocate(const struct ar_call *o, const char *params, size_t params_len)
{
    size_t method_len = strlen(o->method);
    size_t bytes;
    if (!size_add(sizeof(struct call) + 2, method_len, &bytes) || !size_add(bytes, params_len, &bytes))
        return NULL;
    struct call *c = mem_alloc(bytes);
    if (!c)
        return NULL;
    char *text = (char *)(c + 1);
    *c = (struct call){.bytes = method_len + params_len, .method = text, .method_len = method_len};
    list_init(&c->node);
    heap_node_init(&c->deadline);
    memcpy(text, o->method, method_len + 1);
    if (params) {
        char *copy = text + method_len + 1;
        memcpy(copy, params, params_len);
        copy[params_len] = '\0';
        blank_line_ends(copy, params_len);
        c->params = copy;
        c->params_len = params_len;
    }
    return c;
}

static void fill(struct call *c, const struct ar_call *o, uint64_t now_ms, uint32_t default_timeout_ms)
{
    uint32_t timeout_ms = o->deadline_ms ? o->deadline_ms : default_timeout_ms;
    bool never = timeout_ms == AR_NEVER || timeout_ms > UINT64_MAX - now_ms; /* or after the clock's end */
    c->began_at_ms = now_ms;
    c->deadline_at_ms = never ? UINT64_MAX : now_ms + timeout_ms;
    c->policy = o->policy;
    c->idempotent = o->idempotent;
    c->to_relay = strncmp(c->method, "relay/", 6) == 0;
    c->on_progress = o->on_progress;
    c->on_reply = o->on_reply;
    c->data = o->data;
    c->token = o->on_progress ? CALL_TOKEN_PARAMS : CALL_TOKEN_NONE;
}

static bool options_are_sound(const struct ar_call *o)
{
    static const char notifications[] = "notifications/";
    bool policy_known = o->policy == AR_FAIL_FAST || o->policy == AR_WAIT || o->policy == AR_MOCK;
    if (!policy_known || !o->method || o->method[0] == '\0' || (!o->params && o->params_len > 0))
        return false;
    /* initialize is the library's own, and a notification has no answer to wait for. */
    return strcmp(o->method, "initialize") != 0 &&
           strncmp(o->method, notifications, sizeof(notifications) - 1) != 0 &&
           is_utf8(o->method, strlen(o->method));
}

int call_new(const struct ar_call *options, uint64_t now_ms, uint32_t default_timeout_ms,
             size_t frame_max_bytes, struct call **ret_call)
{
    struct ar_call o = {0}; /* what an older, smaller structure does not have */
    if (!options || options->size == 0 || options->size > sizeof(o))
        return AR_E_INVALID;
    memcpy(&o, options, options->size);
    if (!options_are_sound(&o))
        return AR_E_INVALID;
    const char *params = o.params;
    size_t params_len = !params ? 0 : o.params_len ? o.params_len : strlen(params);
    /* As given, blanks around included, so that no byte is read of a length that cannot be. */
    size_t line = line_max(o.method, strlen(o.method), params_len, o.on_progress);
    if (line == SIZE_MAX || line > frame_max_bytes)
        return AR_E_TOO_LARGE;
    if (params)
        trim(&params, &params_len);
    /* A line end inside a string would be blanked into something valid: so such params are proved first. */
    bool line_ends = params && (memchr(params, '\n', params_len) || memchr(params, '\r', params_len));
    if (line_ends && rpc_check_json(params, params_len, NULL) != RPC_OK)
        return AR_E_INVALID;
    struct call *c = allocate(&o, params, params_len);
    if (!c)
        return AR_E_NO_MEMORY;
    fill(c, &o, now_ms, default_timeout_ms);
    int rc = c->params ? check_params(c) : AR_OK;
    if (rc != AR_OK) {
        mem_free(c);
        return rc;
    }
    *ret_call = c;
    return AR_OK;
}

void call_free(struct call *c)
{
    mem_free(c);
}

/* ---- writing ---- */

static char *put_number(char *at, uint64_t number)
{
    char digits[ID_TEXT_MAX];
    size_t from = sizeof(digits);
    do {
        digits[--from] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(at, digits + from, sizeof(digits) - from);
    return at + (sizeof(digits) - from);
}

static char *put(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static char *put_params(char *at, const struct call *c)
{
    const struct token_form *form = &token_forms[c->token];
    if (!c->params && c->token == CALL_TOKEN_NONE)
        return at;
    at = put(at, LINE_PARAMS, sizeof(LINE_PARAMS) - 1);
    if (c->params)
        at = put(at, c->params, c->token_at);
    if (c->token != CALL_TOKEN_NONE) {
        at = put(at, form->before, strlen(form->before));
        at = put_number(at, c->id);
        at = put(at, form->after, strlen(form->after));
    }
    return c->params ? put(at, c->params + c->token_at, c->params_len - c->token_at) : at;
}

/* There is room for the whole of a plain line. */
static int write_line(const struct call *c, struct buf *out, char *room, bool plain)
{
    char *at = put(room, LINE_HEAD, sizeof(LINE_HEAD) - 1);
    at = put_number(at, c->id);
    at = put(at, LINE_METHOD, sizeof(LINE_METHOD) - 1);
    if (plain) {
        *at++ = '"';
        at = put(at, c->method, c->method_len);
        *at++ = '"';
    } else { /* escaped by the writer, which may fail */
        struct writer w;
        buf_commit(out, (size_t)(at - room));
        writer_init(&w, out);
        write_string(&w, c->method, c->method_len);
        int rc = writer_end(&w);
        if (rc != 0)
            return rc;
        rc = buf_reserve(out, params_max(c->params_len, c->token != CALL_TOKEN_NONE) + 2, &room);
        if (rc != 0)
            return rc;
        at = room;
    }
    at = put_params(at, c);
    at = put(at, "}\n", 2);
    buf_commit(out, (size_t)(at - room));
    return 0;
}

int call_write(const struct call *c, struct buf *out)
{
    bool plain = text_plain_end(c->method, c->method + c->method_len) == c->method + c->method_len;
    size_t before = buf_len(out);
    char *room;
    int rc = buf_reserve(
        out, line_max(c->method, c->method_len, c->params_len, c->token != CALL_TOKEN_NONE) + 1, &room);
    if (rc == 0)
        rc = write_line(c, out, room, plain);
    if (rc != 0)
        buf_truncate(out, before);
    return rc;
}
