/* Prints the effective values with their source, and the table of options. */
#include <string.h>

#include "config/config_internal.h"

/* Lists are joined; longer ones are shown as "...". */
#define VALUE_MAX_BYTES ((size_t)64 << 10)

static const char *value_text(const struct option *o, const struct config *c, const struct server_config *s,
                              struct buf *text)
{
    if (config_option_text(o, c, s, text) != 0 || !buf_data(text))
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
    OPTION_EACH(o, &config_options)
    {
        if (o->per_server)
            (void)fprintf(out, "  %-20s %s\n", o->key, value_text(o, c, s, text));
    }
}

void config_print(const struct config *c, FILE *out)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    struct buf text;
    buf_init(&text, VALUE_MAX_BYTES);
    (void)fprintf(out, "%-22s %s\n", "config", c->file ? c->file : "(no file)");
    OPTION_EACH(o, &config_options)
    {
        const char *value = value_text(o, c, &c->defaults, &text);
        (void)fprintf(out, "%-22s %-28s %s\n", o->key, value[0] != '\0' ? value : "-",
                      sources[c->sources[config_option_index(o)]]);
    }
    for (size_t i = 0; i < c->server_count; i++)
        print_server(c, &c->servers[i], &text, out);
    buf_done(&text);
}

/* ---- the table of options ---- */

static int markdown_text(struct buf *text)
{
    static const char head[] =
        "| in the file, under `relay` | flag | environment | default | reload | what |\n"
        "|---|---|---|---|---|---|\n";
    static const char foot[] = "\n\\* also under `relay.servers.NAME`, for one server\n";
    int rc = buf_append(text, head, sizeof(head) - 1);
    OPTION_EACH(o, &config_options)
    rc = rc == 0 ? option_markdown(o, text) : rc;
    return rc == 0 ? buf_append(text, foot, sizeof(foot) - 1) : rc;
}

void config_print_options(FILE *out, bool markdown)
{
    static const struct option_layout layout = {.two_lines = true};
    struct buf text;
    buf_init(&text, VALUE_MAX_BYTES);
    int rc = markdown ? markdown_text(&text) : option_help_table(&config_flags, &layout, &text);
    if (rc == 0)
        (void)fwrite(buf_data(&text), 1, buf_len(&text), out);
    else
        (void)fprintf(out, "the options cannot be shown: %s\n", err_text(rc));
    buf_done(&text);
}
