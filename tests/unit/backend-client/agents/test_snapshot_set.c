/* backend-client/src/snapshot_build.c, snapshot_set.c: sets of agents, their limits, what is equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/agents/snapshot.h"
#include "tests/unit/backend-client/agents/agents_fixture.h"

static struct set_builder builder;

static struct agent_set *finish(void)
{
    struct agent_set *set = NULL;
    assert_int_equal(set_builder_finish(&builder, &set), 0);
    assert_non_null(set);
    return set;
}

static void add(const char *id)
{
    struct ar_agent agent = agents_fixture_bare(id);
    assert_int_equal(set_builder_add(&builder, &agent), 0);
}

static struct agent_set *set_of_one(const struct ar_agent *agent)
{
    set_builder_init(&builder);
    assert_int_equal(set_builder_add(&builder, agent), 0);
    return finish();
}

/* ---- sets ---- */

static void an_empty_set_has_nothing(void **state)
{
    (void)state;
    set_builder_init(&builder);
    struct agent_set *set = finish();
    assert_int_equal(agent_set_count(set), 0);
    assert_null(agent_set_get(set, 0));
    assert_null(agent_set_find(set, ""));
    assert_false(agent_set_any_mock(set));
    assert_true(agent_set_equal(set, set));
    agent_set_release(set);
    agent_set_release(NULL);
}

static void everything_is_copied(void **state)
{
    (void)state;
    char id[] = "coder-1", word[] = "review";
    const char *words[] = {"planning", word};
    struct ar_agent agent = agents_fixture_full(id), expected = agents_fixture_full("coder-1");
    agent.capabilities = words;
    set_builder_init(&builder);
    assert_int_equal(set_builder_add(&builder, &agent), 0);
    add("bare");
    memset(id, '?', sizeof(id) - 1);
    memset(word, '?', sizeof(word) - 1);
    struct agent_set *set = finish();
    assert_int_equal(agent_set_count(set), 2);
    agents_fixture_check(agent_set_get(set, 0), &expected);
    expected = agents_fixture_bare("bare");
    agents_fixture_check(agent_set_get(set, 1), &expected);
    assert_null(agent_set_get(set, 1)->capabilities);
    assert_null(agent_set_get(set, 2));
    agent_set_release(set);
}

static void no_id_no_agent(void **state)
{
    (void)state;
    struct ar_agent none = agents_fixture_bare(NULL), empty = agents_fixture_bare("");
    set_builder_init(&builder);
    assert_int_equal(set_builder_add(&builder, &none), ERR_TYPE);
    assert_int_equal(set_builder_add(&builder, &empty), ERR_TYPE);
    add("a");
    struct agent_set *set = finish();
    assert_int_equal(agent_set_count(set), 1);
    agent_set_release(set);
}

static void the_first_of_an_id_counts(void **state)
{
    (void)state;
    struct ar_agent first = agents_fixture_bare("same"), second = agents_fixture_full("same");
    set_builder_init(&builder);
    add("z");
    assert_int_equal(set_builder_add(&builder, &first), 0);
    add("a");
    size_t text = buf_len(&builder.text);
    assert_int_equal(set_builder_add(&builder, &second), 0);
    assert_int_equal(buf_len(&builder.text), text); /* nothing of it is left behind */
    struct agent_set *set = finish();
    assert_int_equal(agent_set_count(set), 3);
    agents_fixture_check(agent_set_get(set, 1), &first);
    assert_false(agent_set_any_mock(set));
    agent_set_release(set);
}

static void one_mock_is_enough(void **state)
{
    (void)state;
    struct ar_agent mock = agents_fixture_bare("m");
    mock.mock = true;
    for (int place = 0; place < 3; place++) {
        set_builder_init(&builder);
        for (int i = 0; i < 3; i++) {
            struct ar_agent agent = i == place ? mock
                                               : agents_fixture_bare(i == 0   ? "a"
                                                                     : i == 1 ? "b"
                                                                              : "c");
            assert_int_equal(set_builder_add(&builder, &agent), 0);
        }
        struct agent_set *set = finish();
        assert_true(agent_set_any_mock(set));
        agent_set_release(set);
    }
}

/* In any order of ids: the order of the server stays, and each is found. */
static void each_is_found(void **state)
{
    (void)state;
    char id[32];
    const size_t count = 1009; /* a prime: the stride visits each once */
    set_builder_init(&builder);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(id, sizeof(id), "agent-%zu", i * 500 % count);
        add(id);
        add(id);
    }
    struct agent_set *set = finish();
    assert_int_equal(agent_set_count(set), count);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(id, sizeof(id), "agent-%zu", i * 500 % count);
        assert_string_equal(agent_set_get(set, i)->id, id);
        assert_ptr_equal(agent_set_find(set, id), agent_set_get(set, i));
    }
    assert_null(agent_set_find(set, "agent-1009"));
    assert_null(agent_set_find(set, "agent-"));
    assert_null(agent_set_find(set, ""));
    assert_null(agent_set_find(set, "zzz"));
    agent_set_release(set);
}

/* ---- limits ---- */

static void so_many_agents_and_no_more(void **state)
{
    (void)state;
    char id[32];
    struct agent_set *set;
    set_builder_init(&builder);
    for (int i = 0; i < SET_MAX_AGENTS; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        add(id);
    }
    add("0"); /* one that is there already needs no room */
    struct ar_agent last = agents_fixture_bare("one more");
    assert_int_equal(set_builder_add(&builder, &last), ERR_FULL);
    last.id = "0";
    assert_int_equal(set_builder_add(&builder, &last), ERR_FULL); /* it sticks */
    set = finish();
    assert_int_equal(agent_set_count(set), SET_MAX_AGENTS);
    assert_true(agent_set_is_cut(set));
    agent_set_release(set);

    for (int i = SET_MAX_AGENTS; i > 0; i--) { /* and it may be used again */
        (void)snprintf(id, sizeof(id), "%d", i);
        add(id);
    }
    set = finish();
    assert_int_equal(agent_set_count(set), SET_MAX_AGENTS);
    assert_false(agent_set_is_cut(set));
    assert_string_equal(agent_set_find(set, "1")->id, "1");
    agent_set_release(set);
}

static void so_much_text_and_no_more(void **state)
{
    (void)state;
    static char word[SET_MAX_WORD_BYTES + 1];
    const char *words[SET_MAX_CAPABILITIES];
    char id[32];
    memset(word, 'w', SET_MAX_WORD_BYTES);
    for (size_t i = 0; i < SET_MAX_CAPABILITIES; i++)
        words[i] = word;
    set_builder_init(&builder);
    int rc = 0;
    size_t added = 0;
    for (; rc == 0; added++) {
        (void)snprintf(id, sizeof(id), "%zu", added);
        struct ar_agent agent = agents_fixture_bare(id);
        agent.capabilities = words;
        agent.capability_count = SET_MAX_CAPABILITIES;
        rc = set_builder_add(&builder, &agent);
    }
    const size_t fit = SET_MAX_BYTES / SET_MAX_CAPABILITIES / (SET_MAX_WORD_BYTES + 1);
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(added, fit + 1);
    struct agent_set *set = finish(); /* without any part of the one that did not fit */
    assert_int_equal(agent_set_count(set), fit);
    assert_true(agent_set_is_cut(set));
    const struct ar_agent *last = agent_set_get(set, fit - 1);
    assert_int_equal(last->capability_count, SET_MAX_CAPABILITIES);
    assert_string_equal(last->capabilities[SET_MAX_CAPABILITIES - 1], word);
    agent_set_release(set);
}

static void so_many_capabilities_are_kept(void **state)
{
    (void)state;
    const char *words[SET_MAX_CAPABILITIES + 2];
    for (size_t i = 0; i < SET_MAX_CAPABILITIES + 2; i++)
        words[i] = i == 3 ? NULL : i == 4 ? "" : "w";
    for (size_t count = SET_MAX_CAPABILITIES; count <= SET_MAX_CAPABILITIES + 2; count++) {
        struct ar_agent agent = agents_fixture_bare("a");
        agent.capabilities = words;
        agent.capability_count = count;
        struct agent_set *set = set_of_one(&agent);
        const struct ar_agent *kept = agent_set_get(set, 0);
        size_t expected = count - 1 < SET_MAX_CAPABILITIES ? count - 1 : SET_MAX_CAPABILITIES;
        assert_int_equal(kept->capability_count, expected);
        assert_string_equal(kept->capabilities[2], "w");
        assert_string_equal(kept->capabilities[3], "");
        assert_string_equal(kept->capabilities[expected - 1], "w");
        agent_set_release(set);
    }
}

static void check_cut(const char *before, const char *tail, const char *kept_tail)
{
    static char name[2 * SET_MAX_WORD_BYTES], kept[2 * SET_MAX_WORD_BYTES];
    (void)snprintf(name, sizeof(name), "%s%s", before, tail);
    (void)snprintf(kept, sizeof(kept), "%s%s", before, kept_tail);
    struct ar_agent agent = agents_fixture_bare("a");
    agent.name = name;
    struct agent_set *set = set_of_one(&agent);
    assert_string_equal(agent_set_get(set, 0)->name, kept);
    agent_set_release(set);
}

static void long_words_are_cut_at_a_character(void **state)
{
    (void)state;
    static char before[SET_MAX_WORD_BYTES + 1];
    memset(before, 'x', SET_MAX_WORD_BYTES - 3);
    check_cut(before, "yy", "yy");
    check_cut(before, "yyy", "yyy");
    check_cut(before, "yyyy", "yyy");
    check_cut(before, "\xe2\x82\xac", "\xe2\x82\xac"); /* three bytes fit exactly */
    check_cut(before, "y\xe2\x82\xac", "y");           /* one too many: none of them */
    check_cut(before, "\xf0\x9f\x98\x80", "");         /* four do not */
    check_cut(before, "yyy\xcc\x81", "yyy");           /* behind the end */
    check_cut(before, "\xff", "\xef\xbf\xbd");         /* a replacement takes its place's three */
    check_cut(before, "y\xff", "y");
}

static void what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    check_cut("", "a\x80z", "a\xef\xbf\xbdz");
    check_cut("", "\xc3", "\xef\xbf\xbd");
    check_cut("", "\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_cut("", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a lone surrogate */
    check_cut("", "\x1b[31m\n\x7f", "\x1b[31m\n\x7f");                     /* the host's business */
}

static void ids_that_are_cut_alike_are_one(void **state)
{
    (void)state;
    static char one[SET_MAX_WORD_BYTES + 2], two[SET_MAX_WORD_BYTES + 2];
    memset(one, 'i', SET_MAX_WORD_BYTES + 1);
    memset(two, 'i', SET_MAX_WORD_BYTES + 1);
    one[SET_MAX_WORD_BYTES] = '1';
    two[SET_MAX_WORD_BYTES] = '2';
    set_builder_init(&builder);
    add(one);
    add(two);
    struct agent_set *set = finish();
    assert_int_equal(agent_set_count(set), 1);
    assert_int_equal(strlen(agent_set_get(set, 0)->id), SET_MAX_WORD_BYTES);
    agent_set_release(set);
}

/* ---- comparing ---- */

static void check_differs(struct ar_agent other)
{
    struct ar_agent agent = agents_fixture_full("a");
    struct agent_set *one = set_of_one(&agent), *two = set_of_one(&other);
    assert_false(agent_set_equal(one, two));
    assert_false(agent_set_equal(two, one));
    agent_set_release(one);
    agent_set_release(two);
}

#define DIFFERS(member, value)                                                                               \
    do {                                                                                                     \
        struct ar_agent other = agents_fixture_full("a");                                                    \
        other.member = (value);                                                                              \
        check_differs(other);                                                                                \
    } while (0)

static void equal_means_every_value(void **state)
{
    (void)state;
    const char *const words[] = {"planning", "other"};
    struct ar_agent agent = agents_fixture_full("a");
    struct agent_set *one = set_of_one(&agent), *two = set_of_one(&agent);
    assert_true(agent_set_equal(one, two));
    agent_set_release(one);
    agent_set_release(two);
    DIFFERS(id, "b");
    DIFFERS(name, NULL);
    DIFFERS(name, "Other");
    DIFFERS(type, "x");
    DIFFERS(status, "x");
    DIFFERS(swarm_id, "x");
    DIFFERS(activity, "x");
    DIFFERS(capabilities, words);
    DIFFERS(capability_count, 1);
    DIFFERS(health, 94);
    DIFFERS(cpu, 0.46);
    DIFFERS(memory, AR_ABSENT);
    DIFFERS(workload, 0.71);
    DIFFERS(success_rate, 1);
    DIFFERS(tasks_active, 0);
    DIFFERS(tasks_completed, 0);
    DIFFERS(tasks_failed, 0);
    DIFFERS(tokens, 0);
    DIFFERS(created_at_ms, 0);
    DIFFERS(last_activity_ms, 0);
    DIFFERS(mock, false);
}

static void equal_means_number_and_order(void **state)
{
    (void)state;
    set_builder_init(&builder);
    add("a");
    add("b");
    struct agent_set *ab = finish();
    add("b");
    add("a");
    struct agent_set *ba = finish();
    add("a");
    struct agent_set *a = finish();
    assert_false(agent_set_equal(ab, ba));
    assert_false(agent_set_equal(ab, a));
    assert_false(agent_set_equal(a, ab));
    agent_set_release(ab);
    agent_set_release(ba);
    agent_set_release(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(everything_is_copied),
        cmocka_unit_test(no_id_no_agent),
        cmocka_unit_test(the_first_of_an_id_counts),
        cmocka_unit_test(one_mock_is_enough),
        cmocka_unit_test(each_is_found),
        cmocka_unit_test(so_many_agents_and_no_more),
        cmocka_unit_test(so_much_text_and_no_more),
        cmocka_unit_test(so_many_capabilities_are_kept),
        cmocka_unit_test(long_words_are_cut_at_a_character),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(ids_that_are_cut_alike_are_one),
        cmocka_unit_test(equal_means_every_value),
        cmocka_unit_test(equal_means_number_and_order),
    };
    return cmocka_run_group_tests_name("client_sets", tests, NULL, NULL);
}
