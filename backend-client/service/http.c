/* The HTTP server.
 *
 * Happy path: the head comes, an exchange is made and its endpoint found; the body is gathered; the endpoint
 * runs and answers, or suspends the exchange until the relay's answer arrives; the answer is queued.
 *
 * Failure modes: a head or a body that does not end in time is cut (watch.h); an unwanted body is read to its
 * end if that is near, so that its sender receives the refusal, and cut otherwise; a reader that stops is
 * dropped after IDLE_SECONDS; malformed HTTP is answered by libmicrohttpd itself. Large answers to slow
 * readers are bounded together: beyond the budget, further large ones are refused (503). What stays needs a place
 * (places.h), so that streams and waiting requests leave room for the rest. Descriptors for the link to the relay
 * are reserved.
 */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "routes.h"

#define IDLE_SECONDS      30u
#define CONNECTION_MEMORY ((size_t)16 << 10) /* the head's limit; libmicrohttpd refuses longer ones (431) */
#define BODY_SWALLOW_MAX  ((size_t)1 << 20)
#define SMALL_ANSWER      ((size_t)64 << 10)
#define SEND_BUFFER_BYTES (128 << 10) /* the kernel doubles it: 2.5 MB/s at a round trip of 100 ms */
#define OWN_DESCRIPTORS   64 /* about 20 are in use; the rest for the relay, the health probe, look-ups */

/* ---- answers ---- */

static struct watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void add_headers(struct exchange *x, struct MHD_Response *r)
{
    static const char *const fixed[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
         "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    };
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        (void)MHD_add_response_header(r, fixed[i][0], fixed[i][1]);
    (void)MHD_add_response_header(r, "Content-Type", x->content_type);
    if (x->allow)
        (void)MHD_add_response_header(r, "Allow", x->allow);
    if (x->retry_after_s > 0) {
        char seconds[16];
        (void)snprintf(seconds, sizeof(seconds), "%u", x->retry_after_s);
        (void)MHD_add_response_header(r, "Retry-After", seconds);
        (void)MHD_add_response_header(r, "Connection", "close"); /* its place is for others */
    }
}

/* Counts the answer among those that are held, or refuses it. A shared text is counted already. */
static void hold_answer(struct exchange *x)
{
    size_t len = buf_len(&x->answer);
    if (len <= SMALL_ANSWER)
        return;
    if (budget_take(&x->service->held, len)) {
        x->held_bytes = len;
        return;
    }
    buf_done(&x->answer); /* its storage would go with the refusal */
    buf_init(&x->answer, ANSWER_MAX_BYTES);
    exchange_fail_overloaded(x, "Too many large answers are being read at once.", "Try again in a moment.");
}

/* The answer's bytes go over to the response. */
static struct MHD_Response *take_answer(struct exchange *x)
{
    size_t len = buf_len(&x->answer);
    struct shared_text *shared = x->shared;
    if (shared) {
        struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(
            shared->len, shared->bytes, shared_text_release_bytes);
        if (r)
            x->shared = NULL;
        return r;
    }
    if (len == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *r =
        MHD_create_response_from_buffer_with_free_callback(len, x->answer.data, mem_free);
    if (r)
        buf_init(&x->answer, ANSWER_MAX_BYTES);
    return r;
}

static enum MHD_Result queue_answer(struct exchange *x)
{
    if (!x->stream) {
        watch_phase(&x->service->watch, watched_of(x->connection), service_now_ms(), WATCH_ANSWER_MS);
        hold_answer(x);
    }
    struct MHD_Response *r = x->stream ? x->stream : take_answer(x);
    if (!r)
        return MHD_NO;
    x->stream = NULL;
    add_headers(x, r);
    enum MHD_Result result = MHD_queue_response(x->connection, x->status, r);
    MHD_destroy_response(r); /* our reference */
    return result;
}

/* ---- requests ---- */

static void count_request(struct service *s, bool begins)
{
    pthread_mutex_lock(&s->end_lock);
    s->requests += begins ? 1 : (size_t)-1;
    pthread_cond_broadcast(&s->end_changed);
    pthread_mutex_unlock(&s->end_lock);
}

/* Of a request that is refused for its head. An answer before the body's end closes the connection, and the
 * sender, who is still sending, may get a reset in its place: a body that is near its end is read first. */
static bool swallows_body(const struct exchange *x)
{
    const char *length = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Content-Length");
    bool asks_first = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Expect");
    return !asks_first && (!length || strtoull(length, NULL, 10) <= BODY_SWALLOW_MAX);
}

/* What libmicrohttpd lets pass, and others read otherwise. */
struct head_counts {
    unsigned lengths;
    unsigned hosts;
};

static enum MHD_Result count_header(void *data, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct head_counts *counts = data;
    (void)kind, (void)value;
    counts->lengths += strcasecmp(key, "Content-Length") == 0;
    counts->hosts += strcasecmp(key, "Host") == 0;
    return MHD_YES;
}

/* A proxy may see another end of the body than libmicrohttpd does, and so another next request (request
 * smuggling), or another host. NULL: there is no such fault. */
static const char *find_fault(struct MHD_Connection *connection)
{
    struct head_counts counts = {0};
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &counts);
    bool chunked = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
    if (counts.lengths > 1 || (chunked && counts.lengths > 0))
        return "The request gives its body's length more than once.";
    return counts.hosts > 1 ? "The request names its host more than once." : NULL;
}

/* At once, with the body unread: the connection ends with it. */
static enum MHD_Result refuse_head(struct exchange *x, const char *fault)
{
    struct failure f;
    failure_set(&f, 400, "INVALID_REQUEST",
                "Send one Host, and one Content-Length or Transfer-Encoding: chunked.", fault);
    exchange_fail(x, &f);
    return queue_answer(x);
}

/* Of the path, and of each name and value in the query. A %00 would end what libmicrohttpd hands over as a
 * string: it becomes %01, which is refused wherever it stands, as every control character is. */
static size_t unescape(void *data, struct MHD_Connection *connection, char *text)
{
    (void)data, (void)connection;
    for (char *at = strstr(text, "%00"); at; at = strstr(at, "%00"))
        at[2] = '1';
    return MHD_http_unescape(text);
}

/* The head is there. */
static enum MHD_Result begin(struct service *s, struct MHD_Connection *connection, const char *path,
                             const char *method, void **ret_exchange)
{
    struct exchange *x = exchange_new(s, connection);
    if (!x)
        return MHD_NO;
    *ret_exchange = x;
    count_request(s, true);
    watch_phase(&s->watch, watched_of(connection), service_now_ms(), WATCH_BODY_MS);
    const char *fault = find_fault(connection);
    if (fault)
        return refuse_head(x, fault);
    return routes_find(x, method, path) == 0 || swallows_body(x) ? MHD_YES : queue_answer(x);
}

static enum MHD_Result take_body(struct exchange *x, const char *bytes, size_t *size)
{
    size_t len = *size;
    *size = 0;
    if (x->status == 0 && !x->body_too_large && buf_append(&x->body, bytes, len) == 0)
        return MHD_YES;
    x->body_too_large = true;
    return size_add(x->swallowed, len, &x->swallowed) && x->swallowed <= BODY_SWALLOW_MAX ? MHD_YES : MHD_NO;
}

static void refuse(struct exchange *x)
{
    struct failure f;
    if (x->body_too_large)
        failure_format(&f, 413, "TOO_LARGE", "Send less in one request.",
                       "The body may have %zu bytes at most.", REQUEST_MAX_BYTES);
    else
        failure_from_code(&f, AR_E_CLOSED, &(struct ar_health){.state = AR_CLOSED});
    f.about_call = false;
    exchange_fail(x, &f);
}

/* A place for what stays, or the refusal. */
static void run_endpoint(struct exchange *x)
{
    struct service *s = x->service;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    int rc =
        x->route->stays && !x->head_only && info ? places_take(&s->places, info->client_addr, &x->place) : 0;
    if (rc == ERR_RANGE)
        exchange_fail_overloaded(x, "Your address has as many event streams and waiting requests as it may.",
                                 "End some of them.");
    else if (rc != 0)
        exchange_fail_overloaded(x, "All places for event streams and waiting requests are taken.",
                                 "Try again in a moment.");
    else
        x->route->run(x);
}

/* The request is complete. */
static enum MHD_Result run(struct exchange *x)
{
    struct service *s = x->service;
    watch_phase(&s->watch, watched_of(x->connection), service_now_ms(), 0);
    pthread_rwlock_rdlock(&s->gate);
    if (x->status == 0 && (s->stopping || x->body_too_large))
        refuse(x);
    else if (x->status == 0)
        run_endpoint(x);
    pthread_rwlock_unlock(&s->gate);
    return x->suspended ? MHD_YES : queue_answer(x);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **exchange)
{
    struct exchange *x = *exchange;
    (void)version;
    if (!x)
        return begin(data, connection, path, method, exchange);
    if (x->suspended)
        return queue_answer(x); /* it was finished */
    if (*upload_size > 0)
        return take_body(x, upload, upload_size);
    return run(x);
}

static void on_request_end(void *data, struct MHD_Connection *connection, void **exchange,
                           enum MHD_RequestTerminationCode why)
{
    struct service *s = data;
    struct exchange *x = *exchange;
    (void)why;
    if (!x)
        return;
    *exchange = NULL;
    exchange_free(x);
    watch_phase(&s->watch, watched_of(connection), service_now_ms(), WATCH_PAUSE_MS);
    count_request(s, false);
}

/* The kernel would let one reader's grow to megabytes: a thread that fills many of them keeps the health check
 * waiting, and what is in them is in no budget. */
static void limit_send_buffer(int fd)
{
    int bytes = SEND_BUFFER_BYTES;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct service *s = data;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        watch_remove(&s->watch, *context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        limit_send_buffer(info->connect_fd);
    *context = info ? watch_add(&s->watch, info->connect_fd, service_now_ms()) : NULL;
}

/* ---- the server ---- */

/* Many event streams must not use up the descriptors for the relay. */
unsigned http_connection_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= HTTP_MAX_CONNECTIONS + OWN_DESCRIPTORS)
        return HTTP_MAX_CONNECTIONS;
    rlim_t kept = limit.rlim_cur / 2 < OWN_DESCRIPTORS ? limit.rlim_cur / 2 : OWN_DESCRIPTORS;
    return (unsigned)(limit.rlim_cur - kept);
}

int http_start(struct service *s)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    s->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
                         MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_THREADS, MHD_OPTION_CONNECTION_LIMIT,
                         http_connection_limit(), MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT,
                         1, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED,
                         on_request_end, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
    return s->daemon ? 0 : -EIO;
}

void http_quiesce(struct service *s)
{
    /* It gives the descriptor back, which stays open until the threads have ended. */
    (void)MHD_quiesce_daemon(s->daemon);
}

void http_wait_idle(struct service *s, uint64_t until_ms)
{
    pthread_mutex_lock(&s->end_lock);
    while (s->requests > 0) {
        struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                 .tv_nsec = (long)(until_ms % 1000) * 1000000};
        if (pthread_cond_timedwait(&s->end_changed, &s->end_lock, &until) != 0)
            break;
    }
    pthread_mutex_unlock(&s->end_lock);
}

void http_stop(struct service *s)
{
    MHD_stop_daemon(s->daemon);
    (void)close(s->listen_fd);
    s->daemon = NULL;
}
