/* The signals of a running relay: SIGHUP reloads; SIGTERM, SIGINT and the end of its terminal drain; a second
 * SIGTERM or SIGINT ends at once.
 *
 *   program_begin(signals_held) -> ... -> signals_open -> the loop runs -> signals_close
 */
#ifndef RELAY_SIGNALS_H
#define RELAY_SIGNALS_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "relay.h"

/* For program_begin: what arrives before the loop runs waits until it does. */
extern const int signals_held[];

/* A shell in a shell in make in ...; those beyond are not known. */
#define SIGNALS_ANCESTORS_MAX 16

struct signals {
    struct relay *relay; /* borrowed */
    uv_poll_t poll;
    int fd;            /* signalfd; -1: nothing is open */
    bool ignores_ends; /* of its terminal: started with SIGHUP ignored, as by nohup */
    bool had_terminal;
    /* The processes of this session that this one descends from: shells that pass SIGHUP on to their jobs. */
    pid_t ancestors[SIGNALS_ANCESTORS_MAX];
    size_t ancestor_count;
};

/* Takes what has arrived meanwhile, too, from the loop. A negative errno or libuv value: nothing is open. */
MUSTCHECK int signals_open(struct signals *s, struct relay *relay);
/* Idempotent, and legal after signals_open failed; `s` must live until the loop has run out. */
void signals_close(struct signals *s);

#endif
