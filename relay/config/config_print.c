/* What people read of a configuration: the effective values with their source, and the table of options. */
#include <inttypes.h>
#include <string.h>

#include "config/config_internal.h"

/* Lists are joined; beyond it they are shown as "...". */
#define VALUE_MAX_BYTES ((size_t)64 << 10)

static const char *value_text(const struct option *o, const struct config *c, const struct server_config *s,
                              struct buf *text)
{
    if (option_value_text(o, c, s, text) != 0 || !buf_data(text))
        return "...";
    return buf_data(text);
}

static void print_server(const struct config *c, const struct server_config *s, struct buf *text, FILE *out)
{
    (void)fprintf(out, "\nserver %s%s%s\n", s->name,
                  strcmp(s->name, c->default_server) == 0 ? " (default)" : "",
                  s->disabled ? " (disabled)" : "");
    (void)fprintf(out, "  %-20s %s\n", s->remote ? "url" : "command", s->shown);
    if (s->cwd)
        (void)fprintf(out, "  %-20s %s\n", "cwd", s->cwd);
    for (size_t i = 0; i < s->env_count; i++)
        (void)fprintf(out, "  %-20s %s=(not shown)\n", i == 0 ? "env" : "", s->env[i].name);
    if (s->problem)
        (void)fprintf(out, "  %-20s %s\n", "problem", s->problem);
    for (size_t i = 0; i < option_count(); i++) {
        if (option_at(i)->per_server)
            (void)fprintf(out, "  %-20s %s\n", option_at(i)->key, value_text(option_at(i), c, s, text));
    }
}

void config_print(const struct config *c, FILE *out)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    struct buf text;
    buf_init(&text, VALUE_MAX_BYTES);
    (void)fprintf(out, "%-22s %s\n", "config", c->file ? c->file : "(no file)");
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        const char *value = value_text(o, c, &c->defaults, &text);
        (void)fprintf(out, "%-22s %-28s %s\n", o->key, value[0] != '\0' ? value : "-",
                      sources[c->sources[i]]);
    }
    for (size_t i = 0; i < c->server_count; i++)
        print_server(c, &c->servers[i], &text, out);
    buf_done(&text);
}

/* ---- the table of options ---- */

static void print_default(const struct option *o, FILE *out)
{
    if (o->type == OPTION_UINT)
        (void)fprintf(out, "%" PRIu64, o->number);
    else if (o->choices)
        (void)fprintf(out, "%s", o->choices[o->number]);
    else
        (void)fprintf(out, "%s", o->text ? o->text : "-");
}

static const char *value_word(const struct option *o)
{
    switch (o->type) {
    case OPTION_UINT:
        return o->unit == OPTION_BYTES ? "BYTES" : o->unit == OPTION_MS ? "MS" : "N";
    case OPTION_CHOICE:
    case OPTION_SWITCH:
        return "WORD";
    case OPTION_LISTEN:
        return "ADDR[=SERVER]";
    case OPTION_NAMES:
    case OPTION_STRING:
        break;
    }
    return o->type == OPTION_NAMES ? "NAME" : "TEXT";
}

static void print_choices(const struct option *o, FILE *out)
{
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        (void)fprintf(out, "%s%s", i == 0 ? " One of " : ", ", o->choices[i]);
    if (o->choices)
        (void)fprintf(out, ".");
    if (o->type == OPTION_UINT)
        (void)fprintf(out, " %" PRIu64 " to %" PRIu64 ".", o->min, o->max);
    if (option_is_list(o))
        (void)fprintf(out, " May be given several times; commas in the variable.");
}

static void print_row(const struct option *o, FILE *out)
{
    char flag[OPTION_NAME_BYTES];
    char env[OPTION_NAME_BYTES];
    option_flag_name(o, flag);
    option_env_name(o, env);
    (void)fprintf(out, "| `%s`%s | `%s` | `%s` | ", o->key, o->per_server ? " *" : "", flag, env);
    print_default(o, out);
    (void)fprintf(out, " | %s | %s", o->reload ? "yes" : "restart", o->help);
    print_choices(o, out);
    (void)fprintf(out, " |\n");
}

static void print_help(const struct option *o, FILE *out)
{
    char flag[OPTION_NAME_BYTES];
    char env[OPTION_NAME_BYTES];
    option_flag_name(o, flag);
    option_env_name(o, env);
    (void)fprintf(out, "  %s %s   (%s, default ", flag, value_word(o), env);
    print_default(o, out);
    (void)fprintf(out, ")\n      %s", o->help);
    print_choices(o, out);
    (void)fprintf(out, "\n");
}

void config_print_options(FILE *out, bool markdown)
{
    if (markdown)
        (void)fprintf(out, "| in the file, under `relay` | flag | environment | default | reload | what |\n"
                           "|---|---|---|---|---|---|\n");
    else
        (void)fprintf(
            out,
            "  -c, --config FILE   (AGENT_RELAY_CONFIG)\n      The configuration file: JSON, comments and trailing commas allowed.\n");
    for (size_t i = 0; i < option_count(); i++) {
        if (markdown)
            print_row(option_at(i), out);
        else
            print_help(option_at(i), out);
    }
    if (markdown)
        (void)fprintf(out, "\n\\* also under `relay.servers.NAME`, for one server\n");
}
