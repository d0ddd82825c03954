/* Faults that come as JSON-RPC errors, and what they tell.
 *
 * Happy path: the error object is parsed; data.relay decides whether the relay speaks for itself or passes on
 * what its server said. Of a relay's error the text tells, in the order of use: who was asked what, the
 * message, which server and its state, how it ended, when it is tried again, and the end of what it wrote on
 * stderr with all the room that is left.
 *
 * Failure modes: anything may be missing, of another type, huge or hostile: what cannot be read is left out.
 * Text that is no error object, or one too large to be worth reading, is BAD_ANSWER; out of memory is ENOMEM,
 * and says what it could not read.
 */
#include "fault.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "fault_internal.h"
#include "wire/json.h"
#include "wire/rpc_error.h"

/* The relay's own errors take a few KiB (2 KiB of stderr); a server may attach what it likes. */
#define ERROR_MAX_BYTES  ((size_t)256 << 10)
#define ERROR_MAX_TOKENS 4096
#define MESSAGE_BYTES    88
#define NAME_BYTES       32
#define STDERR_MIN_BYTES 24 /* less of it tells nothing */

/* ---- suggestions ---- */

#define SEE_SERVERS "see \"agent-relayctl servers\" and the relay's log"

struct relay_advice {
    int code;
    const char *words;
};

static const struct relay_advice relay_rows[] = {
    {RPC_E_TIMEOUT,
     "The server behind the relay took longer than the relay waits for it (timeoutMs): " SEE_SERVERS},
    {RPC_E_OVERLOADED,
     "More is asked of the server than it can take; this client asks again by itself. Ask less at once, or let the relay take more in flight"},
    {RPC_E_RATE_LIMITED, "This client asks more often than the relay allows; it asks again by itself, later"},
    {RPC_E_UNAUTHENTICATED,
     "The relay wants to know who asks, and this client has nothing to show: use an address of the relay that admits anyone"},
    {RPC_E_FORBIDDEN,
     "Not everybody may do this there: come over the relay's Unix socket or from its own machine, or have the permission given"},
    {RPC_E_TOO_LARGE, "Ask for less at once, or raise the relay's maxFrameBytes"},
    {RPC_E_NO_SUCH_SERVER,
     "That address of the relay leads to a server that its configuration does not have: "
     "name one that it has in \"listen\" or \"defaultServer\", or use another address"},
    {RPC_E_DRAINING,
     "The relay is being stopped or restarted: nothing to do, this client connects again by itself; if it stays away, start it"},
    {RPC_E_CONNECTION_LOST, "The relay lost the server in the middle of it: " SEE_SERVERS},
    {RPC_E_BAD_REPLY, "What the server behind the relay writes is no valid JSON: " SEE_SERVERS},
    {RPC_E_METHOD_NOT_FOUND, "This relay does not know the method: it may be older than this client"},
};

static const char *relay_words(int code)
{
    for (size_t i = 0; i < sizeof(relay_rows) / sizeof(relay_rows[0]); i++) {
        if (relay_rows[i].code == code)
            return relay_rows[i].words;
    }
    return "The relay did not take what this client sent: compare their versions, and see the relay's log";
}

static const char *server_words(int code)
{
    switch (code) {
    case RPC_E_METHOD_NOT_FOUND:
        return "The server behind the relay does not offer this: see which server the relay runs "
               "(\"agent-relayctl servers\") and what that offers (\"agent-relayctl tools\")";
    case RPC_E_INVALID_PARAMS:
        return "The server behind the relay does not take these parameters: see \"agent-relayctl tools\" for what it takes";
    default:
        return "The server behind the relay refused it in its own words: " SEE_SERVERS;
    }
}

/* ---- what the error holds ---- */

struct error {
    struct json_doc *doc;
    json_node root;
    json_node data;
    int code;
};

static const char *string_at(const struct error *e, json_node object, const char *key, size_t *ret_len)
{
    *ret_len = 0;
    return json_string(e->doc, json_get(e->doc, object, key), ret_len);
}

static bool number_at(const struct error *e, const char *key, int64_t *ret)
{
    return json_int(e->doc, json_get(e->doc, e->data, key), 0, INT64_MAX, ret);
}

static bool has_string(const struct error *e, const char *key, const char *value)
{
    size_t len;
    const char *found = string_at(e, e->data, key, &len);
    return found && strcmp(found, value) == 0;
}

static bool has_key(const struct error *e, const char *key)
{
    return json_type(e->doc, json_get(e->doc, e->data, key)) != JSON_NONE;
}

static bool has_number(const struct error *e, const char *key, int64_t value)
{
    int64_t found;
    return number_at(e, key, &found) && found == value;
}

/* Why the server is not there, as far as the error tells. With a detail, the message says it in words, and
 * the way the process ended is only its consequence (one that does not answer initialize is killed, say). */
static const char *outage_words(const struct error *e)
{
    bool explained = has_key(e, "detail");
    if (has_string(e, "state", "removed"))
        return "The relay's configuration no longer has that server: put it back, or use another address of the relay";
    if (has_number(e, "exitStatus", 127))
        return "The server's command, or one that it runs, was not found where the relay runs: install it, or correct \"command\" in the relay's configuration";
    if (has_number(e, "exitStatus", 126))
        return "The server's command cannot be run where the relay runs: see its permissions, or correct \"command\" in the relay's configuration";
    if (has_number(e, "signal", 9) && !explained)
        return "The server was killed: if nobody did that, the kernel may have, for want of memory (its log says so); the relay starts it again by itself";
    if ((has_key(e, "exitStatus") || has_key(e, "signal")) && !explained)
        return "The server's command ends by itself: what it writes says why (the relay's log has all of it); the relay starts it again by itself";
    if (has_string(e, "state", "starting") || has_string(e, "state", "stopping") ||
        has_string(e, "state", "changed"))
        return "The server is being started again: nothing to do; if it stays so, " SEE_SERVERS;
    return "The relay answers, the server behind it is not there: " SEE_SERVERS
           "; this client goes on trying";
}

/* ---- the sentence ---- */

static void say_string(struct sentence *text, const struct error *e, const char *before, json_node object,
                       const char *key, size_t max_bytes)
{
    size_t len;
    const char *value = string_at(e, object, key, &len);
    if (!value || len == 0)
        return;
    sentence_add(text, before);
    sentence_quote(text, value, len, max_bytes);
}

static void say_number(struct sentence *text, const struct error *e, const char *before, const char *key)
{
    int64_t number;
    if (number_at(e, key, &number))
        sentence_addf(text, "%s%lld", before, (long long)number);
}

static void say_duration(struct sentence *text, const struct error *e, const char *before, const char *key)
{
    int64_t ms;
    if (!number_at(e, key, &ms))
        return;
    sentence_add(text, before);
    sentence_add_duration(text, (uint64_t)ms);
}

static void say_signal(struct sentence *text, const struct error *e)
{
    int64_t number;
    if (!number_at(e, "signal", &number))
        return;
    const char *name = number < 65 ? sigabbrev_np((int)number) : NULL;
    if (name)
        sentence_addf(text, ", killed by SIG%s", name);
    else
        sentence_addf(text, ", killed by signal %lld", (long long)number);
}

static void say_stderr(struct sentence *text, const struct error *e)
{
    size_t len;
    static const char before[] = "; it wrote \"";
    const char *tail = string_at(e, e->data, "stderrTail", &len);
    if (!tail || len == 0 || sentence_room(text) < sizeof(before) + STDERR_MIN_BYTES)
        return;
    sentence_add(text, before);
    sentence_quote_end(text, tail, len, sentence_room(text) - 1);
    sentence_add(text, "\"");
}

static void say_known(struct sentence *text, const struct error *e)
{
    json_node list = json_get(e->doc, e->data, "known");
    const char *before = "; it has ";
    for (json_node n = json_first(e->doc, list); n != JSON_ABSENT; n = json_next(e->doc, n)) {
        size_t len;
        const char *name = json_string(e->doc, n, &len);
        if (!name || sentence_room(text) < NAME_BYTES + 2)
            break;
        sentence_add(text, before);
        sentence_quote(text, name, len, NAME_BYTES);
        before = ", ";
    }
}

static void say_data(struct sentence *text, const struct error *e)
{
    say_string(text, e, "; server ", e->data, "server", NAME_BYTES);
    say_string(text, e, " is ", e->data, "state", NAME_BYTES);
    say_number(text, e, ", exited with status ", "exitStatus");
    say_signal(text, e);
    say_string(text, e, "; ", e->data, "reason", MESSAGE_BYTES);
    say_string(text, e, "; needed: ", e->data, "needed", NAME_BYTES);
    say_number(text, e, "; bytes: ", "bytes");
    say_number(text, e, "; waiting: ", "queued");
    say_number(text, e, "; limit: ", "limit");
    say_duration(text, e, "; after ", "afterMs");
    say_duration(text, e, "; next try in ", "retryAfterMs");
    say_known(text, e);
    say_stderr(text, e);
}

/* A name for programs is made of capitals, digits and underscores; what is not, is not taken over. */
static const char *relay_name(const struct error *e)
{
    size_t len;
    const char *name = string_at(e, e->data, "code", &len);
    if (name && len > 0 && len < sizeof((struct fault *)0)->name &&
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len)
        return name;
    name = rpc_error_name(e->code);
    return name ? name : "RELAY_ERROR";
}

static void relay_error(struct fault *f, const char *what, const struct error *e, const char *address)
{
    struct sentence text;
    bool outage = e->code == RPC_E_SERVER_UNAVAILABLE;
    fault_begin(f, &text, relay_name(e), outage ? outage_words(e) : relay_words(e->code));
    sentence_add(&text, "the relay at ");
    fault_say_address(&text, address);
    sentence_add(&text, " refused ");
    fault_say_what(&text, what);
    size_t before = text.len;
    say_string(&text, e, ": ", e->root, "message", MESSAGE_BYTES);
    if (text.len == before)
        sentence_addf(&text, ": %s", rpc_error_message(e->code));
    say_data(&text, e);
}

static void server_error(struct fault *f, const char *what, const struct error *e, const char *address)
{
    struct sentence text;
    fault_begin(f, &text, "SERVER_ERROR", server_words(e->code));
    sentence_add(&text, "the server behind ");
    fault_say_address(&text, address);
    sentence_add(&text, " refused ");
    fault_say_what(&text, what);
    sentence_addf(&text, ": error %d", e->code);
    say_string(&text, e, ": ", e->root, "message", sizeof(f->text));
    /* What it attached matters where it is a sentence; other shapes are the server's own affair. */
    size_t len;
    const char *data = json_string(e->doc, e->data, &len);
    if (!data || len == 0 || sentence_room(&text) < STDERR_MIN_BYTES)
        return;
    sentence_add(&text, ": ");
    sentence_quote(&text, data, len, sizeof(f->text));
}

static void unreadable(struct fault *f, const char *what, int rc, const char *address)
{
    struct sentence text;
    if (rc != -ENOMEM) {
        fault_bad_answer(f, what, "an error that is no JSON-RPC error object", address);
        return;
    }
    fault_no_memory(f);
    sentence_begin(&text, f->text, sizeof(f->text));
    sentence_add(&text, "out of memory for the error with which ");
    fault_say_address(&text, address);
    sentence_add(&text, " refused ");
    fault_say_what(&text, what);
}

void fault_rpc(struct fault *f, const char *what, const char *error, size_t len, const char *address)
{
    struct error e = {.doc = NULL};
    bool from_relay = false;
    int64_t code;
    int rc = ERR_TOO_LARGE;
    if (len <= ERROR_MAX_BYTES)
        rc = json_parse(error, len, JSON_STRICT, ERROR_MAX_TOKENS, &e.doc, NULL);
    if (rc != 0) {
        unreadable(f, what, rc, address);
        return;
    }
    e.root = json_root(e.doc);
    e.data = json_get(e.doc, e.root, "data");
    if (!json_int(e.doc, json_get(e.doc, e.root, "code"), INT32_MIN, INT32_MAX, &code)) {
        unreadable(f, what, ERR_TYPE, address);
    } else {
        e.code = (int)code;
        (void)json_bool(e.doc, json_get(e.doc, e.data, "relay"), &from_relay);
        if (from_relay)
            relay_error(f, what, &e, address);
        else
            server_error(f, what, &e, address);
    }
    json_free(e.doc);
}
