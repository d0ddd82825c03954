/* A fake router, for tests of the fronts. It implements what session/ and front/ call of route/router.h; the
 * real one is not linked.
 *
 * A frame whose method is one of these makes the fake do something; every other frame is sent back as it
 * came:
 *
 *   "silent"   nothing
 *   "pause"    pauses the link, answers nothing
 *   "close"    answers, and closes the link with code 0, reason "told to"
 *   "flood"    answers with `flood_bytes` bytes, `flood_count` times
 */
#ifndef TESTS_FRONT_FAKE_ROUTE_H
#define TESTS_FRONT_FAKE_ROUTE_H

#include <stddef.h>

#include "route/router.h"

struct fake_route {
    size_t opened;
    size_t closed;
    size_t frames;
    size_t oversize;
    size_t writable;
    size_t flood_bytes;
    size_t flood_count;      /* answers to a "flood"; 0: one */
    bool mute;               /* answers nothing */
    int send_result;         /* of the last send */
    struct link *last_link;  /* of the last frame */
    const char *only_server; /* every other name is unknown */
};

extern struct fake_route fake_route;

void fake_route_reset(void);

#endif
