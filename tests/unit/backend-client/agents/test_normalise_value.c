/* backend-client/src/normalise_rules.c, normalise_value.c: every rule of the table alone, which of two
 * counts, and the scales and dates at their edges. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/agents/normalise_agent.h"
#include "backend-client/src/agents/normalise_rules.h"
#include "tests/unit/backend-client/agents/agents_fixture.h"

/* ---- the table ---- */

/* A value that a rule reads, as JSON, and what it becomes; `other` likewise, and differently. */
struct sample {
    const char *json;
    const char *other;
    double number; /* of json, for members that are numbers */
};

static struct sample sample_of(enum reading reading)
{
    switch (reading) {
    case TEXT:
        return (struct sample){"\"x\"", "\"y\"", 0};
    case WORDS:
        return (struct sample){"[\"x\"]", "[\"y\"]", 0};
    case HEALTH:
        return (struct sample){"42", "43", 42};
    case SHARE:
        return (struct sample){"0.25", "0.5", 0.25};
    case COUNT:
        return (struct sample){"17", "18", 17};
    case TIME:
        return (struct sample){"1755000000000", "1755000000001", 1755000000000.};
    case FLAG:
        return (struct sample){"true", "false", 1};
    case IS_MOCK:
        return (struct sample){"\"mock\"", "\"x\"", 1};
    case IS_SWARM:
        return (struct sample){"\"mock-swarm\"", "\"x\"", 1};
    }
    return (struct sample){0};
}

/* `"key":value`, in the object it belongs in. */
static void write_member(char *out, size_t size, const struct rule *rule, const char *value)
{
    if (rule->group == OWN)
        (void)snprintf(out, size, "\"%s\":%s", rule->key, value);
    else
        (void)snprintf(out, size, "\"%s\":{\"%s\":%s}", normalise_groups[rule->group], rule->key, value);
}

static double number_in(const struct ar_agent *agent, const struct rule *rule)
{
    const char *member = (const char *)agent + rule->member;
    double real;
    int64_t whole;
    bool flag;
    switch (rule->reading) {
    case HEALTH:
    case SHARE:
        memcpy(&real, member, sizeof(real));
        return real;
    case COUNT:
    case TIME:
        memcpy(&whole, member, sizeof(whole));
        return (double)whole;
    default:
        memcpy(&flag, member, sizeof(flag));
        return flag;
    }
}

static void check_member(const struct ar_agent *agent, const struct rule *rule, const char *where)
{
    const char *text;
    if (rule->reading == TEXT) {
        memcpy(&text, (const char *)agent + rule->member, sizeof(text));
        if (!text || strcmp(text, "x") != 0)
            fail_msg("%s: %s", where, text ? text : "nothing");
    } else if (rule->reading == WORDS) {
        assert_int_equal(agent->capability_count, 1);
        assert_string_equal(agent->capabilities[0], "x");
    } else if (number_in(agent, rule) != sample_of(rule->reading).number) {
        fail_msg("%s: %g", where, number_in(agent, rule));
    }
}

/* The agent has an id of its own unless the rule is what gives it. */
static void check_json(const struct rule *rule, const char *members)
{
    char json[400];
    bool is_id = rule->member == offsetof(struct ar_agent, id);
    (void)snprintf(json, sizeof(json), "[{%s%s}]", is_id ? "" : "\"id\":\"a\",", members);
    struct agent_set *set = agents_fixture_read(json);
    assert_int_equal(agent_set_count(set), 1);
    check_member(agent_set_get(set, 0), rule, json);
    agent_set_release(set);
}

static void each_rule_alone(void **state)
{
    (void)state;
    char member[200];
    for (size_t i = 0; i < NORMALISE_RULES; i++) {
        const struct rule *rule = &normalise_rules[i];
        write_member(member, sizeof(member), rule, sample_of(rule->reading).json);
        check_json(rule, member);
    }
}

/* Of two keys for one thing the one that stands first in the table counts, wherever they stand in the text;
 * the other when the first cannot be used. */
static void check_pair(const struct rule *first, const struct rule *second)
{
    char a[200], b[200], both[401];
    struct sample sample = sample_of(first->reading);
    write_member(a, sizeof(a), first, sample.json);
    write_member(b, sizeof(b), second, sample.other);
    (void)snprintf(both, sizeof(both), "%s,%s", a, b);
    check_json(first, both);
    (void)snprintf(both, sizeof(both), "%s,%s", b, a);
    check_json(first, both);
    static const char *const useless[] = {"null", "{}", "-5", "\"\"", "1e999"};
    for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
        write_member(a, sizeof(a), first, useless[i]);
        write_member(b, sizeof(b), second, sample.json);
        (void)snprintf(both, sizeof(both), "%s,%s", a, b);
        check_json(second, both);
    }
}

static void the_first_usable_one_counts(void **state)
{
    (void)state;
    size_t pairs = 0;
    for (size_t i = 1; i < NORMALISE_RULES; i++) {
        const struct rule *first = &normalise_rules[i - 1], *second = &normalise_rules[i];
        if (first->member != second->member || first->reading != second->reading ||
            strcmp(first->key, second->key) == 0 || first->group != OWN)
            continue;
        check_pair(first, second);
        pairs++;
    }
    assert_true(pairs >= 25);
}

static void a_key_that_stands_twice(void **state)
{
    (void)state;
    struct ar_agent expected = agents_fixture_bare("a");
    expected.name = "last";
    expected.cpu = 0.2;
    struct agent_set *set = agents_fixture_read(
        "[{\"id\":\"x\",\"id\":\"a\",\"name\":\"first\",\"name\":\"last\",\"metrics\":{\"cpuUsage\":0.1,\"tasksActive\":1},\"metrics\":{\"cpuUsage\":0.1,\"cpuUsage\":0.2}}]");
    agents_fixture_check(agent_set_get(set, 0), &expected);
    agent_set_release(set);
}

/* ---- shares and health ---- */

static void shares(void **state)
{
    (void)state;
    assert_true(value_share(0) == 0);
    assert_false(signbit(value_share(-0.0)));
    assert_true(value_share(0.1 + 0.2) == 0.3); /* sums of a server that adds in binary */
    assert_true(value_share(0.5115999999999999) == 0.5116);
    assert_true(value_health(92.30000000000001, false) == 92.3);
    assert_true(value_share(0.001) == 0.001);
    assert_true(value_share(1) == 1);
    assert_true(value_share(1.5) == 0.015);
    assert_true(value_share(45.6) == 0.456);
    assert_true(value_share(95.2) == 0.952);
    assert_true(value_share(100) == 1);
    for (int i = 1001; i <= 100000; i++) { /* percent with three decimals, each the nearest double */
        char text[16];
        (void)snprintf(text, sizeof(text), "%d.%03d", i / 1000, i % 1000);
        double percent = strtod(text, NULL);
        (void)snprintf(text, sizeof(text), "%d.%05d", i / 100000, i % 100000);
        double share = strtod(text, NULL);
        if (value_share(percent) != share)
            fail_msg("%.17g %% is %.17g", percent, value_share(percent));
    }
    static const double none[] = {-1, -0.001, 100.001, 101, 1e308, DBL_MAX, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_true(value_share(none[i]) == AR_ABSENT);
        assert_true(value_health(none[i], true) == AR_ABSENT);
        assert_true(value_health(none[i], false) == AR_ABSENT);
    }
}

static void health(void **state)
{
    (void)state;
    assert_true(value_health(0, true) == 0);
    assert_true(value_health(0.87, true) == 87);
    assert_true(value_health(0.29, true) == 29);
    assert_true(value_health(1, true) == 100);
    assert_true(value_health(1.5, true) == 1.5);
    assert_true(value_health(95, true) == 95);
    assert_true(value_health(0.87, false) == 0.87);
    assert_true(value_health(1, false) == 1);
    assert_true(value_health(100, false) == 100);
    assert_true(value_health_word("Healthy") == AR_ABSENT);
    assert_true(value_health_word("") == AR_ABSENT);
}

static double health_of(const char *members)
{
    char json[200];
    (void)snprintf(json, sizeof(json), "[{%s}]", members);
    struct agent_set *set = agents_fixture_read(json);
    double value = agent_set_get(set, 0)->health;
    agent_set_release(set);
    return value;
}

static void health_is_a_share_in_one_form_alone(void **state)
{
    (void)state;
    assert_true(health_of("\"agentId\":\"a\",\"agentType\":\"x\",\"health\":1") == 100);
    assert_true(health_of("\"agentId\":\"a\",\"agentType\":\"x\",\"health\":0.5") == 50);
    assert_true(health_of("\"agentId\":\"a\",\"agentType\":\"x\",\"health\":95") == 95);
    assert_true(health_of("\"id\":\"a\",\"type\":\"x\",\"health\":1") == 1);
    assert_true(health_of("\"agentId\":\"a\",\"type\":\"x\",\"health\":1") == 1);
    assert_true(health_of("\"id\":\"a\",\"agentType\":\"x\",\"health\":1") == 1);
    assert_true(health_of("\"id\":\"a\",\"health\":\"95\"") == AR_ABSENT);
}

/* ---- counts ---- */

static int64_t count_of(const char *number)
{
    char json[200];
    (void)snprintf(json, sizeof(json), "[{\"id\":\"a\",\"tokens\":%s}]", number);
    struct agent_set *set = agents_fixture_read(json);
    int64_t value = agent_set_get(set, 0)->tokens;
    agent_set_release(set);
    return value;
}

static void counts(void **state)
{
    (void)state;
    assert_int_equal(count_of("0"), 0);
    assert_int_equal(count_of("-0"), 0);
    assert_int_equal(count_of("3.0"), 3);
    assert_int_equal(count_of("1e3"), 1000);
    assert_int_equal(count_of("9007199254740993"), 9007199254740993);
    assert_int_equal(count_of("9223372036854775807"), INT64_MAX);
    static const char *const none[] = {
        "9223372036854775808", "1e308", "1e999999999999", "-1", "0.5", "\"5\"", "true", "null", "[5]",
        "{\"total\":5}"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(count_of(none[i]), AR_ABSENT);
}

/* ---- dates ---- */

#define TEN_O_CLOCK INT64_C(1754992800000) /* 2025-08-12T10:00:00Z */

static void iso_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } dates[] = {
        {"2025-08-12T10:00:00Z", TEN_O_CLOCK},
        {"2025-08-12T10:00:00", TEN_O_CLOCK},
        {"2025-08-12 10:00:00", TEN_O_CLOCK}, /* SQLite's */
        {"2025-08-12t10:00:00z", TEN_O_CLOCK},
        {"2025-08-12T10:00:00.5Z", TEN_O_CLOCK + 500},
        {"2025-08-12T10:00:00.123Z", TEN_O_CLOCK + 123},
        {"2025-08-12T10:00:00.123456789Z", TEN_O_CLOCK + 123},
        {"2025-08-12T10:00:00+00:00", TEN_O_CLOCK},
        {"2025-08-12T12:00:00+02:00", TEN_O_CLOCK},
        {"2025-08-12T12:00:00.250+0200", TEN_O_CLOCK + 250},
        {"2025-08-12T12:00:00+02", TEN_O_CLOCK},
        {"2025-08-12T04:30:00-05:30", TEN_O_CLOCK},
        {"2025-08-13T09:59:00+23:59", TEN_O_CLOCK},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"1970-01-01T00:00:00.001Z", 1},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        if (value_iso_time(dates[i].text) != dates[i].ms)
            fail_msg("%s: %lld", dates[i].text, (long long)value_iso_time(dates[i].text));
    }
}

static void what_is_no_date(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "x",
        "NaN",
        "Invalid Date",
        "2025-08-12",
        "2025-08-12T10:00",
        "2025-08-12T10:00:0",
        "2025-02-29T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-08-32T00:00:00Z",
        "2025-08-12T24:00:00Z",
        "2025-08-12T10:60:00Z",
        "2025-08-12T10:00:61Z",
        "2025-08-12T10:00:00.Z",
        "2025-08-12T10:00:00Zx",
        "2025-08-12T10:00:00ZZ",
        "2025-08-12T10:00:00Z+02:00",
        "2025-08-12T10:00:00+",
        "2025-08-12T10:00:00+2",
        "2025-08-12T10:00:00+24:00",
        "2025-08-12T10:00:00+02:60",
        "2025-08-12T10:00:00+02:0",
        "2025-08-12T10:00:00+02:000",
        "2025-08-12T10:00:00+02:",
        "2025-08-12T10:00:00+-2:00",
        "2025-08-12T10:00:00.5.5Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999-00:01",
        "99999-12-31T23:59:59Z",
        "2025-08-12T1\xc3\xa4:00:00Z",
        "1755000000000",
        "2025-08-12T10:00:00.00000000000000000000000000000000000000000000000000000000000000000000000000Z",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (value_iso_time(texts[i]) != AR_ABSENT)
            fail_msg("%s: %lld", texts[i], (long long)value_iso_time(texts[i]));
    }
}

static void unix_dates(void **state)
{
    (void)state;
    assert_int_equal(value_unix_time(1755000000), 1755000000000);
    assert_int_equal(value_unix_time(1755000000.5), 1755000000500);
    assert_int_equal(value_unix_time(1755000000000), 1755000000000);
    assert_int_equal(value_unix_time(99999999999), 99999999999000);
    assert_int_equal(value_unix_time(100000000000), 100000000000);
    assert_int_equal(value_unix_time(253402300799999), 253402300799999);
    static const double none[] = {0,     -1,       -1755000000, 253402300800000, 1755000000000000,
                                  1e308, INFINITY, NAN};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(value_unix_time(none[i]), AR_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_alone),
        cmocka_unit_test(the_first_usable_one_counts),
        cmocka_unit_test(a_key_that_stands_twice),
        cmocka_unit_test(shares),
        cmocka_unit_test(health),
        cmocka_unit_test(health_is_a_share_in_one_form_alone),
        cmocka_unit_test(counts),
        cmocka_unit_test(iso_dates),
        cmocka_unit_test(what_is_no_date),
        cmocka_unit_test(unix_dates),
    };
    return cmocka_run_group_tests_name("client_normalise_values", tests, NULL, NULL);
}
