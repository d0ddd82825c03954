/* How a child is stopped: an escalation with one timer, and a deadline for each phase.
 *
 *   phase    entered by                                     deadline -> next
 *   running  the start                                      none
 *   ending   stdin is closed, when its queue is written     grace_ms -> termed
 *   termed   SIGTERM to the command's process group         grace_ms -> killed
 *   killed   the keeper kills everything                    CHILD_KILL_MS -> the keeper is killed, again and again
 *   exited   the keeper was reaped                          none
 *
 * Each phase may be entered from any earlier one. A running child that can serve no more gets CHILD_LOST_MS
 * to exit before it is reported lost: nearly always its exit is on the way.
 */
#include "server/process/child_internal.h"

#include <assert.h>
#include <signal.h>

#include "log/log.h"
#include "server/process/keeper.h"

static void close_stdin(struct child *c)
{
    if (stream_queued(&c->in) == 0)
        stream_close(&c->in);
    else
        stream_set_marks(&c->in, 0, 0); /* on_drain closes it */
}

#define BIT(phase) (1U << (phase))

static const unsigned allowed_moves[] = {
    [CHILD_RUNNING] = BIT(CHILD_ENDING) | BIT(CHILD_TERMED) | BIT(CHILD_KILLED) | BIT(CHILD_EXITED),
    [CHILD_ENDING] = BIT(CHILD_TERMED) | BIT(CHILD_KILLED) | BIT(CHILD_EXITED),
    [CHILD_TERMED] = BIT(CHILD_KILLED) | BIT(CHILD_EXITED),
    [CHILD_KILLED] = BIT(CHILD_KILLED) | BIT(CHILD_EXITED), /* itself: the keeper is killed again */
    [CHILD_EXITED] = 0,
};

void child_move(struct child *c, enum child_phase to, uint64_t deadline_ms)
{
    assert((allowed_moves[c->phase] & BIT(to)) != 0);
    c->phase = to;
    if (deadline_ms != 0)
        timer_set(&c->timer, loop_now_ms(c->loop) + deadline_ms);
    else
        timer_clear(&c->timer);
}

/* The keeper is not reaped, so its pid is its own. It may be stopped: its command runs as the same user. */
static void signal_keeper(const struct child *c, int sig)
{
    (void)kill(c->keeper_pid, sig);
    (void)kill(c->keeper_pid, SIGCONT);
}

static void term(struct child *c, uint64_t grace_ms)
{
    if (c->phase >= CHILD_TERMED)
        return;
    c->grace_ms = grace_ms;
    child_move(c, CHILD_TERMED, grace_ms);
    stream_close(&c->in);
    signal_keeper(c, KEEPER_SIGNAL_TERM);
}

void child_stop(struct child *c, uint64_t grace_ms)
{
    if (c->phase != CHILD_RUNNING)
        return;
    if (c->lost_reported) {
        term(c, grace_ms);
        return;
    }
    c->grace_ms = grace_ms;
    child_move(c, CHILD_ENDING, grace_ms);
    close_stdin(c);
}

void child_kill(struct child *c)
{
    if (c->phase >= CHILD_KILLED)
        return;
    child_move(c, CHILD_KILLED, CHILD_KILL_MS);
    stream_close(&c->in);
    signal_keeper(c, KEEPER_SIGNAL_KILL);
}

/* Its descendants fall to the reaper. Repeated until it is reaped: nothing stronger is left. */
static void kill_keeper(struct child *c)
{
    LOG(LOG_ERROR, "a keeper does not end", F_STR("server", c->name), F_INT("keeper_pid", c->keeper_pid));
    signal_keeper(c, SIGKILL);
    child_move(c, CHILD_KILLED, CHILD_KILL_MS);
}

void child_note_lost(struct child *c, const char *why)
{
    if (c->phase != CHILD_RUNNING || c->lost_why)
        return;
    c->lost_why = why;
    timer_set(&c->timer, loop_now_ms(c->loop) + CHILD_LOST_MS);
}

static void report_lost(struct child *c)
{
    if (!c->lost_why || c->lost_reported)
        return;
    c->lost_reported = true;
    c->instance.events->on_lost(&c->instance, c->lost_why);
}

void child_on_time(struct timer *t)
{
    struct child *c = CONTAINER_OF(t, struct child, timer);
    switch (c->phase) {
    case CHILD_RUNNING:
        report_lost(c);
        break;
    case CHILD_ENDING:
        LOG(LOG_INFO, "child goes on after its stdin was closed: SIGTERM", F_STR("server", c->name));
        term(c, c->grace_ms);
        break;
    case CHILD_TERMED:
        LOG(LOG_WARN, "child goes on after SIGTERM: SIGKILL", F_STR("server", c->name));
        child_kill(c);
        break;
    case CHILD_KILLED:
        kill_keeper(c);
        break;
    case CHILD_EXITED:
        break;
    }
}
