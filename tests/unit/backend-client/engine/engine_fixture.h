/* What the tests of the client's engine share: a shell that records what the engine asks for, a virtual
 * clock, and a scripted peer that reads what the engine sends, line by line, and answers, or does not.
 *
 * Whatever a test does, the kit holds the engine to its contract at every step and fails the test where it
 * breaks it: one completion per call; nothing reported as not run that the peer has seen, or sees later; no
 * call sent twice that must not be; a live snapshot only while live, mock agents never as live or stale and
 * live ones never as mock; versions that grow when and only when something changed; health that counts
 * right; no connection asked for while there is one; no moment at which a tick leaves something due.
 *
 * Free of cmocka, so that the fuzz target can use it: a test's main sets kit_failed to cmocka's _fail.
 */
#ifndef TESTS_ENGINE_ENGINE_FIXTURE_H
#define TESTS_ENGINE_ENGINE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "backend-client/src/engine/engine.h"
#include "wire/rpc.h"

/* Called where the contract is broken, after the reason was printed; NULL: abort. */
extern void (*kit_failed)(const char *file, int line);
#define KIT_REQUIRE(condition, ...)                                                                          \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            kit_complain(__FILE__, __LINE__, #condition, __VA_ARGS__);                                       \
    } while (0)
void kit_complain(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

#define KIT_START_MS UINT64_C(1000000)
#define KIT_UNIX_MS  INT64_C(1700000000000) /* Unix time at KIT_START_MS */

/* How the peer treats one kind of request. */
enum kit_mood {
    KIT_GOOD,
    KIT_SILENT,  /* noted in `lines`, to be answered by the test, or never */
    KIT_UNKNOWN, /* -32601 */
    KIT_INVALID, /* -32602 */
    KIT_DOWN,    /* the relay's SERVER_UNAVAILABLE: retryable, not sent */
    KIT_ERROR,   /* -32603, from the server itself */
    KIT_ODD,     /* a result without what was asked for */
};

struct kit_script {
    enum kit_mood init;
    enum kit_mood list; /* agents/list */
    enum kit_mood tool; /* tools/call agent_list of the engine itself */
    enum kit_mood ping; /* relay/ping of the engine itself */
    enum kit_mood call;
    const char *agents;      /* KIT_GOOD's answer to list and tool; static */
    unsigned retry_after_ms; /* in KIT_DOWN's data; 0: absent */
};

/* One call, as the test sees it; kit->calls[id]. */
struct kit_call {
    enum ar_policy policy;
    bool idempotent;
    bool done;
    bool progress_wanted;
    bool to_relay;
    uint64_t began_at_ms;
    unsigned seen;       /* whole request lines that the peer got */
    unsigned disclaimed; /* of these the relay said that it had not sent them on */
    unsigned answers;    /* that the peer gave, on whatever link */
    bool retry_asked;    /* one of them was a retryable relay error */
    unsigned progress;   /* notifications handed on */
    int code;            /* of its completion; these and the rest hold once `done` */
    enum ar_source source;
    bool may_have_run;
    int error_code;
    uint64_t elapsed_ms;
    uint64_t done_at_ms;
    char result[160]; /* cut */
    char message[160];
    char error_data[160];
};

/* What the peer received and has not answered. */
struct kit_line {
    char *text; /* owned, NUL-terminated */
    size_t len;
    struct rpc_envelope env;
    char method[64];
    char id[32];      /* as on the wire, quotes included; "" for a notification */
    uint64_t call_id; /* 0: the engine's own */
    bool asks;        /* a request */
    bool fresh;       /* not treated yet */
    uint64_t at_ms;
};

struct kit_publication {
    uint64_t at_ms;
    enum ar_source source;
    enum ar_state state;
    uint64_t version;
    uint64_t taken_at_ms; /* by the virtual clock */
    size_t count;
    bool changed;
};

struct kit {
    struct engine engine;
    uint64_t now_ms;
    bool is_open;
    bool started;
    bool closed;
    bool forgetful; /* keep no lines, for long runs */
    bool deaf;      /* kit_pump does nothing: the peer does not read */
    size_t unacked; /* of what it read, so much has not arrived as far as the kernel can tell */
    bool raw_peer;  /* the peer says what the kit does not know of: some checks are off */
    bool starved;   /* allocations fail: the engine may publish its static snapshot */

    /* the shell */
    bool connecting;
    bool linked;
    unsigned link;     /* the number of this one, from 1 */
    uint64_t connects; /* asked for */
    uint64_t drops;
    uint64_t dropped_at_ms;
    uint64_t connect_at_ms; /* the last one */
    uint64_t states;        /* ops.state calls */
    enum ar_state told;     /* what the last one told; CONNECTING before any */
    uint64_t notes;         /* ops.notification calls */
    char note[96];          /* the last one's method */
    const struct ar_snapshot *snapshot;
    struct kit_publication last;
    uint64_t publications;
    uint64_t changes;
    unsigned ticks; /* engine_tick calls ever */

    struct kit_call *calls; /* [1 .. calls_made] */
    size_t calls_cap;
    uint64_t calls_made;
    uint64_t outstanding;
    uint64_t completed;

    /* the peer */
    struct kit_script script;
    size_t chunk;           /* it speaks in pieces of so many bytes; 0: whole lines */
    uint64_t say_at_most;   /* after so many bytes in all `on_enough` runs, once; UINT64_MAX: never */
    uint64_t hear_at_most;  /* likewise */
    uint64_t events;        /* kit_check calls ever */
    uint64_t event_at_most; /* likewise */
    void (*on_enough)(struct kit *kit);
    uint64_t said;  /* bytes ever */
    uint64_t heard; /* bytes ever */
    uint64_t lines_heard;
    uint64_t methods_heard[8]; /* by enum kit_method */
    struct kit_line *lines;    /* unanswered ones, in order */
    size_t line_count;
    size_t line_cap;
    char *partial; /* of a line under way to the peer */
    size_t partial_len;
    size_t partial_cap;

    bool tracing; /* everything that happens goes to `trace` as text, with its time */
    char *trace;
    size_t trace_len;
    size_t trace_cap;
};

enum kit_method {
    KIT_M_OTHER,
    KIT_M_INIT,
    KIT_M_INITIALIZED,
    KIT_M_LIST,
    KIT_M_TOOL,
    KIT_M_PING, /* the engine's relay/ping */
    KIT_M_CALL, /* a call of the test's */
    KIT_M_CANCELLED,
};

extern const char kit_agents[];       /* three agents, none of them mock */
extern const char kit_other_agents[]; /* one of them changed */

/* The library's defaults; the client's name is "kit". */
struct ar_options kit_options(void);
/* `o` NULL: the defaults. engine_init's verdict; where it fails nothing is left. The kit is zeroed first. */
int kit_try_open(struct kit *kit, const struct ar_options *o);
void kit_open(struct kit *kit, const struct ar_options *o);
/* Closes the engine unless it is closed, requires that every call is complete, and frees everything. */
void kit_close(struct kit *kit);
/* Only engine_close, and what has to hold after it. */
void kit_close_engine(struct kit *kit);

void kit_start(struct kit *kit);
void kit_up(struct kit *kit);     /* the attempt under way succeeds; the peer answers as scripted */
void kit_refuse(struct kit *kit); /* the attempt under way fails: ECONNREFUSED */
void kit_lose(struct kit *kit);   /* the link breaks: ECONNRESET */
/* Opens (with options `o`), starts, connects, answers; requires live. */
void kit_go_live(struct kit *kit, const struct ar_options *o);
/* From wherever it is: connects and answers (GOOD) until live; requires that it comes within ten minutes.
 * Ends deafness. Closed: nothing. */
void kit_back_to_live(struct kit *kit);

/* ---- time ---- */

/* Time passes, engine_tick being called at engine_due_ms alone; the peer reads and answers as it goes. */
void kit_advance(struct kit *kit, uint64_t ms);
void kit_until(struct kit *kit, uint64_t at_ms);
/* The same with a tick every millisecond. */
void kit_advance_ticking(struct kit *kit, uint64_t ms);
/* Time leaps (the host was suspended), then one tick. */
void kit_leap(struct kit *kit, uint64_t ms);
void kit_tick(struct kit *kit);

/* ---- calls ---- */

struct kit_ask {
    const char *method; /* NULL: "tools/call" */
    const char *params; /* NULL: none */
    size_t params_len;  /* 0: up to its NUL */
    enum ar_policy policy;
    uint32_t deadline_ms; /* 0: the default */
    bool idempotent;
    bool progress;
    uint32_t inbox_ms;   /* so long it lies in the inbox before the engine gets it */
    bool may_be_refused; /* the arguments may be what call_new refuses */
};
/* Submits; gives the id. 0: call_new had no memory, or refused it. */
uint64_t kit_ask(struct kit *kit, const struct kit_ask *ask);
uint64_t kit_ask_plain(struct kit *kit, enum ar_policy policy); /* tools/call, no params */
void kit_cancel(struct kit *kit, uint64_t id);
void kit_expect_open(struct kit *kit, uint64_t id);
/* Requires that the call is complete, with this. */
void kit_expect(struct kit *kit, uint64_t id, int code, bool may_have_run);
void kit_expect_ok(struct kit *kit, uint64_t id, enum ar_source source);
struct ar_health kit_health(struct kit *kit);

/* ---- the peer ---- */

/* Reads all of `out` and answers as scripted, until there is nothing more. */
void kit_pump(struct kit *kit);
/* Reads `bytes` bytes at most; gives how many. Answers whole lines as scripted. */
size_t kit_take(struct kit *kit, size_t bytes);
void kit_say_bytes(struct kit *kit, const char *bytes, size_t len);
void kit_say(struct kit *kit, const char *line);      /* and a newline */
void kit_say_part(struct kit *kit, const char *text); /* and none */
void kit_sayf(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The oldest unanswered line of this method, calls left out; NULL: none. Valid until the next event. */
struct kit_line *kit_find(struct kit *kit, const char *method);
size_t kit_count(const struct kit *kit, const char *method);
/* Answers to a call by its id. kit_call_is_held: the peer has it, unanswered. */
bool kit_call_is_held(const struct kit *kit, uint64_t id);
void kit_answer(struct kit *kit, uint64_t id); /* {"echo":id} */
void kit_answer_error(struct kit *kit, uint64_t id, int code);
void kit_answer_relay_error(struct kit *kit, uint64_t id, bool retryable, bool sent, unsigned retry_after_ms);
/* Answers the oldest held line of `method` in this mood; requires that there is one. */
void kit_answer_held(struct kit *kit, const char *method, enum kit_mood mood);
void kit_forget_lines(struct kit *kit);

/* Everything that must hold at any time; called by the kit after each event. */
void kit_check(struct kit *kit);

/* Even draws; the state is the test's. */
uint64_t kit_random(uint64_t *state);

#endif
