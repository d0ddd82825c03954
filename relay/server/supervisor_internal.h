/* What supervisor.c (states, starting) and supervisor_end.c (stopping, ends) share. */
#ifndef SERVER_SUPERVISOR_INTERNAL_H
#define SERVER_SUPERVISOR_INTERNAL_H

#include "server/supervisor.h"

/* Requests wait for a start that is no further away. */
#define SUPERVISOR_PATIENCE_MS 1000

uint64_t supervisor_now_ms(const struct supervisor *s);
/* The one mover. `deadline_at_ms` 0: the state waits for nobody. */
void supervisor_move(struct supervisor *s, enum supervisor_state to, uint64_t deadline_at_ms);
/* Starts a child, or waits as long as the back-off says. From DOWN, BACKING_OFF or CRASH_LOOP. */
void supervisor_start(struct supervisor *s);
/* True while somebody needs a child on this upstream. */
bool supervisor_is_needed(const struct supervisor *s);
/* The router's upstream loses its child: upstream_down with what is known. */
void supervisor_report_down(struct supervisor *s);
/* upstream_idle, when the upstream is one that can be idle. */
void supervisor_report_idle(struct supervisor *s);
/* What the next outage says. `text` is copied; NULL forgets. */
void supervisor_set_detail(struct supervisor *s, const char *text);
/* supervisor_end.c: the child ended unasked, or could not even be started (`exited` false). */
void supervisor_unasked_end(struct supervisor *s);
/* A child that failed in a way that only we know of: the upstream goes down now, the child is stopped. */
void supervisor_give_up(struct supervisor *s, const char *detail);
void supervisor_stop(struct supervisor *s, enum supervisor_stop why);
extern const struct instance_events supervisor_events;

#endif
