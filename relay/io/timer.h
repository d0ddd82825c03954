/* A one-shot timer on the loop, set to a point in served time (loop_now_ms). Embedded; closes asynchronously like every
 * handle. It fires behind a poll that began when it was due: what had arrived by then has been seen. */
#ifndef IO_TIMER_H
#define IO_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/loop.h"

struct timer {
    uv_timer_t uv;
    struct loop *loop;    /* borrowed */
    struct loop_task due; /* marked from the time that it is due until it fires */
    void (*on_time)(struct timer *t);
    void (*on_closed)(struct timer *t);
    uint64_t at_ms; /* served; 0: not set */
};

/* 0, or a libuv code (the timer is then not there, and must not be closed). */
MUSTCHECK int timer_init(struct timer *t, struct loop *loop, void (*on_time)(struct timer *t));
/* Fires once, at or after `at_ms` (loop_now_ms's clock; a point in the past: next iteration), never inside this
 * call. Setting it again moves it; on_time may set it again. Ignored after timer_close. */
void timer_set(struct timer *t, uint64_t at_ms);
/* As timer_set, unless the timer is set to an earlier point already: for "at the latest". */
void timer_set_earlier(struct timer *t, uint64_t at_ms);
void timer_clear(struct timer *t);
/* No on_time after it. on_closed may be NULL; it runs from the loop and may free. Idempotent: the first
 * on_closed holds. */
void timer_close(struct timer *t, void (*on_closed)(struct timer *t));

#endif
