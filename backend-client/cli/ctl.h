/* One run of the program: the loop, the client of the library on it, the signals, the deadline, the output.
 *
 * Everything happens on one thread: the client runs on this loop. Commands are written straight on: each wait
 * runs the loop until the awaited event, the deadline, or an interrupt.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent_relay.h"
#include "backend-client/cli/args.h"
#include "backend-client/cli/term.h"
#include "backend-client/cli/exit_code.h"
#include "base/buf.h"
#include "base/list.h"
#include "wire/json.h"
#include "wire/writer.h"

#define CTL_OUT_MAX_BYTES ((size_t)256 << 20) /* the largest result, spread out or escaped, fits */
#define CTL_NEVER         UINT64_MAX

struct ctl {
    const struct ctl_args *args; /* borrowed */
    struct term term;
    struct buf out; /* gathered output, written by ctl_flush */
    uv_loop_t loop;
    uv_poll_t events; /* of event_fd */
    uv_timer_t alarm; /* ends a wait */
    int event_fd;     /* an epoll set: the signals, and standard output's end */
    bool started;
    bool stopping; /* the last waits, after a signal: for what is being ended */
    int caught;    /* the signal; 0: none */
    struct ar_client *client;
    bool closed;
    struct ar_health health; /* as of the last change of state, or ctl_refresh_health */
    uint32_t timeout_ms;
    uint64_t started_ms;  /* uv_now's clock */
    uint64_t deadline_ms; /* started_ms + timeout_ms */
    struct list answers;  /* struct answer, until the client has closed */
    size_t watched;       /* what a watching command has shown */
    bool begun;           /* it may show something: see ctl_watch */
    /* For the watching commands; may be NULL. On the loop, in a callback of the library's. */
    void (*on_state)(struct ctl *ctl);
    void (*on_agents)(struct ctl *ctl, const struct ar_snapshot *snapshot);
    void (*on_notification)(struct ctl *ctl, const char *method, const char *params, size_t len);
};

void ctl_init(struct ctl *ctl, const struct ctl_args *args);
/* Closes the client, bounded in time. Returns the exit code: `code`, or what outranks it (a signal; output
 * that could not be written). */
enum ctl_exit ctl_done(struct ctl *ctl, enum ctl_exit code);

/* Opens the client. CTL_EXIT_OK, or USAGE (a bad address) or ERROR, both reported. AR_NEVER: no agents. */
MUSTCHECK enum ctl_exit ctl_open(struct ctl *ctl, uint32_t agents_poll_ms);
/* The loop and the signals alone: for what asks without the library. */
MUSTCHECK enum ctl_exit ctl_start(struct ctl *ctl);

enum ctl_wait { CTL_CAME, CTL_LATE, CTL_STOPPED };
/* Runs the loop until `came` says so (NULL: never), until `deadline_ms` (CTL_NEVER), or until a signal or the
 * end of the output. */
enum ctl_wait ctl_wait(struct ctl *ctl, bool (*came)(void *data), void *data, uint64_t deadline_ms);
uint64_t ctl_now_ms(struct ctl *ctl);

/* Waits until live. With the policy to fail (or mock), the first failure ends it as well; with the policy
 * to wait, the deadline alone. OK, else the exit code; no message is printed. */
enum ctl_exit ctl_settle(struct ctl *ctl);
/* For the watching commands, once open: until a signal, or the end of the output. What there is while the
 * first connection is being made is a mock that is replaced at once: `begun` is false then. Live or degraded,
 * it is set before on_state or on_agents reports it; where neither has come within --timeout, it is set all
 * the same, and `show` called. */
void ctl_watch(struct ctl *ctl, void (*show)(struct ctl *ctl));
/* Fills `health` with the present. */
void ctl_refresh_health(struct ctl *ctl);

/* Writes the gathered output, and empties it. False: the reader has closed it, or a signal came. */
bool ctl_flush(struct ctl *ctl);

/* ---- ctl_report.c ---- */

/* Reports why the client is not live, and returns `code`. With --json an error document goes to the output
 * too. */
enum ctl_exit ctl_report_outage(struct ctl *ctl, enum ctl_exit code);
/* For an address that cannot be: names where it was written. `problem` is the library's, which calls it url.
 */
enum ctl_exit ctl_refuse_address(struct ctl *ctl, const char *problem);
/* Prints `text`, and returns `code`. With --json an error document goes to the output too. */
enum ctl_exit ctl_refuse(struct ctl *ctl, enum ctl_exit code, const char *name, const char *text);
/* For ERR_TOO_LARGE and -ENOMEM while putting the output together, which is thrown away: likewise. */
enum ctl_exit ctl_report_broken(struct ctl *ctl, int rc);
/* Reports that an answer came from the mock. */
void ctl_report_mock(struct ctl *ctl);

#define CTL_USAGE "USAGE" /* the name of what exits with CTL_EXIT_USAGE */

struct ctl_error {
    const char *name; /* "TIMEOUT", "SERVER_UNAVAILABLE", "ECONNREFUSED", CTL_USAGE ... */
    int code;         /* JSON-RPC's; 0: none */
    const char *message;
    const char *suggestion; /* NULL or "": none */
    const char *data;       /* raw JSON, data_len 0: none */
    size_t data_len;
    bool mock; /* the mock made it */
};
/* With --json, writes {"error":{...},"exit":code} and a newline. */
void ctl_write_error(struct ctl *ctl, enum ctl_exit code, const struct ctl_error *error);
/* These members alone, into an object that has others. */
void ctl_write_error_members(struct writer *w, enum ctl_exit code, const struct ctl_error *error);

/* ---- ctl_call.c ---- */

/* A call and its completion. Owned by ctl until it is done. */
struct answer {
    struct list node;
    struct ctl *ctl;
    bool done;
    struct ar_reply reply; /* copies, owned; strings are "" where the reply had none */
    uint64_t asked_ns;
    uint64_t answered_ns;
    bool to_relay;
    bool gives_up;             /* when there is no relay */
    struct progress *progress; /* borrowed; NULL: none is shown */
};

struct ctl_ask {
    const char *method;
    const char *params; /* NULL: none */
    size_t params_len;
    enum ar_policy policy;
    bool to_relay; /* the relay itself answers: do not give up while only its server is down */
    bool progress; /* shown on a terminal */
};

/* Makes the call and waits for its completion, till the deadline. OK: there is a result, *ret_answer has
 * it. Else no message was printed yet; *ret_answer is NULL where there was no completion. */
MUSTCHECK enum ctl_exit ctl_call(struct ctl *ctl, const struct ctl_ask *ask, struct answer **ret_answer);
/* Reports why a call has failed (answer may be NULL: an outage), and returns `code`. */
enum ctl_exit ctl_report_failure(struct ctl *ctl, enum ctl_exit code, const struct answer *answer,
                                 const char *what);
/* Why a call has failed, for a reply that is no error of the server's. Not sanitized yet. */
void ctl_reply_text(const struct ctl *ctl, const struct answer *answer, char *out, size_t size);
/* Those that are complete. */
void ctl_answers_free(struct ctl *ctl);

/* All tools, once the client is open: {"tools":[...]} parsed. Else *ret_doc is NULL, and no message was printed.
 * In cmd_tools.c. */
MUSTCHECK enum ctl_exit ctl_list_tools(struct ctl *ctl, enum ar_policy policy, struct json_doc **ret_doc);

/* ---- the commands: each in a file of its own ---- */

enum ctl_exit cmd_status(struct ctl *ctl);
enum ctl_exit cmd_ping(struct ctl *ctl);
enum ctl_exit cmd_call(struct ctl *ctl);
enum ctl_exit cmd_tools(struct ctl *ctl);
enum ctl_exit cmd_tool(struct ctl *ctl);
enum ctl_exit cmd_agents(struct ctl *ctl);
enum ctl_exit cmd_servers(struct ctl *ctl);
enum ctl_exit cmd_watch(struct ctl *ctl);

#endif
