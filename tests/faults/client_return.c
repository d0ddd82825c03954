/* Clients on one loop, with the library's defaults, which print each change of their state: what return.test.mjs
 * measures outages with.
 *
 *   client_return --url HOST:PORT [--clients N]
 *
 * One line for each change: Unix ms, the client's number, the state. Ends, with every client closed, with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <uv.h>

#include "agent_relay.h"

struct one {
    struct ar_client *client;
    unsigned long number;
};

static struct one *all;
static unsigned long count = 1;
static char input[256];

static void on_state(struct ar_client *client, const struct ar_health *health, void *data)
{
    const struct one *one = data;
    struct timeval now;
    (void)client;
    (void)gettimeofday(&now, NULL);
    (void)printf("%lld %lu %s\n", (long long)now.tv_sec * 1000 + now.tv_usec / 1000, one->number,
                 ar_state_name(health->state));
    (void)fflush(stdout);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)handle;
    (void)suggested;
    *ret_buf = uv_buf_init(input, sizeof(input));
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    (void)buf;
    if (got >= 0)
        return;
    uv_close((uv_handle_t *)stream, NULL);
    for (unsigned long i = 0; i < count; i++)
        ar_close(all[i].client, NULL, NULL);
}

static void open_all(const char *url)
{
    char problem[AR_PROBLEM_SIZE];
    for (unsigned long i = 0; i < count; i++) {
        struct ar_options o;
        ar_options_init(&o);
        o.url = url;
        o.health_url = "";
        o.loop = uv_default_loop();
        o.on_state = on_state;
        o.data = &all[i];
        all[i].number = i;
        if (ar_open(&o, &all[i].client, problem, sizeof(problem)) != AR_OK) {
            (void)fprintf(stderr, "client_return: %s\n", problem);
            exit(1);
        }
    }
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *clients = option(argc, argv, "--clients");
    uv_pipe_t pipe;
    count = clients ? strtoul(clients, NULL, 10) : 1;
    all = calloc(count, sizeof(*all));
    if (!all || uv_pipe_init(uv_default_loop(), &pipe, 0) != 0 || uv_pipe_open(&pipe, 0) != 0 ||
        uv_read_start((uv_stream_t *)&pipe, on_room, on_input) != 0) {
        (void)fprintf(stderr, "client_return: no input\n");
        return 1;
    }
    open_all(option(argc, argv, "--url"));
    (void)uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    int left = uv_loop_close(uv_default_loop());
    free(all);
    return left == 0 ? 0 : 1;
}
