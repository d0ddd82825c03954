/* Which protocol a connection speaks, decided by its first byte that is not blank. Pure.
 *
 * The table of first bytes stands in front.c: a new protocol is a row there. Header lines are never skipped
 * to reach a body, or any web page could drive the relay through its reader's browser.
 */
#ifndef FRONT_SNIFF_H
#define FRONT_SNIFF_H

#include <stddef.h>

struct protocol_ops;

/* Connections whose first byte is from `first` to `last`. */
struct sniff_row {
    unsigned char first;
    unsigned char last;
    const struct protocol_ops *protocol; /* NULL: not spoken here */
    const char *hint;                    /* then: what to say to the peer */
};

/* The first row that fits; the table's last row fits every byte. NULL: nothing but blanks (space, tab, CR,
 * LF) so far. */
const struct sniff_row *sniff(const struct sniff_row *table, const char *bytes, size_t len);

#endif
