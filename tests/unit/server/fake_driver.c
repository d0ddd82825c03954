#include "tests/unit/server/fake_driver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/timer.h"

struct fake_driver fake_driver;

/* ---- the clock ---- */

/* Not 0, which stands for "never" in many places. */
#define CLOCK_START_MS 1000000

static uint64_t now_ms = CLOCK_START_MS;

int fake_clock_gettime(clockid_t id, struct timespec *ret_time)
{
    if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, id, ret_time);
    ret_time->tv_sec = (time_t)(now_ms / 1000);
    ret_time->tv_nsec = (long)(now_ms % 1000) * 1000000;
    return 0;
}

uint64_t clock_ms(void)
{
    return now_ms;
}

/* Some iterations: what timers and close callbacks mark may run in the next one. None of them waits. */
void settle(void)
{
    for (int i = 0; i < 4; i++)
        (void)uv_run(&fx.loop.uv, UV_RUN_NOWAIT);
}

/* From one timer to the next, the loop's own included: a jump across them would be a standstill. */
void advance_ms(uint64_t ms)
{
    settle(); /* a handle that is new has no time-out yet */
    for (uint64_t end_ms = now_ms + ms; now_ms < end_ms;) {
        int next_ms = uv_backend_timeout(&fx.loop.uv);
        uint64_t step_ms = next_ms > 0 ? (uint64_t)next_ms : end_ms - now_ms;
        now_ms += step_ms < end_ms - now_ms ? step_ms : end_ms - now_ms;
        settle();
    }
}

/* Nobody runs for so long. */
void stand_still_ms(uint64_t ms)
{
    now_ms += ms;
    settle();
}

/* ---- the driver ---- */

static struct fake_instance *fake_of(struct instance *i)
{
    return CONTAINER_OF(i, struct fake_instance, instance);
}

static int take_message(struct link *link, const struct message *message)
{
    (void)message;
    struct fake_instance *i = CONTAINER_OF(link, struct fake_instance, instance.link);
    assert_false(i->exited);
    i->sent++;
    return 0;
}

static void ignore_link(struct link *link)
{
    (void)link;
}

static void close_link(struct link *link, int code, const char *reason)
{
    (void)link, (void)code, (void)reason;
}

static bool get_progress(const struct link *link, struct link_progress *ret_progress)
{
    const struct fake_instance *i = CONST_CONTAINER_OF(link, struct fake_instance, instance.link);
    *ret_progress = (struct link_progress){.sent_bytes = 1, .read_bytes = i->has_read};
    return true;
}

static const struct link_ops fake_link = {.send = take_message,
                                          .pause = ignore_link,
                                          .resume = ignore_link,
                                          .close = close_link,
                                          .get_progress = get_progress};

static int start(struct driver *d, const struct instance_spec *spec, const struct instance_events *events,
                 void *data, struct instance **ret_instance, struct driver_error *ret_error)
{
    if (fake_driver.fail_starts) {
        (void)snprintf(ret_error->text, sizeof(ret_error->text), "cannot start it: no room");
        return fake_driver.no_room ? -EMFILE : -ENOENT;
    }
    assert_true(fake_driver.count < FAKE_INSTANCES_MAX);
    struct fake_instance *i = &fake_driver.instances[fake_driver.count++];
    *i = (struct fake_instance){.instance = {.link = {.ops = &fake_link, .high_bytes = SIZE_MAX},
                                             .driver = d->ops,
                                             .events = events,
                                             .data = data}};
    (void)snprintf(i->name, sizeof(i->name), "%s", spec->name);
    *ret_instance = &i->instance;
    return 0;
}

static void stop(struct instance *i, uint64_t grace_ms)
{
    struct fake_instance *fake = fake_of(i);
    if (fake->stopped)
        return;
    fake->stopped = true;
    fake->grace_ms = grace_ms;
}

static void kill_instance(struct instance *i)
{
    fake_of(i)->killed = true;
}

static size_t tail(const struct instance *i, char *ret_text, size_t max)
{
    (void)i;
    (void)snprintf(ret_text, max, "%s", fake_driver.tail ? fake_driver.tail : "");
    return strlen(ret_text);
}

static void get_pids(struct instance *i, struct instance_pids *ret_pids)
{
    *ret_pids = (struct instance_pids){.pid = (pid_t)(fake_of(i) - fake_driver.instances) + 1};
}

/* A handle, so that the end comes from the loop. */
static struct {
    struct timer handle;
    void (*on_closed)(void *data);
    void *data;
} closing;

static void on_handle_closed(struct timer *t)
{
    (void)t;
    fake_driver.closed = true;
    closing.on_closed(closing.data);
}

static void close_driver(struct driver *d, void (*on_closed)(void *data), void *data)
{
    (void)d;
    assert_false(fake_driver.closed);
    closing.on_closed = on_closed;
    closing.data = data;
    assert_int_equal(timer_init(&closing.handle, &fx.loop, NULL), 0);
    timer_close(&closing.handle, on_handle_closed);
}

static const struct upstream_driver driver = {start, stop, kill_instance, tail, get_pids, close_driver};

/* ---- events ---- */

struct fake_instance *newest(void)
{
    assert_true(fake_driver.count > 0);
    return &fake_driver.instances[fake_driver.count - 1];
}

void report_frame(struct fake_instance *i, const char *line)
{
    assert_false(i->exited);
    const struct frame frame = {.bytes = line, .len = strlen(line)};
    i->instance.events->on_frame(&i->instance, &frame);
    i->instance.events->on_writable(&i->instance);
    settle();
}

void report_lost(struct fake_instance *i, const char *why)
{
    i->instance.events->on_lost(&i->instance, why);
    settle();
}

void report_exit(struct fake_instance *i, int exit_status, int term_signal)
{
    assert_false(i->exited);
    i->exited = true;
    i->instance.events->on_exit(&i->instance, exit_status, term_signal);
    i->instance.events->on_closed(&i->instance);
    settle();
}

/* ---- set-up and tear-down ---- */

/* What a listener is to a relay's loop: without an active handle libuv runs no phase. */
static uv_prepare_t listener;

static void on_listener(uv_prepare_t *handle)
{
    (void)handle;
}

int fake_driver_up(void **state)
{
    (void)state;
    fake_driver = (struct fake_driver){.driver = {&driver}};
    int rc = fixture_up_with(&fake_driver.driver);
    if (rc == 0)
        rc = uv_prepare_init(&fx.loop.uv, &listener);
    if (rc == 0)
        rc = uv_prepare_start(&listener, on_listener);
    return rc;
}

int fake_driver_down(void **state)
{
    if (!fx.stopped)
        server_set_stop(fx.set, fixture_on_stopped, &fx.stopped);
    settle();
    for (size_t i = 0; i < fake_driver.count; i++) {
        if (!fake_driver.instances[i].exited)
            report_exit(&fake_driver.instances[i], 0, 0);
    }
    settle();
    assert_true(fx.stopped);
    assert_true(fake_driver.closed);
    uv_close((uv_handle_t *)&listener, NULL);
    return fixture_down(state);
}
