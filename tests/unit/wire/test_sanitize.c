/* Untrusted text: escaped or blanked, whole characters only, never past its buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/sanitize.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_holds(struct buf *b, const char *text)
{
    size_t len = strlen(text);
    if (buf_len(b) != len || (len > 0 && memcmp(buf_data(b), text, len) != 0))
        fail_msg("'%.*s' is not '%s'", (int)buf_len(b), buf_len(b) > 0 ? buf_data(b) : "", text);
    buf_clear(b);
}

static const struct {
    const char *raw;
    const char *one_line;
} hostile[] = {
    {"plain", "plain"},
    {"", ""},
    {"h\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80", "h\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80"},
    {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
    {"a\nb\tc\r", "a\\nb\\tc\\r"},
    {"\x7f", "\\x7f"},
    {"\xc2\x9b"
     "31m",
     "\\u{9b}31m"},
    {"\xe2\x80\xae"
     "abc",
     "\\u{202e}abc"},
    {"\xe2\x80\xa8", "\\u{2028}"},
    {"\xf3\xa0\x81\x81", "\\u{e0041}"},
    {"\xff\xc3(", "\xef\xbf\xbd\xef\xbf\xbd("},
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
    {"\xe4\xb8", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* cut off */
};

static void escapes_control_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile); i++) {
        char out[64];
        struct buf b;
        size_t len = strlen(hostile[i].raw);
        /* of exactly its size, so that a sanitizer sees a byte too many */
        char *raw = malloc(len + 1);
        assert_non_null(raw);
        memcpy(raw, hostile[i].raw, len + 1);
        raw = realloc(raw, len > 0 ? len : 1);
        buf_init(&b, 256);
        assert_int_equal(sanitize_append(&b, raw, len, SANITIZE_ESCAPE), 0);
        assert_holds(&b, hostile[i].one_line);
        sanitize_copy(out, sizeof(out), raw, len, SANITIZE_ESCAPE);
        assert_string_equal(out, hostile[i].one_line);
        buf_done(&b);
        free(raw);
    }
}

static void keeps_lines_where_asked(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 256);
    assert_int_equal(sanitize_append(&b, "a\n\tb\r\x1b", 6, SANITIZE_ESCAPE_LINES), 0);
    assert_holds(&b, "a\n\tb\\r\\x1b");
    buf_done(&b);
}

static void knows_what_needs_no_change(void **state)
{
    (void)state;
    assert_true(sanitize_is_plain("h\xc3\xa9", 3));
    assert_false(sanitize_is_plain("", 0));
    assert_false(sanitize_is_plain("a\n", 2));
    assert_false(sanitize_is_plain("\xc2\x9b", 2));
}

static void blanks_control_characters(void **state)
{
    (void)state;
    char out[32];
    sanitize_copy(out, sizeof(out), "a\x1b[2J\xe2\x80\xae\n\xff", 10, SANITIZE_BLANK);
    assert_string_equal(out, "a [2J  \xef\xbf\xbd");
}

static void cuts_between_characters(void **state)
{
    (void)state;
    char out[6];
    sanitize_copy(out, sizeof(out), "abc\xe4\xb8\xad", 6,
                  SANITIZE_ESCAPE); /* 3 + 3 bytes and a NUL do not fit */
    assert_string_equal(out, "abc");
    sanitize_copy(out, sizeof(out), "ab\x1b", 3, SANITIZE_ESCAPE); /* nor half an escape */
    assert_string_equal(out, "ab");
    sanitize_copy(out, 1, "ab", 2, SANITIZE_ESCAPE);
    assert_string_equal(out, "");
}

static void is_bounded(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    assert_int_equal(sanitize_append(&b, "\x1b\x1b", 2, SANITIZE_ESCAPE), ERR_TOO_LARGE);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_control_characters), cmocka_unit_test(keeps_lines_where_asked),
        cmocka_unit_test(knows_what_needs_no_change), cmocka_unit_test(blanks_control_characters),
        cmocka_unit_test(cuts_between_characters),    cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
