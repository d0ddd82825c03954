/* Requests that wait for the relay: a list under a lock, checked at intervals. TCP_INFO says whether the peer
 * has closed, also while there are unread bytes (a pipelined request).
 */
#include "suspended_requests.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

int suspended_requests_init(struct suspended_requests *p)
{
    list_init(&p->all);
    return pthread_mutex_init(&p->lock, NULL) == 0 ? 0 : -ENOMEM;
}

void suspended_requests_done(struct suspended_requests *p)
{
    pthread_mutex_destroy(&p->lock);
}

void suspended_requests_add(struct suspended_requests *p, struct suspended_request *r, int fd)
{
    pthread_mutex_lock(&p->lock);
    r->fd = fd;
    r->call = 0;
    list_push_back(&p->all, &r->node);
    pthread_mutex_unlock(&p->lock);
}

/* Ids grow. A request's first call may be completed, and its second made, before the first one's id arrives
 * here. */
void suspended_requests_wait_for(struct suspended_requests *p, struct suspended_request *r, uint64_t call)
{
    pthread_mutex_lock(&p->lock);
    if (!list_empty(&r->node) && call > r->call)
        r->call = call;
    pthread_mutex_unlock(&p->lock);
}

void suspended_requests_remove(struct suspended_requests *p, struct suspended_request *r)
{
    pthread_mutex_lock(&p->lock);
    list_remove(&r->node);
    pthread_mutex_unlock(&p->lock);
}

static bool is_gone(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state != TCP_ESTABLISHED;
}

void suspended_requests_check(struct suspended_requests *p, struct ar_client *client)
{
    pthread_mutex_lock(&p->lock);
    LIST_EACH(it, safe, &p->all)
    {
        struct suspended_request *r = CONTAINER_OF(it, struct suspended_request, node);
        if (r->call == 0 || !is_gone(r->fd))
            continue;
        /* It completes the call, or the call is complete: either way the answer comes. Refused (no memory):
         * again at the next check. */
        if (ar_cancel(client, r->call) == AR_OK)
            r->call = 0;
    }
    pthread_mutex_unlock(&p->lock);
}
