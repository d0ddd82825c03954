/* One iteration of the loop: libuv runs timers, prepare, poll, check, close callbacks. Happy path: callbacks in poll
 * mark tasks; the check phase runs them (one pass), then the deferred frees.
 *
 * What is marked after check (by tasks, close callbacks, timers) runs in the next prepare phase, which always
 * comes before the poll. What tasks of that pass mark again would wait through the poll; an idle handle then
 * makes the poll return at once. So every pass is bounded, input is never starved by tasks, and nothing
 * marked waits for a stranger's event.
 *
 * on_iteration_end is called at the end of the prepare phase: once per iteration, when all that ran since the last poll,
 * timers and close callbacks included, is over.
 *
 * Time is looked at where a phase ends: behind the poll by whoever asks first, a callback of the poll or the check
 * phase, and before it at the end of the prepare phase. A timer that is due is put on `polled` by libuv's timer
 * phase, and fires in the check phase behind the poll.
 *
 * Failure: only loop_init can fail (descriptors, memory), and it leaves nothing behind.
 */
#include "io/loop.h"

#include <assert.h>

#include "base/alloc.h"

/* Iterations that loop_done grants to close callbacks which close further handles. */
#define DONE_ITERATIONS_MAX 64

static void run_list(struct list *tasks)
{
    struct list now;
    list_init(&now);
    list_splice_back(&now, tasks);
    for (struct list *node; (node = list_pop_front(&now));) {
        struct loop_task *task = CONTAINER_OF(node, struct loop_task, node);
        task->run(task);
    }
}

static void run_deferred(struct loop *loop)
{
    struct list now;
    list_init(&now);
    list_splice_back(&now, &loop->deferred);
    for (struct list *node; (node = list_pop_front(&now));) {
        struct loop_deferred *d = CONTAINER_OF(node, struct loop_deferred, node);
        d->free(d);
    }
}

static void on_spin(uv_idle_t *handle)
{
    (void)handle; /* its being active is the point */
}

static bool is_settled(const struct loop *loop)
{
    return list_empty(&loop->tasks) && list_empty(&loop->polled) && list_empty(&loop->deferred);
}

static void spin_if_unsettled(struct loop *loop)
{
    int rc = is_settled(loop) ? uv_idle_stop(&loop->spin) : uv_idle_start(&loop->spin, on_spin);
    assert(rc == 0 || uv_is_closing((const uv_handle_t *)&loop->spin));
    (void)rc;
}

static void end_iteration(struct loop *loop)
{
    run_list(&loop->tasks);
    run_deferred(loop);
    spin_if_unsettled(loop);
}

/* ---- time ---- */

static void look_at_time(struct loop *loop)
{
    uint64_t real_ms = uv_now(&loop->uv);
    if (loop->polling) {
        loop->polling = false;
        loop->woke_ms = real_ms;
    }
    if (served_time_look(&loop->served, real_ms) == 0)
        return;
    loop->catching_up = true;
    loop->catch_up_polled = false;
    loop->catch_up_until_ms = served_time_now(&loop->served) + LOOP_CATCH_UP_MS;
}

static void allow_time(struct loop *loop, uint64_t ms)
{
    bool ticking = uv_is_active((const uv_handle_t *)&loop->tick);
    served_time_allow(&loop->served, ticking ? ms : SERVED_ANY);
}

static void begin_poll(struct loop *loop)
{
    uv_update_time(&loop->uv);
    look_at_time(loop);
    if (loop->served.seen_ms - loop->woke_ms > loop->longest_ms)
        loop->longest_ms = loop->served.seen_ms - loop->woke_ms;
    allow_time(loop, uv_timer_get_due_in(&loop->tick) + LOOP_LATE_MS);
    loop->iterations++;
    loop->iteration_bytes = 0;
    loop->catch_up_polled = loop->catching_up;
    loop->polling = true;
}

static void end_poll(struct loop *loop)
{
    look_at_time(loop);
    allow_time(loop, LOOP_WORK_MS);
    bool quiet = loop->reads == loop->reads_seen;
    loop->reads_seen = loop->reads;
    if (!loop->catch_up_polled)
        return; /* it began before the standstill, or there was none */
    if (quiet || served_time_now(&loop->served) >= loop->catch_up_until_ms)
        loop->catching_up = false;
}

uint64_t loop_now_ms(struct loop *loop)
{
    if (uv_now(&loop->uv) != loop->served.seen_ms)
        look_at_time(loop);
    return served_time_now(&loop->served);
}

uint64_t loop_real_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

static void on_tick(uv_timer_t *handle)
{
    const struct loop *loop = CONTAINER_OF(handle, struct loop, tick);
    if (loop->timers == 0)
        (void)uv_timer_stop(handle); /* cannot fail */
}

void loop_timer_set(struct loop *loop)
{
    if (loop->timers++ > 0 || uv_is_active((const uv_handle_t *)&loop->tick))
        return;
    (void)loop_now_ms(loop); /* what has passed up to now was not measured */
    if (uv_timer_start(&loop->tick, on_tick, LOOP_TICK_MS, LOOP_TICK_MS) ==
        0) /* else the loop is being closed */
        allow_time(loop, LOOP_WORK_MS);
}

void loop_timer_unset(struct loop *loop)
{
    assert(loop->timers > 0);
    loop->timers--;
}

/* ---- phases ---- */

static void on_check(uv_check_t *handle)
{
    struct loop *loop = CONTAINER_OF(handle, struct loop, check);
    end_poll(loop);
    if (!loop->catching_up)
        run_list(&loop->polled);
    if (!is_settled(loop))
        end_iteration(loop);
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *loop = CONTAINER_OF(handle, struct loop, prepare);
    if (!is_settled(loop) || uv_is_active((const uv_handle_t *)&loop->spin))
        end_iteration(loop);
    if (loop->on_iteration_end)
        loop->on_iteration_end(loop);
    if (!is_settled(loop))
        spin_if_unsettled(loop);
    begin_poll(loop);
}

/* ---- warm storage ---- */

static void on_sweep(uv_timer_t *handle)
{
    struct loop *loop = CONTAINER_OF(handle, struct loop, sweep);
    struct list now;
    list_init(&now);
    list_splice_back(&now, &loop->warm);
    for (struct list *node; (node = list_pop_front(&now));) {
        struct loop_warm *warm = CONTAINER_OF(node, struct loop_warm, node);
        if (warm->used) {
            warm->used = false;
            list_push_back(&loop->warm, node);
        } else {
            warm->cool(warm);
        }
    }
    if (list_empty(&loop->warm))
        (void)uv_timer_stop(handle); /* cannot fail */
}

void loop_warm_init(struct loop_warm *warm, void (*cool)(struct loop_warm *warm))
{
    list_init(&warm->node);
    warm->used = false;
    warm->cool = cool;
}

void loop_touch(struct loop *loop, struct loop_warm *warm)
{
    warm->used = true;
    if (list_linked(&warm->node))
        return;
    list_push_back(&loop->warm, &warm->node);
    /* Fails only while the loop is being closed, when storage goes anyway. */
    if (!uv_is_active((const uv_handle_t *)&loop->sweep))
        (void)uv_timer_start(&loop->sweep, on_sweep, LOOP_SWEEP_MS, LOOP_SWEEP_MS);
}

void loop_untouch(struct loop_warm *warm)
{
    list_remove(&warm->node);
}

/* ---- life ---- */

int loop_init(struct loop *loop)
{
    *loop = (struct loop){0};
    list_init(&loop->tasks);
    list_init(&loop->polled);
    list_init(&loop->deferred);
    list_init(&loop->warm);
    loop->read_bytes = mem_alloc(LOOP_READ_BYTES);
    if (!loop->read_bytes)
        return UV_ENOMEM;
    int rc = uv_loop_init(&loop->uv);
    if (rc != 0) {
        mem_free(loop->read_bytes);
        loop->read_bytes = NULL;
        return rc;
    }
    /* These cannot fail on a fresh loop. */
    rc |= uv_check_init(&loop->uv, &loop->check);
    rc |= uv_prepare_init(&loop->uv, &loop->prepare);
    rc |= uv_idle_init(&loop->uv, &loop->spin);
    rc |= uv_timer_init(&loop->uv, &loop->sweep);
    rc |= uv_timer_init(&loop->uv, &loop->tick);
    rc |= uv_check_start(&loop->check, on_check);
    rc |= uv_prepare_start(&loop->prepare, on_prepare);
    assert(rc == 0);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->sweep);
    uv_unref((uv_handle_t *)&loop->tick);
    served_time_init(&loop->served, uv_now(&loop->uv));
    loop->woke_ms = uv_now(&loop->uv);
    return rc;
}

void loop_run(struct loop *loop)
{
    uv_update_time(&loop->uv);
    loop->woke_ms = uv_now(&loop->uv);
    /* 0: no handle is left. What the last callbacks marked still has to run, and may bring handles back. */
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) == 0) {
        if (is_settled(loop))
            return;
        end_iteration(loop);
    }
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

int loop_done(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->spin, NULL);
    uv_close((uv_handle_t *)&loop->sweep, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    int rc = UV_EBUSY;
    for (int i = 0; i < DONE_ITERATIONS_MAX && rc != 0; i++) {
        run_list(&loop->tasks);
        run_deferred(loop);
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
        if (is_settled(loop))
            rc = uv_loop_close(&loop->uv);
    }
    mem_free(loop->read_bytes);
    loop->read_bytes = NULL;
    return rc;
}

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task))
{
    list_init(&task->node);
    task->run = run;
}

void loop_mark(struct loop *loop, struct loop_task *task)
{
    if (!list_linked(&task->node))
        list_push_back(&loop->tasks, &task->node);
}

void loop_mark_polled(struct loop *loop, struct loop_task *task)
{
    list_remove(&task->node);
    list_push_back(&loop->polled, &task->node);
}

void loop_unmark(struct loop_task *task)
{
    list_remove(&task->node);
}

void loop_defer(struct loop *loop, struct loop_deferred *d, void (*free)(struct loop_deferred *d))
{
    d->free = free;
    list_init(&d->node);
    list_push_back(&loop->deferred, &d->node);
}
