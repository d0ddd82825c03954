/* A table of ids with their owners. One that cannot be recorded (no memory, an id too long) is completed to
 * nobody. */
#include "mcp/elicitations.h"

#include <string.h>

#include "base/alloc.h"
#include "wire/json_member.h"

#define URL_ELICITATION_REQUIRED "-32042"

struct elicitation {
    struct map_node node;
    struct list upstream_node;
    struct upstream *upstream;
    struct route_session *owner;
    size_t id_len;
    char id[]; /* decoded */
};

struct elicitation_id {
    size_t len;
    char bytes[ELICITATION_ID_MAX];
};

static bool read_id(const char *text, struct span at, struct elicitation_id *ret_id)
{
    if (!json_span_is_string(text, at))
        return false;
    ret_id->len = rpc_decode_string(text + at.off, at.len, ret_id->bytes, sizeof(ret_id->bytes));
    return ret_id->len != SIZE_MAX;
}

static bool is_elicitation(const struct map_node *node, const void *key)
{
    const struct elicitation_id *want = key;
    const struct elicitation *e = CONST_CONTAINER_OF(node, struct elicitation, node);
    return e->id_len == want->len && memcmp(e->id, want->bytes, want->len) == 0;
}

static struct elicitation *find(const struct upstream *upstream, const struct elicitation_id *id)
{
    struct map_node *node =
        map_find(&upstream->protocol->elicitations, hash_bytes(id->bytes, id->len), is_elicitation, id);
    return node ? CONTAINER_OF(node, struct elicitation, node) : NULL;
}

static void forget(struct elicitation *e)
{
    map_remove(&e->upstream->protocol->elicitations, &e->node);
    list_remove(&e->upstream_node);
    mem_free(e);
}

static struct elicitation *oldest(struct upstream *upstream)
{
    return list_empty(&upstream->protocol->elicitation_list)
               ? NULL
               : CONTAINER_OF(upstream->protocol->elicitation_list.next, struct elicitation, upstream_node);
}

static void add(struct route_session *s, const struct elicitation_id *id)
{
    struct upstream *upstream = s->upstream;
    if (find(upstream, id))
        return;
    struct elicitation *last =
        upstream->protocol->elicitations.count >= ELICITATIONS_MAX ? oldest(upstream) : NULL;
    if (last)
        forget(last);
    struct elicitation *e = mem_alloc(sizeof(*e) + id->len);
    if (!e)
        return;
    e->upstream = upstream;
    e->owner = s;
    e->id_len = id->len;
    memcpy(e->id, id->bytes, id->len);
    if (map_add(&upstream->protocol->elicitations, &e->node, hash_bytes(id->bytes, id->len))) {
        mem_free(e);
        return;
    }
    list_push_back(&upstream->protocol->elicitation_list, &e->upstream_node);
}

void elicitations_note(struct route_session *s, const struct frame *answer)
{
    const char *text = answer->bytes;
    const struct span error = answer->env.error;
    if (!span_found(error) || !memmem(text + error.off, error.len, URL_ELICITATION_REQUIRED, 6))
        return;
    struct span code = json_member(text, error, "code");
    struct span all = json_submember(text, error, "data", "elicitations");
    if (code.len != 6 || memcmp(text + code.off, URL_ELICITATION_REQUIRED, 6) != 0 || all.len < 2 ||
        text[all.off] != '[')
        return;
    struct span one;
    size_t pos = 0;
    while (json_element_next(text + all.off, all.len, &pos, &one)) {
        struct elicitation_id id;
        one.off += all.off;
        if (read_id(text, json_member(text, one, "elicitationId"), &id))
            add(s, &id);
    }
}

struct route_session *elicitations_complete(struct upstream *upstream, const struct frame *frame)
{
    struct elicitation_id id;
    if (!read_id(frame->bytes, json_member(frame->bytes, frame->env.params, "elicitationId"), &id))
        return NULL;
    struct elicitation *e = find(upstream, &id);
    if (!e)
        return NULL;
    struct route_session *owner = e->owner;
    forget(e);
    return owner;
}

void elicitations_leave(struct route_session *s)
{
    LIST_EACH(node, next, &s->upstream->protocol->elicitation_list)
    {
        struct elicitation *e = CONTAINER_OF(node, struct elicitation, upstream_node);
        if (e->owner == s)
            forget(e);
    }
}

void elicitations_forget(struct upstream *upstream)
{
    struct elicitation *e;
    while ((e = oldest(upstream)))
        forget(e);
}
