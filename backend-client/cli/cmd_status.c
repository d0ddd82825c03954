/* status: does the relay answer, and does the server behind it?
 *
 * One connection asks both at once: the library's initialize goes to the server (the relay starts it for
 * that, if it has to), relay/status to the relay itself. A relay answers initialize from its cache for a
 * server that has answered it once, so that does not show whether the server answers now: tools/list, which
 * the relay forwards, is sent after it. Any answer of the server counts. It is read whole, up to the
 * library's frame limit.
 *
 *   live                                  0
 *   the relay answers, initialize failed  3   or was not answered within --timeout: the server is starting
 *   tools/list was not answered           3   the server hangs; likewise a relay's error instead of an answer
 *   nothing there                         4
 *   connected, and silence                5
 *
 * A peer that does not know relay/status but answers initialize is another kind of server, and counts as
 * live.
 *
 * With --no-start only the relay gets a request (direct_status.c), and its answer decides: a server that was
 * never started is not a fault; one that keeps failing is. A relay that answers is then "up"; "live" is
 * reserved for servers that answered a request.
 */
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/ctl.h"
#include "backend-client/cli/direct_status.h"
#include "backend-client/cli/outage_text.h"
#include "backend-client/cli/status_view.h"
#include "backend-client/cli/units.h"
#include "wire/json.h"
#include "wire/rpc_error.h"
#include "wire/sanitize.h"
#include "wire/writer.h"

#define TOKENS_MAX 500000

struct view {
    enum ctl_exit code;
    const char *address;
    const char *peer;
    double round_trip_ms; /* negative: not known */
    const char *status;   /* the relay's own text; NULL: none */
    size_t status_len;
    const char *server; /* the state of the server behind it */
    const char *error;  /* NULL: none */
    bool only_looked;   /* the server was not asked */
};

static const char *state_of(const struct view *v)
{
    switch (v->code) {
    case CTL_EXIT_OK:
        return v->only_looked ? "up" : "live";
    case CTL_EXIT_DEGRADED:
        return "degraded";
    case CTL_EXIT_TIMEOUT:
        return "silent";
    case CTL_EXIT_UNREACHABLE:
        return "unreachable";
    default:
        return "unknown";
    }
}

/* ---- showing ---- */

static int write_json(struct ctl *ctl, const struct view *v)
{
    struct writer w;
    writer_init(&w, &ctl->out);
    write_object(&w);
    write_member_string(&w, "state", state_of(v));
    write_member_int(&w, "exit", (int)v->code);
    write_member_string(&w, "address", v->address);
    write_member_string(&w, "peer", v->peer);
    write_member_string(&w, "server", v->server);
    write_key(&w, "roundTripMs");
    if (v->round_trip_ms >= 0)
        write_double(&w, units_round_ms(v->round_trip_ms));
    else
        write_null(&w);
    write_member_string(&w, "error", v->error);
    write_key(&w, "relay");
    if (v->status)
        write_raw(&w, v->status, v->status_len);
    else
        write_null(&w);
    write_object_end(&w);
    int rc = writer_end(&w);
    return rc != 0 ? rc : buf_append(&ctl->out, "\n", 1);
}

static int write_relay(struct ctl *ctl, const struct view *v)
{
    struct json_doc *doc;
    int rc = json_parse(v->status, v->status_len, JSON_STRICT, TOKENS_MAX, &doc, NULL);
    if (rc != 0)
        return rc;
    rc = status_write_lines(&ctl->out, doc, json_root(doc), v->address);
    json_free(doc);
    return rc;
}

static int write_lines(struct ctl *ctl, const struct view *v)
{
    char round_trip[UNITS_SIZE];
    bool says_more = v->peer[0] && !strstr(v->address, v->peer);
    const char *color = v->code == CTL_EXIT_OK         ? TERM_GREEN
                        : v->code == CTL_EXIT_DEGRADED ? TERM_YELLOW
                                                       : TERM_RED;
    int rc = ctl->term.color ? buf_append(&ctl->out, color, strlen(color)) : 0;
    if (rc == 0)
        rc = status_line(&ctl->out, "state", "%s: %s", state_of(v), v->server);
    if (rc == 0 && ctl->term.color)
        rc = buf_append(&ctl->out, TERM_RESET, strlen(TERM_RESET));
    if (rc == 0)
        rc = status_line(&ctl->out, "address", "%s%s%s", v->address, says_more ? ", " : "",
                         says_more ? v->peer : "");
    if (rc == 0 && v->status)
        rc = write_relay(ctl, v);
    if (rc == 0 && v->round_trip_ms >= 0)
        rc = status_line(&ctl->out, "round trip", "%s", units_ms(v->round_trip_ms, round_trip));
    return rc;
}

static enum ctl_exit show(struct ctl *ctl, const struct view *v)
{
    int rc = ctl_given(ctl->args, CTL_FLAG_JSON) ? write_json(ctl, v) : write_lines(ctl, v);
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    (void)ctl_flush(ctl);
    if (v->error && !ctl->caught)
        term_say(&ctl->term, "%s", v->error);
    return v->code;
}

/* ---- asking through the library ---- */

static bool is_answered(const struct answer *a)
{
    return a && a->done && (a->reply.code == AR_OK || a->reply.code == AR_E_SERVER);
}

static const char *server_of(const struct ctl *ctl, enum ctl_exit code, bool asked)
{
    if (code == CTL_EXIT_OK)
        return "the server answers";
    if (code == CTL_EXIT_DEGRADED)
        return asked || ctl->health.server == AR_REACH_DOWN ? "the server does not answer"
                                                            : "the server has not answered yet";
    return "nothing is known of the server";
}

/* Does the server answer now? An answer of its own, of any kind; one that is too long for the way here is one
 * as well. */
static bool is_the_servers(const struct ar_reply *r)
{
    if (r->code == AR_OK)
        return true;
    if (r->code == AR_E_SERVER)
        return !r->from_relay || r->error_code == RPC_E_TOO_LARGE;
    return r->code == AR_E_TOO_LARGE;
}

static enum ctl_exit ask_server(struct ctl *ctl, char *error, size_t size)
{
    static const struct ctl_ask ask = {.method = "tools/list", .params = "{}", .policy = AR_FAIL_FAST};
    struct answer *a;
    uint64_t from_ms = ctl_now_ms(ctl);
    enum ctl_exit code = ctl_call(ctl, &ask, &a);
    if (code == CTL_EXIT_INTERRUPTED || (a && is_the_servers(&a->reply)))
        return code == CTL_EXIT_INTERRUPTED ? code : CTL_EXIT_OK;
    bool late = !a || a->reply.code == AR_E_TIMEOUT || a->reply.error_code == RPC_E_TIMEOUT;
    if (late && ctl->health.state == AR_LIVE) {
        (void)snprintf(
            error, size,
            "the server has not answered tools/list within %u ms: it hangs, or is busy; see agent-relayctl servers",
            (unsigned)(ctl_now_ms(ctl) - from_ms));
    } else if (a && a->reply.code == AR_E_SERVER) {
        (void)snprintf(error, size, "tools/list: %s (error %d)", a->reply.message, a->reply.error_code);
    } else if (ctl->health.state != AR_LIVE) {
        code = exit_code_of_health(&ctl->health);
        outage_text(&ctl->health, ctl->timeout_ms, error, size);
        return code;
    } else {
        (void)snprintf(error, size, "tools/list: %s", a->reply.message);
    }
    return CTL_EXIT_DEGRADED;
}

/* Settles how both stand, the server being asked; `error` says why it is not OK. */
static enum ctl_exit classify(struct ctl *ctl, bool *ret_asked, char *error, size_t size)
{
    enum ctl_exit code = ctl_settle(ctl);
    *ret_asked = code == CTL_EXIT_OK;
    if (code == CTL_EXIT_OK)
        return ask_server(ctl, error, size);
    if (code != CTL_EXIT_INTERRUPTED)
        outage_text(&ctl->health, ctl->timeout_ms, error, size);
    return code;
}

static enum ctl_exit ask_relay(struct ctl *ctl, enum ar_policy policy, struct answer **ret)
{
    struct ctl_ask ask = {.method = "relay/status", .params = "{}", .policy = policy, .to_relay = true};
    return ctl_call(ctl, &ask, ret);
}

/* Once more, now that both have answered: what the relay says is then of after the server's start, and the
 * time is that of a round trip alone. */
static void ask_again(struct ctl *ctl, struct view *v)
{
    struct answer *a;
    if (ask_relay(ctl, AR_FAIL_FAST, &a) != CTL_EXIT_OK)
        return;
    v->round_trip_ms = (double)(a->answered_ns - a->asked_ns) / 1e6;
    v->status = a->reply.result;
    v->status_len = a->reply.result_len;
}

static enum ctl_exit ask(struct ctl *ctl)
{
    char error[800] = "";
    bool asked;
    struct answer *a;
    enum ctl_exit code = ctl_open(ctl, AR_NEVER);
    if (code != CTL_EXIT_OK)
        return code;
    if (ask_relay(ctl, AR_WAIT, &a) == CTL_EXIT_INTERRUPTED)
        return CTL_EXIT_INTERRUPTED;
    code = classify(ctl, &asked, error, sizeof(error));
    if (code == CTL_EXIT_INTERRUPTED)
        return code;
    bool answered = is_answered(a) && a->reply.code == AR_OK;
    struct view v = {.code = code,
                     .address = ctl->health.address,
                     .peer = ctl->health.peer,
                     .round_trip_ms = -1,
                     .status = answered ? a->reply.result : NULL,
                     .status_len = answered ? a->reply.result_len : 0,
                     .server = server_of(ctl, code, asked),
                     .error = error[0] ? error : NULL};
    if (answered && code == CTL_EXIT_OK)
        ask_again(ctl, &v);
    return show(ctl, &v);
}

/* ---- only looking ---- */

static enum ctl_exit refuse_stranger(struct ctl *ctl, struct view *v, const struct direct_status *direct)
{
    char line[81];
    char error[500];
    sanitize_copy(line, sizeof(line), direct->line,
                  direct->len < sizeof(line) ? direct->len : sizeof(line) - 1, SANITIZE_ESCAPE);
    (void)snprintf(
        error, sizeof(error),
        "%s does not speak JSON-RPC in lines: it sent \"%s\". The address must name the port where the relay listens (--relay, or AGENT_CONTROL_URL)",
        direct->address, line);
    v->code = CTL_EXIT_UNREACHABLE;
    v->error = error;
    return show(ctl, v);
}

static void take_status(struct view *v, struct json_doc *doc, json_node status,
                        const struct direct_status *direct)
{
    bool degraded = status_is_degraded(doc, status, direct->address);
    v->error =
        degraded
            ? "the relay answers, but the server behind it keeps failing, or the relay is draining; agent-relayctl servers says more"
            : NULL;
    v->code = degraded ? CTL_EXIT_DEGRADED : CTL_EXIT_OK;
    v->server = degraded ? "the server does not answer" : "the server was not asked";
    v->round_trip_ms = direct->round_trip_ms;
    v->status = json_raw(doc, status, &v->status_len);
}

/* {"jsonrpc":"2.0","id":1,"result":{...}} */
static enum ctl_exit read_direct(struct ctl *ctl, struct view *v, const struct direct_status *direct)
{
    struct json_doc *doc;
    if (json_parse(direct->line, direct->len, JSON_STRICT, TOKENS_MAX, &doc, NULL) != 0)
        return refuse_stranger(ctl, v, direct);
    json_node result = json_get(doc, json_root(doc), "result");
    bool speaks = json_get(doc, json_root(doc), "jsonrpc") != JSON_ABSENT;
    v->code = CTL_EXIT_ERROR;
    v->error = "what answered is no Agent Relay: it does not know relay/status; is the address right?";
    if (json_type(doc, result) == JSON_OBJECT)
        take_status(v, doc, result, direct);
    enum ctl_exit code = speaks ? show(ctl, v) : refuse_stranger(ctl, v, direct);
    json_free(doc);
    return code;
}

static enum ctl_exit only_look(struct ctl *ctl)
{
    enum ctl_exit code = ctl_start(ctl);
    if (code != CTL_EXIT_OK)
        return code;
    const struct direct_status *direct = direct_status_ask(ctl);
    if (!direct)
        return CTL_EXIT_INTERRUPTED;
    if (direct->code == CTL_EXIT_USAGE)
        return ctl_refuse_address(ctl, direct->problem);
    struct view v = {.code = direct->code,
                     .address = direct->address,
                     .peer = direct->peer,
                     .round_trip_ms = -1,
                     .server = "nothing is known of the server",
                     .error = direct->problem,
                     .only_looked = true};
    return direct->code == CTL_EXIT_OK ? read_direct(ctl, &v, direct) : show(ctl, &v);
}

enum ctl_exit cmd_status(struct ctl *ctl)
{
    return ctl_given(ctl->args, CTL_FLAG_NO_START) ? only_look(ctl) : ask(ctl);
}
