/* The table of the normaliser: which key of an agent means what. Data alone. */
#ifndef CLIENT_NORMALISE_RULES_H
#define CLIENT_NORMALISE_RULES_H

#include <stddef.h>

/* Where a key stands: in the agent itself, or in an object that it holds. */
enum group { OWN, METRICS, PERFORMANCE, TOKEN_USAGE, PROFILE, TASKS, TASK, GROUP_COUNT };

enum reading {
    TEXT,     /* a string that is not empty */
    WORDS,    /* an array, of which the strings count */
    HEALTH,   /* 0..100; 0..1 where agentId and agentType name the agent (claude-flow 3); a word */
    SHARE,    /* 0..1; above 1: percent */
    COUNT,    /* a whole number, not negative */
    TIME,     /* ISO 8601, or Unix seconds or milliseconds */
    FLAG,     /* true */
    IS_MOCK,  /* the string "mock" */
    IS_SWARM, /* the string "mock-swarm" */
};

struct rule {
    const char *key;
    enum group group;
    enum reading reading;
    size_t member; /* its offset in struct ar_agent */
};

#define NORMALISE_RULES 73

/* NORMALISE_RULES of them; for one member of struct ar_agent, those to be preferred come first. */
extern const struct rule normalise_rules[];
/* The key of each group's object; NULL for OWN. */
extern const char *const normalise_groups[GROUP_COUNT];

#endif
