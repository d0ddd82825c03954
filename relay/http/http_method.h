/* Request methods, and sets of them. Pure. */
#ifndef HTTP_METHOD_H
#define HTTP_METHOD_H

#include "base/part.h"

/* X(name): the methods that a route may take. */
#define HTTP_METHODS(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

enum http_method {
    HTTP_METHOD_OTHER, /* any other token: no route takes it */
#define X(name) HTTP_METHOD_##name,
    HTTP_METHODS(X)
#undef X
        HTTP_METHOD_COUNT
};

/* Longest token that is taken for a method. */
#define HTTP_METHOD_MAX 16

/* Sets of methods: one bit each. */
enum {
#define X(name) HTTP_##name = 1 << HTTP_METHOD_##name,
    HTTP_METHODS(X)
#undef X
};

/* A set as Allow writes it, its longest included: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" */
#define HTTP_ALLOW_SIZE 48

/* Methods are compared with their letter case (RFC 9110 9.1): "get" is HTTP_METHOD_OTHER. */
enum http_method http_method_find(struct part text);
/* "GET"; HTTP_METHOD_OTHER: "". */
const char *http_method_text(enum http_method method);
/* For Allow and Access-Control-Allow-Methods: "GET, HEAD". Returns `out`. */
const char *http_method_list(unsigned methods, char out[HTTP_ALLOW_SIZE]);

#endif
