/* libagentrelay: agents for a backend, live while the relay answers, stale or mock, and marked so, while it
 * does not.
 *
 *     struct ar_client *client;
 *     char problem[AR_PROBLEM_SIZE];
 *     if (ar_open(NULL, &client, problem, sizeof(problem)) != AR_OK)      AGENT_CONTROL_URL says where
 *         ...
 *     const struct ar_snapshot *agents = ar_agents(client);              never NULL, never blocks
 *     printf("%s: %zu agents\n", ar_source_name(ar_snapshot_source(agents)), ar_snapshot_count(agents));
 *     ar_snapshot_release(agents);
 *     ar_close_wait(client);
 *
 * The client connects by itself, reconnects for ever, polls the server for its agents, and keeps a snapshot
 * of them: live; for a short while after a failure the last live one, marked stale; then mock agents, marked
 * mock; live again by itself. Every call (ar_call) gets exactly one completion.
 *
 * Threads. By default the client runs on a thread of its own. With options.loop it runs on the caller's libuv
 * loop instead: ar_open is then called on that loop's thread. Every function may be called from any thread,
 * ar_open in that case excepted. Callbacks run on the client's loop thread, never inside an ar_* call, and
 * may call any ar_* function but the two that wait (these return AR_E_WOULD_DEADLOCK there). The client's own
 * thread blocks every signal that can be blocked: a process started in a callback inherits that mask unless
 * it sets one. After fork without exec, the child process may call no function of the library.
 *
 * Names are looked up on short-lived threads of the library's own, so that closing never waits for DNS.
 *
 * The library never does any of these: block the caller (but for ar_call_wait and ar_close_wait), log, exit,
 * abort, fork, install or raise signals (it is safe in a host with SIGPIPE at its default), or pass a mock
 * off as real.
 *
 * C11; may be included from C++. Structures that the caller fills begin with `size`, set by their _init
 * macro, so that later versions may add members. Times are milliseconds; "Unix" times are since the epoch.
 */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AR_API __attribute__((visibility("default")))

/* The interface's version; the library's own is ar_version(). */
#define AR_VERSION_MAJOR 0
#define AR_VERSION_MINOR 1

struct uv_loop_s;   /* libuv's */
struct ar_client;   /* opaque */
struct ar_snapshot; /* opaque, immutable, reference counted */

/* ---- codes ---- */

/* The list of AR_X_(name, number, text). A function that can fail returns AR_OK or one of these; a call's
 * completion carries one. */
#define AR_CODES(AR_X_)                                                                                      \
    AR_X_(AR_OK, 0, "ok")                                                                                    \
    AR_X_(AR_E_SERVER, -1, "the server or the relay answered with an error")                                 \
    AR_X_(AR_E_TIMEOUT, -2, "no answer within the deadline")                                                 \
    AR_X_(AR_E_CANCELLED, -3, "cancelled by the caller")                                                     \
    AR_X_(AR_E_CONNECTION_LOST, -4, "the connection was lost while the call was in flight")                  \
    AR_X_(AR_E_DEGRADED, -5, "not live, and the call's policy is to fail fast")                              \
    AR_X_(AR_E_QUEUE_FULL, -6, "too many calls wait")                                                        \
    AR_X_(AR_E_CLOSED, -7, "the client is closed")                                                           \
    AR_X_(AR_E_TOO_LARGE, -8, "larger than the frame limit")                                                 \
    AR_X_(AR_E_BAD_REPLY, -9, "the answer is not a valid JSON-RPC response")                                 \
    AR_X_(AR_E_INVALID, -10, "an argument is not valid")                                                     \
    AR_X_(AR_E_NO_MEMORY, -11, "out of memory")                                                              \
    AR_X_(AR_E_WOULD_DEADLOCK, -12, "waiting on the client's own thread would never end")                    \
    AR_X_(AR_E_NOT_FOUND, -13, "there is no such call")                                                      \
    AR_X_(AR_E_NOT_MOCKED, -14, "not live, and the mock does not offer this method")                         \
    AR_X_(AR_E_SYSTEM, -15, "the system refused a resource")

enum ar_code {
#define AR_X_(name, number, text) name = (number),
    AR_CODES(AR_X_)
#undef AR_X_
};

/* "AR_E_TIMEOUT", and the text above; "AR_E_UNKNOWN" and "unknown error" for any other number. Static. */
AR_API const char *ar_code_name(int code);
AR_API const char *ar_code_text(int code);
/* "0.1.0". Static. */
AR_API const char *ar_version(void);

/* ---- state and health ---- */

enum ar_state {
    AR_CONNECTING, /* before the first link: the snapshot is mock */
    AR_LIVE,       /* the relay answers and so does the server behind it */
    AR_DEGRADED,   /* one of them does not: the snapshot is stale, then mock; see ar_health */
    AR_CLOSED,
};

/* Where a snapshot or an answer came from. */
enum ar_source {
    AR_SOURCE_LIVE,
    AR_SOURCE_STALE, /* the last live one; ar_snapshot_age_ms is its age */
    AR_SOURCE_MOCK,  /* made up */
};

/* "connecting", "live", "degraded", "closed"; "live", "stale", "mock". Static. */
AR_API const char *ar_state_name(enum ar_state state);
AR_API const char *ar_source_name(enum ar_source source);

/* Whether the relay, or the server behind it, is known to answer. */
enum ar_reach {
    AR_REACH_UNKNOWN,
    AR_REACH_UP,
    AR_REACH_DOWN,
};
/* "unknown", "up", "down". */
AR_API const char *ar_reach_name(enum ar_reach reach);

struct ar_health {
    size_t size;
    enum ar_state state;
    enum ar_source source; /* of the current snapshot */
    bool agents_are_mock;  /* the snapshot holds an agent marked as a mock; a live relay may serve such
                            * agents too */
    bool
        agents_unsupported; /* live, but the server has no way to list agents (tools/list has no tool agent_list, and
                            * there is no method agents/list), or answers with no list that this library can
                            * read (last_error then says what it answers): the snapshot is empty */
    uint64_t state_for_ms;  /* how long in this state */
    int64_t state_since_ms; /* Unix */
    uint64_t snapshot_age_ms;
    uint64_t snapshot_version;
    size_t agents;
    enum ar_reach relay;        /* the link to the relay */
    enum ar_reach server;       /* the server behind it, as its answers show */
    enum ar_reach health_probe; /* the last answer of options.health_url; UNKNOWN where none is configured */
    int health_probe_status;    /* its HTTP status, 0: none */
    uint64_t attempts;          /* to connect, since the last time it was live */
    int64_t next_attempt_in_ms; /* -1: none is due */
    uint64_t links;             /* ever made */
    uint64_t losses;            /* links lost, and times the server behind a good link stopped answering */
    uint64_t in_flight;         /* calls */
    uint64_t waiting;           /* calls: AR_WAIT's for live, any for a place in flight */
    uint64_t calls;             /* ever accepted */
    uint64_t completions;       /* ever delivered */
    uint64_t bad_frames;        /* received and not valid, or responses without a matching request */
    double round_trip_ms;       /* of the last heartbeat or agent poll; negative: none yet */
    char address[272];          /* as configured */
    char peer[80];              /* the address last tried, numeric; "" before any */
    /* The reason for not being live; "" and 0 while live, before the first failure, and once closed. While live
     * only with a list of agents that could not be read (agents_unsupported, agents_cut). */
    char last_error_name[40]; /* "ECONNREFUSED", "SERVER_UNAVAILABLE" ... */
    char last_error[256];     /* a sentence with the address tried and the refusal */
    char suggestion[256];     /* what to check; "" while live */
    int64_t last_error_at_ms; /* Unix */
    bool agents_cut;          /* as ar_snapshot_is_cut, of the current snapshot */
};

/* C++: the function ar_health hides the structure of that name, which is then `struct ar_health`, or this. */
typedef struct ar_health ar_health_report;

#define ar_health_init(h) ((h)->size = sizeof(*(h)))
/* A consistent copy; fills h->size bytes at most. AR_E_INVALID for an unknown size. */
AR_API int ar_health(const struct ar_client *client, struct ar_health *h);

/* ---- agents ---- */

/* A number that the server did not give is AR_ABSENT, a string NULL: nothing is invented. */
#define AR_ABSENT (-1)

struct ar_agent {
    const char *id; /* never NULL */
    const char *name;
    const char *type;   /* "coordinator", "coder" ... */
    const char *status; /* as the server gave it: "active", "idle", "busy" ... */
    const char *swarm_id;
    const char *activity; /* its current activity, as text */
    const char *const *capabilities;
    size_t capability_count; /* 0 also where none were given */
    double health;           /* 0..100 */
    double cpu;              /* 0..1 */
    double memory;           /* 0..1 */
    double workload;         /* 0..1 */
    double success_rate;     /* 0..1 */
    int64_t tasks_active;
    int64_t tasks_completed;
    int64_t tasks_failed;
    int64_t tokens;
    int64_t created_at_ms;    /* Unix */
    int64_t last_activity_ms; /* Unix */
    bool mock;                /* a mock: made by this library, or marked as one by the server */
};

/* The current snapshot with a reference of the caller's: release it. Never NULL, never blocks; safe until
 * the client is closed (the snapshot itself for as long as it is retained, even after the client is
 * closed). */
AR_API const struct ar_snapshot *ar_agents(const struct ar_client *client);
AR_API const struct ar_snapshot *ar_snapshot_retain(const struct ar_snapshot *snapshot);
AR_API void ar_snapshot_release(const struct ar_snapshot *snapshot); /* NULL: nothing */

AR_API size_t ar_snapshot_count(const struct ar_snapshot *snapshot);
/* The server listed more agents than a snapshot holds (10,000, and 16 MiB of text), or than can be read in one
 * answer: these are the first ones, in its order. */
AR_API bool ar_snapshot_is_cut(const struct ar_snapshot *snapshot);
/* Borrowed from the snapshot; NULL when there is none. */
AR_API const struct ar_agent *ar_snapshot_agent(const struct ar_snapshot *snapshot, size_t index);
AR_API const struct ar_agent *ar_snapshot_find(const struct ar_snapshot *snapshot, const char *id);
AR_API enum ar_source ar_snapshot_source(const struct ar_snapshot *snapshot);
/* The client's state when it was published. */
AR_API enum ar_state ar_snapshot_state(const struct ar_snapshot *snapshot);
/* Since the server gave the agents (live, stale), or since they were made up (mock). */
AR_API uint64_t ar_snapshot_age_ms(const struct ar_snapshot *snapshot);
AR_API int64_t ar_snapshot_taken_at_ms(const struct ar_snapshot *snapshot); /* Unix */
/* Grows whenever agents, source or state change; equal versions show the same. */
AR_API uint64_t ar_snapshot_version(const struct ar_snapshot *snapshot);

/* ---- options ---- */

/* The client's state has changed: `health` says to which, and why. It is borrowed for the callback. */
typedef void ar_state_cb(struct ar_client *client, const struct ar_health *health, void *data);
/* A snapshot whose version differs from the last one's; borrowed: retain it to keep it. */
typedef void ar_agents_cb(struct ar_client *client, const struct ar_snapshot *snapshot, void *data);
/* A notification from the server or the relay; strings are borrowed. `params` is JSON text, "" where absent.
 */
typedef void ar_notification_cb(struct ar_client *client, const char *method, const char *params,
                                size_t params_len, void *data);
typedef void ar_closed_cb(void *data);

#define AR_NEVER UINT32_MAX

struct ar_options {
    size_t size;
    /* host:port, tcp://host:port, [ipv6]:port or unix:PATH. NULL: AGENT_CONTROL_URL, else 127.0.0.1:9500. */
    const char *url;
    /* http:// or https:// address of the relay's health endpoint; probed while degraded, to distinguish
     * "relay down" from "server behind it down". NULL: AGENT_HEALTH_URL, else none; "": none. No user or
     * password in it; no proxy is used. */
    const char *health_url;
    const char *client_name; /* for initialize's clientInfo; NULL: "libagentrelay" */
    const char *client_version;
    struct uv_loop_s *loop; /* NULL: a thread of its own. Else outlives the client (till on_closed) */
    /* mock/agents.json's form; NULL: the built-in agents. Borrowed for ar_open. */
    const char *mock_cast;
    uint64_t mock_seed;          /* 1 */
    uint32_t connect_timeout_ms; /* 5,000 for looking up the name, and again for each address that it has */
    uint32_t backoff_base_ms;   /* 250: from one attempt to the next random(0 .. min(cap, base * factor^n)) */
    double backoff_factor;      /* 2 */
    uint32_t backoff_cap_ms;    /* 2,000: a relay that is back is found within it */
    uint32_t backoff_stable_ms; /* 60,000: live for so long, and the next loss starts at the base again */
    uint32_t heartbeat_ms;      /* 5,000 of silence, then the relay is pinged */
    uint32_t dead_after_ms;   /* 10,000 of silence, then the link is closed; a new one on which the relay has
                                 never said a word is kept, since a relay that stands still answers it
                                 first, and another is tried beside it */
    uint32_t init_timeout_ms; /* 30,000 for initialize: the relay may be starting its server */
    uint32_t agents_poll_ms;  /* 2,000; AR_NEVER: no agent view, snapshots stay empty or mock */
    uint32_t agents_timeout_ms; /* 10,000 without an answer to a poll: the server does not answer */
    uint32_t stale_max_ms;      /* 30,000: the longest that a stale snapshot is served; then mock. 0: never;
                               * AR_NEVER: always */
    uint32_t mock_refresh_ms;   /* 2,000: how often mock agents change; AR_NEVER: they do not */
    uint32_t call_timeout_ms;   /* 30,000, for calls that name no deadline */
    uint32_t queue_max_calls;   /* 1,024 waiting calls */
    uint32_t in_flight_max;     /* 256; further ones wait, whatever their policy. It also bounds the bytes in
                                 flight: times frame_max_bytes */
    size_t queue_max_bytes;     /* 16 MiB of waiting calls */
    size_t frame_max_bytes;     /* 8 MiB: the longest line sent or received */
    ar_state_cb *on_state;      /* each may be NULL */
    ar_agents_cb *on_agents;
    ar_notification_cb *on_notification;
    void *data;
};

#define ar_options_init(o) ar_options_init_sized((o), sizeof(*(o)))
AR_API void ar_options_init_sized(struct ar_options *o, size_t size);

#define AR_PROBLEM_SIZE 320 /* enough for any text that ar_open writes */

/* Starts a client; it connects by itself. `o` NULL: all defaults; it and its strings are copied.
 * AR_E_INVALID for an invalid option (`problem`, which may be NULL, then names it, the reason, and the
 * correct form), AR_E_NO_MEMORY, AR_E_SYSTEM (no thread, no descriptor): nothing was started then. An
 * unreachable relay is not an error: the client is then degraded and keeps reconnecting. With a thread of
 * its own, callbacks may run before ar_open has returned; *ret_client is written before the first of them. */
AR_API int ar_open(const struct ar_options *o, struct ar_client **ret_client, char *problem,
                   size_t problem_size);
/* Closes the client without waiting: every call that is not complete is completed with AR_E_CLOSED, then
 * on_closed (may be NULL) runs, last of all, on the client's thread. on_state still reports AR_CLOSED,
 * on_agents runs no more. Legal in any callback, and again (the first on_closed counts). The handle is
 * valid until on_closed has returned; where there is none, no longer. */
AR_API void ar_close(struct ar_client *client, ar_closed_cb *on_closed, void *data);
/* The same, and returns when the client is closed and freed. With options.loop, or in a callback:
 * AR_E_WOULD_DEADLOCK, and the client stays open. */
AR_API int ar_close_wait(struct ar_client *client);

/* ---- calls ---- */

enum ar_policy {
    AR_FAIL_FAST, /* not live: AR_E_DEGRADED at once */
    AR_WAIT,      /* not live: waits in the queue until it is, or until the deadline */
    AR_MOCK,      /* not live: answered from the mock, and marked so */
};

/* Given by the library; later versions may add members at the end. Strings are never NULL, but for `result` of
 * a reply that is not AR_OK. */
struct ar_reply {
    int code;              /* AR_OK or why not */
    enum ar_source source; /* LIVE: the server answered; MOCK: the mock did. Meaningless without an answer */
    bool may_have_run;     /* false: the server never saw the request, so repeating it is safe */
    const char *result;    /* AR_OK: the result's JSON text, NUL-terminated */
    size_t result_len;
    int error_code;      /* AR_E_SERVER: the JSON-RPC error's code, message, and data as JSON text ("") */
    const char *message; /* for every code but AR_OK: a text */
    const char *error_data;
    size_t error_data_len;
    uint64_t elapsed_ms; /* since ar_call */
    /* The error; all three "" with AR_OK. The name is for programs: the relay's for an error that it made
     * ("SERVER_UNAVAILABLE", "DRAINING" ...; "RELAY_ERROR" where it names none), "SERVER_ERROR" for one of
     * the server's or the mock's own ("BAD_ANSWER" where that is no JSON-RPC error object),
     * ar_health.last_error_name's for AR_E_DEGRADED after a failure ("ECONNREFUSED" ...), else the code's
     * ("TIMEOUT", "CONNECTION_LOST", "DEGRADED" ...). */
    const char *error_name;
    bool from_relay; /* AR_E_SERVER: the relay itself made the error, not the server behind it */
    const char
        *error_text; /* AR_E_SERVER: one sentence with all details: the server, what it refused, why, and
                      * the end of its stderr; else as message. Sanitized */
    const char *suggestion; /* one sentence: what a person can do; "": no suggestion */
};

/* Exactly once for each accepted call; the reply is borrowed for the callback. */
typedef void ar_reply_cb(struct ar_client *client, const struct ar_reply *reply, void *data);
/* A progress notification of this call, before its reply; `params` is its JSON text. */
typedef void ar_progress_cb(struct ar_client *client, const char *params, size_t params_len, void *data);

struct ar_call {
    size_t size;
    const char *method;
    const char *params;   /* JSON text of an object or array; NULL: no params. Copied */
    size_t params_len;    /* 0: strlen(params) */
    uint32_t deadline_ms; /* from now, waiting included; 0: options.call_timeout_ms; AR_NEVER: none */
    enum ar_policy policy;
    bool idempotent; /* may be sent again after a loss even if the server may have run it (with AR_WAIT) */
    ar_progress_cb *on_progress; /* may be NULL; adds a progress token to the request */
    ar_reply_cb *on_reply;
    void *data; /* for both */
};

/* As ar_health_report: C++'s name for the structure, beside the function ar_call. */
typedef struct ar_call ar_call_request;

#define ar_call_init(c) ar_call_init_sized((c), sizeof(*(c)))
AR_API void ar_call_init_sized(struct ar_call *c, size_t size);

/* Submits the call. AR_OK: on_reply will run once, on the client's thread, and *ret_id (may be NULL) names
 * the call. AR_E_INVALID (no method, params that are no JSON object or array, a method of the library's
 * own: initialize and notifications/...), AR_E_TOO_LARGE, AR_E_NO_MEMORY, AR_E_CLOSED, AR_E_QUEUE_FULL
 * (the client's thread has too many submitted calls to take in): it will not. Methods that begin with
 * relay/ go to the relay itself and need the link alone, not the server. */
AR_API int ar_call(struct ar_client *client, const struct ar_call *call, uint64_t *ret_id);
/* Completes the call with AR_E_CANCELLED and notifies the server. The answer may have crossed it: the one
 * completion reports whichever came first. AR_E_NOT_FOUND only for an id that was never assigned;
 * AR_E_CLOSED, AR_E_NO_MEMORY, AR_E_QUEUE_FULL as ar_call. */
AR_API int ar_cancel(struct ar_client *client, uint64_t id);
/* For threads that may wait: makes the call, waits for its completion, and gives a copy of the reply, to be
 * freed with ar_reply_free. Returns AR_OK whenever there is a reply (look at its code); else as ar_call, or
 * AR_E_WOULD_DEADLOCK. on_reply and on_progress are not used. */
AR_API int ar_call_wait(struct ar_client *client, const struct ar_call *call, struct ar_reply **ret_reply);
AR_API void ar_reply_free(struct ar_reply *reply); /* NULL: nothing */
/* Sends a notification while live; it is not queued. AR_OK: submitted; delivery is not reported.
 * AR_E_DEGRADED: not live; AR_E_INVALID also for notifications/initialized and notifications/cancelled,
 * which are the library's; else as ar_call. */
AR_API int ar_notify(struct ar_client *client, const char *method, const char *params, size_t params_len);

#ifdef __cplusplus
}
#endif

#endif
