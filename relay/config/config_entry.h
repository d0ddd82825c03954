/* Shared by the files that read one entry of a block; included by them alone. */
#ifndef CONFIG_CONFIG_ENTRY_H
#define CONFIG_CONFIG_ENTRY_H

#include "config/config_internal.h"
#include "config/config_spellings.h"

/* The objects that hold the entry's members: itself, and some tools nest an object in it. */
#define ENTRY_OBJECTS_MAX 3

/* One entry being read. */
struct entry {
    struct loader *l;
    struct server_config *s;
    json_node node;
    json_node objects[ENTRY_OBJECTS_MAX]; /* JSON_ABSENT where there is none */
    struct buf missing;                   /* names of references without a value */
    const char *subject;                  /* "mcpServers.memory"; borrowed */
};

/* config_member.c */

/* A problem's text; a longer one is cut. */
#define ENTRY_PROBLEM_BYTES 512
/* Ends the note on a problem. */
#define ENTRY_TELLS_ITS_SESSIONS "; requests to it get this as their error, the other servers run"

/* The entry's value of the key, whatever its spelling; null and "" count as absent. */
json_node entry_find(const struct entry *e, enum entry_key key);
/* What is wrong with a member: noted, and the entry's problem, unless it has one already. A disabled entry
 * has no faults. */
__attribute__((format(printf, 4, 5))) void entry_fault(struct entry *e, json_node node, const char *field,
                                                       const char *format, ...);
/* The entry's problem, unless it has one already. */
void entry_set_problem(struct entry *e, const char *text);
/* NULL: no memory, which is kept in the load. */
char *entry_expand(struct entry *e, enum entry_key key, const char *text);
/* A string, number or boolean as text, expanded; NULL: another type, or no memory. */
char *entry_scalar(struct entry *e, enum entry_key key, json_node node);

/* config_entry_env.c: the variables of envFile, then those of env. */
void entry_read_env(struct entry *e);

#endif
