/* Each call remembers what was taken for it, so that a guess that changes meanwhile leaves the sums right. */
#include "route/credit.h"

#include "base/alloc.h"
#include "route/state.h"

static size_t expected_answer(const struct route_session *s)
{
    if (s->largest_answer_bytes > 0)
        return s->largest_answer_bytes;
    size_t guess = s->upstream->largest_answer_bytes;
    return guess > CREDIT_UNKNOWN_BYTES ? guess : CREDIT_UNKNOWN_BYTES;
}

/* `limit` 0: there is none. */
static bool fits(size_t due, size_t more, size_t limit)
{
    size_t total;
    return limit == 0 || (size_add(due, more, &total) && total <= limit);
}

static bool fits_among_others(const struct route_session *s)
{
    const struct router *r = s->router;
    size_t expected = expected_answer(s);
    return s->in_flight == 0 || expected <= CREDIT_SMALL_BYTES ||
           fits(r->expected_bytes, expected, r->max_expected_bytes);
}

static bool fits_its_queue(const struct route_session *s)
{
    /* Up to the high mark may be queued already. */
    size_t limit = s->link->max_bytes > s->link->high_bytes ? s->link->max_bytes - s->link->high_bytes
                                                            : s->link->max_bytes;
    return s->in_flight == 0 || fits(s->expected_bytes, expected_answer(s), limit);
}

bool credit_allows(const struct route_session *s)
{
    return fits_its_queue(s) && fits_among_others(s);
}

bool credit_waits_for_others(const struct route_session *s)
{
    return fits_its_queue(s) && !fits_among_others(s);
}

void credit_take(struct call *c)
{
    c->expected_bytes = expected_answer(c->session);
    c->session->expected_bytes += c->expected_bytes;
    c->router->expected_bytes += c->expected_bytes;
}

void credit_give_back(struct call *c)
{
    c->session->expected_bytes -= c->expected_bytes;
    c->router->expected_bytes -= c->expected_bytes;
    c->expected_bytes = 0;
}

static void note(size_t *largest, size_t bytes)
{
    size_t faded = *largest - *largest / 8;
    *largest = bytes > faded ? bytes : faded;
}

void credit_note_answer(struct call *c, size_t bytes)
{
    if (c->state != CALL_IN_FLIGHT)
        return;
    c->session->largest_answer_bytes = expected_answer(c->session);
    note(&c->session->largest_answer_bytes, bytes);
    note(&c->upstream->largest_answer_bytes, bytes);
}
