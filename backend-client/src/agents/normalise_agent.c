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

static void note_object(struct subject *s, enum group group, json_node object)
{
    if (json_type(s->doc, object) != JSON_OBJECT)
        return;
    for (json_node at = json_first(s->doc, object); at != JSON_ABSENT; at = json_next(s->doc, at)) {
        const char *key = json_string(s->doc, at, NULL);
        for (size_t i = 0; key && i < NORMALISE_RULES; i++) {
            const struct rule *rule = &normalise_rules[i];
            if (rule->group == group && rule->key[0] == key[0] && strcmp(rule->key, key) == 0)
                s->values[i] = json_value(s->doc, at);
        }
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

/* Where both of these keys stand, health is a share of 1, not of 100. */
static bool counts_health_in_shares(const struct subject *s)
{
    return json_get(s->doc, s->node, "agentId") != JSON_ABSENT &&
           json_get(s->doc, s->node, "agentType") != JSON_ABSENT;
}

static void fill_real(struct subject *s, const struct rule *rule, json_node value)
{
    double *member = member_of(s, rule);
    double number;
    const char *word = rule->reading == HEALTH ? json_string(s->doc, value, NULL) : NULL;
    if (*member >= 0)
        return;
    if (word)
        *member = value_health_word(word);
    else if (!json_double(s->doc, value, &number))
        *member = AR_ABSENT;
    else if (rule->reading == HEALTH)
        *member = value_health(number, counts_health_in_shares(s));
    else
        *member = value_share(number);
}

static void fill_whole(struct subject *s, const struct rule *rule, json_node value)
{
    int64_t *member = member_of(s, rule);
    int64_t whole;
    double number;
    const char *text = rule->reading == TIME ? json_string(s->doc, value, NULL) : NULL;
    if (*member >= 0)
        return;
    if (text)
        *member = value_iso_time(text);
    else if (rule->reading == TIME)
        *member = json_double(s->doc, value, &number) ? value_unix_time(number) : AR_ABSENT;
    else
        *member = json_int(s->doc, value, 0, INT64_MAX, &whole) ? whole : AR_ABSENT;
}

static void fill_flag(struct subject *s, const struct rule *rule, json_node value)
{
    bool *member = member_of(s, rule);
    bool flag;
    bool says = rule->reading == FLAG      ? json_bool(s->doc, value, &flag) && flag
                : rule->reading == IS_MOCK ? read_is(s, value, "mock")
                                           : read_is(s, value, "mock-swarm");
    *member = *member || says;
}

/* The rules of one member run in the order of the table: the first that reads a value wins. */
static void apply(struct subject *s, const struct rule *rule, json_node value)
{
    switch (rule->reading) {
    case TEXT: {
        const char **member = member_of(s, rule);
        if (!*member)
            *member = read_text(s, value);
        break;
    }
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
