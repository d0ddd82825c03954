/* servers: the table of relay/servers. The relay itself answers it, also while its servers do not. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/ctl.h"
#include "backend-client/cli/status_view.h"
#include "backend-client/cli/table.h"
#include "backend-client/cli/units.h"
#include "wire/json.h"
#include "wire/writer.h"

#define TOKENS_MAX 500000

static bool is_asked_for(const struct ctl_args *args, const char *name)
{
    for (size_t i = 0; i < args->operand_count; i++)
        if (name && strcmp(args->operands[i], name) == 0)
            return true;
    return args->operand_count == 0;
}

static const char *name_of(struct json_doc *doc, json_node server)
{
    return json_string(doc, json_get(doc, server, "name"), NULL);
}

/* The next server from `server` on that is to be shown. */
static json_node wanted(struct ctl *ctl, struct json_doc *doc, json_node server)
{
    while (server != JSON_ABSENT && !is_asked_for(ctl->args, name_of(doc, server)))
        server = json_next(doc, server);
    return server;
}

/* ---- showing ---- */

static void number_cell(struct table *t, struct json_doc *doc, json_node server, const char *key)
{
    int64_t value;
    if (json_int(doc, json_get(doc, server, key), 0, INT64_MAX, &value))
        table_cellf(t, "%" PRId64, value);
    else
        table_cell(t, NULL);
}

static void uptime_cell(struct table *t, struct json_doc *doc, json_node server)
{
    char text[UNITS_SIZE];
    int64_t ms;
    bool up = json_int(doc, json_get(doc, server, "uptimeMs"), 1, INT64_MAX, &ms);
    table_cell(t, up ? units_span((uint64_t)ms, text) : NULL);
}

/* "exit 3", "signal 9", or what the relay notes. */
static void remark_cell(struct table *t, struct json_doc *doc, json_node server)
{
    int64_t value;
    json_node end = json_get(doc, server, "lastExit");
    const char *note = json_string(doc, json_get(doc, server, "note"), NULL);
    if (note)
        table_cell(t, note);
    else if (json_int(doc, json_get(doc, end, "status"), 0, 255, &value))
        table_cellf(t, "last exit %" PRId64, value);
    else if (json_int(doc, json_get(doc, end, "signal"), 0, 255, &value))
        table_cellf(t, "last ended by signal %" PRId64, value);
    else
        table_cell(t, NULL);
}

static void add_row(struct table *t, struct json_doc *doc, json_node server)
{
    const char *state = json_string(doc, json_get(doc, server, "state"), NULL);
    bool ready = state && strcmp(state, "ready") == 0;
    table_cell(t, name_of(doc, server));
    table_cell(t, state);
    table_color(t, status_server_fails(doc, server) ? TERM_RED : ready ? TERM_GREEN : TERM_DIM);
    table_cell(t, json_string(doc, json_get(doc, server, "sharing"), NULL));
    number_cell(t, doc, server, "pid");
    uptime_cell(t, doc, server);
    number_cell(t, doc, server, "sessions");
    number_cell(t, doc, server, "inFlight");
    number_cell(t, doc, server, "waiting");
    number_cell(t, doc, server, "restarts");
    remark_cell(t, doc, server);
}

static int write_table(struct ctl *ctl, struct json_doc *doc, json_node list)
{
    static const struct table_column columns[] = {{"NAME", TABLE_LEFT, 32},      {"STATE", TABLE_LEFT, 0},
                                                  {"SHARING", TABLE_LEFT, 0},    {"PID", TABLE_RIGHT, 0},
                                                  {"UP", TABLE_RIGHT, 0},        {"SESSIONS", TABLE_RIGHT, 0},
                                                  {"IN FLIGHT", TABLE_RIGHT, 0}, {"WAITING", TABLE_RIGHT, 0},
                                                  {"RESTARTS", TABLE_RIGHT, 0},  {"REMARK", TABLE_LEFT, 120}};
    struct table t;
    table_init(&t, columns, sizeof(columns) / sizeof(columns[0]));
    for (json_node s = wanted(ctl, doc, json_first(doc, list)); s != JSON_ABSENT;
         s = wanted(ctl, doc, json_next(doc, s)))
        add_row(&t, doc, s);
    int rc = table_write(&t, ctl->term.color, term_columns(1), &ctl->out);
    table_done(&t);
    return rc;
}

static int write_names(struct ctl *ctl, struct json_doc *doc, json_node list)
{
    int rc = 0;
    for (json_node s = wanted(ctl, doc, json_first(doc, list)); s != JSON_ABSENT && rc == 0;
         s = wanted(ctl, doc, json_next(doc, s))) {
        const char *name = name_of(doc, s);
        rc = table_append_name(&ctl->out, name, name ? strlen(name) : 0);
    }
    return rc;
}

/* `unknown`: the message about unknown names; "": none. */
static int write_json(struct ctl *ctl, struct json_doc *doc, json_node list, const char *unknown)
{
    struct writer w;
    writer_init(&w, &ctl->out);
    write_object(&w);
    write_key(&w, "servers");
    write_array(&w);
    for (json_node s = wanted(ctl, doc, json_first(doc, list)); s != JSON_ABSENT;
         s = wanted(ctl, doc, json_next(doc, s))) {
        size_t len;
        const char *raw = json_raw(doc, s, &len);
        write_raw(&w, raw, len);
    }
    write_array_end(&w);
    if (unknown[0])
        ctl_write_error_members(&w, CTL_EXIT_ERROR,
                                &(struct ctl_error){.name = "NO_SUCH_SERVER", .message = unknown});
    write_object_end(&w);
    int rc = writer_end(&w);
    return rc != 0 ? rc : buf_append(&ctl->out, "\n", 1);
}

/* ---- the whole ---- */

static bool has_server(struct json_doc *doc, json_node list, const char *name)
{
    for (json_node s = json_first(doc, list); s != JSON_ABSENT; s = json_next(doc, s)) {
        const char *other = name_of(doc, s);
        if (other && strcmp(other, name) == 0)
            return true;
    }
    return false;
}

/* The message about requested names that the relay does not have; "" where it has all. */
static void describe_unknown(const struct ctl_args *args, struct json_doc *doc, json_node list, char *out,
                             size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < args->operand_count && at < size; i++)
        if (!has_server(doc, list, args->operands[i]))
            at += (size_t)snprintf(out + at, size - at, "%s'%.60s'",
                                   at == 0 ? "the relay has no server " : ", ", args->operands[i]);
    if (at > 0 && at < size)
        (void)snprintf(out + at, size - at, "; agent-relayctl servers --names lists them");
}

static enum ctl_exit show(struct ctl *ctl, struct json_doc *doc)
{
    char unknown[600];
    json_node list = json_get(doc, json_root(doc), "servers");
    describe_unknown(ctl->args, doc, list, unknown, sizeof(unknown));
    int rc = ctl_given(ctl->args, CTL_FLAG_JSON)    ? write_json(ctl, doc, list, unknown)
             : ctl_given(ctl->args, CTL_FLAG_NAMES) ? write_names(ctl, doc, list)
                                                    : write_table(ctl, doc, list);
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    (void)ctl_flush(ctl);
    if (unknown[0])
        term_say(&ctl->term, "%s", unknown);
    return unknown[0] ? CTL_EXIT_ERROR : CTL_EXIT_OK;
}

enum ctl_exit cmd_servers(struct ctl *ctl)
{
    static const struct ctl_ask ask = {
        .method = "relay/servers", .params = "{}", .policy = AR_WAIT, .to_relay = true};
    struct answer *a;
    struct json_doc *doc;
    enum ctl_exit code = ctl_open(ctl, AR_NEVER);
    if (code != CTL_EXIT_OK)
        return code;
    code = ctl_call(ctl, &ask, &a);
    if (code != CTL_EXIT_OK)
        return ctl_report_failure(ctl, code, a, ask.method);
    int rc = json_parse(a->reply.result, a->reply.result_len, JSON_STRICT, TOKENS_MAX, &doc, NULL);
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    code = show(ctl, doc);
    json_free(doc);
    return code;
}
