/* Builds the line with the JSON writer: messages may quote what a peer sent, so they are escaped like
 * everything else. */
#include "front/refusal.h"

#include "wire/rpc_error.h"

/* Whether the same connection attempt may succeed later, without any change by the peer. */
static bool is_retryable(int code)
{
    return code == RPC_E_OVERLOADED || code == RPC_E_DRAINING || code == RPC_E_SERVER_UNAVAILABLE ||
           code == RPC_E_RATE_LIMITED;
}

static void write_data(struct writer *w, const struct refusal *refusal)
{
    write_object(w);
    write_member_bool(w, "relay", true);
    write_member_string(w, "code", rpc_error_name(refusal->code));
    write_member_bool(w, "retryable", is_retryable(refusal->code));
    write_member_bool(w, "sent", false);
    if (refusal->write_more)
        refusal->write_more(w, refusal->more_data);
    write_object_end(w);
}

int refusal_write(struct buf *out, const struct refusal *refusal)
{
    struct writer w;
    writer_init(&w, out);
    write_object(&w);
    write_member_string(&w, "jsonrpc", "2.0");
    write_key(&w, "id");
    write_null(&w);
    write_key(&w, "error");
    write_object(&w);
    write_member_int(&w, "code", refusal->code);
    write_member_string(&w, "message",
                        refusal->message ? refusal->message : rpc_error_message(refusal->code));
    write_key(&w, "data");
    write_data(&w, refusal);
    write_object_end(&w);
    write_object_end(&w);
    int rc = writer_end(&w);
    return rc != 0 ? rc : buf_append(out, "\n", 1);
}
