/* agents: the snapshot that the library keeps, once or at every change.
 *
 * Once: the command waits for the first live snapshot; where there is none, --policy mock shows the mock one,
 * and the exit code says 3. With --watch every snapshot is shown as it comes: live, stale, mock, live again;
 * the mock of before the first connection only where that is long in coming (ctl_watch).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/agents_view.h"
#include "backend-client/cli/ctl.h"

#define POLL_MS    2000
#define REDRAW     "\x1b[H\x1b[J"
#define REDRAW_LEN (sizeof(REDRAW) - 1)

static bool show(struct ctl *ctl, const struct ar_snapshot *s)
{
    size_t rows = ctl_given(ctl->args, CTL_FLAG_WATCH) ? term_rows(1) : 0;
    int rc = ctl_given(ctl->args, CTL_FLAG_JSON)
                 ? agents_write_json(&ctl->out, s)
                 : agents_write_table(&ctl->out, s, ctl->term.color, term_columns(1), rows);
    if (rc != 0) {
        (void)ctl_report_broken(ctl, rc);
        return false;
    }
    return ctl_flush(ctl);
}

/* ---- once ---- */

static bool has_agents(void *data)
{
    struct ctl *ctl = data;
    ctl_refresh_health(ctl);
    return ctl->health.source == AR_SOURCE_LIVE || ctl->health.agents_unsupported ||
           (ctl->health.state == AR_DEGRADED && ctl->args->policy != AR_WAIT);
}

static enum ctl_exit refuse_unsupported(struct ctl *ctl)
{
    static const char why[] =
        "the server has no way to list agents: it knows neither agents/list nor the tool agent_list; agent-relayctl tools shows what it has";
    return ctl_refuse(ctl, CTL_EXIT_ERROR, "AGENTS_UNSUPPORTED", why);
}

static enum ctl_exit show_once(struct ctl *ctl)
{
    if (ctl_wait(ctl, has_agents, ctl, ctl->deadline_ms) == CTL_STOPPED)
        return CTL_EXIT_INTERRUPTED;
    ctl_refresh_health(ctl);
    if (ctl->health.state == AR_LIVE && ctl->health.agents_unsupported)
        return refuse_unsupported(ctl);
    bool live = ctl->health.source == AR_SOURCE_LIVE;
    if (!live && ctl->args->policy != AR_MOCK) {
        enum ctl_exit code = exit_code_of_health(&ctl->health);
        return ctl_report_outage(ctl, code == CTL_EXIT_OK ? CTL_EXIT_TIMEOUT : code);
    }
    const struct ar_snapshot *s = ar_agents(ctl->client);
    live = ar_snapshot_source(s) == AR_SOURCE_LIVE;
    (void)show(ctl, s);
    ar_snapshot_release(s);
    return live ? CTL_EXIT_OK : CTL_EXIT_DEGRADED;
}

/* ---- at every change ---- */

static void on_agents(struct ctl *ctl, const struct ar_snapshot *snapshot)
{
    if (ctl->stopping)
        return;
    bool screen = ctl->term.out_tty && !ctl_given(ctl->args, CTL_FLAG_JSON);
    if (screen && buf_append(&ctl->out, REDRAW, REDRAW_LEN) != 0)
        return;
    if (!screen && !ctl_given(ctl->args, CTL_FLAG_JSON) && ctl->watched++ > 0 &&
        buf_append(&ctl->out, "\n", 1) != 0)
        return;
    (void)show(ctl, snapshot);
}

static void show_present(struct ctl *ctl)
{
    const struct ar_snapshot *s = ar_agents(ctl->client);
    on_agents(ctl, s);
    ar_snapshot_release(s);
}

static void on_state(struct ctl *ctl)
{
    if (ctl->health.state == AR_DEGRADED)
        term_say(&ctl->term, "%s", ctl->health.last_error);
}

enum ctl_exit cmd_agents(struct ctl *ctl)
{
    bool watch = ctl_given(ctl->args, CTL_FLAG_WATCH);
    if (watch) {
        ctl->on_state = on_state;
        ctl->on_agents = on_agents;
    }
    enum ctl_exit code = ctl_open(ctl, POLL_MS);
    if (code != CTL_EXIT_OK || !watch)
        return code != CTL_EXIT_OK ? code : show_once(ctl);
    ctl_watch(ctl, show_present);
    return CTL_EXIT_OK; /* a signal's code outranks it */
}
