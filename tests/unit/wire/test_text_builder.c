/* Texts for people: sanitized whatever goes in, cut between characters, never past their buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/text_builder.h"
#include "tests/unit/common/text_fixture.h"

static char text[256];
static struct text_builder s;

static int begin(void **state)
{
    (void)state;
    text_builder_begin(&s, text, sizeof(text));
    return 0;
}

static void quote(const char *bytes, size_t len, size_t max, const char *want)
{
    text_builder_begin(&s, text, sizeof(text));
    text_builder_quote(&s, bytes, len, max);
    assert_string_equal(text, want);
    assert_int_equal(s.len, strlen(want));
}

static void parts_come_together(void **state)
{
    (void)state;
    assert_string_equal(text, "");
    text_builder_add(&s, "cannot connect to ");
    text_builder_quote(&s, "relay", 5, 80);
    text_builder_addf(&s, ":%d (", 9500);
    text_builder_add_duration(&s, 250);
    text_builder_add(&s, ")");
    assert_string_equal(text, "cannot connect to relay:9500 (250 ms)");
    assert_int_equal(text_builder_room(&s), sizeof(text) - 1 - strlen(text));
}

static void controls_become_one_blank(void **state)
{
    (void)state;
    quote("a\r\n\t b", 6, 80, "a b");
    quote("\x1b[31mred\x1b[0m", 12, 80,
          "\x5b"
          "31mred [0m"); /* the blank in front is trimmed */
    quote("a\0b", 3, 80, "a b");
    quote("a\x7f"
          "b",
          3, 80, "a b");
    quote("a\xc2\x80"
          "b",
          4, 80, "a b");
    quote("a\xc2\x9f"
          "b",
          4, 80, "a b");
    quote("a\xc2\x9b"
          "b",
          4, 80, "a b"); /* C1: CSI */
    quote("a\xe2\x80\xae"
          "b",
          5, 80, "a b"); /* U+202E: right to left */
    quote("a\xe2\x81\xa6"
          "b",
          5, 80, "a b"); /* U+2066 */
    quote("a\xe2\x80\xa8"
          "b",
          5, 80, "a b"); /* U+2028 */
    quote("a\xef\xbb\xbf"
          "b",
          5, 80, "a b"); /* U+FEFF */
    quote("  \n lines \n\n", 12, 80, "lines");
    quote("\n\n", 2, 80, "");
}

static void neighbours_of_what_is_forbidden_pass(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "\xc2\xa0",    "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\xa5",     "\xe2\x81\xaa",     "\xef\xbb\xbe",
        "~",           "\xc3\xa9",     "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf",
        "\xee\x80\x80"};
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        quote(fine[i], strlen(fine[i]), 80, fine[i]);
}

static void broken_utf8_is_replaced(void **state)
{
    (void)state;
    quote("a\xff"
          "b",
          3, 80,
          "a\xef\xbf\xbd"
          "b");
    quote("\xc3", 1, 80, "\xef\xbf\xbd");
    quote("\xe2\x82", 2, 80, "\xef\xbf\xbd\xef\xbf\xbd");
    quote("\xc0\xaf", 2, 80, "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong */
    quote("\xed\xa0\x80", 3, 80, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
    quote("\xc3"
          "ab",
          3, 80,
          "\xef\xbf\xbd"
          "ab");
    /* What stands behind the bytes handed over is never read as part of them. */
    quote("\xc3\xa9", 1, 80, "\xef\xbf\xbd");
}

static void quotes_end_at_their_limit(void **state)
{
    (void)state;
    quote("0123456", 7, 8, "0123456");
    quote("01234567", 8, 8, "01234567");
    quote("012345678", 9, 8, "01234...");
    quote("0123\xc3\xa9"
          "89",
          8, 8,
          "0123\xc3\xa9"
          "89");
    quote("0123\xc3\xa9"
          "89x",
          9, 8, "0123..."); /* not half of the accented letter */
    quote("\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 12, 8, "\xf0\x9f\x98\x80...");
}

static void a_cut_quote_is_not_the_end(void **state)
{
    (void)state;
    text_builder_quote(&s, "0123456789", 10, 8);
    text_builder_add(&s, " goes on");
    assert_string_equal(text, "01234... goes on");
}

static void the_end_of_a_log_is_kept(void **state)
{
    (void)state;
    text_builder_quote_end(&s, "one\ntwo\nthree\n", 14, 80);
    assert_string_equal(text, "one two three");
    (void)begin(NULL);
    text_builder_quote_end(&s, "a long beginning, then the end\n", 31, 10);
    assert_string_equal(text, "...the end");
    (void)begin(NULL);
    text_builder_quote_end(&s,
                           "xxxxxxx\xf0\x9f\x98\x80"
                           "12345\n",
                           17, 10); /* not half of the face */
    assert_string_equal(text, "...12345");
    (void)begin(NULL);
    text_builder_add(&s, "(");
    text_builder_quote_end(&s, "0123456789", 10, 9);
    text_builder_add(&s, ")");
    assert_string_equal(text, "(...456789)");
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *want;
    } cases[] = {{0, "0 ms"},     {999, "999 ms"},   {1000, "1 s"},
                 {1099, "1 s"},   {1100, "1.1 s"},   {1999, "1.9 s"},
                 {30000, "30 s"}, {29700, "29.7 s"}, {UINT64_MAX, "18446744073709551.6 s"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)begin(NULL);
        text_builder_add_duration(&s, cases[i].ms);
        assert_string_equal(text, cases[i].want);
    }
}

static void a_full_text_builder_stays_as_it_is(void **state)
{
    (void)state;
    char place[12] = "xxxxxxxxxxx";
    text_builder_begin(&s, place, 8);
    text_builder_add(&s, "0123456");
    assert_string_equal(place, "0123456");
    assert_false(s.full);
    assert_int_equal(text_builder_room(&s), 0);
    text_builder_add(&s, "");
    assert_false(s.full);
    text_builder_add(&s, "7");
    assert_string_equal(place, "0123...");
    assert_true(s.full);
    text_builder_add(&s, "more");
    text_builder_addf(&s, "%d", 7);
    text_builder_quote(&s, "more", 4, 8);
    text_builder_quote_end(&s, "more", 4, 8);
    assert_string_equal(place, "0123...");
    assert_string_equal(place + 8, "xxx");
    text_builder_begin(&s, place, 8);
    text_builder_add(&s, "012\xc3\xa9 too long");
    text_builder_add(&s, "!"); /* there would be room: the cut went back to a character's edge */
    assert_string_equal(place, "012...");
}

static void shortening(void **state)
{
    (void)state;
    text_builder_add(&s, "0123456789");
    text_builder_shorten(&s, 10);
    assert_string_equal(text, "0123456789");
    text_builder_shorten(&s, 9);
    assert_string_equal(text, "012345...");
    text_builder_add(&s, "!");
    assert_string_equal(text, "012345...!");
    struct text_builder again;
    text_builder_resume(&again, text, sizeof(text));
    text_builder_add(&again, "?");
    assert_string_equal(text, "012345...!?");
    (void)begin(NULL);
    text_builder_add(&s, "0123\xf0\x9f\x98\x80"
                         "89");
    text_builder_shorten(&s, 9);
    assert_string_equal(text, "0123...");
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Bytes that are likely to hurt, in every size of place and quote. */
static void whatever_goes_in_comes_out_clean(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\xf0\x9f\x98\x80", "\xc3\xa9", "\xe2\x80\xae", "\xff", "\xc3", "\x1b[", "a", " ", "\n",
        "\xe2\x82",         "\xf4\x90", "\xed\xa0"};
    uint32_t seed = 1;
    for (int round = 0; round < 100000; round++) {
        char bytes[64];
        char place[80];
        size_t len = 0;
        while (len < 56) {
            const char *part = parts[next_random(&seed) % (sizeof(parts) / sizeof(parts[0]))];
            while (*part != '\0')
                bytes[len++] = *part++;
        }
        len -= next_random(&seed) % 8;
        size_t size = 8 + next_random(&seed) % (sizeof(place) - 8);
        size_t max = 8 + next_random(&seed) % 40;
        memset(place, 'x', sizeof(place));
        text_builder_begin(&s, place, size);
        text_builder_add(&s, "\"");
        if (round & 1)
            text_builder_quote(&s, bytes, len, max);
        else
            text_builder_quote_end(&s, bytes, len, max);
        assert_true(s.len <= 1 + max);
        text_builder_add(&s, "\"");
        if (round & 2)
            text_builder_shorten(&s, 8 + next_random(&seed) % 40);
        assert_clean_text(place, size);
        assert_int_equal(s.len, strlen(place));
        assert_true(place[size] == 'x');
    }
}

static void quote_all(void (*quoting)(struct text_builder *, const char *, size_t, size_t), char *into,
                      size_t size, const char *bytes, size_t len)
{
    struct text_builder b;
    text_builder_begin(&b, into, size);
    quoting(&b, bytes, len, size);
}

/* One quotation is the whole text: blanks at its ends go, whatever they are made of. */
static void a_whole_text_is_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *words, *clean, *end;
    } cases[] = {
        {"plain", "plain", "plain"},
        {" \t a\r\n\x1b[31mb \n", "a [31mb", "a [31mb"},
        {"a\xe2\x80\xae"
         "b\xc2\x85"
         "c\xef\xbb\xbf",
         "a b c", "a b c"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"0123456789abcdef", "0123456789ab...", "...456789abcdef"},
        {"0123456789a\xf0\x9f\x98\x80x", "0123456789a...", "...456789a\xf0\x9f\x98\x80x"},
        {"\xf0\x9f\x98\x80 0123456789abc", "\xf0\x9f\x98\x80 0123456...", "...123456789abc"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char into[16];
        quote_all(text_builder_quote, into, sizeof(into), cases[i].words, strlen(cases[i].words));
        assert_string_equal(into, cases[i].clean);
        quote_all(text_builder_quote_end, into, sizeof(into), cases[i].words, strlen(cases[i].words));
        assert_string_equal(into, cases[i].end);
    }
}

/* Whatever bytes, whatever room: it fits, ends, and is UTF-8. */
static void a_quotation_fits_its_buffer(void **state)
{
    (void)state;
    static const char bytes[] = "a\xf0\x9f\x98\x80\xc3\xa9 \xff\xe2\x82\xac\n\xe2\x80\xa8z\xf0\x9f";
    for (size_t size = 8; size < 32; size++) {
        for (size_t len = 0; len < sizeof(bytes); len++) {
            char into[32];
            quote_all(text_builder_quote, into, size, bytes, len);
            assert_clean_text(into, size);
            quote_all(text_builder_quote_end, into, size, bytes, len);
            assert_clean_text(into, size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_text_is_quoted),
        cmocka_unit_test(a_quotation_fits_its_buffer),
        cmocka_unit_test_setup(parts_come_together, begin),
        cmocka_unit_test_setup(controls_become_one_blank, begin),
        cmocka_unit_test_setup(neighbours_of_what_is_forbidden_pass, begin),
        cmocka_unit_test_setup(broken_utf8_is_replaced, begin),
        cmocka_unit_test_setup(quotes_end_at_their_limit, begin),
        cmocka_unit_test_setup(a_cut_quote_is_not_the_end, begin),
        cmocka_unit_test_setup(the_end_of_a_log_is_kept, begin),
        cmocka_unit_test_setup(durations, begin),
        cmocka_unit_test_setup(a_full_text_builder_stays_as_it_is, begin),
        cmocka_unit_test_setup(shortening, begin),
        cmocka_unit_test_setup(whatever_goes_in_comes_out_clean, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
