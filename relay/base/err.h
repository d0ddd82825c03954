/* Error numbers.
 *
 * A function that can fail returns 0 or a negative number. The numbers are negative errno values (the same
 * space as libuv's UV_E*), and, far outside errno's range, the few codes of our own listed here once.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUSTCHECK __attribute__((warn_unused_result))

/* X(name, number, text) */
#define ERR_CODES(X)                                                                                         \
    X(ERR_TOO_LARGE, -20001, "larger than its limit")                                                        \
    X(ERR_SYNTAX, -20002, "not well-formed")                                                                 \
    X(ERR_DEPTH, -20003, "nested too deeply")                                                                \
    X(ERR_CLOSING, -20004, "is closing")                                                                     \
    X(ERR_FULL, -20005, "is full")                                                                           \
    X(ERR_NOT_FOUND, -20006, "not found")                                                                    \
    X(ERR_TYPE, -20007, "is of the wrong type")                                                              \
    X(ERR_RANGE, -20008, "is out of range")                                                                  \
    X(ERR_NOT_A_FILE, -20009, "not a plain file")

enum err_code {
#define X(name, number, text) name = (number),
    ERR_CODES(X)
#undef X
};

/* A static string for any code that our functions return: our text, or the C library's for an errno value. */
const char *err_text(int code);

#endif
