/* The health probe: libcurl's multi interface, driven by the client's loop.
 *
 * Happy path: probe_start -> (next loop iteration) the name is resolved and pinned -> a multi and an easy handle of
 * this request's own; libcurl says which descriptors to watch and when to be called, uv_poll and uv_timer do
 * that -> the transfer is done -> everything of libcurl's is given back -> on_result.
 *
 * Failure modes: no answer within PROBE_TIMEOUT_MS, the resolver included: the request is given up; a status
 * line that has come by then counts as the answer, so a slow body does not hide it. A body above
 * PROBE_BODY_MAX is cut off, likewise. Refused, reset, no HTTP, bad certificate: status 0 and libcurl's text.
 * Out of memory anywhere: status 0. libcurl's callbacks never touch the transfer: its end is looked for after
 * libcurl has returned, after every call into it, since a time-out ends transfers inside any of them.
 */
#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/list.h"
#include "curl_api.h"
#include "pipe_guard.h"
#include "probe_url.h"
#include "resolve.h"

#define PINS_MAX 8 /* addresses tried */
#define PIN_SIZE (PROBE_HOST_MAX + 16 + PINS_MAX * 60)

enum probe_phase {
    PROBE_IDLE,
    PROBE_STARTING, /* begins with the next loop iteration */
    PROBE_RESOLVING,
    PROBE_TRANSFER, /* libcurl's */
    PROBE_CLOSED,   /* freed with its last handle */
};

struct probe {
    const struct curl_api *curl; /* static */
    uv_loop_t *loop;             /* borrowed */
    uv_async_t *wake;            /* borrowed */
    probe_cb *on_result;
    void *data;
    char *url; /* owned */
    struct probe_url where;
    bool has_handles;    /* the two timers */
    uv_timer_t timer;    /* libcurl's */
    uv_timer_t deadline; /* ours, for everything */
    enum probe_phase phase;
    bool read_once_more;     /* the deadline has passed; one more loop iteration */
    struct resolve *resolve; /* under way, or NULL */
    CURLM *multi;            /* both NULL outside a transfer */
    CURL *easy;
    struct curl_slist *pins;
    struct list sockets; /* struct watched.node */
    size_t body_bytes;
    char text[CURL_ERROR_SIZE];
    unsigned handles; /* whose close callback is to come, once PROBE_CLOSED */
    void (*on_closed)(void *data);
    void *closed_data;
};

struct watched {
    struct list node;
    uv_poll_t poll;
    curl_socket_t fd;
    struct probe *probe;
};

/* ---- the phase ---- */

#define BIT(phase) (1u << (phase))

static const unsigned moves[] = {
    [PROBE_IDLE] = BIT(PROBE_STARTING) | BIT(PROBE_CLOSED),
    [PROBE_STARTING] = BIT(PROBE_RESOLVING) | BIT(PROBE_TRANSFER) | BIT(PROBE_IDLE),
    [PROBE_RESOLVING] = BIT(PROBE_TRANSFER) | BIT(PROBE_IDLE),
    [PROBE_TRANSFER] = BIT(PROBE_IDLE),
    [PROBE_CLOSED] = 0,
};

static void move(struct probe *p, enum probe_phase to)
{
    assert((moves[p->phase] & BIT(to)) != 0);
    (void)moves;
    p->phase = to;
}

/* ---- the end of a request ---- */

static void maybe_freed(struct probe *p)
{
    if (p->phase != PROBE_CLOSED || p->handles > 0)
        return;
    void (*on_closed)(void *data) = p->on_closed;
    void *data = p->closed_data;
    mem_free(p->url);
    mem_free(p);
    if (on_closed)
        on_closed(data);
}

static void on_watched_closed(uv_handle_t *handle)
{
    struct watched *w = handle->data;
    struct probe *p = w->probe;
    mem_free(w);
    p->handles--;
    maybe_freed(p);
}

static void unwatch(struct watched *w)
{
    list_remove(&w->node);
    uv_close((uv_handle_t *)&w->poll, on_watched_closed);
}

/* Gives back everything of this request's. */
static void end_request(struct probe *p)
{
    if (p->phase != PROBE_IDLE)
        move(p, PROBE_IDLE);
    if (p->resolve)
        resolve_cancel(p->resolve);
    p->resolve = NULL;
    struct pipe_guard g;
    pipe_guard_begin(&g); /* TLS sends its close_notify */
    if (p->easy && p->multi)
        (void)p->curl->multi_remove_handle(p->multi, p->easy);
    p->curl->easy_cleanup(p->easy);
    (void)p->curl->multi_cleanup(p->multi);
    pipe_guard_end(&g);
    p->easy = NULL;
    p->multi = NULL;
    p->curl->slist_free_all(p->pins);
    p->pins = NULL;
    while (!list_empty(&p->sockets))
        unwatch(CONTAINER_OF(p->sockets.next, struct watched, node));
    if (p->has_handles) {                  /* last: libcurl may set its timer while it ends a connection */
        (void)uv_timer_stop(&p->timer);    /* cannot fail */
        (void)uv_timer_stop(&p->deadline); /* cannot fail */
    }
}

/* `why`: where there is no status. */
static void finish(struct probe *p, const char *why)
{
    long status = 0;
    if (p->easy && p->curl->easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        status = 0;
    if (status < 200 || status > 999)
        status = 0;
    end_request(p);
    p->on_result(p->data, (int)status, status != 0 ? "" : why); /* may close p */
}

/* ---- what libcurl asks for ---- */

static void drive(struct probe *p, curl_socket_t fd, int events)
{
    int running;
    struct pipe_guard g;
    pipe_guard_begin(&g);
    CURLMcode rc = p->curl->multi_socket_action(p->multi, fd, events, &running);
    pipe_guard_end(&g);
    if (rc != CURLM_OK) {
        finish(p, p->curl->multi_strerror(rc));
        return;
    }
    int left;
    const CURLMsg *message = p->curl->multi_info_read(p->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        finish(p, p->text[0] != '\0' ? p->text : p->curl->easy_strerror(message->data.result));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watched *w = poll->data;
    int bits = 0;
    if (!w->probe->multi)
        return;
    if (status < 0)
        bits = CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT;
    if ((events & UV_READABLE) != 0)
        bits |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        bits |= CURL_CSELECT_OUT;
    drive(w->probe, w->fd, bits);
}

static struct watched *watch_new(struct probe *p, curl_socket_t fd)
{
    struct watched *w = mem_zalloc(sizeof(*w));
    if (!w)
        return NULL;
    if (uv_poll_init_socket(p->loop, &w->poll, fd) != 0) {
        mem_free(w);
        return NULL;
    }
    w->poll.data = w;
    w->fd = fd;
    w->probe = p;
    list_init(&w->node);
    list_push_back(&p->sockets, &w->node);
    p->handles++;
    return w;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned)
{
    struct probe *p = data;
    struct watched *w = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w)
            unwatch(w);
        (void)p->curl->multi_assign(p->multi, fd, NULL);
        return 0;
    }
    if (!w) {
        w = watch_new(p, fd);
        if (!w)
            return -1;
        (void)p->curl->multi_assign(p->multi, fd, w);
    }
    int events =
        ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) | ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    return uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer);

static int on_curl_timer(CURLM *multi, long timeout_ms, void *data)
{
    struct probe *p = data;
    (void)multi;
    if (timeout_ms < 0)
        return uv_timer_stop(&p->timer);
    return uv_timer_start(&p->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static curl_socket_t on_curl_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)data;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_curl_body(const char *bytes, size_t size, size_t count, void *data)
{
    struct probe *p = data;
    (void)bytes;
    p->body_bytes += size * count;
    return p->body_bytes <= PROBE_BODY_MAX ? size * count : 0;
}

/* ---- a request ---- */

static bool set_up_easy(struct probe *p)
{
    CURL *e = p->easy;
    bool ok = p->curl->easy_setopt(e, CURLOPT_URL, p->url) == CURLE_OK;
    /* The address may be http or https alone (probe_url.h): a libcurl before 7.85, which does not know the
     * option, loses nothing by it. */
    CURLcode protocols = p->curl->easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    ok = ok && (protocols == CURLE_OK || protocols == CURLE_UNKNOWN_OPTION);
    ok = ok && p->curl->easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && p->curl->easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok = ok && p->curl->easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
    /* The container next door is not behind the proxy that the environment may name. */
    ok = ok && p->curl->easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK;
    ok = ok && p->curl->easy_setopt(e, CURLOPT_USERAGENT, "libagentrelay/" AGENT_RELAY_VERSION) == CURLE_OK;
    ok = ok && p->curl->easy_setopt(e, CURLOPT_ERRORBUFFER, p->text) == CURLE_OK;
    ok = ok && p->curl->easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_curl_open) == CURLE_OK;
    ok = ok && p->curl->easy_setopt(e, CURLOPT_WRITEFUNCTION, on_curl_body) == CURLE_OK;
    ok = ok && p->curl->easy_setopt(e, CURLOPT_WRITEDATA, p) == CURLE_OK;
    return ok && (!p->pins || p->curl->easy_setopt(e, CURLOPT_RESOLVE, p->pins) == CURLE_OK);
}

static bool set_up_multi(struct probe *p)
{
    CURLM *m = p->multi;
    bool ok = p->curl->multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_curl_socket) == CURLM_OK;
    ok = ok && p->curl->multi_setopt(m, CURLMOPT_SOCKETDATA, p) == CURLM_OK;
    ok = ok && p->curl->multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_curl_timer) == CURLM_OK;
    return ok && p->curl->multi_setopt(m, CURLMOPT_TIMERDATA, p) == CURLM_OK;
}

static void begin_transfer(struct probe *p)
{
    move(p, PROBE_TRANSFER);
    p->text[0] = '\0';
    p->body_bytes = 0;
    p->multi = p->curl->multi_init();
    p->easy = p->curl->easy_init();
    struct pipe_guard g;
    pipe_guard_begin(&g);
    bool ok = p->multi && p->easy && set_up_multi(p) && set_up_easy(p) &&
              p->curl->multi_add_handle(p->multi, p->easy) == CURLM_OK;
    pipe_guard_end(&g);
    if (!ok)
        finish(p, "libcurl has no memory, or is too old");
}

static bool add_pin(struct probe *p, int host_len, const char *addresses)
{
    char text[PIN_SIZE];
    (void)snprintf(text, sizeof(text), "%.*s:%u:%s", host_len, p->where.host, (unsigned)p->where.port,
                   addresses);
    struct curl_slist *pins = p->curl->slist_append(p->pins, text);
    if (pins)
        p->pins = pins;
    return pins;
}

/* "host:port:address,address": libcurl looks up nothing by itself then. A name with a dot at its end is
 * pinned without it too: some versions look for that. */
static bool pin(struct probe *p, const struct addrinfo *addresses)
{
    char text[PINS_MAX * 60] = "";
    int at = 0;
    unsigned count = 0;
    for (const struct addrinfo *a = addresses; a && count < PINS_MAX; a = a->ai_next) {
        char one[80];
        resolve_numeric_text(a->ai_addr, one, sizeof(one));
        char *colon = strrchr(one, ':');
        if (!colon)
            continue;
        *colon = '\0'; /* the port goes */
        at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%s", count > 0 ? "," : "", one);
        count++;
    }
    int host_len = (int)strlen(p->where.host);
    bool dotted = host_len > 1 && p->where.host[host_len - 1] == '.';
    return count > 0 && add_pin(p, host_len, text) && (!dotted || add_pin(p, host_len - 1, text));
}

void probe_wake(struct probe *p)
{
    int status;
    struct addrinfo *addresses;
    if (!p->resolve || !resolve_take(p->resolve, &status, &addresses))
        return;
    p->resolve = NULL;
    char why[PROBE_HOST_MAX + 120];
    (void)snprintf(why, sizeof(why), "%s does not resolve: %s", p->where.host,
                   status != 0 ? uv_strerror(status) : "no address");
    bool pinned = status == 0 && pin(p, addresses);
    if (status == 0)
        freeaddrinfo(addresses);
    if (pinned)
        begin_transfer(p);
    else
        finish(p, why);
}

static void begin(struct probe *p)
{
    struct sockaddr_storage numeric;
    if (resolve_numeric(p->where.host, p->where.port, &numeric)) {
        begin_transfer(p);
        return;
    }
    if (resolve_start(p->where.host, p->where.port, p->wake, &p->resolve) == 0)
        move(p, PROBE_RESOLVING);
    else
        finish(p, "no thread to resolve its name");
}

static void on_timer(uv_timer_t *timer)
{
    struct probe *p = timer->data;
    if (p->phase == PROBE_STARTING)
        begin(p);
    else
        drive(p, CURL_SOCKET_TIMEOUT, 0);
}

static void on_deadline(uv_timer_t *timer)
{
    struct probe *p = timer->data;
    if (!p->read_once_more) {
        /* libuv runs timers before it looks at descriptors: on a loop that stood still, what came in time is
         * still to be looked at. */
        p->read_once_more = true;
        (void)uv_timer_start(timer, on_deadline, 1, 0); /* open: cannot fail */
        return;
    }
    char why[64];
    (void)snprintf(why, sizeof(why), "no answer within %d ms", PROBE_TIMEOUT_MS);
    finish(p, why);
}

void probe_start(struct probe *p)
{
    if (p->phase != PROBE_IDLE)
        return;
    if (!p->has_handles) {
        (void)uv_timer_init(p->loop, &p->timer);    /* cannot fail */
        (void)uv_timer_init(p->loop, &p->deadline); /* likewise */
        p->timer.data = p->deadline.data = p;
        p->has_handles = true;
    }
    move(p, PROBE_STARTING);
    p->read_once_more = false;
    (void)uv_timer_start(&p->timer, on_timer, 0, 0);                      /* open: cannot fail */
    (void)uv_timer_start(&p->deadline, on_deadline, PROBE_TIMEOUT_MS, 0); /* likewise */
}

/* ---- life ---- */

int probe_new(uv_loop_t *loop, uv_async_t *wake, const char *url, probe_cb *on_result, void *data,
              struct probe **ret_probe, char *problem, size_t problem_size)
{
    const struct curl_api *curl;
    int rc = curl_api_get(&curl, problem, problem_size);
    if (rc != 0)
        return rc;
    struct probe *p = mem_zalloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    *p = (struct probe){.curl = curl, .loop = loop, .wake = wake, .on_result = on_result, .data = data};
    list_init(&p->sockets);
    rc = probe_url_parse(url, &p->where, problem, problem_size);
    if (rc == 0 && !(p->url = mem_strdup(url)))
        rc = -ENOMEM;
    if (rc != 0) {
        mem_free(p);
        return rc;
    }
    *ret_probe = p;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct probe *p = handle->data;
    p->handles--;
    maybe_freed(p);
}

void probe_close(struct probe *p, void (*on_closed)(void *data), void *data)
{
    if (!p) {
        if (on_closed)
            on_closed(data);
        return;
    }
    end_request(p);
    move(p, PROBE_CLOSED);
    p->on_closed = on_closed;
    p->closed_data = data;
    if (p->has_handles) {
        p->handles += 2;
        uv_close((uv_handle_t *)&p->timer, on_timer_closed);
        uv_close((uv_handle_t *)&p->deadline, on_timer_closed);
    }
    maybe_freed(p);
}
