/* Loading configurations in tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/config/config_fixture.h"
#include "tests/unit/common/fault_alloc.h"

#define LIST_MAX 64

static struct buf last_report;
static struct buf last_value;

/* config_args wants writable strings, as main has them; nothing writes to them. */
static int copy_list(const char **from, char **to)
{
    int count = 0;
    for (; from && from[count]; count++) {
        assert_true(count + 1 < LIST_MAX);
        memcpy(&to[count], &from[count], sizeof(char *));
    }
    to[count] = NULL;
    return count;
}

int load_code(struct load load, struct config **ret_config)
{
    char *argv[LIST_MAX];
    char *environ[LIST_MAX];
    int argc = copy_list(load.argv, argv);
    (void)copy_list(load.environ, environ);
    struct config_args args = {.argc = argc, .argv = argv, .environ = environ, .program_dir = "/nowhere"};
    buf_done(&last_report);
    buf_init(&last_report, (size_t)1 << 20);
    size_t len = load.text ? strlen(load.text) : 0;
    int rc = config_load_text(&args, load.text ? "t.json" : NULL, load.text, len, &last_report, ret_config);
    if (buf_append(&last_report, "", 1) != 0)
        buf_clear(&last_report);
    return rc;
}

const char *report(void)
{
    return buf_len(&last_report) > 0 ? buf_data(&last_report) : "";
}

struct config *load_good(struct load load)
{
    struct config *c = NULL;
    int rc = load_code(load, &c);
    if (rc != 0)
        print_error("%s\n", report());
    assert_int_equal(rc, 0);
    assert_null(strstr(report(), ": error: "));
    return c;
}

void assert_reported(const char *text)
{
    if (!strstr(report(), text))
        print_error("not reported: %s\nreport:\n%s\n", text, report());
    assert_non_null(strstr(report(), text));
}

void load_bad(struct load load, const char **texts)
{
    struct config *c = NULL;
    int rc = load_code(load, &c);
    if (rc == 0)
        config_free(c);
    assert_int_equal(rc, ERR_SYNTAX);
    for (; *texts; texts++)
        assert_reported(*texts);
}

static const char *text_of(const struct option *o, const struct config *c, const struct server_config *s)
{
    buf_done(&last_value);
    buf_init(&last_value, (size_t)1 << 20);
    assert_int_equal(config_option_text(o, c, s, &last_value), 0);
    return buf_data(&last_value);
}

const char *value_of(const struct config *c, const char *key)
{
    const struct option *o = config_option(key);
    assert_non_null(o);
    return text_of(o, c, &c->defaults);
}

const char *server_value_of(const struct config *c, const char *server, const char *key)
{
    const struct option *o = config_option(key);
    const struct server_config *s = config_server(c, server);
    assert_true(o && s && o->per_server);
    return text_of(o, c, s);
}

int config_set_up(void **state)
{
    (void)state;
    buf_done(&last_report);
    buf_done(&last_value);
    fault_alloc_install();
    return 0;
}

int config_tear_down(void **state)
{
    (void)state;
    buf_done(&last_report);
    buf_done(&last_value);
    return (int)fault_alloc_live();
}
