/* The public JSONTestSuite: y_ must be accepted, n_ refused, i_ either; bare, and as a member of params in a
 * frame. The files are looked for in $JSON_SUITE, else in ../shared/json-suite; where they are not, the tests
 * are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/common/strict_json.h"
#include "wire/rpc.h"

#define MAX_FILES      400
#define MAX_FILE_BYTES ((size_t)1 << 20)

struct file {
    char name[128];
    char *bytes;
    size_t len;
};

static struct file files[MAX_FILES];
static size_t file_count;

static const char *suite_folder(void)
{
    const char *folder = getenv("JSON_SUITE");
    return folder ? folder : "../shared/json-suite";
}

static bool read_file(const char *folder, const char *name, struct file *ret_file)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    if (!in)
        return false;
    char *bytes = malloc(MAX_FILE_BYTES);
    size_t len = bytes ? fread(bytes, 1, MAX_FILE_BYTES, in) : 0;
    bool whole = bytes && feof(in) && !ferror(in);
    fclose(in);
    if (!whole) {
        free(bytes);
        return false;
    }
    *ret_file = (struct file){.bytes = bytes, .len = len};
    (void)snprintf(ret_file->name, sizeof(ret_file->name), "%s", name);
    return true;
}

static int load_suite(void **state)
{
    (void)state;
    const char *folder = suite_folder();
    DIR *dir = opendir(folder);
    if (!dir) {
        printf("# skip: %s is not there; JSON_SUITE names the folder of the suite's files\n", folder);
        return 0;
    }
    for (struct dirent *e = readdir(dir); e && file_count < MAX_FILES; e = readdir(dir)) {
        if (!strstr(e->d_name, ".json") || e->d_name[1] != '_')
            continue;
        if (!read_file(folder, e->d_name, &files[file_count])) {
            closedir(dir);
            return -1;
        }
        file_count++;
    }
    closedir(dir);
    return 0;
}

static int free_suite(void **state)
{
    (void)state;
    while (file_count > 0)
        free(files[--file_count].bytes);
    return 0;
}

static void skip_if_missing(void)
{
    if (file_count == 0)
        skip();
}

static void saw_the_whole_suite(void **state)
{
    (void)state;
    skip_if_missing();
    size_t count[3] = {0};
    for (size_t i = 0; i < file_count; i++)
        count[files[i].name[0] == 'y' ? 0 : files[i].name[0] == 'n' ? 1 : 2]++;
    assert_int_equal(count[0], 95);
    assert_int_equal(count[1], 188);
    assert_int_equal(count[2], 35);
}

static void accepts_y_and_refuses_n(void **state)
{
    (void)state;
    skip_if_missing();
    size_t looked_at = 0;
    for (size_t i = 0; i < file_count; i++) {
        const struct file *f = &files[i];
        size_t fault_at = 0;
        enum rpc_fault fault = rpc_check_json(f->bytes, f->len, &fault_at);
        if (f->name[0] != 'i' && (fault == RPC_OK) != (f->name[0] == 'y'))
            fail_msg("%s: %s", f->name, rpc_fault_text(fault));
        assert_int_equal(is_strict_json(f->bytes, f->len), fault == RPC_OK);
        assert_true(fault_at <= f->len);
        looked_at++;
    }
    assert_int_equal(looked_at, 95 + 188 + 35);
}

#define WRAP_BEFORE "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":"
#define WRAP_KEY    "{\"x\":"

/* As a member of params, on one line; params begins at sizeof(WRAP_BEFORE) - 1. */
static size_t wrap(const struct file *f, char *out)
{
    char *p = stpcpy(out, WRAP_BEFORE WRAP_KEY);
    for (size_t i = 0; i < f->len; i++)
        *p++ = f->bytes[i] == '\n' ? ' ' : f->bytes[i];
    p = stpcpy(p, "}}");
    return (size_t)(p - out);
}

static bool has_newline(const struct file *f)
{
    return memchr(f->bytes, '\n', f->len);
}

/* A newline in a string has become a blank: what was refused for it alone is right now. */
static bool is_comparable(const struct file *f)
{
    return f->name[0] != 'n' || !has_newline(f);
}

static void judges_the_same_inside_a_frame(void **state)
{
    (void)state;
    skip_if_missing();
    static char line[MAX_FILE_BYTES + 100];
    size_t looked_at = 0;
    for (size_t i = 0; i < file_count; i++) {
        const struct file *f = &files[i];
        size_t len = wrap(f, line);
        struct rpc_envelope env;
        if (!is_comparable(f))
            continue;
        rpc_scan_line(line, len, &env);
        bool strict = is_strict_json(f->bytes, f->len);
        if ((env.kind == RPC_REQUEST) != strict)
            fail_msg("%s: %s", f->name, rpc_fault_text(env.fault));
        assert_int_equal(env.id.len, 1);
        if (strict) {
            assert_int_equal(env.params.off, sizeof(WRAP_BEFORE) - 1);
            assert_int_equal(env.params.len, len - sizeof(WRAP_BEFORE));
        }
        looked_at++;
    }
    assert_true(looked_at > 300);
}

static void judges_the_same_byte_by_byte(void **state)
{
    (void)state;
    skip_if_missing();
    static char line[MAX_FILE_BYTES + 100];
    for (size_t i = 0; i < file_count; i++) {
        size_t len = wrap(&files[i], line);
        struct rpc_envelope whole;
        struct rpc_envelope bytewise;
        struct rpc_scan s;
        rpc_scan_line(line, len, &whole);
        rpc_scan_init(&s);
        for (size_t at = 0; at < len; at++)
            rpc_scan_feed(&s, line + at, 1);
        rpc_scan_end(&s, &bytewise);
        assert_int_equal(whole.kind, bytewise.kind);
        assert_int_equal(whole.fault, bytewise.fault);
        assert_int_equal(whole.fault_at, bytewise.fault_at);
        assert_memory_equal(&whole.id, &bytewise.id, sizeof(whole) - offsetof(struct rpc_envelope, id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saw_the_whole_suite),
        cmocka_unit_test(accepts_y_and_refuses_n),
        cmocka_unit_test(judges_the_same_inside_a_frame),
        cmocka_unit_test(judges_the_same_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, load_suite, free_suite);
}
