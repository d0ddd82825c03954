/* Whether a byte stream is valid UTF-8 (RFC 3629), in chunks of any size. Pure; the verdict does not depend
 * on where the chunks are cut, and falls at the first byte that cannot continue a valid text.
 */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: between two characters, as at the beginning of a text. */
struct utf8_check {
    uint8_t follow;    /* bytes that the character under way still needs */
    uint8_t low, high; /* bounds of the next one */
};

/* false: not valid; the check is of no further use. */
bool utf8_check_feed(struct utf8_check *u, const char *bytes, size_t len);
/* No character is incomplete. */
static inline bool utf8_check_ended(const struct utf8_check *u)
{
    return u->follow == 0;
}
/* A whole text. */
bool utf8_is_valid(const char *bytes, size_t len);

#endif
