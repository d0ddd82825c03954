/* wire/scan through rpc_check_json and by itself: the grammar, UTF-8 (every sequence), depth, where the fault
 * is, and that cuts change nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/common/strict_json.h"
#include "wire/rpc.h"
#include "wire/scan.h"
#include "wire/text.h"

struct verdict {
    const char *text;
    enum rpc_fault fault;
    size_t at;
};

static const struct verdict verdicts[] = {
    {"0", RPC_OK, 0},
    {"-0", RPC_OK, 0},
    {" 12.50e+03 ", RPC_OK, 0},
    {"1E-7", RPC_OK, 0},
    {"true", RPC_OK, 0},
    {"\t[ false , null ]\r\n", RPC_OK, 0},
    {"{\n\"a\" :\n{ } , \"\" : [ ] }", RPC_OK, 0},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00aF\"", RPC_OK, 0},
    {"\"\\ud800 \\udc00 \\u0000 \x7f\"", RPC_OK, 0},
    {"{\"a\":1,\"a\":2}", RPC_OK, 0},

    {"", RPC_TRUNCATED, 0},
    {"  ", RPC_TRUNCATED, 2},
    {"-", RPC_TRUNCATED, 1},
    {"1.", RPC_TRUNCATED, 2},
    {"1e", RPC_TRUNCATED, 2},
    {"1e+", RPC_TRUNCATED, 3},
    {"tru", RPC_TRUNCATED, 3},
    {"\"abc", RPC_TRUNCATED, 4},
    {"\"\\", RPC_TRUNCATED, 2},
    {"\"\\u12", RPC_TRUNCATED, 5},
    {"\"\xe6\xbc", RPC_TRUNCATED, 3},
    {"[", RPC_TRUNCATED, 1},
    {"[1,", RPC_TRUNCATED, 3},
    {"{\"a\"", RPC_TRUNCATED, 4},
    {"{\"a\":", RPC_TRUNCATED, 5},
    {"{\"a\":1", RPC_TRUNCATED, 6},

    {"01", RPC_BAD_JSON, 1},
    {"-x", RPC_BAD_JSON, 1},
    {"-01", RPC_BAD_JSON, 2},
    {"+1", RPC_BAD_JSON, 0},
    {".5", RPC_BAD_JSON, 0},
    {"1.e5", RPC_BAD_JSON, 2},
    {"1.5.", RPC_BAD_JSON, 3},
    {"1e5e", RPC_BAD_JSON, 3},
    {"1e+-5", RPC_BAD_JSON, 3},
    {"0x10", RPC_BAD_JSON, 1},
    {"12a", RPC_BAD_JSON, 2},
    {"NaN", RPC_BAD_JSON, 0},
    {"nul1", RPC_BAD_JSON, 3},
    {"truee", RPC_BAD_JSON, 4},
    {"True", RPC_BAD_JSON, 0},
    {"'a'", RPC_BAD_JSON, 0},
    {"[1 2]", RPC_BAD_JSON, 3},
    {"[1,]", RPC_BAD_JSON, 3},
    {"[,1]", RPC_BAD_JSON, 1},
    {"[1}", RPC_BAD_JSON, 2},
    {"{1:2}", RPC_BAD_JSON, 1},
    {"{,}", RPC_BAD_JSON, 1},
    {"{\"a\"}", RPC_BAD_JSON, 4},
    {"{\"a\":}", RPC_BAD_JSON, 5},
    {"{\"a\"::1}", RPC_BAD_JSON, 5},
    {"{\"a\":1,}", RPC_BAD_JSON, 7},
    {"{\"a\":1]", RPC_BAD_JSON, 6},
    {"{\"a\" 1}", RPC_BAD_JSON, 5},
    {"{} {}", RPC_BAD_JSON, 3},
    {"1 1", RPC_BAD_JSON, 2},
    {"]", RPC_BAD_JSON, 0},
    {"/**/1", RPC_BAD_JSON, 0},
    {"\xef\xbb\xbf{}", RPC_BAD_JSON, 0},
    {"[\xc3\xa9]", RPC_BAD_JSON, 1},
    {"[\v]", RPC_BAD_JSON, 1},
    {"\"\\x\"", RPC_BAD_JSON, 2},
    {"\"\\u12g4\"", RPC_BAD_JSON, 5},
    {"\"\\u\"", RPC_BAD_JSON, 3},
    {"\"a\tb\"", RPC_BAD_JSON, 2},
    {"\"a\nb\"", RPC_BAD_JSON, 2},
    {"\"\x1f\"", RPC_BAD_JSON, 1},
    {"\"\x80\"", RPC_BAD_UTF8, 1},
    {"\"\xc3\"", RPC_BAD_UTF8, 2},
    {"\"\xe6\xbcx\"", RPC_BAD_UTF8, 3},
    /* the first fault is the one that counts */
    {"\"\xff \\x\"", RPC_BAD_UTF8, 1},
    {"\"\\x \xff\"", RPC_BAD_JSON, 2},
    {"\"\xff", RPC_BAD_UTF8, 1},
};

static void gives_the_verdict_and_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        const struct verdict *v = &verdicts[i];
        size_t at = 0;
        enum rpc_fault fault = rpc_check_json(v->text, strlen(v->text), &at);
        if (fault != v->fault || at != v->at)
            fail_msg("%s: %s at %zu, not %s at %zu", v->text, rpc_fault_text(fault), at,
                     rpc_fault_text(v->fault), v->at);
        assert_int_equal(is_strict_json(v->text, strlen(v->text)), v->fault == RPC_OK);
    }
}

static void refuses_nul_wherever_it_stands(void **state)
{
    (void)state;
    const char text[] = "{\"a\":[1,\"b\\n\xc3\xa9\",true]}";
    char bytes[sizeof(text)];
    for (size_t at = 0; at <= sizeof(text) - 1; at++) {
        memcpy(bytes, text, at);
        bytes[at] = '\0';
        memcpy(bytes + at + 1, text + at, sizeof(text) - 1 - at);
        size_t fault_at = SIZE_MAX;
        enum rpc_fault fault = rpc_check_json(bytes, sizeof(text), &fault_at);
        assert_int_equal(fault, bytes[at - (at > 0)] == '\xc3' ? RPC_BAD_UTF8 : RPC_BAD_JSON);
        assert_int_equal(fault_at, at);
    }
}

/* One LF more than a frame may have, but not than a file. */
static void line_feeds_are_white_space_in_files_only(void **state)
{
    (void)state;
    const char text[] = "{\"jsonrpc\":\"2.0\",\n\"method\":\"m\"}";
    struct rpc_envelope env;
    assert_true(is_strict_json(text, sizeof(text) - 1));
    rpc_scan_line(text, sizeof(text) - 1, &env);
    assert_int_equal(env.fault, RPC_BAD_JSON);
    assert_int_equal(env.fault_at, 17);
}

/* ---- UTF-8 ---- */

/* Decodes and looks at the number, where the scanner has tables of ranges. */
static bool is_utf8_char(const unsigned char *p, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code = len == 2 ? p[0] & 0x1f : len == 3 ? p[0] & 0x0f : p[0] & 0x07;
    unsigned lead = len == 2 ? 0xc0 : len == 3 ? 0xe0 : 0xf0;
    unsigned lead_mask = len == 2 ? 0xe0 : len == 3 ? 0xf0 : 0xf8;
    if ((p[0] & lead_mask) != lead)
        return false;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return false;
        code = code << 6 | (p[i] & 0x3f);
    }
    return code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* A string of these bytes is one of whole characters, none of which ends it or may not stand in it. */
static bool is_utf8_text(const unsigned char *p, size_t len)
{
    if (len == 0)
        return true;
    if (*p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        return is_utf8_text(p + 1, len - 1);
    for (size_t n = 2; n <= 4 && n <= len; n++)
        if (is_utf8_char(p, n))
            return is_utf8_text(p + n, len - n);
    return false;
}

/* Padded: the scanner judges a whole sequence where four bytes can be read, and byte by byte near the end. */
static void check_sequence(const unsigned char *sequence, size_t len)
{
    char text[16];
    memset(text, ' ', sizeof(text));
    text[0] = '"';
    memcpy(text + 1, sequence, len);
    text[1 + len] = '"';
    bool valid = is_utf8_text(sequence, len);
    for (size_t padding = 0; padding <= 4; padding += 4) {
        enum rpc_fault fault = rpc_check_json(text, len + 2 + padding, NULL);
        if ((fault == RPC_OK) != valid)
            fail_msg("%02x %02x %02x %02x: %s", sequence[0], sequence[1], sequence[2], sequence[3],
                     rpc_fault_text(fault));
    }
}

static void knows_every_utf8_sequence(void **state)
{
    (void)state;
    static const unsigned char ends[] = {0x00, 0x22, 0x7f, 0x80, 0x8f, 0xa5, 0xbf, 0xc0, 0xff};
    unsigned char s[4] = {0};
    size_t looked_at = 0;
    for (unsigned first = 0x80; first <= 0xff; first++) {
        for (unsigned second = 0; second <= 0xff; second++) {
            s[0] = (unsigned char)first;
            s[1] = (unsigned char)second;
            if (second != '\\')
                check_sequence(s, 2);
            for (size_t i = 0; second >= 0x80 && i < sizeof(ends); i++) {
                s[2] = ends[i];
                check_sequence(s, 3);
                for (size_t j = 0; j < sizeof(ends); j++) {
                    s[3] = ends[j];
                    check_sequence(s, 4);
                    looked_at++;
                }
            }
        }
    }
    assert_true(looked_at > 1000000);
}

/* ---- depth ---- */

/* Levels of arrays and objects in turn. Returns the text's length. */
static size_t nest(char *text, size_t levels, unsigned pattern)
{
    size_t len = 0;
    for (size_t i = 0; i < levels; i++) {
        bool object = pattern >> (i % 8) & 1;
        memcpy(text + len, object ? "{\"a\":" : "[", object ? 5 : 1);
        len += object ? 5 : 1;
    }
    text[len++] = '1';
    for (size_t i = levels; i-- > 0;)
        text[len++] = pattern >> (i % 8) & 1 ? '}' : ']';
    return len;
}

static void limits_the_depth(void **state)
{
    (void)state;
    static char text[6 * 300];
    for (unsigned pattern = 0; pattern < 256; pattern++) {
        for (size_t levels = SCAN_MAX_DEPTH - 1; levels <= SCAN_MAX_DEPTH + 1; levels++) {
            size_t len = nest(text, levels, pattern);
            enum rpc_fault expected = levels <= SCAN_MAX_DEPTH ? RPC_OK : RPC_TOO_DEEP;
            assert_int_equal(rpc_check_json(text, len, NULL), expected);
            /* the wrong bracket at the innermost level */
            char *closing = memchr(text, '1', len);
            closing[1] = closing[1] == '}' ? ']' : '}';
            assert_int_equal(rpc_check_json(text, len, NULL),
                             levels <= SCAN_MAX_DEPTH ? RPC_BAD_JSON : RPC_TOO_DEEP);
        }
    }
}

static void says_where_it_got_too_deep(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, '[', sizeof(text));
    size_t at = 0;
    assert_int_equal(rpc_check_json(text, sizeof(text), &at), RPC_TOO_DEEP);
    assert_int_equal(at, SCAN_MAX_DEPTH);
}

/* ---- cuts ---- */

/* Everything that a scan reports: its events with keys and spans, its fault. */
struct record {
    size_t count;
    size_t numbers[400];
    char keys[400];
    size_t key_bytes;
    enum scan_fault fault;
    size_t fault_at;
};

static void note(struct record *rec, size_t number)
{
    assert_true(rec->count < 400);
    rec->numbers[rec->count++] = number;
}

static void feed(struct scan *s, const char *bytes, size_t len, struct record *rec)
{
    enum scan_event event;
    while ((event = scan_next(s, &bytes, &len)) != SCAN_MORE) {
        struct scan_member *m = scan_member(s);
        note(rec, event);
        note(rec, scan_level(s));
        if (event == SCAN_KEY) {
            size_t kept = s->text_len <= SCAN_TEXT_BYTES ? s->text_len : 0;
            assert_true(rec->key_bytes + kept < sizeof(rec->keys));
            memcpy(rec->keys + rec->key_bytes, s->text, kept);
            rec->key_bytes += kept;
            note(rec, s->text_len);
            scan_want(s, 1, scan_level(s) < 3 ? SCAN_INSIDE : SCAN_TEXT);
        } else {
            note(rec, m->at);
            note(rec, m->end);
            note(rec, m->integer);
            note(rec, (unsigned char)m->first);
            note(rec, m->how == SCAN_TEXT && m->first == '"' ? s->text_len : 0);
        }
    }
    assert_int_equal(len, 0);
}

static void end(struct scan *s, struct record *rec)
{
    rec->fault = scan_end(s);
    rec->fault_at = s->fault_at;
}

static void scan_cut(const char *text, size_t len, size_t cut, size_t second_cut, struct record *rec)
{
    struct scan s;
    memset(rec, 0, sizeof(*rec));
    scan_init(&s, true, false);
    feed(&s, text, cut, rec);
    feed(&s, text + cut, second_cut - cut, rec);
    feed(&s, text + second_cut, len - second_cut, rec);
    end(&s, rec);
}

static void scan_bytewise(const char *text, size_t len, struct record *rec)
{
    struct scan s;
    memset(rec, 0, sizeof(*rec));
    scan_init(&s, true, false);
    for (size_t i = 0; i < len; i++) {
        char byte = text[i];
        feed(&s, &byte, 1, rec);
    }
    end(&s, rec);
}

static const char *const cut_texts[] = {
    "{\"a\":1,\"b\\u0062\":{\"c\":-0.5e+10,\"d\":{\"e\":\"\\ud83d\\ude00\",\"f\":[1,{\"g\":2}]}},\"h\":null}",
    " { \"x\" : true , \"y\" : [ false , 10 ] , \"z\" : { } } \r",
    "{\"h\xc3\xa9\":\"\xe6\xbc\xa2\xf0\x9f\x98\x80\xc3\xa9 plain plain plain plain \\n plain\",\"n\":0}",
    "{\"a key that is longer than anything anybody would ask for\":{\"b\":{\"c\":\"long long long\"}}}",
    "{\"b\":{\"b\":{\"c\":\"long long long long long long long long long\"}}}",
    "{\"a\":\"\xed\xa0\x80\",\"b\":\"\xf0\x9f\x98\",\"c\":\"\xc0\x80\",\"d\":\"\\q\\u00x\",\"e\":\"\x01\"}",
    "{\"a\":12x,\"b\":1}",
    "{\"a\":nulx}",
    "{\"a\":{\"b\":[[[1,]]]}}",
    "[{\"a\":1},-1.5E-3]",
    "\"\\u00e9\xe2\x82\xac\"",
    "-12.25e-7",
    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":\"a\"}}}}",
};

static void cuts_change_nothing(void **state)
{
    (void)state;
    static struct record whole;
    static struct record cut;
    for (size_t i = 0; i < sizeof(cut_texts) / sizeof(cut_texts[0]); i++) {
        size_t len = strlen(cut_texts[i]);
        scan_cut(cut_texts[i], len, len, len, &whole);
        scan_bytewise(cut_texts[i], len, &cut);
        assert_memory_equal(&whole, &cut, sizeof(whole));
        for (size_t first = 0; first <= len; first++) {
            for (size_t second = first; second <= len; second++) {
                scan_cut(cut_texts[i], len, first, second, &cut);
                assert_memory_equal(&whole, &cut, sizeof(whole));
            }
        }
    }
}

static void goes_on_through_what_is_too_deep(void **state)
{
    (void)state;
    static char text[1200];
    static struct record whole;
    static struct record cut;
    char *p = stpcpy(text, "{\"a\":");
    memset(p, '[', 150);
    p = stpcpy(p + 150, "{\"]\\\"}\":1}");
    memset(p, ']', 150);
    p = stpcpy(p + 150, ",\"b\":7}");
    size_t len = (size_t)(p - text);
    scan_cut(text, len, len, len, &whole);
    assert_int_equal(whole.fault, SCAN_TOO_DEEP);
    assert_int_equal(whole.fault_at, 5 + SCAN_MAX_DEPTH - 1);
    assert_memory_equal(whole.keys, "ab", 2);
    assert_int_equal(whole.numbers[whole.count - 5], len - 2); /* where 7 stands */
    scan_bytewise(text, len, &cut);
    assert_memory_equal(&whole, &cut, sizeof(whole));
}

/* ---- plain runs ---- */

static void plain_runs_end_where_they_should(void **state)
{
    (void)state;
    char bytes[64];
    for (unsigned c = 0; c <= 0xff; c++) {
        for (size_t at = 0; at < sizeof(bytes); at++) {
            memset(bytes, 0x20, sizeof(bytes));
            bytes[at] = (char)c;
            bytes[sizeof(bytes) - 1 - at / 2] = '~';
            const char *expected = bytes;
            while (expected < bytes + sizeof(bytes) && text_is_plain(*expected))
                expected++;
            for (size_t from = 0; from <= at && from < 20; from++) {
                const char *p = expected >= bytes + from ? expected : bytes + from;
                assert_ptr_equal(text_plain_end(bytes + from, bytes + sizeof(bytes)), p);
                assert_ptr_equal(text_plain_end_portable(bytes + from, bytes + sizeof(bytes)), p);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_verdict_and_its_place),
        cmocka_unit_test(refuses_nul_wherever_it_stands),
        cmocka_unit_test(line_feeds_are_white_space_in_files_only),
        cmocka_unit_test(knows_every_utf8_sequence),
        cmocka_unit_test(limits_the_depth),
        cmocka_unit_test(says_where_it_got_too_deep),
        cmocka_unit_test(cuts_change_nothing),
        cmocka_unit_test(goes_on_through_what_is_too_deep),
        cmocka_unit_test(plain_runs_end_where_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
