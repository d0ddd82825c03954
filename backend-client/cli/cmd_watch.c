/* watch: changes of state, of where the agents come from, and notifications, each as it comes.
 *
 * The library asks for the agents meanwhile: that is how it notices a server that stops answering behind a
 * relay that does not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backend-client/cli/ctl.h"
#include "backend-client/cli/json_text.h"
#include "wire/sanitize.h"
#include "wire/writer.h"

#define POLL_MS 2000

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool wants_json(const struct ctl *ctl)
{
    return ctl_given(ctl->args, CTL_FLAG_JSON);
}

/* ---- lines ---- */

/* "12:30:01.250  state         " */
static int write_head(struct ctl *ctl, const char *event)
{
    char text[64];
    char clock[16] = "";
    struct tm tm;
    int64_t now = wall_ms();
    time_t seconds = (time_t)(now / 1000);
    if (localtime_r(&seconds, &tm))
        (void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
    int len = snprintf(text, sizeof(text), "%s.%03d  %-13s ", clock, (int)(now % 1000), event);
    return buf_append(&ctl->out, text, (size_t)len);
}

static void finish(struct ctl *ctl, int rc)
{
    if (rc == 0)
        rc = buf_append(&ctl->out, "\n", 1);
    if (rc != 0)
        (void)ctl_report_broken(ctl, rc);
    (void)ctl_flush(ctl);
}

static void start_document(struct ctl *ctl, struct writer *w, const char *event)
{
    writer_init(w, &ctl->out);
    write_object(w);
    write_member_int(w, "t", wall_ms());
    write_member_string(w, "event", event);
}

/* ---- states ---- */

static void write_state_document(struct ctl *ctl, const struct ar_health *h)
{
    struct writer w;
    start_document(ctl, &w, "state");
    write_member_string(&w, "state", ar_state_name(h->state));
    write_member_string(&w, "source", ar_source_name(h->source));
    write_member_string(&w, "relay", ar_reach_name(h->relay));
    write_member_string(&w, "server", ar_reach_name(h->server));
    write_member_string(&w, "address", h->address);
    write_member_uint(&w, "attempts", h->attempts);
    if (h->next_attempt_in_ms >= 0)
        write_member_int(&w, "nextAttemptInMs", h->next_attempt_in_ms);
    if (h->state != AR_LIVE && h->last_error[0]) {
        write_member_string(&w, "errorName", h->last_error_name);
        write_member_string(&w, "error", h->last_error);
        write_member_string(&w, "suggestion", h->suggestion);
    }
    write_object_end(&w);
    finish(ctl, writer_end(&w));
}

static const char *state_color(enum ar_state state)
{
    return state == AR_LIVE ? TERM_GREEN : state == AR_DEGRADED ? TERM_RED : TERM_YELLOW;
}

static void write_state_line(struct ctl *ctl, const struct ar_health *h)
{
    char text[800];
    bool color = ctl->term.color;
    const char *name = ar_state_name(h->state);
    int len = snprintf(text, sizeof(text), "%s%s%s", color ? state_color(h->state) : "", name,
                       color ? TERM_RESET : "");
    int rc = write_head(ctl, "state");
    if (rc == 0)
        rc = buf_append(&ctl->out, text, (size_t)len);
    const char *why = h->state == AR_LIVE ? "" : h->last_error[0] ? h->last_error : "no answer yet";
    len = snprintf(text, sizeof(text), "  %s%s%s", h->address, why[0] ? ": " : "", why);
    if (rc == 0 && len > 0)
        rc = sanitize_append(&ctl->out, text, strlen(text), SANITIZE_ESCAPE);
    finish(ctl, rc);
}

/* ---- agents: where they come from, and how many ---- */

static void write_agents(struct ctl *ctl, const struct ar_snapshot *s)
{
    enum ar_source source = ar_snapshot_source(s);
    size_t count = ar_snapshot_count(s);
    bool cut = ar_snapshot_is_cut(s);
    size_t mark = 1 + (size_t)source + 4 * (2 * count + cut); /* of what was said last; 0: nothing yet */
    if (mark == ctl->watched)
        return;
    ctl->watched = mark;
    if (wants_json(ctl)) {
        struct writer w;
        start_document(ctl, &w, "agents");
        write_member_string(&w, "source", ar_source_name(source));
        write_member_uint(&w, "count", count);
        write_member_bool(&w, "agentsCut", cut);
        write_object_end(&w);
        finish(ctl, writer_end(&w));
        return;
    }
    char text[64];
    int len = snprintf(text, sizeof(text), "%s%zu, %s", cut ? "only the first " : "", count,
                       ar_source_name(source));
    int rc = write_head(ctl, "agents");
    finish(ctl, rc != 0 ? rc : buf_append(&ctl->out, text, (size_t)len));
}

/* The snapshot of a new state comes before the state: it is then shown behind it, by on_state. */
static void on_agents(struct ctl *ctl, const struct ar_snapshot *s)
{
    if (!ctl->stopping && ar_snapshot_state(s) == ctl->health.state)
        write_agents(ctl, s);
}

/* ---- both ---- */

static void show(struct ctl *ctl)
{
    if (wants_json(ctl))
        write_state_document(ctl, &ctl->health);
    else
        write_state_line(ctl, &ctl->health);
    const struct ar_snapshot *s = ar_agents(ctl->client);
    write_agents(ctl, s);
    ar_snapshot_release(s);
}

static void on_state(struct ctl *ctl)
{
    if (ctl->health.state != AR_CLOSED && !ctl->stopping)
        show(ctl);
}

/* ---- notifications ---- */

static void on_notification(struct ctl *ctl, const char *method, const char *params, size_t len)
{
    struct writer w;
    if (ctl->stopping)
        return;
    if (wants_json(ctl)) {
        start_document(ctl, &w, "notification");
        write_member_string(&w, "method", method);
        if (len > 0)
            write_member_raw(&w, "params", params, len);
        write_object_end(&w);
        finish(ctl, writer_end(&w));
        return;
    }
    int rc = write_head(ctl, "notification");
    if (rc == 0)
        rc = sanitize_append(&ctl->out, method, strlen(method), SANITIZE_ESCAPE);
    if (rc == 0 && len > 0)
        rc = buf_append(&ctl->out, "  ", 2);
    if (rc == 0 && len > 0)
        rc = json_text_print(&ctl->out, params, len, JSON_COMPACT, true);
    finish(ctl, rc);
}

enum ctl_exit cmd_watch(struct ctl *ctl)
{
    ctl->on_state = on_state;
    ctl->on_agents = on_agents;
    ctl->on_notification = on_notification;
    enum ctl_exit code = ctl_open(ctl, POLL_MS);
    if (code != CTL_EXIT_OK)
        return code;
    ctl_watch(ctl, show);
    return CTL_EXIT_OK; /* a signal's code outranks it */
}
