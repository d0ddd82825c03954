/* Agents in ten lines: live while the relay answers, stale or mock, and marked so, while it does not.
 *
 *   cc ten_lines.c $(pkg-config --cflags --libs agentrelay) -o ten_lines && AGENT_CONTROL_URL=127.0.0.1:9500
 * ./ten_lines
 */
#include <agent_relay.h>
#include <stdio.h>

static void show(struct ar_client *client, const struct ar_snapshot *agents, void *data)
{
    (void)client;
    (void)data;
    printf("%s: %zu agents\n", ar_source_name(ar_snapshot_source(agents)), ar_snapshot_count(agents));
    fflush(stdout);
}

int main(void)
{
    struct ar_client *client;
    struct ar_options options;
    char problem[AR_PROBLEM_SIZE];
    ar_options_init(&options);
    options.on_agents = show; /* on the client's own thread, whenever something changed */
    if (ar_open(&options, &client, problem, sizeof(problem)) != AR_OK)
        return fprintf(stderr, "%s\n", problem), 1;
    getchar(); /* the backend's own work; ends with its input */
    return ar_close_wait(client) == AR_OK ? 0 : 1;
}
