/* The members of an entry: finding them whatever their spelling, filling in their references, and what is
 * said about one that is wrong. */
#include "config/config_entry.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

#define SUBJECT_BYTES 320

/* ---- faults ---- */

void entry_set_problem(struct entry *e, const char *text)
{
    if (!e->s->problem)
        e->s->problem = loader_strdup(e->l, text);
}

void entry_fault(struct entry *e, json_node node, const char *field, const char *format, ...)
{
    char what[ENTRY_PROBLEM_BYTES];
    char text[ENTRY_PROBLEM_BYTES + SUBJECT_BYTES];
    va_list args;
    if (e->s->disabled)
        return;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    (void)snprintf(text, sizeof(text), "%s%s%.60s", e->subject, field[0] != '\0' ? "." : "", field);
    loader_note(e->l, place_in_file(e->l, node, text), "%s" ENTRY_TELLS_ITS_SESSIONS, what);
    (void)snprintf(text, sizeof(text), "its configuration is wrong: %.60s%s%s",
                   field[0] != '\0' ? field : "it", " ", what);
    entry_set_problem(e, text);
}

/* ---- members ---- */

json_node entry_find(const struct entry *e, enum entry_key key)
{
    struct json_doc *doc = e->l->doc;
    for (size_t i = 0; i < ENTRY_OBJECTS_MAX; i++) {
        for (const char *const *name = entry_key_spellings(key); *name; name++) {
            json_node node = json_get(doc, e->objects[i], *name);
            enum json_type type = json_type(doc, node);
            const char *string = json_string(doc, node, NULL);
            bool nested = type == JSON_OBJECT && (key == KEY_TYPE || key == KEY_COMMAND);
            if (node != JSON_ABSENT && type != JSON_NULL && !nested && !(string && string[0] == '\0'))
                return node;
        }
    }
    return JSON_ABSENT;
}

char *entry_expand(struct entry *e, enum entry_key key, const char *text)
{
    struct expansion expansion = {.environ = e->l->args->environ,
                                  .workspace = e->l->workspace,
                                  .cwd = e->l->cwd,
                                  .doc = e->l->doc,
                                  .is_argument = key == KEY_ARGS,
                                  .is_env = key == KEY_ENV};
    char *expanded = expand_variables(&expansion, text, &e->missing);
    if (!expanded)
        e->l->no_memory = true;
    return expanded;
}

char *entry_scalar(struct entry *e, enum entry_key key, json_node node)
{
    const char *string = json_string(e->l->doc, node, NULL);
    if (string)
        return entry_expand(e, key, string);
    enum json_type type = json_type(e->l->doc, node);
    if (type != JSON_NUMBER && type != JSON_TRUE && type != JSON_FALSE)
        return NULL;
    size_t len;
    const char *raw = json_raw(e->l->doc, node, &len);
    char *copy = mem_strndup(raw, len);
    if (!copy)
        e->l->no_memory = true;
    return copy;
}
