/* The hub of the event stream.
 *
 * Happy path: hub_publish makes one text, puts it in the place of its kind, resumes the suspended readers;
 * each reader copies from the shared text and releases it at its end.
 *
 * Order: every publication has a stamp. Agents events include the health, so a health event is only sent when
 * it is younger than the agents event sent last: a reader never goes back in time. Failure modes: out of
 * memory in a publication leaves the event before it; the next one makes up for it. Texts that slow readers hold
 * are in a budget: beyond it, the slowest are ended.
 */
#include "hub.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"

#define RETRY_MS   1000 /* how soon a browser connects again */
#define HEAD_SIZE  96
#define KEEP_ALIVE ": still here\n\n"

struct slot {
    struct shared_text *text; /* NULL: nothing yet */
    uint64_t stamp;
};

struct hub {
    pthread_mutex_t lock;
    struct hub_ops ops;
    struct budget *budget; /* borrowed */
    struct list readers;
    size_t reader_count;
    struct slot newest[HUB_KINDS];
    struct slot first; /* the first event of the newest reader */
    uint64_t first_at_ms;
    struct shared_text *keep_alive;
    uint64_t stamp;
    uint64_t keep_alives;
    bool closed;
};

struct hub_reader {
    struct hub *hub;
    struct list node;
    void *connection;
    struct shared_text *current; /* NULL: between two events */
    size_t offset;
    uint64_t begun_ms;        /* `current` */
    uint64_t seen[HUB_KINDS]; /* stamps */
    uint64_t keep_alives;
    bool suspended;
    bool ended; /* its text was needed for others: it gets no more */
};

static const char *const kind_names[] = {"agents", "health"};

/* ---- texts ---- */

static struct shared_text *event_new(struct hub *hub, enum hub_kind kind, uint64_t version, bool first,
                                     const char *json, size_t len)
{
    char head[HEAD_SIZE];
    int used = first ? snprintf(head, sizeof(head), "retry: %d\n", RETRY_MS) : 0;
    used += snprintf(head + used, sizeof(head) - (size_t)used, "id: %" PRIu64 "\nevent: %s\ndata: ", version,
                     kind_names[kind]);
    return shared_text_new(hub->budget, head, (size_t)used, json, len, "\n\n", 2);
}

/* ---- the hub ---- */

int hub_new(const struct hub_ops *ops, struct budget *budget, struct hub **ret_hub)
{
    struct hub *hub = mem_zalloc(sizeof(*hub));
    if (!hub)
        return -ENOMEM;
    hub->keep_alive = shared_text_new(budget, KEEP_ALIVE, sizeof(KEEP_ALIVE) - 1, "", 0, "", 0);
    if (!hub->keep_alive || pthread_mutex_init(&hub->lock, NULL) != 0) {
        shared_text_release(hub->keep_alive);
        mem_free(hub);
        return -ENOMEM;
    }
    hub->ops = *ops;
    hub->budget = budget;
    list_init(&hub->readers);
    *ret_hub = hub;
    return 0;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    for (size_t i = 0; i < HUB_KINDS; i++)
        shared_text_release(hub->newest[i].text);
    shared_text_release(hub->first.text);
    shared_text_release(hub->keep_alive);
    pthread_mutex_destroy(&hub->lock);
    mem_free(hub);
}

static void wake_all(struct hub *hub)
{
    LIST_EACH(it, safe, &hub->readers)
    {
        struct hub_reader *r = CONTAINER_OF(it, struct hub_reader, node);
        if (!r->suspended)
            continue;
        r->suspended = false;
        hub->ops.resume(r->connection);
    }
}

/* It is read by somebody, and given to nobody any more. */
static bool is_old(const struct hub *hub, const struct shared_text *text)
{
    return text && text != hub->newest[HUB_AGENTS].text && text != hub->newest[HUB_HEALTH].text &&
           text != hub->first.text && text != hub->keep_alive;
}

/* The reader that has read the longest on an old text; NULL: there is none. */
static struct hub_reader *find_slowest(const struct hub *hub)
{
    struct hub_reader *slowest = NULL;
    LIST_EACH(it, safe, &hub->readers)
    {
        struct hub_reader *r = CONTAINER_OF(it, struct hub_reader, node);
        if (is_old(hub, r->current) && (!slowest || r->begun_ms < slowest->begun_ms))
            slowest = r;
    }
    return slowest;
}

/* Ends readers until `bytes` fit into the budget, the slowest first: each has a text that was replaced long ago. */
static bool make_room(struct hub *hub, size_t bytes)
{
    struct hub_reader *r;
    while (!budget_has_room(hub->budget, bytes) && (r = find_slowest(hub))) {
        shared_text_release(r->current);
        r->current = NULL;
        r->ended = true;
    }
    return budget_has_room(hub->budget, bytes);
}

bool hub_has_room(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    const struct shared_text *like =
        hub->newest[HUB_AGENTS].text ? hub->newest[HUB_AGENTS].text : hub->first.text;
    bool room = make_room(hub, like ? like->len : 0);
    pthread_mutex_unlock(&hub->lock);
    return room;
}

int hub_publish(struct hub *hub, enum hub_kind kind, uint64_t version, const char *json, size_t len)
{
    struct shared_text *text = event_new(hub, kind, version, false, json, len);
    if (!text)
        return -ENOMEM;
    pthread_mutex_lock(&hub->lock);
    shared_text_release(hub->newest[kind].text);
    hub->newest[kind] = (struct slot){.text = text, .stamp = ++hub->stamp};
    (void)make_room(hub, 0); /* where that does not do, others hold the rest */
    wake_all(hub);
    pthread_mutex_unlock(&hub->lock);
    return 0;
}

void hub_keep_alive(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->keep_alives++;
    wake_all(hub);
    pthread_mutex_unlock(&hub->lock);
}

void hub_close(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->closed = true;
    wake_all(hub);
    pthread_mutex_unlock(&hub->lock);
}

uint64_t hub_stamp(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    uint64_t stamp = hub->stamp;
    pthread_mutex_unlock(&hub->lock);
    return stamp;
}

size_t hub_reader_count(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    size_t count = hub->reader_count;
    pthread_mutex_unlock(&hub->lock);
    return count;
}

/* ---- readers ---- */

static void take(struct hub_reader *r, struct shared_text *text, uint64_t now_ms)
{
    r->current = shared_text_retain(text);
    r->offset = 0;
    r->begun_ms = now_ms;
}

/* Also when something was published after `stamp`: it comes next then. */
static void keep_first(struct hub *hub, struct shared_text *text, uint64_t stamp, uint64_t now_ms)
{
    shared_text_release(hub->first.text);
    hub->first = (struct slot){.text = text, .stamp = stamp};
    hub->first_at_ms = now_ms;
}

static bool first_is_fresh(const struct hub *hub, uint64_t now_ms)
{
    return hub->first.text && hub->first.stamp == hub->stamp && now_ms - hub->first_at_ms <= HUB_SHARE_MS;
}

int hub_join(struct hub *hub, void *connection, uint64_t now_ms, const struct hub_first *first,
             struct hub_reader **ret_reader)
{
    struct hub_reader *r = mem_zalloc(sizeof(*r));
    struct shared_text *text =
        first ? event_new(hub, HUB_AGENTS, first->version, true, first->json, first->len) : NULL;
    if (!r || (first && !text)) {
        mem_free(r);
        shared_text_release(text);
        return -ENOMEM;
    }
    *r = (struct hub_reader){.hub = hub, .connection = connection};
    list_init(&r->node);
    pthread_mutex_lock(&hub->lock);
    if (text)
        keep_first(hub, text, first->stamp, now_ms);
    bool joins = text || first_is_fresh(hub, now_ms);
    if (joins) {
        take(r, hub->first.text, now_ms);
        r->seen[HUB_AGENTS] = r->seen[HUB_HEALTH] = hub->first.stamp;
        r->keep_alives = hub->keep_alives;
        list_push_back(&hub->readers, &r->node);
        hub->reader_count++;
    }
    pthread_mutex_unlock(&hub->lock);
    if (!joins) {
        mem_free(r);
        return ERR_NOT_FOUND;
    }
    *ret_reader = r;
    return 0;
}

void hub_leave(struct hub_reader *reader)
{
    struct hub *hub = reader->hub;
    pthread_mutex_lock(&hub->lock);
    list_remove(&reader->node);
    hub->reader_count--;
    shared_text_release(reader->current);
    pthread_mutex_unlock(&hub->lock);
    mem_free(reader);
}

/* Takes the text to send next; false where there is none. */
static bool choose(struct hub_reader *r, uint64_t now_ms)
{
    const struct hub *hub = r->hub;
    const struct slot *agents = &hub->newest[HUB_AGENTS];
    const struct slot *health = &hub->newest[HUB_HEALTH];
    struct shared_text *text;
    if (agents->stamp > r->seen[HUB_AGENTS]) {
        text = agents->text;
        r->seen[HUB_AGENTS] = agents->stamp;
    } else if (health->stamp > r->seen[HUB_HEALTH] && health->stamp > r->seen[HUB_AGENTS]) {
        text = health->text;
        r->seen[HUB_HEALTH] = health->stamp;
    } else if (hub->keep_alives != r->keep_alives) {
        text = hub->keep_alive;
    } else {
        return false;
    }
    r->keep_alives = hub->keep_alives; /* any event counts as a keep-alive */
    take(r, text, now_ms);
    return true;
}

static size_t copy_some(struct hub_reader *r, char *into, size_t max)
{
    size_t left = r->current->len - r->offset;
    size_t n = left < max ? left : max;
    memcpy(into, r->current->bytes + r->offset, n);
    r->offset += n;
    if (r->offset == r->current->len) {
        shared_text_release(r->current);
        r->current = NULL;
    }
    return n;
}

ssize_t hub_read(struct hub_reader *reader, uint64_t now_ms, char *into, size_t max)
{
    struct hub *hub = reader->hub;
    ssize_t result = 0;
    pthread_mutex_lock(&hub->lock);
    bool late = reader->current && now_ms - reader->begun_ms > HUB_EVENT_MAX_MS;
    if (late || reader->ended || (!reader->current && hub->closed)) {
        result = HUB_END;
    } else if (reader->current || choose(reader, now_ms)) {
        result = (ssize_t)copy_some(reader, into, max);
    } else {
        reader->suspended = true;
        hub->ops.suspend(reader->connection);
    }
    pthread_mutex_unlock(&hub->lock);
    return result;
}
