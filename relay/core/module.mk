MODULES  += core
core_SRC := relay/core/loop.c relay/core/timer.c relay/core/stream.c relay/core/stream_write.c relay/core/memory.c \
            relay/core/log.c relay/core/log_line.c relay/core/config.c relay/core/config_options.c \
            relay/core/config_value.c relay/core/config_listen.c relay/core/config_expand.c relay/core/config_servers.c \
            relay/core/config_server_options.c relay/core/config_args.c relay/core/config_check.c \
            relay/core/config_report.c relay/core/config_print.c relay/core/config_compare.c

UNIT_TESTS += test_loop test_timer test_stream test_stream_end test_stream_write test_memory test_log \
              test_config test_config_servers test_config_refusals test_config_options
test_loop_SRC := tests/unit/test_loop.c
test_loop_LIBS := testkit core wire base
test_loop_LDLIBS := $(uv_libs) -lpthread
test_timer_SRC := tests/unit/test_timer.c
test_timer_LIBS := testkit core wire base
test_timer_LDLIBS := $(uv_libs) -lpthread
test_stream_SRC := tests/unit/test_stream.c tests/unit/stream_kit.c
test_stream_LIBS := testkit core wire base
test_stream_LDLIBS := $(uv_libs) -lpthread
test_stream_end_SRC := tests/unit/test_stream_end.c tests/unit/stream_kit.c
test_stream_end_LIBS := testkit core wire base
test_stream_end_LDLIBS := $(uv_libs) -lpthread
test_stream_write_SRC := tests/unit/test_stream_write.c tests/unit/stream_kit.c
test_stream_write_LIBS := testkit core wire base
test_stream_write_LDLIBS := $(uv_libs) -lpthread
test_memory_SRC := tests/unit/test_memory.c
test_memory_LIBS := testkit core wire base
test_memory_LDLIBS := $(uv_libs) -lpthread
test_log_SRC := tests/unit/test_log.c
test_log_LIBS := testkit core wire base
test_log_LDLIBS := $(uv_libs) -lpthread
test_config_SRC := tests/unit/test_config.c tests/unit/config_kit.c
test_config_LIBS := testkit core wire base
test_config_LDLIBS := $(uv_libs) -lpthread
test_config_servers_SRC := tests/unit/test_config_servers.c tests/unit/config_kit.c
test_config_servers_LIBS := testkit core wire base
test_config_servers_LDLIBS := $(uv_libs) -lpthread
test_config_refusals_SRC := tests/unit/test_config_refusals.c tests/unit/config_kit.c
test_config_refusals_LIBS := testkit core wire base
test_config_refusals_LDLIBS := $(uv_libs) -lpthread
test_config_options_SRC := tests/unit/test_config_options.c tests/unit/config_kit.c
test_config_options_LIBS := testkit core wire base
test_config_options_LDLIBS := $(uv_libs) -lpthread

FUZZERS += fuzz_config
fuzz_config_SRC := tests/fuzz/fuzz_config.c
fuzz_config_LIBS := core wire base
fuzz_config_LDLIBS := $(uv_libs) -lpthread
