/* The fallback policy on a virtual clock: every state x every event as one table, the stale time at -1, 0 and +1,
 * its extremes, clocks that stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend-client/src/engine/fallback.h"

#define STALE_MS UINT64_C(30000)

/* Every situation that the fallback policy can be in. The last answer, where there was one, came at ANSWER_MS. */
enum situation {
    CONNECTING,
    LIVE,
    STALE,
    MOCK_NEVER_LIVE,
    MOCK_AFTER_STALE,
    CLOSED_EARLY,
    CLOSED_LIVE,
    SITUATIONS
};
enum event { UP, DOWN, TICK, CLOSE, EVENTS };

#define ANSWER_MS UINT64_C(1000)
#define DOWN_MS   UINT64_C(2000)
#define EVENT_MS  UINT64_C(3000) /* young enough for stale */
#define LATE_MS   (ANSWER_MS + STALE_MS)

static struct fallback make(enum situation situation)
{
    struct fallback l;
    fallback_init(&l, STALE_MS, 500);
    if (situation == LIVE || situation == STALE || situation == MOCK_AFTER_STALE || situation == CLOSED_LIVE)
        assert_int_equal(fallback_live(&l, ANSWER_MS), FALLBACK_STATE | FALLBACK_SOURCE);
    if (situation == STALE || situation == MOCK_NEVER_LIVE || situation == MOCK_AFTER_STALE)
        assert_true(fallback_degraded(&l, DOWN_MS) & FALLBACK_STATE);
    if (situation == MOCK_AFTER_STALE)
        assert_int_equal(fallback_tick(&l, LATE_MS), FALLBACK_SOURCE);
    if (situation == CLOSED_EARLY || situation == CLOSED_LIVE)
        assert_true(fallback_close(&l, DOWN_MS) & FALLBACK_STATE);
    return l;
}

static unsigned send(struct fallback *l, enum event event, uint64_t now_ms)
{
    switch (event) {
    case UP:
        return fallback_live(l, now_ms);
    case DOWN:
        return fallback_degraded(l, now_ms);
    case TICK:
        return fallback_tick(l, now_ms);
    case CLOSE:
        return fallback_close(l, now_ms);
    case EVENTS:
        break;
    }
    fail();
    return 0;
}

#define S FALLBACK_STATE
#define O FALLBACK_SOURCE

struct outcome {
    enum ar_state state;
    enum ar_source source;
    unsigned changed;
};

/* What each event makes of each situation, at EVENT_MS. */
static const struct outcome early[SITUATIONS][EVENTS] = {
    [CONNECTING] = {[UP] = {AR_LIVE, AR_SOURCE_LIVE, S | O},
                    [DOWN] = {AR_DEGRADED, AR_SOURCE_MOCK, S},
                    [TICK] = {AR_CONNECTING, AR_SOURCE_MOCK, 0},
                    [CLOSE] = {AR_CLOSED, AR_SOURCE_MOCK, S}},
    [LIVE] = {[UP] = {AR_LIVE, AR_SOURCE_LIVE, 0},
              [DOWN] = {AR_DEGRADED, AR_SOURCE_STALE, S | O},
              [TICK] = {AR_LIVE, AR_SOURCE_LIVE, 0},
              [CLOSE] = {AR_CLOSED, AR_SOURCE_STALE, S | O}},
    [STALE] = {[UP] = {AR_LIVE, AR_SOURCE_LIVE, S | O},
               [DOWN] = {AR_DEGRADED, AR_SOURCE_STALE, 0},
               [TICK] = {AR_DEGRADED, AR_SOURCE_STALE, 0},
               [CLOSE] = {AR_CLOSED, AR_SOURCE_STALE, S}},
    [MOCK_NEVER_LIVE] = {[UP] = {AR_LIVE, AR_SOURCE_LIVE, S | O},
                         [DOWN] = {AR_DEGRADED, AR_SOURCE_MOCK, 0},
                         [TICK] = {AR_DEGRADED, AR_SOURCE_MOCK, 0},
                         [CLOSE] = {AR_CLOSED, AR_SOURCE_MOCK, S}},
    [MOCK_AFTER_STALE] = {[UP] = {AR_LIVE, AR_SOURCE_LIVE, S | O},
                          [DOWN] = {AR_DEGRADED, AR_SOURCE_MOCK, 0}, /* though the clock went back */
                          [TICK] = {AR_DEGRADED, AR_SOURCE_MOCK, 0},
                          [CLOSE] = {AR_CLOSED, AR_SOURCE_MOCK, S}},
    [CLOSED_EARLY] = {[UP] = {AR_CLOSED, AR_SOURCE_MOCK, 0},
                      [DOWN] = {AR_CLOSED, AR_SOURCE_MOCK, 0},
                      [TICK] = {AR_CLOSED, AR_SOURCE_MOCK, 0},
                      [CLOSE] = {AR_CLOSED, AR_SOURCE_MOCK, 0}},
    [CLOSED_LIVE] = {[UP] = {AR_CLOSED, AR_SOURCE_STALE, 0},
                     [DOWN] = {AR_CLOSED, AR_SOURCE_STALE, 0},
                     [TICK] = {AR_CLOSED, AR_SOURCE_STALE, 0},
                     [CLOSE] = {AR_CLOSED, AR_SOURCE_STALE, 0}},
};

/* Where it is different at LATE_MS, when the last answer is too old to be shown. */
static struct outcome late(enum situation situation, enum event event)
{
    struct outcome want = early[situation][event];
    if (situation == LIVE && (event == DOWN || event == CLOSE))
        want.source = AR_SOURCE_MOCK;
    if (situation == STALE && event != UP) {
        want.source = AR_SOURCE_MOCK;
        want.changed |= O;
    }
    return want;
}

static void check(enum situation situation, enum event event, uint64_t now_ms, struct outcome want)
{
    struct fallback l = make(situation);
    const struct fallback before = l;
    unsigned changed = send(&l, event, now_ms);
    if (l.state != want.state || l.source != want.source || changed != want.changed)
        fail_msg("situation %d, event %d at %llu: state %s, source %d, changed %u", (int)situation,
                 (int)event, (unsigned long long)now_ms, l.state == want.state ? "right" : "wrong",
                 (int)l.source, changed);
    assert_int_equal(l.state_at_ms, changed & S ? now_ms : before.state_at_ms);
    bool answered = event == UP && before.state != AR_CLOSED;
    assert_true(l.taken_at_ms == (answered ? now_ms : before.taken_at_ms));
    assert_true((l.source == AR_SOURCE_LIVE) == (l.state == AR_LIVE)); /* never live without an answer */
    assert_int_equal(send(&l, TICK, now_ms), 0);                       /* all was done at once */
}

static void every_state_with_every_event(void **state)
{
    (void)state;
    for (enum situation s = 0; s < SITUATIONS; s++) {
        for (enum event e = 0; e < EVENTS; e++) {
            check(s, e, EVENT_MS, early[s][e]);
            check(s, e, LATE_MS - 1, early[s][e]);
            check(s, e, LATE_MS, late(s, e));
            check(s, e, LATE_MS + 1, late(s, e));
            check(s, e, UINT64_MAX - 1, late(s, e));
        }
    }
}

static void begins_connecting_with_a_mock(void **state)
{
    (void)state;
    struct fallback l;
    fallback_init(&l, STALE_MS, 77);
    assert_int_equal(l.state, AR_CONNECTING);
    assert_int_equal(l.source, AR_SOURCE_MOCK);
    assert_int_equal(l.state_at_ms, 77);
    assert_true(fallback_due_ms(&l) == UINT64_MAX);
}

static void only_stale_waits_for_time(void **state)
{
    (void)state;
    for (enum situation s = 0; s < SITUATIONS; s++) {
        struct fallback l = make(s);
        assert_true(fallback_due_ms(&l) == (s == STALE ? LATE_MS : UINT64_MAX));
    }
}

/* Age counts from the answer, not from the failure. */
static void stale_ends_at_its_millisecond(void **state)
{
    (void)state;
    struct fallback l = make(STALE);
    assert_int_equal(fallback_tick(&l, LATE_MS - 1), 0);
    assert_int_equal(l.source, AR_SOURCE_STALE);
    assert_int_equal(fallback_tick(&l, fallback_due_ms(&l)), FALLBACK_SOURCE);
    assert_int_equal(l.source, AR_SOURCE_MOCK);
    assert_int_equal(l.state_at_ms, DOWN_MS); /* degraded since then, whatever is shown */
}

static void each_answer_makes_it_young_again(void **state)
{
    (void)state;
    struct fallback l = make(LIVE);
    for (uint64_t now_ms = ANSWER_MS; now_ms <= 100 * STALE_MS; now_ms += 2000) {
        assert_int_equal(fallback_live(&l, now_ms), 0);
        assert_int_equal(l.state_at_ms, ANSWER_MS);
    }
    uint64_t last_ms = l.taken_at_ms;
    assert_int_equal(fallback_degraded(&l, last_ms + STALE_MS - 1), FALLBACK_STATE | FALLBACK_SOURCE);
    assert_int_equal(l.source, AR_SOURCE_STALE);
    assert_int_equal(fallback_due_ms(&l), last_ms + STALE_MS);
}

static void up_and_down_for_ever(void **state)
{
    (void)state;
    struct fallback l = make(CONNECTING);
    uint64_t now_ms = 1000;
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(fallback_live(&l, now_ms), FALLBACK_STATE | FALLBACK_SOURCE);
        assert_int_equal(fallback_degraded(&l, now_ms += 10), FALLBACK_STATE | FALLBACK_SOURCE);
        assert_int_equal(l.source, AR_SOURCE_STALE);
        if (i % 2) {
            assert_int_equal(fallback_tick(&l, now_ms = fallback_due_ms(&l)), FALLBACK_SOURCE);
            assert_int_equal(l.source, AR_SOURCE_MOCK);
        }
        now_ms += 10;
    }
}

static void without_a_stale_time_it_is_mock_at_once(void **state)
{
    (void)state;
    struct fallback l;
    fallback_init(&l, 0, 0);
    (void)fallback_live(&l, 100);
    assert_int_equal(fallback_tick(&l, 5000), 0); /* live does not age */
    assert_int_equal(fallback_degraded(&l, 100),
                     FALLBACK_STATE | FALLBACK_SOURCE); /* in the same millisecond, too */
    assert_int_equal(l.source, AR_SOURCE_MOCK);
    assert_true(fallback_due_ms(&l) == UINT64_MAX);
    (void)fallback_live(&l, 200);
    (void)fallback_degraded(&l, 50); /* nor with a clock that goes back */
    assert_int_equal(l.source, AR_SOURCE_MOCK);
}

static void a_stale_time_of_one(void **state)
{
    (void)state;
    struct fallback l;
    fallback_init(&l, 1, 0);
    (void)fallback_live(&l, 100);
    (void)fallback_degraded(&l, 100);
    assert_int_equal(l.source, AR_SOURCE_STALE);
    assert_int_equal(fallback_due_ms(&l), 101);
    assert_int_equal(fallback_tick(&l, 101), FALLBACK_SOURCE);
}

static void never_means_stale_for_ever(void **state)
{
    (void)state;
    static const uint64_t forever[] = {AR_NEVER, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < sizeof(forever) / sizeof(forever[0]); i++) {
        struct fallback l;
        fallback_init(&l, forever[i], 0);
        (void)fallback_live(&l, 100);
        (void)fallback_degraded(&l, 200);
        assert_true(fallback_due_ms(&l) == UINT64_MAX);
        assert_int_equal(fallback_tick(&l, UINT64_MAX), 0);
        assert_int_equal(l.source, AR_SOURCE_STALE);
    }
}

static void one_less_than_never_is_a_number(void **state)
{
    (void)state;
    struct fallback l;
    fallback_init(&l, AR_NEVER - 1, 0);
    (void)fallback_live(&l, 100);
    (void)fallback_degraded(&l, 200);
    assert_true(fallback_due_ms(&l) == UINT64_C(100) + AR_NEVER - 1);
    assert_int_equal(fallback_tick(&l, UINT64_C(98) + AR_NEVER), 0);
    assert_int_equal(fallback_tick(&l, UINT64_C(99) + AR_NEVER), FALLBACK_SOURCE);
}

static void the_end_of_time_overflows_nothing(void **state)
{
    (void)state;
    struct fallback l;
    fallback_init(&l, STALE_MS, UINT64_MAX - 10);
    (void)fallback_live(&l, UINT64_MAX - 5);
    assert_int_equal(fallback_degraded(&l, UINT64_MAX - 4), FALLBACK_STATE | FALLBACK_SOURCE);
    assert_int_equal(l.source, AR_SOURCE_STALE);
    assert_true(fallback_due_ms(&l) == UINT64_MAX);
}

static void a_clock_that_stands_makes_nothing_old(void **state)
{
    (void)state;
    struct fallback l = make(STALE);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(fallback_tick(&l, DOWN_MS), 0);
    assert_int_equal(fallback_tick(&l, 0), 0); /* nor one that goes back */
    assert_int_equal(l.source, AR_SOURCE_STALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_with_every_event),
        cmocka_unit_test(begins_connecting_with_a_mock),
        cmocka_unit_test(only_stale_waits_for_time),
        cmocka_unit_test(stale_ends_at_its_millisecond),
        cmocka_unit_test(each_answer_makes_it_young_again),
        cmocka_unit_test(up_and_down_for_ever),
        cmocka_unit_test(without_a_stale_time_it_is_mock_at_once),
        cmocka_unit_test(a_stale_time_of_one),
        cmocka_unit_test(never_means_stale_for_ever),
        cmocka_unit_test(one_less_than_never_is_a_number),
        cmocka_unit_test(the_end_of_time_overflows_nothing),
        cmocka_unit_test(a_clock_that_stands_makes_nothing_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
