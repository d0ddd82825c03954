/* Builds the line with the JSON writer: messages may quote what a peer sent, so they are escaped like
 * everything else. Nothing of what it refuses had been sent to a server. */
#include "front/error_line.h"

#include "wire/rpc_error.h"

/* Places, descriptors and memory come back when others go: soon, or at a time that nobody knows. */
#define RETRY_AFTER_MS 1000

static void write_data(struct writer *w, const struct error_line *line)
{
    write_object(w);
    write_member_bool(w, "relay", true);
    write_member_string(w, "code", rpc_error_name(line->code));
    write_member_bool(w, "retryable", rpc_error_is_retryable(line->code, false));
    write_member_bool(w, "sent", false);
    if (line->code == RPC_E_OVERLOADED)
        write_member_uint(w, "retryAfterMs", RETRY_AFTER_MS);
    if (line->write_more)
        line->write_more(w, line->more_data);
    write_object_end(w);
}

int error_line_write(struct buf *out, const struct error_line *line)
{
    struct writer w;
    writer_init(&w, out);
    write_object(&w);
    write_member_string(&w, "jsonrpc", "2.0");
    write_key(&w, "id");
    write_null(&w);
    write_key(&w, "error");
    write_object(&w);
    write_member_int(&w, "code", line->code);
    write_member_string(&w, "message", line->message ? line->message : rpc_error_message(line->code));
    write_key(&w, "data");
    write_data(&w, line);
    write_object_end(&w);
    write_object_end(&w);
    int rc = writer_end(&w);
    return rc != 0 ? rc : buf_append(out, "\n", 1);
}
