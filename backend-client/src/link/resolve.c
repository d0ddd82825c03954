/* Name resolution on a thread of its own.
 *
 * Happy path: resolve_start makes the request and a detached thread with all signals blocked; the thread
 * calls getaddrinfo, stores the answer, sends `done`; the loop takes the answer with resolve_take, which
 * frees.
 *
 * Failure modes: no thread, or too many of them (a resolver that hangs for ever): UV_EAGAIN, and the next
 * attempt tries again. Cancelled: under the mutex the request loses its loop; the last of the two frees it. The
 * resolver fails: its EAI_* becomes libuv's code for it.
 */
#include "resolve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

struct resolve {
    pthread_mutex_t mutex;
    uv_async_t *done; /* NULL: cancelled */
    bool finished;    /* by the thread, which does not look at the request again */
    int status;
    struct addrinfo *addresses;
    char service[6];
    char host[];
};

static atomic_int threads_now;

static int uv_code(int eai)
{
    switch (eai) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return UV_EAI_AGAIN;
    case EAI_BADFLAGS:
        return UV_EAI_BADFLAGS;
    case EAI_FAIL:
        return UV_EAI_FAIL;
    case EAI_FAMILY:
        return UV_EAI_FAMILY;
    case EAI_MEMORY:
        return UV_EAI_MEMORY;
    case EAI_NODATA:
        return UV_EAI_NODATA;
    case EAI_ADDRFAMILY:
        return UV_EAI_ADDRFAMILY;
    case EAI_SERVICE:
        return UV_EAI_SERVICE;
    case EAI_SOCKTYPE:
        return UV_EAI_SOCKTYPE;
    case EAI_SYSTEM:
        return errno != 0 ? -errno : UV_EAI_FAIL;
    default:
        return UV_EAI_NONAME;
    }
}

static void request_free(struct resolve *r)
{
    (void)pthread_mutex_destroy(&r->mutex);
    mem_free(r);
}

static void *run(void *data)
{
    struct resolve *r = data;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *addresses = NULL;
    errno = 0;
    int status = uv_code(getaddrinfo(r->host, r->service, &hints, &addresses));
    atomic_fetch_sub(&threads_now, 1);

    (void)pthread_mutex_lock(&r->mutex);
    r->status = status;
    r->addresses = status == 0 ? addresses : NULL;
    r->finished = true;
    bool wanted = r->done;
    /* Under the mutex: resolve_cancel cannot return, and the handle not be closed, in between. */
    if (wanted)
        (void)uv_async_send(r->done);
    (void)pthread_mutex_unlock(&r->mutex);
    if (!wanted) {
        if (r->addresses)
            freeaddrinfo(r->addresses);
        request_free(r);
    }
    return NULL;
}

static int start_thread(struct resolve *r)
{
    if (atomic_fetch_add(&threads_now, 1) >= RESOLVE_THREADS_MAX) {
        atomic_fetch_sub(&threads_now, 1);
        return UV_EAGAIN;
    }
    /* A host's signal handlers are not to run on this thread: it inherits the mask it is made under. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, run, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        atomic_fetch_sub(&threads_now, 1);
        return UV_EAGAIN;
    }
    (void)pthread_detach(thread);
    return 0;
}

int resolve_start(const char *host, uint16_t port, uv_async_t *done, struct resolve **ret_request)
{
    size_t len = strlen(host);
    struct resolve *r = mem_zalloc(sizeof(*r) + len + 1);
    if (!r)
        return -ENOMEM;
    if (pthread_mutex_init(&r->mutex, NULL) != 0) {
        mem_free(r);
        return -ENOMEM;
    }
    memcpy(r->host, host, len + 1);
    (void)snprintf(r->service, sizeof(r->service), "%u", (unsigned)port);
    r->done = done;
    int rc = start_thread(r);
    if (rc != 0) {
        request_free(r);
        return rc;
    }
    *ret_request = r;
    return 0;
}

bool resolve_take(struct resolve *r, int *ret_status, struct addrinfo **ret_addresses)
{
    (void)pthread_mutex_lock(&r->mutex);
    bool finished = r->finished;
    (void)pthread_mutex_unlock(&r->mutex);
    if (!finished)
        return false;
    *ret_status = r->status;
    *ret_addresses = r->addresses;
    request_free(r);
    return true;
}

void resolve_cancel(struct resolve *r)
{
    (void)pthread_mutex_lock(&r->mutex);
    r->done = NULL;
    bool finished = r->finished;
    (void)pthread_mutex_unlock(&r->mutex);
    if (!finished)
        return; /* the thread frees it */
    if (r->addresses)
        freeaddrinfo(r->addresses);
    request_free(r);
}

bool resolve_numeric(const char *host, uint16_t port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    *ret_address = (struct sockaddr_storage){0};
    if (uv_ip4_addr(host, port, &v4) == 0) {
        memcpy(ret_address, &v4, sizeof(v4));
        return true;
    }
    if (uv_ip6_addr(host, port, &v6) == 0) {
        memcpy(ret_address, &v6, sizeof(v6));
        return true;
    }
    return false;
}

void resolve_numeric_text(const struct sockaddr *address, char *ret_text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    ret_text[0] = '\0';
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        if (uv_ip4_name(&v4, host, sizeof(host)) == 0)
            (void)snprintf(ret_text, size, "%s:%u", host, (unsigned)ntohs(v4.sin_port));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        if (uv_ip6_name(&v6, host, sizeof(host)) == 0)
            (void)snprintf(ret_text, size, "[%s]:%u", host, (unsigned)ntohs(v6.sin6_port));
    }
}
