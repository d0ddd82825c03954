/* Faults of the link, and the plain ones of the server behind it.
 *
 * Happy path: the caller passes a code and what was tried; the result is a name, a sentence with address,
 * peer and reason in this order (so that a cut never removes the address), and a suggestion from a table
 * whose rows match by stage, kind of address and code. The last rows of a stage match any code.
 *
 * Failure modes: codes that libuv does not know get their number as a name; texts of peers are quoted, cut
 * and sanitized by text_builder.h.
 */
#include "fault.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <uv.h> /* numbers and texts of its codes; no function is called */

#include "fault_internal.h"

#define PEER_BYTES  80
#define PROBE_BYTES 110 /* reserved at the end of the text for the probe's result */
#define PROBE_MARK  "; its health address "

/* ---- parts of a sentence ---- */

static const char *code_name(int code)
{
    switch (code) {
#define XX(name, text)                                                                                       \
    case UV_##name:                                                                                          \
        return #name;
        UV_ERRNO_MAP(XX)
#undef XX
    default:
        return NULL;
    }
}

static const char *code_text(int code)
{
    switch (code) {
#define XX(name, text)                                                                                       \
    case UV_##name:                                                                                          \
        return text;
        UV_ERRNO_MAP(XX)
#undef XX
    default:
        return "unknown error";
    }
}

void fault_begin(struct fault *f, struct text_builder *text, const char *name, const char *suggestion)
{
    struct text_builder s;
    text_builder_begin(&s, f->name, sizeof(f->name));
    text_builder_add(&s, name);
    text_builder_begin(&s, f->suggestion, sizeof(f->suggestion));
    text_builder_add(&s, suggestion);
    text_builder_begin(text, f->text, sizeof(f->text));
}

void fault_add_address(struct text_builder *text, const char *address)
{
    text_builder_quote(text, address, strlen(address), FAULT_ADDRESS_BYTES);
}

void fault_add_method(struct text_builder *text, const char *what)
{
    text_builder_quote(text, what, strlen(what), FAULT_WHAT_BYTES);
}

static void add_peer(struct text_builder *text, const char *address, const char *peer)
{
    fault_add_address(text, address);
    if (peer[0] == '\0' || strcmp(peer, address) == 0)
        return;
    text_builder_add(text, " (");
    text_builder_quote(text, peer, strlen(peer), PEER_BYTES);
    text_builder_add(text, ")");
}

/* ---- errors of the system ---- */

#define ON_RESOLVE (1U << FAULT_RESOLVE)
#define ON_CONNECT (1U << FAULT_CONNECT)
#define ON_LINK    (1U << FAULT_READ | 1U << FAULT_WRITE)
#define ON_ANY     (ON_RESOLVE | ON_CONNECT | ON_LINK)

enum place { ANYWHERE, TCP, UNIX };

struct advice {
    unsigned stages;
    enum place place;
    int code; /* 0: any */
    const char *suggestion;
};

#define NO_SUCH_NAME                                                                                                \
    "No name server knows a host of that name: check its spelling in the relay's address (AGENT_CONTROL_URL or an " \
    "option), and that this machine "                                                                               \
    "is on the network where it is known (a stopped container's name is not)"
#define NO_NAME_SERVER                                                                                       \
    "The name server did not answer, or has no answer yet: check this machine's network and its "            \
    "/etc/resolv.conf, and the name in the relay's address (AGENT_CONTROL_URL or an option)"
#define NO_WAY                                                                                                 \
    "This machine has no route to that address: check that the relay's host is up, that both are on the same " \
    "network, and the relay's address (AGENT_CONTROL_URL or an option)"
#define ENDED "The relay was stopped, restarted or killed, or it closed this connection: its log says which"
#define NO_DESCRIPTORS                                                                                       \
    "This process has reached its limit of file descriptors: raise it (ulimit -n), or look for a leak"
#define NO_MEMORY "Out of memory: give this process, or this machine, more"

/* The first row that matches applies. */
static const struct advice advice_rows[] = {
    {ON_ANY, ANYWHERE, UV_EMFILE, NO_DESCRIPTORS},
    {ON_ANY, ANYWHERE, UV_ENFILE,
     "This machine has reached its limit of open files (fs.file-max): find the processes that hold them"},
    {ON_ANY, ANYWHERE, UV_ENOMEM, NO_MEMORY},
    {ON_ANY, ANYWHERE, UV_ENOBUFS, NO_MEMORY},
    {ON_ANY, ANYWHERE, UV_EAI_MEMORY, NO_MEMORY},

    {ON_RESOLVE, ANYWHERE, UV_EAI_NONAME, NO_SUCH_NAME},
    {ON_RESOLVE, ANYWHERE, UV_EAI_NODATA, NO_SUCH_NAME},
    {ON_RESOLVE, ANYWHERE, UV_EAI_ADDRFAMILY, NO_SUCH_NAME},
    {ON_RESOLVE, ANYWHERE, UV_EAI_AGAIN, NO_NAME_SERVER},
    {ON_RESOLVE, ANYWHERE, UV_EAI_FAIL,
     "The name server failed: check it (/etc/resolv.conf), and the name in the relay's address (AGENT_CONTROL_URL or an option)"},
    {ON_RESOLVE, ANYWHERE, UV_EAGAIN,
     "No thread could be started to look the name up: this process, or this machine, has reached its limit of threads"},
    {ON_RESOLVE, ANYWHERE, UV_ETIMEDOUT, NO_NAME_SERVER},
    {ON_RESOLVE, ANYWHERE, 0,
     "The name in the relay's address (AGENT_CONTROL_URL or an option) does not resolve: check it and the network, or write a numeric address"},

    {ON_CONNECT, UNIX, UV_ECONNREFUSED,
     "The socket exists, but no process listens on it: start the relay, or check the path in the relay's address (AGENT_CONTROL_URL or an option)"},
    {ON_CONNECT, UNIX, UV_ENOENT,
     "There is no such socket: start the relay with this path in its \"listen\", or check the path in the "
     "relay's address (AGENT_CONTROL_URL or an option); in a container, whether its folder is mounted"},
    {ON_CONNECT, UNIX, UV_ENOTDIR,
     "A part of the path is no folder: check the path in the relay's address (AGENT_CONTROL_URL or an option)"},
    {ON_CONNECT, UNIX, UV_EACCES,
     "This user may not use that socket: look at the owner and mode of the socket and of its folders, or run as the relay's user"},
    {ON_CONNECT, UNIX, UV_EPERM,
     "This user may not use that socket: look at its owner and mode, or run as the relay's user"},
    {ON_CONNECT, UNIX, UV_EAGAIN, "The relay's queue of new connections is full: it is busy, or it hangs"},
    {ON_CONNECT, UNIX, UV_EPROTOTYPE,
     "That socket is not of the kind that a relay listens on: check the path in the relay's address (AGENT_CONTROL_URL or an option)"},
    {ON_CONNECT, UNIX, 0,
     "Check that the relay runs, and the path in the relay's address (AGENT_CONTROL_URL or an option)"},

    {ON_CONNECT, TCP, UV_ECONNREFUSED,
     "No process listens there (or a firewall refuses the connection): start the relay, or check its address (AGENT_CONTROL_URL or an option)"},
    {ON_CONNECT, TCP, UV_ETIMEDOUT,
     "Nothing answers at that address: the host is down, or a firewall drops what is sent; check both, and its address (AGENT_CONTROL_URL or an option)"},
    {ON_CONNECT, TCP, UV_EHOSTUNREACH, NO_WAY},
    {ON_CONNECT, TCP, UV_ENETUNREACH, NO_WAY},
    {ON_CONNECT, TCP, UV_EHOSTDOWN, NO_WAY},
    {ON_CONNECT, TCP, UV_ENETDOWN, "This machine's network is down: bring it up"},
    {ON_CONNECT, TCP, UV_ENONET, "This machine's network is down: bring it up"},
    {ON_CONNECT, TCP, UV_EADDRNOTAVAIL,
     "This machine has no address, or no free port, for such a connection: is IPv6 off, or are thousands of connections open?"},
    {ON_CONNECT, TCP, UV_EAFNOSUPPORT,
     "This machine does not speak that kind of address (IPv6 off?): write another (AGENT_CONTROL_URL or an option)"},
    {ON_CONNECT, TCP, UV_EACCES,
     "A rule of this machine forbids the connection: look at its firewall or sandbox"},
    {ON_CONNECT, TCP, UV_EPERM,
     "A rule of this machine forbids the connection: look at its firewall or sandbox"},
    {ON_CONNECT, TCP, UV_ECONNRESET,
     "The peer accepts the connection and closes it at once: a proxy or a published port without a relay behind it?"},
    {ON_CONNECT, TCP, 0,
     "Check that the relay runs, the network, and its address (AGENT_CONTROL_URL or an option)"},

    {ON_LINK, ANYWHERE, UV_EOF, ENDED},
    {ON_LINK, ANYWHERE, UV_EPIPE, ENDED},
    {ON_LINK, ANYWHERE, UV_ECONNRESET,
     "The relay died, or a device between closed the connection: check whether it runs (and why it ended), then the network"},
    {ON_LINK, ANYWHERE, UV_ECONNABORTED, "This machine gave the connection up: check its network"},
    {ON_LINK, TCP, UV_ETIMEDOUT,
     "The peer stopped acknowledging data: the relay's host is down, or the network to it is cut"},
    {ON_LINK, TCP, UV_EHOSTUNREACH, NO_WAY},
    {ON_LINK, TCP, UV_ENETUNREACH, NO_WAY},
    {ON_LINK, ANYWHERE, 0, "Check that the relay runs, and the network to it"},
};

static const char *advice_for(enum fault_stage stage, int code, const char *address)
{
    enum place place = strncmp(address, "unix:", 5) == 0 ? UNIX : TCP;
    for (size_t i = 0; i < sizeof(advice_rows) / sizeof(advice_rows[0]); i++) {
        const struct advice *a = &advice_rows[i];
        bool here = a->place == ANYWHERE || a->place == place;
        if ((a->stages & 1U << stage) && here && (a->code == 0 || a->code == code))
            return a->suggestion;
    }
    return "Check that the relay runs, and the network to it";
}

static const char *opening(enum fault_stage stage)
{
    switch (stage) {
    case FAULT_RESOLVE:
        return "cannot find the host of ";
    case FAULT_CONNECT:
        return "cannot connect to ";
    case FAULT_READ:
        return "lost the connection to ";
    case FAULT_WRITE:
        return "cannot send to ";
    }
    return "failed: ";
}

void fault_system(struct fault *f, enum fault_stage stage, int code, const char *address, const char *peer)
{
    struct text_builder text;
    char number[24];
    const char *name = code_name(code);
    if (!name) {
        (void)snprintf(number, sizeof(number), "ERROR %d", code);
        name = number;
    }
    fault_begin(f, &text, name, advice_for(stage, code, address));
    text_builder_add(&text, opening(stage));
    add_peer(&text, address, peer);
    bool closed = code == UV_EOF && stage == FAULT_READ;
    text_builder_addf(&text, ": %s", closed ? "the relay closed it" : code_text(code));
}

/* ---- behaviour of the peer ---- */

/* An open link on which an expected event is missing for so long. */
static void set_overdue(struct fault *f, const char *name, const char *suggestion, const char *address,
                        const char *what, uint64_t ms)
{
    struct text_builder text;
    fault_begin(f, &text, name, suggestion);
    fault_add_address(&text, address);
    text_builder_add(&text, what);
    text_builder_add_duration(&text, ms);
}

void fault_silent(struct fault *f, const char *address, uint64_t silent_ms)
{
    set_overdue(
        f, "RELAY_SILENT",
        "The relay is frozen or stopped, its machine is down, or the network to it is cut: see whether its process runs, and whether its host answers",
        address, " is connected, but has sent nothing for ", silent_ms);
}

void fault_stalled(struct fault *f, const char *address, uint64_t stalled_ms)
{
    set_overdue(
        f, "RELAY_STALLED",
        "The relay has stopped reading, or the network to it passes nothing: see whether its process runs, and how busy its machine is",
        address, " has read nothing of what was sent to it for ", stalled_ms);
}

void fault_slow_line(struct fault *f, const char *address, uint64_t line_ms)
{
    set_overdue(f, "LINE_TOO_SLOW",
                "The network to the relay is too slow for an answer so large, or the relay stopped in "
                "the middle of one: see what else uses the link, and whether the relay's process runs",
                address, " began a line and has not ended it for ", line_ms);
}

static bool begins(const char *line, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && memcmp(line, with, n) == 0;
}

/* Guesses the protocol from the line. */
static const char *guess_protocol(const char *line, size_t len)
{
    if (begins(line, len, "HTTP/"))
        return "That looks like a web server: ";
    if (begins(line, len, "SSH-"))
        return "That looks like an SSH server: ";
    if (begins(line, len, "\x15\x03") || begins(line, len, "\x16\x03"))
        return "That looks like TLS, which is not built in: ";
    if (begins(line, len, "220 ") || begins(line, len, "220-"))
        return "That looks like a mail or FTP server: ";
    if (begins(line, len, "-ERR ") || begins(line, len, "-NOAUTH") || begins(line, len, "-DENIED"))
        return "That looks like a Redis server: ";
    return "That looks like another program: ";
}

void fault_not_a_relay(struct fault *f, const char *address, const char *line, size_t len)
{
    struct text_builder text;
    char suggestion[sizeof(f->suggestion)];
    (void)snprintf(
        suggestion, sizeof(suggestion),
        "%sthe relay's address (AGENT_CONTROL_URL or an option) must name the port where the relay listens (9500 by default)",
        guess_protocol(line, len));
    fault_begin(f, &text, "NOT_A_RELAY", suggestion);
    fault_add_address(&text, address);
    text_builder_add(&text, " does not speak JSON-RPC in lines");
    if (len == 0)
        return;
    text_builder_add(&text, ": it sent \"");
    text_builder_quote(&text, line, len, 80);
    text_builder_add(&text, "\"");
}

void fault_no_answer(struct fault *f, const char *what, uint64_t after_ms, const char *address)
{
    struct text_builder text;
    fault_begin(
        f, &text, "SERVER_SILENT",
        "The relay is connected, the server behind it hangs or is busy: see \"agent-relayctl servers\" and what the server writes in the relay's log");
    text_builder_add(&text, "the server behind ");
    fault_add_address(&text, address);
    text_builder_add(&text, " has not answered ");
    fault_add_method(&text, what);
    text_builder_add(&text, " within ");
    text_builder_add_duration(&text, after_ms);
}

void fault_bad_answer(struct fault *f, const char *what, const char *reason, const char *address)
{
    struct text_builder text;
    fault_begin(f, &text, "BAD_ANSWER",
                "The server behind the relay answers in a way that this library does not understand: "
                "see what it says with \"agent-relayctl call\", and which server the relay runs");
    text_builder_add(&text, "the server behind ");
    fault_add_address(&text, address);
    text_builder_add(&text, " answered ");
    fault_add_method(&text, what);
    text_builder_add(&text, " with something that cannot be used: ");
    text_builder_quote(&text, reason, strlen(reason), text_builder_room(&text));
}

void fault_no_memory(struct fault *f)
{
    struct text_builder text;
    fault_begin(f, &text, "ENOMEM", NO_MEMORY);
    text_builder_add(&text, "out of memory");
}

/* ---- the probe's result ---- */

/* The last mark is ours: texts of peers come before it. */
static void drop_probe(char *text)
{
    char *last = NULL;
    for (char *at = text; (at = strstr(at, PROBE_MARK)); at++)
        last = at;
    if (last)
        *last = '\0';
}

void fault_add_probe(struct fault *f, int status, const char *text)
{
    struct text_builder s;
    drop_probe(f->text);
    text_builder_resume(&s, f->text, sizeof(f->text));
    text_builder_shorten(&s, sizeof(f->text) - 1 - PROBE_BYTES);
    text_builder_add(&s, PROBE_MARK);
    if (status != 0) {
        text_builder_addf(&s, "answers %d (%s)", status,
                          status >= 200 && status <= 299 ? "well" : "not well");
    } else {
        text_builder_add(&s, "does not answer: ");
        text_builder_quote(&s, text, strlen(text), text_builder_room(&s));
    }
}
