/* Text for people: measured, put into tables; figures, round trips, the progress line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/cli/progress.h"
#include "backend-client/cli/ping_stats.h"
#include "backend-client/cli/table.h"
#include "backend-client/cli/units.h"
#include "backend-client/cli/width.h"
#include "tests/unit/common/fault_alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_holds(struct buf *b, const char *text)
{
    size_t len = strlen(text);
    if (buf_len(b) != len || (len > 0 && memcmp(buf_data(b), text, len) != 0))
        fail_msg("'%.*s' is not '%s'", (int)buf_len(b), buf_len(b) > 0 ? buf_data(b) : "", text);
    buf_clear(b);
}

/* ---- width ---- */

static void knows_how_wide_characters_are(void **state)
{
    (void)state;
    static const struct {
        uint32_t c;
        unsigned width;
    } chars[] = {{'a', 1},    {0xe9, 1},    {0xad, 1},    {0x300, 0},   {0x36f, 0},  {0x370, 1},
                 {0x200d, 0}, {0x4e2d, 2},  {0x3042, 2},  {0xac00, 2},  {0x1160, 0}, {0xff21, 2},
                 {0xff71, 1}, {0x1f600, 2}, {0x20000, 2}, {0x3fffd, 2}, {0x2500, 1}, {0x0e31, 0},
                 {0xfe0f, 0}, {0x1f9d1, 2}, {0x10ffff, 1}};
    for (size_t i = 0; i < COUNT(chars); i++)
        if (width_of_char(chars[i].c) != chars[i].width)
            fail_msg("U+%04X: %u", (unsigned)chars[i].c, width_of_char(chars[i].c));
}

static void measures_and_cuts_texts(void **state)
{
    (void)state;
    const char *text = "a\xe4\xb8\xad"
                       "e\xcc\x81!";
    size_t len = strlen(text);
    assert_int_equal(width_of_text(text, len), 5);
    assert_int_equal(width_cut(text, len, 0), 0);
    assert_int_equal(width_cut(text, len, 1), 1);
    assert_int_equal(width_cut(text, len, 2), 1); /* the wide one does not fit by half */
    assert_int_equal(width_cut(text, len, 3), 4);
    assert_int_equal(width_cut(text, len, 4), 7); /* its accent comes with the e */
    assert_int_equal(width_cut(text, len, 9), len);
}

/* ---- tables ---- */

static const struct table_column columns[] = {
    {"NAME", TABLE_LEFT, 6}, {"N", TABLE_RIGHT, 0}, {"X", TABLE_LEFT, 0}};

static void fill(struct table *t)
{
    table_init(t, columns, COUNT(columns));
    table_cell(t, "\xe4\xb8\xad\xe6\x96\x87");
    table_cellf(t, "%d", 7);
    table_cell(t, "one");
    table_cell(t, "abcdefgh");
    table_cell(t, NULL);
    table_color(t, "\x1b[31m");
    table_cell(t, "\x1b[2Jtwo");
}

static void lists_only_names_that_need_no_change(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    assert_int_equal(table_append_name(&b, "h\xc3\xa9", 3), 0);
    assert_int_equal(table_append_name(&b, "a\n", 2), 0);
    assert_int_equal(table_append_name(&b, "", 0), 0);
    assert_int_equal(table_append_name(&b, NULL, 0), 0);
    assert_int_equal(table_append_name(&b, "two", 3), 0);
    assert_int_equal(table_append_name(&b, "x", 1), ERR_TOO_LARGE);
    assert_holds(&b, "h\xc3\xa9\ntwo\n");
    buf_done(&b);
}

static void aligns_by_width(void **state)
{
    (void)state;
    struct table t;
    struct buf b;
    buf_init(&b, 4096);
    fill(&t);
    assert_int_equal(table_write(&t, false, 0, &b), 0);
    assert_holds(&b, "NAME    N  X\n"
                     "\xe4\xb8\xad\xe6\x96\x87    7  one\n"
                     "abcde\xe2\x80\xa6  -  \\x1b[2Jtwo\n");
    assert_int_equal(table_write(&t, true, 0, &b), 0);
    assert_int_equal(buf_append(&b, "", 1), 0);
    assert_non_null(strstr(buf_data(&b), "\x1b[31m-\x1b[0m  \\x1b[2Jtwo"));
    buf_clear(&b);
    assert_int_equal(table_write(&t, false, 12, &b), 0);
    assert_holds(&b, "NAME    N  X\n"
                     "\xe4\xb8\xad\xe6\x96\x87    7  \xe2\x80\xa6\n"
                     "abcde\xe2\x80\xa6  -  \xe2\x80\xa6\n");
    assert_int_equal(table_write(&t, false, 3, &b), 0);
    assert_holds(&b, "NA\xe2\x80\xa6\n\xe4\xb8\xad\xe2\x80\xa6\nab\xe2\x80\xa6\n");
    table_done(&t);
    buf_done(&b);
}

static void a_table_without_rows_has_titles(void **state)
{
    (void)state;
    struct table t;
    struct buf b;
    buf_init(&b, 4096);
    table_init(&t, columns, COUNT(columns));
    assert_int_equal(table_write(&t, false, 0, &b), 0);
    assert_holds(&b, "NAME  N  X\n");
    table_done(&t);
    buf_done(&b);
}

static void tables_survive_each_failing_allocation(void **state)
{
    (void)state;
    size_t n = 1;
    fault_alloc_install();
    for (;; n++) {
        struct table t;
        struct buf b;
        buf_init(&b, 4096);
        fault_alloc_fail_at(n);
        fill(&t);
        int rc = table_write(&t, true, 0, &b);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        table_done(&t);
        buf_done(&b);
        assert_int_equal(fault_alloc_live(), 0);
        assert_int_equal(rc, fired ? -ENOMEM : 0);
        if (!fired)
            break;
    }
    assert_true(n > 2);
}

/* ---- figures ---- */

static void writes_spans(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } spans[] = {{0, "0 ms"},          {999, "999 ms"},        {1000, "1.0 s"},      {59999, "59.9 s"},
                 {60000, "1 min 0 s"}, {3600000, "1 h 0 min"}, {86400000, "1 d 0 h"}};
    char out[UNITS_SIZE];
    for (size_t i = 0; i < COUNT(spans); i++)
        assert_string_equal(units_span(spans[i].ms, out), spans[i].text);
}

static void writes_milliseconds(void **state)
{
    (void)state;
    static const struct {
        double ms;
        const char *text;
    } times[] = {{0, "0 ms"},       {0.0004, "0 ms"},     {0.04, "0.04 ms"},    {0.0412, "0.041 ms"},
                 {1, "1 ms"},       {3.1274, "3.127 ms"}, {10, "10 ms"},        {12.34, "12.3 ms"},
                 {99.99, "100 ms"}, {850.4, "850 ms"},    {120000, "120000 ms"}};
    char out[UNITS_SIZE];
    for (size_t i = 0; i < COUNT(times); i++)
        assert_string_equal(units_ms(times[i].ms, out), times[i].text);
    assert_true(units_round_ms(0.0412345) == 0.041);
    assert_true(units_round_ms(7) == 7);
}

static void assert_near(double value, double expected)
{
    if (value < expected - 1e-9 || value > expected + 1e-9)
        fail_msg("%g is not %g", value, expected);
}

static void ranks_round_trips(void **state)
{
    (void)state;
    struct ping_stats r;
    assert_int_equal(ping_stats_init(&r, 200), 0);
    assert_near(ping_stats_sum(&r).max_ms, 0);
    ping_stats_add(&r, 3000000);
    struct ping_summary one = ping_stats_sum(&r);
    assert_near(one.min_ms, 3);
    assert_near(one.p50_ms, 3);
    assert_near(one.p99_ms, 3);
    ping_stats_done(&r);
    assert_int_equal(ping_stats_init(&r, 200), 0);
    for (uint64_t i = 200; i > 0; i--)
        ping_stats_add(&r, i * 1000000);
    ping_stats_add(&r, 1); /* beyond what it was made for: not kept */
    struct ping_summary sum = ping_stats_sum(&r);
    assert_int_equal(r.count, 200);
    assert_near(sum.min_ms, 1);
    assert_near(sum.p50_ms, 100);
    assert_near(sum.p99_ms, 198);
    assert_near(sum.max_ms, 200);
    ping_stats_done(&r);
    assert_int_equal(ping_stats_init(&r, SIZE_MAX), -ENOMEM);
}

/* ---- progress ---- */

static void take(struct progress *p, const char *params)
{
    progress_take(p, params, strlen(params));
}

static void assert_line(const struct progress *p, uint64_t ms, size_t screen, const char *expected)
{
    char line[700];
    progress_line(p, ms, screen, line, sizeof(line));
    assert_string_equal(line, expected);
}

static void tells_progress(void **state)
{
    (void)state;
    struct progress p = {0};
    assert_line(&p, 2100, 80, "waiting (2.1 s)");
    take(&p, "{\"progressToken\":1,\"progress\":1,\"total\":4,\"message\":\"reading\"}");
    assert_line(&p, 3140, 80, " 25% reading (3.1 s)");
    take(&p, "{\"progress\":4}"); /* what is not given stays */
    assert_line(&p, 4000, 80, "100% reading (4.0 s)");
    take(&p, "{\"progress\":7,\"message\":\"\\u001b[2J\\n\"}"); /* more than all: no percentage */
    assert_line(&p, 4000, 80, "7 \\x1b[2J\\n (4.0 s)");
    take(&p, "{\"progress\":8,\"total\":0}");
    assert_line(&p, 4000, 80, "8 \\x1b[2J\\n (4.0 s)");
}

static void ignores_what_is_no_progress(void **state)
{
    (void)state;
    struct progress p = {0};
    take(&p, "");
    take(&p, "[]");
    take(&p, "{\"progress\":\"much\",\"total\":{},\"message\":7}");
    assert_false(p.reported);
    assert_line(&p, 0, 80, "waiting (0.0 s)");
}

static void cuts_the_message_not_the_time(void **state)
{
    (void)state;
    struct progress p = {0};
    take(&p, "{\"progress\":1,\"total\":2,\"message\":\"\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\"}");
    assert_line(&p, 1000, 16, " 50% \xe4\xb8\xad (1.0 s)");
    assert_line(&p, 1000, 3, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_only_names_that_need_no_change),
        cmocka_unit_test(knows_how_wide_characters_are),
        cmocka_unit_test(measures_and_cuts_texts),
        cmocka_unit_test(aligns_by_width),
        cmocka_unit_test(a_table_without_rows_has_titles),
        cmocka_unit_test(tables_survive_each_failing_allocation),
        cmocka_unit_test(writes_spans),
        cmocka_unit_test(writes_milliseconds),
        cmocka_unit_test(ranks_round_trips),
        cmocka_unit_test(tells_progress),
        cmocka_unit_test(ignores_what_is_no_progress),
        cmocka_unit_test(cuts_the_message_not_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
