/* Notes on entries that are well-formed and yet may fail: what a person would find out at the first
 * request. */
#include "config/config_advice.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_internal.h"

/* What execvp takes where PATH is not set. */
#define DEFAULT_PATH "/bin:/usr/bin"

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The child's own PATH: its entry's env before the relay's. */
static const char *path_of(const struct server_config *s, char *const *environ)
{
    const char *path = environ_find(environ, "PATH", strlen("PATH"));
    for (size_t i = 0; i < s->env_count; i++) {
        if (strcmp(s->env[i].name, "PATH") == 0)
            path = s->env[i].value;
    }
    return path ? path : DEFAULT_PATH;
}

/* Relative folders are meant from the child's, as execvp does. */
static bool is_at(const struct server_config *s, const char *folder, size_t folder_len, const char *name)
{
    char path[PATH_MAX];
    bool relative = (folder_len == 0 ? name[0] : folder[0]) != '/' && s->cwd;
    int len = snprintf(path, sizeof(path), "%s%s%.*s%s%s", relative ? s->cwd : "", relative ? "/" : "",
                       (int)folder_len, folder, folder_len > 0 ? "/" : "", name);
    return len > 0 && (size_t)len < sizeof(path) && is_executable(path);
}

static bool is_found(const struct server_config *s, const char *path)
{
    if (strchr(s->command, '/'))
        return is_at(s, "", 0, s->command);
    for (;;) {
        size_t len = strcspn(path, ":");
        if (is_at(s, len > 0 ? path : ".", len > 0 ? len : 1, s->command))
            return true;
        if (path[len] == '\0')
            return false;
        path += len + 1;
    }
}

static void advise_command(struct loader *l, const struct server_config *s, struct place at)
{
    const char *path = path_of(s, l->args->environ);
    if (is_found(s, path))
        return;
    if (strchr(s->command, ' '))
        loader_note(l, at, "the command \"%.100s\" is not found; write its arguments in \"args\"",
                    s->command);
    else if (strchr(s->command, '/') || strchr(s->command, '\\'))
        loader_note(l, at, "the command \"%.200s\" is no program that can be run here", s->command);
    else
        loader_note(l, at, "the command \"%.100s\" is not found in PATH=%.400s", s->command, path);
}

static void advise(struct loader *l, const struct server_config *s)
{
    char subject[160];
    (void)snprintf(subject, sizeof(subject), "server %.140s:", s->name);
    struct place at = {l->c->file ? l->c->file : "command line", s->line, subject};
    const char *outside = config_outside_tree(s);
    bool folder = !s->cwd || is_folder(s->cwd);
    if (!folder)
        loader_note(l, at, "there is no folder \"%.200s\" to start it in", s->cwd);
    if (folder)
        advise_command(l, s, at);
    if (outside)
        loader_note(l, at, "it %s", outside);
}

int config_advise(struct config *c, char *const *environ, struct buf *report)
{
    struct config_args args = {.environ = environ};
    struct loader l = {.args = &args, .c = c, .report = report};
    for (size_t i = 0; i < c->server_count; i++) {
        const struct server_config *s = &c->servers[i];
        if (s->command && !s->disabled && !s->problem)
            advise(&l, s);
    }
    return l.no_memory ? -ENOMEM : 0;
}
