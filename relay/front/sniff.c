/* The first byte decides; blanks before it are those of JSON (space, tab, CR, LF). */
#include "front/sniff.h"

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const struct sniff_row *sniff(const struct sniff_row *table, const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && is_blank(bytes[i]))
        i++;
    if (i == len)
        return NULL;
    unsigned char byte = (unsigned char)bytes[i];
    while (byte < table->first || byte > table->last)
        table++;
    return table;
}
