/* What the tests of backend-client/src/engine/call.c share. A check that does not hold fails the test. */
#include "tests/unit/backend-client/engine/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"

void call_fixture_on_progress(struct ar_client *client, const char *params, size_t params_len, void *data)
{
    (void)client, (void)params, (void)params_len, (void)data;
}

struct ar_call call_fixture_options(const char *method, const char *params, bool progress)
{
    return (struct ar_call){.size = sizeof(struct ar_call),
                            .method = method,
                            .params = params,
                            .on_progress = progress ? call_fixture_on_progress : NULL};
}

int call_fixture_try(const struct ar_call *o, size_t frame_max, struct call **ret_call)
{
    struct call none;
    struct call *c = &none;
    size_t live = fault_alloc_live();
    int rc = call_new(o, CALL_NOW_MS, CALL_DEFAULT_MS, frame_max, &c);
    if (rc != AR_OK) {
        assert_ptr_equal(c, &none);
        assert_int_equal(fault_alloc_live(), live);
        return rc;
    }
    assert_ptr_not_equal(c, &none);
    *ret_call = c;
    return AR_OK;
}

struct call *call_fixture_make(const struct ar_call *o)
{
    struct call *c = NULL;
    assert_int_equal(call_fixture_try(o, CALL_FRAME_MAX, &c), AR_OK);
    if (!c)
        abort();
    c->id = CALL_ID;
    return c;
}

char *call_fixture_line(const struct call *c)
{
    struct buf out;
    buf_init(&out, CALL_FRAME_MAX);
    assert_int_equal(call_write(c, &out), 0);
    size_t len = buf_len(&out);
    assert_true(len > 1);
    char *line = mem_dup(buf_data(&out), len);
    assert_non_null(line);
    assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
    assert_null(memchr(line, '\r', len));
    assert_null(memchr(line, '\0', len));
    line[len - 1] = '\0';
    buf_done(&out);
    return line;
}

int call_fixture_set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    return 0;
}

int call_fixture_tear_down(void **state)
{
    (void)state;
    size_t left = fault_alloc_live();
    mem_set(NULL);
    return left == 0 ? 0 : -1;
}
