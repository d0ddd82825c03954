/* Statuses of tasks that nobody owns yet: children send the first one before the answer that names the task.
 * Kept for a short while, few and small; then dropped.
 */
#ifndef ROUTE_EARLY_TASK_STATUS_H
#define ROUTE_EARLY_TASK_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "route/state.h"
#include "wire/frame.h"

#define EARLY_STATUS_MAX       64
#define EARLY_STATUS_BYTES_MAX ((size_t)16 << 10) /* each */
#define EARLY_STATUS_MS        5000

/* The oldest makes place for it; what is dropped is counted. */
void early_status_keep(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
/* The task has an owner now: hands in again what was parked for it. */
void early_status_deliver(struct upstream *upstream, const char *id, size_t id_len, uint64_t now_ms);
void early_status_forget(struct upstream *upstream);
void early_status_init(struct upstream *upstream);

#endif
