/* ping: round trips to the relay, one at a time.
 *
 * The first, which also waits for the connection, is not counted. A peer that is not an Agent Relay does not
 * know relay/ping: MCP's own ping is sent to it.
 */
#include <stdio.h>

#include "backend-client/cli/ctl.h"
#include "backend-client/cli/ping_stats.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

static enum ctl_exit ask_once(struct ctl *ctl, const char *method, enum ar_policy policy, struct answer **ret)
{
    struct ctl_ask ask = {.method = method, .params = "{}", .policy = policy, .to_relay = true};
    ctl->deadline_ms = ctl_now_ms(ctl) + ctl->timeout_ms;
    return ctl_call(ctl, &ask, ret);
}

/* Connects, and finds the method that is understood. */
static enum ctl_exit warm_up(struct ctl *ctl, const char **ret_method)
{
    struct answer *a;
    *ret_method = "relay/ping";
    enum ctl_exit code = ask_once(ctl, *ret_method, AR_WAIT, &a);
    if (a && a->reply.code == AR_E_SERVER && a->reply.error_code == RPC_E_METHOD_NOT_FOUND) {
        *ret_method = "ping";
        code = ask_once(ctl, *ret_method, AR_WAIT, &a);
    }
    return code == CTL_EXIT_OK ? code : ctl_report_failure(ctl, code, a, *ret_method);
}

/* OK while it goes on; INTERRUPTED. */
static enum ctl_exit one_round(struct ctl *ctl, const char *method, struct ping_stats *r, bool *said)
{
    char why[800] = "the relay is not there";
    struct answer *a;
    enum ctl_exit code = ask_once(ctl, method, AR_FAIL_FAST, &a);
    if (code == CTL_EXIT_OK) {
        ping_stats_add(r, a->answered_ns - a->asked_ns);
    } else if (code != CTL_EXIT_INTERRUPTED) {
        r->lost++;
        if (a)
            ctl_reply_text(ctl, a, why, sizeof(why));
        if (!*said)
            term_say(&ctl->term, "lost: %s", why);
        *said = true;
    }
    ctl_answers_free(ctl);
    return code == CTL_EXIT_INTERRUPTED ? code : CTL_EXIT_OK;
}

/* ---- the summary ---- */

static int write_json(struct ctl *ctl, const struct ping_stats *r, const struct ping_summary *sum)
{
    struct writer w;
    writer_init(&w, &ctl->out);
    write_object(&w);
    write_member_string(&w, "address", ctl->health.address);
    write_member_uint(&w, "sent", r->count + r->lost);
    write_member_uint(&w, "answered", r->count);
    write_member_uint(&w, "lost", r->lost);
    if (r->count > 0) {
        write_member_double(&w, "minMs", sum->min_ms);
        write_member_double(&w, "p50Ms", sum->p50_ms);
        write_member_double(&w, "p99Ms", sum->p99_ms);
        write_member_double(&w, "maxMs", sum->max_ms);
    }
    write_object_end(&w);
    int rc = writer_end(&w);
    return rc != 0 ? rc : buf_append(&ctl->out, "\n", 1);
}

static int write_text(struct ctl *ctl, const struct ping_stats *r, const struct ping_summary *sum)
{
    char text[640];
    int len = snprintf(text, sizeof(text), "%s: %zu sent, %zu answered, %zu lost\n", ctl->health.address,
                       r->count + r->lost, r->count, r->lost);
    if (r->count > 0)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "min %.3f  p50 %.3f  p99 %.3f  max %.3f ms\n",
                        sum->min_ms, sum->p50_ms, sum->p99_ms, sum->max_ms);
    return buf_append(&ctl->out, text, (size_t)len);
}

static enum ctl_exit summary(struct ctl *ctl, struct ping_stats *r)
{
    struct ping_summary sum = ping_stats_sum(r);
    int rc = ctl_given(ctl->args, CTL_FLAG_JSON) ? write_json(ctl, r, &sum) : write_text(ctl, r, &sum);
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    /* After Ctrl-C the round trips measured so far are still reported. */
    (void)ctl_flush(ctl);
    if (r->lost == 0)
        return CTL_EXIT_OK;
    return r->count > 0 ? CTL_EXIT_DEGRADED : CTL_EXIT_UNREACHABLE;
}

static enum ctl_exit measure(struct ctl *ctl, const char *method, struct ping_stats *r)
{
    bool said = false;
    for (uint32_t i = 0; i < ctl->args->count; i++) {
        uint64_t next = ctl_now_ms(ctl) + ctl->args->interval_ms;
        if (one_round(ctl, method, r, &said) != CTL_EXIT_OK)
            break;
        if (i + 1 < ctl->args->count && ctl_wait(ctl, NULL, NULL, next) == CTL_STOPPED)
            break;
    }
    return summary(ctl, r);
}

enum ctl_exit cmd_ping(struct ctl *ctl)
{
    struct ping_stats r;
    const char *method;
    enum ctl_exit code = ctl_open(ctl, AR_NEVER);
    if (code == CTL_EXIT_OK)
        code = warm_up(ctl, &method);
    if (code != CTL_EXIT_OK)
        return code;
    int rc = ping_stats_init(&r, ctl->args->count);
    if (rc != 0)
        return ctl_report_broken(ctl, rc);
    code = measure(ctl, method, &r);
    ping_stats_done(&r);
    return code;
}
