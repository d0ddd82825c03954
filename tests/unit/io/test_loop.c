/* A loop iteration: tasks, deferred frees, warm storage, and its end. Real libuv, no sleeps: where time has to
 * pass, the loop runs until the event came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/loop.h"
#include "tests/unit/common/fault_alloc.h"

static struct loop loop;

static int set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    return loop_init(&loop);
}

/* Nothing may be left: no handle, no allocation. */
static int tear_down(void **state)
{
    (void)state;
    int rc = loop_done(&loop);
    return rc != 0 ? rc : (int)fault_alloc_live();
}

struct counted_task {
    struct loop_task task;
    int runs;
    int again; /* how often it marks itself */
    struct loop_task *other;
};

static void run_counted(struct loop_task *task)
{
    struct counted_task *t = CONTAINER_OF(task, struct counted_task, task);
    t->runs++;
    if (t->again-- > 0)
        loop_mark(&loop, task);
    if (t->other)
        loop_mark(&loop, t->other);
}

static struct counted_task counted(void)
{
    return (struct counted_task){.runs = 0};
}

static void marked_before_run(void **state)
{
    (void)state;
    struct counted_task t = counted();
    loop_task_init(&t.task, run_counted);
    loop_mark(&loop, &t.task);
    loop_mark(&loop, &t.task);
    loop_run(&loop);
    assert_int_equal(t.runs, 1);
}

static void unmarked_does_not_run(void **state)
{
    (void)state;
    struct counted_task t = counted();
    loop_task_init(&t.task, run_counted);
    loop_mark(&loop, &t.task);
    loop_unmark(&t.task);
    loop_unmark(&t.task);
    loop_run(&loop);
    assert_int_equal(t.runs, 0);
}

/* A task may mark itself and others; all of it runs although no handle is left to wake the loop. */
static void marked_again(void **state)
{
    (void)state;
    struct counted_task a = counted();
    struct counted_task b = counted();
    loop_task_init(&a.task, run_counted);
    loop_task_init(&b.task, run_counted);
    a.again = 3;
    a.other = &b.task;
    loop_mark(&loop, &a.task);
    loop_run(&loop);
    assert_int_equal(a.runs, 4);
    assert_int_equal(b.runs, 2); /* marked while it was due anyway: once for both */
}

static struct counted_task from_timer;
static int timer_iterations;
static uv_timer_t far_timer;

static void on_first_timer(uv_timer_t *handle)
{
    (void)handle;
    timer_iterations++;
    loop_mark(&loop, &from_timer.task);
}

static void stop_all(struct loop_task *task)
{
    struct counted_task *t = CONTAINER_OF(task, struct counted_task, task);
    if (t->again-- > 0) {
        loop_mark(&loop, task);
        return;
    }
    loop_stop(&loop);
}

/* What a timer marks runs before the poll, and what that marks again does not wait through it: the far timer
 * (an hour) is all that would wake the loop. */
static void no_wait_through_the_poll(void **state)
{
    (void)state;
    uv_timer_t near_timer;
    assert_int_equal(uv_timer_init(&loop.uv, &near_timer), 0);
    assert_int_equal(uv_timer_init(&loop.uv, &far_timer), 0);
    assert_int_equal(uv_timer_start(&near_timer, on_first_timer, 0, 0), 0);
    assert_int_equal(uv_timer_start(&far_timer, on_first_timer, 3600000, 0), 0);
    from_timer = counted();
    loop_task_init(&from_timer.task, stop_all);
    from_timer.again = 2;
    uint64_t before = uv_hrtime();
    timer_iterations = 0;
    loop_run(&loop);
    assert_int_equal(timer_iterations, 1);
    assert_true(uv_hrtime() - before < UINT64_C(60000000000));
    uv_close((uv_handle_t *)&near_timer, NULL);
    uv_close((uv_handle_t *)&far_timer, NULL);
    assert_int_equal(uv_run(&loop.uv, UV_RUN_NOWAIT), 0);
}

struct counted_free {
    struct loop_deferred deferred;
    int frees;
    bool again;
};

static int tasks_before_free;
static struct counted_task order_task;

static void count_free(struct loop_deferred *d)
{
    struct counted_free *f = CONTAINER_OF(d, struct counted_free, deferred);
    f->frees++;
    tasks_before_free = order_task.runs;
    if (f->again) {
        f->again = false;
        loop_defer(&loop, d, count_free);
    }
}

static int ends;
static int runs_before_end;
static struct counted_task from_end;

static void on_iteration_end(struct loop *l)
{
    assert_ptr_equal(l, &loop);
    ends++;
    runs_before_end = from_timer.runs;
    loop_mark(&loop, &from_end.task);
}

/* It comes once, behind the tasks that timers marked, and what it marks does not wait through the poll. */
static void iteration_end(void **state)
{
    (void)state;
    uv_timer_t near_timer;
    assert_int_equal(uv_timer_init(&loop.uv, &near_timer), 0);
    assert_int_equal(uv_timer_init(&loop.uv, &far_timer), 0);
    assert_int_equal(uv_timer_start(&near_timer, on_first_timer, 0, 0), 0);
    assert_int_equal(uv_timer_start(&far_timer, on_first_timer, 3600000, 0), 0);
    from_timer = counted();
    from_end = counted();
    loop_task_init(&from_timer.task, run_counted);
    loop_task_init(&from_end.task, stop_all);
    ends = 0;
    loop.on_iteration_end = on_iteration_end;
    uint64_t before = uv_hrtime();
    loop_run(&loop);
    loop.on_iteration_end = NULL;
    assert_int_equal(ends, 1);
    assert_int_equal(runs_before_end, 1);
    assert_true(uv_hrtime() - before < UINT64_C(60000000000));
    uv_close((uv_handle_t *)&near_timer, NULL);
    uv_close((uv_handle_t *)&far_timer, NULL);
    (void)uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void deferred_after_tasks(void **state)
{
    (void)state;
    struct counted_free f = {.again = true};
    order_task = counted();
    loop_task_init(&order_task.task, run_counted);
    loop_defer(&loop, &f.deferred, count_free);
    loop_mark(&loop, &order_task.task);
    loop_run(&loop);
    assert_int_equal(f.frees, 2);
    assert_int_equal(tasks_before_free, 1);
}

static void done_runs_what_is_deferred(void **state)
{
    (void)state;
    struct counted_free f = {.again = true};
    loop_defer(&loop, &f.deferred, count_free);
    assert_int_equal(loop_done(&loop), 0);
    assert_int_equal(f.frees, 2);
    assert_int_equal(loop_init(&loop), 0);
}

static void done_reports_a_handle_left(void **state)
{
    (void)state;
    struct loop other;
    uv_timer_t left;
    assert_int_equal(loop_init(&other), 0);
    assert_int_equal(uv_timer_init(&other.uv, &left), 0);
    assert_int_equal(loop_done(&other), UV_EBUSY);
    uv_close((uv_handle_t *)&left, NULL);
    assert_int_equal(uv_run(&other.uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&other.uv), 0);
}

struct counted_warm {
    struct loop_warm warm;
    int cooled;
    int touches; /* how often cool keeps it warm */
};

static void count_cool(struct loop_warm *warm)
{
    struct counted_warm *w = CONTAINER_OF(warm, struct counted_warm, warm);
    w->cooled++;
    if (w->touches-- > 0)
        loop_touch(&loop, warm);
    else
        loop_stop(&loop);
}

static void warm_storage_cools(void **state)
{
    (void)state;
    struct counted_warm w = {.touches = 1};
    struct counted_warm gone = {0};
    uv_timer_t alive;
    assert_int_equal(uv_timer_init(&loop.uv, &alive), 0);
    assert_int_equal(uv_timer_start(&alive, on_first_timer, 60000, 0), 0);
    loop_warm_init(&w.warm, count_cool);
    loop_warm_init(&gone.warm, count_cool);
    loop_touch(&loop, &w.warm);
    loop_touch(&loop, &gone.warm);
    loop_touch(&loop, &gone.warm);
    loop_untouch(&gone.warm);
    loop_untouch(&gone.warm);
    uint64_t before_ms = loop_now_ms(&loop);
    loop_run(&loop);
    assert_int_equal(w.cooled, 2);
    assert_int_equal(gone.cooled, 0);
    assert_true(loop_now_ms(&loop) - before_ms >= LOOP_SWEEP_MS);
    assert_false(uv_is_active((uv_handle_t *)&loop.sweep));
    uv_close((uv_handle_t *)&alive, NULL);
    assert_int_equal(uv_run(&loop.uv, UV_RUN_NOWAIT), 0);
}

static void init_without_memory(void **state)
{
    (void)state;
    struct loop other;
    size_t live = fault_alloc_live();
    fault_alloc_fail_at(1);
    assert_int_equal(loop_init(&other), UV_ENOMEM);
    assert_true(fault_alloc_fired());
    assert_int_equal(fault_alloc_live(), live);
    fault_alloc_fail_at(0);
}

int main(void)
{
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(marked_before_run),
        LOOP_TEST(unmarked_does_not_run),
        LOOP_TEST(marked_again),
        LOOP_TEST(no_wait_through_the_poll),
        LOOP_TEST(iteration_end),
        LOOP_TEST(deferred_after_tasks),
        LOOP_TEST(done_runs_what_is_deferred),
        LOOP_TEST(done_reports_a_handle_left),
        LOOP_TEST(warm_storage_cools),
        LOOP_TEST(init_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
