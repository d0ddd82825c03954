/* One struct server_info per server, made on demand from what its supervisors know. Nothing here can fail. */
#include "server/server_internal.h"

/* Session sharing: the child with the highest weight stands for all. */
static int weight(const struct supervisor *s)
{
    switch (s->state) {
    case SUPERVISOR_READY:
        return 6;
    case SUPERVISOR_STARTING:
        return 5;
    case SUPERVISOR_DRAINING:
    case SUPERVISOR_STOPPING:
        return 4;
    case SUPERVISOR_CRASH_LOOP:
        return 3;
    case SUPERVISOR_BACKING_OFF:
        return 2;
    case SUPERVISOR_DOWN:
        return 1;
    }
    return 0;
}

static void describe_children(const struct server *server, struct server_info *info)
{
    const struct supervisor *first = NULL;
    LIST_EACH(it, safe, &server->supervisors)
    {
        const struct supervisor *s = CONTAINER_OF(it, struct supervisor, node);
        info->children += s->instance ? 1 : 0;
        if (!first || weight(s) > weight(first))
            first = s;
    }
    if (!first)
        return;
    info->state = supervisor_state_name(first->state);
    if (!info->note)
        info->note = first->detail;
    if (first->state == SUPERVISOR_BACKING_OFF || first->state == SUPERVISOR_CRASH_LOOP)
        info->retry_at_ms = first->timer.at_ms;
    if (!first->instance)
        return;
    struct instance_pids pids = supervisor_pids(first);
    info->pid = pids.pid;
    info->keeper_pid = pids.keeper_pid;
    if (first->was_ready)
        info->uptime_ms = loop_real_ms(server->set->options.loop) - first->ready_real_ms;
}

static struct server_info make_info(const struct server *server)
{
    struct server_info info = {.name = server->name,
                               .state = supervisor_state_name(SUPERVISOR_DOWN),
                               .sharing = server->sharing,
                               .remote = server->config && server->config->remote,
                               .disabled = server->config && server->config->disabled,
                               .note = server_unavailable(server),
                               .generation = server->generation,
                               .restarts = server->restarts,
                               .exited = server->exited,
                               .exit_status = server->exit_status,
                               .term_signal = server->term_signal,
                               .route = server->route};
    describe_children(server, &info);
    if (server->sharing == SHARING_PER_SESSION && info.children == 0 && server->backoff.open) {
        info.state = supervisor_state_name(SUPERVISOR_CRASH_LOOP);
        info.retry_at_ms = server->backoff.next_at_ms;
    }
    return info;
}

void server_set_each(struct server_set *set, server_info_cb *on_server, void *data)
{
    LIST_EACH(it, safe, &set->servers)
    {
        struct server_info info = make_info(CONTAINER_OF(it, struct server, node));
        on_server(data, &info);
    }
}
