/* agent-backend health.
 *
 * Purpose: connect, one request with Connection: close, read to the end, look at the status line. Failure
 * modes: no listener, silence (each step has its time-out), an answer that is not HTTP: reported, exit 1.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "service.h"

#define CHECK_MS        2000 /* for the answer; a container's health check is given about three seconds */
#define STEP_TIMEOUT_MS 1000
#define ANSWER_SIZE     16384 /* the health has about 1 KiB */

static const char request[] =
    "GET /api/v1/bots/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/* 0, or -1 with errno. */
static int send_request(int fd)
{
    size_t sent = 0;
    while (sent < sizeof(request) - 1) {
        ssize_t n = send(fd, request + sent, sizeof(request) - 1 - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -1;
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* To the end of the stream, or of the room; NUL-terminated. -1 with errno. */
static int read_answer(int fd, char *answer, size_t size)
{
    size_t got = 0;
    uint64_t until_ms = service_now_ms() + CHECK_MS;
    while (got < size - 1) {
        if (service_now_ms() >= until_ms) { /* a byte at intervals is not an answer */
            errno = ETIMEDOUT;
            return -1;
        }
        ssize_t n = recv(fd, answer + got, size - 1 - got, 0);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n == 0)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    answer[got] = '\0';
    return 0;
}

static int report_answer(const char *listen, const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && body) {
        puts(body + 4);
        return 0;
    }
    fprintf(stderr, "agent-backend: what answers at %s is not well: %.*s\n", listen,
            (int)strcspn(answer, "\r\n"), answer);
    return 1;
}

int check_health(const char *listen)
{
    char problem[LISTEN_PROBLEM_SIZE];
    char answer[ANSWER_SIZE];
    int fd;
    enum listen_result result = listen_connect(listen, STEP_TIMEOUT_MS, &fd, problem);
    if (result != LISTEN_OK) {
        fprintf(stderr, "agent-backend: %s\n", problem);
        return result == LISTEN_BAD_ADDRESS ? 2 : 1;
    }
    int rc = send_request(fd) == 0 ? read_answer(fd, answer, sizeof(answer)) : -1;
    int reason = errno;
    close(fd);
    if (rc == 0)
        return report_answer(listen, answer);
    fprintf(stderr, "agent-backend: no answer from %s: %s\n", listen, strerror(reason));
    return 1;
}
