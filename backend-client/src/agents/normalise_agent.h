/* The parts of the normaliser: one agent (normalise_agent.c), and the values that need more than their type
 * (normalise_value.c). Pure. */
#ifndef CLIENT_NORMALISE_AGENT_H
#define CLIENT_NORMALISE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "snapshot.h"
#include "wire/json.h"

/* Adds the agent that the node describes; nothing when it is no object or has no id. `mock`: the list it
 * stands in is made up. What set_builder_add returns. */
MUSTCHECK int normalise_agent(struct json_doc *doc, json_node node, bool mock, struct set_builder *builder);
/* The object says of itself that it is made up. */
bool normalise_says_mock(struct json_doc *doc, json_node object);

/* Each gives AR_ABSENT for what is no such value. */

/* 0..1; above 1 up to 100: percent. */
double value_share(double number);
/* 0..100; where `counts_in_shares`, up to 1: a share of it. */
double value_health(double number, bool counts_in_shares);
/* "healthy", "degraded", "unhealthy": 100, 50, 0. */
double value_health_word(const char *word);
/* Unix seconds, or milliseconds from 10^11 on (1973; seconds reach that in the year 5138), up to the year
 * 9999. 0 and below are no date: servers that have none write 0. */
int64_t value_unix_time(double number);
/* ISO 8601: date, T or a blank, time, an optional fraction (cut to milliseconds), then Z, an offset (+02:00,
 * +0200, +02) or nothing (UTC). Not before 1970. */
int64_t value_iso_time(const char *text);

#endif
