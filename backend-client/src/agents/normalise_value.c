/* The normaliser's numbers and dates.
 *
 * Purpose: bring the scales that servers count in to one. Which key counts in which scale is
 * normalise_agent.c's business; here stand the ranges. Failure modes: none; what is out of range is
 * AR_ABSENT.
 */
#include <ctype.h>
#include <string.h>

#include "mock/iso_time.h"
#include "normalise_agent.h"

#define LAST_MS           INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define FIRST_MS_NOT_SECS 1e11
#define SECONDS_LEN       19 /* YYYY-MM-DDTHH:MM:SS */

/* Of a whole number of billionths, so that 45.6 % is 0.456, and a server's sum of 0.1 and 0.2 is 0.3, and neither a
 * neighbour of it. */
static double nano(double billionths)
{
    return (double)(int64_t)(billionths + 0.5) / 1e9;
}

double value_share(double number)
{
    if (!(number >= 0 && number <= 100))
        return AR_ABSENT;
    return nano(number > 1 ? number * 1e7 : number * 1e9);
}

double value_health(double number, bool counts_in_shares)
{
    if (!(number >= 0 && number <= 100))
        return AR_ABSENT;
    return nano(counts_in_shares && number <= 1 ? number * 1e11 : number * 1e9);
}

double value_health_word(const char *word)
{
    static const struct {
        const char *word;
        double health;
    } words[] = {{"healthy", 100}, {"degraded", 50}, {"unhealthy", 0}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, word) == 0)
            return words[i].health;
    }
    return AR_ABSENT;
}

int64_t value_unix_time(double number)
{
    double ms = number < FIRST_MS_NOT_SECS ? number * 1000 : number;
    if (!(ms >= 1 && ms <= (double)LAST_MS))
        return AR_ABSENT;
    return (int64_t)(ms + 0.5);
}

/* ---- ISO 8601 ---- */

static int two_digits(const char *text)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]))
        return -1;
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* "+02:00", "-0530", "+02": minutes east of Greenwich. false: it is none of these. */
static bool read_offset(const char *text, int *ret_minutes)
{
    int sign = text[0] == '-' ? -1 : 1;
    int hours = two_digits(text + 1);
    if (hours < 0)
        return false;
    int minutes = 0;
    text += 3;
    if (*text != '\0') {
        text += *text == ':';
        minutes = two_digits(text);
        if (minutes < 0 || text[2] != '\0')
            return false;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

int64_t value_iso_time(const char *text)
{
    char utc[64]; /* the part up to the offset; no fraction in use is longer */
    uint64_t unix_ms;
    int minutes = 0;
    size_t len = strlen(text);
    if (len < SECONDS_LEN || len >= sizeof(utc))
        return AR_ABSENT;
    size_t plain = SECONDS_LEN + strcspn(text + SECONDS_LEN, "+-");
    if (plain < len && (text[plain - 1] == 'Z' || !read_offset(text + plain, &minutes)))
        return AR_ABSENT;
    memcpy(utc, text, plain);
    utc[plain] = '\0';
    if (utc[10] == ' ' || utc[10] == 't')
        utc[10] = 'T';
    if (utc[plain - 1] == 'z')
        utc[plain - 1] = 'Z';
    if (iso_time_parse(utc, &unix_ms) != 0)
        return AR_ABSENT;
    int64_t ms = (int64_t)unix_ms - (int64_t)minutes * 60000;
    return ms > 0 && ms <= LAST_MS ? ms : AR_ABSENT;
}
