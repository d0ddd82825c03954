/* How long after its child was killed has a client the errors for what was in flight?
 *
 * One client greets, sends requests that the echo child never answers, and then asks for the child's process
 * id: the answer proves that the child has them all. The child is killed, and the time to the first and the
 * last error taken.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define HANGING 16

static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    if (write(fd, text, len) != (ssize_t)len)
        load_die("write");
}

/* The next line, without its newline. */
static void next_line(FILE *in, char *line, size_t cap)
{
    errno = 0;
    if (!fgets(line, (int)cap, in))
        load_die("the connection ended");
    line[strcspn(line, "\n")] = '\0';
}

static pid_t child_pid(FILE *in, char *line, size_t cap)
{
    next_line(in, line, cap);
    const char *pid = strstr(line, "\"pid\":");
    errno = 0;
    if (!pid)
        load_die(line);
    return (pid_t)strtol(pid + 6, NULL, 10);
}

int load_death(const struct load_options *options)
{
    char line[8192], request[96];
    struct timeval patience = {.tv_sec = (time_t)(options->timeout_ms / 1000 + 1)};
    int fd = net_connect(&options->address[0]);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
        load_die("setsockopt");
    FILE *in = fdopen(fd, "r");
    if (!in)
        load_die("fdopen");
    say(fd, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-"
            "06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n");
    next_line(in, line, sizeof(line));
    say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    for (int i = 1; i <= HANGING; i++) {
        (void)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"hang\"}\n", i);
        say(fd, request);
    }
    say(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"pid\",\"method\":\"pid\"}\n");
    pid_t pid = child_pid(in, line, sizeof(line));
    uint64_t killed_at = load_clock_ns(), first = 0, last = 0;
    if (pid <= 1 || kill(pid, SIGKILL) != 0)
        load_die("kill");
    for (int i = 0; i < HANGING; i++) {
        next_line(in, line, sizeof(line));
        last = load_clock_ns() - killed_at;
        if (i == 0)
            first = last;
        errno = 0;
        if (!strstr(line, "\"error\""))
            load_die(line);
    }
    printf("{\"requests\":%d,\"firstMs\":%.3f,\"lastMs\":%.3f}\n", HANGING, (double)first / 1e6,
           (double)last / 1e6);
    fclose(in);
    return 0;
}
