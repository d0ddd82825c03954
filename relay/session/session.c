/* Sessions and the set of them.
 *
 * session_open binds the link in the router first, so that a server that does not exist costs nothing; the
 * set is an intrusive list in the order of arrival, so that views need no sorting and adding cannot fail.
 */
#include "session/session.h"

#include <assert.h>
#include <errno.h>

#include "base/alloc.h"

void session_set_init(struct session_set *set, struct router *router)
{
    *set = (struct session_set){.router = router, .next_id = 1};
    list_init(&set->sessions);
}

void session_set_done(struct session_set *set)
{
    assert(set->count == 0);
    set->router = NULL;
}

void session_set_traffic(const struct session_set *set, uint64_t *ret_bytes_in, uint64_t *ret_bytes_out)
{
    uint64_t in = set->closed_bytes_in;
    uint64_t out = set->closed_bytes_out;
    LIST_EACH(node, next, &set->sessions)
    {
        const struct session *s = CONTAINER_OF(node, struct session, node);
        in += *s->traffic.bytes_in;
        out += *s->traffic.bytes_out;
    }
    *ret_bytes_in = in;
    *ret_bytes_out = out;
}

int session_open(struct session_set *set, const struct session_origin *origin,
                 const struct session_traffic *traffic, const char *server, struct link *link,
                 uint64_t now_ms, struct session **ret_session)
{
    struct session *s = mem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    int rc = route_session_open(set->router, server, link, s, now_ms, &s->route);
    if (rc != 0) {
        mem_free(s);
        return rc;
    }
    s->set = set;
    s->link = link;
    s->traffic = *traffic;
    s->origin = *origin;
    s->permission = origin->local ? SESSION_ADMIN : SESSION_READ;
    s->id = set->next_id++;
    s->since_ms = now_ms;
    list_push_back(&set->sessions, &s->node);
    set->count++;
    *ret_session = s;
    return 0;
}

void session_close(struct session *s, uint64_t now_ms)
{
    struct session_set *set = s->set;
    route_session_close(s->route, now_ms);
    set->closed_bytes_in += *s->traffic.bytes_in;
    set->closed_bytes_out += *s->traffic.bytes_out;
    set->count--;
    list_remove(&s->node);
    mem_free(s);
}

bool session_may(const struct session *s, enum session_permission needed)
{
    return s->permission >= needed;
}

const char *session_transport_name(enum session_transport transport)
{
    static const char *const names[] = {[SESSION_TCP] = "tcp", [SESSION_UNIX] = "unix"};
    return names[transport];
}

const char *session_permission_name(enum session_permission permission)
{
    static const char *const names[] = {[SESSION_READ] = "read", [SESSION_ADMIN] = "admin"};
    return names[permission];
}
