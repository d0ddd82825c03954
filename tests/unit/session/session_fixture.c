#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/session/session_fixture.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"

struct route_session {
    void *user;
};

struct fake_router fake_router;
struct session_set set;
struct fake_transport first;
struct fake_transport second;

/* ---- the router ---- */

int route_session_open(struct router *r, const char *server_name, struct link *client,
                       const struct peer_key *peer, void *user, uint64_t now_ms,
                       struct route_session **ret_session)
{
    (void)r, (void)peer, (void)now_ms;
    if (strcmp(server_name, "mock") != 0)
        return ERR_NOT_FOUND;
    struct route_session *s = mem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->user = user;
    fake_router.opened++;
    fake_router.link = client;
    *ret_session = s;
    return 0;
}

void route_session_close(struct route_session *s, uint64_t now_ms)
{
    (void)now_ms;
    fake_router.closed++;
    mem_free(s);
}

void route_session_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    (void)s, (void)frame, (void)now_ms;
    fake_router.frames++;
}

void route_session_sent(struct route_session *s)
{
    (void)s;
}

void route_session_writable(struct route_session *s, uint64_t now_ms)
{
    (void)s, (void)now_ms;
    fake_router.writable++;
}

/* ---- the transports ---- */

static struct fake_transport *fake_of(struct transport *t)
{
    return CONTAINER_OF(t, struct fake_transport, transport);
}

static void put(struct fake_transport *t, const char *bytes, size_t len)
{
    if (len > sizeof(t->text) - 1 - t->len)
        len = sizeof(t->text) - 1 - t->len;
    memcpy(t->text + t->len, bytes, len);
    t->len += len;
    t->text[t->len] = '\0';
}

static int on_send(struct transport *transport, const struct message *message)
{
    struct fake_transport *t = fake_of(transport);
    if (t->send_result != 0)
        return t->send_result;
    for (size_t i = 0; i < message->part_count; i++) {
        put(t, message->parts[i].bytes, message->parts[i].len);
        transport->queued_bytes += t->stuck ? message->parts[i].len : 0;
    }
    put(t, "\n", 1);
    return 0;
}

static void on_pause(struct transport *t)
{
    fake_of(t)->pauses++;
}

static void on_resume(struct transport *t)
{
    fake_of(t)->resumes++;
}

static void on_close(struct transport *t, int code, const char *reason)
{
    (void)reason;
    fake_of(t)->closes++;
    fake_of(t)->close_code = code;
}

static const struct transport_ops fake_ops = {on_send, on_pause, on_resume, on_close};

static void init_transport(struct fake_transport *t)
{
    memset(t, 0, sizeof(*t));
    t->transport = (struct transport){.ops = &fake_ops, .bytes_in = &t->bytes_in, .bytes_out = &t->bytes_out};
}

/* ---- around a test ---- */

int session_set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    fake_router = (struct fake_router){0};
    session_set_init(&set, NULL);
    init_transport(&first);
    init_transport(&second);
    return 0;
}

int session_tear_down(void **state)
{
    (void)state;
    fault_alloc_fail_at(0);
    LIST_EACH(node, next, &set.sessions)
    {
        session_close(CONTAINER_OF(node, struct session, node), NOW_MS);
    }
    session_set_done(&set);
    assert_int_equal(fake_router.opened, fake_router.closed);
    assert_int_equal(fault_alloc_live(), 0);
    return 0;
}

struct session *open_on(struct fake_transport *t)
{
    struct session_origin origin = {.family = SESSION_UNIX, .local = true, .peer = "unix:pid=1"};
    struct session *s = NULL;
    assert_int_equal(session_open(&set, &origin, &t->transport, "mock", NOW_MS, &s), 0);
    return s;
}

int send_text(const char *text)
{
    size_t len = strlen(text);
    const struct part parts[] = {{text, len / 2}, {text + len / 2, len - len / 2}};
    const struct message message = {.parts = parts, .part_count = 2, .kind = MESSAGE_RESULT};
    return fake_router.link->ops->send(fake_router.link, &message);
}

int send_bytes(size_t len)
{
    char *bytes = mem_alloc(len);
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    const struct part part = {bytes, len};
    const struct message message = {.parts = &part, .part_count = 1, .kind = MESSAGE_NOTIFICATION};
    int rc = fake_router.link->ops->send(fake_router.link, &message);
    mem_free(bytes);
    return rc;
}

void assert_sent(struct fake_transport *t, const char *expected)
{
    assert_string_equal(t->text, expected);
    t->len = 0;
    t->text[0] = '\0';
}
