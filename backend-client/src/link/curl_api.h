/* libcurl, loaded when it is first needed. Linked in, it would cost every program that embeds the library,
 * and every run of agent-relayctl, about thirty further libraries: 5 MiB resident and 12 ms of start, for a
 * probe that few configure.
 *
 * The functions' types are those of curl/curl.h; the names are libcurl's without "curl_".
 */
#ifndef CLIENT_CURL_API_H
#define CLIENT_CURL_API_H

/* The type checks are macros of the functions' names, which would meet our members. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stddef.h>

#include "base/err.h"

#define CURL_FUNCTIONS(X)                                                                                    \
    X(global_init)                                                                                           \
    X(easy_init)                                                                                             \
    X(easy_setopt)                                                                                           \
    X(easy_getinfo)                                                                                          \
    X(easy_strerror)                                                                                         \
    X(easy_cleanup)                                                                                          \
    X(multi_init)                                                                                            \
    X(multi_setopt)                                                                                          \
    X(multi_add_handle)                                                                                      \
    X(multi_remove_handle)                                                                                   \
    X(multi_socket_action)                                                                                   \
    X(multi_assign)                                                                                          \
    X(multi_info_read)                                                                                       \
    X(multi_strerror)                                                                                        \
    X(multi_cleanup)                                                                                         \
    X(slist_append)                                                                                          \
    X(slist_free_all)

struct curl_api {
#define X(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(X)
#undef X
};

/* Loads and initialises it once for the process, on whichever thread comes first; it is never unloaded, since
 * the host may use it as well. ERR_NOT_FOUND with a problem that says what to install; the next call says the
 * same. ret_api is static. */
MUSTCHECK int curl_api_get(const struct curl_api **ret_api, char *problem, size_t problem_size);

#endif
