/* The load generator's parts: options, one load (an epoll loop over its connections), one connection (a set
 * of slots, each with one request in flight), and two protocols over it.
 *
 * bench_load.c    main and the report          load_net.c    sockets, the loop, phases of a run
 * load_options.c  the command line             load_conn.c   greeting, sending, settling; NDJSON framing
 * load_check.c    is this answer ours?         load_http.c   Streamable HTTP framing
 * load_watch.c    processor time
 * load_death.c    a child's death to the error at the client
 * load_start.c    a program's start to the line that says that it listens
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hist.h"

#define LOAD_MAX_ADDRESSES 256U
#define LOAD_CHUNK_BYTES   (256U * 1024U)
#define LOAD_HEAD_BYTES    512U /* an HTTP head, the envelope and the tag fit */
#define LOAD_SESSION_BYTES 129U
#define LOAD_TAG_BYTES     5U /* hexadecimal index of the connection, so at most 2^20 connections */

enum load_mode { LOAD_RUN, LOAD_IDLE, LOAD_DEATH, LOAD_START };

struct load_options {
    enum load_mode mode;
    struct sockaddr_in address[LOAD_MAX_ADDRESSES]; /* connection i goes to i modulo address_count */
    unsigned address_count;
    bool http;
    const char *path; /* of the HTTP endpoint */
    unsigned clients;
    unsigned in_flight; /* per client */
    unsigned idle;      /* connections that only greet */
    bool probe;         /* one more client, with 1 in flight and latencies of its own */
    bool verify;        /* compare every byte of the answers */
    size_t size_bytes;  /* of a request's line; the smallest possible is about 105 */
    uint64_t warmup_ms;
    uint64_t duration_ms;
    uint64_t timeout_ms; /* without any progress: give up */
    unsigned watch_pid;  /* whose processor time is reported; 0: nobody's */
    char **command;      /* LOAD_START */
};

/* A place for one request in flight. Its ids are its number + n * slot_count, so an answer names its slot. */
struct slot {
    uint64_t id;      /* of the request in flight, or 0 */
    uint64_t next_id; /* grows by slot_count */
    uint64_t sent_at_ns;
    unsigned head_len;
    char head[LOAD_HEAD_BYTES]; /* the request up to the tag; the load's tail completes it */
};

struct bytes {
    char *at;
    size_t len;
    size_t cap;
};

enum conn_state { CONN_NEW, CONN_GREETING, CONN_CONFIRMING, CONN_SITTING, CONN_WORKING, CONN_CLOSED };

struct conn {
    struct load *load;
    struct hist *hist; /* NULL: an idle connection */
    int fd;
    enum conn_state state;
    unsigned index;
    bool wants_write; /* EPOLLOUT is armed */
    struct slot *slots;
    unsigned slot_count;
    unsigned busy;   /* slots in flight */
    unsigned *queue; /* ring of slots to be sent */
    unsigned queue_at, queue_len;
    size_t sent_of_first; /* bytes of the first queued request that have left */
    struct bytes partial; /* a line (or HTTP answer) begun; of a long line only the start, unless verifying */
    size_t line_bytes;    /* of the line begun, whatever partial holds of it */
    char session[LOAD_SESSION_BYTES]; /* Mcp-Session-Id */
};

enum load_phase { PHASE_OPENING, PHASE_WARMUP, PHASE_MEASURE, PHASE_DRAIN, PHASE_OVER };

struct load {
    const struct load_options *options;
    int epoll_fd;
    enum load_phase phase;
    uint64_t phase_ends_at_ns;
    uint64_t progress_at_ns;
    uint64_t now_ns; /* taken before each read or phase change */
    struct conn *conns;
    unsigned conn_count;                        /* clients, then the probe, then the idle ones */
    unsigned opened, initialize_answered, busy; /* busy: requests in flight, over all */
    char *tail;                                 /* what follows the tag in every request */
    size_t tail_len, filler_len;
    char *scratch; /* LOAD_CHUNK_BYTES, for reading and for gathering small requests: never both at once */
    /* inside PHASE_MEASURE */
    uint64_t measured_ns, answers, bytes_in, bytes_out;
    uint64_t watched_ns, own_ns; /* processor time */
    /* ever */
    uint64_t errors; /* JSON-RPC errors and HTTP statuses */
    uint64_t wrong;  /* answers that are not what was asked, or not this connection's */
    uint64_t lost;   /* never answered, or the connection closed */
    char first_error[160];
    struct hist hist, probe_hist;
};

uint64_t load_clock_ns(void);
/* Prints to stderr and exits with 2: the load generator has no failure worth going on after. */
_Noreturn void load_die(const char *what);

/* Exits with 2 and a usage text on a bad command line. */
void load_options_parse(int argc, char **argv, struct load_options *ret_options);

/* Opens every connection, greets, and in LOAD_RUN drives the load to its end. In LOAD_IDLE it prints a line
 * when all sit and returns when standard input ends. */
void load_run(struct load *l, const struct load_options *options);
int load_death(const struct load_options *options);
int load_start(const struct load_options *options);
/* A connected, blocking socket without Nagle. */
int net_connect(const struct sockaddr_in *address);
/* Arms or disarms EPOLLOUT. */
void net_want_write(struct conn *c, bool wanted);

void bytes_put(struct bytes *b, const char *at, size_t len);

void conn_open(struct conn *c);
void conn_close(struct conn *c, const char *why);
/* `len` bytes have come in. */
void conn_feed(struct conn *c, const char *at, size_t len);
/* Sends as much of the queue as the socket takes. */
void conn_flush(struct conn *c);
/* All slots at once: the connection begins to work. */
void conn_begin(struct conn *c);
/* The greeting's next step is due: its answer has come. */
void conn_greeted(struct conn *c);
/* One answer, whole or (in NDJSON, when not verifying) its start. `total` is its full length. */
void conn_settle(struct conn *c, const char *at, size_t len, size_t total);
void conn_count_error(struct conn *c, const char *at, size_t len);

/* Processor time so far; 0 when there is nobody to watch. */
uint64_t watch_self_ns(void);
uint64_t watch_ns(unsigned pid);

enum answer { ANSWER_OK, ANSWER_ERROR, ANSWER_WRONG };
/* Whose answer is it? *ret_slot is set unless ANSWER_WRONG. */
enum answer check_line(const struct conn *c, const char *at, size_t len, size_t total,
                       struct slot **ret_slot);
/* The same for JSON whose members come in any order. */
enum answer check_json(const struct conn *c, const char *at, size_t len, struct slot **ret_slot);

/* The HTTP head in front of a body of that length; its length. */
unsigned http_head(const struct conn *c, size_t body_len, char *out, size_t cap);
void http_feed(struct conn *c, const char *at, size_t len);

#endif
