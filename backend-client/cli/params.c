/* Parameters. Reading standard input may take as long as the one who writes there takes: it happens before
 * anything is connected, and Ctrl-C ends it as it ends any program that reads.
 *
 * Failure modes: text that is not JSON is refused here with its position, before any connection; text above
 * the frame limit is refused while it is read.
 */
#include "backend-client/cli/params.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend-client/cli/json_text.h"
#include "wire/sanitize.h"
#include "wire/scan.h"
#include "wire/writer.h"

#define READ_BYTES  65536
#define KEY_BYTES   1024 /* a longer one is no tool's */
#define NAME_BYTES  80   /* of a key or a file name, as far as a message shows it */
#define WRITE_PAIRS "write KEY=VALUE for a string, KEY:=JSON for anything else"

/* ---- the method ---- */

static bool is_utf8(const char *text, size_t len)
{
    for (size_t at = 0, used; at < len; at += used)
        if (sanitize_decode(text + at, len - at, &used) == 0xfffd && used == 1)
            return false;
    return true;
}

/* The library sends these methods itself and refuses them without a reason. */
int params_check_method(const char *method, char *problem, size_t problem_size)
{
    const char *why = NULL;
    if (method[0] == '\0')
        why = "the method is empty: write its name, such as tools/list";
    else if (strcmp(method, "initialize") == 0)
        why =
            "initialize is sent by agent-relayctl itself, first on each connection; agent-relayctl status says whether it was answered";
    else if (strncmp(method, "notifications/", strlen("notifications/")) == 0)
        why = "a notification gets no answer, and call waits for one: write a request's method";
    else if (!is_utf8(method, strlen(method)))
        why = "the method's name is not UTF-8";
    if (why)
        (void)snprintf(problem, problem_size, "%s", why);
    return why ? ERR_SYNTAX : 0;
}

/* ---- one JSON text ---- */

static ssize_t read_some(int fd, char *room, size_t size)
{
    ssize_t n;
    do
        n = read(fd, room, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* ERR_TOO_LARGE: there is more than the buffer may hold. */
static int read_all(int fd, struct buf *ret_text)
{
    for (;;) {
        char beyond;
        char *room = &beyond;
        size_t size = ret_text->max - buf_len(ret_text);
        bool full = size == 0;
        size = full ? 1 : size < READ_BYTES ? size : READ_BYTES;
        int rc = full ? 0 : buf_reserve(ret_text, size, &room);
        ssize_t n = rc == 0 ? read_some(fd, room, size) : rc;
        if (n <= 0)
            return (int)n;
        if (full)
            return ERR_TOO_LARGE;
        buf_commit(ret_text, (size_t)n);
    }
}

static int read_file(const char *path, struct buf *ret_text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = read_all(fd, ret_text);
    close(fd);
    return rc;
}

/* The first byte that is no white space; 0: there is none. */
static char first_of(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n", text[i]))
            return text[i];
    return '\0';
}

static int take_text(struct buf *out, const char *from, const char *text, size_t len, bool object_only,
                     char *problem, size_t size)
{
    char why[320];
    int rc = json_text_check(text, len, why, sizeof(why));
    if (rc != 0) {
        (void)snprintf(problem, size, "%s: %s", from, why);
        return rc;
    }
    char first = first_of(text, len);
    if (first != '{' && (object_only || first != '[')) {
        (void)snprintf(problem, size, "%s: %s is needed, such as {\"key\":\"value\"}", from,
                       object_only ? "a JSON object" : "a JSON object or array");
        return ERR_SYNTAX;
    }
    rc = json_text_print(out, text, len, JSON_COMPACT, false);
    if (rc != 0)
        (void)snprintf(problem, size, "%s: %s", from, err_text(rc));
    return rc;
}

int params_read(struct buf *out, const char *operand, bool object_only, int stdin_fd, char *problem,
                size_t problem_size)
{
    if (strcmp(operand, "-") != 0 && operand[0] != '@')
        return take_text(out, "the JSON", operand, strlen(operand), object_only, problem, problem_size);
    char name[NAME_BYTES] = "standard input";
    struct buf text;
    buf_init(&text, PARAMS_MAX_BYTES);
    if (strcmp(operand, "@") == 0) {
        (void)snprintf(problem, problem_size, "@ is to be followed by a file's name: write @FILE");
        return ERR_SYNTAX;
    }
    if (operand[0] == '@')
        sanitize_copy(name, sizeof(name), operand + 1, strlen(operand + 1), SANITIZE_ESCAPE);
    int rc = operand[0] == '@' ? read_file(operand + 1, &text) : read_all(stdin_fd, &text);
    if (rc == ERR_TOO_LARGE)
        (void)snprintf(problem, problem_size, "%s: more than %zu bytes, which no relay takes in one message",
                       name, PARAMS_MAX_BYTES);
    else if (rc != 0)
        (void)snprintf(problem, problem_size, "%s: %s", name, err_text(rc));
    else
        rc = take_text(out, name, buf_len(&text) > 0 ? buf_data(&text) : "", buf_len(&text), object_only,
                       problem, problem_size);
    buf_done(&text);
    return rc;
}

/* ---- pairs ---- */

bool params_are_pairs(char *const *operands, size_t count)
{
    if (count == 0)
        return false;
    const char *first = operands[0];
    return count > 1 || (strcmp(first, "-") != 0 && first[0] != '@' && first[0] != '{' && first[0] != '[' &&
                         first[0] != '"' && strchr(first, '='));
}

struct pair {
    const char *key;
    size_t key_len;
    const char *value;
    bool raw;
};

static bool split(const char *text, struct pair *ret)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return false;
    bool raw = equals[-1] == ':';
    *ret =
        (struct pair){.key = text, .key_len = (size_t)(equals - text) - raw, .value = equals + 1, .raw = raw};
    return ret->key_len > 0;
}

static bool stands_before(char *const *pairs, size_t index, const struct pair *p)
{
    for (size_t i = 0; i < index; i++) {
        struct pair other;
        if (split(pairs[i], &other) && other.key_len == p->key_len &&
            memcmp(other.key, p->key, p->key_len) == 0)
            return true;
    }
    return false;
}

static int write_text(struct buf *out, const char *text, size_t len)
{
    struct writer w;
    writer_init(&w, out);
    write_string(&w, text, len);
    return writer_end(&w);
}

static int write_pair(struct buf *out, const struct pair *p, bool first)
{
    int rc = buf_append(out, ",", first ? 0 : 1);
    if (rc == 0)
        rc = write_text(out, p->key, p->key_len);
    if (rc == 0)
        rc = buf_append(out, ":", 1);
    if (rc != 0)
        return rc;
    size_t len = strlen(p->value);
    return p->raw ? json_text_print(out, p->value, len, JSON_COMPACT, false) : write_text(out, p->value, len);
}

static int check_pair(char *const *pairs, size_t index, struct pair *ret, char *problem, size_t size)
{
    char shown[NAME_BYTES];
    char why[320];
    sanitize_copy(shown, sizeof(shown), pairs[index], strlen(pairs[index]), SANITIZE_ESCAPE);
    if (!split(pairs[index], ret)) {
        (void)snprintf(problem, size, "'%s' is no pair: " WRITE_PAIRS, shown);
        return ERR_SYNTAX;
    }
    sanitize_copy(shown, sizeof(shown), ret->key, ret->key_len, SANITIZE_ESCAPE);
    if (!is_utf8(pairs[index], strlen(pairs[index]))) {
        (void)snprintf(problem, size, "%s: not UTF-8", shown);
        return ERR_SYNTAX;
    }
    if (stands_before(pairs, index, ret)) {
        (void)snprintf(problem, size, "'%s' occurs twice: write it once", shown);
        return ERR_SYNTAX;
    }
    if (ret->raw && json_text_check(ret->value, strlen(ret->value), why, sizeof(why)) != 0) {
        (void)snprintf(problem, size, "%s: %s; for a string write %s=VALUE", shown, why, shown);
        return ERR_SYNTAX;
    }
    return 0;
}

/* Sets `raw` where the value is JSON all the same. */
static int take_type(struct pair *p, params_type_cb *type, void *data, char *problem, size_t size)
{
    char key[KEY_BYTES];
    if (!type)
        return 0;
    (void)snprintf(key, sizeof(key), "%.*s", (int)p->key_len, p->key);
    int rc = type(key, p->raw ? NULL : p->value, data, problem, size);
    if (rc < 0)
        return rc;
    p->raw = p->raw || rc == PARAMS_JSON;
    return 0;
}

int params_from_pairs(struct buf *out, char *const *pairs, size_t count, params_type_cb *type, void *data,
                      char *problem, size_t problem_size)
{
    int rc = buf_append(out, "{", 1);
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct pair p;
        rc = check_pair(pairs, i, &p, problem, problem_size);
        if (rc == 0)
            rc = take_type(&p, type, data, problem, problem_size);
        if (rc == ERR_SYNTAX)
            return rc;
        rc = write_pair(out, &p, i == 0);
    }
    if (rc == 0)
        rc = buf_append(out, "}", 1);
    if (rc != 0)
        (void)snprintf(problem, problem_size, "the arguments: %s", err_text(rc));
    return rc;
}
