/* libcurl through dlopen: the shared object's name is its ABI's (libcurl.so.4 since 2006), so what is found
 * has the functions and types of any curl/curl.h of that ABI.
 *
 * Failure modes: not installed, or without a function: a problem that names it, for ever, since the attempt
 * is made once. An option that it does not know shows when it is set (probe.c).
 */
#include "curl_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct curl_api api;
static char failure[160]; /* "": it is there */

static void fail(const char *what)
{
    (void)snprintf(failure, sizeof(failure), "%s",
                   what ? what : "libcurl could not be loaded"); /* cut where it is longer */
}

/* POSIX has a function's address fit an object pointer (dlsym, RATIONALE); C does not, hence the union. */
static bool find(void *library, const char *name, void (**ret_function)(void))
{
    union {
        void *object;
        void (*function)(void);
    } address = {.object = dlsym(library, name)};
    *ret_function = address.function;
    return address.object;
}

static void load(void)
{
    void *library = NULL;
    for (size_t i = 0; !library && i < sizeof(names) / sizeof(names[0]); i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fail(dlerror());
        return;
    }
    void (*function)(void);
#define X(name)                                                                                              \
    if (!find(library, "curl_" #name, &function)) {                                                          \
        fail(dlerror());                                                                                     \
        return;                                                                                              \
    }                                                                                                        \
    api.name = (__typeof__(curl_##name) *)function;
    CURL_FUNCTIONS(X)
#undef X
    if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        fail("libcurl could not be initialised");
}

int curl_api_get(const struct curl_api **ret_api, char *problem, size_t problem_size)
{
    (void)pthread_once(&once, load);
    if (failure[0] != '\0') {
        (void)snprintf(problem, problem_size,
                       "a health address needs libcurl: %s. Install libcurl4, or set none", failure);
        return ERR_NOT_FOUND;
    }
    *ret_api = &api;
    return 0;
}
