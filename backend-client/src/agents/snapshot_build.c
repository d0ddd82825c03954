/* Sets of agents, their making: gathered in a builder, then made into one block that is never written again.
 *
 * Purpose: hold what a server (or the mock) said of its agents, for readers on any thread, for as long as any
 * of them likes. Happy path: set_builder_add copies each agent's strings behind each other and notes where
 * they stand; set_builder_finish allocates one block (the agents, their capability lists, the order of the
 * ids, the text) and makes pointers of offsets. The order of the ids is kept sorted while building: it finds
 * duplicates then and agents later, and unlike a hash table it cannot be attacked by a peer that chooses the ids.
 *
 * Failure modes: more agents or text than a set may hold: the set is cut before the first agent that does not fit,
 * and says so. No memory (-ENOMEM): the error sticks, and finishing gives it instead of a set, so a list torn by
 * our own failure is never shown. No id: that agent
 * alone is refused.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "snapshot_set.h"
#include "wire/text.h"

#define NO_TEXT UINT32_MAX

/* An agent before its set is made. Places are offsets into the builder's text, NO_TEXT for NULL. */
struct set_entry {
    struct ar_agent values; /* its pointers are not used */
    uint32_t id;
    uint32_t name;
    uint32_t type;
    uint32_t status;
    uint32_t swarm_id;
    uint32_t activity;
    uint32_t capabilities; /* values.capability_count strings, one behind the other */
};

/* ---- building ---- */

void set_builder_init(struct set_builder *b)
{
    buf_init(&b->entries, SET_MAX_AGENTS * sizeof(struct set_entry));
    buf_init(&b->text, SET_MAX_BYTES);
    buf_init(&b->by_id, SET_MAX_AGENTS * sizeof(uint32_t));
    b->count = 0;
    b->capability_count = 0;
    b->cut = false;
    b->error = 0;
}

void set_builder_done(struct set_builder *b)
{
    buf_done(&b->entries);
    buf_done(&b->text);
    buf_done(&b->by_id);
    b->count = 0;
    b->capability_count = 0;
    b->cut = false;
    b->error = 0;
}

static struct set_entry *entries_of(const struct set_builder *b)
{
    return (struct set_entry *)(void *)buf_data(&b->entries);
}

static uint32_t *order_of(const struct set_builder *b)
{
    return (uint32_t *)(void *)buf_data(&b->by_id);
}

/* Copies what fits of `string`, valid UTF-8 and NUL included, to `out`; returns the bytes written. */
static size_t clean_copy(const char *string, char out[SET_MAX_WORD_BYTES + 1])
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    size_t len = 0;
    while (*string != '\0') {
        size_t taken = (unsigned char)*string < 0x80 ? 1 : text_sequence(string);
        const char *from = taken > 0 ? string : replacement;
        size_t bytes = taken > 0 ? taken : sizeof(replacement) - 1;
        if (len + bytes > SET_MAX_WORD_BYTES)
            break;
        memcpy(out + len, from, bytes);
        len += bytes;
        string += taken > 0 ? taken : 1;
    }
    out[len] = '\0';
    return len + 1;
}

static int add_text(struct set_builder *b, const char *string, uint32_t *ret_place)
{
    char word[SET_MAX_WORD_BYTES + 1];
    *ret_place = NO_TEXT;
    if (!string)
        return 0;
    size_t place = buf_len(&b->text);
    int rc = buf_append(&b->text, word, clean_copy(string, word));
    if (rc == 0)
        *ret_place = (uint32_t)place; /* SET_MAX_BYTES is far below 2^32 */
    return rc;
}

/* Where an agent of this id belongs in by_id, and whether one is there. */
static size_t place_of(const struct set_builder *b, const char *id, bool *ret_there)
{
    const uint32_t *order = order_of(b);
    const struct set_entry *entries = entries_of(b);
    const char *text = buf_data(&b->text);
    size_t low = 0, high = b->count;
    *ret_there = false;
    /* Servers mostly list in the order of their ids: look at the end first. */
    if (high > 0 && strcmp(text + entries[order[high - 1]].id, id) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int compared = strcmp(text + entries[order[middle]].id, id);
        if (compared == 0) {
            *ret_there = true;
            return middle;
        }
        if (compared < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int add_to_order(struct set_builder *b, size_t place)
{
    char *room;
    int rc = buf_reserve(&b->by_id, sizeof(uint32_t), &room);
    if (rc != 0)
        return rc;
    buf_commit(&b->by_id, sizeof(uint32_t));
    uint32_t *order = order_of(b);
    memmove(order + place + 1, order + place, (b->count - place) * sizeof(uint32_t));
    order[place] = (uint32_t)b->count;
    return 0;
}

static int add_capabilities(struct set_builder *b, const struct ar_agent *agent, struct set_entry *entry)
{
    entry->values.capability_count = 0;
    entry->capabilities = (uint32_t)buf_len(&b->text);
    for (size_t i = 0; i < agent->capability_count; i++) {
        uint32_t place;
        if (!agent->capabilities[i])
            continue;
        if (entry->values.capability_count == SET_MAX_CAPABILITIES)
            break;
        int rc = add_text(b, agent->capabilities[i], &place);
        if (rc != 0)
            return rc;
        entry->values.capability_count++;
    }
    b->capability_count += entry->values.capability_count;
    return 0;
}

static int add_rest(struct set_builder *b, const struct ar_agent *agent, struct set_entry *entry)
{
    int rc = add_text(b, agent->name, &entry->name);
    if (rc == 0)
        rc = add_text(b, agent->type, &entry->type);
    if (rc == 0)
        rc = add_text(b, agent->status, &entry->status);
    if (rc == 0)
        rc = add_text(b, agent->swarm_id, &entry->swarm_id);
    if (rc == 0)
        rc = add_text(b, agent->activity, &entry->activity);
    if (rc == 0)
        rc = add_capabilities(b, agent, entry);
    if (rc == 0)
        rc = buf_append(&b->entries, entry, sizeof(*entry));
    return rc;
}

/* After a failure the builder may hold a part of the agent. */
static int add_entry(struct set_builder *b, const struct ar_agent *agent)
{
    struct set_entry entry = {.values = *agent};
    bool there;
    size_t text_before = buf_len(&b->text);
    int rc = add_text(b, agent->id, &entry.id);
    if (rc != 0)
        return rc;
    size_t place = place_of(b, buf_data(&b->text) + entry.id, &there);
    if (there) {
        buf_truncate(&b->text, text_before);
        return 0;
    }
    if (b->count == SET_MAX_AGENTS)
        return ERR_FULL;
    /* The order last: it needs the entry's number alone, and is all that could not be taken back. */
    rc = add_rest(b, agent, &entry);
    if (rc == 0)
        rc = add_to_order(b, place);
    if (rc == 0)
        b->count++;
    return rc;
}

int set_builder_add(struct set_builder *b, const struct ar_agent *agent)
{
    if (b->error != 0)
        return b->error;
    if (!agent->id || agent->id[0] == '\0')
        return ERR_TYPE;
    if (b->cut)
        return ERR_FULL;
    const size_t capabilities_before = b->capability_count;
    const size_t text_before = buf_len(&b->text);
    int rc = add_entry(b, agent);
    if (rc == ERR_TOO_LARGE || rc == ERR_FULL) {
        b->capability_count = capabilities_before;
        buf_truncate(&b->text, text_before);
        set_builder_cut(b);
        return ERR_FULL;
    }
    b->error = rc;
    return rc;
}

void set_builder_cut(struct set_builder *b)
{
    b->cut = true;
}

/* ---- finishing ---- */

/* Where the parts of the block stand, from its start. */
struct layout {
    size_t lists;
    size_t order;
    size_t text;
    size_t end;
};

static bool lay_out(const struct set_builder *b, struct layout *ret)
{
    size_t agents, lists, order;
    return size_mul(b->count, sizeof(struct ar_agent), &agents) &&
           size_mul(b->capability_count, sizeof(char *), &lists) &&
           size_mul(b->count, sizeof(uint32_t), &order) &&
           size_add(sizeof(struct agent_set), agents, &ret->lists) &&
           size_add(ret->lists, lists, &ret->order) && size_add(ret->order, order, &ret->text) &&
           size_add(ret->text, buf_len(&b->text), &ret->end);
}

static const char *string_at(const char *text, uint32_t place)
{
    return place == NO_TEXT ? NULL : text + place;
}

/* Returns the place behind the agent's capability list. */
static const char **fill_agent(struct ar_agent *agent, const struct set_entry *entry, const char *text,
                               const char **list)
{
    *agent = entry->values;
    agent->id = string_at(text, entry->id);
    agent->name = string_at(text, entry->name);
    agent->type = string_at(text, entry->type);
    agent->status = string_at(text, entry->status);
    agent->swarm_id = string_at(text, entry->swarm_id);
    agent->activity = string_at(text, entry->activity);
    agent->capabilities = agent->capability_count > 0 ? list : NULL;
    const char *word = text + entry->capabilities;
    for (size_t i = 0; i < agent->capability_count; i++, word += strlen(word) + 1)
        *list++ = word;
    return list;
}

static void fill_set(struct agent_set *set, const struct set_builder *b, const struct layout *at)
{
    char *block = (char *)set;
    const char **list = (const char **)(void *)(block + at->lists);
    const struct set_entry *entries = entries_of(b);
    atomic_init(&set->references, 1);
    set->count = b->count;
    set->any_mock = false;
    set->cut = b->cut;
    set->by_id = (const uint32_t *)(void *)(block + at->order);
    if (b->count == 0)
        return; /* the buffers may hold nothing at all, not even a place to copy from */
    memcpy(block + at->order, order_of(b), b->count * sizeof(uint32_t));
    memcpy(block + at->text, buf_data(&b->text), buf_len(&b->text));
    for (size_t i = 0; i < b->count; i++) {
        list = fill_agent(&set->agents[i], &entries[i], block + at->text, list);
        set->any_mock = set->any_mock || entries[i].values.mock;
    }
}

int set_builder_finish(struct set_builder *b, struct agent_set **ret_set)
{
    struct layout at;
    struct agent_set *set = NULL;
    int rc = b->error;
    if (rc == 0 && !lay_out(b, &at))
        rc = ERR_TOO_LARGE;
    if (rc == 0) {
        set = mem_alloc(at.end);
        rc = set ? 0 : -ENOMEM;
    }
    if (rc == 0) {
        fill_set(set, b, &at);
        *ret_set = set;
    }
    set_builder_done(b);
    return rc;
}
