/* What supervisor.c (states), supervisor_requests.c (the router and the set) and supervisor_events.c (the
 * instance) share. */
#ifndef SERVER_SUPERVISOR_INTERNAL_H
#define SERVER_SUPERVISOR_INTERNAL_H

#include "server/supervisor.h"

/* ---- supervisor.c ---- */

uint64_t supervisor_now_ms(const struct supervisor *s);
/* The one mover. `deadline_at_ms` 0: the state has no deadline of its own. */
void supervisor_move(struct supervisor *s, enum supervisor_state to, uint64_t deadline_at_ms);
/* Starts an instance, or waits as long as the back-off says. From DOWN, BACKING_OFF or CRASH_LOOP. */
void supervisor_start(struct supervisor *s);
/* The same if an instance is needed; else the state becomes DOWN. */
void supervisor_start_if_needed(struct supervisor *s);
/* The driver begins to end the instance. */
void supervisor_stop(struct supervisor *s, enum supervisor_stop why);
/* The instance failed and has not ended: the router's upstream goes down now, the instance is stopped.
 * `detail` NULL: it is set already. */
void supervisor_give_up(struct supervisor *s, const char *detail);
/* True while an instance is needed on this upstream. */
bool supervisor_is_needed(const struct supervisor *s);
/* The router's upstream loses its instance: upstream_down with what is known. */
void supervisor_report_down(struct supervisor *s);
/* upstream_idle, when the upstream is one that can be idle. */
void supervisor_report_idle(struct supervisor *s);
/* What the next outage says. `text` is copied; NULL forgets. */
void supervisor_set_detail(struct supervisor *s, const char *text);
/* Adds to the detail what standard error says of the cause, unless the instance was ready once. `always`: its last line
 * too, where nothing in it looks like an error. */
void supervisor_explain(struct supervisor *s, bool always);
/* Keeps the end of standard error for the outage, unless the instance was ready once. */
void supervisor_keep_tail(struct supervisor *s);
/* No instance runs, and none will: the upstream goes, and the supervisor closes. */
void supervisor_free_upstream(struct supervisor *s);

/* The back-off whose wait is over last: the peer's or the server's. */
struct backoff *supervisor_backoff(const struct supervisor *s);
/* The instance that ran has ended. */
void supervisor_instance_ended(struct supervisor *s);

/* ---- supervisor_events.c ---- */

extern const struct instance_events supervisor_events;
/* The instance ended and was not stopped, or had failed before it was; or it could not even be started
 * (`exited` is false then). */
void supervisor_unexpected_exit(struct supervisor *s);

/* ---- supervisor_requests.c ---- */

/* supervisor.fail_later. */
void supervisor_on_fail_later(struct loop_task *task);

#endif
