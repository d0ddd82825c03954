/* The hub of the event stream.
 *
 * Happy path: hub_publish makes one text, puts it in the place of its kind, resumes the suspended readers;
 * each reader copies from the shared text and releases it at its end.
 *
 * Order: every publication has a stamp. Agents events include the health, so a health event is only sent when
 * it is younger than the agents event sent last: a reader never goes back in time. Failure modes: out of
 * memory in a publication leaves the event before it; the next one makes up for it.
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

struct text {
    size_t refs; /* under the hub's lock */
    size_t len;
    char bytes[];
};

struct slot {
    struct text *text; /* NULL: nothing yet */
    uint64_t stamp;
};

struct hub {
    pthread_mutex_t lock;
    struct hub_ops ops;
    struct list readers;
    size_t reader_count;
    struct slot newest[HUB_KINDS];
    struct slot first; /* the first event of the newest reader */
    uint64_t first_at_ms;
    struct text *keep_alive;
    uint64_t stamp;
    uint64_t keep_alives;
    bool closed;
};

struct hub_reader {
    struct hub *hub;
    struct list node;
    void *connection;
    struct text *current; /* NULL: between two events */
    size_t offset;
    uint64_t begun_ms;        /* `current` */
    uint64_t seen[HUB_KINDS]; /* stamps */
    uint64_t keep_alives;
    bool suspended;
};

static const char *const kind_names[] = {"agents", "health"};

/* ---- texts ---- */

static struct text *text_new(const char *head, size_t head_len, const char *body, size_t body_len,
                             const char *tail)
{
    size_t tail_len = strlen(tail);
    size_t len, size;
    if (!size_add(head_len, body_len, &len) || !size_add(len, tail_len, &len) ||
        !size_add(len, sizeof(struct text), &size))
        return NULL;
    struct text *t = mem_alloc(size);
    if (!t)
        return NULL;
    t->refs = 1;
    t->len = len;
    memcpy(t->bytes, head, head_len);
    memcpy(t->bytes + head_len, body, body_len);
    memcpy(t->bytes + head_len + body_len, tail, tail_len);
    return t;
}

static struct text *event_new(enum hub_kind kind, uint64_t version, bool first, const char *json, size_t len)
{
    char head[HEAD_SIZE];
    int used = first ? snprintf(head, sizeof(head), "retry: %d\n", RETRY_MS) : 0;
    used += snprintf(head + used, sizeof(head) - (size_t)used, "id: %" PRIu64 "\nevent: %s\ndata: ", version,
                     kind_names[kind]);
    return text_new(head, (size_t)used, json, len, "\n\n");
}

static void text_release(struct text *t)
{
    if (t && --t->refs == 0)
        mem_free(t);
}

/* ---- the hub ---- */

int hub_new(const struct hub_ops *ops, struct hub **ret_hub)
{
    struct hub *hub = mem_zalloc(sizeof(*hub));
    if (!hub)
        return -ENOMEM;
    hub->keep_alive = text_new(KEEP_ALIVE, sizeof(KEEP_ALIVE) - 1, "", 0, "");
    if (!hub->keep_alive || pthread_mutex_init(&hub->lock, NULL) != 0) {
        mem_free(hub->keep_alive);
        mem_free(hub);
        return -ENOMEM;
    }
    hub->ops = *ops;
    list_init(&hub->readers);
    *ret_hub = hub;
    return 0;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    for (size_t i = 0; i < HUB_KINDS; i++)
        text_release(hub->newest[i].text);
    text_release(hub->first.text);
    text_release(hub->keep_alive);
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

int hub_publish(struct hub *hub, enum hub_kind kind, uint64_t version, const char *json, size_t len)
{
    struct text *text = event_new(kind, version, false, json, len);
    if (!text)
        return -ENOMEM;
    pthread_mutex_lock(&hub->lock);
    text_release(hub->newest[kind].text);
    hub->newest[kind] = (struct slot){.text = text, .stamp = ++hub->stamp};
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

static void take(struct hub_reader *r, struct text *text, uint64_t now_ms)
{
    text->refs++;
    r->current = text;
    r->offset = 0;
    r->begun_ms = now_ms;
}

/* Also when something was published after `stamp`: it comes next then. */
static void keep_first(struct hub *hub, struct text *text, uint64_t stamp, uint64_t now_ms)
{
    text_release(hub->first.text);
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
    struct text *text = first ? event_new(HUB_AGENTS, first->version, true, first->json, first->len) : NULL;
    if (!r || (first && !text)) {
        mem_free(r);
        mem_free(text);
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
    text_release(reader->current);
    pthread_mutex_unlock(&hub->lock);
    mem_free(reader);
}

/* Takes the text to send next; false where there is none. */
static bool choose(struct hub_reader *r, uint64_t now_ms)
{
    const struct hub *hub = r->hub;
    const struct slot *agents = &hub->newest[HUB_AGENTS];
    const struct slot *health = &hub->newest[HUB_HEALTH];
    struct text *text;
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
        text_release(r->current);
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
    if (late || (!reader->current && hub->closed)) {
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
