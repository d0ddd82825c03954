/* The client inside a host that has a libuv loop of its own: no thread is made, callbacks run on the loop,
 * and the loop ends when the client is closed.
 *
 *   cc own_loop.c $(pkg-config --cflags --libs agentrelay libuv) -o own_loop && ./own_loop
 *
 * Waits for the relay, calls a tool once, prints the answer, closes. A call with the policy AR_WAIT waits in
 * the queue until the relay is there, or until its deadline.
 */
#include <agent_relay.h>
#include <stdio.h>
#include <uv.h>

static int exit_code = 1;

static void on_closed(void *data)
{
    (void)data;
    puts("closed");
}

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    (void)data;
    if (reply->code == AR_OK) {
        printf("%s answer: %s\n", ar_source_name(reply->source), reply->result);
        exit_code = 0;
    } else {
        printf("%s: %s%s\n", ar_code_name(reply->code), reply->message,
               reply->may_have_run ? " (it may have run)" : "");
    }
    ar_close(client, on_closed, NULL); /* legal here, and everywhere */
}

int main(void)
{
    struct ar_client *client;
    struct ar_options options;
    struct ar_call call;
    char problem[AR_PROBLEM_SIZE];

    ar_options_init(&options);
    options.loop = uv_default_loop();
    if (ar_open(&options, &client, problem, sizeof(problem)) != AR_OK) {
        fprintf(stderr, "%s\n", problem);
        return 2;
    }
    ar_call_init(&call);
    call.method = "tools/call";
    call.params = "{\"name\":\"echo\",\"arguments\":{\"message\":\"hello\"}}";
    call.policy = AR_WAIT;
    call.deadline_ms = 10000;
    call.on_reply = on_reply;
    if (ar_call(client, &call, NULL) != AR_OK)
        ar_close(client, on_closed, NULL);
    uv_run(options.loop, UV_RUN_DEFAULT);
    return uv_loop_close(options.loop) == 0 ? exit_code : 3;
}
