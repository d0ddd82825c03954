MODULES  += wire
wire_SRC := $(addprefix relay/wire/,frame.c rpc.c rpc_fast.c scan.c rpc_text.c rpc_method.c rpc_error.c json.c number.c json_same.c \
              json_member.c json_relaxed.c line_split.c stray.c writer.c sanitize.c text_builder.c utf8.c)

TEST_FOLDERS   += wire
wire_TEST_LIBS := fixture/common wire base

FUZZERS         += fuzz_frame fuzz_rpc fuzz_json
fuzz_frame_SRC  := tests/fuzz/fuzz_frame.c
fuzz_frame_LIBS := wire base
fuzz_rpc_SRC    := tests/fuzz/fuzz_rpc.c
fuzz_rpc_LIBS   := wire base
fuzz_rpc_LDLIBS := -ljansson
fuzz_json_SRC   := tests/fuzz/fuzz_json.c
fuzz_json_LIBS  := wire base
