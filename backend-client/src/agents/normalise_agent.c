/* The normaliser: what the keys of one agent mean.
 *
 * Purpose: read one agent by the rules of normalise_rules.c. Happy path: one pass over the object's keys
 * notes which rules have a value; then the rules are applied in their order, and the first usable value of a
 * member counts. Where a key stands twice in an object, its last value does, as everywhere.
 *
 * Failure modes: a value that cannot be used (null, wrong type, out of range) is passed over, as if it were
 * absent. No id: no agent. No room in the set: its builder's error.
 */
#include <stddef.h>
#include <string.h>

#include "normalise_agent.h"
#include "normalise_rules.h"

/* One agent under way. */
struct subject {
    struct json_doc *doc;
    json_node node;
    json_node values[NORMALISE_RULES]; /* what each rule's key holds */
    const char *words[SET_MAX_CAPABILITIES];
    struct ar_agent agent;
};

/* ---- which rules have a value ---- */

static void note_key(struct subject *s, enum group group, const char *key, json_node value)
{
    for (size_t i = 0; i < NORMALISE_RULES; i++) {
        const struct rule *rule = &normalise_rules[i];
        if (rule->group == group && rule->key[0] == key[0] && strcmp(rule->key, key) == 0)
            s->values[i] = value;
    }
}

static void note_object(struct subject *s, enum group group, json_node object)
{
    if (json_type(s->doc, object) != JSON_OBJECT)
        return;
    for (json_node at = json_first(s->doc, object); at != JSON_ABSENT; at = json_next(s->doc, at)) {
        const char *key = json_string(s->doc, at, NULL);
        if (key)
            note_key(s, group, key, json_value(s->doc, at));
    }
}

static void note_all(struct subject *s)
{
    for (size_t i = 0; i < NORMALISE_RULES; i++)
        s->values[i] = JSON_ABSENT;
    note_object(s, OWN, s->node);
    for (enum group group = OWN + 1; group < GROUP_COUNT; group++)
        note_object(s, group, json_get(s->doc, s->node, normalise_groups[group]));
}

/* ---- reading ---- */

static const char *read_text(struct subject *s, json_node value)
{
    const char *text = json_string(s->doc, value, NULL);
    return text && text[0] != '\0' ? text : NULL;
}

static void read_words(struct subject *s, json_node value)
{
    size_t count = 0;
    if (json_type(s->doc, value) != JSON_ARRAY)
        return;
    for (json_node at = json_first(s->doc, value); at != JSON_ABSENT && count < SET_MAX_CAPABILITIES;
         at = json_next(s->doc, at)) {
        const char *text = read_text(s, at);
        if (text)
            s->words[count++] = text;
    }
    s->agent.capabilities = s->words;
    s->agent.capability_count = count;
}

static bool counts_health_in_shares(const struct subject *s)
{
    return json_get(s->doc, s->node, "agentId") != JSON_ABSENT &&
           json_get(s->doc, s->node, "agentType") != JSON_ABSENT;
}

static double read_health(struct subject *s, json_node value)
{
    double number;
    const char *word = json_string(s->doc, value, NULL);
    if (word)
        return value_health_word(word);
    return json_double(s->doc, value, &number) ? value_health(number, counts_health_in_shares(s)) : AR_ABSENT;
}

static double read_share(const struct subject *s, json_node value)
{
    double number;
    return json_double(s->doc, value, &number) ? value_share(number) : AR_ABSENT;
}

static int64_t read_count(const struct subject *s, json_node value)
{
    int64_t number;
    return json_int(s->doc, value, 0, INT64_MAX, &number) ? number : AR_ABSENT;
}

static int64_t read_time(struct subject *s, json_node value)
{
    double number;
    const char *text = json_string(s->doc, value, NULL);
    if (text)
        return value_iso_time(text);
    return json_double(s->doc, value, &number) ? value_unix_time(number) : AR_ABSENT;
}

static bool read_flag(const struct subject *s, json_node value)
{
    bool flag;
    return json_bool(s->doc, value, &flag) && flag;
}

static bool read_is(struct subject *s, json_node value, const char *word)
{
    const char *text = json_string(s->doc, value, NULL);
    return text && strcmp(text, word) == 0;
}

/* ---- applying ---- */

/* A member that a rule fills, by its offset. */
static void *member_of(struct subject *s, const struct rule *rule)
{
    return (char *)&s->agent + rule->member;
}

static void fill_text(struct subject *s, const struct rule *rule, json_node value)
{
    const char **member = member_of(s, rule);
    if (!*member)
        *member = read_text(s, value);
}

static void fill_real(struct subject *s, const struct rule *rule, json_node value)
{
    double *member = member_of(s, rule);
    if (*member < 0)
        *member = rule->reading == HEALTH ? read_health(s, value) : read_share(s, value);
}

static void fill_whole(struct subject *s, const struct rule *rule, json_node value)
{
    int64_t *member = member_of(s, rule);
    if (*member < 0)
        *member = rule->reading == COUNT ? read_count(s, value) : read_time(s, value);
}

static void fill_flag(struct subject *s, const struct rule *rule, json_node value)
{
    bool *member = member_of(s, rule);
    bool says = rule->reading == FLAG      ? read_flag(s, value)
                : rule->reading == IS_MOCK ? read_is(s, value, "mock")
                                           : read_is(s, value, "mock-swarm");
    *member = *member || says;
}

static void apply(struct subject *s, const struct rule *rule, json_node value)
{
    switch (rule->reading) {
    case TEXT:
        fill_text(s, rule, value);
        break;
    case WORDS:
        if (s->agent.capability_count == 0)
            read_words(s, value);
        break;
    case HEALTH:
    case SHARE:
        fill_real(s, rule, value);
        break;
    case COUNT:
    case TIME:
        fill_whole(s, rule, value);
        break;
    case FLAG:
    case IS_MOCK:
    case IS_SWARM:
        fill_flag(s, rule, value);
        break;
    }
}

static void read_agent(struct subject *s)
{
    note_all(s);
    s->agent = agent_of_id(NULL);
    for (size_t i = 0; i < NORMALISE_RULES; i++) {
        if (s->values[i] != JSON_ABSENT)
            apply(s, &normalise_rules[i], s->values[i]);
    }
}

int normalise_agent(struct json_doc *doc, json_node node, bool mock, struct set_builder *builder)
{
    struct subject s = {.doc = doc, .node = node};
    if (json_type(doc, node) != JSON_OBJECT)
        return 0;
    read_agent(&s);
    if (!s.agent.id)
        return 0;
    s.agent.mock = s.agent.mock || mock;
    return set_builder_add(builder, &s.agent);
}

bool normalise_says_mock(struct json_doc *doc, json_node object)
{
    struct subject s = {.doc = doc, .node = object};
    if (json_type(doc, object) != JSON_OBJECT)
        return false;
    read_agent(&s);
    return s.agent.mock;
}
