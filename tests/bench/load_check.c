/* Is an answer the one that this connection waits for? The id names the slot, and the text begins with the
 * connection's tag: all connections use the same ids, so an answer that went astray shows by its tag. The
 * exact length of an NDJSON answer is known as well; --verify compares every byte on top.
 */
#include <stdio.h>
#include <string.h>

#include "load.h"

static const char prefix[] = "{\"jsonrpc\":\"2.0\",\"id\":";
static const char result[] = ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"";
static const char closing[] = "\"}]}}";
static const char error[] = ",\"error\":";

static bool starts(const char *at, size_t len, const char *text, size_t text_len)
{
    return len >= text_len && memcmp(at, text, text_len) == 0;
}

static size_t read_id(const char *at, size_t len, uint64_t *ret_id)
{
    size_t n = 0;
    uint64_t id = 0;
    for (; n < len && n < 19 && at[n] >= '0' && at[n] <= '9'; n++)
        id = id * 10 + (uint64_t)(at[n] - '0');
    *ret_id = id;
    return n;
}

static struct slot *slot_of(const struct conn *c, uint64_t id)
{
    struct slot *s = id == 0 ? NULL : &c->slots[id % c->slot_count];
    return s && s->id == id ? s : NULL;
}

static bool tag_is(const struct conn *c, const char *at, size_t len)
{
    char tag[LOAD_TAG_BYTES + 1];
    (void)snprintf(tag, sizeof(tag), "%05x", c->index);
    return starts(at, len, tag, LOAD_TAG_BYTES);
}

enum answer check_line(const struct conn *c, const char *at, size_t len, size_t total, struct slot **ret_slot)
{
    uint64_t id;
    if (!starts(at, len, prefix, sizeof(prefix) - 1))
        return ANSWER_WRONG;
    size_t pos = sizeof(prefix) - 1;
    pos += read_id(at + pos, len - pos, &id);
    if (!(*ret_slot = slot_of(c, id)))
        return ANSWER_WRONG;
    if (starts(at + pos, len - pos, error, sizeof(error) - 1))
        return ANSWER_ERROR;
    if (!starts(at + pos, len - pos, result, sizeof(result) - 1))
        return ANSWER_WRONG;
    pos += sizeof(result) - 1;
    if (!tag_is(c, at + pos, len - pos))
        return ANSWER_WRONG;
    pos += LOAD_TAG_BYTES;
    if (total != pos + c->load->filler_len + sizeof(closing) - 1)
        return ANSWER_WRONG;
    if (!c->load->options->verify)
        return ANSWER_OK;
    bool same = len == total && memcmp(at + pos, c->load->tail, c->load->filler_len) == 0 &&
                memcmp(at + pos + c->load->filler_len, closing, sizeof(closing) - 1) == 0;
    return same ? ANSWER_OK : ANSWER_WRONG;
}

enum answer check_json(const struct conn *c, const char *at, size_t len, struct slot **ret_slot)
{
    static const char id_key[] = "\"id\":", text_key[] = "\"text\":\"";
    uint64_t id;
    const char *key = memmem(at, len, id_key, sizeof(id_key) - 1);
    if (!key)
        return ANSWER_WRONG;
    key += sizeof(id_key) - 1;
    read_id(key, (size_t)(at + len - key), &id);
    if (!(*ret_slot = slot_of(c, id)))
        return ANSWER_WRONG;
    const char *text = memmem(at, len, text_key, sizeof(text_key) - 1);
    if (!text)
        return ANSWER_ERROR;
    text += sizeof(text_key) - 1;
    size_t rest = (size_t)(at + len - text);
    if (!tag_is(c, text, rest) || rest < LOAD_TAG_BYTES + c->load->filler_len + 1)
        return ANSWER_WRONG;
    return text[LOAD_TAG_BYTES + c->load->filler_len] == '"' ? ANSWER_OK : ANSWER_WRONG;
}
