/* A page of tools/list.
 *
 * Happy path: parse, look at the name of each tool until the one that lists agents is found, and at its
 * inputSchema; else write the params with which the next page is asked for.
 *
 * Failure modes: an answer that is no list of tools, or lists something else: a page without the tool. No memory,
 * or too many parts: the code.
 */
#include "tools_page.h"

#include <errno.h>
#include <string.h>

#include "wire/json.h"
#include "wire/writer.h"

/* A page of 8 MiB, the longest line by default, with a part in every eight bytes. */
#define TOOLS_PAGE_MAX_TOKENS 1000000

static bool is_string(struct json_doc *doc, json_node node, const char *wanted)
{
    const char *text = json_string(doc, node, NULL);
    return text && strcmp(text, wanted) == 0;
}

/* A property without an enum takes any string. */
static bool takes_all(struct json_doc *doc, json_node tool)
{
    json_node properties = json_get(doc, json_get(doc, tool, "inputSchema"), "properties");
    json_node filter = json_get(doc, properties, "filter");
    if (json_type(doc, filter) != JSON_OBJECT)
        return false;
    json_node values = json_get(doc, filter, "enum");
    if (json_type(doc, values) != JSON_ARRAY)
        return true;
    for (json_node at = json_first(doc, values); at != JSON_ABSENT; at = json_next(doc, at)) {
        if (is_string(doc, at, "all"))
            return true;
    }
    return false;
}

static int write_next(const char *cursor, size_t len, struct buf *next_params)
{
    struct writer w;
    writer_init(&w, next_params);
    write_object(&w);
    write_key(&w, "cursor");
    write_string(&w, cursor, len);
    write_object_end(&w);
    return writer_end(&w);
}

static int read_page(struct json_doc *doc, struct buf *next_params, struct tools_page *page)
{
    json_node root = json_root(doc);
    json_node tools = json_get(doc, root, "tools");
    if (json_type(doc, tools) != JSON_ARRAY)
        return 0;
    for (json_node at = json_first(doc, tools); at != JSON_ABSENT; at = json_next(doc, at)) {
        if (!is_string(doc, json_get(doc, at, "name"), TOOLS_PAGE_TOOL))
            continue;
        page->has_tool = true;
        page->filters = takes_all(doc, at);
        return 0;
    }
    size_t len;
    const char *cursor = json_string(doc, json_get(doc, root, "nextCursor"), &len);
    if (!cursor || len == 0) /* null and "" too mean that this was the last */
        return 0;
    page->more = true;
    return write_next(cursor, len, next_params);
}

int tools_page_read(const char *result, size_t len, struct buf *next_params, struct tools_page *ret_page)
{
    struct json_doc *doc = NULL;
    struct tools_page page = {0};
    int rc = json_parse(result, len, JSON_STRICT, TOOLS_PAGE_MAX_TOKENS, &doc, NULL);
    if (rc == 0)
        rc = read_page(doc, next_params, &page);
    json_free(doc);
    if (rc == 0)
        *ret_page = page;
    return rc;
}
