/* Recognises command lines whose server is no descendant of the child: container engines, remote shells,
 * and whatever else asks a daemon to start a process.
 *
 * The command line is taken apart into words, the text of `sh -c` as well. Programs that only start another
 * one (sudo, env, timeout ...) are looked through. Nothing is guessed from an unknown program.
 */
#include "config/config_advice.h"

#include <string.h>
#include <strings.h>

/* Longer command lines are looked at so far. */
#define WORDS_MAX 128

struct words {
    struct {
        const char *text; /* borrowed, not terminated */
        size_t len;
        bool starts; /* a command may begin here */
    } at[WORDS_MAX];
    size_t count;
};

enum outside_kind { OUTSIDE_CONTAINER, OUTSIDE_OTHER };

static const char in_container[] =
    "runs in a container, which is no process of the relay's and may outlive a stop; add --init to its run";
static const char elsewhere[] =
    "runs outside the relay's process tree, as a process of another daemon or machine, and may outlive a stop";

/* Verbs, of which the first one on the line counts; none: the program alone is enough. */
static const struct {
    const char *program;
    const char *verbs[6];
    enum outside_kind kind;
} programs[] = {
    {"docker", {"run", "exec", "compose", "start", "attach"}, OUTSIDE_CONTAINER},
    {"podman", {"run", "exec", "compose", "start", "attach"}, OUTSIDE_CONTAINER},
    {"nerdctl", {"run", "exec", "compose", "start", "attach"}, OUTSIDE_CONTAINER},
    {"finch", {"run", "exec", "compose", "start", "attach"}, OUTSIDE_CONTAINER},
    {"docker-compose", {"run", "exec", "up"}, OUTSIDE_OTHER},
    {"podman-compose", {"run", "exec", "up"}, OUTSIDE_OTHER},
    {"kubectl", {"run", "exec", "attach", "debug"}, OUTSIDE_OTHER},
    {"oc", {"run", "exec", "attach", "debug", "rsh"}, OUTSIDE_OTHER},
    {"ssh", {NULL}, OUTSIDE_OTHER},
    {"autossh", {NULL}, OUTSIDE_OTHER},
    {"mosh", {NULL}, OUTSIDE_OTHER},
    {"vagrant", {"ssh"}, OUTSIDE_OTHER},
    {"multipass", {"exec", "shell"}, OUTSIDE_OTHER},
    {"limactl", {"shell"}, OUTSIDE_OTHER},
    {"lxc", {"exec"}, OUTSIDE_OTHER},
    {"incus", {"exec"}, OUTSIDE_OTHER},
    {"machinectl", {"shell"}, OUTSIDE_OTHER},
    {"systemd-run", {NULL}, OUTSIDE_OTHER},
    {"flatpak-spawn", {NULL}, OUTSIDE_OTHER},
    {"distrobox", {"enter"}, OUTSIDE_OTHER},
    {"distrobox-enter", {NULL}, OUTSIDE_OTHER},
    {"toolbox", {"run", "enter"}, OUTSIDE_OTHER},
    {"devcontainer", {"exec"}, OUTSIDE_OTHER},
};

#define PROGRAM_COUNT (sizeof(programs) / sizeof(programs[0]))

/* ---- words ---- */

static bool is_word(const struct words *w, size_t i, const char *word)
{
    return w->at[i].len == strlen(word) && memcmp(w->at[i].text, word, w->at[i].len) == 0;
}

/* The name behind the last slash. */
static bool is_program(const struct words *w, size_t i, const char *name)
{
    const char *text = w->at[i].text;
    size_t len = w->at[i].len;
    const char *slash = memrchr(text, '/', len);
    size_t skip = slash ? (size_t)(slash + 1 - text) : 0;
    return len - skip == strlen(name) && memcmp(text + skip, name, len - skip) == 0;
}

static bool is_any_program(const struct words *w, size_t i, const char *const *names)
{
    for (; *names; names++) {
        if (is_program(w, i, *names))
            return true;
    }
    return false;
}

static void add_word(struct words *w, const char *text, size_t len, bool starts)
{
    if (w->count == WORDS_MAX)
        return;
    w->at[w->count].text = text;
    w->at[w->count].len = len;
    w->at[w->count].starts = starts;
    w->count++;
}

/* Of a shell's text: a command may begin anywhere. */
static void add_shell_words(struct words *w, const char *text)
{
    static const char between[] = " \t\n;|&()\"'`";
    while (*(text += strspn(text, between)) != '\0') {
        size_t len = strcspn(text, between);
        add_word(w, text, len, true);
        text += len;
    }
}

/* sudo -u me, env A=b, timeout 5: the words before the program that they start. */
static bool is_passed_over(const struct words *w, size_t i)
{
    static const char *const wrappers[] = {"sudo",    "doas", "env",    "nice",      "ionice",
                                           "timeout", "time", "setsid", "stdbuf",    "nohup",
                                           "chronic", "exec", "tini",   "dumb-init", NULL};
    const char *text = w->at[i].text;
    size_t len = w->at[i].len;
    return len == 0 || text[0] == '-' || memchr(text, '=', len) || (text[0] >= '0' && text[0] <= '9') ||
           is_any_program(w, i, wrappers);
}

static void split(const struct server_config *s, struct words *w)
{
    static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ash", "ksh", "fish", NULL};
    bool wrapped = true; /* every word so far only leads to the program */
    bool in_shell = false;
    bool after_c = false;
    add_word(w, s->command, strlen(s->command), true);
    for (char *const *arg = s->args; *arg; arg++) {
        size_t last = w->count - 1;
        in_shell |= wrapped && is_any_program(w, last, shells);
        wrapped = wrapped && is_passed_over(w, last);
        if (in_shell && after_c)
            add_shell_words(w, *arg);
        else
            add_word(w, *arg, strlen(*arg), wrapped);
        after_c = in_shell && (*arg)[0] == '-' && strchr(*arg, 'c');
    }
}

/* ---- looking ---- */

/* The first word from `from` on that is one of the verbs; the count of words: there is none. */
static size_t find_verb(const struct words *w, size_t from, const char *const *verbs, size_t max)
{
    for (size_t i = from; i < w->count; i++) {
        for (size_t k = 0; k < max && verbs[k]; k++) {
            if (is_word(w, i, verbs[k]))
                return i;
        }
    }
    return w->count;
}

static bool has_word(const struct words *w, size_t from, const char *word)
{
    for (size_t i = from; i < w->count; i++) {
        if (is_word(w, i, word))
            return true;
    }
    return false;
}

static const char *look_at(const struct words *w, size_t i, size_t program)
{
    const char *const *verbs = programs[program].verbs;
    if (!verbs[0]) /* a scope's processes are descendants */
        return has_word(w, i + 1, "--scope") ? NULL : elsewhere;
    size_t verb = find_verb(w, i + 1, verbs, sizeof(programs[0].verbs) / sizeof(programs[0].verbs[0]));
    if (verb == w->count)
        return NULL;
    if (programs[program].kind != OUTSIDE_CONTAINER || !is_word(w, verb, "run"))
        return elsewhere;
    return has_word(w, verb + 1, "--init") || has_word(w, verb + 1, "--init=true") ? NULL : in_container;
}

const char *config_outside_tree(const struct server_config *s)
{
    struct words w = {.count = 0};
    const char *found = NULL;
    if (!s->command || s->disabled || s->problem)
        return NULL;
    split(s, &w);
    for (size_t i = 0; i < w.count && !found; i++) {
        for (size_t k = 0; k < PROGRAM_COUNT && w.at[i].starts && !found; k++) {
            if (is_program(&w, i, programs[k].program))
                found = look_at(&w, i, k);
        }
    }
    return found;
}
