/* Measures libagentrelay as a host uses it. Prints one line of JSON.
 *
 *   sync     ar_call_wait, one after the other, on one thread
 *   pipe     COUNT calls in flight, each completion starting the next
 *   read     COUNT threads take and release the current snapshot: nanoseconds for one, over all threads
 *   memory   COUNT clients, live, each with a thread of its own: resident bytes for one
 *   shared   the same on one loop of the host's
 *
 * TARGET is a relay in front of echo_child, which has no agents to tell; so they are not asked for.
 */
#include <agent_relay.h>
#include <pthread.h>
#include <uv.h>

#include "peer_bench.h"

/* A request's line of about 200 bytes, as in the other rows. */
static const char params[] =
    "{\"name\":\"echo\",\"arguments\":{\"message\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}}";

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned live;
    unsigned done;
};
static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void on_state(struct ar_client *client, const struct ar_health *health, void *data)
{
    (void)client;
    (void)data;
    pthread_mutex_lock(&gate.lock);
    gate.live += health->state == AR_LIVE;
    pthread_cond_signal(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static struct ar_client *open_client(const struct bench_args *a, uv_loop_t *loop)
{
    struct ar_options o;
    struct ar_client *client;
    char problem[AR_PROBLEM_SIZE];
    ar_options_init(&o);
    o.url = a->target;
    o.loop = loop;
    o.agents_poll_ms = AR_NEVER;
    o.on_state = on_state;
    if (ar_open(&o, &client, problem, sizeof(problem)) != AR_OK)
        bench_die("ar_open", problem);
    return client;
}

static void wait_live(unsigned count)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.live < count)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void call_init(struct ar_call *call)
{
    ar_call_init(call);
    call->method = "tools/call";
    call->params = params;
    call->params_len = sizeof(params) - 1;
}

/* ---- sync ---- */

static void bench_sync(const struct bench_args *a)
{
    static struct hist h;
    struct ar_client *client = open_client(a, NULL);
    struct ar_call call;
    uint64_t errors = 0, began = bench_now_ns(), from = began + a->warmup_ns, until = from + a->duration_ns;
    call_init(&call);
    wait_live(1);
    for (uint64_t at = bench_now_ns(); at < until;) {
        struct ar_reply *reply;
        if (ar_call_wait(client, &call, &reply) != AR_OK)
            bench_die("ar_call_wait", "refused");
        uint64_t now = bench_now_ns();
        errors += reply->code != AR_OK;
        if (at >= from)
            hist_add(&h, now - at);
        ar_reply_free(reply);
        at = now;
    }
    bench_print(&h, a->duration_ns, errors);
    (void)!ar_close_wait(client);
}

/* ---- pipe ---- */

struct flow {
    struct hist h;
    struct ar_client *client;
    uint64_t from_ns, until_ns, errors;
    unsigned running;
};
struct slot {
    struct flow *flow;
    uint64_t sent_at_ns;
};

static void slot_next(struct slot *s);

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    (void)client;
    struct slot *s = data;
    uint64_t now = bench_now_ns();
    s->flow->errors += reply->code != AR_OK;
    if (s->sent_at_ns >= s->flow->from_ns && now < s->flow->until_ns)
        hist_add(&s->flow->h, now - s->sent_at_ns);
    if (now < s->flow->until_ns) {
        slot_next(s);
        return;
    }
    pthread_mutex_lock(&gate.lock);
    gate.done++;
    pthread_cond_signal(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void slot_next(struct slot *s)
{
    struct ar_call call;
    call_init(&call);
    call.on_reply = on_reply;
    call.data = s;
    s->sent_at_ns = bench_now_ns();
    if (ar_call(s->flow->client, &call, NULL) != AR_OK)
        bench_die("ar_call", "refused");
}

static void bench_pipe(const struct bench_args *a)
{
    static struct flow flow;
    struct slot *slots = calloc(a->count, sizeof(*slots));
    if (!slots)
        bench_die("slots", "no memory");
    flow.client = open_client(a, NULL);
    wait_live(1);
    flow.from_ns = bench_now_ns() + a->warmup_ns;
    flow.until_ns = flow.from_ns + a->duration_ns;
    for (unsigned i = 0; i < a->count; i++) {
        slots[i].flow = &flow;
        slot_next(&slots[i]);
    }
    pthread_mutex_lock(&gate.lock);
    while (gate.done < a->count)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    bench_print(&flow.h, a->duration_ns, flow.errors);
    (void)!ar_close_wait(flow.client);
    free(slots);
}

/* ---- read ---- */

struct reader {
    struct ar_client *client;
    pthread_t thread;
    uint64_t until_ns;
    uint64_t reads;
};

static void *read_snapshots(void *data)
{
    struct reader *r = data;
    while (bench_now_ns() < r->until_ns) {
        for (int i = 0; i < 1000; i++)
            ar_snapshot_release(ar_agents(r->client));
        r->reads += 1000;
    }
    return NULL;
}

static void bench_read(const struct bench_args *a)
{
    struct reader *readers = calloc(a->count, sizeof(*readers));
    struct ar_client *client = open_client(a, NULL);
    uint64_t reads = 0;
    if (!readers)
        bench_die("readers", "no memory");
    wait_live(1);
    uint64_t began = bench_now_ns();
    for (unsigned i = 0; i < a->count; i++) {
        readers[i].client = client;
        readers[i].until_ns = began + a->duration_ns;
        if (pthread_create(&readers[i].thread, NULL, read_snapshots, &readers[i]) != 0)
            bench_die("pthread_create", "refused");
    }
    for (unsigned i = 0; i < a->count; i++) {
        pthread_join(readers[i].thread, NULL);
        reads += readers[i].reads;
    }
    double elapsed = (double)(bench_now_ns() - began);
    printf("{\"reads\":%llu,\"nsPerRead\":%.2f,\"nsPerReadAndThread\":%.2f}\n", (unsigned long long)reads,
           elapsed / (double)reads, elapsed * a->count / (double)reads);
    (void)!ar_close_wait(client);
    free(readers);
}

/* ---- memory ---- */

static void on_closed(void *data)
{
    (void)data;
}

static void bench_memory(const struct bench_args *a, uv_loop_t *loop)
{
    struct ar_client **clients = calloc(a->count, sizeof(struct ar_client *));
    if (!clients)
        bench_die("clients", "no memory");
    /* What the first one costs for all (the C library's own, libuv's threads) is not counted. */
    struct ar_client *first = open_client(a, loop);
    for (unsigned n = 1; loop && gate.live < n;)
        uv_run(loop, UV_RUN_ONCE);
    wait_live(1);
    uint64_t before = bench_resident();
    for (unsigned i = 0; i < a->count; i++)
        clients[i] = open_client(a, loop);
    while (loop && gate.live < a->count + 1)
        uv_run(loop, UV_RUN_ONCE);
    wait_live(a->count + 1);
    uint64_t after = bench_resident();
    printf("{\"clients\":%u,\"bytesPerClient\":%llu,\"base\":%llu}\n", a->count,
           (unsigned long long)((after - before) / a->count), (unsigned long long)before);
    for (unsigned i = 0; i < a->count; i++)
        ar_close(clients[i], on_closed, NULL);
    ar_close(first, on_closed, NULL);
    if (loop)
        uv_run(loop, UV_RUN_DEFAULT);
    free((void *)clients);
}

int main(int argc, char **argv)
{
    struct bench_args a = bench_args(argc, argv, "sync|pipe|read|memory|shared");
    if (strcmp(a.mode, "sync") == 0)
        bench_sync(&a);
    else if (strcmp(a.mode, "pipe") == 0)
        bench_pipe(&a);
    else if (strcmp(a.mode, "read") == 0)
        bench_read(&a);
    else if (strcmp(a.mode, "memory") == 0)
        bench_memory(&a, NULL);
    else if (strcmp(a.mode, "shared") == 0)
        bench_memory(&a, uv_default_loop());
    else
        bench_die(a.mode, "no such mode");
    return 0;
}
