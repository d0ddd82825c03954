/* A small MCP server for tests of chaos: it keeps a journal of the calls that it got, so that a test knows what ran, and
 * how often.
 *
 *   chaos_child JOURNAL [ANY...]     further arguments only make its configuration a different one
 *
 * tools/call by params.name, with a word as argument: "echo" answers at once, "later" after a short wait and in reverse
 * order, "never" not at all, "die" ends the process. Each appends its word to the journal first. A call with a progress
 * token gets one progress notification with the word before its answer.
 *
 * It takes lines apart by searching, since the test writes them and the relay changes nothing but ids and tokens.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATER_MAX      32
#define LATER_MS       5
#define VALUE_MAX      64
#define LINE_MAX_BYTES ((size_t)1 << 20)

struct answer {
    char id[VALUE_MAX]; /* as it came, quotes included */
    char word[VALUE_MAX];
};

static struct answer later[LATER_MAX];
static size_t later_count;
static int journal_fd = -1;

/* The value behind `key`, up to the next comma or closing brace; quotes are kept. */
static bool find_value(const char *line, const char *key, char ret_value[VALUE_MAX])
{
    const char *at = strstr(line, key);
    if (!at)
        return false;
    at += strlen(key);
    size_t len = strcspn(at, ",}");
    if (len >= VALUE_MAX)
        return false;
    memcpy(ret_value, at, len);
    ret_value[len] = '\0';
    return true;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, bytes, len);
        if (wrote <= 0)
            exit(0); /* the relay is gone */
        bytes += wrote;
        len -= (size_t)wrote;
    }
}

static void reply(const struct answer *a)
{
    char line[4 * VALUE_MAX];
    int len = snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"word\":%s}}\n",
                       a->id, a->word);
    write_all(STDOUT_FILENO, line, (size_t)len);
}

static void reply_later(void)
{
    while (later_count > 0)
        reply(&later[--later_count]);
}

static void call_tool(const char *line, const struct answer *a)
{
    char text[4 * VALUE_MAX];
    int len = snprintf(text, sizeof(text), "%s\n", a->word);
    write_all(journal_fd, text, (size_t)len); /* one write: whole, whoever else appends */
    char token[VALUE_MAX];
    if (find_value(line, "\"progressToken\":", token)) {
        len = snprintf(text, sizeof(text),
                       "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
                       "{\"progressToken\":%s,\"progress\":1,\"message\":%s}}\n",
                       token, a->word);
        write_all(STDOUT_FILENO, text, (size_t)len);
    }
    if (strstr(line, "\"name\":\"die\""))
        _exit(3);
    if (strstr(line, "\"name\":\"never\""))
        return;
    if (strstr(line, "\"name\":\"echo\"")) {
        reply(a);
        return;
    }
    if (later_count == LATER_MAX)
        reply_later();
    later[later_count++] = *a;
}

static void take_line(const char *line)
{
    struct answer a;
    if (!find_value(line, "\"id\":", a.id))
        return; /* a notification */
    if (strstr(line, "\"method\":\"initialize\"")) {
        char text[512];
        int len = snprintf(
            text, sizeof(text),
            "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-11-25\","
            "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"chaos\",\"version\":\"1\"}}}\n",
            a.id);
        write_all(STDOUT_FILENO, text, (size_t)len);
        return;
    }
    if (find_value(line, "\"word\":", a.word)) {
        call_tool(line, &a);
        return;
    }
    (void)snprintf(a.word, sizeof(a.word), "null");
    reply(&a);
}

/* Takes the whole lines of [bytes, bytes + len); returns how many bytes they had. */
static size_t take_lines(char *bytes, size_t len)
{
    size_t taken = 0;
    char *newline;
    while ((newline = memchr(bytes + taken, '\n', len - taken))) {
        *newline = '\0';
        take_line(bytes + taken);
        taken = (size_t)(newline - bytes) + 1;
    }
    return taken;
}

int main(int argc, char **argv)
{
    static char bytes[LINE_MAX_BYTES];
    size_t len = 0;
    if (argc < 2)
        return 2;
    journal_fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal_fd < 0)
        return 2;
    for (;;) {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&in, 1, later_count > 0 ? LATER_MS : -1) == 0) {
            reply_later();
            continue;
        }
        ssize_t got = read(STDIN_FILENO, bytes + len, sizeof(bytes) - len);
        if (got <= 0)
            return 0;
        len += (size_t)got;
        size_t taken = take_lines(bytes, len);
        len -= taken;
        memmove(bytes, bytes + taken, len);
    }
}
