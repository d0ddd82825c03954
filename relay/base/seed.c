/* The hash key of a program of our own, from the kernel. The client library has no part of it: it draws its
 * key in a way that cannot end its host.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/map.h"

void hash_seed_random(void)
{
    uint64_t key[2];
    /* Up to 256 bytes come whole or not at all once the kernel's pool is ready, and waiting for that is
     * right. */
    while (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
        if (errno != EINTR)
            abort(); /* without a secret key the table could be attacked: there is no safe way on */
    }
    hash_seed(key[0], key[1]);
}
