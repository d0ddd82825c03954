/* What to check while the relay does not answer. The library cannot say it: it knows neither containers nor that
 * the name once led to a relay.
 */
#include "outage_hint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "wire/text_builder.h"

static bool has_lost_its_name(const struct ar_health *h)
{
    static const char *const names[] = {"EAI_NONAME", "EAI_NODATA", "EAI_AGAIN",
                                        "EAI_FAIL",   "ENOTFOUND",  "EHOSTUNREACH"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], h->last_error_name) == 0)
            return true;
    return false;
}

void outage_hint(const struct ar_health *health, char hint[OUTAGE_HINT_SIZE])
{
    struct text_builder b;
    text_builder_begin(&b, hint, OUTAGE_HINT_SIZE);
    if (health->state != AR_LIVE && health->links > 0 && has_lost_its_name(health))
        text_builder_add(
            &b,
            "The relay answered under this name before: its container is stopped (docker compose ps shows it, docker compose start relay starts it). If it runs: ");
    text_builder_quote(&b, health->suggestion, strlen(health->suggestion), OUTAGE_HINT_SIZE / 2);
}
