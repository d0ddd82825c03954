MODULES  += wire
wire_SRC := relay/wire/json.c relay/wire/json_relaxed.c relay/wire/writer.c relay/wire/rpc_error.c relay/wire/frame.c relay/wire/rpc.c \
            relay/wire/clean.c

# ---- frames and the envelope scan
wire_SRC += relay/wire/scan.c relay/wire/rpc_fast.c relay/wire/rpc_text.c relay/wire/rpc_method.c

UNIT_TESTS += test_frame test_frame_long test_scan test_rpc test_rpc_text test_rpc_method test_jsonsuite
test_frame_SRC  := tests/unit/test_frame.c
test_frame_LIBS := testkit wire base
test_frame_long_SRC  := tests/unit/test_frame_long.c
test_frame_long_LIBS := wire base
test_scan_SRC  := tests/unit/test_scan.c
test_scan_LIBS := wire base
test_rpc_SRC  := tests/unit/test_rpc.c
test_rpc_LIBS := wire base
test_rpc_text_SRC  := tests/unit/test_rpc_text.c
test_rpc_text_LIBS := wire base
test_rpc_method_SRC  := tests/unit/test_rpc_method.c
test_rpc_method_LIBS := wire base
test_jsonsuite_SRC  := tests/unit/test_jsonsuite.c
test_jsonsuite_LIBS := wire base

FUZZERS += fuzz_frame fuzz_rpc
fuzz_frame_SRC  := tests/fuzz/fuzz_frame.c
fuzz_frame_LIBS := wire base
fuzz_rpc_SRC    := tests/fuzz/fuzz_rpc.c
fuzz_rpc_LIBS   := wire base
fuzz_rpc_LDLIBS := -ljansson

# ---- the writer and the tree
UNIT_TESTS       += test_writer test_json test_json_relaxed
test_writer_SRC  := tests/unit/test_writer.c
test_writer_LIBS := testkit wire base
test_json_SRC    := tests/unit/test_json.c
test_json_LIBS   := testkit wire base
test_json_relaxed_SRC  := tests/unit/test_json_relaxed.c
test_json_relaxed_LIBS := wire base
FUZZERS       += fuzz_json
fuzz_json_SRC  := tests/fuzz/fuzz_json.c
fuzz_json_LIBS := wire base
