/* Long-running calls.
 *
 * Purpose: the tool `slow`: a number of steps of a given length, a progress notification after each when the
 * caller gave a token, then the answer. Slow calls run at once and delay no other request.
 *
 * The steps follow the monotonic clock even where the world's clock is fixed: the output does not depend on
 * it. Failure modes: too many at once (ERR_FULL) or no memory: refused at the start. A cancelled call is
 * never answered. When the reader of our output is slow, progress is left out, answers are not.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "mock/mcp.h"

/* Between the last progress and the answer: the official SDK's client loses a progress that it reads together
 * with the answer. */
#define ANSWER_GAP_MS 10
/* How many due steps (they may be 0 ms long) run before input and output are served again. */
#define STEPS_A_TURN 64

struct slow_call {
    struct list node; /* in mcp.slow */
    char *id;         /* raw, owned */
    size_t id_len;
    char *token; /* raw, owned; NULL: no progress requested */
    size_t token_len;
    char *message; /* owned */
    unsigned steps;
    unsigned done;
    uint64_t step_ms;
    uint64_t next_at_ms; /* monotonic */
};

static uint64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void slow_free(struct slow_call *c)
{
    mem_free(c->id);
    mem_free(c->token);
    mem_free(c->message);
    mem_free(c);
}

static void slow_end(struct mcp *s, struct slow_call *c)
{
    list_remove(&c->node);
    s->slow_count--;
    slow_free(c);
}

int mcp_slow_start(struct mcp *s, const struct mcp_request *r, unsigned steps, uint64_t step_ms,
                   const char *message)
{
    if (s->slow_count >= MCP_MAX_SLOW)
        return ERR_FULL;
    struct slow_call *c = mem_zalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->id = mem_dup(r->id, r->id_len);
    c->id_len = r->id_len;
    c->token = r->token ? mem_dup(r->token, r->token_len) : NULL;
    c->token_len = r->token_len;
    c->message = mem_strdup(message);
    if (!c->id || !c->message || (r->token && !c->token)) {
        slow_free(c);
        return -ENOMEM;
    }
    c->steps = steps;
    c->step_ms = step_ms;
    uint64_t real_ms = monotonic_ms();
    if (s->slow_count == 0)
        s->slow_real_ms = real_ms;
    c->next_at_ms = (s->clock_is_fixed ? s->slow_clock_ms : real_ms) + step_ms;
    list_push_back(&s->slow, &c->node);
    s->slow_count++;
    return 0;
}

void mcp_slow_cancel(struct mcp *s, const char *id, size_t id_len)
{
    LIST_EACH(at, next, &s->slow)
    {
        struct slow_call *c = CONTAINER_OF(at, struct slow_call, node);
        if (c->id_len == id_len && memcmp(c->id, id, id_len) == 0)
            slow_end(s, c);
    }
}

static void send_progress(struct mcp *s, const struct slow_call *c)
{
    char text[64];
    struct mcp_line line;
    if (!c->token || mcp_skips_news(s))
        return;
    (void)snprintf(text, sizeof(text), "step %u of %u", c->done, c->steps);
    mcp_notify_start(s, "notifications/progress", &line);
    write_object(&line.w);
    write_member_raw(&line.w, "progressToken", c->token, c->token_len);
    write_member_uint(&line.w, "progress", c->done);
    write_member_uint(&line.w, "total", c->steps);
    write_member_string(&line.w, "message", text);
    write_object_end(&line.w);
    mcp_notify_end(&line);
}

/* One step, or the answer once all are done, which frees c. */
static void step(struct mcp *s, struct slow_call *c)
{
    if (c->done < c->steps) {
        c->done++;
        send_progress(s, c);
        c->next_at_ms += c->done < c->steps ? c->step_ms : c->token ? ANSWER_GAP_MS : 0;
        if (c->done < c->steps || c->token)
            return;
    }
    struct mcp_request r = {.id = c->id, .id_len = c->id_len};
    mcp_tool_result(s, &r, c->message, strlen(c->message), false, false);
    slow_end(s, c);
}

/* The call whose step is due first, the older one of equals; NULL: none runs. */
static struct slow_call *first_due(const struct mcp *s)
{
    struct slow_call *first = NULL;
    LIST_EACH(at, next, &s->slow)
    {
        struct slow_call *c = CONTAINER_OF(at, struct slow_call, node);
        if (!first || c->next_at_ms < first->next_at_ms)
            first = c;
    }
    return first;
}

int mcp_slow_advance(struct mcp *s)
{
    for (unsigned steps = 0; steps < STEPS_A_TURN; steps++) {
        struct slow_call *c = first_due(s);
        if (!c)
            return -1;
        uint64_t real_ms = monotonic_ms();
        uint64_t now_ms = s->clock_is_fixed ? s->slow_clock_ms + (real_ms - s->slow_real_ms) : real_ms;
        if (c->next_at_ms > now_ms) {
            uint64_t wait_ms = c->next_at_ms - now_ms;
            return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
        }
        s->slow_clock_ms = c->next_at_ms;
        s->slow_real_ms = real_ms;
        step(s, c);
    }
    return 0;
}

void mcp_slow_free_all(struct mcp *s)
{
    LIST_EACH(at, next, &s->slow)
    slow_end(s, CONTAINER_OF(at, struct slow_call, node));
}
