/* The address that the service listens on. */
#ifndef SERVICE_LISTEN_H
#define SERVICE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"

#define LISTEN_HOST_SIZE    256
#define LISTEN_WHERE_SIZE   80
#define LISTEN_PROBLEM_SIZE 400

enum listen_result {
    LISTEN_OK = 0,
    LISTEN_BAD_ADDRESS = -1, /* it cannot be one: usage */
    LISTEN_REFUSED = -2,     /* the system refused it */
};

struct listen_address {
    char host[LISTEN_HOST_SIZE];
    char port[6];
};

/* "127.0.0.1:8080", "[::1]:8080", "localhost:0". LISTEN_BAD_ADDRESS with the problem in words. */
MUSTCHECK enum listen_result listen_parse(const char *text, struct listen_address *ret,
                                          char problem[LISTEN_PROBLEM_SIZE]);
/* A listening socket, and "HOST:PORT" with the real port. */
MUSTCHECK enum listen_result listen_open(const char *text, int *ret_fd, char where[LISTEN_WHERE_SIZE],
                                         char problem[LISTEN_PROBLEM_SIZE]);
/* Only this machine can reach the address. */
bool listen_is_loopback(int fd);
/* Connects to what listens at `text` (an any-address becomes loopback), each step within timeout_ms. */
MUSTCHECK enum listen_result listen_connect(const char *text, unsigned timeout_ms, int *ret_fd,
                                            char problem[LISTEN_PROBLEM_SIZE]);

#endif
