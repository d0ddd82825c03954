/* The bodies of POST requests.
 *
 * Purpose: parse a body strictly, take its members with their defaults, check each against its limit. The
 * first problem ends it: 400 with the problem and the correct form. Unknown members are ignored, so that
 * clients of either older version are served. Failure modes: those, and out of memory (503).
 */
#include "request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX_TOKENS 8192

#define SWARM_EXAMPLE                                                                                        \
    "Send for example {\"topology\":\"mesh\",\"maxAgents\":8,\"strategy\":\"balanced\",\"agentTypes\":"      \
    "[\"coordinator\",\"coder\"]}."
#define TASK_EXAMPLE "Send for example {\"task\":\"Review the parser\",\"priority\":\"high\"}."

/* One body under way. */
struct reader {
    struct json_doc *doc;
    json_node root;
    struct failure *failure;
    bool failed;
};

__attribute__((format(printf, 3, 4))) static void refuse(struct reader *r, const char *suggestion,
                                                         const char *format, ...)
{
    char text[sizeof(r->failure->text)];
    va_list args;
    if (r->failed)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    failure_set(r->failure, 400, "INVALID_REQUEST", suggestion, text);
    r->failed = true;
}

static int open_body(struct reader *r, const char *body, size_t len, const char *example)
{
    unsigned line = 0;
    int rc = json_parse(body, len, JSON_STRICT, BODY_MAX_TOKENS, &r->doc, &line);
    if (rc == -ENOMEM) {
        failure_from_code(r->failure, AR_E_NO_MEMORY, &(struct ar_health){.state = AR_CONNECTING});
        r->failure->about_call = false;
        return -1;
    }
    if (rc != 0 && len == 0)
        failure_set(r->failure, 400, "INVALID_JSON", example, "The body is empty.");
    else if (rc == ERR_SYNTAX)
        failure_format(r->failure, 400, "INVALID_JSON", example, "The body is not JSON: see its line %u.",
                       line);
    else if (rc == ERR_DEPTH)
        failure_set(r->failure, 400, "INVALID_JSON", example, "The body's JSON is nested too deeply.");
    else if (rc == ERR_TOO_LARGE)
        failure_format(r->failure, 413, "TOO_LARGE", example,
                       "The body's JSON has too many values; at most %d are taken.", BODY_MAX_TOKENS);
    else if (rc != 0)
        failure_format(r->failure, 400, "INVALID_JSON", example, "The body's JSON cannot be read: %s.",
                       err_text(rc));
    if (rc != 0)
        return -1;
    r->root = json_root(r->doc);
    if (json_type(r->doc, r->root) != JSON_OBJECT)
        refuse(r, example, "The body must be a JSON object.");
    return 0;
}

/* Absent and null are the same: the default. */
static bool given(const struct reader *r, const char *key, json_node *ret)
{
    *ret = json_get(r->doc, r->root, key);
    return *ret != JSON_ABSENT && json_type(r->doc, *ret) != JSON_NULL;
}

static const char *take_string(struct reader *r, const char *key, size_t max, const char *preset)
{
    json_node at;
    size_t len;
    if (!given(r, key, &at))
        return preset;
    const char *text = json_string(r->doc, at, &len);
    if (!text)
        refuse(r, "Write it in quotes, without \\u0000.", "%s must be a string.", key);
    else if (len > max)
        refuse(r, "Write it shorter.", "%s has %zu bytes; at most %zu are taken.", key, len, max);
    return text;
}

static const char *take_choice(struct reader *r, const char *key, const char *const *choices,
                               const char *preset)
{
    char list[160] = "";
    const char *word = take_string(r, key, REQUEST_MAX_WORD, preset);
    for (size_t i = 0; choices[i]; i++) {
        size_t used = strlen(list);
        if (word && strcmp(word, choices[i]) == 0)
            return word;
        (void)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "Write one of ", choices[i]);
    }
    if (word)
        refuse(r, list, "%s \"%s\" is not known.", key, word);
    return preset;
}

static enum ar_policy take_when_down(struct reader *r, const char *from_query)
{
    enum ar_policy policy = AR_FAIL_FAST;
    const char *word = take_string(r, "whenDown", REQUEST_MAX_WORD, NULL);
    if (!r->failed && request_when_down(from_query ? from_query : word, &policy, r->failure) != 0)
        r->failed = true;
    return policy;
}

int request_when_down(const char *word, enum ar_policy *ret, struct failure *ret_failure)
{
    *ret = AR_FAIL_FAST;
    if (!word || strcmp(word, "fail") == 0)
        return 0;
    if (strcmp(word, "mock") == 0)
        *ret = AR_MOCK;
    else if (strcmp(word, "wait") == 0)
        *ret = AR_WAIT;
    else {
        failure_format(ret_failure, 400, "INVALID_REQUEST",
                       "Write fail (the default), mock (a made-up answer, marked so), or wait.",
                       "whenDown \"%.64s\" is not known.", word);
        return -1;
    }
    return 0;
}

/* ---- initialize-swarm ---- */

static void check_max_agents(struct reader *r, const struct swarm_request *s)
{
    static const struct {
        const char *topology;
        int64_t min, max;
    } limits[] = {
        {"hierarchical", 1, 50}, {"mesh", 1, 20}, {"ring", 3, 100}, {"star", 1, REQUEST_MAX_AGENTS}};
    char advice[128];
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (strcmp(limits[i].topology, s->topology) != 0 ||
            (s->max_agents >= limits[i].min && s->max_agents <= limits[i].max))
            continue;
        (void)snprintf(advice, sizeof(advice), "Write maxAgents from %d to %d, or choose another topology.",
                       (int)limits[i].min, (int)limits[i].max);
        refuse(r, advice, "maxAgents %lld does not fit the topology %s.", (long long)s->max_agents,
               s->topology);
    }
}

static void take_max_agents(struct reader *r, struct swarm_request *s)
{
    json_node at;
    s->max_agents = 8;
    if (given(r, "maxAgents", &at) && !json_int(r->doc, at, INT32_MIN, INT32_MAX, &s->max_agents))
        refuse(r, "Write a whole number, such as 8.", "maxAgents must be a whole number.");
    if (!r->failed)
        check_max_agents(r, s);
}

static void take_neural(struct reader *r, struct swarm_request *s)
{
    json_node at;
    s->neural_given = given(r, "enableNeural", &at);
    if (s->neural_given && !json_bool(r->doc, at, &s->enable_neural))
        refuse(r, "Write true or false.", "enableNeural must be true or false.");
}

static void take_type(struct reader *r, struct swarm_request *s, json_node at)
{
    size_t len;
    const char *word = json_string(r->doc, at, &len);
    if (!word || len == 0 || len > REQUEST_MAX_WORD)
        refuse(r, "Write words such as coordinator, researcher, coder, analyst or tester.",
               "agentTypes must hold words of 1 to %d bytes.", REQUEST_MAX_WORD);
    else if ((int64_t)s->type_count >= s->max_agents)
        refuse(r, "Name fewer agentTypes, or raise maxAgents.",
               "agentTypes names more agents than maxAgents (%lld) allows.", (long long)s->max_agents);
    else
        s->types[s->type_count++] = word;
}

static void take_types(struct reader *r, struct swarm_request *s)
{
    json_node at;
    if (!given(r, "agentTypes", &at))
        return;
    if (json_type(r->doc, at) != JSON_ARRAY)
        refuse(r, "Write for example [\"coordinator\",\"coder\"].", "agentTypes must be an array.");
    for (json_node it = json_first(r->doc, at); it != JSON_ABSENT && !r->failed; it = json_next(r->doc, it))
        take_type(r, s, it);
}

int request_swarm(const char *body, size_t len, const char *when_down, struct swarm_request *ret,
                  struct failure *ret_failure)
{
    static const char *const topologies[] = {"mesh", "hierarchical", "ring", "star", NULL};
    static const char *const strategies[] = {"balanced", "specialized", "adaptive", NULL};
    struct reader r = {.failure = ret_failure};
    *ret = (struct swarm_request){0};
    if (open_body(&r, body, len, SWARM_EXAMPLE) != 0)
        return -1;
    ret->topology = take_choice(&r, "topology", topologies, "hierarchical");
    ret->strategy = take_choice(&r, "strategy", strategies, "balanced");
    ret->custom_prompt = take_string(&r, "customPrompt", REQUEST_MAX_PROMPT, NULL);
    take_neural(&r, ret);
    take_max_agents(&r, ret);
    take_types(&r, ret);
    ret->when_down = take_when_down(&r, when_down);
    ret->doc = r.doc;
    if (!r.failed)
        return 0;
    json_free(r.doc);
    return -1;
}

/* ---- submit-task ---- */

int request_task(const char *body, size_t len, const char *when_down, struct task_request *ret,
                 struct failure *ret_failure)
{
    static const char *const priorities[] = {"low", "medium", "high", "critical", NULL};
    static const char *const strategies[] = {"adaptive",   "balanced",    "parallel",
                                             "sequential", "specialized", NULL};
    struct reader r = {.failure = ret_failure};
    *ret = (struct task_request){0};
    if (open_body(&r, body, len, TASK_EXAMPLE) != 0)
        return -1;
    ret->task = take_string(&r, "task", REQUEST_MAX_TASK, NULL);
    if (!ret->task || ret->task[strspn(ret->task, " \t\r\n")] == '\0')
        refuse(&r, TASK_EXAMPLE, "Task description is required");
    ret->priority = take_choice(&r, "priority", priorities, NULL);
    ret->strategy = take_choice(&r, "strategy", strategies, NULL);
    ret->when_down = take_when_down(&r, when_down);
    ret->doc = r.doc;
    if (!r.failed)
        return 0;
    json_free(r.doc);
    return -1;
}

int request_task_id(const char *id, struct failure *ret_failure)
{
    size_t len = strlen(id);
    bool good = len > 0 && len <= REQUEST_MAX_ID;
    for (size_t i = 0; i < len; i++)
        good = good && (unsigned char)id[i] >= 0x20 && id[i] != 0x7f;
    if (good)
        return 0;
    failure_format(ret_failure, 400, "INVALID_REQUEST", "Write the taskId that submit-task answered with.",
                   "The task's id must have 1 to %d bytes and no control characters.", REQUEST_MAX_ID);
    return -1;
}
