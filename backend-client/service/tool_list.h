/* What a server offers: its tools by name, and the arguments that each takes, as its tools/list says.
 *
 * A list is filled page by page, and immutable once it is shared; then any thread may look at it. Pure.
 */
#ifndef SERVICE_TOOL_LIST_H
#define SERVICE_TOOL_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/json.h"

#define TOOL_LIST_MAX_TOOLS 10000
#define TOOL_LIST_MAX_BYTES ((size_t)16 << 20) /* names and schemas together */

struct tool_list; /* opaque, reference counted */

MUSTCHECK int tool_list_new(struct tool_list **ret_list); /* one reference; -ENOMEM */
struct tool_list *tool_list_retain(struct tool_list *list);
void tool_list_release(struct tool_list *list); /* NULL: nothing */

/* Appends the tools of a result of tools/list. `cursor` gets the JSON text of its nextCursor; empty: it was the
 * last page. ERR_SYNTAX and the other errors of json_parse, ERR_TYPE (it holds no list of tools), ERR_TOO_LARGE,
 * -ENOMEM. */
MUSTCHECK int tool_list_add_page(struct tool_list *list, const char *result, size_t len, struct buf *cursor);

size_t tool_list_count(const struct tool_list *list);
bool tool_list_has(const struct tool_list *list, const char *name);
/* "echo, add and 351 more", as far as it fits; "none". */
void tool_list_names(const struct tool_list *list, char *ret_text, size_t size);

/* The arguments of one tool. Not to be shared between threads. */
struct tool_schema {
    struct json_doc *doc; /* owned; NULL: nothing is known, so that every argument is taken */
    json_node properties; /* JSON_ABSENT: the schema names none, likewise */
    json_node required;
};

/* `list` NULL, or a tool that it lacks: nothing is known. -ENOMEM. */
MUSTCHECK int tool_schema_open(const struct tool_list *list, const char *name, struct tool_schema *ret);
void tool_schema_done(struct tool_schema *s);
/* The schema has a property of that name. */
bool tool_schema_has(const struct tool_schema *s, const char *key);
/* Likewise; and where it may be left out, its enum, if it has one, holds `value`: the server's own default is
 * better than a word that its validator refuses. */
bool tool_schema_takes(struct tool_schema *s, const char *key, const char *value);

#endif
