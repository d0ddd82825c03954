/* The distance is Levenshtein's, computed one row of its matrix at a time. */
#include "base/names.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#define DISTANCE_NAME_MAX 64

static size_t plain_name(const char *name, char *ret_plain)
{
    size_t len = 0;
    for (; *name != '\0' && len < DISTANCE_NAME_MAX; name++) {
        if (*name != '-' && *name != '_')
            ret_plain[len++] = (char)tolower((unsigned char)*name);
    }
    return len;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned name_distance(const char *a, const char *b)
{
    char x[DISTANCE_NAME_MAX];
    char y[DISTANCE_NAME_MAX];
    size_t x_len = plain_name(a, x);
    size_t y_len = plain_name(b, y);
    unsigned row[DISTANCE_NAME_MAX + 1];
    for (unsigned j = 0; j <= y_len; j++)
        row[j] = j;
    for (size_t i = 0; i < x_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < y_len; j++) {
            unsigned above = row[j + 1];
            row[j + 1] = smaller(smaller(above, row[j]) + 1, diagonal + (x[i] != y[j]));
            diagonal = above;
        }
    }
    return row[y_len];
}

bool name_is_near(const char *name, unsigned distance)
{
    size_t len = strlen(name);
    return distance <= (len < 5 ? 1 : len < 9 ? 2 : 3);
}

const char *nearest_name(const char *name, const char *const *known)
{
    const char *best_name = NULL;
    unsigned best = UINT_MAX;
    for (; *known; known++) {
        unsigned distance = name_distance(name, *known);
        if (distance < best) {
            best = distance;
            best_name = *known;
        }
    }
    return best_name && name_is_near(name, best) ? best_name : NULL;
}
