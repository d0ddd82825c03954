/* For a file without servers: says where in it some seem to stand, so that they can be moved.
 *
 * The first object is named that has members which look like entries, in the order of the text.
 */
#include "config/config_internal.h"

#include <stdio.h>
#include <string.h>

#include "config/config_spellings.h"

/* Deeper than any tool keeps them. */
#define SEARCH_DEPTH_MAX 8

/* A way from the root to a node, as "projects./home/me.mcpServers". */
struct trail {
    char text[200];
    size_t len;
};

static json_node find_block(struct loader *l, json_node node, struct trail *trail, int depth)
{
    bool object = json_type(l->doc, node) == JSON_OBJECT;
    if (depth > SEARCH_DEPTH_MAX || (!object && json_type(l->doc, node) != JSON_ARRAY))
        return JSON_ABSENT;
    for (json_node it = json_first(l->doc, node); it != JSON_ABSENT; it = json_next(l->doc, it)) {
        json_node value = object ? json_value(l->doc, it) : it;
        if (looks_like_entry(l->doc, value))
            return node;
        struct trail deeper = *trail;
        const char *key = object ? json_string(l->doc, it, NULL) : "[]";
        int added = snprintf(deeper.text + deeper.len, sizeof(deeper.text) - deeper.len, "%s%.60s",
                             deeper.len > 0 ? "." : "", key ? key : "?");
        size_t room = sizeof(deeper.text) - deeper.len - 1;
        deeper.len += added > 0 && (size_t)added < room ? (size_t)added : room;
        json_node found = find_block(l, value, &deeper, depth + 1);
        if (found != JSON_ABSENT) {
            *trail = deeper;
            return found;
        }
    }
    return JSON_ABSENT;
}

void report_no_servers(struct loader *l)
{
    static const char write[] = "write {\"mcpServers\": {\"NAME\": {\"command\": \"...\"}}}";
    json_node root = json_root(l->doc);
    struct place file = {l->c->file, 0, ""};
    if (looks_like_entry(l->doc, root)) {
        loader_problem(
            l, place_in_file(l, root, ""),
            "is a single entry without a name; write {\"mcpServers\": {\"NAME\": {...}}} around it");
        return;
    }
    struct trail trail = {.text = ""};
    json_node block = find_block(l, root, &trail, 0);
    if (block == JSON_ABSENT)
        loader_problem(l, file, "has no servers; %s, with \"agent-mock\" for the mock agents", write);
    else
        loader_problem(
            l, place_in_file(l, block, ""),
            "has no servers where they are looked for; \"%s\" seems to hold some: move them to \"mcpServers\"",
            trail.text);
}
