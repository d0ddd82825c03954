/* What struct engine is made of. The engine is one object whose functions stand in many files, a "partial class":
 * any engine_*.c may read any member; the file that heads a group below has the rules by which it changes, but for
 * engine_init and engine_link_reset, which set everything back. The I/O driver embeds the structure and touches
 * the members under "the I/O driver" alone, and reads `out` and `fallback.state`.
 */
#ifndef CLIENT_ENGINE_STATE_H
#define CLIENT_ENGINE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "backend-client/src/agents/mock_view.h"
#include "backend-client/src/agents/snapshot.h"
#include "backend-client/src/errors/fault.h"
#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "fallback.h"
#include "reconnect.h"
#include "wire/frame.h"

/* A call is written only while `out` holds less; `out` has room above it for one call of the largest size and for
 * the engine's own lines. */
#define ENGINE_OUT_HIGH_BYTES ((size_t)1 << 20)
/* A relay may fail now and then; a peer that says nothing else is no relay. */
#define ENGINE_BAD_LINES_MAX 16
/* A line once begun must end within it; a ping too, or within dead_after_ms where that is longer. */
#define ENGINE_FRAME_MS UINT64_C(60000)
/* How long after a suspension of the host the peer may still be late: time for the loop to read the socket. */
#define ENGINE_SUSPEND_GRACE_MS UINT64_C(1000)
/* The shortest wait before a call that was refused is sent again, where no poll tells when. */
#define ENGINE_RETRY_MS UINT64_C(500)

struct engine;
struct engine_ops;

/* A request of the engine's own, under way. */
struct pending_request {
    uint64_t id;        /* 0: there is none */
    uint64_t at_ms;     /* when it was written; where it had to wait to arrive, when it had arrived */
    double fraction_ms; /* of that moment */
    uint64_t end;       /* how many bytes of the link the peer must have for it to be there */
    bool in_transit;    /* when last checked, it had not arrived */
};

struct engine_requests {
    struct pending_request init;
    struct pending_request poll;
    struct pending_request ping;
};

/* Members of struct ar_health that stand here as they are given out, under the same names. */
struct engine_counters {
    enum ar_reach relay;
    enum ar_reach server;
    enum ar_reach health_probe;
    int health_probe_status;
    uint64_t attempts;
    uint64_t links;
    uint64_t losses;
    uint64_t calls;
    uint64_t completions;
    uint64_t bad_frames;
    double round_trip_ms;
    char peer[sizeof((struct ar_health *)0)->peer];
};

/* The table of moves is in engine.h. */
enum engine_link {
    ENGINE_IDLE,         /* waiting for the next attempt */
    ENGINE_CONNECTING,   /* ops.connect is under way */
    ENGINE_INITIALIZING, /* connected; initialize is not answered yet, or was refused and is asked again */
    ENGINE_READY,        /* initialized; polls decide about live */
    ENGINE_CLOSED,
};

/* How the server lists its agents, as far as is known. */
enum engine_list {
    ENGINE_LIST_UNKNOWN, /* on this link nothing has been asked, or what is there may have changed */
    ENGINE_LIST_TOOL,    /* the tool agent_list, which stands in tools/list */
    ENGINE_LIST_METHOD,  /* the method agents/list */
    ENGINE_LIST_NONE,    /* neither: asked again when tools/list_changed comes, and every 30 s
                            or agents_poll_ms, the longer */
};

/* What the request under way asks for. */
enum engine_poll {
    ENGINE_POLL_TOOLS,  /* a page of tools/list */
    ENGINE_POLL_TOOL,   /* tools/call agent_list */
    ENGINE_POLL_METHOD, /* agents/list */
};

/* Points in time are UINT64_MAX where nothing is due. */
struct engine {
    /* ---- engine.c: fixed by engine_init ---- */

    const struct engine_ops *ops; /* static */
    void *data;                   /* the I/O driver's */
    struct ar_options options;    /* defaults filled in; strings owned by the driver */
    const char *address;          /* owned by the driver: what health and faults call the relay */

    /* ---- the I/O driver ---- */

    int64_t wall_offset_ms; /* Unix time less now_ms; the driver keeps it right */
    double fraction_ms;     /* of now_ms, for round trips; likewise, 0 where no driver sets it */

    /* ---- engine_link.c: the link's state, its ends, its bytes out ---- */

    enum engine_link link;
    uint64_t attempt_at_ms;     /* ENGINE_IDLE: the next attempt */
    struct reconnect reconnect; /* the back-off between attempts to connect */
    struct buf out;             /* to be sent on the link; the driver takes from the front and reports it */
    uint64_t sent_total;        /* bytes of this link that have left */
    uint64_t queued_total; /* bytes of this link ever appended to `out` (engine_requests.c, engine_calls.c) */

    uint64_t attempt_began_at_ms;

    /* ---- engine_second.c: a link on which the relay has never said a word, and the attempt beside it ---- */

    bool stands_still;
    uint64_t second_at_ms; /* when the second attempt is to begin, or to begin anew */
    uint64_t second_ping;  /* the number of the ping that is sent on it */

    /* ---- engine_requests.c: what the engine itself asks ---- */

    struct engine_requests requests;
    uint64_t next_request_id; /* on the wire the strings "ar-1" ..., so that they never meet a call's id */
    size_t abandoned; /* requests of this link given up, calls included: their answers may still come */

    /* ---- engine_deadlines.c: by when the peer must answer, read, end a line ---- */

    uint64_t stall_at_ms;     /* when `out` last moved; it is empty: UINT64_MAX */
    uint64_t acked_total;     /* bytes of this link that had arrived when last checked */
    uint64_t last_ack_at_ms;  /* when the peer last took something that had waited, as far as was seen */
    uint64_t ack_check_at_ms; /* when to check that again, while a request is pending */
    uint64_t grace_until_ms;  /* no deadline counts earlier: the host was suspended */

    /* ---- engine_frames.c: bytes in ---- */

    struct frame_reader reader;
    uint64_t received_at_ms; /* the last byte's */
    uint64_t line_at_ms;     /* when the line under way began */
    bool heard;              /* on this link, a byte */
    bool got_good_line;      /* likewise, a message */
    unsigned bad_lines;      /* since the last good one */

    /* ---- engine_initialize.c ---- */

    uint64_t next_init_at_ms;

    /* ---- engine_agents.c: polls ---- */

    enum engine_list list;
    enum engine_poll polling;
    unsigned tool_pages; /* of tools/list, in this round */
    bool tool_filters;   /* the tool's inputSchema takes "filter":"all" */
    bool listed;         /* on this link, a list of agents has been read */
    bool has_method;     /* agents/list has once answered with a list, on whatever link */
    bool tools_changed;  /* announced, and not looked at yet */
    bool poll_again;     /* a change was announced while a poll was under way */
    uint64_t next_poll_at_ms;
    uint64_t next_push_at_ms; /* an announced change may not cause a poll earlier */
    uint64_t good_polls;
    struct reconnect again; /* the back-off between questions to a server that refuses, on a good link */

    /* ---- engine_queue.c: which call stands where ---- */

    struct map calls;        /* struct call.by_id: waiting and in flight */
    struct heap deadlines;   /* struct call.deadline */
    struct list waiting;     /* struct call.node, in the order of their ids: for the server */
    struct list to_relay;    /* likewise: relay/ methods */
    struct list retry_later; /* likewise: refused by the relay for the moment */
    struct list in_flight;   /* struct call.node, in the order in which they were written */
    size_t waiting_count;    /* of the three lists that wait */
    size_t waiting_bytes;
    size_t in_flight_count;

    /* ---- engine_calls.c ---- */

    uint64_t retry_at_ms; /* the earliest not_before_ms in `retry_later` that is still to come */
    uint64_t sent_id;     /* the highest id ever written */

    /* ---- engine_answers.c ---- */

    uint64_t late_answers; /* to requests that were given up */

    /* ---- engine_reply.c ---- */

    struct buf text;        /* what a callback borrows */
    struct mock_view *mock; /* owned */

    /* ---- engine_publish.c: the fallback policy and what is published. A set that is NULL is an empty one. ---- */

    struct fallback fallback;
    struct agent_set *set;  /* of the current snapshot; owned reference */
    struct agent_set *live; /* the last live one; owned reference */
    uint64_t live_at_ms;    /* when it came */
    int64_t live_at_unix_ms;
    uint64_t mock_at_ms; /* when the current mock set was made */
    int64_t mock_at_unix_ms;
    int64_t mock_offset_ms;   /* Unix time less now_ms for the mock: fixed, so that it never runs backwards */
    uint64_t next_mock_at_ms; /* when the mock agents are made anew */
    uint64_t next_publish_at_ms; /* a publication that memory was short for */
    uint64_t version;
    struct snapshot_facts published; /* of the last publication */
    bool any_published;
    bool short_of_memory; /* the last publication was a stand-in without agents: tried again soon */

    /* ---- engine_health.c ---- */

    struct engine_counters counters; /* counted where it happens */
    struct fault fault;              /* the last one, with what the health probe says of it */
    int64_t fault_at_unix_ms;
    int probe_status;
    char probe_text[128];
    bool probed; /* since the client was last live */
};

#endif
