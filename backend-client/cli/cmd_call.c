/* call and tool: one request, its result.
 *
 * The params are read and checked first: a mistake in them is reported before the client connects. Then the
 * first connection is waited for as the policy says, the call is made, and its result printed.
 *
 * A mock's answer, result or error, is never shown as the server's: a note on standard error marks it, and
 * the exit code is 3.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend-client/cli/arguments.h"
#include "backend-client/cli/content.h"
#include "backend-client/cli/ctl.h"
#include "backend-client/cli/json_text.h"
#include "backend-client/cli/params.h"
#include "wire/writer.h"

#define REQUEST_MAX_BYTES (PARAMS_MAX_BYTES + 65536)

/* ---- asking ---- */

/* With the policy fail, only a live server answers. With the policy mock, the mock answers where the
 * server cannot. */
static enum ctl_exit connect_first(struct ctl *ctl)
{
    enum ctl_exit code = ctl_open(ctl, AR_NEVER);
    if (code != CTL_EXIT_OK || ctl->args->policy == AR_WAIT)
        return code;
    code = ctl_settle(ctl);
    if (ctl->args->policy == AR_MOCK && code != CTL_EXIT_INTERRUPTED)
        return CTL_EXIT_OK;
    return code == CTL_EXIT_OK ? code : ctl_report_outage(ctl, code);
}

/* Methods of the relay's own need its link, and no server. */
static enum ctl_exit connect_for(struct ctl *ctl, const char *method)
{
    if (ctl->client)
        return CTL_EXIT_OK;
    if (strncmp(method, "relay/", 6) == 0)
        return ctl_open(ctl, AR_NEVER);
    return connect_first(ctl);
}

static enum ctl_exit ask(struct ctl *ctl, const char *method, const struct buf *params, const char *what,
                         struct answer **ret)
{
    bool own = strncmp(method, "relay/", 6) == 0;
    struct ctl_ask question = {.method = method,
                               .params = buf_len(params) > 0 ? buf_data(params) : NULL,
                               .params_len = buf_len(params),
                               .policy = own ? AR_WAIT : ctl->args->policy,
                               .to_relay = own,
                               .progress = true};
    enum ctl_exit code = connect_for(ctl, method);
    if (code != CTL_EXIT_OK)
        return code;
    code = ctl_call(ctl, &question, ret);
    if (*ret && (*ret)->done && (*ret)->reply.code == AR_OK)
        return code;
    code = ctl_report_failure(ctl, code, *ret, what);
    *ret = NULL;
    return code;
}

static enum ctl_exit finish(struct ctl *ctl, const struct answer *a, enum ctl_exit code, int rc)
{
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    if (!ctl_flush(ctl))
        return code;
    if (a->reply.source == AR_SOURCE_MOCK)
        ctl_report_mock(ctl);
    return code;
}

/* ---- call ---- */

static int print_result(struct ctl *ctl, const struct answer *a)
{
    const struct ar_reply *r = &a->reply;
    bool json = ctl_given(ctl->args, CTL_FLAG_JSON);
    int rc = json ? buf_append(&ctl->out, r->result, r->result_len)
                  : json_text_print(&ctl->out, r->result, r->result_len, JSON_SPREAD, ctl->term.out_tty);
    return rc != 0 ? rc : buf_append(&ctl->out, "\n", 1);
}

enum ctl_exit cmd_call(struct ctl *ctl)
{
    const struct ctl_args *args = ctl->args;
    char problem[CTL_PROBLEM_SIZE];
    struct answer *a = NULL;
    struct buf params;
    buf_init(&params, REQUEST_MAX_BYTES);
    int rc = params_check_method(args->operands[0], problem, sizeof(problem));
    if (rc == 0 && args->operand_count > 1)
        rc = params_read(&params, args->operands[1], false, STDIN_FILENO, problem, sizeof(problem));
    enum ctl_exit code = rc != 0 ? ctl_refuse(ctl, CTL_EXIT_USAGE, CTL_USAGE, problem)
                                 : ask(ctl, args->operands[0], &params, args->operands[0], &a);
    buf_done(&params);
    return a ? finish(ctl, a, code, print_result(ctl, a)) : code;
}

/* ---- tool ---- */

/* KEY=VALUE, or nothing at all: what the tool's schema says of them counts. */
static bool follow_schema(const struct ctl_args *args)
{
    return args->operand_count == 1 || params_are_pairs(args->operands + 1, args->operand_count - 1);
}

static int write_arguments(struct buf *out, const struct ctl_args *args, struct json_doc *tools,
                           char *problem, size_t size)
{
    char *const *operands = args->operands + 1;
    size_t count = args->operand_count - 1;
    json_node tool = tools ? arguments_find_tool(tools, args->operands[0]) : JSON_ABSENT;
    if (tool != JSON_ABSENT)
        return arguments_from_pairs(out, operands, count, tools, tool, problem, size);
    if (follow_schema(args))
        return params_from_pairs(out, operands, count, NULL, NULL, problem, size);
    return params_read(out, operands[0], true, STDIN_FILENO, problem, size);
}

/* {"name":NAME,"arguments":{...}}. `tools`: the server's; NULL: they are not known (yet). */
static int write_request(struct buf *out, const struct ctl_args *args, struct json_doc *tools, char *problem,
                         size_t size)
{
    static const char name_key[] = "{\"name\":";
    static const char arguments_key[] = ",\"arguments\":";
    struct writer w;
    problem[0] = '\0';
    if (args->operands[0][0] == '\0') {
        (void)snprintf(problem, size, "the tool's name is empty; agent-relayctl tools lists the tools");
        return ERR_SYNTAX;
    }
    int rc = buf_append(out, name_key, sizeof(name_key) - 1);
    writer_init(&w, out);
    write_cstring(&w, args->operands[0]);
    if (rc == 0)
        rc = writer_end(&w);
    if (rc == 0)
        rc = buf_append(out, arguments_key, sizeof(arguments_key) - 1);
    if (rc == 0)
        rc = write_arguments(out, args, tools, problem, size);
    return rc != 0 ? rc : buf_append(out, "}", 1);
}

/* Whether the tool failed is read in either case. */
static int print_content(struct ctl *ctl, const struct answer *a, bool *ret_is_error)
{
    const struct ar_reply *r = &a->reply;
    int rc = content_print(&ctl->out, r->result, r->result_len, ctl->term.out_tty, ret_is_error);
    if (rc == 0 && ctl_given(ctl->args, CTL_FLAG_JSON)) {
        buf_clear(&ctl->out);
        rc = print_result(ctl, a);
    }
    return rc;
}

static enum ctl_exit refuse_request(struct ctl *ctl, const char *problem, int rc)
{
    return ctl_refuse(ctl, CTL_EXIT_USAGE, CTL_USAGE, problem[0] ? problem : err_text(rc));
}

/* The request again, now as the tool's schema wants it. A server that does not list its tools, or not this one,
 * gets it as it is, and answers for itself. */
static enum ctl_exit apply_schema(struct ctl *ctl, struct buf *request)
{
    char problem[CTL_PROBLEM_SIZE];
    struct json_doc *tools;
    enum ctl_exit code = connect_first(ctl);
    if (code != CTL_EXIT_OK)
        return code;
    code = ctl_list_tools(ctl, ctl->args->policy, &tools);
    if (!tools)
        return code == CTL_EXIT_INTERRUPTED ? code : CTL_EXIT_OK;
    buf_clear(request);
    int rc = write_request(request, ctl->args, tools, problem, sizeof(problem));
    json_free(tools);
    return rc != 0 ? refuse_request(ctl, problem, rc) : CTL_EXIT_OK;
}

enum ctl_exit cmd_tool(struct ctl *ctl)
{
    char problem[CTL_PROBLEM_SIZE];
    struct answer *a = NULL;
    struct buf request;
    bool is_error = false;
    buf_init(&request, REQUEST_MAX_BYTES);
    int rc = write_request(&request, ctl->args, NULL, problem, sizeof(problem));
    enum ctl_exit code = rc != 0 ? refuse_request(ctl, problem, rc) : CTL_EXIT_OK;
    if (code == CTL_EXIT_OK && follow_schema(ctl->args))
        code = apply_schema(ctl, &request);
    if (code == CTL_EXIT_OK)
        code = ask(ctl, "tools/call", &request, ctl->args->operands[0], &a);
    buf_done(&request);
    if (!a)
        return code;
    rc = print_content(ctl, a, &is_error);
    bool failed =
        is_error && a->reply.source == AR_SOURCE_LIVE; /* a failure in the mock is not the server's */
    return finish(ctl, a, failed ? CTL_EXIT_ERROR : code, rc);
}
