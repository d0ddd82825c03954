/* Draws the hash key of our programs from the kernel. The client library does not link this file: it draws
 * its key in a way that cannot end its host.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/map.h"

void hash_seed_random(void)
{
    uint64_t key[2];
    /* The kernel returns up to 256 bytes whole or not at all once its pool is ready; blocking until then
     * is intended. */
    while (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
        if (errno != EINTR)
            abort(); /* without a secret key peers could attack the table, so the program must not go on */
    }
    hash_seed(key[0], key[1]);
}
