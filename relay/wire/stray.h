/* What a line looks like that a server wrote to its standard output and that is no message: for people who read an
 * error. Pure.
 *
 * The list is in order of how much a look explains: of several lines the first look in it is the one to name.
 */
#ifndef WIRE_STRAY_H
#define WIRE_STRAY_H

#include <stddef.h>

#define STRAYS(X)                                                                                             \
    X(LENGTH_HEADER, "length-header",                                                                         \
      "has Content-Length headers, as a language server writes them; MCP over stdio is one message per line") \
    X(UTF16, "utf-16", "is UTF-16; messages are UTF-8")                                                       \
    X(ECHO, "echo",                                                                                           \
      "repeats what is sent to it: the command echoes its input and may not be an MCP server at all")         \
    X(FOREIGN_ID, "foreign-id", "has an answer under an id that was never sent")                              \
    X(NO_ID, "no-id", "has an answer without an id, which can be given to nobody")                            \
    X(BROKEN, "broken-message", "has a message that is not valid JSON or not JSON-RPC 2.0")                   \
    X(JOINED, "joined", "has messages that are not each on a line of their own")                              \
    X(HTML, "html", "has HTML or XML")                                                                        \
    X(HTTP, "http", "has HTTP; this server may be one for a URL")                                             \
    X(TRACE, "stack-trace", "has an error with its stack trace")                                              \
    X(ESCAPES, "escapes", "has escape sequences of a terminal, as of colours or a progress bar")              \
    X(BINARY, "binary", "has bytes that are not UTF-8 text")                                                  \
    X(LOG, "log", "has log lines, which belong on standard error")                                            \
    X(JSON, "json", "has JSON that is no JSON-RPC message")                                                   \
    X(TEXT, "text", "has plain text, as of a banner or of print statements, which belongs on standard error")

enum stray {
#define X(id, name, text) STRAY_##id,
    STRAYS(X)
#undef X
        STRAY_COUNT
};

/* By its bytes alone: LENGTH_HEADER, UTF16, HTML, HTTP, TRACE, ESCAPES, BINARY, LOG, JSON or TEXT. Looks at the first
 * 512. */
enum stray stray_look(const char *line, size_t len);
/* A word for data and logs: "length-header". */
const char *stray_name(enum stray look);
/* The end of a sentence: "its standard output has ...". */
const char *stray_text(enum stray look);

#endif
