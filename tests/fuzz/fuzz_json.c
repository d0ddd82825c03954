/* The JSON tree against the strict scanner and against itself.
 *
 * Input: one byte of flags, then the text. Strict mode must take exactly what the scanner takes. Whatever was
 * taken, in strict or relaxed mode, is walked whole: every node is of a type, its raw bytes are strict JSON
 * by themselves and parse to a node of that type again, children add up to their parent's count, and a string
 * that is written again is strict. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/unit/common/strict_json.h"
#include "wire/json.h"
#include "wire/rpc.h"
#include "wire/writer.h"

#define MAX_TOKENS 100000
#define MAX_NODES  2000 /* looked at closely in one input: each costs a scan of its bytes */

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf out;
static size_t looked_at;

static void check_string(struct json_doc *doc, json_node node)
{
    size_t len = 0;
    struct writer w;
    const char *text = json_string(doc, node, &len);
    if (!text)
        return;
    CHECK(strlen(text) == len && text == json_string(doc, node, NULL));
    buf_clear(&out);
    writer_init(&w, &out);
    write_string(&w, text, len);
    CHECK(writer_end(&w) == 0);
    CHECK(is_strict_json(buf_data(&out), buf_len(&out)));
}

static void check_number(const struct json_doc *doc, json_node node)
{
    int64_t whole;
    double real;
    if (json_int(doc, node, INT64_MIN, INT64_MAX, &whole) && json_double(doc, node, &real))
        CHECK(real == (double)whole);
}

static void check_raw(const struct json_doc *doc, json_node node)
{
    size_t len = 0;
    struct json_doc *again = NULL;
    const char *raw = json_raw(doc, node, &len);
    CHECK(raw && len > 0);
    if (looked_at++ > MAX_NODES)
        return;
    CHECK(is_strict_json(raw, len));
    CHECK(json_parse(raw, len, JSON_STRICT, MAX_TOKENS, &again, NULL) == 0);
    CHECK(json_type(again, json_root(again)) == json_type(doc, node));
    CHECK(json_count(again, json_root(again)) == json_count(doc, node));
    json_free(again);
}

static void walk(struct json_doc *doc, json_node node)
{
    enum json_type type = json_type(doc, node);
    size_t count = 0;
    CHECK(type != JSON_NONE && json_line(doc, node) >= 1);
    check_raw(doc, node);
    check_string(doc, node);
    check_number(doc, node);
    for (json_node child = json_first(doc, node); child != JSON_ABSENT; child = json_next(doc, child)) {
        count++;
        if (type == JSON_OBJECT) {
            CHECK(json_type(doc, child) == JSON_STRING);
            check_string(doc, child);
            walk(doc, json_value(doc, child));
        } else {
            CHECK(type == JSON_ARRAY);
            walk(doc, child);
        }
    }
    CHECK(count == json_count(doc, node));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned flags = data[0] & JSON_RELAXED;
    const char *text = (const char *)data + 1;
    struct json_doc *doc = NULL;
    unsigned line = 0;
    buf_init(&out, 8 * size + 16);
    int rc = json_parse(text, size - 1, flags, MAX_TOKENS, &doc, &line);
    if (flags == JSON_STRICT)
        CHECK((rc == 0 || rc == ERR_TOO_LARGE) == is_strict_json(text, size - 1));
    if (rc == 0) {
        looked_at = 0;
        walk(doc, json_root(doc));
    } else {
        CHECK(!doc && (rc == ERR_TOO_LARGE || line >= 1));
    }
    json_free(doc);
    buf_done(&out);
    return 0;
}
