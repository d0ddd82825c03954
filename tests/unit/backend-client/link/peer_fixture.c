/* The relay made of plain sockets. Purpose and use: peer_fixture.h.
 *
 * One thread polls an eventfd (commands), the listening socket and the connections. Commands are done by the
 * thread while the caller waits, so what a test asked for has happened when it goes on. Sends are blocking:
 * a client under test reads.
 */
#include "tests/unit/backend-client/link/peer_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNS_MAX 256
#define BACKLOG   128

enum command {
    COMMAND_NONE,
    COMMAND_STOP,
    COMMAND_DROP,
    COMMAND_RESET,
    COMMAND_LISTEN,
    COMMAND_MODE,
    COMMAND_RAW,
    COMMAND_SAY
};

struct conn {
    int fd;
    char *bytes;
    size_t len;
    size_t cap;
};

struct peer {
    enum peer_family family;
    char url[128];
    struct sockaddr_storage address;
    socklen_t address_size;
    pthread_t thread;
    int wake;
    int listener; /* -1: not listening */
    struct conn conns[CONNS_MAX];
    unsigned conn_count;

    pthread_mutex_t mutex;
    pthread_cond_t done;
    enum command command;
    bool listen_wanted;
    const char *text; /* COMMAND_SAY's and COMMAND_RAW's */
    size_t text_len;
    const char *raw; /* the thread's */
    size_t raw_len;
    atomic_int mode;
    atomic_uint accepted;
    atomic_uint open_now;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t notifications;
    atomic_uint_fast64_t cancels;
};

static void must(bool held, const char *what)
{
    if (held)
        return;
    (void)fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- answering ---- */

/* Waits for room, but not while a command waits: the test's thread may be the one that runs the client's
 * loop. What is left then is never sent. */
static bool wait_for_room(const struct peer *p, const struct conn *c)
{
    struct pollfd fds[2] = {{.fd = c->fd, .events = POLLOUT}, {.fd = p->wake, .events = POLLIN}};
    return poll(fds, 2, -1) < 0 || fds[1].revents == 0;
}

static void send_all(const struct peer *p, const struct conn *c, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN && wait_for_room(p, c))
            continue;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the client is gone; reading will show it */
        bytes += n;
        len -= (size_t)n;
    }
}

/* A member's raw text: up to `stop` behind `key`. Lines are the library's own, whose order of members is
 * known, so that nothing in params is mistaken for it. */
static bool member(const char *line, const char *key, char stop, char *ret_text, size_t size)
{
    const char *at = strstr(line, key);
    if (!at)
        return false;
    at += strlen(key);
    const char *end = strchr(at, stop);
    if (!end || (size_t)(end - at) >= size)
        return false;
    memcpy(ret_text, at, (size_t)(end - at));
    ret_text[end - at] = '\0';
    return true;
}

static void reply(const struct peer *p, const struct conn *c, const char *id, const char *key,
                  const char *value, size_t value_len)
{
    size_t size = strlen(id) + strlen(key) + value_len + 64;
    char *line = malloc(size);
    must(line, "memory");
    int n =
        snprintf(line, size, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"%s\":%.*s}\n", id, key, (int)value_len, value);
    send_all(p, c, line, (size_t)n);
    free(line);
}

static void reply_text(const struct peer *p, const struct conn *c, const char *id, const char *key,
                       const char *value)
{
    reply(p, c, id, key, value, strlen(value));
}

static const char unavailable[] =
    "{\"code\":-31001,\"message\":\"the server is down\",\"data\":{\"relay\":true,"
    "\"code\":\"SERVER_UNAVAILABLE\",\"retryable\":true,\"sent\":false,\"server\":\"fake\",\"state\":\"down\"}}";
static const char busy[] = "{\"code\":-31003,\"message\":\"too much\",\"data\":{\"relay\":true,"
                           "\"code\":\"OVERLOADED\",\"retryable\":true,\"sent\":false,\"retryAfterMs\":20}}";
static const char agents[] =
    "{\"agents\":[{\"id\":\"a1\",\"name\":\"One\",\"type\":\"coder\",\"status\":\"active\"}]}";
static const char hello[] =
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"peer\",\"version\":\"1\"}}";

static void answer_call(struct peer *p, const struct conn *c, const char *id, const char *method,
                        const char *line, size_t len)
{
    (void)atomic_fetch_add(&p->requests, 1);
    if (atomic_load(&p->mode) == PEER_RAW_ANSWER) {
        send_all(p, c, p->raw, p->raw_len);
    } else if (strcmp(method, "fail") == 0) {
        reply_text(p, c, id, "error", "{\"code\":-32000,\"message\":\"it failed\",\"data\":{\"why\":1}}");
    } else if (strcmp(method, "busy") == 0) {
        reply_text(p, c, id, "error", busy);
    } else if (strcmp(method, "hang") != 0) {
        if (strcmp(method, "progress") == 0) {
            char note[160];
            int n = snprintf(
                note, sizeof(note),
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":1}}\n",
                id);
            send_all(p, c, note, (size_t)n);
        }
        const char *params = strstr(line, "\"params\":");
        size_t params_len = params ? (size_t)(line + len - 1 - (params + 9)) : 4;
        char *echo = malloc(params_len + 16);
        must(echo, "memory");
        int n =
            snprintf(echo, params_len + 16, "{\"echo\":%.*s}", (int)params_len, params ? params + 9 : "null");
        reply(p, c, id, "result", echo, (size_t)n);
        free(echo);
    }
}

static void on_line(struct peer *p, const struct conn *c, const char *line, size_t len)
{
    char id[64];
    char method[128];
    int mode = atomic_load(&p->mode);
    if (mode == PEER_SILENT || mode == PEER_RAW ||
        !member(line, "\"method\":\"", '"', method, sizeof(method)))
        return;
    if (!member(line, "\"id\":", ',', id, sizeof(id)) ||
        strstr(line, "\"id\":") > strstr(line, "\"method\":")) {
        if (strcmp(method, "notifications/cancelled") == 0)
            (void)atomic_fetch_add(&p->cancels, 1);
        if (strcmp(method, "notifications/initialized") != 0)
            (void)atomic_fetch_add(&p->notifications, 1);
    } else if (strcmp(method, "relay/ping") == 0) {
        reply_text(p, c, id, "result", "{\"t\":1}");
    } else if (mode == PEER_UNAVAILABLE) {
        reply_text(p, c, id, "error", unavailable);
    } else if (strcmp(method, "initialize") == 0) {
        reply_text(p, c, id, "result", hello);
    } else if (strcmp(method, "tools/list") == 0 &&
               id[0] == '"') { /* the library's own; a call has a number */
        reply_text(p, c, id, "result", "{\"tools\":[]}");
    } else if (strcmp(method, "agents/list") == 0) {
        reply_text(p, c, id, "result", agents);
    } else {
        answer_call(p, c, id, method, line, len);
    }
}

/* ---- connections ---- */

static void drop(struct peer *p, unsigned index, bool reset)
{
    struct conn *c = &p->conns[index];
    if (reset) {
        const struct linger at_once = {.l_onoff = 1};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    (void)close(c->fd);
    free(c->bytes);
    *c = p->conns[--p->conn_count];
    atomic_store(&p->open_now, p->conn_count);
}

static void feed_lines(struct peer *p, struct conn *c)
{
    char *from = c->bytes;
    char *end = c->bytes + c->len;
    for (char *nl; (nl = memchr(from, '\n', (size_t)(end - from))); from = nl + 1) {
        *nl = '\0';
        on_line(p, c, from, (size_t)(nl - from));
    }
    c->len = (size_t)(end - from);
    memmove(c->bytes, from, c->len);
}

/* false: the connection is over. */
static bool read_conn(struct peer *p, struct conn *c)
{
    if (c->cap - c->len < 65536) {
        c->cap = c->cap * 2 + 131072;
        c->bytes = realloc(c->bytes, c->cap + 1);
        must(c->bytes, "memory");
    }
    ssize_t got = recv(c->fd, c->bytes + c->len, c->cap - c->len, 0);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    c->len += (size_t)got;
    if (atomic_load(&p->mode) == PEER_HTTP) {
        c->bytes[c->len] = '\0';
        if (!strstr(c->bytes, "\r\n\r\n"))
            return true;
        (void)atomic_fetch_add(&p->requests, 1);
        send_all(p, c, p->raw, p->raw_len);
        return false;
    }
    feed_lines(p, c);
    return true;
}

static void accept_one(struct peer *p)
{
    int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    must(p->conn_count < CONNS_MAX, "too many connections");
    p->conns[p->conn_count++] = (struct conn){.fd = fd};
    (void)atomic_fetch_add(&p->accepted, 1);
    atomic_store(&p->open_now, p->conn_count);
    int mode = atomic_load(&p->mode);
    if (mode == PEER_RAW || mode == PEER_RAW_CLOSE)
        send_all(p, &p->conns[p->conn_count - 1], p->raw, p->raw_len);
    if (mode == PEER_CLOSE || mode == PEER_RAW_CLOSE)
        drop(p, p->conn_count - 1, false);
}

/* ---- the listening socket ---- */

static void open_listener(struct peer *p)
{
    const struct sockaddr *address = (const struct sockaddr *)&p->address;
    int on = 1;
    p->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(p->listener >= 0, "socket");
    if (p->family == PEER_UNIX)
        (void)unlink(((struct sockaddr_un *)&p->address)->sun_path);
    (void)setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    must(bind(p->listener, address, p->address_size) == 0, "bind");
    must(listen(p->listener, BACKLOG) == 0, "listen");
    must(getsockname(p->listener, (struct sockaddr *)&p->address, &p->address_size) == 0, "getsockname");
}

static void choose_address(struct peer *p)
{
    static atomic_uint serial;
    if (p->family == PEER_IP4) {
        const struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        p->address_size = sizeof(a);
        memcpy(&p->address, &a, sizeof(a));
    } else if (p->family == PEER_IP6) {
        const struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        p->address_size = sizeof(a);
        memcpy(&p->address, &a, sizeof(a));
    } else {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        (void)snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/agent-relay-peer-%d-%u", (int)getpid(),
                       atomic_fetch_add(&serial, 1));
        p->address_size = sizeof(a);
        memcpy(&p->address, &a, sizeof(a));
    }
}

static void name_url(struct peer *p)
{
    if (p->family == PEER_UNIX)
        (void)snprintf(p->url, sizeof(p->url), "unix:%.100s", ((struct sockaddr_un *)&p->address)->sun_path);
    else
        (void)snprintf(p->url, sizeof(p->url), p->family == PEER_IP4 ? "127.0.0.1:%u" : "[::1]:%u",
                       (unsigned)peer_port(p));
}

/* ---- the thread ---- */

/* false: stop. */
static bool obey(struct peer *p)
{
    uint64_t count;
    (void)!read(p->wake, &count, sizeof(count));
    (void)pthread_mutex_lock(&p->mutex);
    enum command command = p->command;
    if (command == COMMAND_DROP || command == COMMAND_RESET || command == COMMAND_STOP) {
        while (p->conn_count > 0)
            drop(p, p->conn_count - 1, command == COMMAND_RESET);
    } else if (command == COMMAND_LISTEN && p->listen_wanted && p->listener < 0) {
        open_listener(p);
    } else if (command == COMMAND_LISTEN && !p->listen_wanted && p->listener >= 0) {
        (void)close(p->listener);
        p->listener = -1;
    } else if (command == COMMAND_SAY) {
        for (unsigned i = 0; i < p->conn_count; i++) {
            send_all(p, &p->conns[i], p->text, p->text_len);
            send_all(p, &p->conns[i], "\n", 1);
        }
    } else if (command == COMMAND_RAW) {
        p->raw = p->text;
        p->raw_len = p->text_len;
    }
    p->command = COMMAND_NONE;
    (void)pthread_cond_broadcast(&p->done);
    (void)pthread_mutex_unlock(&p->mutex);
    return command != COMMAND_STOP;
}

static void *run(void *data)
{
    struct peer *p = data;
    struct pollfd fds[CONNS_MAX + 2];
    for (;;) {
        short readable = atomic_load(&p->mode) == PEER_NOT_READING ? 0 : POLLIN;
        unsigned count = p->conn_count;
        fds[0] = (struct pollfd){.fd = p->wake, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
        for (unsigned i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){.fd = readable != 0 ? p->conns[i].fd : -1, .events = readable};
        if (poll(fds, count + 2, -1) < 0)
            continue;
        /* From the last: dropping one moves the last into its place, which has been looked at then. */
        for (unsigned i = count; i-- > 0;) {
            if (fds[i + 2].revents != 0 && !read_conn(p, &p->conns[i]))
                drop(p, i, false);
        }
        if (fds[0].revents != 0 && !obey(p))
            return NULL;
        if (p->listener >= 0 && fds[1].revents != 0)
            accept_one(p);
    }
}

static void order(struct peer *p, enum command command)
{
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&p->mutex);
    p->command = command;
    must(write(p->wake, &one, sizeof(one)) == (ssize_t)sizeof(one), "eventfd");
    while (p->command != COMMAND_NONE)
        (void)pthread_cond_wait(&p->done, &p->mutex);
    (void)pthread_mutex_unlock(&p->mutex);
}

/* ---- for the tests ---- */

struct peer *peer_start(enum peer_family family)
{
    struct peer *p = calloc(1, sizeof(*p));
    must(p, "memory");
    p->family = family;
    must(pthread_mutex_init(&p->mutex, NULL) == 0 && pthread_cond_init(&p->done, NULL) == 0, "mutex");
    p->wake = eventfd(0, EFD_CLOEXEC);
    must(p->wake >= 0, "eventfd");
    choose_address(p);
    open_listener(p);
    name_url(p);
    must(pthread_create(&p->thread, NULL, run, p) == 0, "thread");
    return p;
}

void peer_stop(struct peer *p)
{
    order(p, COMMAND_STOP);
    (void)pthread_join(p->thread, NULL);
    if (p->listener >= 0)
        (void)close(p->listener);
    if (p->family == PEER_UNIX)
        (void)unlink(((struct sockaddr_un *)&p->address)->sun_path);
    (void)close(p->wake);
    (void)pthread_cond_destroy(&p->done);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

const char *peer_url(const struct peer *p)
{
    return p->url;
}

uint16_t peer_port(const struct peer *p)
{
    uint16_t port = 0;
    if (p->family == PEER_IP4)
        port = ((const struct sockaddr_in *)&p->address)->sin_port;
    else if (p->family == PEER_IP6)
        port = ((const struct sockaddr_in6 *)&p->address)->sin6_port;
    return ntohs(port);
}

void peer_set_mode(struct peer *p, enum peer_mode mode)
{
    atomic_store(&p->mode, (int)mode);
    order(p, COMMAND_MODE); /* it has seen the new mode when this is done */
}

void peer_set_raw(struct peer *p, const char *bytes, size_t len)
{
    p->text = bytes;
    p->text_len = len;
    order(p, COMMAND_RAW);
}

void peer_drop_all(struct peer *p, bool reset)
{
    order(p, reset ? COMMAND_RESET : COMMAND_DROP);
}

void peer_set_listening(struct peer *p, bool on)
{
    p->listen_wanted = on;
    order(p, COMMAND_LISTEN);
}

void peer_send(struct peer *p, const char *line)
{
    p->text = line;
    p->text_len = strlen(line);
    order(p, COMMAND_SAY);
}

unsigned peer_accepted(const struct peer *p)
{
    return atomic_load(&p->accepted);
}

unsigned peer_open_now(const struct peer *p)
{
    return atomic_load(&p->open_now);
}

uint64_t peer_requests(const struct peer *p)
{
    return atomic_load(&p->requests);
}

uint64_t peer_notifications(const struct peer *p)
{
    return atomic_load(&p->notifications);
}

uint64_t peer_cancels(const struct peer *p)
{
    return atomic_load(&p->cancels);
}
