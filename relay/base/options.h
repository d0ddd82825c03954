/* Options of a program: each row of one table holds an option's flag, environment variable, key in a file,
 * type, range, default and help. Parsing, storing, error texts and --help are made from the rows.
 *
 *   option_next over argv -> option_take (or option_set) stores each value
 *                         -> option_fault_text writes the fault and the correct form
 *
 * Pure: these functions read no environment, open no file and print nothing. Strings are borrowed from argv
 * and the environment. Failure modes: a flag that is not in the table, a missing value, or one that the row
 * does not accept: an enum option_fault, and nothing is stored.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum option_type {
    OPTION_BARE,   /* the flag takes no value, and nothing is stored: the program checks the row */
    OPTION_UINT,   /* uint64_t, in [min, max] */
    OPTION_UINT32, /* uint32_t, likewise */
    OPTION_CHOICE, /* an enum (stored as unsigned): the index in `choices` */
    OPTION_SWITCH, /* bool: choices[0] is false, choices[1] true */
    OPTION_STRING, /* const char *, not empty; NULL when not set */
    /* Lists: each value given is one element more. The program stores them; option_set does not. */
    OPTION_NAMES,  /* char **, NULL-terminated */
    OPTION_LISTEN, /* addresses to listen on */
};

enum option_unit { OPTION_NO_UNIT, OPTION_BYTES, OPTION_MS };

/* What a reload of the configuration does with a changed value. */
enum option_reload {
    OPTION_LIVE,           /* the running program applies it at once */
    OPTION_RESTARTS_CHILD, /* the children of the affected servers are restarted */
    OPTION_RESTARTS_RELAY, /* it takes effect at the program's next start */
};

struct option {
    const char *flag;     /* "--max-clients" */
    const char *env;      /* "AGENT_RELAY_MAX_CLIENTS"; NULL: no variable */
    const char *key;      /* in the file, or the library's member; NULL: none */
    const char *value;    /* its placeholder in --help; NULL: made from the type, or none */
    const char *help;     /* one sentence for --help */
    const char *expected; /* the correct form, behind "write"; NULL: made from the type, range and choices */
    const char *text;     /* default of STRING and lists; NULL: none */
    const char *const *choices; /* NULL-terminated */
    const char *const *former; /* a former name, or NULL, for each of `choices`: still accepted. NULL: none */
    bool (*accepts)(const char *text); /* STRING: false refuses it; NULL: anything */
    uint64_t min;
    uint64_t max;
    uint64_t number; /* default of UINT, UINT32, CHOICE and SWITCH */
    size_t offset;   /* of the value, in the structure that the program keeps it in */
    enum option_type type;
    enum option_unit unit;
    enum option_reload reload;
    char letter;     /* 'n': -n is the same as the flag; 0: none */
    bool never;      /* UINT32: the word "never" means UINT32_MAX */
    bool per_server; /* may be given for one server; `offset` is then in that server's structure */
};

struct option_table {
    const struct option *rows;
    size_t count;
    /* Behind "there is no flag --x;" when no name is near; NULL: the program writes its own fault texts. */
    const char *hint;
};

/* NOLINTBEGIN(bugprone-macro-parentheses): a name that is being declared cannot stand in parentheses */
#define OPTION_EACH(o, table)                                                                                \
    for (const struct option *o = (table)->rows; o < (table)->rows + (table)->count; o++)
/* NOLINTEND(bugprone-macro-parentheses) */

/* `flag` is `len` bytes. NULL: no such row. */
const struct option *option_find_flag(const struct option_table *t, const char *flag, size_t len);
const struct option *option_find_key(const struct option_table *t, const char *key);
/* The row whose flag was probably meant, or NULL. */
const struct option *option_nearest_flag(const struct option_table *t, const char *flag);

static inline bool option_is_list(const struct option *o)
{
    return o->type == OPTION_NAMES || o->type == OPTION_LISTEN;
}
/* The size of a stored value in bytes; 0 for BARE; for a list, the size of its pointer. */
size_t option_size(const struct option *o);
/* Where the value is in `structure`. */
static inline void *option_place(const struct option *o, void *structure)
{
    return (char *)structure + o->offset;
}

/* ---- values ---- */

enum option_fault {
    OPTION_FINE,
    OPTION_UNKNOWN,        /* the table has no such flag; or an operand, for a program that takes none */
    OPTION_NEEDS_VALUE,    /* the flag has no value */
    OPTION_TAKES_NO_VALUE, /* a bare flag with =value */
    OPTION_NOT_A_NUMBER,   /* not only digits, or more than 64 bits */
    OPTION_OUT_OF_RANGE,
    OPTION_NOT_A_CHOICE,
    OPTION_EMPTY,
    OPTION_REFUSED, /* by `accepts` */
};

/* Stores `text` at `place`, an object of the row's type; STRING: the pointer itself. Not for BARE and lists. */
enum option_fault option_set(const struct option *o, void *place, const char *text);
/* UINT and UINT32: likewise, with the number given. */
enum option_fault option_set_number(const struct option *o, void *place, uint64_t number);
/* The digits at the start of `text`; returns how many there are, 0 when there are none or too many. */
size_t option_digits(const char *text, uint64_t *ret_number);
/* Appends the value at `place` as it would be written; NAMES are joined with commas, LISTEN is written by
 * the program. -ENOMEM, ERR_TOO_LARGE. */
MUSTCHECK int option_text(const struct option *o, const void *place, struct buf *out);

/* ---- argv ---- */

#define OPTION_NAME_BYTES 64

/* A walk over argv without the program's name: {.table, .argc, .argv}. A flag's value is behind "=" or is
 * the next argument, unless that begins with "--"; it may follow a letter directly (-n7). A lone "-" is an
 * operand, and so is every argument behind "--". */
struct option_walk {
    const struct option_table *table;
    int argc;
    char *const *argv;
    int at;           /* the next argument */
    bool flags_ended; /* "--" was passed */
};

struct option_arg {
    const struct option *option; /* NULL: an operand, or an unknown flag */
    enum option_fault fault;     /* UNKNOWN, NEEDS_VALUE, TAKES_NO_VALUE, or FINE */
    char *word;                  /* the argument; borrowed from argv. NULL: a variable of the environment */
    const char *value;           /* NULL: none */
    /* The flag as written, without its value, or the variable; cut when longer. "": an operand. */
    char name[OPTION_NAME_BYTES];
};

/* False at the end of argv. */
bool option_next(struct option_walk *w, struct option_arg *ret_arg);
/* Stores a flag's value in `structure`: its fault, or option_set's. */
enum option_fault option_take(const struct option_arg *arg, void *structure);
/* The same for the value of a variable; *ret_arg is then good for option_fault_text. */
enum option_fault option_take_variable(const struct option *o, const char *value, void *structure,
                                       struct option_arg *ret_arg);
/* One sentence: the argument's fault, and the correct form. `fault` is not FINE. */
void option_fault_text(const struct option_table *t, const struct option_arg *arg, enum option_fault fault,
                       char *ret_text, size_t cap);

/* ---- --help ---- */

struct option_layout {
    int usage_width;      /* columns of the flag with its placeholder */
    int env_width;        /* columns of the variable; 0: not shown */
    bool two_lines;       /* instead: flag, variable and default of options with a key; below them help,
                      * choices, range */
    const void *defaults; /* one line: a structure whose numbers are shown as defaults; NULL: none are */
};

/* Append the help of one option, or of all. -ENOMEM, ERR_TOO_LARGE. */
MUSTCHECK int option_help(const struct option *o, const struct option_layout *layout, struct buf *out);
MUSTCHECK int option_help_table(const struct option_table *t, const struct option_layout *layout,
                                struct buf *out);
/* Appends a row of a Markdown table: key (and * when it may be given for one server), flag, variable, default,
 * what a reload does, help. -ENOMEM, ERR_TOO_LARGE. */
MUSTCHECK int option_markdown(const struct option *o, struct buf *out);

#endif
