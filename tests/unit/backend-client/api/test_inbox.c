/* The inbox between callers and the loop: order, ids, limits, closing, and when it wakes the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "backend-client/src/api/inbox.h"
#include "tests/unit/common/fault_alloc.h"

#define MAX_BYTES ((size_t)1 << 20)

struct seen {
    uv_loop_t loop;
    uv_async_t wake;
    struct inbox inbox;
    unsigned wakes;
};

static struct seen seen;

static void on_wake(uv_async_t *async)
{
    (void)async;
    seen.wakes++;
}

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    fault_alloc_install();
    assert_int_equal(uv_loop_init(&seen.loop), 0);
    assert_int_equal(uv_async_init(&seen.loop, &seen.wake, on_wake), 0);
    assert_int_equal(inbox_init(&seen.inbox, &seen.wake, MAX_BYTES), 0);
    return 0;
}

static void empty(void)
{
    struct inbox_load load;
    struct call *call;
    struct inbox_item *item;
    if (!inbox_take(&seen.inbox, &load))
        return;
    while (inbox_next(&load, &call, &item)) {
        call_free(call);
        if (item)
            inbox_item_free(item);
    }
}

static int tear_down(void **state)
{
    (void)state;
    empty();
    inbox_done(&seen.inbox);
    uv_close((uv_handle_t *)&seen.wake, NULL);
    (void)uv_run(&seen.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&seen.loop), 0);
    assert_int_equal(fault_alloc_live(), 0);
    return 0;
}

static struct call *make_call(const char *params)
{
    struct ar_call options;
    struct call *call;
    ar_call_init(&options);
    options.method = "echo";
    options.params = params;
    assert_int_equal(call_new(&options, 0, 1000, MAX_BYTES, &call), AR_OK);
    return call;
}

static uint64_t push_call(void)
{
    uint64_t id = 0;
    assert_int_equal(inbox_push_call(&seen.inbox, make_call(NULL), &id), AR_OK);
    return id;
}

/* ---- order ---- */

/* What went in: 1, 2, cancel 1, notify, 3, cancel 3. */
static void order_is_kept(void **state)
{
    (void)state;
    assert_int_equal(push_call(), 1);
    assert_int_equal(push_call(), 2);
    assert_int_equal(inbox_push_cancel(&seen.inbox, 1), AR_OK);
    assert_int_equal(inbox_push_notify(&seen.inbox, "hello", make_call("[1]")), AR_OK);
    assert_int_equal(push_call(), 3);
    assert_int_equal(inbox_push_cancel(&seen.inbox, 3), AR_OK);

    struct inbox_load load;
    struct call *call;
    struct inbox_item *item;
    char order[16] = "";
    size_t at = 0;
    assert_true(inbox_take(&seen.inbox, &load));
    while (inbox_next(&load, &call, &item)) {
        assert_true((!call) != (!item));
        if (call) {
            order[at++] = (char)('0' + call->id);
            call_free(call);
        } else if (item) {
            order[at++] = item->kind == INBOX_CANCEL ? 'c' : 'n';
            if (item->kind == INBOX_NOTIFY)
                assert_string_equal(item->method, "hello");
            inbox_item_free(item);
        }
    }
    assert_string_equal(order, "12cn3c");
    assert_false(load.closing);
    assert_false(inbox_take(&seen.inbox, &load)); /* empty, without asking twice */
}

static void ids_that_were_never_given_out(void **state)
{
    (void)state;
    assert_int_equal(inbox_push_cancel(&seen.inbox, 0), AR_E_NOT_FOUND);
    assert_int_equal(inbox_push_cancel(&seen.inbox, 1), AR_E_NOT_FOUND);
    (void)push_call();
    assert_int_equal(inbox_push_cancel(&seen.inbox, 1), AR_OK);
    assert_int_equal(inbox_push_cancel(&seen.inbox, 2), AR_E_NOT_FOUND);
}

/* ---- waking ---- */

static unsigned wakes_now(void)
{
    (void)uv_run(&seen.loop, UV_RUN_NOWAIT);
    (void)uv_run(&seen.loop, UV_RUN_NOWAIT);
    return seen.wakes;
}

static void wakes_when_it_was_empty(void **state)
{
    (void)state;
    (void)push_call();
    assert_int_equal(wakes_now(), 1);
    (void)push_call(); /* it was not emptied yet */
    assert_int_equal(wakes_now(), 1);
    empty();
    (void)push_call();
    assert_int_equal(wakes_now(), 2);
}

static void *push_from_elsewhere(void *data)
{
    (void)data;
    (void)push_call();
    return NULL;
}

/* The loop's own thread, inside an event, looks by itself before it waits; another thread must still wake. */
static void does_not_wake_itself(void **state)
{
    (void)state;
    pthread_t thread;
    assert_true(inbox_on_loop_thread(&seen.inbox));
    seen.inbox.in_event = true;
    (void)push_call();
    assert_int_equal(wakes_now(), 0);
    assert_int_equal(pthread_create(&thread, NULL, push_from_elsewhere, NULL), 0);
    (void)pthread_join(thread, NULL);
    assert_int_equal(wakes_now(), 1);
}

/* ---- limits ---- */

static void bounds_the_number_of_items(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < INBOX_MAX_ITEMS; i++)
        (void)push_call();
    assert_int_equal(inbox_push_cancel(&seen.inbox, 1), AR_OK);
    struct call *call = make_call(NULL);
    uint64_t id = 7;
    assert_int_equal(inbox_push_call(&seen.inbox, call, &id), AR_E_QUEUE_FULL);
    assert_int_equal(id, 7);
    assert_int_equal(inbox_push_cancel(&seen.inbox, 1), AR_E_QUEUE_FULL);
    empty();
    assert_int_equal(inbox_push_call(&seen.inbox, call, &id), AR_OK);
    assert_int_equal(id, INBOX_MAX_ITEMS);
}

static void bounds_the_number_of_bytes(void **state)
{
    (void)state;
    struct call *call = make_call("[1]");
    struct call *other = make_call("[1]");
    seen.inbox.max_bytes = call->bytes - 1;
    assert_int_equal(inbox_push_call(&seen.inbox, call, NULL), AR_E_QUEUE_FULL);
    seen.inbox.max_bytes = call->bytes;
    assert_int_equal(inbox_push_call(&seen.inbox, call, NULL), AR_OK);
    assert_int_equal(inbox_push_call(&seen.inbox, other, NULL), AR_E_QUEUE_FULL);
    assert_int_equal(inbox_push_notify(&seen.inbox, "hello", other), AR_E_QUEUE_FULL);
    empty();
    assert_int_equal(inbox_push_notify(&seen.inbox, "hello", other), AR_OK);
}

static void survives_without_memory(void **state)
{
    (void)state;
    (void)push_call();
    struct call *params = make_call("[1]");
    fault_alloc_fail_from(1);
    assert_int_equal(inbox_push_cancel(&seen.inbox, 1), AR_E_NO_MEMORY);
    assert_int_equal(inbox_push_notify(&seen.inbox, "hello", params), AR_E_NO_MEMORY);
    fault_alloc_fail_at(0);
    call_free(params);
}

/* ---- closing ---- */

static void refuses_everything_while_closing(void **state)
{
    (void)state;
    (void)push_call();
    inbox_lock(&seen.inbox);
    inbox_close_locked(&seen.inbox);
    inbox_close_locked(&seen.inbox);
    inbox_unlock(&seen.inbox);
    struct call *call = make_call(NULL);
    assert_int_equal(inbox_push_call(&seen.inbox, call, NULL), AR_E_CLOSED);
    assert_int_equal(inbox_push_notify(&seen.inbox, "hello", call), AR_E_CLOSED);
    assert_int_equal(inbox_push_cancel(&seen.inbox, 1), AR_E_CLOSED);
    call_free(call);
    struct inbox_load load;
    struct inbox_item *item;
    assert_true(inbox_take(&seen.inbox, &load));
    assert_true(load.closing);
    assert_true(inbox_next(&load, &call, &item)); /* what was in before is still handed over */
    call_free(call);
    assert_false(inbox_next(&load, &call, &item));
    assert_int_equal(wakes_now(), 1);
}

#define INBOX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INBOX_TEST(order_is_kept),
        INBOX_TEST(ids_that_were_never_given_out),
        INBOX_TEST(wakes_when_it_was_empty),
        INBOX_TEST(does_not_wake_itself),
        INBOX_TEST(bounds_the_number_of_items),
        INBOX_TEST(bounds_the_number_of_bytes),
        INBOX_TEST(survives_without_memory),
        INBOX_TEST(refuses_everything_while_closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
