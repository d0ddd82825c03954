/* The peer of the client library's rows: nats.c against a NATS server, in the same roles as bench_client and
 * with the same load. Prints one line of JSON.
 *
 *   respond  answers requests on the subject "echo" with their own bytes, until its input ends
 *   sync     natsConnection_Request, one after the other
 *   pipe     COUNT requests in flight, each reply starting the next
 *   memory   COUNT connections, each with a subscription: resident bytes for one
 */
#include <nats/nats.h>
#include <pthread.h>

#include "peer_bench.h"

static const char payload[] =
    "{\"name\":\"echo\",\"arguments\":{\"message\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}}";
#define REPLY_TIMEOUT_MS 5000

static void check(natsStatus status, const char *what)
{
    if (status != NATS_OK)
        bench_die(what, natsStatus_GetText(status));
}

static natsConnection *connect_to(const char *url)
{
    natsConnection *c;
    natsOptions *o;
    check(natsOptions_Create(&o), "options");
    check(natsOptions_SetURL(o, url), url);
    /* Without it a flusher thread gathers writes for a millisecond, and one call after the other is many
     * times slower. */
    check(natsOptions_SetSendAsap(o, true), "SendAsap");
    check(natsConnection_Connect(&c, o), url);
    natsOptions_Destroy(o);
    return c;
}

/* ---- respond ---- */

static void echo(natsConnection *c, natsSubscription *s, natsMsg *m, void *data)
{
    (void)s;
    (void)data;
    check(natsConnection_Publish(c, natsMsg_GetReply(m), natsMsg_GetData(m), natsMsg_GetDataLength(m)),
          "reply");
    natsMsg_Destroy(m);
}

static void respond(const struct bench_args *a)
{
    natsSubscription *s;
    natsConnection *c = connect_to(a->target);
    check(natsConnection_Subscribe(&s, c, "echo", echo, NULL), "subscribe");
    check(natsConnection_Flush(c), "flush");
    puts("ready");
    fflush(stdout);
    (void)getchar();
    natsSubscription_Destroy(s);
    natsConnection_Destroy(c);
}

/* ---- sync ---- */

static void bench_sync(const struct bench_args *a)
{
    static struct hist h;
    natsConnection *c = connect_to(a->target);
    uint64_t errors = 0, began = bench_now_ns(), from = began + a->warmup_ns, until = from + a->duration_ns;
    for (uint64_t at = began; at < until;) {
        natsMsg *m = NULL;
        errors +=
            natsConnection_Request(&m, c, "echo", payload, sizeof(payload) - 1, REPLY_TIMEOUT_MS) != NATS_OK;
        natsMsg_Destroy(m);
        uint64_t now = bench_now_ns();
        if (at >= from)
            hist_add(&h, now - at);
        at = now;
    }
    bench_print(&h, a->duration_ns, errors);
    natsConnection_Destroy(c);
}

/* ---- pipe ---- */

struct flow {
    struct hist h;
    natsConnection *c;
    uint64_t from_ns, until_ns;
    uint64_t *sent_at_ns;
    unsigned done;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void send_one(struct flow *f, unsigned slot)
{
    char reply[64];
    (void)snprintf(reply, sizeof(reply), "inbox.%u", slot);
    f->sent_at_ns[slot] = bench_now_ns();
    check(natsConnection_PublishRequest(f->c, "echo", reply, payload, sizeof(payload) - 1), "publish");
}

static void on_reply(natsConnection *c, natsSubscription *s, natsMsg *m, void *data)
{
    (void)c;
    (void)s;
    struct flow *f = data;
    unsigned slot = (unsigned)strtoul(natsMsg_GetSubject(m) + strlen("inbox."), NULL, 10);
    uint64_t now = bench_now_ns();
    natsMsg_Destroy(m);
    if (f->sent_at_ns[slot] >= f->from_ns && now < f->until_ns)
        hist_add(&f->h, now - f->sent_at_ns[slot]);
    if (now < f->until_ns) {
        send_one(f, slot);
        return;
    }
    pthread_mutex_lock(&f->lock);
    f->done++;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void bench_pipe(const struct bench_args *a)
{
    static struct flow f = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    natsSubscription *s;
    f.c = connect_to(a->target);
    f.sent_at_ns = calloc(a->count, sizeof(*f.sent_at_ns));
    if (!f.sent_at_ns)
        bench_die("slots", "no memory");
    check(natsConnection_Subscribe(&s, f.c, "inbox.*", on_reply, &f), "subscribe");
    check(natsConnection_Flush(f.c), "flush");
    f.from_ns = bench_now_ns() + a->warmup_ns;
    f.until_ns = f.from_ns + a->duration_ns;
    for (unsigned i = 0; i < a->count; i++)
        send_one(&f, i);
    pthread_mutex_lock(&f.lock);
    while (f.done < a->count)
        pthread_cond_wait(&f.changed, &f.lock);
    pthread_mutex_unlock(&f.lock);
    bench_print(&f.h, a->duration_ns, 0);
    natsSubscription_Destroy(s);
    natsConnection_Destroy(f.c);
    free(f.sent_at_ns);
}

/* ---- memory ---- */

/* A connection that has asked once, as a client of ours that is live has. */
static natsConnection *used_connection(const char *url)
{
    natsConnection *c = connect_to(url);
    natsMsg *m = NULL;
    check(natsConnection_Request(&m, c, "echo", payload, sizeof(payload) - 1, REPLY_TIMEOUT_MS), "request");
    natsMsg_Destroy(m);
    return c;
}

static void bench_memory(const struct bench_args *a)
{
    natsConnection **c = calloc(a->count, sizeof(natsConnection *));
    natsConnection *first = used_connection(a->target);
    if (!c)
        bench_die("connections", "no memory");
    uint64_t before = bench_resident();
    for (unsigned i = 0; i < a->count; i++)
        c[i] = used_connection(a->target);
    uint64_t after = bench_resident();
    printf("{\"clients\":%u,\"bytesPerClient\":%llu,\"base\":%llu}\n", a->count,
           (unsigned long long)((after - before) / a->count), (unsigned long long)before);
    for (unsigned i = 0; i < a->count; i++)
        natsConnection_Destroy(c[i]);
    natsConnection_Destroy(first);
    free((void *)c);
}

int main(int argc, char **argv)
{
    struct bench_args a = bench_args(argc, argv, "respond|sync|pipe|memory");
    if (strcmp(a.mode, "respond") == 0)
        respond(&a);
    else if (strcmp(a.mode, "sync") == 0)
        bench_sync(&a);
    else if (strcmp(a.mode, "pipe") == 0)
        bench_pipe(&a);
    else if (strcmp(a.mode, "memory") == 0)
        bench_memory(&a);
    else
        bench_die(a.mode, "no such mode");
    nats_Close();
    return 0;
}
