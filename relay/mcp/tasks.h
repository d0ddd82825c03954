/* Tasks (MCP 2025-11-25): who may ask about which, and where their news goes.
 *
 * The owner is who sent the tools/call that created the task. Ownership ends with the session, with the
 * child, or after TASK_KEEP_MS without a word about the task; the progress token of the call lives until the
 * task's terminal status.
 */
#ifndef MCP_TASKS_H
#define MCP_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

/* Statuses of tasks that nobody owns yet. */
#define EARLY_STATUS_MAX       64
#define EARLY_STATUS_BYTES_MAX ((size_t)16 << 10) /* each */
#define EARLY_STATUS_MS        5000
/* Bytes of a task id, decoded; longer ones are not recorded. */
#define TASK_ID_MAX 1024
/* Per session; the least recently used is forgotten first. */
#define TASKS_PER_SESSION 1024
#define TASK_KEEP_MS      ((uint64_t)3600 * 1000)

void tasks_init(struct upstream *upstream);
/* The child answered a call: is it about a task? A new one is recorded, a terminal status seen. true: the
 * call is kept for the task's progress and is no longer the caller's to close (nor to look at). */
MUSTCHECK bool tasks_answered(struct call *c, const struct frame *answer, uint64_t now_ms);
/* The result of a call that nobody waits for any more: a task that it creates is cancelled at the child. */
void tasks_disown(struct upstream *upstream, const struct frame *answer, uint64_t now_ms);
/* shared: a request about a task; only its owner's passes. */
void tasks_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                   uint64_t now_ms);
/* shared: does the frame name a task of another session: by params.taskId, params.task or _meta's related-task? */
bool tasks_name_anothers(const struct route_session *s, const struct frame *frame);
/* The answer to a request about a task that is not there, or not the session's: nobody learns which. */
void tasks_refuse(struct route_session *s, const struct frame *frame);
/* The owner of _meta's related-task; NULL: unknown. */
struct route_session *tasks_related_owner(const struct upstream *upstream, const struct frame *frame);
/* notifications/tasks/status: to its owner, who is returned; NULL: no such task (yet). */
struct route_session *tasks_status(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
/* The status of a task not known yet: kept until its task is. The oldest makes place for it; what is dropped is
 * counted. */
void tasks_keep_early_status(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
/* The session goes: its tasks are forgotten, those still running cancelled at the child. */
void tasks_leave(struct route_session *s, uint64_t now_ms);
/* The child is gone. */
void tasks_forget(struct upstream *upstream);

#endif
