/* What the tests of the client's engine share: an I/O driver that records what the engine asks for, a virtual
 * clock, and a scripted peer that reads what the engine sends, line by line, and answers, or does not.
 *
 * Whatever a test does, the fixture holds the engine to its contract at every step and fails the test where it
 * breaks it: one completion per call; nothing reported as not run that the peer has seen, or sees later; no
 * call sent twice that must not be; a live snapshot only while live, mock agents never as live or stale and
 * live ones never as mock; versions that grow when and only when something changed; health that counts
 * right; no tool called that the peer has not listed; no connection asked for while there is one; no moment at which a tick leaves something due.
 *
 * Free of cmocka, so that the fuzz target can use it: a test's main sets engine_fixture_on_failure to cmocka's _fail.
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
extern void (*engine_fixture_on_failure)(const char *file, int line);
#define REQUIRE(condition, ...)                                                                              \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            engine_fixture_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                \
    } while (0)
void engine_fixture_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

#define ENGINE_FIXTURE_START_MS      UINT64_C(1000000)
#define ENGINE_FIXTURE_START_UNIX_MS INT64_C(1700000000000) /* Unix time at ENGINE_FIXTURE_START_MS */

/* How the peer treats one kind of request. */
enum peer_reply {
    REPLY_GOOD,
    REPLY_NONE,        /* noted in `lines`, to be answered by the test, or never */
    REPLY_UNKNOWN,     /* -32601 */
    REPLY_INVALID,     /* -32602 */
    REPLY_UNAVAILABLE, /* the relay's SERVER_UNAVAILABLE: retryable, not sent */
    REPLY_ERROR,       /* -32603, from the server itself */
    REPLY_UNUSABLE,    /* a result without what was asked for */
};

struct peer_script {
    enum peer_reply init;
    enum peer_reply tools; /* tools/list of the engine itself */
    bool has_tool;         /* REPLY_GOOD to it: agent_list stands there */
    enum peer_reply list;  /* agents/list */
    enum peer_reply tool;  /* tools/call agent_list of the engine itself */
    enum peer_reply ping;  /* relay/ping of the engine itself */
    enum peer_reply call;
    const char *agents;      /* REPLY_GOOD's answer to list and tool; static */
    unsigned retry_after_ms; /* in REPLY_UNAVAILABLE's data; 0: absent */
};

/* One call, as the test sees it; f->calls[id]. */
struct call_record {
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
    bool from_relay;
    char error_name[40];
    char error_text[160];
    char suggestion[160];
};

/* What the peer received and has not answered. */
struct received_line {
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

struct publication {
    uint64_t at_ms;
    enum ar_source source;
    enum ar_state state;
    uint64_t version;
    uint64_t taken_at_ms; /* by the virtual clock */
    size_t count;
    bool changed;
};

struct engine_fixture {
    struct engine engine;
    uint64_t now_ms;
    bool is_open;
    bool started;
    bool closed;
    bool drops_lines;   /* keep no lines, for long runs */
    bool not_reading;   /* engine_fixture_pump does nothing: the peer does not read */
    size_t unacked;     /* of what it read, so much has not arrived as far as the kernel knows */
    bool raw_peer;      /* the peer says what the fixture does not know of: some checks are off */
    bool out_of_memory; /* allocations fail: the engine may publish its static snapshot */

    /* the I/O driver */
    bool connecting;
    bool linked;
    bool second;       /* a second attempt is under way */
    uint64_t seconds;  /* asked for */
    unsigned link;     /* the number of this one, from 1 */
    uint64_t connects; /* asked for */
    uint64_t drops;
    uint64_t dropped_at_ms;
    uint64_t connect_at_ms; /* the last one */
    uint64_t states;        /* ops.state calls */
    enum ar_state reported; /* what the last one reported; CONNECTING before any */
    uint64_t notifications; /* ops.notification calls */
    char notification[96];  /* the last one's method */
    const struct ar_snapshot *snapshot;
    struct publication last;
    uint64_t publications;
    uint64_t changes;
    unsigned ticks; /* engine_tick calls ever */

    struct call_record *calls; /* [1 .. calls_made] */
    size_t calls_cap;
    uint64_t calls_made;
    uint64_t outstanding;
    uint64_t completed;

    /* the peer */
    struct peer_script script;
    size_t chunk;             /* it speaks in pieces of so many bytes; 0: whole lines */
    uint64_t send_at_most;    /* after so many bytes in all `on_limit` runs, once; UINT64_MAX: never */
    uint64_t receive_at_most; /* likewise */
    uint64_t events;          /* engine_fixture_check calls ever */
    uint64_t event_at_most;   /* likewise */
    void (*on_limit)(struct engine_fixture *f);
    bool tool_offered;       /* on this link it has said that it has the tool agent_list */
    uint64_t sent_bytes;     /* bytes ever */
    uint64_t received_bytes; /* bytes ever */
    uint64_t lines_received;
    uint64_t methods_received[9]; /* by enum received_method */
    struct received_line *lines;  /* unanswered ones, in order */
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

enum received_method {
    METHOD_OTHER,
    METHOD_INIT,
    METHOD_INITIALIZED,
    METHOD_TOOLS,
    METHOD_LIST,
    METHOD_TOOL,
    METHOD_PING, /* the engine's relay/ping */
    METHOD_CALL, /* a call of the test's */
    METHOD_CANCELLED,
};

extern const char engine_fixture_agents[];       /* three agents, none of them mock */
extern const char engine_fixture_other_agents[]; /* one of them changed */
extern const char engine_fixture_tools[];        /* results of tools/list: with agent_list, and without */
extern const char engine_fixture_no_tools[];

/* The library's defaults; the client's name is "fixture". */
struct ar_options engine_fixture_options(void);
/* `o` NULL: the defaults. engine_init's code; where it fails nothing is left. The fixture is zeroed first. */
int engine_fixture_try_open(struct engine_fixture *f, const struct ar_options *o);
void engine_fixture_open(struct engine_fixture *f, const struct ar_options *o);
/* Closes the engine unless it is closed, requires that every call is complete, and frees everything. */
void engine_fixture_close(struct engine_fixture *f);
/* Only engine_close, and what has to hold after it. */
void engine_fixture_close_engine(struct engine_fixture *f);

void engine_fixture_start(struct engine_fixture *f);
void engine_fixture_connect(
    struct engine_fixture *f); /* the attempt under way succeeds; the peer answers as scripted */
void engine_fixture_refuse(struct engine_fixture *f);         /* the attempt under way fails: ECONNREFUSED */
void engine_fixture_lose(struct engine_fixture *f);           /* the link breaks: ECONNRESET */
void engine_fixture_second_answers(struct engine_fixture *f); /* the second attempt becomes the link */
/* Opens (with options `o`), starts, connects, answers; requires live. */
void engine_fixture_open_live(struct engine_fixture *f, const struct ar_options *o);
/* From wherever it is: connects and answers (GOOD) until live; requires that it comes within ten minutes.
 * The peer reads again. Closed: nothing. */
void engine_fixture_back_to_live(struct engine_fixture *f);

/* ---- time ---- */

/* Time passes, engine_tick being called at engine_due_ms alone; the peer reads and answers as it goes. */
void engine_fixture_advance(struct engine_fixture *f, uint64_t ms);
void engine_fixture_until(struct engine_fixture *f, uint64_t at_ms);
/* The same with a tick every millisecond. */
void engine_fixture_advance_ticking(struct engine_fixture *f, uint64_t ms);
/* Time leaps (the host was suspended), then one tick. */
void engine_fixture_suspend(struct engine_fixture *f, uint64_t ms);
void engine_fixture_tick(struct engine_fixture *f);

/* ---- calls ---- */

struct call_spec {
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
uint64_t engine_fixture_submit(struct engine_fixture *f, const struct call_spec *ask);
uint64_t engine_fixture_submit_plain(struct engine_fixture *f,
                                     enum ar_policy policy); /* tools/call, no params */
void engine_fixture_cancel(struct engine_fixture *f, uint64_t id);
void engine_fixture_expect_open(struct engine_fixture *f, uint64_t id);
/* Requires that the call is complete, with this. */
void engine_fixture_expect(struct engine_fixture *f, uint64_t id, int code, bool may_have_run);
void engine_fixture_expect_ok(struct engine_fixture *f, uint64_t id, enum ar_source source);
struct ar_health engine_fixture_health(struct engine_fixture *f);

/* ---- the peer ---- */

/* Reads all of `out` and answers as scripted, until there is nothing more. */
void engine_fixture_pump(struct engine_fixture *f);
/* Reads `bytes` bytes at most; gives how many. Answers whole lines as scripted. */
size_t engine_fixture_read(struct engine_fixture *f, size_t bytes);
void engine_fixture_send_bytes(struct engine_fixture *f, const char *bytes, size_t len);
void engine_fixture_send(struct engine_fixture *f, const char *line);      /* and a newline */
void engine_fixture_send_part(struct engine_fixture *f, const char *text); /* and none */
void engine_fixture_sendf(struct engine_fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The oldest unanswered line of this method, calls left out; NULL: none. Valid until the next event. */
struct received_line *engine_fixture_find_line(struct engine_fixture *f, const char *method);
size_t engine_fixture_count_lines(const struct engine_fixture *f, const char *method);
/* Answers to a call by its id. engine_fixture_call_is_held: the peer has it, unanswered. */
bool engine_fixture_call_is_held(const struct engine_fixture *f, uint64_t id);
void engine_fixture_answer(struct engine_fixture *f, uint64_t id); /* {"echo":id} */
void engine_fixture_answer_error(struct engine_fixture *f, uint64_t id, int code);
void engine_fixture_answer_relay_error(struct engine_fixture *f, uint64_t id, bool retryable, bool sent,
                                       unsigned retry_after_ms);
/* Answers the oldest held line of `method` in this reply; requires that there is one. */
void engine_fixture_answer_line(struct engine_fixture *f, const char *method, enum peer_reply reply);
void engine_fixture_forget_lines(struct engine_fixture *f);

/* Everything that must hold at any time; called by the fixture after each event. */
void engine_fixture_check(struct engine_fixture *f);

/* Even draws; the state is the test's. */
uint64_t engine_fixture_random(uint64_t *state);

#endif
