/* Faults that arrive as JSON-RPC errors, as texts.
 *
 * Happy path: relay_error.c has read the error object; data and message are decoded here. The text of a
 * relay's error has, most useful first: the refused method, the message, the server and its state, how it
 * ended, when it is tried again, and, in the remaining room, the end of its stderr.
 *
 * Failure modes: any member may be missing, of another type, huge or hostile: unreadable members, and members
 * for which there is no memory, are left out. Text that is not an error object is BAD_ANSWER.
 */
#include "fault.h"

#include <stdbool.h>
#include <string.h>

#include "fault_internal.h"
#include "relay_error.h"
#include "wire/json.h"
#include "wire/rpc_error.h"

/* The relay's own errors take a few KiB (2 KiB of stderr); a server may attach what it likes. */
#define PART_MAX_BYTES   ((size_t)256 << 10)
#define PART_MAX_TOKENS  4096
#define MESSAGE_BYTES    88
#define NAME_BYTES       32
#define STDERR_MIN_BYTES 24 /* a shorter tail is not useful */

/* ---- suggestions ---- */

#define SEE_SERVERS "see \"agent-relayctl servers\" and the relay's log"

struct relay_advice {
    int code;
    const char *suggestion;
};

static const struct relay_advice relay_rows[] = {
    {RPC_E_TIMEOUT,
     "The server behind the relay took longer than the relay waits for it (timeoutMs): " SEE_SERVERS},
    {RPC_E_OVERLOADED,
     "The server has more requests than it can take: send fewer at once, or let the relay take more in flight"},
    {RPC_E_RATE_LIMITED,
     "This client sends more requests than the relay allows: send fewer, or have the limit raised"},
    {RPC_E_UNAUTHENTICATED,
     "The relay requires authentication, and this client has no key: use an address of the relay that needs none"},
    {RPC_E_FORBIDDEN,
     "This connection lacks the permission: connect to the relay's Unix socket or from its own machine, or have the permission granted"},
    {RPC_E_TOO_LARGE, "Request less at once, or raise the relay's maxFrameBytes"},
    {RPC_E_NO_SUCH_SERVER,
     "That address of the relay is bound to a server that its configuration does not have: "
     "name one that it has in \"listen\" or \"defaultServer\", or use another address"},
    {RPC_E_DRAINING,
     "The relay is being stopped or restarted: try again in a moment; if it stays away, start it"},
    {RPC_E_CONNECTION_LOST,
     "The relay lost the server while the request ran: check whether it was done before sending it again, and " SEE_SERVERS},
    {RPC_E_BAD_REPLY, "The server behind the relay writes invalid JSON: " SEE_SERVERS},
    {RPC_E_METHOD_NOT_FOUND, "This relay does not know the method: it may be older than this client"},
};

static const char *relay_suggestion(int code)
{
    for (size_t i = 0; i < sizeof(relay_rows) / sizeof(relay_rows[0]); i++) {
        if (relay_rows[i].code == code)
            return relay_rows[i].suggestion;
    }
    return "The relay did not take what this client sent: compare their versions, and see the relay's log";
}

static const char *server_suggestion(int code)
{
    switch (code) {
    case RPC_E_METHOD_NOT_FOUND:
        return "The server behind the relay does not offer this: see which server the relay runs "
               "(\"agent-relayctl servers\") and what that offers (\"agent-relayctl tools\")";
    case RPC_E_INVALID_PARAMS:
        return "The server behind the relay does not take these parameters: see \"agent-relayctl tools\" for what it takes";
    default:
        return "The server behind the relay refused the request with an error of its own: " SEE_SERVERS;
    }
}

#define MOCK_REFUSED "The mock refused it, not the server: try again when the relay is back"

/* ---- members of the error ---- */

struct error {
    const struct relay_error *read;
    struct json_doc *data_doc; /* NULL: no data, or none that can be read */
    json_node data;
    struct json_doc *message_doc; /* likewise; the root is the message */
};

static struct json_doc *parse(const char *json, size_t len)
{
    struct json_doc *doc;
    if (!json || len > PART_MAX_BYTES)
        return NULL;
    return json_parse(json, len, JSON_STRICT, PART_MAX_TOKENS, &doc, NULL) == 0 ? doc : NULL;
}

static const char *message_of(const struct error *e, size_t *ret_len)
{
    *ret_len = 0;
    return e->message_doc ? json_string(e->message_doc, json_root(e->message_doc), ret_len) : NULL;
}

static const char *string_at(const struct error *e, const char *key, size_t *ret_len)
{
    *ret_len = 0;
    return e->data_doc ? json_string(e->data_doc, json_get(e->data_doc, e->data, key), ret_len) : NULL;
}

static bool number_at(const struct error *e, const char *key, int64_t *ret)
{
    return e->data_doc && json_int(e->data_doc, json_get(e->data_doc, e->data, key), 0, INT64_MAX, ret);
}

static bool has_string(const struct error *e, const char *key, const char *value)
{
    size_t len;
    const char *found = string_at(e, key, &len);
    return found && strcmp(found, value) == 0;
}

static bool has_key(const struct error *e, const char *key)
{
    return e->data_doc && json_type(e->data_doc, json_get(e->data_doc, e->data, key)) != JSON_NONE;
}

static bool has_number(const struct error *e, const char *key, int64_t value)
{
    int64_t found;
    return number_at(e, key, &found) && found == value;
}

/* The suggestion for an unavailable server. With a detail, the message already holds the cause, and the
 * way the process ended is only its consequence (a server that does not answer initialize is killed, for
 * example). */
static const char *unavailable_suggestion(const struct error *e)
{
    int64_t any;
    bool ended = number_at(e, "exitStatus", &any) || number_at(e, "signal", &any);
    bool explained = has_key(e, "detail");
    if (has_string(e, "state", "removed"))
        return "The relay's configuration no longer has that server: put it back, or use another address of the relay";
    if (has_number(e, "exitStatus", 127))
        return "The server's command, or one that it runs, was not found where the relay runs: install it, or correct \"command\" in the relay's configuration";
    if (has_number(e, "exitStatus", 126))
        return "The server's command cannot be run where the relay runs: see its permissions, or correct \"command\" in the relay's configuration";
    if (has_number(e, "signal", 9) && !explained)
        return "The server was killed: by a person, or by the kernel for lack of memory (see its log); the relay starts it again by itself";
    if (ended && !explained)
        return "The server's command ends by itself: see its stderr (the relay's log has all of it); the relay starts it again by itself";
    if (has_string(e, "state", "starting") || has_string(e, "state", "stopping") ||
        has_string(e, "state", "changed"))
        return "The server is being started again: try again in a moment; if it stays so, " SEE_SERVERS;
    return "The relay answers, the server behind it is down: " SEE_SERVERS;
}

/* ---- the text ---- */

static void add_message(struct text_builder *text, const struct error *e, size_t max_bytes)
{
    size_t len;
    const char *message = message_of(e, &len);
    if (!message || len == 0)
        return;
    text_builder_add(text, ": ");
    text_builder_quote(text, message, len, max_bytes);
}

static void add_string(struct text_builder *text, const struct error *e, const char *before, const char *key,
                       size_t max_bytes)
{
    size_t len;
    const char *value = string_at(e, key, &len);
    if (!value || len == 0)
        return;
    text_builder_add(text, before);
    text_builder_quote(text, value, len, max_bytes);
}

static void add_number(struct text_builder *text, const struct error *e, const char *before, const char *key)
{
    int64_t number;
    if (number_at(e, key, &number))
        text_builder_addf(text, "%s%lld", before, (long long)number);
}

static void add_duration(struct text_builder *text, const struct error *e, const char *before,
                         const char *key)
{
    int64_t ms;
    if (!number_at(e, key, &ms))
        return;
    text_builder_add(text, before);
    text_builder_add_duration(text, (uint64_t)ms);
}

static void add_signal(struct text_builder *text, const struct error *e)
{
    int64_t number;
    if (!number_at(e, "signal", &number))
        return;
    const char *name = number < 65 ? sigabbrev_np((int)number) : NULL;
    if (name)
        text_builder_addf(text, ", killed by SIG%s", name);
    else
        text_builder_addf(text, ", killed by signal %lld", (long long)number);
}

static void add_stderr(struct text_builder *text, const struct error *e)
{
    size_t len;
    static const char before[] = "; it wrote \"";
    const char *tail = string_at(e, "stderrTail", &len);
    if (!tail || len == 0 || text_builder_room(text) < sizeof(before) + STDERR_MIN_BYTES)
        return;
    text_builder_add(text, before);
    text_builder_quote_end(text, tail, len, text_builder_room(text) - 1);
    text_builder_add(text, "\"");
}

static void add_known_servers(struct text_builder *text, const struct error *e)
{
    const char *before = "; it has ";
    if (!e->data_doc)
        return;
    json_node list = json_get(e->data_doc, e->data, "known");
    for (json_node n = json_first(e->data_doc, list); n != JSON_ABSENT; n = json_next(e->data_doc, n)) {
        size_t len;
        const char *name = json_string(e->data_doc, n, &len);
        if (!name || text_builder_room(text) < NAME_BYTES + 2)
            break;
        text_builder_add(text, before);
        text_builder_quote(text, name, len, NAME_BYTES);
        before = ", ";
    }
}

static void add_data(struct text_builder *text, const struct error *e)
{
    add_string(text, e, "; server ", "server", NAME_BYTES);
    add_string(text, e, " is ", "state", NAME_BYTES);
    add_number(text, e, ", exited with status ", "exitStatus");
    add_signal(text, e);
    add_string(text, e, "; ", "reason", MESSAGE_BYTES);
    add_string(text, e, "; needed: ", "needed", NAME_BYTES);
    add_number(text, e, "; bytes: ", "bytes");
    add_number(text, e, "; waiting: ", "queued");
    add_number(text, e, "; limit: ", "limit");
    add_duration(text, e, "; after ", "afterMs");
    add_duration(text, e, "; next try in ", "retryAfterMs");
    add_known_servers(text, e);
    add_stderr(text, e);
}

static const char *relay_name(const struct relay_error *e)
{
    if (e->name[0] != '\0')
        return e->name;
    const char *name = rpc_error_name(e->code);
    return name ? name : "RELAY_ERROR";
}

/* Begins the text, which goes into `text`'s own buffer. */
static void begin(struct fault *f, struct text_builder *text, const char *name, const char *suggestion)
{
    struct text_builder unused;
    fault_begin(f, &unused, name, suggestion);
    text_builder_begin(text, text->text, text->size);
}

static void relay_error(struct fault *f, struct text_builder *text, const char *what, const struct error *e,
                        const char *address)
{
    int code = e->read->code;
    bool outage = code == RPC_E_SERVER_UNAVAILABLE;
    begin(f, text, relay_name(e->read), outage ? unavailable_suggestion(e) : relay_suggestion(code));
    text_builder_add(text, "the relay at ");
    fault_add_address(text, address);
    text_builder_add(text, " refused ");
    fault_add_method(text, what);
    size_t before = text->len;
    add_message(text, e, MESSAGE_BYTES);
    if (text->len == before)
        text_builder_addf(text, ": %s", rpc_error_message(code));
    add_data(text, e);
}

static void server_error(struct fault *f, struct text_builder *text, const char *what, const struct error *e,
                         const char *address)
{
    begin(f, text, "SERVER_ERROR", server_suggestion(e->read->code));
    text_builder_add(text, "the server behind ");
    fault_add_address(text, address);
    text_builder_add(text, " refused ");
    fault_add_method(text, what);
    text_builder_addf(text, ": error %d", e->read->code);
    add_message(text, e, text->size);
    /* The server's data is shown where it is a string; other types are ignored. */
    size_t len;
    const char *data = e->data_doc ? json_string(e->data_doc, e->data, &len) : NULL;
    if (!data || len == 0 || text_builder_room(text) < STDERR_MIN_BYTES)
        return;
    text_builder_add(text, ": ");
    text_builder_quote(text, data, len, text->size);
}

/* ---- all of it ---- */

static void open_parts(struct error *e, const struct relay_error *read)
{
    *e = (struct error){.read = read,
                        .data_doc = parse(read->data, read->data_len),
                        .message_doc = parse(read->message, read->message_len)};
    if (e->data_doc)
        e->data = json_root(e->data_doc);
}

static void explain(struct fault *f, struct text_builder *text, const char *what,
                    const struct relay_error *error, const char *address)
{
    struct error e;
    open_parts(&e, error);
    if (error->relay)
        relay_error(f, text, what, &e, address);
    else
        server_error(f, text, what, &e, address);
    json_free(e.data_doc);
    json_free(e.message_doc);
}

static void not_an_error(struct fault *f, const char *what, const char *address)
{
    fault_bad_answer(f, what, "an error that is no JSON-RPC error object", address);
}

void fault_rpc(struct fault *f, const char *what, const struct relay_error *error, const char *address)
{
    struct text_builder text = {.text = f->text, .size = sizeof(f->text)};
    if (error->valid)
        explain(f, &text, what, error, address);
    else
        not_an_error(f, what, address);
}

void fault_rpc_text(struct fault *f, char *text, size_t size, const char *what,
                    const struct relay_error *error, const char *address)
{
    struct text_builder b = {.text = text, .size = size};
    if (error->valid) {
        explain(f, &b, what, error, address);
        return;
    }
    not_an_error(f, what, address);
    text_builder_begin(&b, text, size);
    text_builder_add(&b, f->text);
    f->text[0] = '\0';
}

void fault_mock(struct fault *f, const char *what, int code, const char *message, size_t message_len)
{
    struct text_builder text;
    struct relay_error read = {.valid = true, .code = code, .message = message, .message_len = message_len};
    struct error e;
    open_parts(&e, &read);
    fault_begin(f, &text, "SERVER_ERROR", MOCK_REFUSED);
    text_builder_add(&text, "the mock refused ");
    fault_add_method(&text, what);
    text_builder_addf(&text, ": error %d", code);
    add_message(&text, &e, sizeof(f->text));
    json_free(e.message_doc);
}
