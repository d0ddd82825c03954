/* One-shot timers over uv_timer_t. libuv counts from the loop's cached time, so "at" becomes "in" without
 * drift. libuv counts real time: after a standstill its timers come too early, and are started again for the rest.
 * There is no failure at run time: uv_timer_start refuses only a closing handle, and that is asked first.
 */
#include "io/timer.h"

#include <assert.h>

static bool is_closing(const struct timer *t)
{
    return uv_is_closing((const uv_handle_t *)&t->uv) != 0;
}

static void on_uv_time(uv_timer_t *handle);

static void wait_until_due(struct timer *t)
{
    uint64_t now_ms = loop_now_ms(t->loop);
    int rc = uv_timer_start(&t->uv, on_uv_time, t->at_ms > now_ms ? t->at_ms - now_ms : 0, 0);
    assert(rc == 0);
    (void)rc;
}

static void on_uv_time(uv_timer_t *handle)
{
    struct timer *t = CONTAINER_OF(handle, struct timer, uv);
    if (loop_now_ms(t->loop) < t->at_ms)
        wait_until_due(t);
    else
        loop_mark_polled(t->loop, &t->due);
}

static void unset(struct timer *t)
{
    if (t->at_ms == 0)
        return;
    t->at_ms = 0;
    loop_unmark(&t->due);
    loop_timer_unset(t->loop);
}

static void fire(struct loop_task *task)
{
    struct timer *t = CONTAINER_OF(task, struct timer, due);
    unset(t); /* first: on_time may set it again */
    t->on_time(t);
}

static void on_uv_closed(uv_handle_t *handle)
{
    struct timer *t = CONTAINER_OF(handle, struct timer, uv);
    if (t->on_closed)
        t->on_closed(t);
}

int timer_init(struct timer *t, struct loop *loop, void (*on_time)(struct timer *t))
{
    t->loop = loop;
    t->on_time = on_time;
    t->on_closed = NULL;
    t->at_ms = 0;
    loop_task_init(&t->due, fire);
    return uv_timer_init(&loop->uv, &t->uv);
}

void timer_set(struct timer *t, uint64_t at_ms)
{
    if (at_ms == 0)
        at_ms = 1; /* 0 means "not set"; both are long past */
    if (is_closing(t) || t->at_ms == at_ms)
        return;
    if (t->at_ms == 0)
        loop_timer_set(t->loop);
    loop_unmark(&t->due);
    t->at_ms = at_ms;
    wait_until_due(t);
}

void timer_set_earlier(struct timer *t, uint64_t at_ms)
{
    if (t->at_ms == 0 || at_ms < t->at_ms)
        timer_set(t, at_ms);
}

void timer_clear(struct timer *t)
{
    unset(t);
    (void)uv_timer_stop(&t->uv); /* cannot fail */
}

void timer_close(struct timer *t, void (*on_closed)(struct timer *t))
{
    if (is_closing(t))
        return;
    unset(t);
    t->on_closed = on_closed;
    uv_close((uv_handle_t *)&t->uv, on_uv_closed);
}
