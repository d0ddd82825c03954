/* tools: all pages of tools/list.
 *
 * The elements are kept as they came and joined; the table is read from them. A server that gives pages
 * without end, or the same cursor again, is stopped at PAGES_MAX or reported.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/arguments.h"
#include "backend-client/cli/ctl.h"
#include "backend-client/cli/table.h"
#include "wire/json.h"

#define PAGES_MAX      1000
#define TOKENS_MAX     2000000
#define CURSOR_MAX     65536
#define LIST_MAX_BYTES ((size_t)64 << 20)

struct pages {
    struct buf list;   /* {"tools":[...] as far as it came */
    struct buf params; /* of the next request: {"cursor":...}; empty: there is none */
    size_t tools;
};

/* ---- gathering ---- */

static int take_tools(struct pages *p, struct json_doc *doc)
{
    json_node list = json_get(doc, json_root(doc), "tools");
    if (json_type(doc, list) != JSON_ARRAY)
        return ERR_TYPE;
    int rc = 0;
    for (json_node tool = json_first(doc, list); tool != JSON_ABSENT && rc == 0;
         tool = json_next(doc, tool)) {
        size_t len;
        const char *raw = json_raw(doc, tool, &len);
        rc = buf_append(&p->list, ",", p->tools++ > 0 ? 1 : 0);
        if (rc == 0)
            rc = buf_append(&p->list, raw, len);
    }
    return rc;
}

/* ERR_RANGE: the cursor that was just asked for. */
static int take_cursor(struct pages *p, struct json_doc *doc)
{
    static const char key[] = "{\"cursor\":";
    json_node cursor = json_get(doc, json_root(doc), "nextCursor");
    if (json_type(doc, cursor) != JSON_STRING) {
        buf_clear(&p->params);
        return 0;
    }
    size_t len;
    const char *raw = json_raw(doc, cursor, &len);
    size_t key_len = sizeof(key) - 1;
    if (buf_len(&p->params) == key_len + len + 1 && memcmp(buf_data(&p->params) + key_len, raw, len) == 0)
        return ERR_RANGE;
    buf_clear(&p->params);
    int rc = buf_append(&p->params, key, key_len);
    if (rc == 0)
        rc = buf_append(&p->params, raw, len);
    return rc != 0 ? rc : buf_append(&p->params, "}", 1);
}

static int take_page(struct pages *p, const struct answer *a)
{
    struct json_doc *doc;
    int rc = json_parse(a->reply.result, a->reply.result_len, JSON_STRICT, TOKENS_MAX, &doc, NULL);
    if (rc != 0)
        return rc;
    rc = take_tools(p, doc);
    if (rc == 0)
        rc = take_cursor(p, doc);
    json_free(doc);
    return rc;
}

static enum ctl_exit refuse_page(struct ctl *ctl, int rc)
{
    const char *why = rc == ERR_TYPE    ? "the answer to tools/list holds no list of tools"
                      : rc == ERR_RANGE ? "the server gives the same page of tools again"
                                        : err_text(rc);
    return ctl_refuse(ctl, CTL_EXIT_ERROR, "BAD_REPLY", why);
}

/* Sets *ret_rc where an answer is no list; *ret_answer is the one that failed. No message is printed. */
static enum ctl_exit gather(struct ctl *ctl, struct pages *p, enum ar_policy policy,
                            struct answer **ret_answer, int *ret_rc)
{
    *ret_rc = 0;
    for (int page = 0; page < PAGES_MAX && *ret_rc == 0; page++) {
        struct ctl_ask ask = {
            .method = "tools/list", .params = "{}", .params_len = 2, .policy = policy, .progress = true};
        if (page > 0) {
            ask.params = buf_data(&p->params);
            ask.params_len = buf_len(&p->params);
        }
        enum ctl_exit code = ctl_call(ctl, &ask, ret_answer);
        bool answered = *ret_answer && (*ret_answer)->done && (*ret_answer)->reply.code == AR_OK;
        if (!answered)
            return code == CTL_EXIT_OK ? CTL_EXIT_ERROR : code;
        *ret_rc = take_page(p, *ret_answer);
        ctl_answers_free(ctl);
        if (*ret_rc == 0 && buf_len(&p->params) == 0)
            return CTL_EXIT_OK;
    }
    *ret_rc = *ret_rc ? *ret_rc : ERR_TOO_LARGE;
    return CTL_EXIT_ERROR;
}

static int open_pages(struct pages *p)
{
    *p = (struct pages){.tools = 0};
    buf_init(&p->list, LIST_MAX_BYTES);
    buf_init(&p->params, CURSOR_MAX);
    return buf_append(&p->list, "{\"tools\":[", 10);
}

static void close_pages(struct pages *p)
{
    buf_done(&p->list);
    buf_done(&p->params);
}

enum ctl_exit ctl_list_tools(struct ctl *ctl, enum ar_policy policy, struct json_doc **ret_doc)
{
    struct pages p;
    struct answer *a;
    int rc = open_pages(&p);
    enum ctl_exit code = rc == 0 ? gather(ctl, &p, policy, &a, &rc) : CTL_EXIT_ERROR;
    *ret_doc = NULL;
    if (code == CTL_EXIT_OK)
        rc = buf_append(&p.list, "]}", 2);
    if (code == CTL_EXIT_OK && rc == 0)
        rc = json_parse(buf_data(&p.list), buf_len(&p.list), JSON_STRICT, TOKENS_MAX, ret_doc, NULL);
    close_pages(&p);
    return rc == 0 ? code : CTL_EXIT_ERROR;
}

/* ---- showing ---- */

static void add_row(struct table *t, struct json_doc *doc, json_node tool)
{
    struct buf arguments;
    buf_init(&arguments, 65536);
    int rc = arguments_list(&arguments, doc, tool);
    table_cell(t, json_string(doc, json_get(doc, tool, "name"), NULL));
    if (rc == 0 && buf_len(&arguments) > 0)
        table_cell_len(t, buf_data(&arguments), buf_len(&arguments));
    else
        table_cell(t, NULL);
    table_cell(t, json_string(doc, json_get(doc, tool, "description"), NULL));
    buf_done(&arguments);
}

static int write_table(struct ctl *ctl, struct json_doc *doc, json_node list)
{
    static const struct table_column columns[] = {
        {"NAME", TABLE_LEFT, 40}, {"ARGUMENTS", TABLE_LEFT, 40}, {"DESCRIPTION", TABLE_LEFT, 200}};
    struct table t;
    table_init(&t, columns, 3);
    for (json_node tool = json_first(doc, list); tool != JSON_ABSENT; tool = json_next(doc, tool))
        add_row(&t, doc, tool);
    int rc = table_write(&t, ctl->term.color, term_columns(1), &ctl->out);
    table_done(&t);
    return rc;
}

static int write_argument_names(struct ctl *ctl, struct json_doc *doc, json_node tool)
{
    int rc = 0;
    json_node properties = json_get(doc, json_get(doc, tool, "inputSchema"), "properties");
    for (json_node key = json_first(doc, properties); key != JSON_ABSENT && rc == 0;
         key = json_next(doc, key)) {
        size_t len = 0;
        const char *name = json_string(doc, key, &len);
        rc = table_append_name(&ctl->out, name, len);
    }
    return rc;
}

static int write_names(struct ctl *ctl, struct json_doc *doc, json_node list)
{
    int rc = 0;
    for (json_node tool = json_first(doc, list); tool != JSON_ABSENT && rc == 0;
         tool = json_next(doc, tool)) {
        size_t len = 0;
        const char *name = json_string(doc, json_get(doc, tool, "name"), &len);
        rc = table_append_name(&ctl->out, name, len);
    }
    return rc;
}

/* One tool: its arguments' names, its row, or all of it. */
static int write_one(struct ctl *ctl, struct json_doc *doc, json_node tool)
{
    static const struct table_column columns[] = {
        {"NAME", TABLE_LEFT, 40}, {"ARGUMENTS", TABLE_LEFT, 200}, {"DESCRIPTION", TABLE_LEFT, 2000}};
    struct table t;
    size_t len;
    if (ctl_given(ctl->args, CTL_FLAG_NAMES))
        return write_argument_names(ctl, doc, tool);
    if (ctl_given(ctl->args, CTL_FLAG_JSON)) {
        const char *raw = json_raw(doc, tool, &len);
        int rc = buf_append(&ctl->out, raw, len);
        return rc != 0 ? rc : buf_append(&ctl->out, "\n", 1);
    }
    table_init(&t, columns, 3);
    add_row(&t, doc, tool);
    int rc = table_write(&t, ctl->term.color, term_columns(1), &ctl->out);
    table_done(&t);
    return rc;
}

/* ERR_NOT_FOUND: the tool that is asked for is not there. */
static int write_list(struct ctl *ctl, const struct pages *p)
{
    struct json_doc *doc;
    const struct ctl_args *args = ctl->args;
    int rc = json_parse(buf_data(&p->list), buf_len(&p->list), JSON_STRICT, TOKENS_MAX, &doc, NULL);
    if (rc != 0)
        return rc;
    json_node list = json_get(doc, json_root(doc), "tools");
    json_node tool = args->operand_count > 0 ? arguments_find_tool(doc, args->operands[0]) : JSON_ABSENT;
    if (args->operand_count > 0)
        rc = tool != JSON_ABSENT ? write_one(ctl, doc, tool) : ERR_NOT_FOUND;
    else
        rc = ctl_given(args, CTL_FLAG_NAMES) ? write_names(ctl, doc, list) : write_table(ctl, doc, list);
    json_free(doc);
    return rc;
}

static enum ctl_exit refuse_tool(struct ctl *ctl)
{
    char text[200];
    (void)snprintf(text, sizeof(text), "there is no tool '%.80s'; agent-relayctl tools lists them",
                   ctl->args->operands[0]);
    return ctl_refuse(ctl, CTL_EXIT_ERROR, "NO_SUCH_TOOL", text);
}

static enum ctl_exit show(struct ctl *ctl, struct pages *p)
{
    int rc = buf_append(&p->list, "]}\n", 3);
    if (rc == 0 && ctl_given(ctl->args, CTL_FLAG_JSON) && ctl->args->operand_count == 0)
        rc = buf_append(&ctl->out, buf_data(&p->list), buf_len(&p->list));
    else if (rc == 0)
        rc = write_list(ctl, p);
    if (rc == ERR_NOT_FOUND)
        return refuse_tool(ctl);
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    (void)ctl_flush(ctl);
    return CTL_EXIT_OK;
}

enum ctl_exit cmd_tools(struct ctl *ctl)
{
    struct pages p;
    struct answer *a = NULL;
    int rc = 0;
    enum ctl_exit code = ctl_open(ctl, AR_NEVER);
    if (code == CTL_EXIT_OK) {
        code = ctl_settle(ctl);
        if (code != CTL_EXIT_OK)
            return ctl_report_outage(ctl, code);
    }
    if (code != CTL_EXIT_OK)
        return code;
    if (open_pages(&p) != 0) {
        close_pages(&p);
        return ctl_report_broken(ctl, -ENOMEM);
    }
    code = gather(ctl, &p, AR_FAIL_FAST, &a, &rc);
    if (rc != 0)
        code = refuse_page(ctl, rc);
    else if (code == CTL_EXIT_OK)
        code = show(ctl, &p);
    else
        code = ctl_report_failure(ctl, code, a, "tools/list");
    close_pages(&p);
    return code;
}
